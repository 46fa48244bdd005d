//! The vectors: embeddings beside their records, in the same transactions, compared one by one. Exact, and as fast as the disk's cache: of
//! what a scope does not see, nothing is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use mosaic_core::rules::Access;
use mosaic_core::vectors::{cosine_distance, dot};
use mosaic_core::{Embedding, Id, Kind, Nearby, Neighbour, Result, Scope, StateWrite, Vector, VectorIndex, VectorModel, async_trait};
use redb::ReadableTable;

use crate::engine::Engine;
use crate::error::{engine, unreadable};
use crate::storage::{behind, seen};
use crate::tables::{Draft, MADE, Snapshot, split};
use crate::walk::Walk;

/// Embeddings in a database of this process's own.
pub(crate) struct RedbVectors(Arc<Engine>);

impl RedbVectors {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self(engine)
    }
}

#[async_trait]
impl VectorIndex for RedbVectors {
    async fn upsert(&self, scope: Scope, embeddings: &[Embedding]) -> Result<Vec<bool>> {
        let embeddings = embeddings.to_vec();
        self.0.write(move |draft| store(draft, scope, &embeddings)).await
    }

    async fn remove(&self, scope: Scope, kind: Kind, id: Id) -> Result<bool> {
        let work = self.0.write(move |draft| match seen(draft, scope, kind, id)? {
            Some(_) => draft.remove_embeddings(kind, id),
            None => Ok(false),
        });
        work.await
    }

    async fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>> {
        let (vector, filter) = (vector.clone(), filter.clone());
        self.0.read(move |snapshot| nearest(snapshot, scope, &vector, k, &filter)).await
    }

    async fn pending(&self, model: &str, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<(Kind, Id)>> {
        let model = model.to_owned();
        self.0.read(move |snapshot| pending(snapshot, &model, after, limit)).await
    }

    async fn export(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
        let after = after.map(|(model, kind, id)| (model.to_owned(), kind, id));
        self.0.read(move |snapshot| export(snapshot, after.as_ref().map(|(model, kind, id)| (model.as_str(), *kind, *id)), limit)).await
    }

    async fn load(&self, embeddings: &[Embedding], state: Option<&StateWrite>) -> Result<()> {
        let (embeddings, state) = (embeddings.to_vec(), state.cloned());
        let work = self.0.write(move |draft| {
            store(draft, Scope::System, &embeddings)?;
            state.as_ref().map(|write| draft.put_state(write)).transpose()?;
            Ok(())
        });
        work.await
    }

    async fn forget(&self, model: &str, limit: usize) -> Result<usize> {
        let model = model.to_owned();
        self.0.write(move |draft| forget(draft, &model, limit)).await
    }

    async fn describe(&self) -> Result<Vec<VectorModel>> {
        self.0.read(describe).await
    }
}

/// The dimensions of a model's vectors; `None` when there are none yet.
fn dimensions(models: &impl ReadableTable<&'static str, (u64, u64)>, model: &str) -> Result<Option<usize>> {
    Ok(models.get(model).map_err(engine)?.and_then(|model| usize::try_from(model.value().0).ok()))
}

/// Stores the embeddings of what the scope sees; none when one of them cannot be. The first of a new model says its dimensions.
fn store(draft: &mut Draft, scope: Scope, embeddings: &[Embedding]) -> Result<Vec<bool>> {
    let mut known = BTreeMap::new();
    for embedding in embeddings {
        let vector = &embedding.vector;
        let expected = match known.get(&vector.model) {
            Some(expected) => *expected,
            None => dimensions(&draft.models, &vector.model)?.unwrap_or(vector.components.len()),
        };
        known.insert(&vector.model, expected);
        embedding.check(Some(expected))?;
    }
    let mut stored = Vec::with_capacity(embeddings.len());
    for Embedding { kind, id, revision, vector } in embeddings {
        let current = seen(draft, scope, *kind, *id)?.is_some_and(|record| *revision <= record.revision());
        if current {
            draft.put_embedding(&vector.model, *kind, *id, &encode(*revision, &vector.components), vector.components.len())?;
        }
        stored.push(current);
    }
    Ok(stored)
}

fn encode(revision: u64, components: &[f32]) -> Vec<u8> {
    let components = components.iter().flat_map(|component| component.to_le_bytes());
    revision.to_le_bytes().into_iter().chain(components).collect()
}

fn decode(bytes: &[u8]) -> Result<(u64, Vec<f32>)> {
    let (revision, rest) = split(bytes)?;
    let (components, []) = rest.as_chunks() else { return Err(unreadable("an embedding that was cut off")) };
    Ok((revision, components.iter().map(|component| f32::from_le_bytes(*component)).collect()))
}

fn nearest(snapshot: &Snapshot, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>> {
    vector.check(dimensions(&snapshot.models, &vector.model)?)?;
    let access = Access::of(scope, snapshot)?;
    let square = dot(&vector.components, &vector.components);
    let mut found = Vec::new();
    for kind in Kind::searched().filter(|kind| filter.kinds.is_empty() || filter.kinds.contains(kind)) {
        let mut walk = Walk::new(false, None);
        walk.along(snapshot, kind, MADE, &snapshot.shelves(&access, kind, filter.space_id)?)?;
        while let Some(step) = walk.next()? {
            let place = (vector.model.as_str(), kind.singular(), step.id.as_u128());
            let Some(bytes) = snapshot.embeddings.get(place).map_err(engine)? else { continue };
            let (_, to) = decode(bytes.value())?;
            let distance = cosine_distance(dot(&vector.components, &to), square, dot(&to, &to));
            found.push(Neighbour { kind, id: step.id, distance });
        }
    }
    found.sort_by(|a, b| a.distance.total_cmp(&b.distance).then((a.id, a.kind).cmp(&(b.id, b.kind))));
    found.truncate(k);
    Ok(found)
}

fn pending(snapshot: &Snapshot, model: &str, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<(Kind, Id)>> {
    let mut found = Vec::new();
    for (kind, first) in behind(Kind::searched(), after) {
        let name = kind.singular();
        for entry in snapshot.records.range((name, first)..=(name, u128::MAX)).map_err(engine)? {
            if found.len() == limit {
                return Ok(found);
            }
            let (key, record) = entry.map_err(engine)?;
            let (_, id) = key.value();
            let embedded = snapshot.embeddings.get((model, name, id)).map_err(engine)?;
            let embedded = embedded.map(|bytes| split(bytes.value()).map(|(revision, _)| revision)).transpose()?;
            if embedded != Some(split(record.value())?.0) && after != Some((kind, Id::from_u128(id))) {
                found.push((kind, Id::from_u128(id)));
            }
        }
    }
    Ok(found)
}

fn export(snapshot: &Snapshot, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>> {
    let mut found = Vec::new();
    for entry in snapshot.models.range(after.map_or("", |(model, ..)| model)..).map_err(engine)? {
        let (model, _) = entry.map_err(engine)?;
        let model = model.value();
        let after = after.filter(|(last, ..)| *last == model).map(|(_, kind, id)| (kind, id));
        for (kind, first) in behind(Kind::searched(), after) {
            let name = kind.singular();
            for entry in snapshot.embeddings.range((model, name, first)..=(model, name, u128::MAX)).map_err(engine)? {
                let (key, bytes) = entry.map_err(engine)?;
                let id = Id::from_u128(key.value().2);
                if after == Some((kind, id)) {
                    continue;
                }
                if found.len() == limit {
                    return Ok(found);
                }
                let (revision, components) = decode(bytes.value())?;
                found.push(Embedding { kind, id, revision, vector: Vector { model: model.to_owned(), components } });
            }
        }
    }
    Ok(found)
}

fn forget(draft: &mut Draft, model: &str, limit: usize) -> Result<usize> {
    let mut forgotten = Vec::new();
    for kind in Kind::searched() {
        let name = kind.singular();
        let range = draft.embeddings.range((model, name, 0)..=(model, name, u128::MAX)).map_err(engine)?;
        for entry in range.take(limit - forgotten.len()) {
            forgotten.push((kind, Id::from_u128(entry.map_err(engine)?.0.value().2)));
        }
    }
    for (kind, id) in &forgotten {
        draft.remove_embedding(model, *kind, *id)?;
    }
    Ok(forgotten.len())
}

fn describe(snapshot: &Snapshot) -> Result<Vec<VectorModel>> {
    let mut models = Vec::new();
    for entry in snapshot.models.iter().map_err(engine)? {
        let (model, value) = entry.map_err(engine)?;
        let (dimensions, count) = value.value();
        let dimensions = usize::try_from(dimensions).map_err(unreadable)?;
        models.push(VectorModel { model: model.value().to_owned(), dimensions, count, exact: true });
    }
    Ok(models)
}
