//! One operator's move: a working directory with a config, a source that is a copy of its own, a target, and what must be true of them.
//! What must not come in: interrupting it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use mosaic_core::Opening;
use mosaic_tests::generator::{assert_same_embeddings, assert_same_records, read_back};
use mosaic_tests::services::Database;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::OnceCell;

use super::running::Running;
use super::sources;
use crate::harness::{Gateway, Outcome, Place};
use crate::servers::{Stack, services};

pub(super) const CONFIG: &str = "mosaic.config.json";
pub(super) const NEW_CONFIG: &str = "mosaic.config.federated.json";
/// What a move does, and answers in JSON.
pub(super) const MOVE: &[&str] = &["migrate", "tier", "--to", "federated", "--yes", "--json"];
pub(super) const ABORT: &[&str] = &["migrate", "tier", "--to", "federated", "--abort", "--yes", "--json"];
pub(super) const RETURN: &[&str] = &["migrate", "tier", "--to", "federated", "--return", "--yes", "--json"];

/// A move that may be made.
pub(super) struct Move {
    pub(super) place: Place,
    /// Where the data is; none for tier local, whose data is in the place.
    pub(super) source: Option<Database>,
    pub(super) target: Database,
    pub(super) valkey: String,
}

/// What an undisturbed move comes to.
pub(super) struct Undisturbed {
    /// The counts, sizes and hashes by kind.
    pub(super) kinds: Value,
    /// The export of the source, tokens with their hashes.
    pub(super) export: Vec<u8>,
    /// What is in the target's tables.
    digest: Vec<String>,
    pub(super) took: Duration,
}

impl Move {
    /// From tier local to an empty database.
    pub(super) async fn from_local() -> Self {
        let Stack { database, valkey } = Stack::new().await;
        Self::local(database, valkey).await
    }

    /// From tier local to a database with an empty schema, and a gate in it.
    pub(super) async fn gated_from_local() -> Self {
        Self::local(sources::gated_database().await, services().await.valkey.database()).await
    }

    /// From tier standalone to an empty database.
    pub(super) async fn from_standalone() -> Self {
        let Stack { database, valkey } = Stack::new().await;
        Self::new(Some(sources::copy_database().await), database, valkey)
    }

    /// From tier standalone to a database with an empty schema, and a gate in it.
    pub(super) async fn gated_from_standalone() -> Self {
        let target = sources::gated_database().await;
        Self::new(Some(sources::copy_database().await), target, services().await.valkey.database())
    }

    /// From tier local to this target.
    pub(super) async fn local(target: Database, valkey: String) -> Self {
        let this = Self::new(None, target, valkey);
        sources::copy_data_dir(&this.place.data_dir()).await;
        this
    }

    /// From this source, or from a data directory that is still to be put there.
    pub(super) fn new(source: Option<Database>, target: Database, valkey: String) -> Self {
        let place = Place::new();
        std::fs::create_dir(place.path("tmp")).expect("a directory in a test's own");
        let temporary = place.path("tmp").display().to_string();
        let this = Self { place: place.with_env("TMPDIR", temporary), source, target, valkey };
        let federated = this.federated();
        let config = match &this.source {
            None => json!({ "tier": "local", "federated": federated }),
            Some(source) => {
                json!({ "tier": "standalone", "standalone": { "postgres": { "url": source.url() } }, "federated": federated })
            }
        };
        let mut config = config;
        config["startup"] = json!({ "wait_seconds": 0 });
        this.place.write(CONFIG, config.to_string());
        this
    }

    fn federated(&self) -> Value {
        json!({ "postgres": { "url": self.target.url() }, "valkey": { "url": self.valkey } })
    }

    /// Starts a command of the operator's.
    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&self.place, arguments)
    }

    /// Makes the move, from wherever it stands, to its end, and looks whether everything is there.
    pub(super) async fn finishes(&self) {
        let outcome = self.place.run(MOVE).await.exit(0);
        self.arrived(&outcome).await;
    }

    /// Whether a move that has come to its end brought everything.
    pub(super) async fn arrived(&self, outcome: &Outcome) {
        let undisturbed = undisturbed().await;
        let answer: Value = serde_json::from_slice(&outcome.stdout).unwrap();
        assert_eq!(answer["outcome"], "moved");
        assert_eq!(answer["kinds"], undisturbed.kinds);
        assert_eq!(digest(&self.target).await, undisturbed.digest, "the target holds something else");
    }

    /// Whether both sides export the same, byte for byte.
    pub(super) async fn exports_are_the_same(&self) {
        assert!(self.export_of_target().await == undisturbed().await.export, "the target exports something else");
        self.source_is_as_it_was().await;
    }

    /// Whether the target holds the very records and embeddings of the source, and nothing else.
    async fn holds_everything(&self) {
        let backend = sources::open("federated", self.federated(), Opening::AsItIs).await;
        let (records, embeddings) = read_back(&backend).await;
        backend.storage.close().await.unwrap();
        let data = sources::data();
        assert_same_records(data.records().collect(), records);
        assert_same_embeddings(data.embeddings().collect(), embeddings);
    }

    /// The place, as the new config makes it.
    pub(super) fn target_place(&self) -> Place {
        self.place.clone().with_env("MOSAIC_CONFIG", NEW_CONFIG)
    }

    /// The place, as if the target were in use already.
    pub(super) fn as_federated(&self) -> Place {
        self.place.clone().with_env("MOSAIC_TIER", "federated")
    }

    pub(super) async fn export_of_target(&self) -> Vec<u8> {
        self.as_federated().run(&["export", "-", "--with-tokens"]).await.exit(0).stdout
    }

    pub(super) async fn export_of_source(&self) -> Vec<u8> {
        self.place.run(&["export", "-", "--with-tokens"]).await.exit(0).stdout
    }

    /// How far the move has come, as a look at it without doing anything says; null for a move that was not begun.
    pub(super) async fn reached(&self) -> Value {
        let outcome = self.place.run(&["migrate", "tier", "--to", "federated", "--dry-run", "--json"]).await.exit(0);
        let mut answer: Value = serde_json::from_slice(&outcome.stdout).unwrap();
        if answer["outcome"] == "moved" { json!("cut_over") } else { answer["reached"].take() }
    }

    /// Whether nothing is on disk that was not there before, but the new config.
    pub(super) fn left_nothing_on_disk(&self) {
        let names = |dir: &Path| {
            let entries = std::fs::read_dir(dir).expect("a test's directory is there").flatten();
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect::<BTreeSet<_>>()
        };
        // The directory of an engine's socket is removed by one of the next starts.
        assert!(
            names(&self.place.path("tmp")).iter().all(|name| name.starts_with("mosaic-engine-")),
            "{:?}",
            names(&self.place.path("tmp"))
        );
        let known = |name: &String| [CONFIG, NEW_CONFIG, "tmp", "mosaic-data"].contains(&name.as_str()) || name.ends_with(".log");
        assert!(names(&self.place.path("")).iter().all(known), "{:?}", names(&self.place.path("")));
    }

    /// Whether a gateway refuses to start on the source, in one line with two commands; answers both.
    pub(super) async fn source_is_fenced(&self) -> Printed {
        Printed::of(&self.place).await
    }

    /// The same of the target.
    pub(super) async fn target_is_taken(&self) -> Printed {
        Printed::of(&self.as_federated()).await
    }

    /// Whether a gateway starts on the source.
    pub(super) async fn source_serves(&self) {
        Gateway::start_in(&self.place).await.stop().await;
    }

    /// Whether the source exports what it did before.
    pub(super) async fn source_is_as_it_was(&self) {
        assert!(self.export_of_source().await == undisturbed().await.export, "the source exports something else");
    }
}

/// The commands in the refusal of a gateway.
pub(super) struct Printed {
    pub(super) finish: String,
    pub(super) undo: String,
}

impl Printed {
    async fn of(place: &Place) -> Self {
        // What is logged besides is another matter.
        let place = place.clone().with_env("MOSAIC_LOG__FILTER", "error");
        let refused = place.run(&["serve"]).await.fails_with(&["finish the move: mosaic ", "; or undo it: mosaic "]);
        let (finish, undo) = refused.stderr.split_once("; or undo it: mosaic ").unwrap();
        let (_, finish) = finish.split_once("finish the move: mosaic ").unwrap();
        Self { finish: finish.trim().to_owned(), undo: undo.trim().to_owned() }
    }
}

/// Runs a command as it was printed, without being asked whether it is meant.
pub(super) async fn run_as_printed(place: &Place, command: &str) -> Outcome {
    let arguments: Vec<_> = command.split_whitespace().chain(["--yes", "--json"]).collect();
    place.run(&arguments).await
}

/// What an undisturbed move comes to, on either tier: they hold the same.
pub(super) async fn undisturbed() -> &'static Undisturbed {
    static UNDISTURBED: OnceCell<Undisturbed> = OnceCell::const_new();
    let run = async || {
        let this = Move::from_standalone().await;
        let export = this.export_of_source().await;
        let begun = Instant::now();
        let outcome = this.place.run(MOVE).await.exit(0);
        let took = begun.elapsed();
        let answer: Value = serde_json::from_slice(&outcome.stdout).unwrap();
        assert!(this.export_of_target().await == export);
        this.holds_everything().await;
        Undisturbed { kinds: answer["kinds"].clone(), export, digest: digest(&this.target).await, took }
    };
    UNDISTURBED.get_or_init(run).await
}

/// What tells the records and embeddings of two databases apart, as the server has them, to the bit. It takes less than reading them.
async fn digest(database: &Database) -> Vec<String> {
    let records = ["users", "teams", "memberships", "tokens", "tasks", "notes", "sessions", "messages"].map(|table| (table, "held"));
    // The number of its change is an embedding's in this database.
    let embeddings = ["task", "note", "message"].map(|kind| (kind, "(id, model, revision, vector, direction)"));
    let tables = records.map(|(table, row)| (table.to_owned(), row)).into_iter();
    let tables = tables.chain(embeddings.map(|(kind, row)| (format!("{kind}_embeddings"), row)));
    let queries = tables.map(|(table, row)| {
        format!("SELECT '{table} ' || count(*) || ' ' || coalesce(md5(string_agg({row}::text, ',' ORDER BY {row}::text)), '') FROM {table} AS held")
    });
    let mut connection = PgConnection::connect(&database.admin_url()).await.unwrap();
    let digest = sqlx::query_scalar(AssertSqlSafe(queries.collect::<Vec<_>>().join(" UNION ALL "))).fetch_all(&mut connection).await;
    connection.close().await.unwrap();
    digest.unwrap()
}
