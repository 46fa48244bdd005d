//! Data to move: filled in once for all tests of a run, and copied for each try. What must not come in: moving it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mosaic_core::{Backend, Opening, Options, SystemClock, registry};
use mosaic_federated as _;
use mosaic_pglite as _;
use mosaic_postgres as _;
use mosaic_tests::generator::{Generator, Size, fill};
use mosaic_tests::services::Database;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::gate::{self, Side};
use crate::servers::services;

/// What every source holds: the same, so that one undisturbed move tells what each of them must come to. Records and embeddings both take
/// more than one batch.
pub(super) fn data() -> Generator {
    Generator::new(20_251_125, Size::of(2_150, 1_050, 16))
}

/// A backend, opened in this process, with its services at work.
pub(super) async fn open(tier: &str, section: Value, opening: Opening) -> Backend {
    let clock = Arc::new(SystemClock);
    let options = Options { section, base_dir: PathBuf::new(), command: "test", url: None, clock, opening };
    let mut backend = (registry::backend(tier).unwrap().open)(options).await.unwrap();
    for service in backend.services.drain(..) {
        tokio::spawn(service.run);
    }
    backend
}

async fn filled(tier: &str, section: Value) {
    let (backend, data) = (open(tier, section, Opening::Prepare).await, data());
    fill(&backend, data.records(), data.embeddings()).await;
    backend.storage.close().await.unwrap();
}

/// Fills a database of tier standalone.
pub(super) async fn fill_database(database: &Database) {
    filled("standalone", json!({ "postgres": { "url": database.url() } })).await;
}

/// Copies the filled data directory to where there is none.
pub(super) async fn copy_data_dir(to: &Path) {
    static FILLED: OnceCell<PathBuf> = OnceCell::const_new();
    let fill = async || {
        let dir = own_dir().join("filled");
        filled("local", json!({ "data_dir": dir, "engine_executable": env!("CARGO_BIN_EXE_mosaic-tests") })).await;
        dir
    };
    let from = FILLED.get_or_init(fill).await;
    let copied = Command::new("cp").args(["-a", "--reflink=auto"]).args([from, to]).status();
    assert!(copied.expect("cp runs").success());
}

/// A filled database of its own, of tier standalone.
pub(super) async fn copy_database() -> Database {
    static FILLED: OnceCell<Database> = OnceCell::const_new();
    let fill = async || {
        let database = services().await.postgres.database().await;
        fill_database(&database).await;
        database
    };
    copy(FILLED.get_or_init(fill).await).await
}

/// A database of its own with the empty schema of tier federated, and a gate in it.
pub(super) async fn gated_database() -> Database {
    static GATED: OnceCell<Database> = OnceCell::const_new();
    let prepare = async || {
        let database = services().await.pgvector.database().await;
        gate(&database).await;
        database
    };
    copy(GATED.get_or_init(prepare).await).await
}

/// Makes the empty schema of tier federated in a new database, and a gate in it.
pub(super) async fn gate(database: &Database) {
    database.execute("CREATE EXTENSION vector").await;
    let section = json!({ "postgres": { "url": database.url() }, "valkey": { "url": services().await.valkey.database() } });
    open("federated", section, Opening::Prepare).await.storage.close().await.unwrap();
    gate::build(database, Side::Target).await;
}

/// A copy of a database that nobody uses, owned by the same role.
async fn copy(database: &Database) -> Database {
    static COPIES: AtomicUsize = AtomicUsize::new(0);
    let name = format!("{}_{}", database.name, COPIES.fetch_add(1, Ordering::Relaxed));
    // The server waits for sessions that were closed a moment ago.
    let create = format!("CREATE DATABASE {name} OWNER {} TEMPLATE {}", database.user, database.name);
    database.server.execute("postgres", &create).await;
    Database { name, ..database.clone() }
}

/// A directory of this process's own. It stays when the process ends; the next run removes it.
fn own_dir() -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interrupted");
    for left in std::fs::read_dir(&base).into_iter().flatten().flatten() {
        let is_running = left.file_name().to_str().is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !is_running {
            let _ = std::fs::remove_dir_all(left.path());
        }
    }
    let own = base.join(std::process::id().to_string());
    std::fs::create_dir_all(&own).expect("a directory for the data of tests");
    own
}
