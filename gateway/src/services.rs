//! What runs in the background, of the backend and of the gateway itself, until the storage is closed. What ends before takes the process down,
//! since whoever restarts it does more than a gateway that limps.

use std::collections::HashMap;

use mosaic_core::{Error, ErrorKind, Result, Service};
use tokio::task::{Id, JoinSet};

/// Services that run. Dropping it stops them.
pub(crate) struct Services {
    running: JoinSet<Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Services {
    /// Starts them.
    pub(crate) fn start(services: Vec<Service>) -> Self {
        let mut running = JoinSet::new();
        let names = services.into_iter().map(|service| (running.spawn(service.run).id(), service.name)).collect();
        Self { running, names }
    }

    /// Waits for the first that ends; for ever, when there is none.
    pub(crate) async fn first_end(&mut self) -> Error {
        let Some(ended) = self.running.join_next_with_id().await else { return std::future::pending().await };
        let name = |id: Id| self.names.get(&id).copied().unwrap_or("unknown");
        let failed = |message: &'static str, id| Error::new(ErrorKind::Internal, message).with("service", name(id));
        match ended {
            Ok((id, Err(error))) => error.with("service", name(id)),
            Ok((id, Ok(()))) => failed("a background service ended by itself", id),
            Err(crash) => failed("a background service crashed", crash.id()).source(crash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_that_ends_is_named() {
        let forever = || Service { name: "forever", run: Box::pin(std::future::pending()) };
        let end = |run| async move { Services::start(vec![forever(), Service { name: "engine", run }]).first_end().await.to_string() };
        assert_eq!(end(Box::pin(async { Ok(()) })).await, "a background service ended by itself (service=engine)");
        assert_eq!(
            end(Box::pin(async { Err(Error::new(ErrorKind::Corrupt, "the engine does not start")) })).await,
            "the engine does not start (service=engine)"
        );
        assert_eq!(end(Box::pin(async { unreachable!() })).await, "a background service crashed (service=engine)");
    }
}
