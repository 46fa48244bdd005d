//! What the engine and the file system say, in the words of Mosaic: a kind that front ends know, and a cure. What must not come in:
//! refusals of records, which are the rules' to say.

use std::io;
use std::path::Path;

use mosaic_core::{Error, ErrorKind, Retry};

/// What failed in the engine.
pub(crate) fn engine(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(error) => io(error),
        error @ redb::Error::Corrupted(_) => Error::new(ErrorKind::Corrupt, "the database is damaged")
            .hint("restore its directory from a copy, or `mosaic import` an export into a new one")
            .source(error),
        error @ redb::Error::UpgradeRequired(_) => {
            Error::new(ErrorKind::Corrupt, "the database is of a format that this build does not know")
                .hint("start it with the mosaic that wrote it")
                .source(error)
        }
        // Nothing can be done with it until it is opened anew, which the next call does.
        error @ (redb::Error::PreviousIo | redb::Error::DatabaseClosed) => {
            Error::new(ErrorKind::Unavailable, "the database is being opened anew").source(error)
        }
        error @ redb::Error::DatabaseAlreadyOpen => Error::new(ErrorKind::InUse, "the database is in use by another process").source(error),
        error => Error::new(ErrorKind::Internal, "the database refuses").source(error),
    }
}

/// What failed on the disk.
pub(crate) fn io(error: io::Error) -> Error {
    let (kind, message, hint) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Full, "no space is left where the data is kept", "free some space there")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
            ErrorKind::Config,
            "the data may not be read and written",
            "run mosaic as the user who owns the directory, or set redb.data_dir",
        ),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            (ErrorKind::Config, "the place of the data is not a directory", "set redb.data_dir in the config to another one")
        }
        // What the engine says of a file that is not its own.
        io::ErrorKind::InvalidData => {
            (ErrorKind::Corrupt, "the database is damaged, or not a database", "restore its directory from a copy, or set redb.data_dir")
        }
        _ => (ErrorKind::Unavailable, "the disk refuses", "look at the disk and its mount: dmesg, df, mount"),
    };
    // A disk does not come up as a server does: trying again at once is of no use.
    Error::new(kind, message).hint(hint).retry(Retry::Never).source(error)
}

/// The same, of a file or a directory.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |error| io(error).with("path", path)
}

/// A value that was stored and cannot be read.
pub(crate) fn unreadable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Corrupt, "the database holds what this build cannot read")
        .hint("start it with the mosaic that wrote it, or a newer one")
        .source(source)
}

/// After [`mosaic_core::Storage::close`].
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the storage is closed")
}
