//! An operator's directory with a config that has both tiers of a move, and data in the first one. What must not come in: what a move makes
//! of it.

use std::path::PathBuf;

use mosaic_core::{Backend, Embedding, Kind, Options, Record, State, registry};
use mosaic_federated as _;
use mosaic_pglite as _;
use mosaic_postgres as _;
use mosaic_tests::generator::{Generator, Size, fill, read_back};
use mosaic_tests::services::{Database, Listing};
use serde_json::{Value, json};

use crate::harness::{Outcome, Place};
use crate::servers::{Stack, services};

/// The documents of the state that there may be.
const DOCUMENTS: &[&str] = &["first-admin", "cursor-key", "gateways", "embedding", "migration"];

/// Two tiers, one place.
pub(super) struct World {
    pub(super) place: Place,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// The database of tier standalone.
    pub(super) standalone: Database,
    /// What tier federated works on.
    pub(super) stack: Stack,
}

/// Data enough for a move that is refused, or whose end alone matters.
pub(super) fn a_little(seed: u64) -> Generator {
    let size = Size { users: 3, teams: 1, tasks: 6, notes: 3, sessions: 1, messages: 2, embeddings: 4, dimensions: 4 };
    Generator::new(seed, size)
}

/// How both sides of a move are at one moment.
pub(super) struct Sides {
    databases: Vec<Listing>,
    local: Option<Local>,
}

/// What tier local holds.
#[derive(PartialEq)]
struct Local {
    records: Vec<Record>,
    embeddings: Vec<Embedding>,
    documents: Vec<Option<State>>,
}

impl World {
    /// Nothing is in either tier yet.
    pub(super) async fn new(from: &'static str, to: &'static str) -> Self {
        let (standalone, stack) = (services().await.postgres.database().await, Stack::new().await);
        let world = Self { place: Place::new(), from, to, standalone, stack };
        world.configure(|_| ());
        world
    }

    /// The same, with this data in the source.
    pub(super) async fn with(from: &'static str, to: &'static str, data: &Generator) -> Self {
        let world = Self::new(from, to).await;
        world.fill(from, data.records(), data.embeddings()).await;
        world
    }

    /// Writes the config, with changes.
    pub(super) fn configure(&self, change: impl FnOnce(&mut Value)) {
        let mut config = json!({
            "tier": self.from,
            "startup": { "wait_seconds": 0 },
            "local": { "data_dir": "mosaic-data" },
            "standalone": { "postgres": { "url": self.standalone.url() } },
            "federated": { "postgres": { "url": self.stack.database.url() }, "valkey": { "url": self.stack.valkey } },
        });
        change(&mut config);
        self.place.write("mosaic.config.json", format!("{config:#}"));
    }

    /// Changes the config as it is.
    pub(super) fn configure_further(&self, change: impl FnOnce(&mut Value)) {
        let mut config = serde_json::from_slice(&self.place.read("mosaic.config.json")).expect("the config is JSON");
        change(&mut config);
        self.place.write("mosaic.config.json", format!("{config:#}"));
    }

    /// Where the config of the gateway on the target goes.
    pub(super) fn new_config(&self) -> PathBuf {
        self.place.path(&format!("mosaic.config.{}.json", self.to))
    }

    /// The same place, with the new config.
    pub(super) fn moved(&self) -> Place {
        self.place.clone().with_env("MOSAIC_CONFIG", self.new_config().to_str().expect("paths of tests are UTF-8"))
    }

    /// Opens a tier in this process.
    pub(super) async fn open(&self, tier: &str) -> Backend {
        let section = match tier {
            "local" => json!({ "data_dir": self.place.data_dir(), "engine_executable": env!("CARGO_BIN_EXE_mosaic-tests") }),
            "standalone" => json!({ "postgres": { "url": self.standalone.url() } }),
            _ => json!({ "postgres": { "url": self.stack.database.url() }, "valkey": { "url": self.stack.valkey } }),
        };
        let options = Options::new(section, self.place.path(""), "test");
        let mut backend = (registry::backend(tier).unwrap().open)(options).await.unwrap();
        for service in backend.services.drain(..) {
            tokio::spawn(service.run);
        }
        backend
    }

    /// Puts data into a tier.
    pub(super) async fn fill(
        &self,
        tier: &str,
        records: impl IntoIterator<Item = Record>,
        embeddings: impl IntoIterator<Item = Embedding>,
    ) {
        let backend = self.open(tier).await;
        fill(&backend, records, embeddings).await;
        backend.storage.close().await.unwrap();
    }

    /// What a tier holds.
    pub(super) async fn held(&self, tier: &str) -> (Vec<Record>, Vec<Embedding>) {
        let backend = self.open(tier).await;
        let held = read_back(&backend).await;
        backend.storage.close().await.unwrap();
        held
    }

    /// Runs the move, with these options.
    pub(super) async fn migrate(&self, options: &[&str]) -> Outcome {
        self.place.run(&[&["migrate", "tier", "--to", self.to], options].concat()).await
    }

    /// Moves everything, which must succeed.
    pub(super) async fn moves(&self) -> Summary {
        Summary::of(&self.migrate(&["--yes", "--json"]).await.exit(0))
    }

    /// A move is refused with one line that holds all of `names`, as its plan says, in the same words, and nothing is changed by either: in
    /// the databases of this world and in `others`, in tier local, and in the directory. Answers the plan.
    pub(super) async fn refuses(&self, others: &[&Database], names: &[&str]) -> Summary {
        let before = self.all(others).await;
        let plan = self.refuses_in_the_same_words(names).await;
        before.assert_same(&self.all(others).await);
        plan
    }

    async fn all(&self, others: &[&Database]) -> Sides {
        let mut sides = self.sides().await;
        for other in others {
            sides.databases.push(Listing::of(other).await);
        }
        sides
    }

    /// The same, for what nobody can look into, or somebody is at work on: only the directory is looked at, too.
    pub(super) async fn refuses_in_the_same_words(&self, names: &[&str]) -> Summary {
        let before = self.files();
        let plan = self.migrate(&["--dry-run"]).await.fails_with(names);
        let json = self.migrate(&["--dry-run", "--json"]).await.fails_with(names);
        let run = self.migrate(&["--yes"]).await.fails_with(names);
        assert_eq!((&json.stderr, &run.stderr), (&plan.stderr, &plan.stderr), "the plan says what the run says");
        assert_eq!(run.text(), plan.text());
        assert_eq!(self.files(), before, "nothing is made");
        let summary = Summary::of(&json);
        assert_eq!(summary.outcome(), "blocked");
        let blockers = summary.0["blockers"].as_array().unwrap();
        let line = format!("error: {} ({})\n", blockers[0]["message"].as_str().unwrap(), blockers[0]["hint"].as_str().unwrap());
        assert!(blockers.len() == 1 && blockers[0]["code"].is_string(), "{blockers:?}");
        assert!(plan.stderr.contains(blockers[0]["message"].as_str().unwrap()), "{line} is not {}", plan.stderr);
        summary
    }

    /// The names of what is in the directory.
    pub(super) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.place.path("")).expect("a test's directory can be read").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// What is in all databases and, where it was made, in the directory of tier local.
    pub(super) async fn sides(&self) -> Sides {
        let databases = vec![Listing::of(&self.standalone).await, Listing::of(&self.stack.database).await];
        let mut local = None;
        if self.place.data_dir().join("engine").exists() {
            let backend = self.open("local").await;
            let (records, embeddings) = read_back(&backend).await;
            let mut documents = Vec::new();
            for name in DOCUMENTS {
                documents.push(backend.storage.state(name).await.unwrap());
            }
            backend.storage.close().await.unwrap();
            local = Some(Local { records, embeddings, documents });
        }
        Sides { databases, local }
    }
}

impl Sides {
    /// Fails if anything has changed up to `now`.
    #[track_caller]
    pub(super) fn assert_same(&self, now: &Self) {
        for (before, now) in self.databases.iter().zip(&now.databases) {
            before.assert_same(now);
        }
        assert!(self.local == now.local, "tier local has changed");
    }
}

/// All that a place exports, tokens too.
pub(super) async fn exported(place: &Place) -> String {
    place.run(&["export", "-", "--with-tokens"]).await.exit(0).text()
}

/// What a move says of itself by `--json`.
pub(super) struct Summary(pub(super) Value);

impl Summary {
    #[track_caller]
    pub(super) fn of(outcome: &Outcome) -> Self {
        let json: Value = serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()));
        assert_eq!(json["schema"], "mosaic.migration/1");
        Self(json)
    }

    /// Whether it was moved, or why not.
    pub(super) fn outcome(&self) -> &str {
        self.0["outcome"].as_str().unwrap_or_default()
    }

    /// A field of each kind, in order.
    pub(super) fn kinds(&self, field: &str) -> Vec<(String, Value)> {
        let kinds = self.0["kinds"].as_array().into_iter().flatten();
        kinds.map(|kind| (kind["kind"].as_str().unwrap_or_default().to_owned(), kind[field].clone())).collect()
    }

    /// Fails unless it counts as many of each kind as there are, and as many embeddings.
    #[track_caller]
    pub(super) fn assert_counts(&self, records: &[Record], embeddings: &[Embedding]) {
        let count = |kind: Kind| records.iter().filter(|record| record.kind() == kind).count();
        let mut expected: Vec<_> = Kind::ALL.iter().map(|kind| (kind.to_string(), json!(count(*kind)))).collect();
        expected.push(("embedding".to_owned(), json!(embeddings.len())));
        assert_eq!(self.kinds("records"), expected);
    }
}
