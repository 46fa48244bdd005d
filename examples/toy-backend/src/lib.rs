//! Tier `scratch`: everything in memory, gone when the gateway stops. It is an example for whoever writes a backend of
//! their own, from outside: of Mosaic it knows `mosaic-core` alone, and nothing in Mosaic knows of it.
//!
//! Read `config` first (the one option), then `storage` (the trait, method by method), `open` and `diagnose`. A binary
//! that has the tier is `examples/toy-gateway`; the behaviour suite runs on it by one line of `tests/tests/behaviour.rs`.

mod config;
mod diagnose;
mod open;
mod storage;

use mosaic_core::{BackendEntry, register_backend, schemars};

/// The word that chooses the tier, and the name of its section in the config.
const TIER: &str = "scratch";

// Whoever names this crate in a binary (`use toy_backend as _;`) has the tier; nothing else is to be done.
register_backend!(BackendEntry {
    tier: TIER,
    summary: "everything in memory, gone when the gateway stops",
    open: |options| Box::pin(open::open(options)),
    diagnose: |options| Box::pin(diagnose::diagnose(options)),
    schema: || schemars::schema_for!(config::Config),
});
