//! The data directory: whose it is, and the file in it. One process at a time has it, by a lock that ends with the process, however
//! that ends. What must not come in: what is in the database.
//!
//! ```text
//! lock               held by the process that has the directory; says which that is
//! records.redb       the database
//! records.redb.new   the database while it is made: one that is half made is never opened
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind as Io, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mosaic_core::{Error, ErrorKind, Options, Result};
use serde::{Deserialize, Serialize};

use crate::error;

/// How long a held lock is tried again: one that was killed lets go of it only when the system has cleared it away.
const PATIENCE: Duration = Duration::from_secs(1);

/// The name of the database in the directory.
pub(crate) const DATABASE: &str = "records.redb";

/// Who has the directory.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
    pub(crate) command: String,
    pub(crate) url: Option<String>,
}

impl Owner {
    pub(crate) fn this_process(options: &Options) -> Self {
        Self { pid: std::process::id(), command: options.command.to_owned(), url: options.url.clone() }
    }

    /// The error for whoever comes second: who has it, and the way on.
    pub(crate) fn refusal(owner: Option<Self>, asking: &Self) -> Error {
        let error = Error::new(ErrorKind::InUse, "the data directory is in use by another process");
        let Some(owner) = owner else { return error.hint("try again in a moment, when it has said which process it is") };
        let error = error.with("pid", owner.pid).with("command", &owner.command);
        match owner.url {
            Some(url) if asking.command == "serve" => error.with("url", url).hint(format!("stop that gateway first: kill {}", owner.pid)),
            Some(url) => error.with("url", &url).hint(format!("mosaic {} --url {url}", asking.command)),
            None => error.hint(format!("wait until `mosaic {}` has ended, or stop it: kill {}", owner.command, owner.pid)),
        }
    }
}

/// What there is, without changing it.
#[derive(Debug)]
pub(crate) enum Found {
    /// No database. The first start makes it.
    Nothing,
    /// A database that nobody has open.
    Free,
    /// One that somebody has open, who says who that is unless it has not come to that yet.
    Held(Option<Owner>),
}

/// Looks, and changes nothing.
pub(crate) fn examine(dir: &Path) -> Result<Found> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(error::at(dir)(Io::NotADirectory.into())),
        Err(error) if error.kind() == Io::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error::at(dir)(error)),
    }
    match File::open(lock_of(dir)) {
        Ok(lock) => {
            if let Err(TryLockError::WouldBlock) = lock.try_lock_shared() {
                return Ok(Found::Held(read_owner(lock)));
            }
        }
        Err(error) if error.kind() == Io::NotFound => {}
        Err(error) => return Err(error::at(&lock_of(dir))(error)),
    }
    Ok(if database_of(dir).exists() { Found::Free } else { Found::Nothing })
}

/// The directory, for as long as this process has it. Dropping it lets go of it.
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Takes the directory, and makes it where it is absent.
    ///
    /// # Errors
    /// [`ErrorKind::InUse`] when another process has it, and what the file system says.
    pub(crate) fn take(dir: &Path, owner: &Owner) -> Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(error::at(dir))?;
        let path = lock_of(dir);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut lock = file.map_err(error::at(&path))?;
        let begun = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                Err(TryLockError::WouldBlock) => return Err(Owner::refusal(read_owner(lock), owner)),
                Err(TryLockError::Error(error)) => return Err(error::at(&path)(error)),
            }
        }
        let text =
            serde_json::to_vec(owner).map_err(|error| Error::new(ErrorKind::Internal, "the owner cannot be written").source(error))?;
        lock.set_len(0).and_then(|()| lock.write_all(&text)).map_err(error::at(&path))?;
        Ok(Self { path: dir.to_owned(), _lock: lock })
    }

    pub(crate) fn database(&self) -> PathBuf {
        database_of(&self.path)
    }

    /// Puts a database in its place that `make` makes elsewhere, whole or not at all, and onto the disk.
    pub(crate) fn adopt(&self, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let (made, place) = (self.database().with_added_extension("new"), self.database());
        match fs::remove_file(&made) {
            Err(error) if error.kind() != Io::NotFound => return Err(error::at(&made)(error)),
            _ => {}
        }
        // For this user alone from the beginning.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&made).map_err(error::at(&made))?;
        make(&made)?;
        fs::rename(&made, &place).map_err(error::at(&place))?;
        // The names that lead to it have to last as well. A parent that may not be read cannot be synced, and is hardly new.
        let sync = |dir: &Path| File::open(dir).and_then(|dir| dir.sync_all());
        sync(&self.path).map_err(error::at(&self.path))?;
        for parent in self.path.ancestors().skip(1) {
            let _ = sync(parent);
        }
        Ok(())
    }

    /// Removes the database, which must not be open.
    pub(crate) fn clear(&self) -> Result<()> {
        let place = self.database();
        fs::remove_file(&place).map_err(error::at(&place))
    }
}

fn lock_of(dir: &Path) -> PathBuf {
    dir.join("lock")
}

fn database_of(dir: &Path) -> PathBuf {
    dir.join(DATABASE)
}

/// Who holds a lock, as far as they have said so.
fn read_owner(mut lock: File) -> Option<Owner> {
    let mut text = Vec::new();
    lock.rewind().and_then(|()| lock.read_to_end(&mut text)).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(command: &str, url: Option<&str>) -> Owner {
        Owner { pid: 4711, command: command.to_owned(), url: url.map(str::to_owned) }
    }

    #[test]
    fn one_process_has_the_directory_and_the_next_is_told_who() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(examine(dir.path()).unwrap(), Found::Nothing));
        let taken = Directory::take(dir.path(), &owner("serve", Some("http://127.0.0.1:7420"))).unwrap();
        let Found::Held(Some(holder)) = examine(dir.path()).unwrap() else { panic!("nobody holds it") };
        assert_eq!(holder.pid, 4711);
        let second = Directory::take(dir.path(), &owner("import", None)).map(drop).unwrap_err();
        assert_eq!((second.kind(), second.hint_text()), (ErrorKind::InUse, Some("mosaic import --url http://127.0.0.1:7420")));
        drop(taken);
        drop(Directory::take(dir.path(), &owner("import", None)).unwrap());
        assert!(matches!(examine(dir.path()).unwrap(), Found::Nothing), "the text alone says nothing");
    }

    #[test]
    fn a_database_that_was_not_finished_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let taken = Directory::take(dir.path(), &owner("serve", None)).unwrap();
        let broken = taken.adopt(|made| {
            fs::write(made, "half").unwrap();
            Err(Error::new(ErrorKind::Full, "no space"))
        });
        assert!(broken.is_err() && !taken.database().exists());
        taken.adopt(|made| fs::write(made, "whole").map_err(error::io)).unwrap();
        assert_eq!(fs::read(taken.database()).unwrap(), b"whole");
    }
}
