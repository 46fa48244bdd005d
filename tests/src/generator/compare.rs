//! Whether data is the same, told without a wall of text: of large records only the first that differs is named.

use std::fmt::Debug;

use mosaic_core::{Embedding, Record};
use serde_json::Value;

/// Checks that both are the same records, in whatever order.
///
/// # Panics
/// When they are not, naming the first that is missing, is too many, or differs, and the fields in which it does.
pub fn assert_same_records(mut expected: Vec<Record>, mut actual: Vec<Record>) {
    let place = |record: &Record| (record.kind(), record.id());
    expected.sort_by_key(place);
    actual.sort_by_key(place);
    assert_same_places(expected.iter().map(place), actual.iter().map(place));
    for (expected, actual) in expected.iter().zip(&actual) {
        assert!(expected == actual, "{:?} differs in {:?}", place(expected), differing_fields(expected, actual));
    }
}

/// Checks that both are the same embeddings, in whatever order, to the bit: -0.0 is not 0.0.
///
/// # Panics
/// When they are not, naming the first that is missing, is too many, or differs.
pub fn assert_same_embeddings(mut expected: Vec<Embedding>, mut actual: Vec<Embedding>) {
    let place = |embedding: &Embedding| (embedding.vector.model.clone(), embedding.kind, embedding.id);
    let bits = |embedding: &Embedding| embedding.vector.components.iter().map(|component| component.to_bits()).collect::<Vec<_>>();
    expected.sort_by_cached_key(place);
    actual.sort_by_cached_key(place);
    assert_same_places(expected.iter().map(place), actual.iter().map(place));
    for (expected, actual) in expected.iter().zip(&actual) {
        assert_eq!(expected.revision, actual.revision, "the revision of {:?}", place(expected));
        assert!(bits(expected) == bits(actual), "the vector of {:?}", place(expected));
    }
}

/// Checks that both are the same places, each once.
fn assert_same_places<T: Debug + PartialEq>(mut expected: impl Iterator<Item = T>, mut actual: impl Iterator<Item = T>) {
    loop {
        match (expected.next(), actual.next()) {
            (None, None) => return,
            (expected, actual) => assert_eq!(expected, actual, "what is next, as it should be and as it is"),
        }
    }
}

fn differing_fields(expected: &Record, actual: &Record) -> Vec<String> {
    let [expected, actual] = [expected, actual].map(|record| serde_json::to_value(record).unwrap());
    let fields = |record: &Value| record.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut all = fields(&expected);
    all.extend(fields(&actual));
    all.sort();
    all.dedup();
    all.retain(|field| expected.get(field) != actual.get(field));
    all
}
