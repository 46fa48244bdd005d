//! The storage: the trait's calls, each on one connection for as long as it takes. What must not come in: SQL.

use std::sync::Arc;

use mosaic_core::{
    Applied, Batch, Hit, Id, Kind, Loaded, Opening, Page, Query, Record, Result, Scope, Search, Snapshot, State, StateWrite, Storage,
    Tally, Timestamp, Token, TokenHash, Tokens, User, async_trait, with_kind,
};
use sqlx::PgConnection;
use tokio::sync::Semaphore;

use crate::connection::{Connections, Work};
use crate::schema::Tables;
use crate::vectors::SqlVectors;
#[cfg(feature = "pgvector")]
use crate::vectors::pgvector::{PgVectors, direction, extension};
use crate::work::{once, reading, transacting, writing};
use crate::{change, error, kinds, load, read, search, snapshot, state, tally, write};

/// So many rows get their words at once: with large bodies, that many take seconds.
const FILL_ROWS: i64 = 100;

/// Records in a Postgres.
pub struct SqlStorage {
    connections: Arc<dyn Connections>,
    tables: Tables,
    /// A permit for the one snapshot at a time.
    room: Arc<Semaphore>,
}

impl SqlStorage {
    /// Opens the storage, and brings the schema up to date where it may. With [`Tables::Pgvector`], the extension is made if it is absent.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Corrupt`] for a schema that is newer than this build, or not Mosaic's; [`mosaic_core::ErrorKind::Config`]
    /// when the extension is absent and may not be made; those of [`Opening::AsItIs`]; and whatever the connections report.
    pub async fn open(connections: Arc<dyn Connections>, tables: Tables, opening: Opening) -> Result<Self> {
        let storage = Self { connections, tables, room: Arc::new(Semaphore::new(1)) };
        #[cfg(feature = "pgvector")]
        if tables == Tables::Pgvector && opening == Opening::Prepare {
            once!(storage.connections, Work::Maintenance, connection => extension::create(connection))?;
        }
        once!(storage.connections, Work::Maintenance, connection => tables.prepare(connection, opening))?;
        if opening == Opening::Prepare {
            if !storage.connections.are_many() {
                once!(storage.connections, Work::Maintenance, connection => snapshot::remove_copy(connection))?;
            }
            storage.fill_words().await?;
            #[cfg(feature = "pgvector")]
            if tables == Tables::Pgvector {
                direction::complete(&storage.connections).await?;
            }
        }
        Ok(storage)
    }

    /// An exact index of vectors over these records, which compares up to so many bytes of them in this process.
    pub fn vectors(&self, memory: u64) -> SqlVectors {
        SqlVectors::new(Arc::clone(&self.connections), memory)
    }

    /// An index of vectors over these records that pgvector compares, and the service that keeps its indexes. Of use with
    /// [`Tables::Pgvector`] alone.
    #[cfg(feature = "pgvector")]
    pub fn pgvector(&self) -> (PgVectors, mosaic_core::Service) {
        PgVectors::new(Arc::clone(&self.connections))
    }

    /// Gives what was stored before it was searched its words.
    async fn fill_words(&self) -> Result<()> {
        for kind in Kind::ALL {
            loop {
                let filled = once!(self.connections, Work::Bulk, connection => async {
                    with_kind!(*kind, T => write::fill_words::<T>(connection, FILL_ROWS).await)
                });
                if filled? == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Storage for SqlStorage {
    async fn get(&self, scope: Scope, kind: Kind, id: Id) -> Result<Option<Record>> {
        reading!(self.connections, Work::Request, connection => async {
            with_kind!(kind, T => Ok(read::get::<T>(connection, scope, id).await?.map(|found| Record::from(found).without_secrets())))
        })
    }

    async fn list(&self, scope: Scope, query: &Query) -> Result<Page> {
        reading!(self.connections, Work::Request, connection => async {
            with_kind!(query.kind, T => read::list::<T>(connection, scope, query).await)
        })
    }

    async fn search(&self, scope: Scope, search: &Search) -> Result<Vec<Hit>> {
        // It writes nothing, but has settings of its own, which end with a transaction.
        let found = match transacting!(self.connections, Work::Request, connection => search::search(connection, scope, search)) {
            Err(error) if error::is_lost(&error) => {
                transacting!(self.connections, Work::Request, connection => search::search(connection, scope, search))
            }
            outcome => outcome,
        }?;
        search::shown(found, search).await
    }

    async fn apply(&self, scope: Scope, batch: &Batch) -> Result<Vec<Applied>> {
        if let ([change], None) = (batch.changes.as_slice(), &batch.state)
            && change::is_one_statement(change)
        {
            let outcome = once!(self.connections, Work::Request, connection => async {
                change::at_once(connection, scope, batch.at, change).await.map_err(error::in_doubt)
            });
            match outcome {
                Ok(Some(applied)) => return Ok(vec![applied]),
                Ok(None) => {}
                Err(error) if error::is_passing(&error) => tracing::debug!(%error, "writing once more"),
                Err(error) => return Err(error),
            }
        }
        writing!(self.connections, Work::Request, connection => apply(connection, scope, batch))
    }

    async fn export(&self, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>> {
        reading!(self.connections, Work::Bulk, connection => export(connection, after, limit, tokens))
    }

    async fn load(&self, records: &[Record], state: Option<&StateWrite>) -> Result<Vec<Loaded>> {
        writing!(self.connections, Work::Bulk, connection => async {
            if let Some(write) = state {
                state::write(connection, write).await?;
            }
            load::load(connection, records).await
        })
    }

    async fn tally(&self) -> Result<Vec<Tally>> {
        // It has settings of its own, which end with a transaction.
        transacting!(self.connections, Work::Maintenance, connection => tally::tally(connection))
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Snapshot>>> {
        snapshot::take(&self.connections, &self.room).await.map(Some)
    }

    async fn erase(&self, state: &StateWrite) -> Result<()> {
        transacting!(self.connections, Work::Maintenance, connection => async {
            state::write(connection, state).await?;
            if !self.connections.are_many() {
                snapshot::remove_copy(connection).await?;
            }
            self.tables.erase(connection).await
        })
    }

    async fn authenticate(&self, hash: &TokenHash) -> Result<Option<(Token, User)>> {
        reading!(self.connections, Work::Request, connection => kinds::authenticate(connection, hash))
    }

    async fn touch_token(&self, id: Id, at: Timestamp) -> Result<()> {
        // A write, but one that may be done twice.
        reading!(self.connections, Work::Request, connection => kinds::touch(connection, id, at))
    }

    async fn state(&self, name: &str) -> Result<Option<State>> {
        reading!(self.connections, Work::Request, connection => state::read(connection, name))
    }

    async fn put_state(&self, write: &StateWrite) -> Result<u64> {
        writing!(self.connections, Work::Request, connection => state::write(connection, write))
    }

    async fn ping(&self) -> Result<()> {
        reading!(self.connections, Work::Request, connection => read::ping(connection))
    }

    async fn close(&self) -> Result<()> {
        self.connections.close().await
    }
}

async fn apply(connection: &mut PgConnection, scope: Scope, batch: &Batch) -> Result<Vec<Applied>> {
    let mut applied = Vec::with_capacity(batch.changes.len());
    for (i, change) in batch.changes.iter().enumerate() {
        let outcome = change::carry_out(connection, scope, batch.at, change).await;
        let several = batch.changes.len() > 1;
        applied.push(outcome.map_err(|error| if several { error.with("change", i) } else { error })?);
    }
    if let Some(write) = &batch.state {
        state::write(connection, write).await?;
    }
    Ok(applied)
}

/// A page of an export: of the first kind that still has records. It ends with the kind.
pub(crate) async fn export(connection: &mut PgConnection, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>> {
    for kind in Kind::ALL {
        let behind = match after {
            Some((done, _)) if *kind < done => continue,
            Some((current, id)) if *kind == current => Some(id),
            _ => None,
        };
        if *kind == Kind::Token && tokens == Tokens::Omit {
            continue;
        }
        let page = with_kind!(*kind, T => read::export::<T>(connection, behind, limit).await)?;
        if !page.is_empty() {
            return Ok(page);
        }
    }
    Ok(Vec::new())
}
