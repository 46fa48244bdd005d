//! The maps that hold everything, and the transaction that changes them. What must not come in: rules.

use std::collections::BTreeMap;
use std::ops::{Bound, Deref};

use crate::{Embedding, Error, ErrorKind, Id, Kind, Membership, MembershipRole, Message, Record, Result, State, StateWrite};

/// Everything that is stored. Kinds sort in dependency order, so the map's own order is that of an export.
#[derive(Clone, Default)]
pub(super) struct Tables {
    records: BTreeMap<(Kind, Id), Record>,
    states: BTreeMap<String, State>,
    /// The last versions of the states that were removed.
    ended: BTreeMap<String, u64>,
    /// Of records that are there, by model, kind and id, which is the order of an export.
    pub(super) embeddings: BTreeMap<(String, Kind, Id), Embedding>,
    /// How many records it takes, where it does not take any number.
    max_records: Option<usize>,
    closed: bool,
}

impl Tables {
    /// Tables that take so many records.
    pub(super) fn bounded(max_records: usize) -> Self {
        Self { max_records: Some(max_records), ..Self::default() }
    }

    /// What is left of a storage that was closed.
    pub(super) fn closed() -> Self {
        Self { closed: true, ..Self::default() }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn get(&self, kind: Kind, id: Id) -> Option<&Record> {
        self.records.get(&(kind, id))
    }

    pub(super) fn has(&self, kind: Kind, id: Id) -> bool {
        self.records.contains_key(&(kind, id))
    }

    /// The records of one kind, by id.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        self.records.range((kind, Id::nil())..=(kind, Id::max())).map(|(_, record)| record)
    }

    /// The records behind a place in the order of an export.
    pub(super) fn behind(&self, place: Option<(Kind, Id)>) -> impl Iterator<Item = &Record> {
        let start = place.map_or(Bound::Unbounded, Bound::Excluded);
        self.records.range((start, Bound::Unbounded)).map(|(_, record)| record)
    }

    pub(super) fn memberships(&self) -> impl Iterator<Item = &Membership> {
        self.of_kind(Kind::Membership).filter_map(|record| match record {
            Record::Membership(membership) => Some(membership),
            _ => None,
        })
    }

    /// What the user is in the team; `None` when they are not a member.
    pub(super) fn role_in(&self, team_id: Id, user_id: Id) -> Option<MembershipRole> {
        self.memberships().find(|m| m.team_id == team_id && m.user_id == user_id).map(|m| m.role)
    }

    /// The messages of a session, by id.
    pub(super) fn messages_of(&self, session_id: Id) -> impl Iterator<Item = &Message> {
        self.of_kind(Kind::Message).filter_map(move |record| match record {
            Record::Message(message) if message.session_id == session_id => Some(message),
            _ => None,
        })
    }

    /// The place of a session's last message; 0 when it has none.
    pub(super) fn last_seq(&self, session_id: Id) -> u64 {
        self.messages_of(session_id).map(|message| message.seq).max().unwrap_or(0)
    }

    /// The space a record lives in: its own, or that of what it is a part of.
    pub(super) fn space_of(&self, record: &Record) -> Option<Id> {
        match record {
            Record::Message(message) => self.get(Kind::Session, message.session_id)?.space_id(),
            other => other.space_id(),
        }
    }

    pub(super) fn state(&self, name: &str) -> Option<&State> {
        self.states.get(name)
    }

    /// Writes a state, if it is at the expected version; answers the new one. It comes last in
    /// a transaction: it is not undone.
    pub(super) fn put_state(&mut self, write: &StateWrite) -> Result<u64> {
        let version = self.states.get(&write.name).map_or(0, |state| state.version);
        if version != write.expect {
            return Err(Error::new(ErrorKind::Stale, "the state has changed since it was read")
                .with("name", &write.name)
                .with("version", version)
                .hint("read it again, and decide anew"));
        }
        match &write.value {
            Some(value) => {
                let version = self.ended.remove(&write.name).unwrap_or(version) + 1;
                self.states.insert(write.name.clone(), State { value: value.clone(), version });
                Ok(version)
            }
            None => {
                if let Some(state) = self.states.remove(&write.name) {
                    self.ended.insert(write.name.clone(), state.version);
                }
                Ok(0)
            }
        }
    }
}

/// Changes to the tables that are all kept by [`Self::commit`], or all undone when it is dropped without.
pub(super) struct Transaction<'a> {
    tables: &'a mut Tables,
    /// What each changed place held before, in the order of the changes.
    undo: Vec<((Kind, Id), Option<Record>)>,
    removed: Vec<(Kind, Id)>,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(tables: &'a mut Tables) -> Self {
        Self { tables, undo: Vec::new(), removed: Vec::new() }
    }

    /// Stores a record, in place of what had its id.
    pub(super) fn put(&mut self, record: Record) {
        let key = (record.kind(), record.id());
        let before = self.tables.records.insert(key, record);
        self.undo.push((key, before));
    }

    pub(super) fn remove(&mut self, kind: Kind, id: Id) {
        let before = self.tables.records.remove(&(kind, id));
        self.undo.push(((kind, id), before));
        self.removed.push((kind, id));
    }

    /// Keeps the changes, if they leave no more records than the tables take and the state write that goes with them can be done.
    /// Embeddings end with their records.
    pub(super) fn commit(mut self, state: Option<&StateWrite>) -> Result<()> {
        if let Some(max_records) = self.tables.max_records.filter(|max_records| self.tables.records.len() > *max_records) {
            return Err(Error::new(ErrorKind::Full, "the storage takes no more records").with("max_records", max_records));
        }
        if let Some(write) = state {
            self.tables.put_state(write)?;
        }
        self.undo.clear();
        if !self.removed.is_empty() {
            self.tables.embeddings.retain(|(_, kind, id), _| !self.removed.contains(&(*kind, *id)));
        }
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = Tables;

    fn deref(&self) -> &Tables {
        self.tables
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(record) => self.tables.records.insert(key, record),
                None => self.tables.records.remove(&key),
            };
        }
    }
}
