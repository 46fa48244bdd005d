//! What `mosaic-sql` does below its contracts, on a real engine: which plans its reads have, and that vectors are true to what others write.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod plans;
mod vectors;

use std::sync::Arc;

use mosaic_core::{Error, Id, Opening, Options, Record};
use mosaic_pglite::Engine;
use mosaic_sql::{SqlStorage, Tables};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An engine with Mosaic's schema, in a directory of its own.
struct Place {
    engine: Engine,
    storage: SqlStorage,
    _dir: TempDir,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let section = json!({ "data_dir": dir.path().join("data"), "engine_executable": env!("CARGO_BIN_EXE_mosaic-tests") });
        let options = Options::new(section, "/", "test");
        let engine = Engine::open(&options).await.unwrap();
        let storage = SqlStorage::open(Arc::clone(&engine.connections), Tables::Plain, Opening::Prepare).await.unwrap();
        Self { engine, storage, _dir: dir }
    }

    async fn close(self) {
        self.engine.connections.close().await.unwrap();
        for service in self.engine.services {
            service.run.await.unwrap();
        }
    }
}

/// An id, by a number.
const fn id(number: u128) -> Id {
    Id::from_u128(number)
}

/// A record from its fields, made a number of seconds after the others.
fn record(kind: &str, number: u128, second: usize, fields: Value) -> Result<Record, Error> {
    let mut all = json!({ "kind": kind, "id": id(number), "created_at": format!("2026-03-01T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60) });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Record::from_json_bytes(all.to_string().as_bytes())
}
