//! The Mosaic gateway: config, startup, HTTP and the command line `mosaic`, as a library. The binary is [`main`]
//! and nothing more, so that whoever writes a backend of their own can make theirs from the same parts:
//!
//! ```no_run
//! // use acme_backend as _;
//! fn main() -> std::process::ExitCode {
//!     mosaic_gateway::main()
//! }
//! ```

use std::process::ExitCode;

pub mod auth;
mod backends;
pub mod backup;
mod cli;
pub mod client;
pub mod config;
pub mod doctor;
pub mod documents;
pub mod embedding;
pub mod first_admin;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod lease;
pub mod migration;
pub mod models;
pub mod open;
pub mod presence;
pub mod records;
#[doc(hidden)]
pub mod reference;
pub mod schema;
pub mod search;
pub mod secret;
pub mod serve;
mod services;
mod shell;
pub mod telemetry;
mod tls;
pub mod transfer;
pub mod turns;
mod values;

/// What the binary does: run the helper that the first argument asks for, or else the command line. Helpers come first,
/// since a backend starts them from this very executable and their arguments are their own.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    match first.as_deref().and_then(|name| name.to_str()).and_then(mosaic_core::registry::helper) {
        Some(helper) => (helper.run)(arguments.collect()),
        None => cli::main(),
    }
}
