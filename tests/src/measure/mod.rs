//! What benchmarks share: gateways as operators start them, a load of requests that is the same whoever serves it, and what a gateway sends
//! to its Postgres. What must not come in: what a benchmark makes of the figures.

mod client;
mod gateway;
mod load;
mod tap;

pub use client::{Answer, Connection, request};
pub use gateway::{Gateway, free_address, memory_kib};
pub use load::{Load, load};
pub use tap::{Statement, Tap};
