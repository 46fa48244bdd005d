//! The Mosaic gateway: config, startup, HTTP and the command line `mosaic`, as a library. The binary is [`main`]
//! and nothing more, so that whoever writes a backend of their own can make theirs from the same parts:
//!
//! ```no_run
//! // use acme_backend as _;
//! fn main() -> std::process::ExitCode {
//!     mosaic_gateway::main()
//! }
//! ```

mod backends;
pub mod auth;
pub mod config;
pub mod first_admin;
pub mod http;
pub mod open;
pub mod records;
pub mod schema;
pub mod secret;
pub mod serve;
pub mod telemetry;
pub mod transfer;
