//! The certificate that is shown at the moment: files that change are read anew, and a pair that cannot be used takes no other's place.
//! What must not come in: connections, which take what is current when they begin, and keep it.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Clock, Error, Timestamp};
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::time::interval;

use super::pair::Fingerprint;
use super::{Certificate, Files, Pair, Standing};

/// How often the files are looked at. They are small, and compared by what they hold: whatever replaces them, by a rename, in place or by a link,
/// is seen.
const LOOK: Duration = Duration::from_secs(5);

/// How often it is said that a certificate ends, in seconds.
const REMIND_SECONDS: i64 = 24 * 60 * 60;

/// What connections that begin are to show.
pub(crate) type Current = watch::Receiver<Arc<ServerConfig>>;

/// A pair, and the files that it came from.
pub(crate) struct Watched {
    files: Files,
    clock: Arc<dyn Clock>,
    certificate: Certificate,
    fingerprint: Fingerprint,
    current: watch::Sender<Arc<ServerConfig>>,
    /// What is wrong with what the files hold by now, and how often that was seen.
    trouble: Option<(String, u32)>,
    reminded: Timestamp,
}

impl Watched {
    /// Watches over a pair that was read from these files.
    pub(crate) fn new(files: Files, pair: Pair, clock: Arc<dyn Clock>) -> Self {
        let Pair { certificate, server, fingerprint, .. } = pair;
        expires(&certificate);
        let reminded = clock.now();
        Self { files, clock, certificate, fingerprint, current: watch::Sender::new(server), trouble: None, reminded }
    }

    /// What connections that begin are to show, from now on.
    pub(crate) fn current(&self) -> Current {
        self.current.subscribe()
    }

    /// The certificate that is shown.
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Looks at the files again and again, for ever.
    pub(crate) async fn run(mut self) {
        let mut ticks = interval(LOOK);
        loop {
            ticks.tick().await;
            self.look().await;
            let now = self.clock.now();
            if now >= self.reminded.plus_seconds(REMIND_SECONDS) {
                self.reminded = now;
                warn_of_standing(&self.certificate, now);
            }
        }
    }

    async fn look(&mut self) {
        let pair = match self.files.contents().await {
            Ok(contents) if contents.fingerprint() == self.fingerprint => return self.trouble = None,
            Ok(contents) => self.files.pair_of(&contents),
            Err(error) => Err(error),
        };
        match pair {
            Ok(pair) => self.replace(pair),
            Err(error) => self.keep(&error),
        }
    }

    fn replace(&mut self, pair: Pair) {
        let (subjects, until) = (pair.certificate.subjects(), pair.certificate.until());
        tracing::info!(subjects, %until, "the certificate has changed, and is shown from now on");
        self.reminded = self.clock.now();
        warn_of_standing(&pair.certificate, self.reminded);
        expires(&pair.certificate);
        (self.certificate, self.fingerprint, self.trouble) = (pair.certificate, pair.fingerprint, None);
        self.current.send_replace(pair.server);
    }

    /// Keeps what there is, and says once why. Two files are not replaced in one moment: what is over at the next look is not worth a word.
    fn keep(&mut self, error: &Error) {
        let said = error.to_string();
        let times = self.trouble.take().filter(|(before, _)| *before == said).map_or(1, |(_, times)| times.saturating_add(1));
        if times == 2 {
            tracing::warn!(hint = error.hint_text(), "the certificate that was read before stays in use: {error}");
        }
        self.trouble = Some((said, times));
    }
}

/// Says in the log what is to be done about a certificate that is not valid, or not for long.
pub(crate) fn warn_of_standing(certificate: &Certificate, now: Timestamp) {
    let (from, until) = (certificate.from(), certificate.until());
    match certificate.standing(now) {
        Standing::Valid => {}
        Standing::Ending => tracing::warn!(%until, "the certificate ends soon: put a new one into tls.certificate_file"),
        Standing::Expired => {
            tracing::error!(%until, "the certificate has expired, and clients refuse it: put a new one into tls.certificate_file");
        }
        Standing::Early => {
            tracing::error!(%from, "the certificate is not valid yet, and clients refuse it: look at this machine's clock, or wait")
        }
    }
}

/// Has the metrics say when it ends.
fn expires(certificate: &Certificate) {
    let seconds = certificate.until().as_micros() / 1_000_000;
    #[expect(clippy::cast_precision_loss, reason = "seconds until the year 9999 are far below 2^53")]
    metrics::gauge!("mosaic_certificate_expires_timestamp_seconds").set(seconds as f64);
}

#[cfg(test)]
mod tests {
    use mosaic_core::SystemClock;

    use super::*;
    use crate::tls::made::Made;

    struct World {
        dir: tempfile::TempDir,
        watched: Watched,
        current: Current,
    }

    impl World {
        async fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let files = Files { certificate: dir.path().join("tls.crt"), key: dir.path().join("tls.key") };
            write(&dir, &Made::for_names(&["a.example"], -1, 30));
            let pair = files.pair().await.unwrap();
            let watched = Watched::new(files, pair, Arc::new(SystemClock));
            let current = watched.current();
            Self { dir, watched, current }
        }

        /// Looks; answers whether there is another pair since.
        async fn changed(&mut self) -> bool {
            self.current.mark_unchanged();
            self.watched.look().await;
            self.current.has_changed().unwrap()
        }
    }

    fn write(dir: &tempfile::TempDir, made: &Made) {
        std::fs::write(dir.path().join("tls.crt"), &made.certificate).unwrap();
        std::fs::write(dir.path().join("tls.key"), &made.key).unwrap();
    }

    #[tokio::test]
    async fn a_pair_takes_the_place_of_another_and_what_is_none_does_not() {
        let mut world = World::new().await;
        assert!(!world.changed().await, "the same is no change");
        let next = Made::for_names(&["b.example"], -1, 30);
        std::fs::write(world.dir.path().join("tls.crt"), &next.certificate).unwrap();
        for times in 1..=3 {
            assert!(!world.changed().await, "the key is still the old one's");
            let (said, seen) = world.watched.trouble.clone().unwrap();
            assert!(said.starts_with("the key is not that of the certificate") && seen == times, "{said}");
        }
        std::fs::remove_file(world.dir.path().join("tls.key")).unwrap();
        assert!(!world.changed().await);
        assert_eq!(world.watched.trouble.as_ref().unwrap().1, 1, "this is another trouble");
        write(&world.dir, &next);
        assert!(world.changed().await && world.watched.trouble.is_none());
        assert_eq!(world.watched.certificate.subjects(), "b.example");
        assert!(!world.changed().await);
    }
}
