//! Embeddings in memory, compared one by one: exact, and fast enough for what one person writes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStorage;
use super::access::Access;
use super::tables::Tables;
use crate::{Embedding, Error, Id, Kind, Nearby, Neighbour, Result, Scope, Vector, VectorIndex, VectorModel};

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
    async fn upsert(&self, embeddings: &[Embedding]) -> Result<()> {
        let mut tables = self.storage.write()?;
        for (i, embedding) in embeddings.iter().enumerate() {
            let model = &embedding.vector.model;
            let earlier = embeddings[..i].iter().find(|earlier| earlier.vector.model == *model);
            check(&embedding.vector, dimensions(&tables, model).or(earlier.map(|earlier| earlier.vector.components.len())))?;
        }
        for embedding in embeddings {
            if !tables.has(embedding.kind, embedding.id) {
                continue;
            }
            tables.embeddings.insert((embedding.vector.model.clone(), embedding.kind, embedding.id), embedding.clone());
        }
        Ok(())
    }

    async fn remove(&self, kind: Kind, id: Id) -> Result<()> {
        self.storage.write()?.embeddings.retain(|_, embedding| (embedding.kind, embedding.id) != (kind, id));
        Ok(())
    }

    async fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>> {
        let tables = self.storage.read()?;
        check(vector, dimensions(&tables, &vector.model))?;
        let access = Access::of(scope, &tables);
        let open = |embedding: &Embedding| {
            tables.get(embedding.kind, embedding.id).is_some_and(|record| {
                access.sees(&tables, record)
                    && (filter.kinds.is_empty() || filter.kinds.contains(&embedding.kind))
                    && filter.space_id.is_none_or(|space_id| tables.space_of(record) == Some(space_id))
            })
        };

        let candidates = of_model(&tables, &vector.model).filter(|embedding| open(embedding));
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
        let tables = self.storage.read()?;
        let embedded: BTreeMap<_, _> = of_model(&tables, model).map(|e| ((e.kind, e.id), e.revision)).collect();
        let searched = tables.behind(None).filter(|record| record.kind().is_searched());
        let pending = searched.filter(|record| embedded.get(&(record.kind(), record.id())).is_none_or(|at| *at != record.revision()));
        Ok(pending.map(|record| (record.kind(), record.id())).take(limit).collect())
    }

    async fn export(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        let tables = self.storage.read()?;
        let start = after.map_or(Bound::Unbounded, |(model, kind, id)| Bound::Excluded((model.to_owned(), kind, id)));
        Ok(tables.embeddings.range((start, Bound::Unbounded)).map(|(_, embedding)| embedding.clone()).take(limit).collect())
    }

    async fn load(&self, embeddings: &[Embedding]) -> Result<()> {
        self.upsert(embeddings).await
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
