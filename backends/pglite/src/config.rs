//! The section `local` of the config: its keys, their defaults and bounds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mosaic_core::{Options, Result, refusal};
use schemars::JsonSchema;
use serde::Deserialize;

/// Tier local: an embedded Postgres in a data directory.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The directory that holds the data, from the config's directory if it is relative. Made if it is absent.
    pub(crate) data_dir: PathBuf,
    /// How long a request's statement may take, in seconds. Past it, the engine is replaced and the request fails.
    #[schemars(range(min = 1, max = 120))]
    pub(crate) statement_timeout_seconds: u64,
    /// How much memory vectors may take, in MiB. They are compared in the gateway's own: four bytes a component, and some 160 beside.
    #[schemars(range(min = 1, max = 65_536))]
    pub(crate) vector_memory_mib: u64,
    /// The Mosaic executable to start the engine from. This one, unless it is given.
    pub(crate) engine_executable: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: default_data_dir(),
            statement_timeout_seconds: default_statement_timeout_seconds(),
            vector_memory_mib: default_vector_memory_mib(),
            engine_executable: None,
        }
    }
}

fn default_data_dir() -> PathBuf {
    "mosaic-data".into()
}

fn default_statement_timeout_seconds() -> u64 {
    10
}

fn default_vector_memory_mib() -> u64 {
    1_024
}

impl Config {
    /// Reads the section, checks its bounds, and makes its paths absolute.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Config`] naming the key that cannot be used.
    pub(crate) fn read(options: &Options) -> Result<Self> {
        let mut config: Self = options.parse("local")?;
        if !(1..=120).contains(&config.statement_timeout_seconds) {
            return Err(refusal::config_key("local.statement_timeout_seconds", "not between 1 and 120"));
        }
        if !(1..=65_536).contains(&config.vector_memory_mib) {
            return Err(refusal::config_key("local.vector_memory_mib", "not between 1 and 65536"));
        }
        config.data_dir = absolute("local.data_dir", &options.base_dir, &config.data_dir)?;
        if let Some(executable) = &mut config.engine_executable {
            *executable = absolute("local.engine_executable", &options.base_dir, executable)?;
        }
        Ok(config)
    }

    pub(crate) fn statement_timeout(&self) -> Duration {
        Duration::from_secs(self.statement_timeout_seconds)
    }

    /// In bytes.
    pub(crate) fn vector_memory(&self) -> u64 {
        self.vector_memory_mib << 20
    }
}

fn absolute(key: &str, base_dir: &Path, path: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(refusal::config_key(key, "an empty path"));
    }
    std::path::absolute(base_dir.join(path)).map_err(|error| refusal::config_key(key, "a path that cannot be resolved").source(error))
}

#[cfg(test)]
mod tests {
    use mosaic_core::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn read(section: Value) -> Result<Config> {
        Config::read(&Options::new(section, "/srv/team", "serve"))
    }

    fn refusal(section: Value) -> String {
        let error = read(section).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn an_empty_section_has_defaults() {
        let config = read(json!({})).unwrap();
        assert_eq!(config.data_dir, Path::new("/srv/team/mosaic-data"));
        assert_eq!(config.statement_timeout(), Duration::from_secs(10));
        assert_eq!(config.vector_memory(), 1 << 30);
        assert_eq!(config.engine_executable, None);
    }

    #[test]
    fn paths_start_from_the_base_directory() {
        let config = read(json!({ "data_dir": "../elsewhere", "engine_executable": "/opt/mosaic" })).unwrap();
        assert_eq!(config.data_dir, Path::new("/srv/team/../elsewhere"));
        assert_eq!(config.engine_executable.unwrap(), Path::new("/opt/mosaic"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(
            refusal(json!({ "data_dir": 7 })),
            "local.data_dir cannot be used: invalid type: integer, expected path string (key=local.data_dir)"
        );
        assert!(refusal(json!({ "datadir": "x" })).contains("unknown field `datadir`"));
        assert!(refusal(json!({ "data_dir": "" })).starts_with("local.data_dir cannot be used"));
        assert!(refusal(json!({ "statement_timeout_seconds": 0 })).starts_with("local.statement_timeout_seconds"));
        assert!(refusal(json!({ "statement_timeout_seconds": 121 })).starts_with("local.statement_timeout_seconds"));
        assert!(refusal(json!({ "vector_memory_mib": 0 })).starts_with("local.vector_memory_mib"));
        assert!(refusal(json!({ "vector_memory_mib": 65_537 })).starts_with("local.vector_memory_mib"));
        assert!(refusal(json!("x")).starts_with("local cannot be used"));
    }

    #[test]
    fn the_schema_knows_the_same_keys() {
        let schema = schemars::schema_for!(Config).to_value();
        let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["data_dir", "statement_timeout_seconds", "vector_memory_mib", "engine_executable"]);
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["properties"]["statement_timeout_seconds"]["default"], json!(10));
    }
}
