//! What keeps embeddings from being made, and how long to wait before trying again. It is logged when it begins, when it becomes another,
//! and when it is over; not each time.

use std::time::Duration;

use metrics::counter;
use mosaic_core::{Error, ErrorKind};
use tokio::time::Instant;

use crate::models::{Blame, Failure};

/// What came in between.
#[derive(Debug)]
pub(super) enum Setback {
    /// The model server.
    Model(Failure),
    /// The index takes what was made not, and will not until somebody does something.
    Index(Error),
    /// The storage or the index, which will do again.
    Storage(Error),
}

impl From<Failure> for Setback {
    fn from(failure: Failure) -> Self {
        Self::Model(failure)
    }
}

impl From<Error> for Setback {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Invalid | ErrorKind::Full | ErrorKind::Unsupported => Self::Index(error),
            _ => Self::Storage(error),
        }
    }
}

impl Setback {
    pub(super) fn error(&self) -> &Error {
        match self {
            Self::Model(failure) => &failure.error,
            Self::Index(error) | Self::Storage(error) => error,
        }
    }

    /// What does not change while it is the same trouble.
    fn sort(&self) -> (&'static str, ErrorKind, String) {
        let reason = match self {
            Self::Model(_) => "model",
            Self::Index(_) => "index",
            Self::Storage(_) => "storage",
        };
        (reason, self.error().kind(), self.error().message().to_owned())
    }

    /// The first wait and the longest, in seconds: what only an operator can mend is not tried every second, and what passes by itself is
    /// not waited for by the minute.
    fn waits(&self) -> (u64, u64) {
        match self {
            Self::Model(Failure { blame: Blame::Away, .. }) | Self::Storage(_) => (1, 60),
            Self::Model(_) | Self::Index(_) => (5, 300),
        }
    }
}

/// A trouble that goes on.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<Since>);

#[derive(Debug)]
struct Since {
    begun: Instant,
    sort: (&'static str, ErrorKind, String),
    attempts: u32,
}

impl Trouble {
    /// Another setback; answers how long to wait.
    pub(super) fn met(&mut self, setback: &Setback) -> Duration {
        let sort = setback.sort();
        counter!("mosaic_embedding_failures_total", "reason" => sort.0).increment(1);
        let (error, hint) = (setback.error(), setback.error().hint_text());
        let since = match self.0.take() {
            Some(since) if since.sort == sort => {
                tracing::debug!(%error, "still no embeddings");
                Since { attempts: since.attempts.saturating_add(1), ..since }
            }
            other => {
                tracing::warn!(%error, hint, "no embeddings are made for now; what is written is kept, searched by its words, and embedded later");
                Since { begun: other.map_or_else(Instant::now, |since| since.begun), sort, attempts: 0 }
            }
        };
        let (first, longest) = setback.waits();
        let wait = Duration::from_secs(first.saturating_mul(1 << since.attempts.min(20)).min(longest));
        self.0 = Some(since);
        let asked = if let Setback::Model(Failure { retry_after, .. }) = setback { *retry_after } else { None };
        // Up to a fifth more, so that several gateways do not come at the same moment.
        wait.max(asked.unwrap_or_default()).mul_f64(1.0 + chance() / 5.0)
    }

    /// It went well.
    pub(super) fn over(&mut self) {
        if let Some(since) = self.0.take() {
            tracing::info!(seconds = since.begun.elapsed().as_secs(), "embeddings are made again");
        }
    }
}

/// From 0 to 1.
fn chance() -> f64 {
    let mut byte = [0];
    // Without randomness all wait the same time, which is no error.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away(message: &'static str, retry_after: Option<u64>) -> Setback {
        let error = Error::new(ErrorKind::Unavailable, message);
        Setback::Model(Failure { blame: Blame::Away, error, retry_after: retry_after.map(Duration::from_secs) })
    }

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew() {
        let mut trouble = Trouble::default();
        let mut waits = Vec::new();
        for _ in 0..40 {
            waits.push(trouble.met(&away("a", None)).as_secs_f64());
        }
        assert!((1.0..=1.2).contains(&waits[0]) && (2.0..=2.4).contains(&waits[1]), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= 72.0) && waits[39] >= 60.0, "{waits:?}");
        assert!(trouble.met(&away("b", None)).as_secs_f64() <= 1.2, "another trouble");
        assert!(trouble.met(&away("b", Some(90))).as_secs_f64() >= 90.0, "as long as the server wants");
        trouble.over();
        assert!(trouble.met(&away("b", None)).as_secs_f64() <= 1.2);
        let setup = Setback::from(Failure { blame: Blame::Setup, error: Error::invalid("key"), retry_after: None });
        assert!(trouble.met(&setup).as_secs_f64() >= 5.0);
    }
}
