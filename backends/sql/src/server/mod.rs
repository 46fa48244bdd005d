//! What only a Postgres server needs, behind the feature `server`: its section of the config, connecting over a network, a
//! pool of connections, and looking whether it will do. Tiers that keep their records on a server are made from it.
//! What must not come in: SQL about records, and which tier it is.

pub mod checks;
mod config;
mod connect;
mod pool;
pub(crate) mod probe;

pub use config::{PostgresConfig, Server};
pub use pool::ServerConnections;
pub use probe::Probe;
