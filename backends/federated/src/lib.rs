//! Tier `federated`: Postgres with pgvector, and Valkey, for a team that scales out. Several gateways share one of each.
//! What this tier promises is written down in `docs/tiers/federated.md`.
//!
//! What is asked of Postgres is `mosaic_sql`'s; here are the cache in Valkey (`valkey`, `cache`), and how the parts are made a tier.
//! What must not come in: SQL, and what gateways will say to each other one day.

use mosaic_core::BackendEntry;

mod cache;
mod config;
mod diagnose;
mod instance;
mod open;
mod valkey;

/// The word in the config that chooses this tier, and its section's name.
const TIER: &str = "federated";

/// The oldest major version that this tier is tested with.
const LEAST_VERSION: i32 = 16;

mosaic_core::register_backend!(BackendEntry {
    tier: TIER,
    summary: "Postgres with pgvector, and Valkey, for a team that scales out",
    open: |options| Box::pin(open::open(options)),
    diagnose: |options| Box::pin(diagnose::diagnose(options)),
    schema: || schemars::schema_for!(config::Config),
});
