//! Finding records: by their words, by a vector that is near to theirs, or by both, fused into one ranking. The vector is the caller's, or
//! made from the words. What must not come in: requests, and how words and vectors are looked for, which is the backend's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Hit, Id, Kind, Nearby, Neighbour, Record, Result, Scope, Search, Storage, Vector, VectorIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::embedding::QueryVectors;

/// In each ranking that has it, the hit at place n (from 1) gets 1 / (DAMPING + n): reciprocal rank fusion, with the constant that its
/// authors found to be good (Cormack, Clarke and Büttcher, SIGIR 2009).
const DAMPING: f64 = 60.0;

/// Each ranking that is fused is so long, at least: what stands in the middle of both may come out first.
const DEPTH: usize = 50;

/// How long words that were found wait for what is near.
const NEAR: Duration = Duration::from_secs(2);

/// What is searched.
#[derive(Clone)]
pub struct Searcher {
    /// The records, with their words.
    pub storage: Arc<dyn Storage>,
    /// Their embeddings, if the backend keeps any.
    pub vectors: Option<Arc<dyn VectorIndex>>,
    /// Makes words into vectors, if there is a model.
    pub meaning: Option<Arc<QueryVectors>>,
}

/// What a search is to go by.
#[derive(Debug, Clone, Copy)]
pub enum By<'s> {
    /// Its words alone.
    Words,
    /// Its words, and what is near to the text that they are from, as far as the model answers.
    Text(&'s str),
    /// A vector, and its words, if it has any.
    Vector(&'s Vector),
}

/// What a search found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// The hits, the best first.
    pub items: Vec<Hit>,
    /// What they were found by. By both: a hit may have all the words, or be near to the vector, or both.
    pub used: Vec<Used>,
}

/// What a search goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Used {
    /// The words of the text.
    Words,
    /// The vector.
    Vector,
}

impl Searcher {
    /// Finds what the scope may see.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a vector where the backend keeps none, and those of [`Storage::search`] and [`VectorIndex::nearest`].
    /// What goes wrong with a vector that was made from the words is none: the search goes by words alone then.
    pub async fn search(&self, scope: Scope, search: &Search, by: By<'_>) -> Result<Found> {
        match (by, &self.meaning) {
            (By::Vector(vector), _) => self.by_vector(scope, search, vector).await,
            (By::Text(text), Some(meaning)) => self.by_meaning(scope, search, text, meaning).await,
            (By::Text(_), None) | (By::Words, _) => Ok(Found { items: self.storage.search(scope, search).await?, used: vec![Used::Words] }),
        }
    }

    async fn by_vector(&self, scope: Scope, search: &Search, vector: &Vector) -> Result<Found> {
        let vectors = self.vectors()?;
        let (deep, nearby) = (deep(search), nearby(search));
        let by_words = async { if search.has_words() { self.storage.search(scope, &deep).await } else { Ok(Vec::new()) } };
        let (hits, neighbours) = futures::try_join!(by_words, vectors.nearest(scope, vector, deep.limit, &nearby))?;
        let used = if search.has_words() { vec![Used::Words, Used::Vector] } else { vec![Used::Vector] };
        Ok(Found { items: self.fused(scope, search, hits, &neighbours).await?, used })
    }

    async fn by_meaning(&self, scope: Scope, search: &Search, text: &str, meaning: &Arc<QueryVectors>) -> Result<Found> {
        let deep = deep(search);
        let near = async {
            let vector = meaning.of(text).await?;
            let nearby = nearby(search);
            let nearest = self.vectors().ok()?.nearest(scope, &vector, deep.limit, &nearby);
            match tokio::time::timeout(NEAR, nearest).await {
                Ok(Ok(neighbours)) => Some(neighbours),
                Err(_) => {
                    tracing::debug!("a search goes by words alone: what is near takes too long to find");
                    None
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a search goes by words alone");
                    if error.kind() == ErrorKind::Invalid {
                        meaning.forget(text).await;
                    }
                    None
                }
            }
        };
        let (hits, neighbours) = futures::join!(self.storage.search(scope, &deep), near);
        let mut hits = hits?;
        let Some(neighbours) = neighbours else {
            hits.truncate(search.limit);
            return Ok(Found { items: hits, used: vec![Used::Words] });
        };
        Ok(Found { items: self.fused(scope, search, hits, &neighbours).await?, used: vec![Used::Words, Used::Vector] })
    }

    /// The index of vectors.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the backend keeps none.
    pub fn vectors(&self) -> Result<&dyn VectorIndex> {
        self.vectors
            .as_deref()
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "this tier keeps no vectors").hint("search by words alone"))
    }

    /// The best of both rankings.
    async fn fused(&self, scope: Scope, search: &Search, hits: Vec<Hit>, neighbours: &[Neighbour]) -> Result<Vec<Hit>> {
        let order = fuse(hits.iter().map(|hit| (hit.kind, hit.id)), neighbours.iter().map(|near| (near.kind, near.id)));
        let mut hits: HashMap<_, _> = hits.into_iter().map(|hit| ((hit.kind, hit.id), hit)).collect();
        let mut best = Vec::new();
        for (kind, id) in order {
            let hit = match hits.remove(&(kind, id)) {
                Some(hit) => Some(hit),
                None => self.hit(scope, search, kind, id).await?,
            };
            best.extend(hit);
            if best.len() == search.limit {
                break;
            }
        }
        Ok(best)
    }

    /// What is near as a hit; `None` when it went, or went out of sight, meanwhile.
    async fn hit(&self, scope: Scope, search: &Search, kind: Kind, id: Id) -> Result<Option<Hit>> {
        let Some(record) = self.storage.get(scope, kind, id).await? else { return Ok(None) };
        let Record::Message(message) = &record else {
            return Ok(record.space_id().map(|space_id| search.hit(&record, None, space_id)));
        };
        let session = self.storage.get(scope, Kind::Session, message.session_id).await?;
        Ok(session.and_then(|session| Some(search.hit(&record, Some(&session), session.space_id()?))))
    }
}

/// The same search, for a ranking that is to be fused.
fn deep(search: &Search) -> Search {
    let mut deep = search.clone();
    deep.limit = deep.limit.max(DEPTH);
    deep
}

/// What narrows the search, as it narrows what is near.
fn nearby(search: &Search) -> Nearby {
    Nearby { kinds: search.kinds.clone(), space_id: search.space_id }
}

/// Two rankings in one: by the sum of what each place is worth; what is worth the same stays in the order in which it is named first.
fn fuse(by_words: impl Iterator<Item = (Kind, Id)>, by_vector: impl Iterator<Item = (Kind, Id)>) -> Vec<(Kind, Id)> {
    let mut worth: HashMap<(Kind, Id), f64> = HashMap::new();
    let mut order = Vec::new();
    let mut count = |place: usize, record: (Kind, Id)| {
        *worth.entry(record).or_insert_with(|| {
            order.push(record);
            0.0
        }) += 1.0 / (DAMPING + place as f64 + 1.0);
    };
    by_words.enumerate().for_each(|(place, record)| count(place, record));
    by_vector.enumerate().for_each(|(place, record)| count(place, record));
    order.sort_by(|a, b| worth[b].total_cmp(&worth[a]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fused(by_words: &[u128], by_vector: &[u128]) -> Vec<u128> {
        let places = |ids: &[u128]| ids.iter().map(|id| (Kind::Note, Id::from_u128(*id))).collect::<Vec<_>>().into_iter();
        fuse(places(by_words), places(by_vector)).into_iter().map(|(_, id)| id.as_u128()).collect()
    }

    #[test]
    fn what_both_rankings_have_comes_first() {
        assert_eq!(fused(&[1, 2, 3], &[4, 3, 5]), [3, 1, 4, 2, 5]);
        assert_eq!(fused(&[1, 2], &[2, 1]), [1, 2]);
        assert_eq!(fused(&[], &[7, 8]), [7, 8]);
        assert_eq!(fused(&[7, 8], &[]), [7, 8]);
    }

    #[test]
    fn the_same_id_of_two_kinds_is_two_records() {
        let id = Id::from_u128(1);
        assert_eq!(fuse([(Kind::Task, id)].into_iter(), [(Kind::Note, id)].into_iter()).len(), 2);
    }
}
