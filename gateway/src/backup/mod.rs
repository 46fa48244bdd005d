//! Backups: everything that a tier holds at one moment, in one archive that any tier takes, and that says of itself what is in it.
//!
//! An archive is a tar file, as a rule compressed with zstd and, if it is for somebody, encrypted with age, so that it can be looked into
//! without Mosaic:
//!
//! | entry | what it holds |
//! |---|---|
//! | `backup.json` | the format, and where and when the backup was made |
//! | `records/KIND/NUMBER.jsonl` | records as JSON Lines, in dependency order; tokens with their hashes |
//! | `embeddings/NUMBER.jsonl` | embeddings as JSON Lines, their components as base64 of 32-bit numbers |
//! | `documents.json` | the documents of the state that go along |
//! | `manifest.json` | how many of each there are, and the sum of their hashes; the last entry, so that what was cut off lacks it |
//!
//! In it: `manifest` and `archive` (the format), `create` and `read` (out of a storage, and out of a file), `seal` (compression and
//! encryption), `restore` (into a tier, of which `restoring` keeps how far it is), `verify` (into a scratch place). What must not come in: how
//! it is shown, and anything about a tier by name but where a scratch place is.

mod archive;
mod create;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod manifest;
mod read;
mod restore;
mod seal;
mod still;
mod verify;

pub use create::create;
pub use manifest::{Difference, Holdings, Manifest, Origin};
pub use read::{Archive, Entry, Item, follow, read_through};
pub use restore::{Restore, Restored, Step, abort};
pub use seal::{Identities, Recipients, Sink};
pub use still::Still;
pub use verify::Scratch;

/// The media type of an archive as the API gives it, which is neither compressed nor encrypted.
pub const TAR: &str = "application/x-tar";

#[cfg(test)]
mod tests;
