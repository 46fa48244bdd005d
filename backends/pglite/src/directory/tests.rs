//! Data directories: first starts, interrupted ones, foreign and damaged ones.

use mosaic_core::SystemClock;
use tempfile::TempDir;

use super::*;

fn somebody() -> Owner {
    Owner { pid: 4711, command: "serve".to_owned(), url: None, started_at: "2026-03-01T12:00:00Z".parse().unwrap() }
}

fn own(dir: &Path) -> Result<DataDir> {
    DataDir::own(Layout::new(dir.to_owned()), &somebody(), &SystemClock)
}

fn look(dir: &Path) -> Result<Found> {
    examine(&Layout::new(dir.to_owned()))
}

/// All that lies in a directory: names, contents, rights and times.
fn snapshot(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(path) = todo.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.push(format!("{} {:?} {:?} {content:?}", path.display(), metadata.permissions(), metadata.modified().unwrap()));
        if metadata.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    found
}

/// Taking over the directory is refused with this kind and message, a cure is named, and nothing changes.
#[track_caller]
fn check_refused(dir: &Path, kind: ErrorKind, message: &str) {
    let before = snapshot(dir.parent().unwrap());
    let error = own(dir).unwrap_err();
    assert_eq!((error.kind(), error.message()), (kind, message));
    assert!(error.hint_text().is_some());
    assert!(!error.to_string().contains('\n'));
    assert_eq!(snapshot(dir.parent().unwrap()), before);
}

fn place() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    (parent, dir)
}

fn marked(marker: &str) -> (TempDir, PathBuf) {
    let (parent, dir) = place();
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("mosaic-data.json"), marker).unwrap();
    (parent, dir)
}

#[test]
fn an_absent_directory_is_made_private_and_marked() {
    let (_parent, dir) = place();
    let deep = dir.join("a/b");
    let owned = own(&deep).unwrap();
    assert_eq!(fs::metadata(&deep).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(matches!(look(&deep).unwrap(), Found::Ours(Marker { format: FORMAT, complete: false, .. })));
    assert_eq!(crate::owner(&deep), Some(somebody()));

    drop(owned);
    assert!(!deep.join("owner.json").exists());
    assert!(own(&deep).is_ok(), "and can be owned again");
}

#[test]
fn an_empty_directory_is_taken_also_with_what_is_left_of_a_first_start() {
    let (_parent, dir) = place();
    for leftover in [None, Some("lock"), Some("mosaic-data.json.new")] {
        fs::create_dir(&dir).unwrap();
        fs::create_dir(dir.join("lost+found")).unwrap();
        if let Some(name) = leftover {
            fs::write(dir.join(name), "").unwrap();
        }
        assert_eq!(look(&dir).unwrap(), Found::Empty);
        drop(own(&dir).unwrap());
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn a_foreign_directory_is_refused() {
    for name in ["notes.txt", "engine", "lock"] {
        let (_parent, dir) = place();
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join(name), "precious").unwrap();
        check_refused(&dir, ErrorKind::Corrupt, "the directory is not empty, and not a mosaic data directory");
    }
}

#[test]
fn what_is_not_a_directory_is_refused() {
    let (_parent, dir) = place();
    fs::write(&dir, "a file").unwrap();
    check_refused(&dir, ErrorKind::Config, "the data directory is not a directory");
    let error = own(&dir.join("below")).unwrap_err();
    assert_eq!(error.message(), "the data directory cannot be read: a part of the path is not a directory");
}

#[test]
fn a_newer_a_strange_and_a_damaged_marker_are_refused() {
    for (marker, message) in [
        (r#"{"format":2,"something":"else"}"#, "the data directory was written by a newer mosaic"),
        (
            r#"{"format":1,"engine":"sqlite","created":"2026-03-01T12:00:00Z","complete":true}"#,
            "the data directory was written by another engine",
        ),
        (r#"{"format":1,"eng"#, "the data directory's marker is damaged"),
        ("", "the data directory's marker is damaged"),
    ] {
        let (_parent, dir) = marked(marker);
        check_refused(&dir, ErrorKind::Corrupt, message);
    }
}

#[test]
fn a_second_owner_is_refused_and_learns_who_is_first() {
    let (_parent, dir) = place();
    let _first = own(&dir).unwrap();
    check_refused(&dir, ErrorKind::InUse, "the data directory is in use by another process");
    assert_eq!(own(&dir).unwrap_err().get("pid"), Some("4711"));
}

#[test]
fn a_directory_that_may_not_be_written_is_refused() {
    // The file system of /proc takes no files, not even from root.
    let error = own(Path::new("/proc/self/mosaic")).unwrap_err();
    assert!(error.message().starts_with("the data directory cannot be"), "{error}");
    assert!(error.hint_text().is_some());
}

#[test]
fn a_start_without_room_is_refused_with_figures() {
    let error = full(&Layout::new("/data".into()), 5 << 20, 200 << 20);
    assert_eq!(error.to_string(), "not enough free space for the data directory (dir=/data, free_mib=5, needed_mib=200)");
    assert!(free_space(Path::new("/no/such/place")).unwrap() > 0, "the nearest directory above counts");
    assert!(Found::Absent.space_needed() > Found::Ours(read_marker(&Layout::new("/".into()), COMPLETE).unwrap()).space_needed());
}

const COMPLETE: &[u8] = br#"{"format":1,"engine":"pglite","created":"2026-03-01T12:00:00Z","complete":true}"#;

#[test]
fn an_interrupted_first_start_is_begun_anew() {
    let (_parent, dir) = place();
    let mut owned = own(&dir).unwrap();
    fs::create_dir_all(dir.join("engine.new/half")).unwrap();
    assert!(owned.wants_database().unwrap());
    owned.layout().clear_the_making().unwrap();
    assert!(!dir.join("engine.new").exists());
    owned.layout().clear_the_making().unwrap();

    fs::create_dir_all(dir.join("engine.new/pgdata")).unwrap();
    owned.adopt_database().unwrap();
    assert!(dir.join("engine/pgdata").exists());
    assert!(!owned.wants_database().unwrap());
    drop(owned);
    assert!(matches!(look(&dir).unwrap(), Found::Ours(Marker { complete: true, .. })));
}

#[test]
fn a_first_start_cut_off_behind_the_rename_is_complete() {
    let (_parent, dir) = place();
    drop(own(&dir).unwrap());
    fs::create_dir(dir.join("engine")).unwrap();
    assert!(!own(&dir).unwrap().wants_database().unwrap());
    assert!(matches!(look(&dir).unwrap(), Found::Ours(Marker { complete: true, .. })));
}

#[test]
fn a_lost_database_is_not_replaced_by_an_empty_one() {
    let (_parent, dir) = marked(std::str::from_utf8(COMPLETE).unwrap());
    let error = own(&dir).unwrap().wants_database().unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Corrupt, "the data directory has lost its database"));
    assert!(!dir.join("engine").exists());
}
