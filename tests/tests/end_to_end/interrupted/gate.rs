//! A gate in a database: whoever commits a certain state of a move there waits in the commit until a test lets them, and the commit takes
//! effect then, whether they are still there or not. What must not come in: who waits,
//! and what becomes of them.

use std::time::Duration;

use mosaic_tests::services::Database;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::running::Running;
use crate::harness::{PATIENCE, eventually};

/// A write of the document of a move, on one of its sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    Planned = 1,
    Fenced,
    /// What lets copying begin.
    Copying,
    /// A batch of records.
    Records,
    /// A batch of embeddings.
    Embeddings,
    Verified,
    CutOver,
    /// The source's, when all is done.
    Moved,
    /// Its removal.
    Removed,
}

const BUILD: &str = "CREATE SCHEMA gate; GRANT USAGE ON SCHEMA gate TO PUBLIC; \
    CREATE FUNCTION gate.pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        PERFORM pg_advisory_xact_lock_shared(7, CASE NEW.value->>'state' \
            WHEN 'planned' THEN 1 WHEN 'fenced' THEN 2 \
            WHEN 'copying' THEN CASE WHEN NEW.value->>'after' IS NULL THEN 3 WHEN NEW.value->>'embedding_after' IS NULL THEN 4 ELSE 5 END \
            WHEN 'verified' THEN 6 WHEN 'cut_over' THEN 7 WHEN 'moved' THEN 8 ELSE 9 END); \
        RETURN NULL; \
    END $$; \
    CREATE CONSTRAINT TRIGGER gate AFTER INSERT OR UPDATE ON public.state DEFERRABLE INITIALLY DEFERRED \
        FOR EACH ROW WHEN (NEW.name = 'migration' AND ";

/// Which side of a move a database is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Side {
    Source,
    Target,
}

/// Builds the gate, where the schema is there already. It is open.
pub(super) async fn build(database: &Database, side: Side) {
    // In a target, it is removed together with the table, which waits for nothing.
    let passes = if side == Side::Source { "true" } else { "NEW.value IS NOT NULL" };
    database.execute(&format!("{BUILD}{passes}) EXECUTE FUNCTION gate.pass()")).await;
}

/// A gate that is closed at one point. It opens when this value goes.
pub(super) struct Gate {
    connection: PgConnection,
    point: Point,
}

impl Gate {
    /// Closes the gate of this database.
    pub(super) async fn close(database: &Database, point: Point) -> Self {
        let mut connection = PgConnection::connect(&database.admin_url()).await.unwrap();
        let lock = format!("SELECT pg_advisory_lock(7, {})", point as i32);
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut connection).await.unwrap();
        Self { connection, point }
    }

    /// Waits until somebody stands before it.
    pub(super) async fn is_reached_by(&mut self, running: &Running) {
        let begun = std::time::Instant::now();
        while self.waiting().await.is_empty() {
            assert!(!running.has_ended(), "it ended before it came to {:?}", self.point);
            assert!(begun.elapsed() < PATIENCE, "it does not come to {:?}", self.point);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Breaks the sessions off that wait: what they were about to write is lost.
    pub(super) async fn break_off(&mut self) {
        for session in self.waiting().await {
            let end = format!("SELECT pg_terminate_backend({session}, 5000)");
            sqlx::raw_sql(AssertSqlSafe(end)).execute(&mut self.connection).await.unwrap();
        }
    }

    /// Opens it.
    pub(super) async fn open(self) {
        self.connection.close().await.unwrap();
    }

    async fn waiting(&mut self) -> Vec<i32> {
        let waiting = format!(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 7 AND objid = {} AND NOT granted \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            self.point as i32
        );
        sqlx::query_scalar(AssertSqlSafe(waiting)).fetch_all(&mut self.connection).await.unwrap()
    }
}

/// Waits until no session of Mosaic's is left in the database: those of a process that was killed end once they have done their work.
pub(super) async fn until_nobody_is_in(database: &Database) {
    let mut connection =
        PgConnection::connect(&database.server.url(&database.server.user, &database.server.password, "postgres")).await.unwrap();
    let connection = tokio::sync::Mutex::new(&mut connection);
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND usename = '{}'", database.name, database.user);
    eventually("the sessions of a killed process end", PATIENCE, || async {
        let mut connection = connection.lock().await;
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sessions.clone())).fetch_one(&mut **connection).await.unwrap();
        (count == 0).then_some(())
    })
    .await;
}

/// Waits until so many sessions wait for a lock that this one holds.
pub(super) async fn until_waiting_for(holder: &mut PgConnection, sessions: i64) {
    // Not the sessions: a transaction sees those as they were when it first looked.
    let blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))";
    let begun = std::time::Instant::now();
    while sqlx::query_scalar::<_, i64>(blocked).fetch_one(&mut *holder).await.unwrap() < sessions {
        assert!(begun.elapsed() < PATIENCE, "nobody waits, or too few");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
