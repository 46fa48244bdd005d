//! Embeddings of the gateway's own making, by the model that `models.embedding` names: of records, in the background, and of what is
//! searched for. What must not come in: how a model server is asked, and what is near to what.

mod batch;
mod query;
mod text;
mod trouble;
mod worker;
mod written;

pub use query::QueryVectors;
pub use text::text_of;
pub use worker::{Worker, WorkerParts};
pub use written::{Noting, Written};
