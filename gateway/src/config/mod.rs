//! The config: what `mosaic.config.json` and the environment say, found, read and checked. Each section of our own has
//! a file here; a tier's section is passed on to its backend, which alone knows it. What must not come in: acting on any of it.
//!
//! Sources, later ones winning: the defaults; the file (`--config`, else `$MOSAIC_CONFIG`, else `mosaic.config.json` in the
//! working directory, else none); the environment (see `environment`). Relative paths in either start from the file's
//! directory, or from the working directory without a file. An empty variable counts as not set.

mod environment;
mod exposed;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod limits;
mod log;
mod models;
mod proxies;
mod schema;
mod shown;
mod startup;
mod successor;
mod tls;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::{Actual, Kind};
use figment::providers::{Format, Json, Serialized};
use mosaic_core::{Error, ErrorKind, Result, registry};
use serde::Deserialize;
use serde_json::{Map, Value};

pub(crate) use environment::{settled, variable};
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use models::{ChatModel, EmbeddingModel, Models};
pub use proxies::TrustedProxies;
pub use schema::schema;
pub use startup::Startup;
pub use successor::Successor;
pub use tls::Tls;

/// The file that is looked for in the working directory.
pub const FILE: &str = "mosaic.config.json";

/// The tier that is used unless the config names one.
pub const TIER: &str = "local";

/// Where the gateway answers unless the config says otherwise.
pub const LISTEN: &str = "127.0.0.1:7420";

/// What a gateway is to be. Its Debug is [`Config::shown`], without secrets.
#[derive(Clone)]
pub struct Config {
    /// Which backend keeps the data.
    pub tier: String,
    /// Where the gateway answers.
    pub listen: SocketAddr,
    /// The certificate that it shows there, if any.
    pub tls: Tls,
    /// Who may say for whom they ask.
    pub trusted_proxies: TrustedProxies,
    /// What the gateway bears.
    pub limits: Limits,
    /// How long a start may take.
    pub startup: Startup,
    /// What is logged, and how.
    pub log: Log,
    /// Which models it works with.
    pub models: Models,
    /// What relative paths start from; empty for the working directory.
    pub base_dir: PathBuf,
    /// The file it was read from, if there is one.
    pub source: Option<PathBuf>,
    /// The tiers' sections, by tier.
    sections: Map<String, Value>,
}

/// The keys of our own, as they are read. Others are looked at one by one.
#[derive(Deserialize)]
struct Own {
    tier: String,
    listen: SocketAddr,
    tls: Tls,
    trusted_proxies: TrustedProxies,
    limits: Limits,
    startup: Startup,
    log: Log,
    models: Models,
}

impl Config {
    /// Finds and reads the config. `path` is what `--config` named.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the file or the variable, and the key: a file that was named and cannot be read, no
    /// JSON, a variable that is not UTF-8, an unknown key, a value of the wrong type or out of bounds.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        Self::read(path, std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))))
    }

    fn read(path: Option<&Path>, variables: impl Iterator<Item = (String, OsString)>) -> Result<Self> {
        let variables: Vec<_> = variables.filter(|(_, value)| !value.is_empty()).collect();
        let named = path.map(Path::to_owned).or_else(|| {
            let (_, value) = variables.iter().find(|(name, _)| name == "MOSAIC_CONFIG")?;
            Some(value.into())
        });
        let source = find(named)?;
        let mut figment = Figment::from(Serialized::defaults(defaults()));
        if let Some(file) = &source {
            figment = figment.merge(Json::file_exact(file));
        }
        for variable in environment::settings(variables, &schema())? {
            figment = figment.merge(variable);
        }
        Self::extract(&figment, source)
    }

    fn extract(figment: &Figment, source: Option<PathBuf>) -> Result<Self> {
        let all: Map<String, Value> = figment.extract().map_err(refused)?;
        let own = defaults();
        let tiers = registry::known_tiers()?;
        let mut sections = Map::new();
        for (key, value) in all {
            match value {
                // `$schema` is for editors, which find the schema by it.
                _ if own.contains_key(&key) || key == "$schema" => {}
                Value::Object(_) if tiers.contains(&key.as_str()) => drop(sections.insert(key, value)),
                _ if tiers.contains(&key.as_str()) => {
                    return Err(located(Error::new(ErrorKind::Config, "the section of a tier is a JSON object"), figment, &key));
                }
                _ => {
                    let error = Error::new(ErrorKind::Config, "there is no such key in the config");
                    return Err(located(error, figment, &key));
                }
            }
        }
        let Own { tier, listen, tls, trusted_proxies, limits, startup, log, models } = figment.extract().map_err(refused)?;
        tls.validate().map_err(|(key, error)| located(error, figment, &format!("tls.{key}")))?;
        limits.validate().map_err(|(key, error)| located(error, figment, &format!("limits.{key}")))?;
        log.env_filter().map_err(|error| located(error, figment, "log.filter"))?;
        models.validate().map_err(|(key, error)| located(error, figment, &key))?;
        let base_dir = source.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        Ok(Self { tier, listen, tls, trusted_proxies, limits, startup, log, models, base_dir, source, sections })
    }

    /// The section of the tier that was chosen; an empty object when it has none.
    pub fn section(&self) -> Value {
        self.sections.get(&self.tier).cloned().unwrap_or_else(|| Value::Object(Map::new()))
    }

    /// The same, of another tier.
    #[must_use]
    pub fn with_tier(&self, tier: &str) -> Self {
        Self { tier: tier.to_owned(), ..self.clone() }
    }

    /// All of it as JSON, as it is in effect, with secrets hidden: for people to look at.
    pub fn shown(&self) -> Value {
        let mut all = Map::new();
        all.insert("tier".into(), self.tier.clone().into());
        all.insert("listen".into(), self.listen.to_string().into());
        all.insert("tls".into(), serde_json::json!(self.tls));
        all.insert("trusted_proxies".into(), self.trusted_proxies.shown());
        all.insert("limits".into(), serde_json::json!(self.limits));
        all.insert("startup".into(), serde_json::json!(self.startup));
        all.insert("log".into(), serde_json::json!(self.log));
        all.insert("models".into(), self.models.shown());
        all.extend(self.sections.clone());
        all.insert(self.tier.clone(), self.section_with_defaults());
        shown::without_secrets(Value::Object(all), &schema())
    }

    /// The section of the tier that was chosen, with the defaults that its backend's schema names.
    fn section_with_defaults(&self) -> Value {
        let mut section = self.section();
        let schema = registry::backend(&self.tier).map_or(Value::Null, |backend| (backend.schema)().to_value());
        if let (Value::Object(section), Some(keys)) = (&mut section, schema["properties"].as_object()) {
            for (key, default) in keys.iter().filter_map(|(key, schema)| Some((key, schema.get("default")?))) {
                section.entry(key).or_insert_with(|| default.clone());
            }
        }
        section
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.shown())
    }
}

/// The keys of our own, with their defaults.
fn defaults() -> Map<String, Value> {
    let mut own = Map::new();
    own.insert("tier".into(), TIER.into());
    own.insert("listen".into(), LISTEN.into());
    own.insert("tls".into(), serde_json::json!(Tls::default()));
    own.insert("trusted_proxies".into(), serde_json::json!([]));
    own.insert("limits".into(), serde_json::json!(Limits::default()));
    own.insert("startup".into(), serde_json::json!(Startup::default()));
    own.insert("log".into(), serde_json::json!(Log::default()));
    own.insert("models".into(), serde_json::json!({}));
    own
}

/// The file to read. One that was named must be there.
fn find(named: Option<PathBuf>) -> Result<Option<PathBuf>> {
    let must_exist = named.is_some();
    let path = named.unwrap_or_else(|| FILE.into());
    match std::fs::File::open(&path) {
        Ok(_) => Ok(Some(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => Ok(None),
        Err(error) => Err(Error::new(ErrorKind::Config, format!("the config cannot be read: {error}"))
            .with("file", path.display())
            .hint("name another with --config or MOSAIC_CONFIG")),
    }
}

/// An error of figment's as one of ours, on one line. What was found is told by its sort: it may be a secret in the wrong place.
fn refused(error: figment::Error) -> Error {
    let why = match &error.kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("invalid type: {}, expected {expected}", sort_of(found))
        }
        // The parser's own words for a file whose JSON is something else.
        Kind::Message(message) if message.starts_with("invalid type") => "not a JSON object".to_owned(),
        Kind::UnknownVariant(_, known) => format!("unknown variant, expected one of {}", known.join(", ")),
        other => other.to_string(),
    };
    let mut refused = Error::new(ErrorKind::Config, format!("the config cannot be used: {why}"));
    if !error.path.is_empty() {
        refused = refused.with("key", error.path.join("."));
    }
    whence(refused, error.metadata.as_ref()).hint("mosaic config schema")
}

fn sort_of(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "integer",
        Actual::Float(_) => "floating point",
        Actual::Char(_) | Actual::Str(_) => "string",
        Actual::Unit | Actual::Option => "null",
        Actual::Seq => "sequence",
        Actual::Map => "map",
        _ => "something else",
    }
}

/// Adds to an error where the value of a key comes from.
fn located(error: Error, figment: &Figment, key: &str) -> Error {
    whence(error.with("key", key), figment.find_metadata(key)).hint("mosaic config schema")
}

fn whence(error: Error, metadata: Option<&figment::Metadata>) -> Error {
    match metadata.and_then(|metadata| metadata.source.as_ref()) {
        Some(figment::Source::File(path)) => error.with("file", path.display()),
        Some(figment::Source::Custom(variable)) => error.with("variable", variable),
        _ => error,
    }
}

#[cfg(test)]
mod tests;
