//! What is told before opening: the directory, as it lies there. Nothing is opened, taken or changed by looking.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as Io, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mosaic_core::{Check, CheckEntry, Error, ErrorKind, Finding, Options, Result, register_check};

use crate::config::Config;
use crate::directory::{self, Found, Owner};
use crate::engine::blocking;
use crate::error;

/// As long as a look may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// What every file of the engine begins with.
const MAGIC: &[u8] = b"redb";

// What the checks mean, whatever they find; the section's own is described for every tier.
register_check!(CheckEntry {
    id: "redb.owner",
    looks_at: "who has the data directory",
    yellow: "",
    red: "another process has it, and a gateway is to start; or it cannot be read",
    cure: "stop that process, or give its address to the command by `--url`",
});
register_check!(CheckEntry {
    id: "redb.database",
    looks_at: "the file in it",
    yellow: "",
    red: "it is no database of the engine's, or may not be read and written",
    cure: "restore it from a copy, run mosaic as the user who owns it, or set `redb.data_dir`",
});

/// Looks whose the directory is, and at the file in it. A look that takes longer than 2 s, as on a network mount that hangs, is a red one.
pub(crate) async fn diagnose(options: Options) -> Vec<Check> {
    let dir = match Config::read(&options) {
        Ok(config) => config.data_dir,
        Err(error) => return vec![Check::config(crate::TIER, error)],
    };
    let asking = Owner::this_process(&options);
    let (owner, database) = tokio::join!(look("redb.owner", &dir, move |dir| owner(dir, &asking)), look("redb.database", &dir, database));
    vec![owner, database]
}

async fn look(id: &str, dir: &Path, work: impl FnOnce(&Path) -> Result<Finding> + Send + 'static) -> Check {
    let begun = Instant::now();
    let place = dir.to_owned();
    let found = tokio::time::timeout(DEADLINE, blocking(move || work(&place))).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Timeout, "the file system does not answer").hint("look at the disk and its mount: dmesg, df, mount"))
    });
    Check::of(id, "data directory", dir.display(), &found).took(begun.elapsed())
}

/// Being in use is well, but not for a gateway that wants to start.
fn owner(dir: &Path, asking: &Owner) -> Result<Finding> {
    let message = match directory::examine(dir)? {
        Found::Nothing => "absent; the first start makes it".to_owned(),
        Found::Free => "not in use".to_owned(),
        Found::Held(owner) if asking.command == "serve" => return Err(Owner::refusal(owner, asking)),
        Found::Held(Some(owner)) => format!("in use by `mosaic {}`, pid {}", owner.command, owner.pid),
        Found::Held(None) => "in use".to_owned(),
    };
    Ok(Finding::well(message))
}

/// Whether the file is the engine's, and may be written.
fn database(dir: &Path) -> Result<Finding> {
    let place: PathBuf = dir.join(directory::DATABASE);
    let mut file = match OpenOptions::new().read(true).append(true).open(&place) {
        Ok(file) => file,
        Err(error) if error.kind() == Io::NotFound => return Ok(Finding::well("no database yet; the first start makes it")),
        Err(error) => return Err(error::at(&place)(error)),
    };
    let bytes = begins_as_it_should(&mut file).map_err(error::at(&place))?;
    Ok(Finding::well(format!("a database of {} KiB", bytes.div_ceil(1024))))
}

fn begins_as_it_should(file: &mut File) -> std::io::Result<u64> {
    let mut begin = [0; MAGIC.len()];
    match file.read_exact(&mut begin) {
        Err(error) if error.kind() != Io::UnexpectedEof => Err(error),
        _ if begin != MAGIC => Err(Io::InvalidData.into()),
        _ => Ok(file.metadata()?.len()),
    }
}
