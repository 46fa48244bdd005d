//! Tier `local`: an embedded Postgres (PGlite) in a child process of the same executable, and a data directory that
//! one process owns. What this tier promises is written down in `docs/tiers/local.md`.
//!
//! Read `open` first, then `directory` (what lies on disk), `engine` (the child), `supervisor` (its parent) and
//! `connections` (how the one connection is lent). What must not come in: SQL about records, which is `mosaic-sql`'s.

use std::path::Path;

use mosaic_core::{BackendEntry, HelperEntry};

mod config;
mod connections;
mod diagnose;
mod directory;
mod engine;
mod maintenance;
mod open;
mod owner;
mod process;
mod sockets;
mod supervisor;

pub use open::Engine;
pub use owner::Owner;

mosaic_core::register_backend!(BackendEntry {
    tier: "local",
    summary: "embedded Postgres in a data directory, for one person on one machine",
    open: |options| Box::pin(open::open(options)),
    diagnose: |options| Box::pin(diagnose::diagnose(options)),
    schema: || schemars::schema_for!(config::Config),
});

mosaic_core::register_helper!(HelperEntry { name: engine::HELPER, run: engine::main });

/// Which process owns a data directory at this moment; `None` when it is free. Changes nothing.
pub fn owner(dir: &Path) -> Option<Owner> {
    owner::Ownership::of(dir).owner()
}
