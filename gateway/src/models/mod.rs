//! Model servers: how they are asked, and what goes wrong with them. What must not come in: what is asked for, and what is done with
//! the answers.

mod breaker;
mod embeddings;
mod failure;

pub use breaker::{Breaker, Turn};
pub use embeddings::{Embeddings, OURS};
pub use failure::{Blame, Failure};

use mosaic_core::{ErrorKind, Result};

use crate::config::Config;

/// The model that makes embeddings, if the config names one. Its server is not asked: it may come up later.
///
/// # Errors
/// [`ErrorKind::Config`], naming the file and the key, for what cannot be used.
pub fn embeddings(config: &Config) -> Result<Option<Embeddings>> {
    let Some(section) = &config.models.embedding else { return Ok(None) };
    match Embeddings::new(section, &config.base_dir) {
        Ok(model) => Ok(Some(model)),
        Err(error) if error.kind() == ErrorKind::Config => Err(match &config.source {
            Some(file) => error.with("file", file.display()),
            None => error,
        }),
        Err(error) => Err(error),
    }
}
