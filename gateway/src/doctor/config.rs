//! The config as such: whether there is one, and whether it can be used. The section of its tier is for the backend to judge.

use std::path::{Path, PathBuf};

use mosaic_core::{Check, CheckEntry, Error, ErrorKind, Finding, Result, register_check, registry};
use tokio::time::{Instant, timeout_at};

use crate::config::{Config, FILE};
use crate::shell::quoted;

const ID: &str = "gateway.config";

register_check!(CheckEntry {
    id: ID,
    looks_at: "the config: which file it is, and whether it can be used; when it is red, nothing else is looked at",
    yellow: "it holds a secret, and every user of this machine can read it",
    red: "the file cannot be read, is no JSON, has a key that does not exist or a value out of bounds, or names a tier that this build lacks",
    cure: "correct the key that is named: `mosaic config schema` has them all; keep others out with `chmod o-r`",
});

/// Reads the config; `None` when it cannot be used.
pub(super) async fn look(file: Option<&Path>, deadline: Instant) -> (Check, Option<Config>) {
    let begun = Instant::now();
    match read(file, deadline).await {
        Ok((config, is_exposed)) => {
            let target = absolute(config.source.as_deref().unwrap_or(Path::new(FILE)));
            let found = registry::backend(&config.tier).map(|entry| {
                let read = if config.source.is_some() { "read:" } else { "no such file; the defaults and the environment say" };
                let said = format!("{read} tier {} at {}", entry.tier, config.listen);
                if is_exposed { exposed(said, &target) } else { Finding::well(said) }
            });
            (Check::of(ID, Check::CONFIG, target, &found).took(begun.elapsed()), Some(config))
        }
        Err(error) => {
            let target = match (error.get("variable"), error.get("file").map(Path::new).or(file)) {
                (Some(variable), _) => variable.to_owned(),
                (None, Some(file)) => absolute(file),
                (None, None) => absolute(Path::new(FILE)),
            };
            (Check::of(ID, Check::CONFIG, target, &Err(error)).took(begun.elapsed()), None)
        }
    }
}

/// What is said of a file that holds a secret for everybody to read.
fn exposed(said: String, target: &str) -> Finding {
    Finding::but(format!("{said}; it holds a secret, and every user of this machine can read it"), format!("chmod o-r {}", quoted(target)))
}

/// The config that a gateway runs by.
pub(super) fn in_use(config: &Config) -> Check {
    let found = Finding::well(format!("in use: tier {} at {}", config.tier, config.listen));
    Check::of(ID, Check::CONFIG, absolute(config.source.as_deref().unwrap_or(Path::new(FILE))), &Ok(found))
}

/// Reads it off the runtime: the file may be on a mount that hangs, or be a pipe that nobody writes to. Answers too whether it is exposed.
async fn read(file: Option<&Path>, deadline: Instant) -> Result<(Config, bool)> {
    let file = file.map(Path::to_owned);
    let look = |config: Config| {
        let is_exposed = config.is_exposed();
        (config, is_exposed)
    };
    let reading = tokio::task::spawn_blocking(move || Config::load(file.as_deref()).map(look));
    match timeout_at(deadline, reading).await {
        Ok(Ok(read)) => read,
        Ok(Err(broken)) => {
            Err(Error::new(ErrorKind::Internal, "the config cannot be read, by a fault in mosaic").hint("report it").source(broken))
        }
        Err(_) => Err(Error::new(ErrorKind::Timeout, "the config cannot be read: its file system does not answer")
            .hint("look at the disk and its mount: dmesg, df, mount")),
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)).display().to_string()
}
