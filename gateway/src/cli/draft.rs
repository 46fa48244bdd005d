//! A file that is written beside its place, and put there when it is whole. What must not come in: what is in it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use mosaic_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

/// A file that is on its way. It is its owner's alone; dropped before it is in its place, it leaves nothing behind. A process that is killed
/// leaves it, under its name with `.partial` behind.
pub(super) struct Draft {
    path: PathBuf,
    draft: NamedTempFile,
    replace: bool,
    /// What it is, for errors: an export.
    what: &'static str,
}

impl Draft {
    /// Begins a file, in place of another one only where `replace` says so.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when there is one, [`ErrorKind::Invalid`] for what is no file, and [`ErrorKind::Unavailable`].
    pub(super) fn open(path: &Path, replace: bool, what: &'static str) -> Result<Self> {
        let path = match path.metadata() {
            Ok(there) if !there.is_file() => {
                return Err(Error::invalid("this is no regular file")
                    .with("file", path.display())
                    .hint("give a file, or - for standard output"));
            }
            Ok(_) if !replace => return Err(taken(path)),
            // The file behind a link is replaced, not the link.
            Ok(_) => path.canonicalize().map_err(|error| unwritable(path, what, error))?,
            Err(_) => path.to_owned(),
        };
        let mut prefix = path.file_name().unwrap_or_default().to_owned();
        prefix.push(".");
        let draft = tempfile::Builder::new().prefix(&prefix).suffix(".partial").tempfile_in(directory(&path));
        let draft = draft.map_err(|error| unwritable(&path, what, error))?;
        Ok(Self { path, draft, replace, what })
    }

    /// Where it goes.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is written to.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the process has too many files open.
    pub(super) fn file(&self) -> Result<File> {
        self.draft.as_file().try_clone().map_err(|error| self.unwritable(error))
    }

    /// An error of writing it.
    pub(super) fn unwritable(&self, error: io::Error) -> Error {
        unwritable(&self.path, self.what, error)
    }

    /// The same, for whoever writes it on a thread of its own.
    pub(super) fn failing(&self) -> impl Fn(io::Error) -> Error + Send + use<> {
        let (path, what) = (self.path.clone(), self.what);
        move |error| unwritable(&path, what, error)
    }

    /// Puts it in its place. What was written is on disk already.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) async fn put_in_place(self) -> Result<()> {
        tokio::task::spawn_blocking(move || self.put())
            .await
            .map_err(|error| Error::new(ErrorKind::Internal, "the file was not put in its place").source(error))?
    }

    fn put(self) -> Result<()> {
        let Self { path, draft, replace, what } = self;
        let placed = if replace { draft.persist(&path) } else { draft.persist_noclobber(&path) };
        placed.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => taken(&path),
            _ => unwritable(&path, what, error.error),
        })?;
        // The name is on disk when the directory is.
        File::open(directory(&path)).and_then(|directory| directory.sync_all()).map_err(|error| unwritable(&path, what, error))
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn taken(path: &Path) -> Error {
    Error::new(ErrorKind::Conflict, "the file is there already")
        .with("file", path.display())
        .hint("give another name, or --force to replace it")
}

fn unwritable(path: &Path, what: &'static str, error: io::Error) -> Error {
    let (kind, message) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::Full, format!("no space left for the {what}")),
        _ => (ErrorKind::Unavailable, format!("the {what} cannot be written")),
    };
    // An error that is wrapped says the name of the draft, which means nothing to anybody.
    let reason = if error.get_ref().is_some() { error.kind().to_string() } else { error.to_string() };
    Error::new(kind, message).with("file", path.display()).with("reason", reason).hint("give a file in another directory").source(error)
}
