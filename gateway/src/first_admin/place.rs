//! Where the first administrator's token is shown: a terminal, or else a file that only this user can read.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Result};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::secret::TokenSecret;

/// The file in the working directory, unless [`VARIABLE`] names another.
const FILE: &str = "mosaic-admin.token";
const VARIABLE: &str = "MOSAIC_ADMIN_TOKEN_FILE";

/// How long to wait for another gateway that is about to write into the same directory.
const LOCK_TIME: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Where the token is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The terminal that the gateway was started from.
    Terminal,
    /// A file.
    File(PathBuf),
}

impl Place {
    /// The file that the environment names; else the terminal, if the standard error stream is one; else a file in the working directory.
    pub fn find() -> Self {
        match std::env::var_os(VARIABLE).filter(|file| !file.is_empty()) {
            Some(file) => Self::File(file.into()),
            None if io::stderr().is_terminal() => Self::Terminal,
            None => Self::File(FILE.into()),
        }
    }

    /// Makes sure that nobody else writes there for as long as the answer lives.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the directory cannot be used.
    pub(super) async fn claim(&self) -> Result<Claim> {
        let Self::File(file) = self else { return Ok(Claim { held: None }) };
        let directory = match file.parent() {
            Some(directory) if directory != Path::new("") => directory,
            _ => Path::new("."),
        };
        let opened = {
            let directory = directory.to_owned();
            blocking(move || File::open(directory)).await
        };
        let directory = opened.map_err(|error| refused(file, error))?;
        let deadline = Instant::now() + LOCK_TIME;
        loop {
            match directory.try_lock() {
                Ok(()) => return Ok(Claim { held: Some(Held { directory, file: file.clone() }) }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(LOCK_PAUSE).await,
                Err(error) => return Err(refused(file, error.into())),
            }
        }
    }
}

/// The right to write the file. Dropping it gives up the right; the file stays.
pub(super) struct Claim {
    held: Option<Held>,
}

struct Held {
    directory: File,
    file: PathBuf,
}

impl Claim {
    /// Writes the token before it is made: a token that nobody has would lock everyone out. A file that is there already may
    /// be another gateway's, and is kept beside it, with `.old` behind its name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the file cannot be written.
    pub(super) async fn put(&self, secret: &TokenSecret) -> Result<()> {
        let Some(held) = &self.held else { return Ok(()) };
        let (file, secret) = (held.file.clone(), secret.clone());
        let directory = held.directory.try_clone().map_err(|error| refused(&held.file, error))?;
        let written = blocking(move || {
            let draft = file.with_added_extension("new");
            match std::fs::remove_file(&draft) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut output = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            writeln!(output, "{}", secret.expose())?;
            output.sync_all()?;
            match std::fs::rename(&file, file.with_added_extension("old")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            std::fs::rename(&draft, &file)?;
            directory.sync_all()
        });
        written.await.map_err(|error| refused(&held.file, error))
    }

    /// Removes the file again.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it cannot be removed.
    pub(super) async fn take_back(&self) -> Result<()> {
        let Some(held) = &self.held else { return Ok(()) };
        let file = held.file.clone();
        blocking(move || std::fs::remove_file(file)).await.map_err(|error| refused(&held.file, error))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await?
}

fn refused(file: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Config, format!("the first administrator's token cannot be written: {error}"))
        .with("file", file.display())
        .hint(format!("{VARIABLE}=/a/writable/directory/{FILE} mosaic serve"))
        .source(error)
}
