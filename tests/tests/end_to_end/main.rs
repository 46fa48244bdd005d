//! End-to-end tests: they start the real `mosaic` binary, each in a directory of its own, and speak HTTP to it.
//! What must not come in: anything that knows the product's insides; that is for the tests beside the code.
//!
//! `MOSAIC_TEST_BINARY` runs them on another build, such as a release's. Those that mount a small disk take root.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it measured"
)]

mod backup;
mod cancel;
mod commands;
mod contract;
mod crash;
mod deploy;
mod docs;
mod embeddings;
mod harness;
mod interrupted;
mod moving;
mod page;
mod refusals;
mod requests;
mod servers;
mod sessions;
mod stop;
mod terminal;
mod tls;
