//! Embeddings compared by pgvector, in the database: exactly where a scope sees little, by an approximate index where it sees much, and
//! exactly again where that finds too little. They are stored as they are everywhere; beside each vector stands its direction, which is
//! what is compared. What comes out first is ranked once more by the vectors themselves, so that distances are those of every backend.
//!
//! In it: `extension` (pgvector itself), `direction` (what is compared), `near` (the statements that compare), `indexes` (which are made
//! at run time). What must not come in: a copy of vectors in this process.

pub(crate) mod direction;
pub(crate) mod extension;
mod indexes;
mod near;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mosaic_core::{
    Embedding, Id, Kind, Nearby, Neighbour, Result, Scope, Service, StateWrite, Vector, VectorIndex, VectorModel, async_trait,
};
use tokio::time::Instant;

use super::store::{self, Form};
use super::{pending, store::NO_BOUND};
use crate::connection::{Connections, Work};
use crate::state;
use crate::work::{reading, writing};
use near::Question;

/// How long it is remembered whether a scope sees much. Where that has changed, it takes longer or shorter, and finds the same.
const MUCH: Duration = Duration::from_secs(60);
/// How long it is remembered which indexes there are.
const INDEXES: Duration = Duration::from_secs(10);

/// An index of vectors in a Postgres with pgvector.
pub struct PgVectors {
    connections: Arc<dyn Connections>,
    much: Remembered<Asked, bool>,
    /// The tables that have an index for a model of so many dimensions.
    indexed: Remembered<(String, usize), Arc<[String]>>,
}

/// Who asked, and about what.
type Asked = (Scope, String, Vec<Kind>, Option<Id>);

impl PgVectors {
    /// The index in a database that has the extension and the schema already. The service makes indexes as they are needed.
    pub(crate) fn new(connections: Arc<dyn Connections>) -> (Self, Service) {
        let service = Service { name: "pgvector indexes", run: Box::pin(indexes::keep(Arc::clone(&connections))) };
        (Self { connections, much: Remembered::new(MUCH), indexed: Remembered::new(INDEXES) }, service)
    }

    /// Whether a question is about so much that comparing with all of it takes too long.
    async fn is_much(&self, question: &Question<'_>) -> Result<bool> {
        let asked = (question.scope, question.vector.model.clone(), question.filter.kinds.clone(), question.filter.space_id);
        if let Some(much) = self.much.get(&asked) {
            return Ok(much);
        }
        let much = reading!(self.connections, Work::Request, connection => near::is_much(connection, question))?;
        Ok(self.much.keep(asked, much))
    }

    /// The neighbours by the approximate indexes; `None` where these cannot tell.
    async fn by_indexes(&self, question: &Question<'_>) -> Result<Option<Vec<Neighbour>>> {
        let (model, dimensions) = (&question.vector.model, question.vector.components.len());
        let indexed = match self.indexed.get(&(model.clone(), dimensions)) {
            Some(indexed) => indexed,
            None => {
                let made = reading!(self.connections, Work::Request, connection => indexes::tables(connection, model, dimensions))?;
                let made: Arc<[String]> = made.into();
                // The first one is to be used as soon as it is there.
                if made.is_empty() { made } else { self.indexed.keep((model.clone(), dimensions), made) }
            }
        };
        reading!(self.connections, Work::Request, connection => near::by_indexes(connection, question, &indexed))
    }
}

/// What was found lately, by what it was asked about.
struct Remembered<K, V> {
    time: Duration,
    found: Mutex<HashMap<K, (V, Instant)>>,
}

/// So much is remembered, at most.
const REMEMBERED: usize = 10_000;

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    fn new(time: Duration) -> Self {
        Self { time, found: Mutex::default() }
    }

    fn get(&self, asked: &K) -> Option<V> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(asked).filter(|(_, at)| at.elapsed() < self.time).map(|(value, _)| value.clone())
    }

    fn keep(&self, asked: K, value: V) -> V {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= REMEMBERED {
            found.clear();
        }
        found.insert(asked, (value.clone(), Instant::now()));
        value
    }
}

#[async_trait]
impl VectorIndex for PgVectors {
    async fn upsert(&self, scope: Scope, embeddings: &[Embedding]) -> Result<Vec<bool>> {
        store::check(embeddings)?;
        writing!(self.connections, Work::Request, connection => store::upsert(connection, scope, embeddings, Form::Directed, NO_BOUND))
    }

    async fn remove(&self, scope: Scope, kind: Kind, id: Id) -> Result<bool> {
        writing!(self.connections, Work::Request, connection => store::remove(connection, scope, kind, id))
    }

    async fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>> {
        vector.check(None)?;
        let held = reading!(self.connections, Work::Request, connection => near::held(connection, &vector.model))?;
        let Some((dimensions, tables)) = held.filter(|(_, tables)| !tables.is_empty() && k > 0) else { return Ok(Vec::new()) };
        vector.check(Some(dimensions))?;
        let question = Question::new(scope, vector, k, filter, tables);
        if self.is_much(&question).await?
            && let Some(found) = self.by_indexes(&question).await?
        {
            return Ok(found);
        }
        reading!(self.connections, Work::Request, connection => near::by_all(connection, &question))
    }

    async fn pending(&self, model: &str, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<(Kind, Id)>> {
        pending::first(&self.connections, model, after, limit).await
    }

    async fn export(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        reading!(self.connections, Work::Bulk, connection => store::export(connection, after, limit))
    }

    async fn load(&self, embeddings: &[Embedding], write: Option<&StateWrite>) -> Result<()> {
        store::check(embeddings)?;
        writing!(self.connections, Work::Bulk, connection => async {
            if let Some(write) = write {
                state::write(connection, write).await?;
            }
            store::upsert(connection, Scope::System, embeddings, Form::Directed, NO_BOUND).await.map(|_| ())
        })
    }

    async fn forget(&self, model: &str, limit: usize) -> Result<usize> {
        writing!(self.connections, Work::Bulk, connection => store::forget(connection, model, limit))
    }

    async fn settle(&self) -> Result<()> {
        indexes::settle(&self.connections).await
    }

    async fn describe(&self) -> Result<Vec<VectorModel>> {
        let mut models = reading!(self.connections, Work::Bulk, connection => store::describe(connection))?;
        let indexed = reading!(self.connections, Work::Bulk, connection => indexes::models(connection))?;
        models.iter_mut().for_each(|model| model.exact = !indexed.contains(&model.model));
        Ok(models)
    }
}
