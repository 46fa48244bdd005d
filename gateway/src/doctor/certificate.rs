//! The certificate of the gateway's own listener: whether it can be used, and until when.

use mosaic_core::{Check, CheckEntry, Clock as _, Error, ErrorKind, Finding, Result, SystemClock, register_check};
use tokio::time::{Instant, timeout_at};

use crate::config::Config;
use crate::shell::quoted;
use crate::tls::{Certificate, Files, Pair, Standing};

const ID: &str = "gateway.certificate";
const SERVICE: &str = "certificate";

register_check!(CheckEntry {
    id: ID,
    looks_at: "the files of `tls`, where the config names them",
    yellow: "the certificate, or one behind it, ends within 14 days, or every user of this machine can read the key",
    red: "it has ended, is not valid yet, or the files cannot be used: the certificate is not the key's, say",
    cure: "renew it, and put both files in place: a running gateway reads them within 10 s; `chmod o-r` keeps others from the key",
});

/// What to do about one whose time is over, or nearly so.
const RENEW: &str = "renew it, and put the new one into tls.certificate_file and tls.key_file; a running gateway reads it within 10 s";

/// Looks at the files, where the config names some; answers what was found too, where they can be used.
pub(super) async fn look(config: &Config, deadline: Instant) -> Option<(Check, Option<Certificate>)> {
    let files = Files::of(config)?;
    let begun = Instant::now();
    let read = match timeout_at(deadline, files.pair()).await {
        Ok(read) => read,
        Err(_) => Err(Error::new(ErrorKind::Timeout, "the certificate cannot be read: its file system does not answer")
            .hint("look at the disk and its mount: dmesg, df, mount")),
    };
    let (found, certificate) = match read {
        Ok(pair) => (describe(&pair, &files), Some(pair.certificate)),
        Err(error) => (Err(error), None),
    };
    Some((Check::of(ID, SERVICE, files.certificate.display(), &found).took(begun.elapsed()), certificate))
}

fn describe(Pair { certificate, is_exposed, .. }: &Pair, files: &Files) -> Result<Finding> {
    let (from, until, subjects) = (certificate.from(), certificate.until(), certificate.subjects());
    match certificate.standing(SystemClock.now()) {
        Standing::Valid if *is_exposed => Ok(Finding::but(
            format!("for {subjects}, until {until}; every user of this machine can read its key"),
            format!("chmod o-r {}", quoted(&files.key.display().to_string())),
        )),
        Standing::Valid => Ok(Finding::well(format!("for {subjects}, until {until}"))),
        Standing::Ending => Ok(Finding::but(format!("for {subjects}, and only until {until}"), RENEW)),
        Standing::Expired => Err(Error::new(ErrorKind::Config, format!("for {subjects}, and expired since {until}")).hint(RENEW)),
        Standing::Early => Err(Error::new(ErrorKind::Config, format!("for {subjects}, and not valid before {from}"))
            .hint("look at this machine's clock: date -u")),
    }
}
