//! A little of all that is awkward, and allowed: every text that some format has its own ideas of, every character, every bound of every
//! field, every age. What must not come in: what the model refuses, since it is not there to be moved.

mod accounts;
mod bodies;
mod content;
mod embeddings;
mod texts;
mod values;

use mosaic_core::{Embedding, Entity, Record};

use super::draw::Draw;

/// What is awkward to keep, in dependency order.
#[derive(Debug, Clone, PartialEq)]
pub struct HostileData {
    pub records: Vec<Record>,
    pub embeddings: Vec<Embedding>,
}

/// Makes awkward data: the same seed makes the same. It takes some 20 MB, most of it in a few bodies.
pub fn hostile(seed: u64) -> HostileData {
    let mut draw = Draw::of(seed, "hostile", 0);
    let accounts = accounts::all(&mut draw);
    let content = content::all(&mut draw, &accounts);
    let embeddings = embeddings::all(&content);
    let mut records = accounts.records();
    records.extend(content);
    HostileData { records, embeddings }
}

/// Gives a record the time of change and the revision of its number, so that every kind has them all.
fn aged<T: Entity>(mut entity: T, number: usize) -> T {
    entity.stamp(values::time(number + 1), values::revision(number));
    entity
}
