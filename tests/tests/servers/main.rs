//! Tests on real servers, Postgres and Valkey, which the run starts by itself: see `mosaic_tests::services`.
//! What must not come in: what needs no server but the embedded engine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod services;

/// The program that holds the servers of the run.
const HELPER: &str = env!("CARGO_BIN_EXE_mosaic-tests");
