//! Everything as it was at one moment. A server shows that to a transaction, for as long as it is open, on a connection that has no other work
//! meanwhile. The embedded engine has one connection, which others wait for: there, everything is copied beside where it is, which takes
//! the engine a fraction of the time that reading it takes, and the copy is read page by page between other work. What must not come in: what
//! is made of it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mosaic_core::{Embedding, Error, ErrorKind, Id, Kind, Record, Result, Snapshot, State, Tokens, async_trait, with_kind};
use sqlx::PgConnection;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::connection::{Connections, Lease, Work};
use crate::error::from_sqlx;
use crate::state;
use crate::statement::Statement;
use crate::storage::export;
use crate::table::Table;
use crate::vectors::{embeddings_of, tables};
use crate::work::{self, finish, once, transacting};

/// How long a page may take.
const PAGE: Duration = Duration::from_secs(120);

/// What a server's transaction sees: what was committed when it first looked.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT";

/// Where the embedded engine's copy is: tables as others are. Unlogged ones would cost less, but the engine may fail to reset them when it
/// recovers (`could not create file … File exists`), and then does not start.
const MAKE: &str = "DROP SCHEMA IF EXISTS mosaic_backup CASCADE; CREATE SCHEMA mosaic_backup; \
    CREATE TABLE mosaic_backup.state AS SELECT * FROM state; \
    CREATE TABLE mosaic_backup.embedding_models AS SELECT * FROM embedding_models";
const LOOK_THERE: &str = "SET LOCAL search_path = mosaic_backup, public";
const IS_THERE: &str = "SELECT to_regclass('mosaic_backup.state') IS NOT NULL";
const REMOVE: &str = "DROP SCHEMA IF EXISTS mosaic_backup CASCADE";

/// Takes a snapshot, one at a time.
///
/// # Errors
/// [`ErrorKind::Conflict`] while there is another one; those of the connections.
pub(crate) async fn take(connections: &Arc<dyn Connections>, room: &Arc<Semaphore>) -> Result<Arc<dyn Snapshot>> {
    let permit = Arc::clone(room).try_acquire_owned().map_err(|_| {
        Error::new(ErrorKind::Conflict, "a backup of this data is being made already").hint("try again when that one has come to its end")
    })?;
    if connections.are_many() {
        return Ok(Arc::new(Seen::begin(&**connections, permit).await?));
    }
    // Its owner from the beginning: dropped at any moment, what was made is removed.
    let copied = Copied { connections: Arc::clone(connections), permit: std::sync::Mutex::new(Some(permit)) };
    transacting!(connections, Work::Maintenance, connection => copy(connection))?;
    Ok(Arc::new(copied))
}

fn gone() -> Error {
    Error::new(ErrorKind::Unavailable, "the moment that was being read is lost, with the connection that saw it").hint("begin anew")
}

/// What a transaction sees that stays open.
struct Seen {
    /// None once it is lost, and while a page is read.
    lease: Mutex<Option<Box<dyn Lease>>>,
    /// None once it is closed.
    permit: std::sync::Mutex<Option<OwnedSemaphorePermit>>,
}

impl Seen {
    async fn begin(connections: &dyn Connections, permit: OwnedSemaphorePermit) -> Result<Self> {
        let mut lease = connections.lease(Work::Snapshot).await?;
        let (due, connection) = (page_due(&*lease), lease.connection());
        let (clean, outcome) = work::until(due, async {
            let begun = sqlx::raw_sql(BEGIN).execute(connection).await.map(drop).map_err(from_sqlx);
            (begun.is_ok(), begun)
        })
        .await;
        if !clean {
            finish(lease, false, outcome)?;
            return Err(gone());
        }
        Ok(Self { lease: Mutex::new(Some(lease)), permit: std::sync::Mutex::new(Some(permit)) })
    }
}

fn page_due(lease: &dyn Lease) -> Option<Instant> {
    let due = Instant::now() + PAGE;
    Some(lease.due().map_or(due, |all| all.min(due)))
}

/// Reads what the transaction sees. The connection is out of its place meanwhile: whoever is dropped in the middle of a statement leaves none.
macro_rules! seen {
    ($self:ident, $connection:ident => $read:expr) => {{
        let mut place = $self.lease.lock().await;
        let mut lease = place.take().ok_or_else(gone)?;
        let due = page_due(&*lease);
        let $connection = lease.connection();
        let (clean, outcome) = work::until(due, async {
            let outcome = $read.await;
            (outcome.is_ok(), outcome)
        })
        .await;
        if clean {
            *place = Some(lease);
            outcome
        } else {
            finish(lease, false, outcome)
        }
    }};
}

#[async_trait]
impl Snapshot for Seen {
    async fn records(&self, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<Record>> {
        seen!(self, connection => export(connection, after, limit, Tokens::WithHashes))
    }

    async fn embeddings(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        seen!(self, connection => embeddings_of(connection, after, limit))
    }

    async fn state(&self, name: &str) -> Result<Option<State>> {
        seen!(self, connection => state::read(connection, name))
    }

    async fn close(&self) {
        // Its owner rolls back, and ends the connection.
        drop(self.lease.lock().await.take());
        drop(taken(&self.permit));
    }
}

/// A copy beside what is there.
struct Copied {
    connections: Arc<dyn Connections>,
    /// None once it is removed.
    permit: std::sync::Mutex<Option<OwnedSemaphorePermit>>,
}

fn taken(permit: &std::sync::Mutex<Option<OwnedSemaphorePermit>>) -> Option<OwnedSemaphorePermit> {
    permit.lock().unwrap_or_else(PoisonError::into_inner).take()
}

async fn copy(connection: &mut PgConnection) -> Result<()> {
    run(connection, MAKE).await?;
    for kind in Kind::ALL {
        with_kind!(*kind, T => copy_kind::<T>(connection).await)?;
    }
    for (_, table) in tables() {
        let mut statement = Statement::new("CREATE TABLE mosaic_backup.");
        statement.sql(table).sql(" AS SELECT id, model, revision, vector FROM ").sql(table).sql(" WITH NO DATA");
        statement.run(connection).await?;
        // As where they come from: such bytes do not get smaller, and trying takes time.
        let mut statement = Statement::new("ALTER TABLE mosaic_backup.");
        statement.sql(table).sql(" ALTER COLUMN vector SET STORAGE EXTERNAL");
        statement.run(connection).await?;
        let mut statement = Statement::new("INSERT INTO mosaic_backup.");
        statement.sql(table).sql(" SELECT id, model, revision, vector FROM ").sql(table);
        statement.run(connection).await?;
        let mut statement = Statement::new("CREATE INDEX ON mosaic_backup.");
        statement.sql(table).sql(" (model, id)");
        statement.run(connection).await?;
    }
    Ok(())
}

async fn copy_kind<T: Table>(connection: &mut PgConnection) -> Result<()> {
    let mut statement = Statement::new("CREATE TABLE mosaic_backup.");
    statement.sql(T::NAME).sql(" AS SELECT ").sql(T::COLUMNS).sql(" FROM ").sql(T::NAME).sql(" AS kept");
    statement.run(connection).await?;
    let mut statement = Statement::new("CREATE UNIQUE INDEX ON mosaic_backup.");
    statement.sql(T::NAME).sql(" (id)");
    statement.run(connection).await.map(drop)
}

async fn run(connection: &mut PgConnection, sql: &'static str) -> Result<()> {
    sqlx::raw_sql(sql).execute(connection).await.map(drop).map_err(from_sqlx)
}

/// Has the rest of a transaction read the copy: what names a table finds it there first.
async fn look_there(connection: &mut PgConnection) -> Result<()> {
    if !sqlx::query_scalar(IS_THERE).fetch_one(&mut *connection).await.map_err(from_sqlx)? {
        return Err(gone());
    }
    run(connection, LOOK_THERE).await
}

macro_rules! copied {
    ($self:ident, $connection:ident => $read:expr) => {
        transacting!($self.connections, Work::Bulk, $connection => async {
            look_there($connection).await?;
            $read.await
        })
    };
}

#[async_trait]
impl Snapshot for Copied {
    async fn records(&self, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<Record>> {
        copied!(self, connection => export(connection, after, limit, Tokens::WithHashes))
    }

    async fn embeddings(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        copied!(self, connection => embeddings_of(connection, after, limit))
    }

    async fn state(&self, name: &str) -> Result<Option<State>> {
        copied!(self, connection => state::read(connection, name))
    }

    async fn close(&self) {
        let permit = taken(&self.permit);
        remove(&*self.connections).await;
        drop(permit);
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let (Some(permit), Ok(runtime)) = (taken(&self.permit), Handle::try_current()) else { return };
        let connections = Arc::clone(&self.connections);
        runtime.spawn(async move {
            remove(&*connections).await;
            drop(permit);
        });
    }
}

/// Removes the copy that a gateway which was killed may have left.
pub(crate) async fn remove_copy(connection: &mut PgConnection) -> Result<()> {
    run(connection, REMOVE).await
}

/// Removes the copy. Where that fails, the next one or the next start removes it.
async fn remove(connections: &dyn Connections) {
    let removed = async { once!(connections, Work::Maintenance, connection => run(connection, REMOVE)) };
    if let Err(error) = removed.await {
        tracing::debug!(%error, "the copy that a backup was read from is still there");
    }
}
