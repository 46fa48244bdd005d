//! What a gateway does besides answering: it says that it is there, and makes embeddings. What must not come in: how any of it is done.

use std::sync::Arc;

use mosaic_core::{Backend, Clock, Result, Service, Storage, SystemClock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::embedding::{Noting, Worker, WorkerParts, Written};
use crate::migration;
use crate::models::Embeddings;
use crate::presence::Presence;

/// The services of a gateway that says that it is there by `presence`. They end when `stop` says so, and are waited for in `tasks`. What is
/// written to the backend from here on, they know of.
pub(super) fn services(
    backend: &mut Backend,
    model: Option<&Arc<Embeddings>>,
    presence: Presence,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Vec<Service> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let storage = Arc::clone(&backend.storage);
    let (holder, others) = (presence.id(), presence.others());
    let mut services = vec![service("presence", be_there(presence, Arc::clone(&storage), stop.clone()), tasks)];
    match (model, &backend.vectors) {
        (Some(model), Some(vectors)) => {
            let written = Arc::new(Written::default());
            backend.storage = Arc::new(Noting::new(Arc::clone(&storage), Arc::clone(&written)));
            let (model, vectors) = (Arc::clone(model), Arc::clone(vectors));
            let worker = Worker::new(WorkerParts { model, storage, vectors, clock, written, holder, others });
            services.push(service("embeddings", worker.run(stop.clone()), tasks));
        }
        (Some(_), None) => tracing::warn!("this tier keeps no vectors: models.embedding is of no use, and searches go by words"),
        (None, _) => {}
    }
    services
}

/// Says that this gateway is there until it stops, and ends when the data is moved from under it.
async fn be_there(presence: Presence, storage: Arc<dyn Storage>, stop: CancellationToken) -> Result<()> {
    let refusal = stop.run_until_cancelled(migration::stay(&*storage, &presence)).await;
    presence.leave().await;
    refusal.map_or(Ok(()), Err)
}

fn service(name: &'static str, run: impl Future<Output = Result<()>> + Send + 'static, tasks: &TaskTracker) -> Service {
    Service { name, run: Box::pin(tasks.track_future(run)) }
}
