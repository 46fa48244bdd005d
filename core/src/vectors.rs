//! Embeddings of records, and finding the nearest. Vectors of different models are never compared.

use async_trait::async_trait;

use crate::{Error, Id, Kind, Result, Scope, StateWrite};

/// The most components a vector may have: what pgvector can index (its README, "half-precision vectors").
pub const MAX_DIMENSIONS: usize = 4_000;

/// The longest name of a model, in characters.
pub const MODEL_CHARS: usize = 200;

/// An index of embeddings of records of the kinds that are searched ([`Kind::is_searched`]). One record has at most one embedding a
/// model, and it ends with the record: what is removed is neither near, nor counted, nor exported, and the same id made anew begins
/// without an embedding. All vectors of a model have the same dimensions; a model without embeddings has none yet.
#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// Stores embeddings of records that the scope may see, in place of earlier ones of the same record and model; all of them or, on an
    /// error, none. Answers for each whether it was stored: one whose record is not there, not to be seen, or not at its revision yet (it
    /// was made anew meanwhile) is left out.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for what [`Embedding::check`] refuses, and a vector whose dimensions are not its model's.
    /// [`crate::ErrorKind::Full`] when the index takes no more embeddings, or models.
    async fn upsert(&self, scope: Scope, embeddings: &[Embedding]) -> Result<Vec<bool>>;

    /// Forgets a record's embeddings, of every model, if the scope may see the record. Answers whether there were any.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn remove(&self, scope: Scope, kind: Kind, id: Id) -> Result<bool>;

    /// The `k` nearest records, by cosine distance, that the scope may see and the filter lets through, nearest first; ties by id, then
    /// kind. Answers `k` of them whenever `k` exist, and none for a model without embeddings.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a vector that [`Vector::check`] refuses, and one whose dimensions are not its model's.
    async fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>>;

    /// Records whose embedding by this model is missing or of another revision than theirs, in the order of an export (kind, id): up to
    /// `limit` behind `after`, none at the end.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn pending(&self, model: &str, after: Option<(Kind, Id)>, limit: usize) -> Result<Vec<(Kind, Id)>>;

    /// Reads all embeddings in a fixed order (model by code point, kind, id): up to `limit` behind `after`, none at the end.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn export(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>>;

    /// Takes over embeddings as they are, after their records, together with a state write, if one is given.
    ///
    /// # Errors
    /// As [`Self::upsert`], and [`crate::ErrorKind::Stale`] when the state write's expectation does not hold.
    async fn load(&self, embeddings: &[Embedding], state: Option<&StateWrite>) -> Result<()>;

    /// Forgets up to `limit` embeddings of a model, whoever sees their records, and answers how many it forgot: fewer than `limit` only
    /// when none are left, and none of a model that is not there. For whoever no longer uses a model: called until nothing is left, it
    /// gives back what the model took, and each call is short.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn forget(&self, model: &str, limit: usize) -> Result<usize>;

    /// Makes what an approximate index needs to answer quickly, and returns when it is there. For whoever has loaded much and is about to
    /// hand it over: while a backend's services run, it comes by itself. Nothing to do for an exact index.
    ///
    /// # Errors
    /// Only those of the backend itself; it is made anew then, by the next call or by a service.
    async fn settle(&self) -> Result<()> {
        Ok(())
    }

    /// What the index holds, a line a model.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn describe(&self) -> Result<Vec<VectorModel>>;
}

/// A vector and the model that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    /// The model's name.
    pub model: String,
    /// The components; their number is the model's dimensions.
    pub components: Vec<f32>,
}

impl Vector {
    /// Checks what holds of every vector: its model has a name, it has 1 to [`MAX_DIMENSIONS`] components, and all are finite.
    /// Where the model's `dimensions` are known, that it has as many.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], naming the model and what is wrong.
    pub fn check(&self, dimensions: Option<usize>) -> Result<()> {
        let given = self.components.len();
        if self.model.is_empty() || self.model.chars().count() > MODEL_CHARS || self.model.chars().any(char::is_control) {
            return Err(Error::invalid("the vector does not say which model made it")
                .hint(format!("give the model's name, 1 to {MODEL_CHARS} characters")));
        }
        if let Some(expected) = dimensions.filter(|expected| *expected != given) {
            return Err(Error::invalid("the vector has not the dimensions of its model")
                .with("model", &self.model)
                .with("dimensions", given)
                .with("expected", expected));
        }
        if given == 0 || given > MAX_DIMENSIONS {
            return Err(Error::invalid(format!("a vector has 1 to {MAX_DIMENSIONS} components"))
                .with("model", &self.model)
                .with("dimensions", given));
        }
        match self.components.iter().position(|component| !component.is_finite()) {
            Some(at) => {
                Err(Error::invalid("the vector has a component that is not finite").with("model", &self.model).with("component", at))
            }
            None => Ok(()),
        }
    }
}

/// The product of two vectors; of one with itself, the square of its length. What is finite gives what is finite.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    // Several sums side by side, since a processor adds several numbers at once, but never changes the order of one sum.
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_lanes.remainder().iter().zip(b_lanes.remainder());
    let rest: f64 = rest.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
    for (a, b) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The cosine distance of two vectors from their [`dot`] product and the squares of their lengths: 0 for the same direction, 2 for the
/// opposite one; 1 where a vector has no direction. Directions that differ by less than an `f32` tells may tie, or not.
pub fn cosine_distance(product: f64, square_a: f64, square_b: f64) -> f32 {
    let lengths = square_a.sqrt() * square_b.sqrt();
    if lengths == 0.0 { 1.0 } else { (1.0 - product / lengths).clamp(0.0, 2.0) as f32 }
}

/// A record's embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// The record's kind.
    pub kind: Kind,
    /// The record's id.
    pub id: Id,
    /// The revision of the record that was embedded.
    pub revision: u64,
    /// The vector and its model.
    pub vector: Vector,
}

impl Embedding {
    /// Checks what holds of every embedding: its record's kind is searched, its revision counts from 1, and [`Vector::check`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], naming what is wrong.
    pub fn check(&self, dimensions: Option<usize>) -> Result<()> {
        self.kind.check_searched()?;
        if self.revision == 0 || i64::try_from(self.revision).is_err() {
            return Err(Error::invalid("a revision counts from 1").with("field", "revision"));
        }
        self.vector.check(dimensions)
    }
}

/// What narrows a search for neighbours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nearby {
    /// Only records of these kinds; of any, when empty.
    pub kinds: Vec<Kind>,
    /// Only records of this space.
    pub space_id: Option<Id>,
}

/// A record near to a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// The record's kind.
    pub kind: Kind,
    /// The record's id.
    pub id: Id,
    /// The cosine distance: 0 for the same direction, 2 for the opposite one.
    pub distance: f32,
}

/// What an index holds of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorModel {
    /// The model's name.
    pub model: String,
    /// The number of components.
    pub dimensions: usize,
    /// The number of embeddings.
    pub count: u64,
    /// Whether [`VectorIndex::nearest`] compares with every vector, rather than walking an approximate index.
    pub exact: bool,
}
