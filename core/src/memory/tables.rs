//! The maps that hold everything, and the transaction that changes them. What must not come in: rules.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Deref};

use crate::rules::{self, Access, Key, Records, Writes, keys};
use crate::{Embedding, Error, ErrorKind, FieldValue, Id, Kind, Record, Result, Scope, State, StateWrite};

/// Everything that is stored. Kinds sort in dependency order, so the map's own order is that of an export.
#[derive(Clone, Default)]
pub(super) struct Tables {
    records: BTreeMap<(Kind, Id), Record>,
    /// The records by what else they are found by.
    index: BTreeSet<(Key, Id)>,
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

    /// The records of one kind, by id.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        self.records.range((kind, Id::nil())..=(kind, Id::max())).map(|(_, record)| record)
    }

    /// The records behind a place in the order of an export.
    pub(super) fn behind(&self, place: Option<(Kind, Id)>) -> impl Iterator<Item = &Record> {
        let start = place.map_or(Bound::Unbounded, Bound::Excluded);
        self.records.range((start, Bound::Unbounded)).map(|(_, record)| record)
    }

    /// The records with a key.
    pub(super) fn having<'a>(&'a self, key: &Key) -> impl Iterator<Item = &'a Record> + use<'a> {
        let ids = self.index.range((key.clone(), Id::nil())..=(key.clone(), Id::max()));
        ids.filter_map(|(key, id)| self.records.get(&(key.kind, *id)))
    }

    /// What is stored under a kind and an id from now on: a record, or nothing. Answers what was.
    fn set(&mut self, at: (Kind, Id), record: Option<Record>) -> Option<Record> {
        let added: Vec<_> = record.iter().flat_map(keys).collect();
        let before = match record {
            Some(record) => self.records.insert(at, record),
            None => self.records.remove(&at),
        };
        for key in before.iter().flat_map(keys) {
            self.index.remove(&(key, at.1));
        }
        self.index.extend(added.into_iter().map(|key| (key, at.1)));
        before
    }

    /// The space a record lives in: its own, or that of what it is a part of.
    pub(super) fn space_of(&self, record: &Record) -> Option<Id> {
        rules::space_of(self, record).ok().flatten()
    }

    pub(super) fn open_to(&self, access: &Access, record: &Record) -> bool {
        access.sees(self, record).unwrap_or(false)
    }

    /// The record, if the scope sees it.
    pub(super) fn seen(&self, scope: Scope, kind: Kind, id: Id) -> Result<Option<&Record>> {
        let access = Access::of(scope, self)?;
        Ok(self.get(kind, id).filter(|record| self.open_to(&access, record)))
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

/// Nothing that is asked of memory fails.
impl Records for Tables {
    fn get(&self, kind: Kind, id: Id) -> Result<Option<Record>> {
        Ok(Self::get(self, kind, id).cloned())
    }

    fn find(&self, key: &Key) -> Result<Vec<Id>> {
        Ok(self.having(key).map(Record::id).collect())
    }

    fn last_seq(&self, session_id: Id) -> Result<u64> {
        let places = self.having(&Key::messages(session_id)).filter_map(|message| match message.value("seq") {
            Some(FieldValue::Number(seq)) => Some(seq),
            _ => None,
        });
        Ok(places.max().unwrap_or(0))
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

impl Records for Transaction<'_> {
    fn get(&self, kind: Kind, id: Id) -> Result<Option<Record>> {
        Records::get(self.tables, kind, id)
    }

    fn find(&self, key: &Key) -> Result<Vec<Id>> {
        self.tables.find(key)
    }

    fn last_seq(&self, session_id: Id) -> Result<u64> {
        self.tables.last_seq(session_id)
    }
}

impl Writes for Transaction<'_> {
    fn put(&mut self, record: &Record) -> Result<()> {
        let at = (record.kind(), record.id());
        let before = self.tables.set(at, Some(record.clone()));
        self.undo.push((at, before));
        Ok(())
    }

    fn remove(&mut self, record: &Record) -> Result<()> {
        let at = (record.kind(), record.id());
        let before = self.tables.set(at, None);
        self.undo.push((at, before));
        self.removed.push(at);
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
        while let Some((at, before)) = self.undo.pop() {
            self.tables.set(at, before);
        }
    }
}
