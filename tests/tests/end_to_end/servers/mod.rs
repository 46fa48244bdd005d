//! Gateways on real servers, tiers standalone and federated: how they boot, what keeps them from it, and what they bear.

mod answers_a_pgvector_query;
mod boots_federated;
mod failures;
mod faults;
mod needs_pgvector;
mod needs_postgres;
mod needs_valkey;
mod secrets;
mod two_gateways;

use mosaic_tests::services::{self, Database, Services};

use crate::harness::Place;

/// The servers of this run.
pub(crate) async fn services() -> &'static Services {
    services::shared(env!("CARGO_BIN_EXE_mosaic-tests")).await
}

/// What a gateway of tier federated works on: a database with pgvector, and one of Valkey.
pub(crate) struct Stack {
    pub(crate) database: Database,
    pub(crate) valkey: String,
}

impl Stack {
    pub(crate) async fn new() -> Self {
        let services = services().await;
        let database = services.pgvector.database().await;
        database.execute("CREATE EXTENSION vector").await;
        Self { database, valkey: services.valkey.database() }
    }

    /// A place for a gateway on it.
    pub(crate) fn place(&self) -> Place {
        federated(&self.database.url(), &self.valkey)
    }
}

/// A place for a gateway of tier federated, which waits for nothing.
pub(crate) fn federated(postgres: &str, valkey: &str) -> Place {
    let place = Place::new().with_env("MOSAIC_TIER", "federated").with_env("MOSAIC_STARTUP__WAIT_SECONDS", "0");
    place.with_env("MOSAIC_FEDERATED__POSTGRES__URL", postgres).with_env("MOSAIC_FEDERATED__VALKEY__URL", valkey)
}

/// A place for a gateway of tier standalone, which waits for nothing.
pub(crate) fn standalone(postgres: &str) -> Place {
    let place = Place::new().with_env("MOSAIC_TIER", "standalone").with_env("MOSAIC_STARTUP__WAIT_SECONDS", "0");
    place.with_env("MOSAIC_STANDALONE__POSTGRES__URL", postgres)
}
