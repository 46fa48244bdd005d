//! The data directory: what lies in it, whether it is ours, and how it is taken over. A directory that is refused is
//! left exactly as it was found.
//!
//! ```text
//! mosaic-data.json   says that the directory is Mosaic's, of which format, and whether its database is complete
//! lock               held by the process that owns the directory
//! owner.json         who that is; gone after an orderly end
//! engine/            the database
//! engine.new/        the database while it is made; gone once it is complete
//! cache/             what the engine unpacks of itself; may be deleted while nothing runs
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use mosaic_core::{Clock, Error, ErrorKind, Result, Retry, Timestamp};
use rustix::fs::Access;
use serde::{Deserialize, Serialize};

use crate::owner::{Lock, Owner};

/// The format that this build writes.
const FORMAT: u32 = 1;
/// The engine that this build has.
const ENGINE: &str = "pglite";
/// What a first start needs: the database, the engine's cache and the first write-ahead log, with room to work.
const SPACE_FOR_A_FIRST_START: u64 = 200 << 20;
/// What a later start needs: room to recover and to write.
const SPACE_FOR_A_START: u64 = 32 << 20;

/// With less than this, a lack of space is the likely reason for whatever fails: the write-ahead log grows by 16 MiB at a time.
const HARDLY_ANY_SPACE: u64 = 32 << 20;

const ANOTHER_DIRECTORY: &str = "choose another directory: \"local\": {\"data_dir\": …} in the config, or MOSAIC_LOCAL__DATA_DIR";

/// Where things lie in a data directory.
#[derive(Debug, Clone)]
pub(crate) struct Layout(PathBuf);

impl Layout {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self(root)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    fn marker(&self) -> PathBuf {
        self.0.join("mosaic-data.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(crate) fn owner(&self) -> PathBuf {
        self.0.join("owner.json")
    }

    pub(crate) fn engine(&self) -> PathBuf {
        self.0.join("engine")
    }

    pub(crate) fn engine_in_the_making(&self) -> PathBuf {
        self.0.join("engine.new")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    /// Removes what an interrupted attempt to make a database left behind.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn clear_the_making(&self) -> Result<()> {
        let leftover = self.engine_in_the_making();
        match fs::remove_dir_all(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failure("cleared", &leftover, error)),
            _ => Ok(()),
        }
    }
}

/// Says that a directory is Mosaic's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Marker {
    format: u32,
    engine: String,
    created: Timestamp,
    /// Whether `engine/` has been made. From then on its absence is a loss, and no new one is made in its place.
    complete: bool,
}

/// What was found at the place of a data directory.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    /// Nothing.
    Absent,
    /// A directory with nothing in it, or with what a first start that was cut off at once leaves behind.
    Empty,
    /// A data directory.
    Ours(Marker),
}

impl Found {
    /// How much free space a start needs.
    pub(crate) fn space_needed(&self) -> u64 {
        match self {
            Self::Ours(marker) if marker.complete => SPACE_FOR_A_START,
            _ => SPACE_FOR_A_FIRST_START,
        }
    }
}

/// Looks what there is, and changes nothing.
///
/// # Errors
/// [`ErrorKind::Config`] for what is not a directory or may not be read, [`ErrorKind::Corrupt`] for one that is not ours,
/// damaged, or of a format that this build does not know.
pub(crate) fn examine(layout: &Layout) -> Result<Found> {
    let dir = layout.root();
    match fs::metadata(dir) {
        Ok(metadata) if !metadata.is_dir() => {
            return Err(Error::new(ErrorKind::Config, "the data directory is not a directory")
                .with("dir", dir.display())
                .hint(ANOTHER_DIRECTORY));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        Err(error) => return Err(failure("read", dir, error)),
    }
    match fs::read(layout.marker()) {
        Ok(text) => read_marker(layout, &text).map(Found::Ours),
        Err(error) if error.kind() == io::ErrorKind::NotFound => examine_unmarked(layout),
        Err(error) => Err(failure("read", &layout.marker(), error)),
    }
}

/// Makes sure that there is a data directory already, with a database in it.
///
/// # Errors
/// [`ErrorKind::NotFound`] where there is none, and as [`examine`].
pub(crate) fn be_there(layout: &Layout) -> Result<()> {
    match examine(layout)? {
        Found::Ours(marker) if marker.complete => Ok(()),
        _ => Err(Error::new(ErrorKind::NotFound, "there is no data of Mosaic's yet")
            .with("place", layout.root().display())
            .hint("mosaic serve")),
    }
}

fn read_marker(layout: &Layout, text: &[u8]) -> Result<Marker> {
    // The format is read by itself: a newer one may have other fields.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let damaged = |error: serde_json::Error| {
        Error::new(ErrorKind::Corrupt, "the data directory's marker is damaged")
            .with("file", layout.marker().display())
            .hint("restore mosaic-data.json from a copy of the directory, or `mosaic import` an export into a new one")
            .source(error)
    };
    let Format { format } = serde_json::from_slice(text).map_err(damaged)?;
    if format != FORMAT {
        return Err(Error::new(ErrorKind::Corrupt, "the data directory was written by a newer mosaic")
            .with("dir", layout.root().display())
            .with("format", format)
            .with("known", FORMAT)
            .hint("start it with the mosaic that wrote it, or a newer one"));
    }
    let marker: Marker = serde_json::from_slice(text).map_err(damaged)?;
    if marker.engine != ENGINE {
        return Err(Error::new(ErrorKind::Corrupt, "the data directory was written by another engine")
            .with("dir", layout.root().display())
            .with("engine", marker.engine)
            .with("known", ENGINE)
            .hint(ANOTHER_DIRECTORY));
    }
    Ok(marker)
}

fn examine_unmarked(layout: &Layout) -> Result<Found> {
    let unreadable = |error| failure("read", layout.root(), error);
    for entry in fs::read_dir(layout.root()).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        // `lost+found` is what a file system of its own begins with; the others come before the marker.
        let harmless = name == "lost+found"
            || Some(name.as_os_str()) == temporary(&layout.marker()).file_name()
            || (name == "lock" && entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0));
        if !harmless {
            return Err(Error::new(ErrorKind::Corrupt, "the directory is not empty, and not a mosaic data directory")
                .with("dir", layout.root().display())
                .hint(ANOTHER_DIRECTORY));
        }
    }
    Ok(Found::Empty)
}

/// The bytes that may still be written where `path` lies, or would lie if it were made.
///
/// # Errors
/// When the file system does not answer.
pub(crate) fn free_space(path: &Path) -> Result<u64> {
    let existing = nearest_existing(path);
    let stat = rustix::fs::statvfs(existing).map_err(|error| failure("examined", existing, error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Checks that there is room for a start.
///
/// # Errors
/// [`ErrorKind::Full`] when there is not.
pub(crate) fn check_space(layout: &Layout, found: &Found) -> Result<()> {
    let (free, needed) = (free_space(layout.root())?, found.space_needed());
    if free < needed { Err(full(layout, free, needed)) } else { Ok(()) }
}

/// What to say of a failure whose reason is not known, if there is hardly any space left.
pub(crate) fn lack_of_space(layout: &Layout) -> Option<Error> {
    free_space(layout.root()).ok().filter(|&free| free < HARDLY_ANY_SPACE).map(|free| full(layout, free, HARDLY_ANY_SPACE))
}

pub(crate) fn full(layout: &Layout, free: u64, needed: u64) -> Error {
    Error::new(ErrorKind::Full, "not enough free space for the data directory")
        .with("dir", layout.root().display())
        .with("free_mib", free >> 20)
        .with("needed_mib", needed >> 20)
        .hint("free some space there, or choose another directory with MOSAIC_LOCAL__DATA_DIR")
}

/// Checks that this process may write in the directory, or make it where it is absent. Changes nothing.
///
/// # Errors
/// [`ErrorKind::Config`] when it may not.
pub(crate) fn check_writable(layout: &Layout) -> Result<()> {
    let existing = nearest_existing(layout.root());
    rustix::fs::access(existing, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| failure("written", existing, error.into()))
}

fn nearest_existing(path: &Path) -> &Path {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"))
}

/// A data directory that this process owns. Dropping it lets go of it.
#[derive(Debug)]
pub(crate) struct DataDir {
    layout: Layout,
    marker: Marker,
    _lock: Lock,
}

impl DataDir {
    /// Takes over the directory, and makes it where it is absent.
    ///
    /// # Errors
    /// Those of [`examine`], [`check_space`] and [`check_writable`], and [`ErrorKind::InUse`] when another process owns it;
    /// nothing has been changed then.
    pub(crate) fn own(layout: Layout, owner: &Owner, clock: &dyn Clock) -> Result<Self> {
        let found = examine(&layout)?;
        // Who owns it is the better answer than what stands in the way besides.
        let lock = Lock::take_existing(&layout, owner)?;
        check_writable(&layout)?;
        check_space(&layout, &found)?;
        if !matches!(found, Found::Ours(_)) {
            make_private(layout.root())?;
        }
        let layout = Layout(layout.root().canonicalize().map_err(|error| failure("read", layout.root(), error))?);
        let lock = lock.map_or_else(|| Lock::take(&layout, owner), Ok)?;
        // Looked at again, now that nobody else can change it.
        let marker = match examine(&layout)? {
            Found::Ours(marker) => marker,
            Found::Empty | Found::Absent => {
                let marker = Marker { format: FORMAT, engine: ENGINE.to_owned(), created: clock.now(), complete: false };
                write_marker(&layout, &marker)?;
                marker
            }
        };
        owner.announce(&layout)?;
        Ok(Self { layout, marker, _lock: lock })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether a database is to be made, in [`Layout::engine_in_the_making`]: there is none, and never was.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when the directory had a database and has it no more.
    pub(crate) fn wants_database(&mut self) -> Result<bool> {
        if self.layout.engine().exists() {
            self.complete()?;
            return Ok(false);
        }
        if self.marker.complete {
            return Err(Error::new(ErrorKind::Corrupt, "the data directory has lost its database")
                .with("missing", self.layout.engine().display())
                .hint("put back engine/ from a copy of the directory, or `mosaic import` an export into a new one"));
        }
        Ok(true)
    }

    /// Puts the database that was made in its place.
    ///
    /// # Errors
    /// When the file system refuses; the next start makes another one then.
    pub(crate) fn adopt_database(&mut self) -> Result<()> {
        let (from, to) = (self.layout.engine_in_the_making(), self.layout.engine());
        fs::rename(&from, &to).map_err(|error| failure("renamed", &from, error))?;
        sync(self.layout.root())?;
        self.complete()
    }

    fn complete(&mut self) -> Result<()> {
        if !self.marker.complete {
            self.marker.complete = true;
            write_marker(&self.layout, &self.marker)?;
        }
        Ok(())
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // Before the lock goes: afterwards it may be another process's.
        let _ = fs::remove_file(self.layout.owner());
    }
}

fn write_marker(layout: &Layout, marker: &Marker) -> Result<()> {
    let text = serde_json::to_vec_pretty(marker)
        .map_err(|error| Error::new(ErrorKind::Internal, "the marker cannot be written down").source(error))?;
    replace_file(&layout.marker(), &text)
}

/// Makes the directory with its parents, for this user alone. One that was there keeps its rights if they are not ours to change,
/// as those of a mounted volume may be.
fn make_private(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| failure("made", dir, error))?;
    if let Err(error) = fs::set_permissions(dir, Permissions::from_mode(0o700)) {
        tracing::warn!(dir = %dir.display(), %error, "the data directory cannot be made private to this user");
    }
    // The entries that lead to it have to last as well. A parent that may not be read cannot be synced, and is hardly new.
    for parent in dir.ancestors().skip(1) {
        let _ = sync(parent);
    }
    Ok(())
}

/// Writes a file that only this user may read, all of it or not at all, and onto the disk.
///
/// # Errors
/// When the file system refuses; the file is then as it was.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> Result<()> {
    let temporary = temporary(path);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(failure("written", path, error));
    }
    path.parent().map_or(Ok(()), sync)
}

fn temporary(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

fn sync(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failure("synced", dir, error))
}

/// What a failing file system means: `the data directory cannot be <done>`.
pub(crate) fn failure(done: &'static str, path: &Path, error: io::Error) -> Error {
    let (kind, reason, hint) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::Full, "no space left", "free some space there"),
        io::ErrorKind::ReadOnlyFilesystem => (ErrorKind::Config, "its file system is read-only", ANOTHER_DIRECTORY),
        io::ErrorKind::PermissionDenied => (
            ErrorKind::Config,
            "no permission",
            "run mosaic as the user who owns the directory, or set MOSAIC_LOCAL__DATA_DIR to one of your own",
        ),
        io::ErrorKind::NotADirectory => (ErrorKind::Config, "a part of the path is not a directory", ANOTHER_DIRECTORY),
        io::ErrorKind::AlreadyExists => (ErrorKind::Config, "a link in the path leads nowhere", ANOTHER_DIRECTORY),
        io::ErrorKind::InvalidFilename => (ErrorKind::Config, "the path is too long", ANOTHER_DIRECTORY),
        _ => (ErrorKind::Unavailable, "the file system refuses", "look at the disk and its mount: dmesg, df, mount"),
    };
    // A disk does not come up as a server does: trying again at once is of no use.
    Error::new(kind, format!("the data directory cannot be {done}: {reason}"))
        .with("path", path.display())
        .hint(hint)
        .retry(Retry::Never)
        .source(error)
}

#[cfg(test)]
mod tests;
