//! A vector index as cases use it: with a model of their own, and calls in short form.

use std::sync::Arc;

use mosaic_core::{Embedding, Id, Nearby, Record, Scope, User, Vector, VectorIndex};

use super::Env;

/// An index, and a model of the case's own.
#[derive(Clone)]
pub(crate) struct Index {
    pub(crate) vectors: Arc<dyn VectorIndex>,
    pub(crate) model: String,
}

impl Index {
    pub(crate) fn of(env: &Env) -> Self {
        let Some(vectors) = &env.vectors else { panic!("the backend claims vectors and has none") };
        Self { vectors: Arc::clone(vectors), model: env.name() }
    }

    pub(crate) fn vector(&self, components: &[f32]) -> Vector {
        Vector { model: self.model.clone(), components: components.to_vec() }
    }

    pub(crate) fn embedding(&self, record: &Record, components: &[f32]) -> Embedding {
        Embedding { kind: record.kind(), id: record.id(), revision: record.revision(), vector: self.vector(components) }
    }

    pub(crate) async fn upsert(&self, record: &Record, components: &[f32]) {
        self.upsert_as(Scope::System, record, components).await;
    }

    /// Answers whether it was stored.
    pub(crate) async fn upsert_as(&self, scope: Scope, record: &Record, components: &[f32]) -> bool {
        let stored = self.vectors.upsert(scope, &[self.embedding(record, components)]).await.unwrap();
        assert_eq!(stored.len(), 1, "one embedding has one outcome");
        stored[0]
    }

    /// The ids of the nearest, after a check that they come in order.
    pub(crate) async fn nearest(&self, scope: Scope, components: &[f32], k: usize, filter: &Nearby) -> Vec<Id> {
        let found = self.vectors.nearest(scope, &self.vector(components), k, filter).await.unwrap();
        assert!(found.len() <= k);
        assert!(
            found.is_sorted_by(|a, b| (a.distance, a.id, a.kind) < (b.distance, b.id, b.kind)),
            "nearest first, ties by id, then kind: {found:?}"
        );
        found.iter().map(|neighbour| neighbour.id).collect()
    }
}

/// Notes around a circle of directions, the first one pointing to (1, 0).
pub(crate) async fn circle(env: &Env, index: &Index, user: &User, count: u8) -> Vec<Record> {
    let mut notes = Vec::new();
    for i in 0..count {
        let note = Record::Note(env.stored(env.new_note(user)).await);
        let angle = f32::from(i) * 0.1;
        index.upsert(&note, &[3.0 * angle.cos(), 3.0 * angle.sin()]).await;
        notes.push(note);
    }
    notes
}

pub(crate) fn ids(records: &[Record]) -> Vec<Id> {
    records.iter().map(Record::id).collect()
}
