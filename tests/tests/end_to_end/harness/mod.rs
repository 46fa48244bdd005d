//! What the end-to-end tests are made with: the real `mosaic` binary, in a directory of its own, spoken to over HTTP.
//! Nothing in here knows the product's insides; what a test sees is what an operator sees.

mod answers;
mod data;
mod disk;
mod gateway;
mod http;
mod place;
mod processes;
mod random;

pub use answers::Answer;
pub use data::{DataSet, kinds_of};
pub use disk::{Snapshot, Tmpfs};
pub use gateway::{Gateway, Person, shared};
pub use http::{Client, JSON};
pub use place::{Outcome, Place};
pub use processes::{alive, children, engine_of, signal};
pub use random::Random;
pub use rustix::process::Signal;

use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails instead of hanging: generous, since machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` answers something, looking every 10 ms.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, patience: Duration, mut condition: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(begun.elapsed() < patience, "gave up after {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
