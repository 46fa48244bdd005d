//! The file system: what a directory holds, and small or read-only disks to fail on.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything a directory holds: each path with its size, time of change, mode and content.
#[derive(PartialEq, Eq)]
pub(crate) struct Snapshot(BTreeMap<PathBuf, String>);

impl Snapshot {
    /// Of everything below `root`, itself included.
    pub(crate) fn of(root: &Path) -> Self {
        let mut seen = BTreeMap::new();
        visit(root, &mut seen);
        Self(seen)
    }

    /// The same without when directories were changed, and without what a start of the engine leaves beside its data.
    pub(crate) fn of_data(root: &Path) -> Self {
        let Self(mut seen) = Self::of(root);
        seen.retain(|path, _| !path.is_dir() && path.file_name().is_none_or(|name| name != "postmaster.pid"));
        Self(seen)
    }

    /// Fails, naming the paths, if anything was added, changed or removed up to `now`.
    #[track_caller]
    pub(crate) fn assert_same(&self, now: &Self) {
        let paths = self.0.keys().chain(now.0.keys());
        let mut changed: Vec<_> = paths.filter(|path| self.0.get(*path) != now.0.get(*path)).collect();
        changed.dedup();
        assert!(changed.is_empty(), "changed on disk: {changed:?}");
    }
}

fn visit(path: &Path, seen: &mut BTreeMap<PathBuf, String>) {
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    let content = if meta.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
    let mut hash = DefaultHasher::new();
    content.hash(&mut hash);
    let line = format!("{:o} {} {}.{:09} {:x}", meta.mode(), content.len(), meta.mtime(), meta.mtime_nsec(), hash.finish());
    seen.insert(path.to_owned(), line);
    if meta.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            visit(&entry.path(), seen);
        }
    }
}

/// A file system of its own, in memory, unmounted when dropped. Mounting takes root: as anyone else the test
/// fails and says so, since a test that skips itself would prove nothing.
pub(crate) struct Tmpfs {
    dir: tempfile::TempDir,
}

impl Tmpfs {
    /// Mounts one with room for `megabytes`.
    pub(crate) fn new(megabytes: u32) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "mosaic-test"]).arg(dir.path()).output();
        let mounted = mounted.expect("mount runs");
        assert!(
            mounted.status.success(),
            "this test mounts a small disk, which takes root: sudo -E env \"PATH=$PATH\" cargo test -p mosaic-tests\n{}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Self { dir }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// From now on nothing can be written to it.
    pub(crate) fn make_read_only(&self) {
        let done = Command::new("mount").args(["-o", "remount,ro"]).arg(self.path()).status().expect("mount runs");
        assert!(done.success(), "the disk cannot be made read-only");
    }

    /// Takes up all of the room that is left, until [`Self::free_up`].
    pub(crate) fn fill_up(&self) {
        let mut file = fs::File::create(self.filler()).expect("a file to fill the disk with");
        for block in [1 << 20, 4096, 1] {
            while std::io::Write::write_all(&mut file, &vec![b'x'; block]).is_ok() {}
        }
    }

    /// Gives the room back.
    pub(crate) fn free_up(&self) {
        fs::remove_file(self.filler()).expect("the filler is there");
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that is about to end may still hold a file.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
