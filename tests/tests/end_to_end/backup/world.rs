//! A tier in a place of its own, to make a backup of or to restore one into. What must not come in: backups.

use mosaic_core::{Backend, Embedding, Options, Record, registry};
use mosaic_federated as _;
use mosaic_pglite as _;
use mosaic_postgres as _;
use mosaic_tests::generator::{Generator, fill, read_back};
use mosaic_tests::services::Database;
use serde_json::{Value, json};

use crate::harness::{Outcome, Place};
use crate::servers::{Stack, federated, services, standalone};

/// One tier, and an operator's directory with its config.
pub(super) struct Tier {
    pub(super) name: &'static str,
    pub(super) place: Place,
    section: Value,
    _databases: (Option<Database>, Option<Stack>),
}

impl Tier {
    /// Nothing is in it yet.
    pub(super) async fn new(name: &'static str) -> Self {
        match name {
            "standalone" => {
                let database = services().await.postgres.database().await;
                let section = json!({ "postgres": { "url": database.url() } });
                Self { name, place: standalone(&database.url()), section, _databases: (Some(database), None) }
            }
            "federated" => {
                let stack = Stack::new().await;
                let (url, valkey) = (stack.database.url(), stack.valkey.clone());
                let section = json!({ "postgres": { "url": url }, "valkey": { "url": valkey } });
                Self { name, place: federated(&url, &valkey), section, _databases: (None, Some(stack)) }
            }
            _ => {
                let place = Place::new();
                let section = json!({ "data_dir": place.data_dir(), "engine_executable": env!("CARGO_BIN_EXE_mosaic-tests") });
                Self { name, place, section, _databases: (None, None) }
            }
        }
    }

    /// The same, with this data in it.
    pub(super) async fn with(name: &'static str, data: &Generator) -> Self {
        let tier = Self::new(name).await;
        let backend = tier.open().await;
        fill(&backend, data.records(), data.embeddings()).await;
        backend.storage.close().await.unwrap();
        tier
    }

    /// Opens it in this process.
    pub(super) async fn open(&self) -> Backend {
        let options = Options::new(self.section.clone(), self.place.path(""), "test");
        let mut backend = (registry::backend(self.name).unwrap().open)(options).await.unwrap();
        for service in backend.services.drain(..) {
            tokio::spawn(service.run);
        }
        backend
    }

    /// What it holds.
    pub(super) async fn held(&self) -> (Vec<Record>, Vec<Embedding>) {
        let backend = self.open().await;
        let held = read_back(&backend).await;
        backend.storage.close().await.unwrap();
        held
    }

    /// The names of what is in the directory, but for the data's own.
    pub(super) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.place.path("")).expect("a test's directory can be read").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.starts_with("gateway-"));
        names.sort();
        names
    }

    /// Whether nothing is in the way of a gateway.
    pub(super) async fn holds_nothing(&self) -> bool {
        let (records, embeddings) = self.held().await;
        records.is_empty() && embeddings.is_empty()
    }
}

/// A backup of what is in a tier, by its place; answers what is said of it.
pub(super) async fn made(place: &Place, file: &str, options: &[&str]) -> Value {
    let answer = answer(&place.run(&[&["backup", "create", file, "--json"], options].concat()).await.exit(0));
    assert_eq!((&answer["outcome"], &answer["file"]), (&json!("created"), &json!(file)));
    answer
}

/// What a command says by `--json`.
#[track_caller]
pub(super) fn answer(outcome: &Outcome) -> Value {
    let json: Value = serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()));
    assert_eq!(json["schema"], "mosaic.backup-answer/1");
    json
}
