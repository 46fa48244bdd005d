//! Embeddings: stored in tables beside their records, and compared in this process, with every vector of the model. What is compared
//! is a copy that catches up, before each comparison, with what any process has written; what may be seen is asked of the database
//! afterwards, as it stands. What must not come in: an approximate index, which is a server's.

mod bytes;
mod held;
mod refresh;
mod seen;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use mosaic_core::{
    Embedding, Error, ErrorKind, Id, Kind, Nearby, Neighbour, Result, Scope, StateWrite, Vector, VectorIndex, VectorModel, async_trait,
};

use crate::connection::{Connections, Work};
use crate::state;
use crate::work::{reading, writing};
use held::{Candidate, Held, Ranking};

/// So many of the nearest are looked at, for each neighbour that is wanted: at first, where the scope sees most of what is near, and
/// then, where it sees some of it. A scope that sees less is asked for all that it sees, and that is compared.
const LOOKS: [usize; 2] = [4, 8];
/// The fewest that are looked at each time.
const FEWEST: [usize; 2] = [100, 2_000];

/// An exact index of vectors in a Postgres.
pub struct SqlVectors {
    connections: Arc<dyn Connections>,
    /// How many bytes of components are taken, all models together.
    memory: u64,
    models: RwLock<HashMap<String, Shared>>,
}

/// What this process holds of a model. It is locked for as long as a comparison with all of it takes, so never on the runtime's threads.
type Shared = Arc<RwLock<Held>>;

impl SqlVectors {
    pub(crate) fn new(connections: Arc<dyn Connections>, memory: u64) -> Self {
        Self { connections, memory, models: RwLock::default() }
    }

    /// What is held of a model that is known to the database.
    fn held(&self, model: &str) -> Shared {
        if let Some(held) = self.models.read().unwrap_or_else(PoisonError::into_inner).get(model) {
            return Arc::clone(held);
        }
        Arc::clone(self.models.write().unwrap_or_else(PoisonError::into_inner).entry(model.to_owned()).or_default())
    }

    /// Catches up with the database; `None` when it has no embeddings of the model.
    async fn caught_up(&self, vector: &Vector) -> Result<Option<Shared>> {
        let model = vector.model.as_str();
        let known = reading!(self, Work::Request, connection => refresh::model(connection, model))?;
        let Some(known) = known.filter(|known| known.has_embeddings) else { return Ok(None) };
        vector.check(Some(known.dimensions))?;
        let held = self.held(model);
        loop {
            let behind = on(&held, move |held| held.behind(known)).await?;
            let Some(seen) = behind else { return Ok(Some(held)) };
            let page = reading!(self, Work::Bulk, connection => refresh::page(connection, model, known, seen))?;
            on(&held, move |held| held.take(page)).await?;
        }
    }

    /// Ranks what is held.
    async fn ranked(&self, held: &Shared, ranking: Arc<Ranking>, only: Option<Vec<(Kind, Id)>>) -> Result<Vec<Candidate>> {
        let held = Arc::clone(held);
        blocking(move || ranking.of(&held.read().unwrap_or_else(PoisonError::into_inner), only.as_deref())).await
    }
}

/// Changes what is held, off the runtime.
async fn on<T: Send + 'static>(held: &Shared, change: impl FnOnce(&mut Held) -> T + Send + 'static) -> Result<T> {
    let held = Arc::clone(held);
    blocking(move || change(&mut held.write().unwrap_or_else(PoisonError::into_inner))).await
}

async fn blocking<T: Send + 'static>(compute: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(compute)
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "a comparison of vectors broke off").source(error))
}

#[async_trait]
impl VectorIndex for SqlVectors {
    async fn upsert(&self, scope: Scope, embeddings: &[Embedding]) -> Result<Vec<bool>> {
        store::check(embeddings)?;
        writing!(self, Work::Request, connection => store::upsert(connection, scope, embeddings, self.memory))
    }

    async fn remove(&self, scope: Scope, kind: Kind, id: Id) -> Result<bool> {
        reading!(self, Work::Request, connection => store::remove(connection, scope, kind, id))
    }

    async fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>> {
        vector.check(None)?;
        let Some(held) = self.caught_up(vector).await? else { return Ok(Vec::new()) };
        let model = vector.model.as_str();
        let [at_first, then] = [0, 1].map(|look| FEWEST[look].max(k.saturating_mul(LOOKS[look])));
        let ranking = Arc::new(Ranking::new(vector.components.clone(), filter.kinds.clone(), then));
        let candidates = self.ranked(&held, ranking, None).await?;
        let is_all = candidates.len() < then;
        let (first, rest) = candidates.split_at(at_first.min(candidates.len()));
        let mut seen = Vec::new();
        for look in [first, rest] {
            let outcome = reading!(self, Work::Request, connection => seen::among(connection, scope, model, filter.space_id, look))?;
            if !outcome.gone.is_empty() {
                on(&held, move |held| held.forget(&outcome.gone)).await?;
            }
            seen.extend(outcome.seen);
            if seen.len() >= k {
                seen.truncate(k);
                return Ok(seen);
            }
        }
        if is_all {
            return Ok(seen);
        }
        let all = reading!(self, Work::Bulk, connection => seen::all(connection, scope, model, filter))?;
        let ranking = Arc::new(Ranking::new(vector.components.clone(), filter.kinds.clone(), k));
        let nearest = self.ranked(&held, ranking, Some(all)).await?;
        Ok(nearest.into_iter().map(|candidate| candidate.neighbour).collect())
    }

    async fn pending(&self, model: &str, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<(Kind, Id)>> {
        reading!(self, Work::Bulk, connection => store::pending(connection, model, after, limit))
    }

    async fn export(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        reading!(self, Work::Bulk, connection => store::export(connection, after, limit))
    }

    async fn load(&self, embeddings: &[Embedding], write: Option<&StateWrite>) -> Result<()> {
        store::check(embeddings)?;
        writing!(self, Work::Bulk, connection => async {
            if let Some(write) = write {
                state::write(connection, write).await?;
            }
            store::upsert(connection, Scope::System, embeddings, self.memory).await.map(|_| ())
        })
    }

    async fn describe(&self) -> Result<Vec<VectorModel>> {
        reading!(self, Work::Bulk, connection => store::describe(connection))
    }
}
