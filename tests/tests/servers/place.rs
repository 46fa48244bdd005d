//! A database of a test's own on a real server, connections to it as several gateways have them, and SQL without Mosaic that holds
//! locks and sees who waits for them. What must not come in: what is tested.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mosaic_core::{
    Applied, Batch, Change, Embedding, Id, Kind, Opening, Record, Result, Scope, StateWrite, Storage as _, Timestamp, Vector, VectorIndex,
};
use mosaic_sql::server::{PostgresConfig, Server, ServerConnections};
use mosaic_sql::{SqlStorage, Tables};
use mosaic_tests::services::{Database, shared};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::task::JoinHandle;

use crate::HELPER;

/// How long something that must come may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    Standalone,
    Federated,
}

/// A database, empty until somebody opens it.
pub(crate) struct Place {
    pub(crate) database: Database,
    pub(crate) tier: Tier,
}

/// What one gateway has of it.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) storage: Arc<SqlStorage>,
    pub(crate) vectors: Arc<dyn VectorIndex>,
}

impl Place {
    pub(crate) async fn new(tier: Tier) -> Self {
        let services = shared(HELPER).await;
        let database = match tier {
            Tier::Standalone => services.postgres.database().await,
            Tier::Federated => services.pgvector.database().await,
        };
        if tier == Tier::Federated {
            // Its owner may not.
            database.execute("CREATE EXTENSION vector").await;
        }
        Self { database, tier }
    }

    /// Connections to it, of which a request's statements may take so many seconds.
    pub(crate) fn connections(&self, max_connections: u32, statement_timeout_seconds: u64) -> Arc<ServerConnections> {
        let config = PostgresConfig {
            url: self.database.url().into(),
            max_connections: Some(max_connections),
            statement_timeout_seconds,
            ..PostgresConfig::default()
        };
        Arc::new(ServerConnections::new(Server::read(&config, "test.postgres", "start it", Path::new("/")).unwrap()))
    }

    /// Opens it as one gateway more.
    pub(crate) async fn process(&self) -> Process {
        self.open(self.connections(4, 20)).await.unwrap()
    }

    pub(crate) async fn open(&self, connections: Arc<ServerConnections>) -> Result<Process> {
        let tables = match self.tier {
            Tier::Standalone => Tables::Plain,
            Tier::Federated => Tables::Pgvector,
        };
        let storage = Arc::new(SqlStorage::open(connections, tables, Opening::Prepare).await?);
        let vectors: Arc<dyn VectorIndex> = match self.tier {
            Tier::Standalone => Arc::new(storage.vectors(1 << 30)),
            Tier::Federated => Arc::new(storage.pgvector().0),
        };
        Ok(Process { storage, vectors })
    }

    /// A connection that Mosaic does not know of: the superuser's, so that limits on the owner are none to it.
    pub(crate) async fn plain(&self) -> Plain {
        let mut connection = PgConnection::connect(&self.database.admin_url()).await.unwrap();
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
        Plain { connection, pid }
    }
}

impl Process {
    /// Removes everything, whatever the state says.
    pub(crate) async fn erase(&self) -> Result<()> {
        self.storage.erase(&StateWrite { name: "erased".into(), value: None, expect: 0 }).await
    }

    pub(crate) async fn load(&self, records: &[Record]) {
        for loaded in self.storage.load(records, None).await.unwrap() {
            assert!(matches!(loaded, mosaic_core::Loaded::Added), "{loaded:?}");
        }
    }

    pub(crate) async fn apply(&self, scope: Scope, change: Change) -> Result<Applied> {
        let outcome = self.storage.apply(scope, &Batch::one(now(), change)).await;
        outcome.map(|mut applied| applied.pop().unwrap())
    }

    /// Begins a change, to be waited for later.
    pub(crate) fn begin(&self, scope: Scope, change: Change) -> JoinHandle<Result<Applied>> {
        let process = self.clone();
        tokio::spawn(async move { process.apply(scope, change).await })
    }

    /// Begins to store embeddings.
    pub(crate) fn begin_upsert(&self, scope: Scope, embeddings: Vec<Embedding>) -> JoinHandle<Result<Vec<bool>>> {
        let vectors = Arc::clone(&self.vectors);
        tokio::spawn(async move { vectors.upsert(scope, &embeddings).await })
    }
}

/// A connection without Mosaic.
pub(crate) struct Plain {
    connection: PgConnection,
    pub(crate) pid: i32,
}

impl Plain {
    pub(crate) async fn run(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub(crate) async fn number(&mut self, sql: &str) -> i64 {
        let number = sqlx::query_scalar(AssertSqlSafe(format!("SELECT ({sql})::bigint"))).fetch_one(&mut self.connection).await;
        number.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Begins a transaction that does this, and holds what it locked until it is ended.
    pub(crate) async fn hold(&mut self, sql: &str) {
        self.run(&format!("BEGIN; {sql}")).await;
    }

    pub(crate) async fn commit(&mut self) {
        self.run("COMMIT").await;
    }

    /// How many sessions of gateways wait for a lock.
    pub(crate) async fn waiting(&mut self) -> i64 {
        const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name = 'mosaic' AND wait_event_type = 'Lock'";
        self.number(WAITING).await
    }

    /// Waits until so many sessions of gateways wait for a lock.
    pub(crate) async fn until_waiting(&mut self, count: i64) {
        let begun = Instant::now();
        loop {
            let waiting = self.waiting().await;
            if waiting == count {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{waiting} wait for a lock, and not {count}: {}", self.sessions().await);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until this many sessions wait for what another connection holds.
    pub(crate) async fn until_blocked_by(&mut self, holder: &Plain, count: i64) {
        let blocked = format!("SELECT count(*) FROM pg_stat_activity WHERE {} = ANY (pg_blocking_pids(pid))", holder.pid);
        self.until(&blocked, count).await;
    }

    /// Waits until a query answers a number.
    pub(crate) async fn until(&mut self, sql: &str, expected: i64) {
        let begun = Instant::now();
        loop {
            let number = self.number(sql).await;
            if number == expected {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{sql}: {number}, and not {expected}: {}", self.sessions().await);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What is under way, for who reads why a test failed.
    async fn sessions(&mut self) -> String {
        const SESSIONS: &str = "SELECT coalesce(string_agg(concat_ws(' ', pid, state, wait_event_type, wait_event, left(query, 200)), E'\\n'), '') \
            FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::query_scalar(SESSIONS).fetch_one(&mut self.connection).await.unwrap()
    }
}

/// An id, by a number.
pub(crate) fn id(number: u128) -> Id {
    Id::from_u128(number)
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(1_772_000_000_000_000).unwrap()
}

/// A record from its fields.
pub(crate) fn record(kind: &str, number: u128, fields: Value) -> Record {
    let mut all = json!({ "kind": kind, "id": id(number), "created_at": "2026-03-01T00:00:00Z" });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Record::from_json_bytes(all.to_string().as_bytes()).unwrap()
}

pub(crate) fn user(number: u128, login: &str) -> Record {
    record("user", number, json!({ "login": login, "name": login }))
}

pub(crate) fn note(number: u128, owner: u128, team: Option<u128>) -> Record {
    record("note", number, json!({ "owner_id": id(owner), "team_id": team.map(id), "title": "note" }))
}

pub(crate) fn deletion(kind: Kind, number: u128) -> Change {
    Change::Delete { kind, id: id(number), revision: None }
}

/// An embedding of a note.
pub(crate) fn embedding(number: u128, components: &[f32]) -> Embedding {
    Embedding { kind: Kind::Note, id: id(number), revision: 1, vector: vector(components) }
}

pub(crate) fn vector(components: &[f32]) -> Vector {
    Vector { model: "model".into(), components: components.to_vec() }
}
