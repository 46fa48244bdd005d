//! The section `federated` of the config: its keys, their defaults and bounds.

use std::path::PathBuf;

use mosaic_core::{Error, ErrorKind, Options, Result, Secret};
use mosaic_sql::server::{PostgresConfig, Server};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::TIER;
use crate::valkey::Valkey;

/// How to start both services, as `docker-compose.federated.yml` has them.
pub(crate) const START: &str = "docker compose -f docker-compose.yml -f docker-compose.federated.yml --profile federated up -d --wait";

/// Tier federated: Postgres, from version 16 on, with pgvector, and Valkey.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The server that keeps the records, with pgvector.
    pub(crate) postgres: PostgresConfig,
    /// The server that keeps what may be lost.
    pub(crate) valkey: ValkeyConfig,
}

/// A Valkey server, or another that speaks its protocol.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ValkeyConfig {
    /// Where it is: `redis://HOST:PORT`, by TLS `rediss://HOST:PORT`; behind a slash, the number of the database. A user and a password may stand
    /// before the host.
    pub(crate) url: Secret,
    /// The password.
    pub(crate) password: Option<Secret>,
    /// The file whose first line is the password.
    pub(crate) password_file: Option<PathBuf>,
    /// The file with the roots to trust, in place of the system's.
    pub(crate) root_cert_file: Option<PathBuf>,
}

impl Default for ValkeyConfig {
    fn default() -> Self {
        Self { url: String::new().into(), password: None, password_file: None, root_cert_file: None }
    }
}

impl Config {
    /// Reads the section, and the files it names, off the runtime.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the key that cannot be used.
    pub(crate) async fn read(options: &Options) -> Result<(Server, Valkey)> {
        let options = options.clone();
        let broke_off = |error| Error::new(ErrorKind::Internal, "reading the config broke off").source(error);
        tokio::task::spawn_blocking(move || Self::read_blocking(&options)).await.map_err(broke_off)?
    }

    fn read_blocking(options: &Options) -> Result<(Server, Valkey)> {
        let config: Self = options.parse(TIER)?;
        let server = Server::read(&config.postgres, "federated.postgres", START, &options.base_dir)?;
        Ok((server, Valkey::read(&config.valkey, &options.base_dir)?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(section: Value) -> Result<(Server, Valkey)> {
        let options = Options::new(section, "/srv", "serve");
        Config::read_blocking(&options)
    }

    fn with_valkey(valkey: Value) -> Result<(Server, Valkey)> {
        read(json!({ "postgres": { "url": "postgres://mosaic@db/mosaic" }, "valkey": valkey }))
    }

    #[test]
    fn two_urls_are_all_it_takes() {
        for (url, target) in [
            ("redis://127.0.0.1:6380", "127.0.0.1:6380"),
            ("rediss://cache", "cache:6379"),
            ("valkey://[::1]:7000/3", "[::1]:7000"),
            ("redis://u:p@cache", "cache:6379"),
        ] {
            let (server, valkey) = with_valkey(json!({ "url": url })).unwrap();
            assert_eq!((server.target(), valkey.target()), ("db:5432", target));
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_and_not_repeated() {
        for (valkey, expected) in [
            (json!({}), "federated.valkey.url cannot be used: it is not set"),
            (json!({ "url": "p4ss" }), "federated.valkey.url cannot be used: not a URL"),
            (json!({ "url": "http://:p4ss@cache" }), "federated.valkey.url cannot be used: it does not begin with redis:// or rediss://"),
            (json!({ "url": "redis://:p4ss@cache/x" }), "federated.valkey.url cannot be used: what is behind the slash is no number"),
            (json!({ "url": "rediss://:p4ss@cache#insecure" }), "federated.valkey.url cannot be used: it holds a #"),
            (json!({ "url": "redis://:p4ss@cache?a=b" }), "federated.valkey.url cannot be used: there are no parameters"),
            (
                json!({ "url": "redis://:p4ss@cache", "password": "p4ss" }),
                "federated.valkey.password cannot be used: federated.valkey.url holds one",
            ),
            (json!({ "url": "redis://cache", "password": ["p4ss"] }), "federated.valkey.password cannot be used: not a text"),
            (
                json!({ "url": "redis://cache", "password_file": "p" }),
                "federated.valkey.password_file cannot be used: the file cannot be read",
            ),
            (
                json!({ "url": "rediss://cache", "root_cert_file": "p" }),
                "federated.valkey.root_cert_file cannot be used: the file cannot be read",
            ),
            (
                json!({ "url": "redis://cache", "root_cert_file": "p" }),
                "federated.valkey.root_cert_file cannot be used: federated.valkey.url is without TLS",
            ),
        ] {
            let error = with_valkey(valkey).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().starts_with(expected), "{error}");
            assert!(!format!("{error:?}").contains("p4ss"), "{error:?}");
        }
    }

    #[test]
    fn its_debug_shows_no_secret() {
        let section =
            json!({ "postgres": { "url": "postgres://m:p4ss@db/d" }, "valkey": { "url": "redis://:p4ss@c", "password": "p4ss" } });
        let config: Config = serde_json::from_value(section).unwrap();
        assert!(!format!("{config:?}").contains("p4ss"), "{config:?}");
    }

    #[test]
    fn the_schema_knows_the_same_keys() {
        let schema = schemars::schema_for!(Config).to_value();
        let keys = |schema: &Value| schema["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&schema), ["postgres", "valkey"]);
        assert_eq!(keys(&schema["$defs"]["ValkeyConfig"]), ["url", "password", "password_file", "root_cert_file"]);
    }
}
