//! Durable records: the trait that a backend's storage implements, and what goes in and comes out.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::{Error, Hit, Id, Kind, Page, Query, Record, Result, Scope, Search, Snapshot, Timestamp, Token, TokenHash, User};

/// Where records are kept. An `Ok` from a writing call means that the write is durable, as far as the backend's
/// documentation promises. Every future may be dropped at any await: the call then took effect whole or not at all,
/// and the storage goes on as before.
#[async_trait]
pub trait Storage: Send + Sync {
    /// Reads one record. Never shows a token's hash.
    ///
    /// # Errors
    /// None for a record that is absent or may not be seen: both are `Ok(None)`.
    async fn get(&self, scope: Scope, kind: Kind, id: Id) -> Result<Option<Record>>;

    /// Reads a page of a list. Never shows a token's hash.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn list(&self, scope: Scope, query: &Query) -> Result<Page>;

    /// Finds the records that the scope may see and in which every word of the search occurs ([`crate::words`]), newest first by
    /// `created_at`; a backend that ranks puts first what says most of the words. Large ones may be searched in their beginning alone,
    /// but in no less than 64 KiB.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn search(&self, scope: Scope, search: &Search) -> Result<Vec<Hit>>;

    /// Carries out a batch in one transaction, all of it or nothing, in order. Answers one [`Applied`] for each change.
    ///
    /// # Errors
    /// For the first change that cannot be done, with `change` (its index, from 0) in the context of a batch of several:
    /// [`crate::ErrorKind::NotFound`], [`crate::ErrorKind::Forbidden`], [`crate::ErrorKind::Stale`] with the present `revision`,
    /// [`crate::ErrorKind::Conflict`] for an id, login, slug or membership that is taken (users and teams share their ids, since both
    /// name spaces) and for records that still refer to a removed one, [`crate::ErrorKind::Invalid`] for a reference to a record
    /// that is not there and for an assignee who could not read the task. For the batch as a whole: [`crate::ErrorKind::Stale`] for a
    /// state write whose expectation does not hold, [`crate::ErrorKind::Full`] when what it leaves does not fit, and those of the
    /// backend itself.
    async fn apply(&self, scope: Scope, batch: &Batch) -> Result<Vec<Applied>>;

    /// Reads all records of all kinds in a fixed order: by kind in dependency order, then by id. Answers up to `limit` records
    /// behind `after`, fewer when they are large ([`crate::PAGE_BYTES`]), none at the end. Tokens come with their hash, and only
    /// when `tokens` says so.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn export(&self, after: Option<(Kind, Id)>, limit: usize, tokens: Tokens) -> Result<Vec<Record>>;

    /// Takes over records as they are, with their times and revisions, in one transaction; together with a state write, if one
    /// is given. A record may refer to an earlier one of the same batch. Answers one [`Loaded`] for each record, in order: one that
    /// cannot be taken is refused by itself, the rest goes in.
    ///
    /// # Errors
    /// When nothing was taken: [`crate::ErrorKind::Stale`] when the state write's expectation does not hold, [`crate::ErrorKind::Full`]
    /// when what is to be added does not fit (nothing is wrong with the records, so none is refused by itself), and those of the backend
    /// itself.
    async fn load(&self, records: &[Record], state: Option<&StateWrite>) -> Result<Vec<Loaded>>;

    /// What there is of each kind, in dependency order, tokens included; kinds without records too. Counted by other means than
    /// [`Self::export`] where there are any, so that each can be checked by the other.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn tally(&self) -> Result<Vec<Tally>> {
        let mut tallies: Vec<_> = Kind::ALL.iter().map(|kind| Tally { kind: *kind, records: 0, bytes: 0 }).collect();
        let mut after = None;
        loop {
            let page = self.export(after, crate::PAGE_ITEMS, Tokens::WithHashes).await?;
            let Some(last) = page.last() else { return Ok(tallies) };
            after = Some((last.kind(), last.id()));
            for record in &page {
                let bytes = serde_json::to_vec(record).map_or(0, |json| json.len());
                for tally in tallies.iter_mut().filter(|tally| tally.kind == record.kind()) {
                    tally.records += 1;
                    tally.bytes += bytes as u64;
                }
            }
        }
    }

    /// Everything as it is at this moment, embeddings included, to be read at leisure while others write. One at a time is enough.
    /// `None` for a backend that cannot: a copy of its data is then made while nobody writes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Conflict`] while this storage has given one out, where it has room for no other. Those of the backend itself.
    async fn snapshot(&self) -> Result<Option<Arc<dyn Snapshot>>> {
        Ok(None)
    }

    /// Removes everything that Mosaic made where the data is: records, documents, embeddings, and what they are kept in. Only what
    /// others may use too, as an extension of the database, stays. `state` is a write that must succeed for that, in the same transaction.
    /// Every call after it fails.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for a backend that cannot: data cannot be moved to its tier then, since nobody could take it back.
    /// [`crate::ErrorKind::Stale`] when the state write's expectation does not hold, and those of the backend itself; nothing was removed
    /// then.
    async fn erase(&self, state: &StateWrite) -> Result<()> {
        let _ = state;
        Err(Error::new(crate::ErrorKind::Unsupported, "this tier cannot be emptied").hint("move to a tier that can"))
    }

    /// Finds the token with this hash (expired or not) and its user: the one door that needs no scope, since scopes come from it.
    ///
    /// # Errors
    /// None for an unknown hash: that is `Ok(None)`.
    async fn authenticate(&self, hash: &TokenHash) -> Result<Option<(Token, User)>>;

    /// Notes that a token was used at `at`. Not a change of the record; no error when the token is gone.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn touch_token(&self, id: Id, at: Timestamp) -> Result<()>;

    /// Reads a small named document.
    ///
    /// # Errors
    /// Only those of the backend itself.
    async fn state(&self, name: &str) -> Result<Option<State>>;

    /// Writes a small named document if it is at the expected version; answers the new version (0 when it was removed). No version of
    /// a name comes twice: a document made anew goes on counting from the one that was removed.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Stale`] when it is not.
    async fn put_state(&self, write: &StateWrite) -> Result<u64>;

    /// Does the least that shows that reads and writes would work, for readiness checks.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unavailable`] or [`crate::ErrorKind::Timeout`] when they would not.
    async fn ping(&self) -> Result<()>;

    /// Finishes what was acknowledged and lets go of everything. Calls after it fail as unavailable.
    ///
    /// # Errors
    /// When letting go fails; nothing acknowledged is lost by that.
    async fn close(&self) -> Result<()>;
}

/// What there is of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The kind.
    pub kind: Kind,
    /// How many records, exactly.
    pub records: u64,
    /// How many bytes they take where they are, about; what makes them quick to find is not counted.
    pub bytes: u64,
}

/// Whether an export holds tokens. Their hashes are as good as a list of who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// Tokens are left out.
    Omit,
    /// Tokens come with their hash.
    WithHashes,
}

/// Changes that take effect together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// When: the `updated_at` of what is updated.
    pub at: Timestamp,
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// A state write that must succeed for the changes to take effect.
    pub state: Option<StateWrite>,
}

impl Batch {
    /// A batch of one change.
    pub fn one(at: Timestamp, change: Change) -> Self {
        Self { at, changes: vec![change], state: None }
    }
}

/// One change to one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Makes a record, as given, at revision 1; a message at the next place of its session, whatever `seq` it carries. Making the
    /// same record again (what the storage sets aside) is no error.
    Create(Record),
    /// Replaces a record that is at the revision which `record` carries; it goes to the next one, `updated_at` to the batch's time.
    /// `created_at` stays as it was. A token's hash and last use stay as they were.
    Update(Record),
    /// Removes a record, if it is at the expected revision where one is given.
    Delete {
        /// The record's kind.
        kind: Kind,
        /// The record's id.
        id: Id,
        /// The revision it must be at; any, when `None`.
        revision: Option<u64>,
    },
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// The record was made.
    Created(Record),
    /// The same record was there already; this is how it is now.
    Unchanged(Record),
    /// The record was replaced; this is how it is now.
    Updated(Record),
    /// The record is gone.
    Deleted,
}

impl Applied {
    /// The record as it is now; `None` when it is gone.
    pub fn record(self) -> Option<Record> {
        match self {
            Self::Created(record) | Self::Unchanged(record) | Self::Updated(record) => Some(record),
            Self::Deleted => None,
        }
    }
}

/// What became of a record that was to be loaded.
#[derive(Debug)]
pub enum Loaded {
    /// It is stored now.
    Added,
    /// It was there, exactly the same.
    Unchanged,
    /// It cannot be taken, for this reason: [`crate::ErrorKind::Conflict`] or [`crate::ErrorKind::Invalid`].
    Refused(Error),
}

/// A small named document: fences, checkpoints, leases.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The document.
    pub value: Value,
    /// Counts its writes from 1, also past a removal: who knows a version knows the very document.
    pub version: u64,
}

/// A write of a small named document that holds only if nobody else wrote it meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct StateWrite {
    /// The document's name.
    pub name: String,
    /// What it is to hold; `None` removes it.
    pub value: Option<Value>,
    /// The version it must be at; 0 when it must not exist.
    pub expect: u64,
}
