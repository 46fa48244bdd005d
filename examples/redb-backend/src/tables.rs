//! What is kept, how it is written down, and how it is found: the tables, and the reads and writes of one transaction that
//! [`mosaic_core::rules`] are made of. What must not come in: rules, and anything that waits.
//!
//! Kinds and fields are stored by name: a number would change with the model.

use mosaic_core::rules::{Key, Records, Writes, keys};
use mosaic_core::{Error, ErrorKind, FieldValue, Id, Kind, Record, Result, State, StateWrite, with_entity, with_kind};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};

use crate::error::{engine, unreadable};

/// The format that this build reads and writes.
const FORMAT: u64 = 1;

pub(crate) type RecordKey = (&'static str, u128);
pub(crate) type ListKey = (&'static str, &'static str, u128, &'static [u8], u128);
pub(crate) type EmbeddingKey = (&'static str, &'static str, u128);
type Bytes = &'static [u8];

/// What holds of the whole: `format`.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Records by kind and id: the revision in eight bytes, so that it can be had alone, and the record as JSON.
const RECORDS: TableDefinition<RecordKey, Bytes> = TableDefinition::new("records");
/// The ids of records by their keys.
const KEYS: TableDefinition<(Bytes, u128), ()> = TableDefinition::new("keys");
/// The ids of records in the order of every list: by kind, field, shelf, value and id.
const LISTS: TableDefinition<ListKey, ()> = TableDefinition::new("lists");
/// Embeddings by model, kind and id: the revision in eight bytes, and the components in four each.
const EMBEDDINGS: TableDefinition<EmbeddingKey, Bytes> = TableDefinition::new("embeddings");
/// The dimensions and the number of embeddings of each model that has some.
const MODELS: TableDefinition<&str, (u64, u64)> = TableDefinition::new("models");
/// Documents with their version, as JSON. One that was removed leaves its version behind.
const STATES: TableDefinition<&str, (u64, Option<Bytes>)> = TableDefinition::new("states");

/// Where all records of a kind are listed whatever their shelf. No user, team or session is in the way: it is another kind of name.
pub(crate) const EVERYWHERE: &str = "*";

/// What records are listed by: what their kind is ordered by, and when they were made.
pub(crate) const MADE: &str = "created_at";

/// The shelf a record stands on: everybody sees a whole shelf or nothing of it. A message stands with its session, so that a
/// session that moves to another space takes its messages along; any other record stands in its space.
fn shelf(record: &Record) -> Id {
    match record {
        Record::Message(message) => message.session_id,
        other => other.space_id().unwrap_or_default(),
    }
}

/// A value as bytes that sort as it does. None sorts behind [`LAST`].
pub(crate) fn sortable(value: &FieldValue) -> Vec<u8> {
    match value {
        FieldValue::Id(id) => id.as_bytes().into(),
        FieldValue::Text(text) => text.as_bytes().into(),
        // With the sign turned, what is negative sorts first.
        FieldValue::Time(time) => (time.as_micros() ^ i64::MIN).to_be_bytes().into(),
        FieldValue::Number(number) => number.to_be_bytes().into(),
    }
}

/// Behind every value: no text has such a byte, and nothing else so many.
pub(crate) const LAST: &[u8] = &[0xff; 17];

/// Where a record stands in lists: the name of the list, the shelf, and the value there.
fn places(record: &Record) -> Vec<(String, u128, Vec<u8>)> {
    let orders = record.kind().orders().iter().map(|order| order.name).filter(|name| *name != MADE);
    let mut places = Vec::new();
    for (name, value) in orders.map(|name| (name, record.value(name))).chain([(MADE, Some(FieldValue::Time(record.created_at())))]) {
        let Some(value) = value.as_ref().map(sortable) else { continue };
        places.push((name.to_owned(), shelf(record).as_u128(), value.clone()));
        places.push((format!("{EVERYWHERE}{name}"), 0, value));
    }
    places
}

fn encode(record: &Record) -> Result<Vec<u8>> {
    let mut bytes = record.revision().to_le_bytes().to_vec();
    with_entity!(record, entity => serde_json::to_writer(&mut bytes, entity))
        .map_err(|error| Error::new(ErrorKind::Internal, "a record cannot be written down").source(error))?;
    Ok(bytes)
}

/// Not by `Record`'s own `Deserialize`: it refuses what is out of bounds, and what is stored was taken, whatever the bounds are now.
fn decode(kind: Kind, bytes: &[u8]) -> Result<Record> {
    let (_, json) = split(bytes)?;
    with_kind!(kind, T => serde_json::from_slice::<T>(json).map(Record::from)).map_err(unreadable)
}

/// A stored value, as its revision and the rest.
pub(crate) fn split(bytes: &[u8]) -> Result<(u64, &[u8])> {
    let (revision, rest) = bytes.split_first_chunk().ok_or_else(|| unreadable("a value that is too short"))?;
    Ok((u64::from_le_bytes(*revision), rest))
}

fn get(records: &impl ReadableTable<RecordKey, Bytes>, kind: Kind, id: Id) -> Result<Option<Record>> {
    let found = records.get((kind.singular(), id.as_u128())).map_err(engine)?;
    found.map(|bytes| decode(kind, bytes.value())).transpose()
}

fn find(index: &impl ReadableTable<(Bytes, u128), ()>, key: &Key) -> Result<Vec<Id>> {
    let bytes = key.bytes();
    let found = index.range((bytes.as_slice(), 0)..=(bytes.as_slice(), u128::MAX)).map_err(engine)?;
    found.map(|entry| entry.map(|(key, _)| Id::from_u128(key.value().1)).map_err(engine)).collect()
}

fn last_seq(lists: &impl ReadableTable<ListKey, ()>, session_id: Id) -> Result<u64> {
    let (kind, shelf) = (Kind::Message.singular(), session_id.as_u128());
    let mut places = lists.range((kind, "seq", shelf, &[][..], 0)..=(kind, "seq", shelf, LAST, u128::MAX)).map_err(engine)?;
    let Some(last) = places.next_back() else { return Ok(0) };
    let (key, _) = last.map_err(engine)?;
    let seq = key.value().3.try_into().map_err(unreadable)?;
    Ok(u64::from_be_bytes(seq))
}

pub(crate) fn state(states: &impl ReadableTable<&'static str, (u64, Option<Bytes>)>, name: &str) -> Result<Option<State>> {
    let found = states.get(name).map_err(engine)?;
    let Some((version, Some(value))) = found.as_ref().map(|found| found.value()) else { return Ok(None) };
    Ok(Some(State { value: serde_json::from_slice(value).map_err(unreadable)?, version }))
}

/// Everything as it is at one moment.
pub(crate) struct Snapshot {
    pub(crate) records: ReadOnlyTable<RecordKey, Bytes>,
    keys: ReadOnlyTable<(Bytes, u128), ()>,
    pub(crate) lists: ReadOnlyTable<ListKey, ()>,
    pub(crate) embeddings: ReadOnlyTable<EmbeddingKey, Bytes>,
    pub(crate) models: ReadOnlyTable<&'static str, (u64, u64)>,
    pub(crate) states: ReadOnlyTable<&'static str, (u64, Option<Bytes>)>,
}

impl Snapshot {
    pub(crate) fn of(transaction: &ReadTransaction) -> Result<Self> {
        Ok(Self {
            records: transaction.open_table(RECORDS).map_err(engine)?,
            keys: transaction.open_table(KEYS).map_err(engine)?,
            lists: transaction.open_table(LISTS).map_err(engine)?,
            embeddings: transaction.open_table(EMBEDDINGS).map_err(engine)?,
            models: transaction.open_table(MODELS).map_err(engine)?,
            states: transaction.open_table(STATES).map_err(engine)?,
        })
    }
}

impl Records for Snapshot {
    fn get(&self, kind: Kind, id: Id) -> Result<Option<Record>> {
        get(&self.records, kind, id)
    }

    fn find(&self, key: &Key) -> Result<Vec<Id>> {
        find(&self.keys, key)
    }

    fn last_seq(&self, session_id: Id) -> Result<u64> {
        last_seq(&self.lists, session_id)
    }
}

/// Everything as a transaction has made it, which nobody else sees until it is committed.
pub(crate) struct Draft<'t> {
    records: Table<'t, RecordKey, Bytes>,
    keys: Table<'t, (Bytes, u128), ()>,
    lists: Table<'t, ListKey, ()>,
    pub(crate) embeddings: Table<'t, EmbeddingKey, Bytes>,
    pub(crate) models: Table<'t, &'static str, (u64, u64)>,
    states: Table<'t, &'static str, (u64, Option<Bytes>)>,
}

impl<'t> Draft<'t> {
    pub(crate) fn of(transaction: &'t WriteTransaction) -> Result<Self> {
        Ok(Self {
            records: transaction.open_table(RECORDS).map_err(engine)?,
            keys: transaction.open_table(KEYS).map_err(engine)?,
            lists: transaction.open_table(LISTS).map_err(engine)?,
            embeddings: transaction.open_table(EMBEDDINGS).map_err(engine)?,
            models: transaction.open_table(MODELS).map_err(engine)?,
            states: transaction.open_table(STATES).map_err(engine)?,
        })
    }

    /// Writes a document, if it is at the expected version; answers the new one.
    pub(crate) fn put_state(&mut self, write: &StateWrite) -> Result<u64> {
        let last = self.states.get(write.name.as_str()).map_err(engine)?.map(|found| (found.value().0, found.value().1.is_some()));
        let (last, is_there) = last.unwrap_or_default();
        let version = if is_there { last } else { 0 };
        if version != write.expect {
            return Err(Error::new(ErrorKind::Stale, "the state has changed since it was read")
                .with("name", &write.name)
                .with("version", version)
                .hint("read it again, and decide anew"));
        }
        let Some(value) = &write.value else {
            if is_there {
                self.states.insert(write.name.as_str(), (last, None)).map_err(engine)?;
            }
            return Ok(0);
        };
        let json = serde_json::to_vec(value).map_err(|error| Error::invalid("the document cannot be written down").source(error))?;
        self.states.insert(write.name.as_str(), (last + 1, Some(json.as_slice()))).map_err(engine)?;
        Ok(last + 1)
    }

    /// Stores an embedding, in place of the one of the same record and model.
    pub(crate) fn put_embedding(&mut self, model: &str, kind: Kind, id: Id, bytes: &[u8], dimensions: usize) -> Result<()> {
        let added = self.embeddings.insert((model, kind.singular(), id.as_u128()), bytes).map_err(engine)?.is_none();
        if added {
            let count = self.models.get(model).map_err(engine)?.map_or(0, |model| model.value().1);
            self.models.insert(model, (dimensions as u64, count + 1)).map_err(engine)?;
        }
        Ok(())
    }

    /// Removes an embedding; answers whether it was there. A model without embeddings has no dimensions any more.
    pub(crate) fn remove_embedding(&mut self, model: &str, kind: Kind, id: Id) -> Result<bool> {
        if self.embeddings.remove((model, kind.singular(), id.as_u128())).map_err(engine)?.is_none() {
            return Ok(false);
        }
        let left = self.models.get(model).map_err(engine)?.map(|model| model.value()).filter(|(_, count)| *count > 1);
        match left {
            Some((dimensions, count)) => self.models.insert(model, (dimensions, count - 1)).map_err(engine)?.map(drop),
            None => self.models.remove(model).map_err(engine)?.map(drop),
        };
        Ok(true)
    }

    /// Removes a record's embeddings, of every model; answers whether there were any.
    pub(crate) fn remove_embeddings(&mut self, kind: Kind, id: Id) -> Result<bool> {
        let models: Vec<_> = self.models.iter().map_err(engine)?.map(|entry| entry.map(|(model, _)| model.value().to_owned())).collect();
        let mut any = false;
        for model in models {
            any |= self.remove_embedding(&model.map_err(engine)?, kind, id)?;
        }
        Ok(any)
    }

    /// Takes a record out of all that finds it.
    fn unlist(&mut self, record: &Record) -> Result<()> {
        let (kind, id) = (record.kind().singular(), record.id().as_u128());
        for key in keys(record) {
            self.keys.remove((key.bytes().as_slice(), id)).map_err(engine)?;
        }
        for (list, shelf, value) in places(record) {
            self.lists.remove((kind, list.as_str(), shelf, value.as_slice(), id)).map_err(engine)?;
        }
        Ok(())
    }
}

impl Records for Draft<'_> {
    fn get(&self, kind: Kind, id: Id) -> Result<Option<Record>> {
        get(&self.records, kind, id)
    }

    fn find(&self, key: &Key) -> Result<Vec<Id>> {
        find(&self.keys, key)
    }

    fn last_seq(&self, session_id: Id) -> Result<u64> {
        last_seq(&self.lists, session_id)
    }
}

impl Writes for Draft<'_> {
    fn put(&mut self, record: &Record) -> Result<()> {
        let (kind, id) = (record.kind().singular(), record.id().as_u128());
        if let Some(before) = Records::get(self, record.kind(), record.id())? {
            self.unlist(&before)?;
        }
        self.records.insert((kind, id), encode(record)?.as_slice()).map_err(engine)?;
        for key in keys(record) {
            self.keys.insert((key.bytes().as_slice(), id), ()).map_err(engine)?;
        }
        for (list, shelf, value) in places(record) {
            self.lists.insert((kind, list.as_str(), shelf, value.as_slice(), id), ()).map_err(engine)?;
        }
        Ok(())
    }

    fn remove(&mut self, record: &Record) -> Result<()> {
        self.unlist(record)?;
        self.remove_embeddings(record.kind(), record.id())?;
        self.records.remove((record.kind().singular(), record.id().as_u128())).map_err(engine)?;
        Ok(())
    }
}

/// Makes every table where there is none yet, and says which format they are.
pub(crate) fn make(transaction: &WriteTransaction) -> Result<()> {
    Draft::of(transaction)?;
    transaction.open_table(META).map_err(engine)?.insert("format", FORMAT).map_err(engine)?;
    Ok(())
}

/// Removes every table.
pub(crate) fn unmake(transaction: &WriteTransaction) -> Result<()> {
    transaction.delete_table(META).map_err(engine)?;
    transaction.delete_table(RECORDS).map_err(engine)?;
    transaction.delete_table(KEYS).map_err(engine)?;
    transaction.delete_table(LISTS).map_err(engine)?;
    transaction.delete_table(EMBEDDINGS).map_err(engine)?;
    transaction.delete_table(MODELS).map_err(engine)?;
    transaction.delete_table(STATES).map_err(engine)?;
    Ok(())
}

/// Whether there are tables, of the format that this build knows.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for tables of another format.
pub(crate) fn are_made(transaction: &ReadTransaction) -> Result<bool> {
    let format = match transaction.open_table(META) {
        Ok(meta) => meta.get("format").map_err(engine)?.map(|format| format.value()),
        Err(TableError::TableDoesNotExist(_)) => return Ok(false),
        Err(error) => return Err(engine(error)),
    };
    if format != Some(FORMAT) {
        return Err(Error::new(ErrorKind::Corrupt, "the database was written by a newer mosaic")
            .with("format", format.unwrap_or_default())
            .with("known", FORMAT)
            .hint("start it with the mosaic that wrote it, or a newer one"));
    }
    Ok(true)
}
