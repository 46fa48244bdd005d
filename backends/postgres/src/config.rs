//! The section `standalone` of the config: its keys, their defaults and bounds.

use mosaic_core::{Error, ErrorKind, Options, Result, refusal};
use mosaic_sql::server::{PostgresConfig, Server};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::TIER;

/// Tier standalone: a Postgres server, from version 15 on.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The server that keeps the records.
    pub(crate) postgres: PostgresConfig,
    /// How much memory vectors may take, in MiB. They are compared in the gateway's own: four bytes a component, and some 160 beside.
    #[schemars(range(min = 1, max = 65_536))]
    pub(crate) vector_memory_mib: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { postgres: PostgresConfig::default(), vector_memory_mib: default_vector_memory_mib() }
    }
}

fn default_vector_memory_mib() -> u64 {
    1_024
}

impl Config {
    /// Reads the section, and the files it names, off the runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the key that cannot be used.
    pub(crate) async fn read(options: &Options) -> Result<(Self, Server)> {
        let options = options.clone();
        let broke_off = |error| Error::new(ErrorKind::Internal, "reading the config broke off").source(error);
        tokio::task::spawn_blocking(move || Self::read_blocking(&options)).await.map_err(broke_off)?
    }

    fn read_blocking(options: &Options) -> Result<(Self, Server)> {
        let config: Self = options.parse(TIER)?;
        if !(1..=65_536).contains(&config.vector_memory_mib) {
            return Err(refusal::config_key("standalone.vector_memory_mib", "not between 1 and 65536"));
        }
        let start = "docker compose --profile standalone up -d --wait";
        let server = Server::read(&config.postgres, "standalone.postgres", start, &options.base_dir)?;
        Ok((config, server))
    }

    /// In bytes.
    pub(crate) fn vector_memory(&self) -> u64 {
        self.vector_memory_mib << 20
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(section: Value) -> Result<(Config, Server)> {
        let options = Options::new(section, "/srv", "serve");
        Config::read_blocking(&options)
    }

    #[test]
    fn a_url_is_all_it_takes() {
        let (config, server) = read(json!({ "postgres": { "url": "postgres://mosaic@db/mosaic" } })).unwrap();
        assert_eq!((config.vector_memory(), server.target()), (1 << 30, "db:5432"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (section, expected) in [
            (json!({}), "standalone.postgres.url cannot be used: it is not set"),
            (json!({ "vector_memory_mib": 0 }), "standalone.vector_memory_mib cannot be used: not between 1 and 65536"),
            (json!({ "postgres": { "pasword": 1 } }), "standalone.postgres.pasword cannot be used: unknown field `pasword`"),
            (json!({ "postgres": { "password": 4711 } }), "standalone.postgres.password cannot be used: not a text: put it in quotes"),
        ] {
            let error = read(section).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }

    #[test]
    fn the_schema_knows_the_same_keys() {
        let schema = schemars::schema_for!(Config).to_value();
        let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["postgres", "vector_memory_mib"]);
        assert_eq!(schema["additionalProperties"], json!(false));
        let keys: Vec<_> = schema["$defs"]["PostgresConfig"]["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["url", "password", "password_file", "max_connections", "statement_timeout_seconds"]);
    }
}
