//! What the end-to-end tests are made with: the real `mosaic` binary, in a directory of its own, spoken to over HTTP.
//! Nothing in here knows the product's insides; what a test sees is what an operator sees.

mod answers;
mod data;
mod disk;
mod events;
mod gateway;
mod http;
mod model;
mod place;
mod processes;
mod random;

pub(crate) use answers::Answer;
pub(crate) use data::{DataSet, kinds_of};
pub(crate) use disk::{Snapshot, Tmpfs};
pub(crate) use events::{Events, Seen};
pub(crate) use gateway::{Gateway, shared};
pub(crate) use http::{Client, JSON};
pub(crate) use model::{ModelServer, Mood};
pub(crate) use mosaic_tests::chat_model::{Asked, ChatServer, Reply, Step};
pub(crate) use place::{Outcome, Place};
pub(crate) use processes::{alive, children, engine_of, signal};
pub(crate) use random::Random;
pub(crate) use rustix::process::Signal;

use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails instead of hanging: generous, since machines that run tests are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` answers something, looking every 20 ms.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, patience: Duration, mut condition: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(begun.elapsed() < patience, "gave up after {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
