//! Model servers: how they are asked, and what goes wrong with them. What must not come in: what is asked for, and what is done with
//! the answers.

mod breaker;
mod chat;
mod embeddings;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

pub use breaker::{Breaker, Turn};
pub use chat::{Answer, Chat, ChatMessage, Done, Piece, ToolDefinition};
pub use embeddings::{Embeddings, OURS};
pub use failure::{Blame, Failure};

use mosaic_core::{Error, ErrorKind, Result};

use crate::config::Config;

/// The model that makes embeddings, if the config names one. Its server is not asked: it may come up later.
///
/// # Errors
/// [`ErrorKind::Config`], naming the file and the key, for what cannot be used.
pub fn embeddings(config: &Config) -> Result<Option<Embeddings>> {
    let Some(section) = &config.models.embedding else { return Ok(None) };
    Embeddings::new(section, &config.base_dir).map(Some).map_err(|error| located(error, config))
}

/// The model that answers in sessions, if the config names one. Its server is not asked: it may come up later.
///
/// # Errors
/// As [`embeddings`].
pub fn chat(config: &Config) -> Result<Option<Chat>> {
    let Some(section) = &config.models.chat else { return Ok(None) };
    Chat::new(section, &config.base_dir).map(Some).map_err(|error| located(error, config))
}

fn located(error: Error, config: &Config) -> Error {
    match &config.source {
        Some(file) if error.kind() == ErrorKind::Config => error.with("file", file.display()),
        _ => error,
    }
}
