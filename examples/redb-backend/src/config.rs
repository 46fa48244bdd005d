//! The section `redb` of the config: its one key and its default.

use std::path::PathBuf;

use mosaic_core::{Options, Result, refusal, schemars};
use serde::Deserialize;

use crate::TIER;

/// Tier redb: one file on this machine's disk.
// These comments are what `mosaic config schema` says of the keys. Unknown keys are refused: a misspelt one would be a default.
#[derive(Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(crate = "mosaic_core::schemars")]
pub(crate) struct Config {
    /// The directory that holds the data, from the config's directory if it is relative. Made if it is absent.
    pub(crate) data_dir: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { data_dir: "mosaic-redb".into() }
    }
}

impl Config {
    /// Reads the section, and makes its path absolute.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Config`] naming the key that cannot be used.
    pub(crate) fn read(options: &Options) -> Result<Self> {
        let Self { data_dir } = options.parse(TIER)?;
        if data_dir.as_os_str().is_empty() {
            return Err(refusal::config_key("redb.data_dir", "an empty path"));
        }
        let data_dir = std::path::absolute(options.base_dir.join(data_dir));
        Ok(Self {
            data_dir: data_dir.map_err(|error| refusal::config_key("redb.data_dir", "a path that cannot be resolved").source(error))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use mosaic_core::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn read(section: Value) -> Result<Config> {
        Config::read(&Options::new(section, "/srv", "serve"))
    }

    #[test]
    fn a_path_is_taken_from_where_the_config_is() {
        for (section, expected) in [
            (json!({}), "/srv/mosaic-redb"),
            (json!({ "data_dir": "kept" }), "/srv/kept"),
            (json!({ "data_dir": "/var/lib/mosaic" }), "/var/lib/mosaic"),
        ] {
            assert_eq!(read(section).unwrap().data_dir, PathBuf::from(expected));
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (section, expected) in [
            (json!({ "data_dir": "" }), "redb.data_dir cannot be used: an empty path"),
            (json!({ "data_dir": 5 }), "redb.data_dir cannot be used: invalid type"),
            (json!({ "data_dirs": "x" }), "redb.data_dirs cannot be used: unknown field"),
        ] {
            let error = read(section).unwrap_err();
            assert_eq!((error.kind(), error.hint_text()), (ErrorKind::Config, Some("mosaic config schema")));
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }
}
