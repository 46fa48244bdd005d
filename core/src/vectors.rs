//! Embeddings of records, and finding the nearest. Vectors of different models are never compared.

use async_trait::async_trait;

use crate::{Id, Kind, Result, Scope};

/// An index of embeddings. One record has at most one embedding a model, and it ends with the record: what is removed
/// is neither near, nor counted, nor exported, and the same id made anew begins without an embedding.
#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// Stores embeddings, in place of earlier ones of the same record and model. One whose record is not there is left out: the
    /// record went while it was made.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a vector whose dimensions are not its model's, or with a component that is not finite.
    async fn upsert(&self, embeddings: &[Embedding]) -> Result<()>;

    /// Forgets a record's embeddings, of every model.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn remove(&self, kind: Kind, id: Id) -> Result<()>;

    /// The `k` nearest records, by cosine distance, that the scope may see and the filter lets through, nearest first; ties by id.
    /// Answers `k` of them whenever `k` exist.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a vector whose dimensions are not the model's.
    async fn nearest(&self, scope: Scope, vector: &Vector, k: usize, filter: &Nearby) -> Result<Vec<Neighbour>>;

    /// Records whose embedding by this model is missing or of another revision than theirs, up to `limit`.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn pending(&self, model: &str, limit: usize) -> Result<Vec<(Kind, Id)>>;

    /// Reads all embeddings in a fixed order (model, kind, id): up to `limit` behind `after`, none at the end.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn export(&self, after: Option<(&str, Kind, Id)>, limit: usize) -> Result<Vec<Embedding>>;

    /// Takes over embeddings as they are, after their records.
    ///
    /// # Errors
    /// As [`Self::upsert`].
    async fn load(&self, embeddings: &[Embedding]) -> Result<()>;

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
