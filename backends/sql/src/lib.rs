//! Mosaic's SQL, written once: an implementation of [`Storage`](mosaic_core::Storage) and an exact one of
//! [`VectorIndex`](mosaic_core::VectorIndex) for whatever speaks Postgres, from
//! version 15 on, without extensions. It works alike on the embedded engine's one connection and on a server's many.
//! What must not come in: how connections are made, and registration: this crate offers no tier.
//!
//! # Where to look
//! - `migrations/`: the schema.
//! - `kinds/`: each kind's table: its columns, who sees what, and what must hold of a record, as conditions in SQL.
//! - `table`: what a kind says of its table; `read`, `search`, `write`, `change` and `load`: what is done with any table.
//! - `vectors`: embeddings, stored beside their records and compared in this process; `vectors/pgvector`: compared by the database, with
//!   `migrations-pgvector/`.
//! - [`connection`]: the seam through which connections come in; `server`: those of a server.
//!
//! # Adding a kind
//! After its file in core: a file in `kinds/` that implements `Table`, its name in `kinds/mod.rs`, and a migration
//! that makes its table, with an index `(space, filters, order, id)` for each of its lists and, if it is searched, the table of its
//! embeddings, which gets its directions by one in `migrations-pgvector/`. Tests say which are missing.

mod change;
mod columns;
pub mod connection;
mod error;
mod kinds;
mod load;
mod read;
mod schema;
mod search;
#[cfg(feature = "server")]
pub mod server;
mod snapshot;
mod state;
mod statement;
mod storage;
mod table;
mod tally;
mod vectors;
mod words;
mod work;
mod write;

pub use schema::Tables;
pub use storage::SqlStorage;
pub use vectors::SqlVectors;
#[cfg(feature = "pgvector")]
pub use vectors::pgvector::PgVectors;
