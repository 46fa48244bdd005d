//! Embeddings of two models: most records have one of the first, some one of the second, and some of them are of an earlier revision.

use mosaic_core::{Embedding, Kind, Vector};

use super::Generator;
use super::draw::Draw;

/// What the models are called: as clients call them, so that no gateway takes them for its own, and forgets them.
const MODELS: [&str; 2] = ["nomic-embed-text", "text-embedding-3-small"];

/// So many of them are of one model.
struct Share {
    model: &'static str,
    count: usize,
    dimensions: usize,
}

/// All embeddings, model by model, kind by kind.
pub(super) fn all(of: &Generator) -> impl Iterator<Item = Embedding> + '_ {
    shares(of).into_iter().flat_map(move |share| (0..share.count).map(move |number| embedding(of, &share, number)))
}

fn shares(of: &Generator) -> [Share; 2] {
    let size = of.size;
    // Three quarters, as long as there are as many records.
    let first = (size.embeddings - size.embeddings / 4).min(size.searched());
    let second = if size.dimensions > 1 { size.dimensions / 2 } else { 2 };
    let [one, two] = MODELS;
    [
        Share { model: one, count: first, dimensions: size.dimensions },
        Share { model: two, count: size.embeddings - first, dimensions: second },
    ]
}

fn embedding(of: &Generator, share: &Share, number: usize) -> Embedding {
    // Spread evenly over all that there is, none twice.
    let place = (number as u128 * of.size.searched() as u128 / share.count as u128) as usize;
    let (kind, place) = searched(of, place);
    let common = of.draw(kind, place).common();
    let mut draw = Draw::of(of.seed, share.model, number);
    // A message stays as it was made, at its first revision.
    let now = if kind == Kind::Message { 1 } else { common.revision };
    let revision = if draw.chance(15) { draw.between(1, now as usize) as u64 } else { now };
    let components = (0..share.dimensions).map(|_| draw.component()).collect();
    Embedding { kind, id: common.id, revision, vector: Vector { model: share.model.to_owned(), components } }
}

/// Which one, of all records that may have embeddings.
fn searched(of: &Generator, mut place: usize) -> (Kind, usize) {
    for kind in Kind::ALL.iter().filter(|kind| kind.is_searched()) {
        match place.checked_sub(of.size.count(*kind)) {
            Some(behind) => place = behind,
            None => return (*kind, place),
        }
    }
    panic!("there are not so many records to embed")
}
