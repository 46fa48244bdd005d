//! Opening the backend that the config names, as often as it takes for services that are still coming up. The one way
//! in for everything that works on stored data: `serve` and the commands that run without a gateway.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Backend, Error, ErrorKind, Opening, Options, Result, Retry, Status, SystemClock, registry};
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::doctor;

/// The first wait between two attempts; each is twice as long as the one before, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Opens the backend of the config's tier for a command. `url` is where the gateway answers, when the command is one.
/// While a service does not answer, it tries again for as long as the config's `startup.wait_seconds` says.
///
/// # Errors
/// [`ErrorKind::Config`] for a tier that this build lacks or a section that cannot be used; whatever stands in the way of opening.
pub async fn backend(config: &Config, command: &'static str, url: Option<String>) -> Result<Backend> {
    let entry = registry::backend(&config.tier)?;
    let deadline = Instant::now() + config.startup.wait();
    let mut wait = FIRST_WAIT;
    loop {
        match (entry.open)(options(config, command, url.clone())).await {
            Ok(backend) => return Ok(backend),
            Err(error) if coming_up(&error) && Instant::now() + wait < deadline => {
                tracing::warn!(tier = entry.tier, %error, "not there yet, trying again in {} ms", wait.as_millis());
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            Err(error) => return Err(located(error, config)),
        }
    }
}

/// Opens it as [`backend`] does, but tries once, and does to what is there what it may.
///
/// # Errors
/// As [`backend`], and those of [`Opening::AsItIs`].
pub async fn once(config: &Config, command: &'static str, opening: Opening) -> Result<Backend> {
    let entry = registry::backend(&config.tier)?;
    let options = Options { opening, ..options(config, command, None) };
    (entry.open)(options).await.map_err(|error| located(error, config))
}

/// What the config says to a backend, to open or to examine it.
pub fn options(config: &Config, command: &'static str, url: Option<String>) -> Options {
    Options {
        section: config.section(),
        base_dir: config.base_dir.clone(),
        command,
        url,
        clock: Arc::new(SystemClock),
        opening: Opening::Prepare,
    }
}

/// What stands in the way of opening the backend for a command, as far as it shows without opening anything.
pub(crate) async fn obstacle(config: &Config, command: &'static str) -> Option<Error> {
    let checks = doctor::of_tier(config, command).await.ok()?;
    checks.into_iter().find(|check| check.status == Status::Red).map(doctor::refusal)
}

fn coming_up(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && error.retry_class() == Retry::Safe
}

/// Says which file holds the section that a backend refused.
fn located(error: Error, config: &Config) -> Error {
    match &config.source {
        Some(file) if error.kind() == ErrorKind::Config => error.with("file", file.display()),
        _ => error,
    }
}

#[cfg(test)]
mod tests;
