//! Tier `standalone`: any Postgres server from version 15 on, without extensions. Several gateways may share one database.
//! What this tier promises is written down in `docs/tiers/standalone.md`.
//!
//! Everything about servers is in `mosaic_sql::server`; here they are made a tier. What must not come in: SQL.

use mosaic_core::BackendEntry;

mod config;
mod diagnose;
mod open;

/// The word in the config that chooses this tier, and its section's name.
const TIER: &str = "standalone";

/// The oldest major version that is supported by its makers for as long as this release is.
const LEAST_VERSION: i32 = 15;

mosaic_core::register_backend!(BackendEntry {
    tier: TIER,
    summary: "a Postgres server, for a team",
    open: |options| Box::pin(open::open(options)),
    diagnose: |options| Box::pin(diagnose::diagnose(options)),
    schema: || schemars::schema_for!(config::Config),
});
