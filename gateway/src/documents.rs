//! The names of the documents that the gateway keeps in the state of its storage, and what becomes of each when the data moves to another tier.
//! What must not come in: what is in them.

/// Which token the first administrator got.
pub const FIRST_ADMIN: &str = "first-admin";
/// What cursors are sealed with: a client that is in the middle of a list goes on in it after a move.
pub const CURSOR_KEY: &str = "cursor-key";
/// Which gateways are there.
pub const GATEWAYS: &str = "gateways";
/// Who makes embeddings.
pub const EMBEDDINGS_LEASE: &str = "embedding";
/// How far a move is.
pub const MIGRATION: &str = "migration";

/// Those that go along.
pub const MOVED: &[&str] = &[FIRST_ADMIN, CURSOR_KEY];

/// Those that stay: they are about processes and places, which do not go along.
pub const LEFT: &[&str] = &[GATEWAYS, EMBEDDINGS_LEASE, MIGRATION];
