//! Section `models.embedding`: the model that makes texts into vectors.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mosaic_core::vectors::MAX_DIMENSIONS;
use mosaic_core::{Result, Secret};
use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::server::{NAME_CHARS, Refused, Server, refused, within};

/// The longest prefix, in characters.
const PREFIX_CHARS: usize = 1_000;

/// A model that makes texts into vectors, on a server that speaks the OpenAI embeddings protocol: Ollama, vLLM, llama.cpp, OpenAI.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingModel {
    /// Where the server's API begins: what comes before /embeddings, as in http://127.0.0.1:11434/v1.
    pub base_url: String,
    /// The model's name on that server.
    #[schemars(length(min = 1, max = NAME_CHARS))]
    pub model: String,
    /// How many components its vectors are to have, of a model that leaves the choice. Another number embeds everything anew.
    #[serde(default)]
    #[schemars(range(min = 1, max = MAX_DIMENSIONS))]
    pub dimensions: Option<usize>,
    /// What the server wants to be shown, as a bearer token.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// The file whose first line is the key.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// What is put before the text of a record, for a model that wants it: "search_document: " for nomic-embed-text. Another one embeds
    /// everything anew.
    #[serde(default)]
    #[schemars(length(max = PREFIX_CHARS))]
    pub document_prefix: String,
    /// What is put before the text of a search: "search_query: " for nomic-embed-text.
    #[serde(default)]
    #[schemars(length(max = PREFIX_CHARS))]
    pub query_prefix: String,
    /// How much of a record is embedded, in characters from its beginning.
    #[serde(default = "max_chars")]
    #[schemars(range(min = 100, max = 100_000))]
    pub max_chars: usize,
    /// How many texts go to the server at a time.
    #[serde(default = "batch")]
    #[schemars(range(min = 1, max = 256))]
    pub batch: usize,
    /// How long the server may take for them, in seconds.
    #[serde(default = "timeout_seconds")]
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: u64,
    /// How long a search waits for its vector, in milliseconds; then it goes by words alone.
    #[serde(default = "search_timeout_ms")]
    #[schemars(range(min = 50, max = 10_000))]
    pub search_timeout_ms: u64,
}

fn max_chars() -> usize {
    8_000
}

fn batch() -> usize {
    16
}

fn timeout_seconds() -> u64 {
    60
}

fn search_timeout_ms() -> u64 {
    1_000
}

impl EmbeddingModel {
    pub(super) fn validate(&self) -> Result<(), Refused> {
        self.server().validate()?;
        for (key, prefix) in [("document_prefix", &self.document_prefix), ("query_prefix", &self.query_prefix)] {
            if prefix.chars().count() > PREFIX_CHARS {
                return refused(key, format!("{key} is up to {PREFIX_CHARS} characters"));
            }
        }
        if let Some(dimensions) = self.dimensions {
            within("dimensions", dimensions as u64, 1, MAX_DIMENSIONS as u64)?;
        }
        within("max_chars", self.max_chars as u64, 100, 100_000)?;
        within("batch", self.batch as u64, 1, 256)?;
        within("timeout_seconds", self.timeout_seconds, 1, 600)?;
        within("search_timeout_ms", self.search_timeout_ms, 50, 10_000)
    }

    fn server(&self) -> Server<'_> {
        let Self { base_url, model, api_key, api_key_file, .. } = self;
        Server { section: "models.embedding", base_url, model, api_key: api_key.as_ref(), api_key_file: api_key_file.as_deref() }
    }

    /// Where embeddings are asked for.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Config`] for what is no such URL. It is not repeated where it may hold a secret.
    pub fn url(&self) -> Result<Url> {
        self.server().url(&["embeddings"])
    }

    /// The key, from the config or from its file, whose relative path starts from `base_dir`; none when none is given.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Config`], naming the key and the file, for a file that cannot be read, and one that holds no key.
    pub fn key(&self, base_dir: &Path) -> Result<Option<Secret>> {
        self.server().key(base_dir)
    }

    /// How long the server may take for a batch.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    /// How long a search waits for its vector.
    pub fn search_timeout(&self) -> Duration {
        Duration::from_millis(self.search_timeout_ms)
    }

    pub(super) fn shown(&self) -> Value {
        let Self { dimensions, document_prefix, query_prefix, max_chars, batch, timeout_seconds, search_timeout_ms, .. } = self;
        let mut shown = self.server().shown();
        shown.extend(dimensions.map(|dimensions| ("dimensions".into(), json!(dimensions))));
        shown.insert("document_prefix".into(), json!(document_prefix));
        shown.insert("query_prefix".into(), json!(query_prefix));
        shown.insert("max_chars".into(), json!(max_chars));
        shown.insert("batch".into(), json!(batch));
        shown.insert("timeout_seconds".into(), json!(timeout_seconds));
        shown.insert("search_timeout_ms".into(), json!(search_timeout_ms));
        Value::Object(shown)
    }
}
