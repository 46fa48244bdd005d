//! Embeddings: stored in tables beside their records, and compared in this process, with every vector of the model. What is compared
//! is a copy that catches up, before each comparison, with what any process has written; what may be seen is asked of the database
//! afterwards, as it stands. `pgvector` compares them in the database instead.

mod bytes;
mod held;
mod pending;
#[cfg(feature = "pgvector")]
pub(crate) mod pgvector;
mod refresh;
mod seen;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::available_parallelism;

use mosaic_core::{
    Embedding, Error, ErrorKind, Id, Kind, Nearby, Neighbour, Result, Scope, StateWrite, Vector, VectorIndex, VectorModel, async_trait,
};
use tokio::sync::{Mutex, Semaphore};

use crate::connection::{Connections, Work};
use crate::state;
use crate::work::{reading, writing};
use held::{Candidate, Held, Ranking};
use refresh::Known;
pub(crate) use refresh::tables;
use seen::Outcome;
use store::Form;
pub(crate) use store::export as embeddings_of;

/// So many of the nearest are looked at, for each neighbour that is wanted: at first, where the scope sees most of what is near, and
/// then, where it sees some of it. A scope that sees less is asked for all that it sees, and that is compared.
const LOOKS: [usize; 2] = [4, 8];
/// The fewest that are looked at each time.
const FEWEST: [usize; 2] = [100, 2_000];

/// How often a comparison is done anew when what is near was given other vectors meanwhile.
const ROUNDS: usize = 3;

/// An exact index of vectors in a Postgres.
pub struct SqlVectors {
    connections: Arc<dyn Connections>,
    /// How many bytes of vectors are taken, all models together.
    memory: u64,
    models: RwLock<HashMap<String, Arc<Model>>>,
    /// A permit for each comparison at a time: more than there are processors would only wait for each other.
    room: Arc<Semaphore>,
}

/// What this process has of a model.
#[derive(Default)]
struct Model {
    /// Held by whoever reads what was written since: once is enough.
    catching_up: Mutex<()>,
    /// Locked for as long as a comparison with all of it takes, so never on the runtime's threads.
    held: RwLock<Held>,
}

impl SqlVectors {
    pub(crate) fn new(connections: Arc<dyn Connections>, memory: u64) -> Self {
        let room = available_parallelism().map_or(1, usize::from);
        Self { connections, memory, models: RwLock::default(), room: Arc::new(Semaphore::new(room)) }
    }

    /// What the database knows of a model, and what is held of it; `None` when there are no embeddings of it.
    async fn model(&self, vector: &Vector) -> Result<Option<(Known, Arc<Model>)>> {
        let name = vector.model.as_str();
        let known = reading!(self.connections, Work::Request, connection => refresh::model(connection, name))?;
        let Some(known) = known.filter(|known| known.has_embeddings) else {
            self.models.write().unwrap_or_else(PoisonError::into_inner).remove(name);
            return Ok(None);
        };
        vector.check(Some(known.dimensions))?;
        let held = self.models.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let new = || Arc::clone(self.models.write().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
        Ok(Some((known, held.unwrap_or_else(new))))
    }

    /// Reads what was written since, by whichever process.
    async fn catch_up(&self, vector: &Vector, model: &Arc<Model>) -> Result<()> {
        let _one_at_a_time = model.catching_up.lock().await;
        let Some((known, _)) = self.model(vector).await? else { return Ok(()) };
        let name = vector.model.as_str();
        loop {
            let Some(from) = on(model, move |held| held.behind(known)).await? else { break };
            let page = reading!(self.connections, Work::Bulk, connection => refresh::page(connection, name, known, from))?;
            on(model, move |held| held.take(page)).await?;
        }
        // What goes with its records leaves no trace to catch up with.
        if on(model, |held| held.is_to_be_counted()).await? {
            let stored = reading!(self.connections, Work::Bulk, connection => store::count_of(connection, name))?;
            on(model, move |held| held.was_counted(stored)).await?;
        }
        Ok(())
    }

    /// Ranks what is held, once it is no older than what is known; of these records alone, where they are given.
    async fn ranked(
        &self,
        vector: &Vector,
        known: Known,
        model: &Arc<Model>,
        ranking: Ranking,
        only: Option<Vec<(Kind, Id)>>,
    ) -> Result<Vec<Candidate>> {
        let ranking = Arc::new((ranking, only));
        let mut rounds = 0..ROUNDS;
        loop {
            let permit = Arc::clone(&self.room).acquire_owned().await.map_err(broke_off)?;
            let (ranking, held) = (Arc::clone(&ranking), Arc::clone(model));
            let is_last = rounds.next().is_none();
            let ranked = blocking(move || {
                let _permit = permit;
                let held = held.held.read().unwrap_or_else(PoisonError::into_inner);
                (is_last || held.is_caught_up(known)).then(|| ranking.0.of(&held, ranking.1.as_deref()))
            });
            match ranked.await? {
                Some(candidates) => return Ok(candidates),
                None => self.catch_up(vector, model).await?,
            }
        }
    }

    /// Looks which of the nearest may be seen, until `k` may: at the first few, and then at the rest.
    async fn look(&self, scope: Scope, vector: &Vector, space_id: Option<Id>, k: usize, nearest: &[Candidate]) -> Result<Outcome> {
        let (first, rest) = nearest.split_at(FEWEST[0].max(k.saturating_mul(LOOKS[0])).min(nearest.len()));
        let mut all = Outcome::default();
        for look in [first, rest].into_iter().filter(|look| !look.is_empty()) {
            let outcome =
                reading!(self.connections, Work::Request, connection => seen::among(connection, scope, &vector.model, space_id, look))?;
            all.add(outcome);
            if all.seen.len() >= k {
                break;
            }
        }
        Ok(all)
    }
}

/// Changes what is held, off the runtime.
async fn on<T: Send + 'static>(model: &Arc<Model>, change: impl FnOnce(&mut Held) -> T + Send + 'static) -> Result<T> {
    let model = Arc::clone(model);
    blocking(move || change(&mut model.held.write().unwrap_or_else(PoisonError::into_inner))).await
}

async fn blocking<T: Send + 'static>(compute: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(compute).await.map_err(broke_off)
}

fn broke_off(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "a comparison of vectors broke off").source(error)
}

#[async_trait]
impl VectorIndex for SqlVectors {
    async fn upsert(&self, scope: Scope, embeddings: &[Embedding]) -> Result<Vec<bool>> {
        store::check(embeddings)?;
        writing!(self.connections, Work::Request, connection => store::upsert(connection, scope, embeddings, Form::Plain, self.memory))
    }

    async fn remove(&self, scope: Scope, kind: Kind, id: Id) -> Result<bool> {
        writing!(self.connections, Work::Request, connection => store::remove(connection, scope, kind, id))
    }

    async fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>> {
        vector.check(None)?;
        let ask = |count| Ranking::new(vector.components.clone(), filter.kinds.clone(), count);
        let count = FEWEST[1].max(k.saturating_mul(LOOKS[1]));
        for round in 1.. {
            let Some((known, model)) = self.model(vector).await?.filter(|_| k > 0) else { break };
            let nearest = self.ranked(vector, known, &model, ask(count), None).await?;
            let Outcome { mut seen, gone, is_stale } = self.look(scope, vector, filter.space_id, k, &nearest).await?;
            if !gone.is_empty() {
                on(&model, move |held| held.forget(&gone)).await?;
            }
            if is_stale && round < ROUNDS {
                continue;
            }
            if seen.len() >= k || nearest.len() < count {
                seen.truncate(k);
                return Ok(seen);
            }
            let all = reading!(self.connections, Work::Bulk, connection => seen::all(connection, scope, &vector.model, filter))?;
            let nearest = self.ranked(vector, known, &model, ask(k), Some(all)).await?;
            return Ok(nearest.into_iter().map(|candidate| candidate.neighbour).collect());
        }
        Ok(Vec::new())
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
            store::upsert(connection, Scope::System, embeddings, Form::Plain, self.memory).await.map(|_| ())
        })
    }

    async fn forget(&self, model: &str, limit: usize) -> Result<usize> {
        let forgotten = writing!(self.connections, Work::Bulk, connection => store::forget(connection, model, limit))?;
        if forgotten < limit {
            // Nobody asks for what is near to a model that is no longer used, which would notice that all of it went.
            self.models.write().unwrap_or_else(PoisonError::into_inner).remove(model);
        }
        Ok(forgotten)
    }

    async fn describe(&self) -> Result<Vec<VectorModel>> {
        reading!(self.connections, Work::Bulk, connection => store::describe(connection))
    }
}
