//! Backups of a backend in memory: what is made is read, restored and found to be the same, and what was touched is refused.

use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use age::secrecy::ExposeSecret as _;
use futures::TryStreamExt as _;
use mosaic_core::{Backend, Clock as _, Embedding, ErrorKind, Id, Kind, Record, Result, StateWrite, SystemClock, Tokens, Vector, memory};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::documents;
use crate::migration::{Purpose, Side, admit};
use crate::services::Services;

fn record(value: &Value) -> Record {
    serde_json::from_value(value.clone()).unwrap()
}

/// A backend with some of everything.
async fn filled() -> Backend {
    let backend = memory::open();
    let (at, id) = ("2026-03-01T12:00:00Z", |n: u128| Id::from_u128(n));
    let mut records = vec![
        record(&json!({ "kind": "user", "id": id(1), "login": "ada", "name": "Ada", "created_at": at })),
        record(
            &json!({ "kind": "token", "id": id(2), "user_id": id(1), "name": "t", "scopes": ["read"], "hash": "ab".repeat(32), "created_at": at }),
        ),
    ];
    records.extend((10..2_600).map(|n| {
        record(
            &json!({ "kind": "note", "id": id(n), "owner_id": id(1), "title": format!("note {n}"), "body": "é\n\u{1}", "created_at": at }),
        )
    }));
    backend.storage.load(&records, None).await.unwrap();
    let embedding = |n: u128| Embedding {
        kind: Kind::Note,
        id: id(n),
        revision: 1,
        vector: Vector { model: "m".into(), components: vec![0.1, -0.0, n as f32] },
    };
    let embeddings: Vec<_> = (10..1_200).map(embedding).collect();
    backend.vectors.as_ref().unwrap().load(&embeddings, None).await.unwrap();
    for (name, value) in [(documents::CURSOR_KEY, json!({ "key": "k" })), (documents::GATEWAYS, json!([]))] {
        backend.storage.put_state(&StateWrite { name: name.into(), value: Some(value), expect: 0 }).await.unwrap();
    }
    backend
}

async fn made(backend: &Backend) -> Vec<u8> {
    let snapshot = backend.storage.snapshot().await.unwrap().unwrap();
    let pieces: Vec<_> = create(snapshot, Origin::new(Id::from_u128(77), SystemClock.now(), "memory")).try_collect().await.unwrap();
    pieces.concat()
}

/// A directory with a backup in it.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// An archive in what a file has around it.
    fn sealed(&self, name: &str, archive: &[u8], recipients: &Recipients) -> PathBuf {
        let path = self.keep(name, b"");
        let mut sink = Sink::new(std::fs::File::create(&path).unwrap(), recipients).unwrap();
        sink.write_all(archive).unwrap();
        sink.finish().unwrap();
        path
    }
}

async fn read(path: &Path) -> Result<Manifest> {
    read_through(path, Arc::default(), |_| ()).await
}

/// A place that is open, and still there when it was restored into.
async fn place() -> (Backend, Restore) {
    let backend = memory::open();
    let twin = Backend {
        storage: Arc::clone(&backend.storage),
        vectors: backend.vectors.clone(),
        cache: Arc::clone(&backend.cache),
        services: Vec::new(),
        place: backend.place.clone(),
    };
    (backend, restore_into(twin).await)
}

async fn restore_into(backend: Backend) -> Restore {
    Restore::into_side(Side::new("memory", backend, Services::start(Vec::new())).await.unwrap())
}

async fn restore(restore: &mut Restore, path: &Path) -> Result<Restored> {
    let origin = read(path).await?.origin;
    restore.run(&origin, path, Archive::open(path, Arc::default(), |_| ()).await?, &|_, _| ()).await
}

async fn held(backend: &Backend) -> (Vec<Record>, Vec<Embedding>) {
    let records = backend.storage.export(None, usize::MAX, Tokens::WithHashes).await.unwrap();
    (records, backend.vectors.as_ref().unwrap().export(None, usize::MAX).await.unwrap())
}

#[tokio::test]
async fn what_was_backed_up_is_restored_and_found_to_be_the_same() {
    let (backend, shelf) = (filled().await, Shelf::new());
    let archive = made(&backend).await;
    for path in [shelf.keep("plain.tar", &archive), shelf.sealed("packed.tar.zst", &archive, &Recipients::default())] {
        let manifest = read(&path).await.unwrap();
        assert_eq!((manifest.holds.record_count(), manifest.holds.embedding_count(), manifest.holds.documents.records), (2_592, 1_190, 1));
        let (target, mut into) = place().await;
        let restored = restore(&mut into, &path).await.unwrap();
        assert_eq!((restored.differences(), &restored.manifest), (vec![], &manifest));
        assert_eq!(held(&target).await, held(&backend).await);
        assert_eq!(target.storage.state(documents::CURSOR_KEY).await.unwrap().unwrap().value, json!({ "key": "k" }));
        assert_eq!(target.storage.state(documents::GATEWAYS).await.unwrap(), None, "what is about processes stays behind");
        admit(&*target.storage, Purpose::Write).await.unwrap();
    }
}

#[tokio::test]
async fn an_archive_is_a_tar_file_that_others_read() {
    let (backend, shelf) = (filled().await, Shelf::new());
    let path = shelf.sealed("packed.tar.zst", &made(&backend).await, &Recipients::default());
    let mut unpacked = Vec::new();
    zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap().read_to_end(&mut unpacked).unwrap();
    let mut archive = tar::Archive::new(Cursor::new(unpacked));
    let names: Vec<_> = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(names[..3], ["backup.json", "records/users/00000001.jsonl", "records/tokens/00000002.jsonl"]);
    assert_eq!(names.iter().rev().take(2).collect::<Vec<_>>(), ["manifest.json", "documents.json"]);
}

/// What is cut off anywhere, or changed anywhere, is refused.
#[tokio::test]
async fn a_backup_that_is_cut_or_changed_is_refused() {
    let (backend, shelf) = (filled().await, Shelf::new());
    let archive = made(&backend).await;
    let identity = age::x25519::Identity::generate();
    let key = shelf.keep("key.txt", format!("# key\n{}\n", identity.to_string().expose_secret()).as_bytes());
    let recipients = Recipients::of(&[identity.to_public().to_string()], None).unwrap();
    let identities = Arc::new(Identities::of(&[key]).unwrap());
    let files = [
        shelf.keep("plain.tar", &archive),
        shelf.sealed("packed.tar.zst", &archive, &Recipients::default()),
        shelf.sealed("sealed.tar.zst.age", &archive, &recipients),
    ];
    for (which, path) in files.iter().enumerate() {
        let whole = std::fs::read(path).unwrap();
        read_through(path, Arc::clone(&identities), |_| ()).await.unwrap();
        for part in 0..40 {
            // The last zeros of a plain archive say nothing.
            let most = if which == 0 { whole.len() - 1_024 } else { whole.len() };
            let at = most * part / 40;
            let cut = shelf.keep("touched", &whole[..at]);
            let error = read_through(&cut, Arc::clone(&identities), |_| ()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{which}, cut at {at}: {error}");

            // Of what begins a frame, the size of its window may change, which changes nothing (RFC 8878, 3.1.1.1).
            let at = if which == 1 { at.max(6) } else { at };
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (part % 8);
            let path = shelf.keep("touched", &flipped);
            match read_through(&path, Arc::clone(&identities), |_| ()).await {
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported), "{which}, changed at {at}: {error}")
                }
                // What fills up a block of a plain archive is nobody's.
                Ok(_) => assert!(which == 0 && whole[at] == 0, "{which}, changed at {at}: it is taken"),
            }
        }
        let more = shelf.keep("touched", &[&whole[..], b"more"].concat());
        assert!(read_through(&more, Arc::clone(&identities), |_| ()).await.is_err(), "{which}: more behind its end");
    }
}

/// What somebody makes of an entry.
type Change = fn(&str) -> String;

/// The archive with one entry changed, and everything around it whole.
fn tampered(archive: &[u8], name: &str, change: impl Fn(&str) -> String) -> Vec<u8> {
    let mut changed = Vec::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut body = String::new();
        entry.read_to_string(&mut body).unwrap();
        let body = if path == name { change(&body) } else { body };
        changed.extend(super::archive::entry(&path, body.as_bytes(), SystemClock.now()).unwrap());
    }
    changed.extend(super::archive::END);
    changed
}

#[tokio::test]
async fn whoever_changes_a_backup_and_not_its_manifest_is_found_out() {
    let (backend, shelf) = (filled().await, Shelf::new());
    let archive = made(&backend).await;
    let (notes, vectors) = ("records/notes/00000003.jsonl", "embeddings/00000006.jsonl");
    let cases: [(&str, Change, &str); 9] = [
        (notes, |text| text.replacen("note 10\"", "note 11\"", 1), "note"),
        (notes, |text| text.lines().skip(1).map(|line| format!("{line}\n")).collect(), "note"),
        (notes, |text| format!("{text}{}\n", text.lines().next().unwrap()), "note"),
        (vectors, |text| text.replacen("\"revision\":1", "\"revision\":2", 1), "embedding by m"),
        ("documents.json", |text| text.replace("\"k\"", "\"l\""), "document"),
        ("manifest.json", |text| text.replacen("\"records\": 1,", "\"records\": 2,", 1), "manifest=2"),
        ("manifest.json", |text| text.replace("mosaic.backup/1", "mosaic.backup/2"), "another backup"),
        ("backup.json", |text| text.replace("mosaic.backup/1", "mosaic.backup/2"), "does not know"),
        ("backup.json", |text| text.replace("mosaic.backup/1", "elsewhere/1"), "this is no backup"),
    ];
    for (name, change, expected) in cases {
        let changed = tampered(&archive, name, change);
        assert_ne!(changed, tampered(&archive, "", str::to_owned), "{name} is changed");
        let error = read(&shelf.sealed("tampered", &changed, &Recipients::default())).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
    for (bytes, expected) in [(&b""[..], "this is no backup"), (b"{}\n", "this is no backup"), (&[0x28, 0xb5, 0x2f, 0xfd, 9], "is damaged")]
    {
        let error = read(&shelf.keep("none", bytes)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// There is no bound to what may extend a header, so that none of it is read.
#[tokio::test]
async fn a_header_that_others_extend_is_refused() {
    let (backend, shelf) = (filled().await, Shelf::new());
    let (pax, name) = ("20 path=backup.json\n", "backup.json\0");
    for (sort, text) in [(tar::EntryType::XHeader, pax), (tar::EntryType::XGlobalHeader, pax), (tar::EntryType::GNULongName, name)] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(sort);
        header.set_size(text.len() as u64);
        header.set_cksum();
        let mut archive = header.as_bytes().to_vec();
        archive.extend(text.as_bytes());
        archive.resize(1_024, 0);
        archive.extend(made(&backend).await);
        let error = read(&shelf.keep("extended.tar", &archive)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{sort:?}: {error}");
    }
}

#[tokio::test]
async fn a_backup_for_somebody_is_opened_by_their_identity_alone() {
    let (backend, shelf) = (filled().await, Shelf::new());
    let archive = made(&backend).await;
    let (ada, grace, eve) = (age::x25519::Identity::generate(), age::x25519::Identity::generate(), age::x25519::Identity::generate());
    let file = shelf.keep("team.txt", format!("# the team\n\n{}\n", grace.to_public()).as_bytes());
    let recipients = Recipients::of(&[ada.to_public().to_string()], Some(&file)).unwrap();
    let path = shelf.sealed("sealed", &archive, &recipients);
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    assert!(!bytes.windows(6).any(|window| window == b"manife"), "nothing of it is to be read");

    let of = |identity: &age::x25519::Identity, name: &str| {
        let file = shelf.keep(name, identity.to_string().expose_secret().as_bytes());
        Arc::new(Identities::of(&[file]).unwrap())
    };
    for identity in [of(&ada, "ada"), of(&grace, "grace")] {
        assert_eq!(read_through(&path, identity, |_| ()).await.unwrap().holds.record_count(), 2_592);
    }
    let error = read_through(&path, of(&eve, "eve"), |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("none of the identities"), "{error}");
    let error = read(&path).await.unwrap_err();
    assert!(error.to_string().contains("is encrypted") && error.hint_text().is_some_and(|hint| hint.contains("--identity")), "{error}");

    let secret = ada.to_string().expose_secret().to_owned();
    for given in [secret.as_str(), "age1", ""] {
        let error = Recipients::of(&[given.to_owned()], None).map(drop).unwrap_err();
        assert!(error.to_string() == "this is no recipient", "{error}");
    }
    let nobody = shelf.keep("nobody.txt", b"# none\n");
    assert!(Recipients::of(&[], Some(&nobody)).is_err(), "whoever names a file wants it encrypted");
    assert!(Identities::of(&[file]).is_err());
}

#[tokio::test]
async fn a_restore_goes_on_where_it_was_cut_off_and_keeps_others_out() {
    let (backend, shelf) = (filled().await, Shelf::new());
    let path = shelf.sealed("whole", &made(&backend).await, &Recipients::default());
    let whole = std::fs::read(&path).unwrap();
    let (target, mut into) = place().await;
    // Cut off in the middle, as by a disk that fails.
    let cut = shelf.keep("cut", &whole[..whole.len() / 2]);
    let origin = read(&path).await.unwrap().origin;
    assert!(into.run(&origin, &path, Archive::open(&cut, Arc::default(), |_| ()).await.unwrap(), &|_, _| ()).await.is_err());
    let some = held(&target).await.0.len();
    assert!(some > 2 && some < 2_592, "{some}");
    for purpose in [Purpose::Read, Purpose::Write] {
        let refusal = admit(&*target.storage, purpose).await.unwrap_err();
        assert!(refusal.hint_text().is_some_and(|hint| hint.contains("mosaic backup restore") && hint.contains("--abort")), "{refusal:?}");
    }
    // Another backup does not go on with it.
    let other = Origin { id: Id::from_u128(78), ..origin.clone() };
    let archive = Archive::open(&path, Arc::default(), |_| ()).await.unwrap();
    assert_eq!(into.run(&other, &path, archive, &|_, _| ()).await.unwrap_err().kind(), ErrorKind::Config);

    let twin = Backend { storage: Arc::clone(&target.storage), vectors: target.vectors.clone(), ..memory::open() };
    let mut again = restore_into(twin).await;
    assert!(restore(&mut again, &path).await.unwrap().differences().is_empty());
    assert_eq!(held(&target).await, held(&backend).await);
    admit(&*target.storage, Purpose::Write).await.unwrap();

    // What has data stays as it is.
    let mut again =
        restore_into(Backend { storage: Arc::clone(&backend.storage), vectors: backend.vectors.clone(), ..memory::open() }).await;
    let error = restore(&mut again, &path).await.unwrap_err();
    assert_eq!((error.kind(), error.get("holds").is_some()), (ErrorKind::Conflict, true));
    admit(&*backend.storage, Purpose::Write).await.unwrap();
}

#[tokio::test]
async fn what_ends_before_its_manifest_is_not_taken_for_a_backup() {
    let (backend, shelf) = (filled().await, Shelf::new());
    let archive = made(&backend).await;
    for length in [0, 512, archive.len() / 2, archive.len() - 3_000] {
        let (sender, pieces) = mpsc::channel(1_000);
        for piece in archive[..length].chunks(10_000) {
            sender.send(Ok(bytes::Bytes::copy_from_slice(piece))).await.unwrap();
        }
        drop(sender);
        let file = std::fs::File::create(shelf.0.path().join("file")).unwrap();
        let sink = Sink::new(file, &Recipients::default()).unwrap();
        let failed = |error: std::io::Error| panic!("{error}");
        let outcome =
            tokio::task::spawn_blocking(move || follow(pieces, sink, failed, |_| ()).map(|(manifest, _)| manifest)).await.unwrap();
        assert!(outcome.is_err(), "{length} bytes of {}", archive.len());
    }
}
