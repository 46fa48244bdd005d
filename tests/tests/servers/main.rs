//! Tests on real servers, Postgres and Valkey, which the run starts by itself: see `mosaic_tests::services`; and of what
//! `mosaic-sql` does where, unlike on the embedded engine, several transactions run at once.
//! What must not come in: what needs no server but the embedded engine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod erasing;
mod indexes;
mod openings;
mod place;
mod pool;
mod races;
mod services;

/// The program that holds the servers of the run.
const HELPER: &str = env!("CARGO_BIN_EXE_mosaic-tests");
