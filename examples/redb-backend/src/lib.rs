//! Tier `redb`: everything in one file of [redb](https://www.redb.org), an embedded key-value store. It is the example for whoever writes
//! a durable backend of their own: of Mosaic it knows `mosaic-core` alone, and nothing in Mosaic knows of it.
//! `docs/guides/writing-a-backend.md` leads through it.
//!
//! Read it in this order: `config` and `directory` (where the data is, and whose), `tables` (what is kept, and how it is found), `engine`
//! (transactions, off the runtime), `walk` (lists), `storage` and `vectors` (the traits, from these parts), `open` and `diagnose`.

mod config;
mod diagnose;
mod directory;
mod engine;
mod error;
mod open;
mod storage;
mod tables;
mod vectors;
mod walk;

use mosaic_core::{BackendEntry, register_backend, schemars};

/// The word that chooses the tier, and the name of its section in the config.
const TIER: &str = "redb";

// Whoever names this crate in a binary (`use redb_backend as _;`) has the tier; nothing else is to be done.
register_backend!(BackendEntry {
    tier: TIER,
    summary: "one file on this machine's disk, no services",
    open: |options| Box::pin(open::open(options)),
    diagnose: |options| Box::pin(diagnose::diagnose(options)),
    schema: || schemars::schema_for!(config::Config),
});
