//! Backends: what opening a tier yields, and how a crate says that it offers one.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::{Cache, Clock, Result, Storage, VectorIndex};

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
    /// A section that cannot be used is one red check of the service `config`.
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

/// One finding of [`BackendEntry::diagnose`].
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
    /// What to do about it; empty when nothing is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
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
