//! Section `models`: which models the gateway works with, and where the servers are that run them. What must not come in: asking them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mosaic_core::vectors::MAX_DIMENSIONS;
use mosaic_core::{Error, ErrorKind, Result, Secret};
use reqwest::Url;
use reqwest::header::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The longest name of a model, in characters: the name under which its embeddings are kept has some more.
const NAME_CHARS: usize = 150;
/// The longest prefix, in characters.
const PREFIX_CHARS: usize = 1_000;
/// The config's key of what the server wants to be shown.
const API_KEY: &str = "models.embedding.api_key";

/// The models that the gateway works with. It works without any.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Models {
    /// Makes tasks, notes, messages and what is searched for into vectors, so that a search finds what means the same. Without it, a search
    /// goes by words.
    pub embedding: Option<EmbeddingModel>,
}

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

impl Models {
    /// Checks the bounds; answers the key that is out of them.
    pub(super) fn validate(&self) -> Result<(), (String, Error)> {
        let Some(embedding) = &self.embedding else { return Ok(()) };
        embedding.validate().map_err(|(key, error)| (format!("models.embedding.{key}"), error))
    }

    /// The section for people to look at, with what is in effect and without secrets.
    pub(super) fn shown(&self) -> Value {
        self.embedding.as_ref().map_or_else(|| json!({}), |embedding| json!({ "embedding": embedding.shown() }))
    }
}

impl EmbeddingModel {
    fn validate(&self) -> Result<(), (&'static str, Error)> {
        let refused = |key: &'static str, why: String| Err((key, Error::new(ErrorKind::Config, why)));
        let within = |key: &'static str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err((key, Error::new(ErrorKind::Config, format!("{key} is {least} to {most}")).with("value", value)))
        };
        self.url().map_err(|error| ("base_url", error))?;
        let length = self.model.chars().count();
        if length == 0 || length > NAME_CHARS || self.model.chars().any(char::is_control) {
            return refused("model", format!("model is a name of 1 to {NAME_CHARS} characters"));
        }
        for (key, prefix) in [("document_prefix", &self.document_prefix), ("query_prefix", &self.query_prefix)] {
            if prefix.chars().count() > PREFIX_CHARS {
                return refused(key, format!("{key} is up to {PREFIX_CHARS} characters"));
            }
        }
        if self.api_key.is_some() && self.api_key_file.is_some() {
            return refused("api_key", "api_key and api_key_file are both given: one of them is to go".into());
        }
        if let Some(key) = &self.api_key {
            check_key(key.expose()).map_err(|error| ("api_key", error))?;
        }
        if let Some(dimensions) = self.dimensions {
            within("dimensions", dimensions as u64, 1, MAX_DIMENSIONS as u64)?;
        }
        within("max_chars", self.max_chars as u64, 100, 100_000)?;
        within("batch", self.batch as u64, 1, 256)?;
        within("timeout_seconds", self.timeout_seconds, 1, 600)?;
        within("search_timeout_ms", self.search_timeout_ms, 50, 10_000)
    }

    /// Where embeddings are asked for.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is no such URL. It is not repeated where it may hold a secret.
    pub fn url(&self) -> Result<Url> {
        let refuse = |why: &'static str| Error::new(ErrorKind::Config, why);
        let mut url: Url = self.base_url.parse().map_err(|_| refuse("base_url is no URL such as http://127.0.0.1:11434/v1"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(refuse("base_url begins with http:// or https:// and a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("base_url holds a user or a password; a key goes into api_key or api_key_file"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("base_url ends with its path, without '?' or '#'; a key goes into api_key or api_key_file"));
        }
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("embeddings");
        }
        Ok(url)
    }

    /// The key, from the config or from its file, whose relative path starts from `base_dir`; none when none is given.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the key and the file, for a file that cannot be read, and one that holds no key.
    pub fn key(&self, base_dir: &Path) -> Result<Option<Secret>> {
        let key = Secret::of_config(API_KEY, self.api_key.clone(), self.api_key_file.as_deref(), base_dir)?;
        if let Some(key) = &key {
            check_key(key.expose()).map_err(|error| match &self.api_key_file {
                Some(file) => error.with("key", format!("{API_KEY}_file")).with("path", file.display()),
                None => error.with("key", API_KEY),
            })?;
        }
        Ok(key)
    }

    /// How long the server may take for a batch.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    /// How long a search waits for its vector.
    pub fn search_timeout(&self) -> Duration {
        Duration::from_millis(self.search_timeout_ms)
    }

    fn shown(&self) -> Value {
        let Self { base_url, model, dimensions, api_key, api_key_file, document_prefix, query_prefix, .. } = self;
        let Self { max_chars, batch, timeout_seconds, search_timeout_ms, .. } = self;
        let mut shown = Map::new();
        shown.insert("base_url".into(), json!(base_url));
        shown.insert("model".into(), json!(model));
        shown.extend(dimensions.map(|dimensions| ("dimensions".into(), json!(dimensions))));
        shown.extend(api_key.as_ref().map(|_| ("api_key".into(), json!(super::shown::HIDDEN))));
        shown.extend(api_key_file.as_ref().map(|file| ("api_key_file".into(), json!(file.to_string_lossy()))));
        shown.insert("document_prefix".into(), json!(document_prefix));
        shown.insert("query_prefix".into(), json!(query_prefix));
        shown.insert("max_chars".into(), json!(max_chars));
        shown.insert("batch".into(), json!(batch));
        shown.insert("timeout_seconds".into(), json!(timeout_seconds));
        shown.insert("search_timeout_ms".into(), json!(search_timeout_ms));
        Value::Object(shown)
    }
}

/// Refuses what cannot be sent as a key (RFC 9110, 5.5), without repeating it.
fn check_key(key: &str) -> Result<()> {
    let fits = !key.is_empty() && HeaderValue::from_str(key).is_ok() && key.chars().all(|c| c.is_ascii_graphic());
    if fits { Ok(()) } else { Err(Error::new(ErrorKind::Config, "a key is a text of visible ASCII characters, without spaces")) }
}

#[cfg(test)]
mod tests;
