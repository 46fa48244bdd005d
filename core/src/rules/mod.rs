//! The rules of the model, as code: who may see and do what, and what must hold of what is stored. A backend that gives them its records,
//! in one transaction, has them all, and writes none again; one that says them in statements of its own, as SQL does, needs none of this.
//! What must not come in: how records are kept, and anything that only one backend can do.
//!
//! A backend implements [`Records`] (reads) and [`Writes`] for its transaction. It keeps each record under its kind and id, and under
//! its [`keys`], by which the rules find it otherwise. Then [`apply`] carries out a batch, [`load`] takes records over, and [`Access`] says
//! what a scope sees.
//!
//! Whoever calls commits when the answer is `Ok`, and lets go of the transaction, undone, when it is an error.

mod access;
mod changes;
mod integrity;
mod keys;

pub use access::Access;
pub use changes::{apply, load};
pub use keys::{Key, keys};

use crate::{Id, Kind, Record, Result};

/// Reads of one transaction: all of them see the same moment, and what was written in it before.
pub trait Records {
    /// The record with this id, with everything that is kept of it, a token's hash too.
    ///
    /// # Errors
    /// Only those of the engine: never [`crate::ErrorKind::Conflict`] or [`crate::ErrorKind::Invalid`], which are refusals of a record.
    fn get(&self, kind: Kind, id: Id) -> Result<Option<Record>>;

    /// The ids of all records that have this key, in any order.
    ///
    /// # Errors
    /// As [`Self::get`].
    fn find(&self, key: &Key) -> Result<Vec<Id>>;

    /// The place of a session's last message; 0 when it has none. Asked for each message that is added, so it should not read them all.
    ///
    /// # Errors
    /// As [`Self::get`].
    fn last_seq(&self, session_id: Id) -> Result<u64>;
}

/// Writes of the same transaction.
pub trait Writes: Records {
    /// Stores a record under its kind, id and [`keys`], in place of what had its id.
    ///
    /// # Errors
    /// As [`Records::get`].
    fn put(&mut self, record: &Record) -> Result<()>;

    /// Removes a record that is there, as it is there, and its embeddings.
    ///
    /// # Errors
    /// As [`Records::get`].
    fn remove(&mut self, record: &Record) -> Result<()>;
}

/// The space a record lives in: its own, or that of what it is a part of; `None` when that is gone.
///
/// # Errors
/// As [`Records::get`].
pub fn space_of(records: &dyn Records, record: &Record) -> Result<Option<Id>> {
    match record {
        Record::Message(message) => Ok(records.get(Kind::Session, message.session_id)?.and_then(|session| session.space_id())),
        other => Ok(other.space_id()),
    }
}
