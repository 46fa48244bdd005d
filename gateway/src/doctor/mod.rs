//! How a gateway and its tier are, as far as it shows from outside: what `mosaic doctor` reports, and what a start or
//! `mosaic config check` wants to know before it goes on. Looking changes nothing: nothing is opened, started or migrated.
//! What must not come in: how a report is shown.

mod certificate;
mod config;
mod listen;
mod report;

use std::path::Path;
use std::time::Duration;

use mosaic_core::{BackendEntry, Check, CheckEntry, Error, ErrorKind, Result, registry};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::config::Config;
use crate::open;

use listen::Speaks;
pub use report::{Report, schema};

/// How long all looks together may take. A check has 2 s of its own; what then still hangs is said to hang.
const DEADLINE: Duration = Duration::from_millis(2_500);

/// Looks at the config, and side by side at what its tier needs and at who answers where the gateway would. `file` is
/// what `--config` named.
pub async fn run(file: Option<&Path>) -> Report {
    let deadline = Instant::now() + DEADLINE;
    let (checked, read) = config::look(file, deadline).await;
    let Some(config) = read else { return Report::new(None, vec![checked]) };
    let Ok(entry) = registry::backend(&config.tier) else { return Report::new(Some(config.tier), vec![checked]) };
    let (of_tier, own) = tokio::join!(diagnose(entry, &config, "doctor", deadline), own(&config, deadline));
    let checks = [checked].into_iter().chain(of_tier).chain(own).collect();
    Report::new(Some(config.tier), checks)
}

/// Looks as [`run`] does, for the gateway that runs by this config: what its file says by now counts at the next start.
pub async fn of_running(config: &Config) -> Report {
    let deadline = Instant::now() + DEADLINE;
    let Ok(entry) = registry::backend(&config.tier) else { return Report::new(Some(config.tier.clone()), Vec::new()) };
    let (of_tier, own) = tokio::join!(diagnose(entry, config, "doctor", deadline), own(config, deadline));
    let checks = [config::in_use(config)].into_iter().chain(of_tier).chain(own).collect();
    Report::new(Some(config.tier.clone()), checks)
}

/// Looks at what is the gateway's own: its certificate, if it has one, and who answers where it would.
async fn own(config: &Config, deadline: Instant) -> Vec<Check> {
    let (checked, certificate) = certificate::look(config, deadline).await.unzip();
    let certificate = certificate.flatten();
    let answer = listen::look(config.listen, Speaks::by(config), certificate.as_ref(), deadline).await;
    checked.into_iter().chain([answer]).collect()
}

/// Whether the gateway of this config runs and is ready; answers what it does without.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when it is not, or not yet, or no more; and what else is in its place.
pub async fn is_ready(config: &Config) -> Result<Vec<String>> {
    listen::is_ready(config.listen, Speaks::by(config), Instant::now() + DEADLINE).await
}

/// What the tier of the config finds, examined for a command.
///
/// # Errors
/// [`ErrorKind::Config`] for a tier that this build lacks.
pub async fn of_tier(config: &Config, command: &'static str) -> Result<Vec<Check>> {
    Ok(diagnose(registry::backend(&config.tier)?, config, command, Instant::now() + DEADLINE).await)
}

/// The finding as an error, for whoever cannot go on with it.
pub fn refusal(check: Check) -> Error {
    let error = Error::new(ErrorKind::Config, check.message);
    match check.remediation {
        Some(remediation) => error.hint(remediation),
        None => error,
    }
}

/// Has a backend look. One that breaks its promise, and hangs or crashes, is a finding as well.
async fn diagnose(entry: &BackendEntry, config: &Config, command: &'static str, deadline: Instant) -> Vec<Check> {
    let begun = Instant::now();
    // On a task of its own, it cannot hold up the others by blocking.
    let looking = AbortOnDropHandle::new(tokio::spawn((entry.diagnose)(open::options(config, command, None))));
    let failed = |error: Error| vec![Check::of(format!("{}.checks", entry.tier), "tier", entry.tier, &Err(error)).took(begun.elapsed())];
    match timeout_at(deadline, looking).await {
        Ok(Ok(checks)) => checks,
        Ok(Err(_)) => {
            failed(Error::new(ErrorKind::Internal, "the checks of this tier broke off, by a fault in its backend").hint("report it"))
        }
        Err(_) => failed(
            Error::new(ErrorKind::Timeout, "the checks of this tier do not come to an end")
                .hint("look again, and if it stays so, at what the tier is configured with: mosaic config show"),
        ),
    }
}

/// The checks that any tier may have, whatever it is: those of a section that cannot be used, and of looks that failed.
pub(crate) const OF_ANY_TIER: &[CheckEntry] = &[
    CheckEntry {
        id: "TIER.config",
        looks_at: "the tier's section of the config; it is there only when it is red, in the place of the tier's others",
        yellow: "",
        red: "a key does not exist or holds what cannot be used, or a file that it names cannot be read",
        cure: "correct the key that is named: `mosaic config schema` has them all",
    },
    CheckEntry {
        id: "TIER.checks",
        looks_at: "the looking itself; it is there only when it is red, in the place of the tier's others",
        yellow: "",
        red: "the tier's checks do not come to an end within 2.5 s, or broke off by a fault in its backend",
        cure: "look again, and if it stays so, at what the tier is configured with: `mosaic config show`",
    },
];

#[cfg(test)]
mod tests;
