//! The behaviour suite on every backend that this repository ships, as far as it is built in, and on the toy one, one line each.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "local")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use mosaic_core::memory::{MemoryCache, MemoryStorage, MemoryVectors};
use mosaic_core::{Backend, Opening, Options, Place, Result, Sharing, registry};
#[cfg(feature = "federated")]
use mosaic_federated as _;
#[cfg(feature = "local")]
use mosaic_pglite as _;
#[cfg(feature = "standalone")]
use mosaic_postgres as _;
use mosaic_tests::behaviour::{Opened, TestClock};
#[cfg(feature = "services")]
use mosaic_tests::services;
use mosaic_tests::{behaviour_suite, visibility_oracle};
use serde_json::{Value, json};
use toy_backend as _;

behaviour_suite!(memory, Vectors);
#[cfg(feature = "local")]
behaviour_suite!(pglite, Vectors);
#[cfg(feature = "standalone")]
behaviour_suite!(postgres, Vectors);
#[cfg(feature = "federated")]
behaviour_suite!(federated, Vectors);
behaviour_suite!(toy, Vectors);

visibility_oracle!(
    memory,
    #[cfg(feature = "local")]
    pglite,
    #[cfg(feature = "standalone")]
    postgres,
    #[cfg(feature = "federated")]
    federated,
    toy,
);

/// The program that starts the servers, as tier local's engine.
#[cfg(any(feature = "local", feature = "services"))]
const HELPER: &str = env!("CARGO_BIN_EXE_mosaic-tests");

async fn memory() -> Result<Opened> {
    let clock = Arc::new(TestClock::default());
    let storage = Arc::new(MemoryStorage::default());
    let backend = Backend {
        cache: Arc::new(MemoryCache::new(clock.clone())),
        vectors: Some(Arc::new(MemoryVectors::new(Arc::clone(&storage)))),
        services: Vec::new(),
        storage,
        place: Place { name: "memory".into(), identity: None, sharing: Sharing::Exclusive },
    };
    Ok(Opened { backend, clock: Some(clock) })
}

#[cfg(feature = "local")]
async fn pglite() -> Result<Opened> {
    open("local", json!({ "data_dir": fresh_dir(), "engine_executable": HELPER })).await
}

#[cfg(feature = "standalone")]
async fn postgres() -> Result<Opened> {
    let database = services::shared(HELPER).await.postgres.database().await;
    open("standalone", json!({ "postgres": { "url": database.url() } })).await
}

#[cfg(feature = "federated")]
async fn federated() -> Result<Opened> {
    let services = services::shared(HELPER).await;
    let database = services.pgvector.database().await;
    // Its owner may not.
    database.execute("CREATE EXTENSION vector").await;
    let section = json!({ "postgres": { "url": database.url() }, "valkey": { "url": services.valkey.database() } });
    // What is cached goes by the clock of Valkey.
    Ok(Opened { clock: None, ..open("federated", section).await? })
}

async fn toy() -> Result<Opened> {
    open("scratch", json!({})).await
}

async fn open(tier: &str, section: Value) -> Result<Opened> {
    let clock = Arc::new(TestClock::default());
    let options =
        Options { section, base_dir: PathBuf::new(), command: "serve", url: None, clock: clock.clone(), opening: Opening::Prepare };
    Ok(Opened { backend: (registry::backend(tier)?.open)(options).await?, clock: Some(clock) })
}

/// A directory of this process's own. It stays when the process ends, since backends live as long; the next run removes it.
#[cfg(feature = "local")]
fn fresh_dir() -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("behaviour");
    for left in std::fs::read_dir(&base).into_iter().flatten().flatten() {
        let running = left.file_name().to_str().is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !running {
            let _ = std::fs::remove_dir_all(left.path());
        }
    }
    let own = base.join(std::process::id().to_string());
    std::fs::create_dir_all(&own).unwrap();
    tempfile::tempdir_in(own).unwrap().keep()
}
