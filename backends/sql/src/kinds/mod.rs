//! The kinds' tables, a file each. To add a kind: write its file here, name it below, and add a migration that makes its table
//! and an index for each of its lists. What must not come in: statements that are the same for every kind.

mod content;
mod membership;
mod note;
mod task;
mod team;
mod token;
mod user;

#[cfg(test)]
mod tests;

pub(crate) use token::{authenticate, touch};

/// Users and teams share their ids, since both name spaces, but not a unique index. So they are added one transaction at a time.
/// The number is nothing but ours.
const LOCK_SPACES: &str = "SELECT pg_advisory_xact_lock(74200001)";
