//! Who owns a data directory: a lock that the owning process holds for as long as it lives, and beside it a file
//! that says who that is. The lock counts; the file is only believed while the lock is held.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use mosaic_core::{Error, ErrorKind, Options, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::directory::{self, Layout};

/// How long a held lock is tried again: an owner that was killed lets go of it only when the system has cleared it away,
/// and whoever looks for an owner holds it for a moment.
const PATIENCE: Duration = Duration::from_secs(1);

/// The process that owns a data directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// Its process id.
    pub pid: u32,
    /// The command it runs: `serve`, `import`.
    pub command: String,
    /// Where it answers, `http://host:port`, when it is a gateway.
    pub url: Option<String>,
    /// When it took the directory.
    pub started_at: Timestamp,
}

impl Owner {
    /// This process, opening a directory with `options`.
    pub(crate) fn this_process(options: &Options) -> Self {
        Self { pid: std::process::id(), command: options.command.to_owned(), url: options.url.clone(), started_at: options.clock.now() }
    }

    /// Writes down who owns the directory, for other processes. To be called under the lock.
    pub(crate) fn announce(&self, layout: &Layout) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(ErrorKind::Internal, "the owner cannot be written down").source(error))?;
        directory::replace_file(&layout.owner(), &text)
    }

    /// The error for whoever comes second.
    pub(crate) fn refusal(owner: Option<Self>, layout: &Layout, asking: &Self) -> Error {
        let error = Error::new(ErrorKind::InUse, "the data directory is in use by another process").with("dir", layout.root().display());
        let Some(owner) = owner else {
            return error.hint("try again in a moment, when it has said which process it is");
        };
        let error = error.with("pid", owner.pid).with("command", &owner.command);
        match owner.url {
            Some(url) if asking.command == "serve" => {
                error.with("url", &url).hint(format!("that gateway answers at {url}; to replace it, stop it first: kill {}", owner.pid))
            }
            Some(url) => error.with("url", &url).hint(format!("mosaic {} --url {url}", asking.command)),
            None => error.hint(format!("wait until `mosaic {}` has ended, or stop it: kill {}", owner.command, owner.pid)),
        }
    }
}

/// Whether a directory is owned.
pub(crate) enum Ownership {
    /// Nobody holds the lock.
    Free,
    /// Somebody does, and says who, unless it has not come to that yet.
    Held(Option<Owner>),
}

impl Ownership {
    /// Looks, and changes nothing.
    pub(crate) fn of(dir: &Path) -> Self {
        let layout = Layout::new(dir.to_owned());
        let Ok(file) = File::open(layout.lock()) else { return Self::Free };
        match file.try_lock_shared() {
            Ok(()) => Self::Free,
            Err(_) => Self::Held(std::fs::read(layout.owner()).ok().and_then(|text| serde_json::from_slice(&text).ok())),
        }
    }

    pub(crate) fn owner(self) -> Option<Owner> {
        match self {
            Self::Free => None,
            Self::Held(owner) => owner,
        }
    }
}

/// The lock on a data directory. Gone when dropped, or when the process is.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Lock {
    /// Takes the lock if there is a lock file; `None` when there is none yet. Changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::InUse`] when it is held.
    pub(crate) fn take_existing(layout: &Layout, asking: &Owner) -> Result<Option<Self>> {
        match OpenOptions::new().read(true).write(true).open(layout.lock()) {
            Ok(file) => Self::hold(file, layout, asking).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(directory::failure("opened", &layout.lock(), error)),
        }
    }

    /// Takes the lock, and makes its file where there is none.
    ///
    /// # Errors
    /// As [`Self::take_existing`].
    pub(crate) fn take(layout: &Layout, asking: &Owner) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(layout.lock());
        Self::hold(file.map_err(|error| directory::failure("written", &layout.lock(), error))?, layout, asking)
    }

    fn hold(file: File, layout: &Layout, asking: &Owner) -> Result<Self> {
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                Err(TryLockError::WouldBlock) => return Err(Owner::refusal(Ownership::of(layout.root()).owner(), layout, asking)),
                Err(TryLockError::Error(error)) => return Err(directory::failure("locked", &layout.lock(), error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(command: &str, url: Option<&str>) -> Owner {
        Owner { pid: 4711, command: command.to_owned(), url: url.map(str::to_owned), started_at: "2026-03-01T12:00:00Z".parse().unwrap() }
    }

    fn refusal(holder: Option<Owner>, command: &str) -> String {
        let error = Owner::refusal(holder, &Layout::new("/data".into()), &owner(command, None));
        assert_eq!(error.kind(), ErrorKind::InUse);
        format!("{error}: {}", error.hint_text().unwrap())
    }

    #[test]
    fn the_refusal_names_the_owner_and_the_way_on() {
        let url = "http://127.0.0.1:7420";
        assert_eq!(
            refusal(Some(owner("serve", Some(url))), "import"),
            "the data directory is in use by another process (dir=/data, pid=4711, command=serve, url=http://127.0.0.1:7420): \
             mosaic import --url http://127.0.0.1:7420"
        );
        assert!(refusal(Some(owner("serve", Some(url))), "serve").ends_with("stop it first: kill 4711"));
        assert!(refusal(Some(owner("import", None)), "serve").ends_with("wait until `mosaic import` has ended, or stop it: kill 4711"));
        assert!(refusal(None, "serve").contains("try again in a moment"));
    }

    #[test]
    fn an_owner_is_believed_only_under_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        assert!(crate::owner(dir.path()).is_none());

        let lock = Lock::take(&layout, &owner("serve", None)).unwrap();
        owner("serve", None).announce(&layout).unwrap();
        assert_eq!(crate::owner(dir.path()), Some(owner("serve", None)));
        assert_eq!(Lock::take_existing(&layout, &owner("import", None)).unwrap_err().kind(), ErrorKind::InUse);

        drop(lock);
        assert!(crate::owner(dir.path()).is_none(), "the file alone says nothing");
        assert!(Lock::take_existing(&layout, &owner("import", None)).unwrap().is_some());
    }

    #[test]
    fn only_the_owner_can_read_what_is_announced() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().to_owned());
        owner("serve", None).announce(&layout).unwrap();
        assert_eq!(std::fs::metadata(layout.owner()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
