//! Embeddings with numbers at the bounds of theirs, of models whose names are awkward.

use mosaic_core::vectors::{MAX_DIMENSIONS, MODEL_CHARS};
use mosaic_core::{Embedding, Record, Vector};

use super::texts;

/// The bounds of a 32-bit number, what is next to nothing, and nothing with either sign.
const COMPONENTS: [f32; 12] = [
    f32::MAX,
    f32::MIN,
    0.0,
    -0.0,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    // The smallest that there is, and the largest below the normal ones.
    f32::from_bits(1),
    f32::from_bits(0x8000_0001),
    f32::from_bits(0x007f_ffff),
    f32::EPSILON,
    1.0,
    0.1,
];

/// Names that are awkward in SQL, that differ in case or in how they are written alone, and a space.
const MODELS: &[&str] =
    &["'; DROP TABLE embedding_models; --", "\"\\'$1%", " ", "{NULL,\"a\"}", "model", "MODEL", "é", "e\u{301}", "\u{202e}\u{ffff}"];

/// Embeddings of records that are searched, model by model: of a few, of the last, and of every one.
pub(super) fn all(content: &[Record]) -> Vec<Embedding> {
    let searched: Vec<_> = content.iter().filter(|record| record.kind().is_searched()).collect();
    let mut embeddings = Vec::new();
    for model in MODELS {
        // Of 1 dimension, which is a sign and a length.
        let few = searched.iter().step_by(5).zip(COMPONENTS);
        embeddings.extend(few.map(|(record, component)| embedding(record, record.revision(), model, vec![component])));
    }
    let longest = texts::of_length(MODEL_CHARS - 2) + "'\"";
    let vectors = COMPONENTS.map(|component| vec![component; MAX_DIMENSIONS]).into_iter().chain([
        COMPONENTS.iter().copied().cycle().take(MAX_DIMENSIONS).collect(),
        [f32::MAX, f32::MIN].into_iter().cycle().take(MAX_DIMENSIONS).collect(),
    ]);
    embeddings.extend(searched.iter().rev().zip(vectors).map(|(record, components)| embedding(record, 1, &longest, components)));
    embeddings.extend(searched.iter().enumerate().map(|(number, record)| {
        let components = COMPONENTS.iter().copied().cycle().skip(number % COMPONENTS.len()).take(7).collect();
        embedding(record, record.revision().div_ceil(1 + number as u64 % 3), "every one", components)
    }));
    embeddings
}

fn embedding(record: &Record, revision: u64, model: &str, components: Vec<f32>) -> Embedding {
    Embedding { kind: record.kind(), id: record.id(), revision, vector: Vector { model: model.to_owned(), components } }
}
