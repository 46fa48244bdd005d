//! Data to fill a backend with, made up and the same each time: as much of the usual as is asked for ([`Generator`]), and a little of all
//! that is awkward ([`hostile()`]). It is for tests and benchmarks that move everything from one backend to another, so that it has every
//! kind of record, tokens with the hashes of secrets that are known, and embeddings.
//!
//! In it: `size` (how much), `draw` (what is random), `texts` (what people write), `representative` (which record is which), `accounts` and
//! `content` (the records, a function a kind), `embeddings`, `hostile` (what is awkward), `fill` (loading, and reading back), `compare`.
//! What must not come in: a clock, the order of a hash map, or anything else by which two machines would make different data; a record that
//! breaks a rule.

mod accounts;
mod compare;
mod content;
mod draw;
mod embeddings;
mod fill;
mod hostile;
mod representative;
mod size;
mod texts;

pub use compare::{assert_same_embeddings, assert_same_records};
pub use fill::{fill, read_back};
pub use hostile::{HostileData, hostile};
pub use representative::Generator;
pub use size::Size;

#[cfg(test)]
mod tests;
