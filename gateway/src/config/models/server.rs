//! What the models have in common: the server that runs one, by its address, the model's name there, and the key that it is shown.

use std::path::Path;

use mosaic_core::{Error, ErrorKind, Result, Secret};
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde_json::{Map, Value, json};

use crate::config::shown::HIDDEN;

/// The longest name of a model, in characters: the name under which its embeddings are kept has some more.
pub(super) const NAME_CHARS: usize = 150;

/// A key of the config that is out of its bounds, and why.
pub(super) type Refused = (&'static str, Error);

/// A server that runs a model.
pub(super) struct Server<'s> {
    /// The section that names it: `models.chat`.
    pub(super) section: &'static str,
    pub(super) base_url: &'s str,
    pub(super) model: &'s str,
    pub(super) api_key: Option<&'s Secret>,
    pub(super) api_key_file: Option<&'s Path>,
}

impl Server<'_> {
    /// Checks what the config says of it.
    pub(super) fn validate(&self) -> Result<(), Refused> {
        self.url(&[]).map_err(|error| ("base_url", error))?;
        let length = self.model.chars().count();
        if length == 0 || length > NAME_CHARS || self.model.chars().any(char::is_control) {
            return refused("model", format!("model is a name of 1 to {NAME_CHARS} characters"));
        }
        if self.api_key.is_some() && self.api_key_file.is_some() {
            return refused("api_key", "api_key and api_key_file are both given: one of them is to go".into());
        }
        self.api_key.map_or(Ok(()), |key| check_key(key.expose()).map_err(|error| ("api_key", error)))
    }

    /// The address of what is below its base.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is no such URL. It is not repeated where it may hold a secret.
    pub(super) fn url(&self, below: &[&str]) -> Result<Url> {
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
            path.pop_if_empty().extend(below);
        }
        Ok(url)
    }

    /// The key, from the config or from its file, whose relative path starts from `base_dir`; none when none is given.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the key and the file, for a file that cannot be read, and one that holds no key.
    pub(super) fn key(&self, base_dir: &Path) -> Result<Option<Secret>> {
        let name = format!("{}.api_key", self.section);
        let key = Secret::of_config(&name, self.api_key.cloned(), self.api_key_file, base_dir)?;
        if let Some(key) = &key {
            check_key(key.expose()).map_err(|error| match self.api_key_file {
                Some(file) => error.with("key", format!("{name}_file")).with("path", file.display()),
                None => error.with("key", &name),
            })?;
        }
        Ok(key)
    }

    /// What of it is shown to people.
    pub(super) fn shown(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        shown.insert("base_url".into(), json!(self.base_url));
        shown.insert("model".into(), json!(self.model));
        shown.extend(self.api_key.map(|_| ("api_key".into(), json!(HIDDEN))));
        shown.extend(self.api_key_file.map(|file| ("api_key_file".into(), json!(file.to_string_lossy()))));
        shown
    }
}

pub(super) fn refused<T>(key: &'static str, why: String) -> Result<T, Refused> {
    Err((key, Error::new(ErrorKind::Config, why)))
}

/// Checks that a number is within its bounds.
pub(super) fn within(key: &'static str, value: u64, least: u64, most: u64) -> Result<(), Refused> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err((key, Error::new(ErrorKind::Config, format!("{key} is {least} to {most}")).with("value", value)))
}

/// Refuses what cannot be sent as a key (RFC 9110, 5.5), without repeating it.
fn check_key(key: &str) -> Result<()> {
    let fits = !key.is_empty() && HeaderValue::from_str(key).is_ok() && key.chars().all(|c| c.is_ascii_graphic());
    if fits { Ok(()) } else { Err(Error::new(ErrorKind::Config, "a key is a text of visible ASCII characters, without spaces")) }
}
