//! One compared call: what is asked, how a backend is asked it, and whether its answer is the oracle's.
//! What must not come in: what the answer should be.

use std::collections::BTreeSet;

use mosaic_core::{
    Applied, Batch, Change, Embedding, Error, ErrorKind, Id, Kind, Nearby, Neighbour, Query, Record, Result, Scope, Search, Timestamp,
    Vector,
};

use super::tally::Verb;
use crate::behaviour::Env;

/// The most hits of a search, which is more than a world has records.
const HITS: usize = 100;

/// How far a distance may be from the oracle's: components are `f32`.
const TOLERANCE: f32 = 1e-4;

/// What a backend is asked, under some scope.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Get(Kind, Id),
    /// To the end of the list, in pages of the query's limit.
    List(Query),
    Search {
        words: Vec<&'static str>,
        kinds: Vec<Kind>,
        space_id: Option<Id>,
    },
    Nearest {
        vector: Vector,
        k: usize,
        filter: Nearby,
    },
    Embed(Embedding),
    Change(Change),
}

/// What it answers. Refusals are all those that are right; of a backend, the one that it gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Got(Option<Record>),
    Listed(Vec<Record>),
    Found(BTreeSet<Found>),
    Near(Vec<Neighbour>),
    Embedded(bool),
    Applied(Applied),
    Refused(Vec<ErrorKind>),
}

/// What a search says of a record that it found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) id: Id,
    pub(crate) space_id: Option<Id>,
    pub(crate) session_id: Option<Id>,
    pub(crate) title: String,
}

impl Call {
    pub(crate) fn verb(&self) -> Verb {
        match self {
            Self::Get(..) => Verb::Get,
            Self::List(_) => Verb::List,
            Self::Search { .. } => Verb::Search,
            Self::Nearest { .. } => Verb::Nearest,
            Self::Embed(_) => Verb::Embed,
            Self::Change(Change::Create(_)) => Verb::Create,
            Self::Change(Change::Update(_)) => Verb::Update,
            Self::Change(Change::Delete { .. }) => Verb::Delete,
        }
    }

    /// The kinds that it asks for.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        match self {
            Self::Search { kinds, .. } | Self::Nearest { filter: Nearby { kinds, .. }, .. } if kinds.is_empty() => {
                Kind::searched().collect()
            }
            Self::Search { kinds, .. } | Self::Nearest { filter: Nearby { kinds, .. }, .. } => kinds.clone(),
            Self::Get(kind, _) | Self::Change(Change::Delete { kind, .. }) => vec![*kind],
            Self::List(query) => vec![query.kind],
            Self::Embed(embedding) => vec![embedding.kind],
            Self::Change(Change::Create(record) | Change::Update(record)) => vec![record.kind()],
        }
    }

    /// Asks a backend.
    pub(crate) async fn ask(&self, env: &Env, scope: Scope, at: Timestamp) -> Result<Answer> {
        Ok(match self {
            Self::Get(kind, id) => Answer::Got(env.storage.get(scope, *kind, *id).await?),
            Self::List(query) => Answer::Listed(list(env, scope, query).await?),
            Self::Search { words, kinds, space_id } => {
                let mut search = Search::new(&words.join(" "))?.kinds(kinds.clone())?.limit(HITS)?;
                search.space_id = *space_id;
                let hits = env.storage.search(scope, &search).await?;
                let count = hits.len();
                let found: BTreeSet<_> = hits
                    .into_iter()
                    .map(|hit| Found {
                        kind: hit.kind,
                        id: hit.id,
                        space_id: Some(hit.space_id),
                        session_id: hit.session_id,
                        title: hit.title,
                    })
                    .collect();
                if found.len() < count || count == HITS {
                    return Err(wrong(format!("{count} hits for {} records", found.len())));
                }
                Answer::Found(found)
            }
            Self::Nearest { vector, k, filter } => Answer::Near(env.vectors.as_ref().unwrap().nearest(scope, vector, *k, filter).await?),
            Self::Embed(embedding) => {
                Answer::Embedded(env.vectors.as_ref().unwrap().upsert(scope, std::slice::from_ref(embedding)).await? == [true])
            }
            Self::Change(change) => {
                let mut applied = env.storage.apply(scope, &Batch::one(at, change.clone())).await?;
                match applied.pop().filter(|_| applied.is_empty()) {
                    Some(applied) => Answer::Applied(applied),
                    None => return Err(wrong("one change has not one outcome")),
                }
            }
        })
    }

    /// Whether a backend's answer is right.
    pub(crate) fn is_answered(&self, expected: &Answer, got: &Result<Answer>) -> bool {
        match (expected, got) {
            // To the letter what is answered when it is not there.
            (Answer::Refused(refusals), Err(error)) if *refusals == [ErrorKind::NotFound] => {
                let (kind, id) = match self {
                    Self::Change(Change::Update(record)) => (record.kind(), record.id()),
                    Self::Change(Change::Delete { kind, id, .. }) => (*kind, *id),
                    _ => return false,
                };
                format!("{error:?}") == format!("{:?}", Error::not_found(kind, id))
            }
            (Answer::Refused(refusals), Err(error)) => refusals.contains(&error.kind()),
            (Answer::Near(expected), Ok(Answer::Near(got))) => {
                expected.len() == got.len()
                    && expected.iter().zip(got).all(|(expected, got)| {
                        (expected.kind, expected.id) == (got.kind, got.id) && (expected.distance - got.distance).abs() < TOLERANCE
                    })
            }
            (_, got) => got.as_ref().is_ok_and(|got| got == expected),
        }
    }
}

/// Reads a list to its end. Each page is full but the last, which says that it is.
async fn list(env: &Env, scope: Scope, query: &Query) -> Result<Vec<Record>> {
    let (mut query, mut items) = (query.clone(), Vec::new());
    loop {
        let page = env.storage.list(scope, &query).await?;
        let count = page.items.len();
        if count > query.limit || page.next.is_some() && count < query.limit {
            return Err(wrong(format!("a page of {count} items, {} asked for, next: {:?}", query.limit, page.next)));
        }
        items.extend(page.items);
        if page.next.is_none() {
            return Ok(items);
        }
        query.after = page.next;
    }
}

/// An answer that no backend should give, whatever was asked.
fn wrong(how: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Internal, how)
}
