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
/// Who runs a session's turn: what the names of these documents begin with, one a session.
pub const TURN: &str = "turn";
/// How far a move is.
pub const MIGRATION: &str = "migration";

/// Those that go along.
pub const MOVED: &[&str] = &[FIRST_ADMIN, CURSOR_KEY];

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that are about processes and places, which do not go along.
    const LEFT_BEHIND: &[&str] = &[GATEWAYS, EMBEDDINGS_LEASE, TURN, MIGRATION];

    /// Whoever adds a document decides what becomes of it when the data moves.
    #[test]
    fn each_document_goes_along_or_is_left_behind() {
        let source = include_str!("documents.rs");
        let named = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(": &str = \"")?.1.strip_suffix("\";"));
        let mut named: Vec<_> = named.collect();
        let mut known = [MOVED, LEFT_BEHIND].concat();
        named.sort_unstable();
        known.sort_unstable();
        assert!(named.len() >= 5);
        assert_eq!(named, known);
    }
}
