//! Embeddings in memory, compared one by one: exact, and fast enough for what one person writes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStorage;
use super::tables::Tables;
use crate::rules::Access;
use crate::vectors::{cosine_distance, dot};
use crate::{Embedding, Id, Kind, Nearby, Neighbour, Result, Scope, StateWrite, Vector, VectorIndex, VectorModel};

/// Embeddings in memory. They are kept beside the records, and end with them in the same moment.
pub struct MemoryVectors {
    storage: Arc<MemoryStorage>,
}

impl MemoryVectors {
    /// The index over the records of a storage.
    pub fn new(storage: Arc<MemoryStorage>) -> Self {
        Self { storage }
    }
}

#[async_trait]
impl VectorIndex for MemoryVectors {
    async fn upsert(&self, scope: Scope, embeddings: &[Embedding]) -> Result<Vec<bool>> {
        let mut tables = self.storage.write()?;
        check_all(&tables, embeddings)?;
        embeddings.iter().map(|embedding| store(&mut tables, scope, embedding)).collect()
    }

    async fn remove(&self, scope: Scope, kind: Kind, id: Id) -> Result<bool> {
        let mut tables = self.storage.write()?;
        let before = tables.embeddings.len();
        if tables.seen(scope, kind, id)?.is_some() {
            tables.embeddings.retain(|_, embedding| (embedding.kind, embedding.id) != (kind, id));
        }
        Ok(tables.embeddings.len() < before)
    }

    async fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>> {
        let tables = self.storage.read()?;
        vector.check(dimensions(&tables, &vector.model))?;
        let square = dot(&vector.components, &vector.components);
        let distance = |to: &[f32]| cosine_distance(dot(&vector.components, to), square, dot(to, to));
        let access = Access::of(scope, &*tables)?;
        let open = |embedding: &Embedding| {
            tables.get(embedding.kind, embedding.id).is_some_and(|record| {
                tables.open_to(&access, record)
                    && (filter.kinds.is_empty() || filter.kinds.contains(&embedding.kind))
                    && filter.space_id.is_none_or(|space_id| tables.space_of(record) == Some(space_id))
            })
        };

        let candidates = of_model(&tables, &vector.model).filter(|embedding| open(embedding));
        let mut found: Vec<_> = candidates
            .map(|embedding| Neighbour { kind: embedding.kind, id: embedding.id, distance: distance(&embedding.vector.components) })
            .collect();
        found.sort_by(|a, b| a.distance.total_cmp(&b.distance).then((a.id, a.kind).cmp(&(b.id, b.kind))));
        found.truncate(k);
        Ok(found)
    }

    async fn pending(&self, model: &str, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<(Kind, Id)>> {
        let tables = self.storage.read()?;
        let embedded: BTreeMap<_, _> = of_model(&tables, model).map(|e| ((e.kind, e.id), e.revision)).collect();
        let searched = tables.behind(after).filter(|record| record.kind().is_searched());
        let pending = searched.filter(|record| embedded.get(&(record.kind(), record.id())).is_none_or(|at| *at != record.revision()));
        Ok(pending.map(|record| (record.kind(), record.id())).take(limit).collect())
    }

    async fn export(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        let tables = self.storage.read()?;
        let start = after.map_or(Bound::Unbounded, |(model, kind, id)| Bound::Excluded((model.to_owned(), kind, id)));
        Ok(tables.embeddings.range((start, Bound::Unbounded)).map(|(_, embedding)| embedding.clone()).take(limit).collect())
    }

    async fn load(&self, embeddings: &[Embedding], state: Option<&StateWrite>) -> Result<()> {
        let mut tables = self.storage.write()?;
        check_all(&tables, embeddings)?;
        if let Some(write) = state {
            tables.put_state(write)?;
        }
        for embedding in embeddings {
            store(&mut tables, Scope::System, embedding)?;
        }
        Ok(())
    }

    async fn forget(&self, model: &str, limit: usize) -> Result<usize> {
        let mut tables = self.storage.write()?;
        let places = |embedding: &Embedding| (embedding.vector.model.clone(), embedding.kind, embedding.id);
        let forgotten: Vec<_> = of_model(&tables, model).map(places).take(limit).collect();
        for place in &forgotten {
            tables.embeddings.remove(place);
        }
        Ok(forgotten.len())
    }

    async fn describe(&self) -> Result<Vec<VectorModel>> {
        let tables = self.storage.read()?;
        let mut models: Vec<VectorModel> = Vec::new();
        for embedding in tables.embeddings.values() {
            match models.last_mut().filter(|last| last.model == embedding.vector.model) {
                Some(model) => model.count += 1,
                None => models.push(VectorModel {
                    model: embedding.vector.model.clone(),
                    dimensions: embedding.vector.components.len(),
                    count: 1,
                    exact: true,
                }),
            }
        }
        Ok(models)
    }
}

fn of_model<'a>(tables: &'a Tables, model: &'a str) -> impl Iterator<Item = &'a Embedding> {
    let start = (model.to_owned(), Kind::ALL[0], Id::nil());
    tables.embeddings.range(start..).map(|(_, embedding)| embedding).take_while(move |embedding| embedding.vector.model == model)
}

/// The dimensions of a model's vectors; `None` when there are none yet.
fn dimensions(tables: &Tables, model: &str) -> Option<usize> {
    of_model(tables, model).next().map(|embedding| embedding.vector.components.len())
}

/// Refuses what cannot be stored, before anything is: the first vector of a new model says how many dimensions it has.
fn check_all(tables: &Tables, embeddings: &[Embedding]) -> Result<()> {
    let mut first = BTreeMap::new();
    for embedding in embeddings {
        let vector = &embedding.vector;
        let given = vector.components.len();
        let expected = *first.entry(&vector.model).or_insert_with(|| dimensions(tables, &vector.model).unwrap_or(given));
        embedding.check(Some(expected))?;
    }
    Ok(())
}

fn store(tables: &mut Tables, scope: Scope, embedding: &Embedding) -> Result<bool> {
    let stored = tables.seen(scope, embedding.kind, embedding.id)?.is_some_and(|record| embedding.revision <= record.revision());
    if stored {
        tables.embeddings.insert((embedding.vector.model.clone(), embedding.kind, embedding.id), embedding.clone());
    }
    Ok(stored)
}
