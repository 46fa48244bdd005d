//! A fresh directory for each engine: its socket and its temporary files lie there. Unix limits the path of a socket to
//! some hundred bytes, so it lies with the system's temporary files and not in the data directory.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Result};
use tempfile::TempDir;

/// The port in the socket's name; nothing listens on a network.
pub(crate) const PORT: u16 = 5432;

const PREFIX: &str = "mosaic-engine-";
/// How long a directory may be new, and not locked yet.
const MAKING: Duration = Duration::from_secs(60);
/// The longest directory that leaves room for `/.s.PGSQL.5432` in the engine's limit of 99 bytes.
const LONGEST: usize = 84;

/// A directory for one engine's socket, removed when dropped. The lock on it tells others that it is in use.
#[derive(Debug)]
pub(crate) struct SocketDir {
    dir: TempDir,
    _lock: File,
}

impl SocketDir {
    /// Makes one, for this user alone.
    ///
    /// # Errors
    /// When there is no place for temporary files.
    pub(crate) fn make() -> Result<Self> {
        let base = base();
        let make = || {
            let dir = tempfile::Builder::new().prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir_in(&base)?;
            let lock = File::open(dir.path())?;
            lock.try_lock()?;
            Ok(Self { dir, _lock: lock })
        };
        make().map_err(|error: io::Error| {
            Error::new(ErrorKind::Config, "no directory can be made for the embedded engine's socket")
                .with("in", base.display())
                .hint("set TMPDIR to a directory that you may write in")
                .source(error)
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes what gateways that were killed left behind. Best effort: what cannot be removed is left.
pub(crate) fn sweep() {
    sweep_in(&base(), MAKING);
}

fn sweep_in(base: &Path, making: Duration) {
    let me = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let stale = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|metadata| {
                metadata.is_dir() && metadata.uid() == me && metadata.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= making))
            })
            && File::open(entry.path()).is_ok_and(|dir| dir.try_lock().is_ok());
        if stale && let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::debug!(dir = %entry.path().display(), %error, "a stale engine directory could not be removed");
        }
    }
}

fn base() -> PathBuf {
    let usual = std::path::absolute(std::env::temp_dir()).unwrap_or_default();
    // The engine takes a path in UTF-8 only; six characters are made up.
    let fits = usual.to_str().is_some_and(|path| !path.is_empty() && path.len() + 1 + PREFIX.len() + 6 <= LONGEST);
    if fits { usual } else { "/tmp".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_private_short_and_gone_when_dropped() {
        let dir = SocketDir::make().unwrap();
        let path = dir.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(path.as_os_str().len() <= LONGEST);
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn only_what_nobody_uses_is_swept() {
        let base = tempfile::tempdir().unwrap();
        let [used, stale, other] =
            [format!("{PREFIX}used"), format!("{PREFIX}stale"), "mosaic-else".to_owned()].map(|name| base.path().join(name));
        for dir in [&used, &stale, &other] {
            fs::create_dir(dir).unwrap();
            fs::write(dir.join("file"), "").unwrap();
        }
        let lock = File::open(&used).unwrap();
        lock.try_lock().unwrap();

        sweep_in(base.path(), MAKING);
        assert!(stale.exists(), "it may be about to be used");
        sweep_in(base.path(), Duration::ZERO);
        assert!(!stale.exists());
        assert!(used.join("file").exists());
        assert!(other.join("file").exists());
    }
}
