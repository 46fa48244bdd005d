//! Backends: what opening a tier yields, and how a crate says that it offers one.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Cache, Clock, Error, Result, Storage, SystemClock, VectorIndex, refusal};

/// A future that can be stored and sent to another thread.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What opening a tier yields.
pub struct Backend {
    /// Durable records.
    pub storage: Arc<dyn Storage>,
    /// What may be lost.
    pub cache: Arc<dyn Cache>,
    /// Embeddings; `None` when the backend keeps none.
    pub vectors: Option<Arc<dyn VectorIndex>>,
    /// What must run as long as the backend is open.
    pub services: Vec<Service>,
    /// Where the data is.
    pub place: Place,
}

/// Where the data of an opened backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What people call it: a directory, or `host:port/database`. Nothing secret is in it.
    pub name: String,
    /// What tells this data from all other, however it is reached; `None` where that cannot be known.
    pub identity: Option<String>,
    /// Whether others can have it open at the same time.
    pub sharing: Sharing,
}

impl Place {
    /// Says of what keeps the data from being opened where that is; of what is to be brought up to date, also which data it is, as
    /// [`Opening::AsItIs`] promises.
    #[must_use]
    pub fn about(&self, error: Error, opening: Opening) -> Error {
        let error = error.with("place", &self.name);
        match &self.identity {
            Some(identity) if opening == Opening::AsItIs && error.kind() == crate::ErrorKind::Config => error.with("identity", identity),
            _ => error,
        }
    }
}

/// Whether several processes work on the same data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Whoever has it open is alone with it.
    Exclusive,
    /// Others may have it open too.
    Shared,
}

/// Work in the background. It runs until the storage is closed; if it ends before, something is broken,
/// and whoever opened the backend takes the process down.
pub struct Service {
    /// What it is called in the log.
    pub name: &'static str,
    /// The work. Dropping it stops it.
    pub run: BoxFuture<Result<()>>,
}

/// How a tier is to be opened or examined.
#[derive(Clone)]
pub struct Options {
    /// The tier's section of the config; an empty object when it has none. It is checked by the backend.
    pub section: Value,
    /// What relative paths in the section start from.
    pub base_dir: PathBuf,
    /// The command that opens it, for whoever finds the data in use: `serve`, `import`.
    pub command: &'static str,
    /// Where the gateway answers, `http://host:port`, when it is one.
    pub url: Option<String>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What opening may do to what is there.
    pub opening: Opening,
}

/// What opening may do to what is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Opening {
    /// Make what is absent, and bring up to date what is older.
    #[default]
    Prepare,
    /// Nothing: where something would have to be made, opening fails as [`crate::ErrorKind::NotFound`], with the [name](Place::name) of the
    /// place as `place`; where it would have to be brought up to date, as [`crate::ErrorKind::Config`], with the place's
    /// [identity](Place::identity), where that is known, as `identity`.
    AsItIs,
}

impl Options {
    /// A section, for a command that may prepare what is there, by the machine's clock.
    pub fn new(section: Value, base_dir: impl Into<PathBuf>, command: &'static str) -> Self {
        Self { section, base_dir: base_dir.into(), command, url: None, clock: Arc::new(SystemClock), opening: Opening::Prepare }
    }

    /// Reads the section of `tier` into the backend's own type, which refuses unknown keys by `#[serde(deny_unknown_fields)]`.
    /// Bounds are the backend's to check; [`refusal::config_key`] has the words for what is out of them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`], naming the key: `tier.key`, or `tier` when it is about the section as a whole.
    pub fn parse<T: DeserializeOwned>(&self, tier: &str) -> Result<T> {
        serde_path_to_error::deserialize(&self.section).map_err(|error| {
            let key = match error.path().to_string() {
                whole if whole == "." => tier.to_owned(),
                key => format!("{tier}.{key}"),
            };
            refusal::config_key(&key, without_value(&error.inner().to_string()))
        })
    }
}

/// Serde's words without the value that they repeat, which may be a secret in the wrong place: `invalid type: string "…", expected u16`.
fn without_value(message: &str) -> String {
    let Some((sort, rest)) = ["invalid type: ", "invalid value: ", "unknown variant "].iter().find_map(|sort| {
        let rest = message.strip_prefix(sort)?;
        Some((sort.trim_end(), rest))
    }) else {
        return message.to_owned();
    };
    // What is expected comes last; the value may hold the same words.
    let expected = rest.rfind(", expected ").map_or("", |at| &rest[at..]);
    let found = rest[..rest.len() - expected.len()].split(['"', '`']).next().unwrap_or_default().trim_end();
    format!("{}{expected}", format!("{sort} {found}").trim_end_matches([':', ' ']))
}

/// A tier that a crate offers. Const-constructible, and submitted with [`crate::register_backend!`].
pub struct BackendEntry {
    /// The word in the config that chooses it.
    pub tier: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// Opens it: starts what is to be started, migrates what is to be migrated.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`] naming the key of the section that cannot be used, and whatever stands in the way of opening.
    pub open: fn(Options) -> BoxFuture<Result<Backend>>,
    /// Looks whether it could be opened, without opening, migrating, starting or changing anything. Each check has its own deadline of 2 s.
    /// A section that cannot be used is one red check of the service `config`: [`Check::config`].
    pub diagnose: fn(Options) -> BoxFuture<Vec<Check>>,
    /// The JSON Schema of its section of the config.
    pub schema: fn() -> schemars::Schema,
}

/// A program that a backend needs to run beside the gateway, from the same executable:
/// `mosaic_gateway::main()` runs it before it parses any argument. Submitted with [`crate::register_helper!`].
pub struct HelperEntry {
    /// The first argument that asks for it. By convention `helper:` and a name, which no command has.
    pub name: &'static str,
    /// Runs it with the arguments that follow, to its end.
    pub run: fn(Vec<std::ffi::OsString>) -> std::process::ExitCode,
}

/// What a check of a backend's means, whatever it finds: what the reference says of it. Const-constructible, and submitted with
/// [`crate::register_check!`]. Texts are half sentences, as in a table, without a full stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckEntry {
    /// The [id](Check::id) of its findings.
    pub id: &'static str,
    /// What is looked at.
    pub looks_at: &'static str,
    /// What makes it yellow; empty when nothing does.
    pub yellow: &'static str,
    /// What makes it red; empty when nothing does.
    pub red: &'static str,
    /// What to do about either. A finding's own remediation is more to the point.
    pub cure: &'static str,
}

/// One finding: what was looked at, how it is, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Check {
    /// A stable name: `local.directory`.
    pub id: String,
    /// What was looked at: `data directory`, `postgres`.
    pub service: String,
    /// Where: a path, or `host:port`.
    pub target: String,
    /// How it is.
    pub status: Status,
    /// How long the look took, in milliseconds.
    pub latency_ms: u64,
    /// What was found.
    pub message: String,
    /// What to do about it; absent when nothing is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub remediation: Option<String>,
}

impl Check {
    /// The service of [`Self::config`].
    pub const CONFIG: &str = "config";

    /// What a look at a service came to: green or yellow as it was found, red for an error, which says why and what to do.
    pub fn of(id: impl Into<String>, service: &str, target: impl fmt::Display, found: &Result<Finding>) -> Self {
        let (status, message, remediation) = match found {
            Ok(Finding { message, remediation: None }) => (Status::Green, message.clone(), None),
            Ok(Finding { message, remediation }) => (Status::Yellow, message.clone(), remediation.clone()),
            // The check has these in fields of their own.
            Err(error) => (Status::Red, error.without(&["service", "target"]).to_string(), error.hint_text().map(str::to_owned)),
        };
        Self { id: id.into(), service: service.to_owned(), target: target.to_string(), status, latency_ms: 0, message, remediation }
    }

    /// The same, with how long the look took.
    #[must_use]
    pub fn took(self, latency: Duration) -> Self {
        Self { latency_ms: latency.as_millis().try_into().unwrap_or(u64::MAX), ..self }
    }

    /// The red check of a tier whose section of the config cannot be used. `mosaic config check` tells it from what is wrong with a
    /// service.
    pub fn config(tier: &str, error: Error) -> Self {
        Self::of(format!("{tier}.config"), Self::CONFIG, tier, &Err(error))
    }
}

/// How a service was found that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub message: String,
    /// What should be done about it all the same; `None` when all is well.
    pub remediation: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn well(message: impl Into<String>) -> Self {
        Self { message: message.into(), remediation: None }
    }

    /// It works, and something should be done.
    pub fn but(message: impl Into<String>, remediation: impl Into<String>) -> Self {
        Self { message: message.into(), remediation: Some(remediation.into()) }
    }
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Well.
    Green,
    /// It works, and something should be done.
    Yellow,
    /// It does not work.
    Red,
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::ErrorKind;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        server: Server,
    }

    #[derive(Debug, Deserialize)]
    struct Server {
        port: u16,
    }

    fn parse(section: Value) -> Result<Config> {
        Options::new(section, "", "serve").parse("acme")
    }

    #[test]
    fn a_value_that_does_not_fit_is_not_repeated() {
        for (words, expected) in [
            ("invalid type: string \"p4ss\", expected u16", "invalid type: string, expected u16"),
            ("invalid type: string \"p4ss\", expected \", expected u16", "invalid type: string, expected u16"),
            ("invalid value: integer `4711`, expected a nonzero u16", "invalid value: integer, expected a nonzero u16"),
            ("invalid type: map, expected u16", "invalid type: map, expected u16"),
            ("unknown variant `p4ss`, expected one of `a`, `b`", "unknown variant, expected one of `a`, `b`"),
            ("unknown field `sever`, expected `server`", "unknown field `sever`, expected `server`"),
            ("it is not set", "it is not set"),
        ] {
            assert_eq!(without_value(words), expected);
        }
    }

    #[test]
    fn a_section_is_read_or_the_key_named() {
        assert_eq!(parse(json!({ "server": { "port": 80 } })).unwrap().server.port, 80);
        for (section, expected) in [
            (json!({ "server": { "port": "x" } }), "acme.server.port cannot be used: invalid type: string, expected u16"),
            (
                json!({ "server": "postgres://m:p4ss@db, expected x" }),
                "acme.server cannot be used: invalid type: string, expected struct Server",
            ),
            (json!({ "server": { "port": 1.5 } }), "acme.server.port cannot be used: invalid type: floating point, expected u16"),
            (json!({ "server": { "port": -5 } }), "acme.server.port cannot be used: invalid value: integer, expected u16"),
            (json!({ "sever": {} }), "acme.sever cannot be used: unknown field `sever`, expected `server`"),
            (json!({}), "acme cannot be used: missing field `server`"),
        ] {
            let error = parse(section).unwrap_err();
            assert_eq!((error.kind(), error.hint_text()), (ErrorKind::Config, Some("mosaic config schema")));
            assert!(error.to_string().starts_with(expected), "{error}");
            let message = error.to_string();
            let check = Check::config("acme", error);
            assert_eq!((check.service.as_str(), check.status, check.message), (Check::CONFIG, Status::Red, message));
        }
    }
}
