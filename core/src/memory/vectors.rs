//! Embeddings in memory, compared one by one: exact, and fast enough for what one person writes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use super::MemoryStorage;
use super::access::Access;
use crate::{Embedding, Error, Id, Kind, Nearby, Neighbour, Result, Scope, Vector, VectorIndex, VectorModel};

/// Embeddings in memory. It looks into the storage for what may be seen, and for what has changed.
pub struct MemoryVectors {
    storage: Arc<MemoryStorage>,
    embeddings: RwLock<Embeddings>,
}

/// By model, kind and id, which is the order of an export.
type Embeddings = BTreeMap<(String, Kind, Id), Embedding>;

impl MemoryVectors {
    /// An empty index over the records of a storage.
    pub fn new(storage: Arc<MemoryStorage>) -> Self {
        Self { storage, embeddings: RwLock::default() }
    }
}

#[async_trait]
impl VectorIndex for MemoryVectors {
    async fn upsert(&self, embeddings: &[Embedding]) -> Result<()> {
        let mut stored = self.embeddings.write().unwrap_or_else(PoisonError::into_inner);
        for (i, embedding) in embeddings.iter().enumerate() {
            let model = &embedding.vector.model;
            let earlier = embeddings[..i].iter().find(|earlier| earlier.vector.model == *model);
            check(&embedding.vector, dimensions(&stored, model).or(earlier.map(|earlier| earlier.vector.components.len())))?;
        }
        for embedding in embeddings {
            stored.insert((embedding.vector.model.clone(), embedding.kind, embedding.id), embedding.clone());
        }
        Ok(())
    }

    async fn remove(&self, kind: Kind, id: Id) -> Result<()> {
        let mut stored = self.embeddings.write().unwrap_or_else(PoisonError::into_inner);
        stored.retain(|_, embedding| (embedding.kind, embedding.id) != (kind, id));
        Ok(())
    }

    async fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>> {
        let stored = self.embeddings.read().unwrap_or_else(PoisonError::into_inner);
        check(vector, dimensions(&stored, &vector.model))?;
        let tables = self.storage.read()?;
        let access = Access::of(scope, &tables);
        let open = |embedding: &Embedding| {
            tables.get(embedding.kind, embedding.id).is_some_and(|record| {
                access.sees(record)
                    && (filter.kinds.is_empty() || filter.kinds.contains(&embedding.kind))
                    && filter.space_id.is_none_or(|space_id| record.space_id() == space_id)
            })
        };

        let candidates = of_model(&stored, &vector.model).filter(|embedding| open(embedding));
        let mut found: Vec<_> = candidates
            .map(|embedding| Neighbour {
                kind: embedding.kind,
                id: embedding.id,
                distance: cosine_distance(&vector.components, &embedding.vector.components),
            })
            .collect();
        found.sort_by(|a, b| a.distance.total_cmp(&b.distance).then((a.id, a.kind).cmp(&(b.id, b.kind))));
        found.truncate(k);
        Ok(found)
    }

    async fn pending(&self, model: &str, limit: usize) -> Result<Vec<(Kind, Id)>> {
        let stored = self.embeddings.read().unwrap_or_else(PoisonError::into_inner);
        let tables = self.storage.read()?;
        let embedded: BTreeMap<_, _> = of_model(&stored, model).map(|e| ((e.kind, e.id), e.revision)).collect();
        let content = tables.behind(None).filter(|record| record.kind().is_content());
        let pending = content.filter(|record| embedded.get(&(record.kind(), record.id())).is_none_or(|at| *at < record.revision()));
        Ok(pending.map(|record| (record.kind(), record.id())).take(limit).collect())
    }

    async fn export(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        let stored = self.embeddings.read().unwrap_or_else(PoisonError::into_inner);
        let start = after.map_or(Bound::Unbounded, |(model, kind, id)| Bound::Excluded((model.to_owned(), kind, id)));
        Ok(stored.range((start, Bound::Unbounded)).map(|(_, embedding)| embedding.clone()).take(limit).collect())
    }

    async fn load(&self, embeddings: &[Embedding]) -> Result<()> {
        self.upsert(embeddings).await
    }

    async fn describe(&self) -> Result<Vec<VectorModel>> {
        let stored = self.embeddings.read().unwrap_or_else(PoisonError::into_inner);
        let mut models: Vec<VectorModel> = Vec::new();
        for embedding in stored.values() {
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

fn of_model<'a>(stored: &'a Embeddings, model: &'a str) -> impl Iterator<Item = &'a Embedding> {
    let start = (model.to_owned(), Kind::ALL[0], Id::nil());
    stored.range(start..).map(|(_, embedding)| embedding).take_while(move |embedding| embedding.vector.model == model)
}

/// The dimensions of a model's vectors; `None` when there are none yet.
fn dimensions(stored: &Embeddings, model: &str) -> Option<usize> {
    of_model(stored, model).next().map(|embedding| embedding.vector.components.len())
}

fn check(vector: &Vector, dimensions: Option<usize>) -> Result<()> {
    let given = vector.components.len();
    let expected = dimensions.unwrap_or(given);
    if given != expected || given == 0 {
        return Err(Error::invalid("the vector has not the dimensions of its model")
            .with("model", &vector.model)
            .with("dimensions", given)
            .with("expected", expected.max(1)));
    }
    match vector.components.iter().position(|component| !component.is_finite()) {
        Some(at) => Err(Error::invalid("the vector has a component that is not finite").with("model", &vector.model).with("component", at)),
        None => Ok(()),
    }
}

/// 0 for the same direction, 2 for the opposite one; 1 where a vector has no direction.
fn cosine_distance(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths == 0.0 { 1.0 } else { (1.0 - dot(a, b) / lengths) as f32 }
}
