//! Section `models`: which models the gateway works with, and where the servers are that run them. Each model has a file here; what they
//! have in common is in `server`. What must not come in: asking them.

mod chat;
mod embedding;
mod server;

use mosaic_core::Error;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use chat::ChatModel;
pub use embedding::EmbeddingModel;

/// The models that the gateway works with. It works without any.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Models {
    /// Answers in sessions, and works on its users' tasks and notes in their name. Without it, sessions are for agents of other programs.
    pub chat: Option<ChatModel>,
    /// Makes tasks, notes, messages and what is searched for into vectors, so that a search finds what means the same. Without it, a search
    /// goes by words.
    pub embedding: Option<EmbeddingModel>,
}

impl Models {
    /// Checks the bounds; answers the key that is out of them.
    pub(super) fn validate(&self) -> Result<(), (String, Error)> {
        if let Some(chat) = &self.chat {
            chat.validate().map_err(|(key, error)| (format!("models.chat.{key}"), error))?;
        }
        let Some(embedding) = &self.embedding else { return Ok(()) };
        embedding.validate().map_err(|(key, error)| (format!("models.embedding.{key}"), error))
    }

    /// The section for people to look at, with what is in effect and without secrets.
    pub(super) fn shown(&self) -> Value {
        let mut shown = Map::new();
        shown.extend(self.chat.as_ref().map(|chat| ("chat".into(), chat.shown())));
        shown.extend(self.embedding.as_ref().map(|embedding| ("embedding".into(), embedding.shown())));
        Value::Object(shown)
    }
}

#[cfg(test)]
mod tests;
