//! What requests share: the limits, and, from the moment it is open, the data. Until then the API answers that the
//! gateway is starting, so that whoever watches it sees a process that lives.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;
use mosaic_core::{Backend, Cache, Clock, IdSource, Result};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cursor::CursorKey;
use super::following::Following;
use super::health::Pulse;
use super::problem::{Problem, UNAVAILABLE};
use crate::auth::Authenticator;
use crate::config::{Limits, TrustedProxies};
use crate::doctor::Report;
use crate::embedding::QueryVectors;
use crate::models::{Chat, Embeddings};
use crate::records::Records;
use crate::search::Searcher;
use crate::turns::{Turns, TurnsParts};

/// The address that a request's connection comes from, as an extension of the request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Looks at how the gateway and its tier are.
pub type Look = Arc<dyn Fn() -> BoxFuture<'static, Report> + Send + Sync>;

/// What an [`App`] is made of.
pub struct Parts {
    /// What the gateway bears.
    pub limits: Limits,
    /// The tier whose data it works on.
    pub tier: String,
    /// Whose word about where a request comes from counts.
    pub trusted_proxies: TrustedProxies,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where new ids come from.
    pub ids: Arc<dyn IdSource>,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
    /// Work that may outlive its request.
    pub tasks: TaskTracker,
    /// Cancelled when the gateway begins to stop.
    pub stopping: CancellationToken,
    /// Makes what is searched for into vectors, where there is such a model.
    pub model: Option<Arc<Embeddings>>,
    /// Answers in sessions, where there is such a model.
    pub chat: Option<Arc<Chat>>,
    /// What an operator is shown of the gateway and its tier.
    pub look: Look,
}

/// What requests share.
pub struct App {
    pub(super) parts: Parts,
    /// A permit for each request that may be under way.
    pub(super) room: Arc<Semaphore>,
    /// The same for each that follows a turn.
    pub(super) followers: Arc<Semaphore>,
    /// How many of those each person has.
    pub(super) following: Following,
    data: OnceLock<Arc<Data>>,
}

/// What requests work on.
pub(super) struct Data {
    pub(super) records: Records,
    pub(super) searcher: Searcher,
    pub(super) turns: Arc<Turns>,
    pub(super) auth: Authenticator,
    pub(super) cache: Arc<dyn Cache>,
    pub(super) cursors: CursorKey,
    pub(super) pulse: Pulse,
}

impl App {
    /// An app that is starting.
    pub fn new(parts: Parts) -> Arc<Self> {
        let [room, followers] = [parts.limits.requests; 2].map(|places| Arc::new(Semaphore::new(places)));
        let following = Following::new(parts.limits.requests);
        Arc::new(Self { parts, room, followers, following, data: OnceLock::new() })
    }

    /// Opens the API to a backend's data. The first backend stays.
    ///
    /// # Errors
    /// Those of the storage, which keeps the key that cursors are authenticated with.
    pub async fn open(&self, backend: &Backend) -> Result<()> {
        let storage = &backend.storage;
        let clock = &self.parts.clock;
        let meaning = self.parts.model.as_ref().filter(|_| backend.vectors.is_some());
        let meaning = meaning.map(|model| QueryVectors::new(Arc::clone(model), Arc::clone(&backend.cache)));
        let records = Records { storage: Arc::clone(storage), clock: Arc::clone(clock), ids: Arc::clone(&self.parts.ids) };
        let searcher = Searcher { storage: Arc::clone(storage), vectors: backend.vectors.clone(), meaning };
        let turns = Turns::new(TurnsParts {
            records: records.clone(),
            searcher: searcher.clone(),
            model: self.parts.chat.clone(),
            sharing: backend.place.sharing,
            tasks: self.parts.tasks.clone(),
            stopping: self.parts.stopping.clone(),
        });
        let data = Data {
            records,
            searcher,
            turns,
            auth: Authenticator::new(Arc::clone(storage), Arc::clone(&backend.cache), Arc::clone(clock), self.parts.tasks.clone()),
            cache: Arc::clone(&backend.cache),
            cursors: CursorKey::load(&**storage).await?,
            pulse: Pulse::default(),
        };
        let _ = self.data.set(Arc::new(data));
        Ok(())
    }

    /// The data, once it is open.
    pub(super) fn data(&self) -> Result<&Arc<Data>, Problem> {
        self.data.get().ok_or_else(|| Problem::new(UNAVAILABLE, "the gateway is starting").retry_after(1))
    }
}
