//! Where records are: the paths of each kind. Parts of other records are below their whole, as messages are below their session.

use mosaic_core::{Error, FieldValue, Id, Kind, Record};

use super::problem::{NOT_FOUND, Problem};

const EMBEDDING: &str = "/embedding";

/// The path of all records of a kind; `{id}` stands for the whole's.
pub(super) fn collection(kind: Kind) -> String {
    match kind.parent() {
        None => format!("/api/v1/{}", kind.plural()),
        Some(parent) => format!("/api/v1/{}/{{id}}/{}", parent.kind.plural(), kind.plural()),
    }
}

/// The path of one record of a kind.
pub(super) fn record(kind: Kind) -> String {
    match kind.parent() {
        None => format!("{}/{{id}}", collection(kind)),
        Some(_) => format!("{}/{{{}_id}}", collection(kind), kind.singular()),
    }
}

/// The path of a record's embedding, of a kind that is searched.
pub(super) fn embedding(kind: Kind) -> String {
    record(kind) + EMBEDDING
}

/// The record's path, of its embedding's.
pub(super) fn embedded(path: &str) -> &str {
    path.strip_suffix(EMBEDDING).unwrap_or_default()
}

/// The path of this record.
pub(super) fn of(record: &Record) -> String {
    let (kind, id) = (record.kind(), record.id());
    match kind.parent().and_then(|parent| Some((parent, record.value(parent.field)?))) {
        None => format!("/api/v1/{}/{id}", kind.plural()),
        Some((parent, whole)) => format!("/api/v1/{}/{whole}/{}/{id}", parent.kind.plural(), kind.plural()),
    }
}

/// The id at the end of a record's path.
pub(super) fn id(kind: Kind, path: &str) -> Result<Id, Problem> {
    read(kind, path.rsplit('/').next())
}

/// The whole that a path is below of: its kind, the field that refers to it, and its id. `None` for kinds that are parts of nothing.
pub(super) fn whole(kind: Kind, path: &str) -> Result<Option<(Kind, &'static str, Id)>, Problem> {
    let Some(parent) = kind.parent() else { return Ok(None) };
    Ok(Some((parent.kind, parent.field, below(parent.kind, path)?)))
}

/// The id of the record that a path is below of.
pub(super) fn below(kind: Kind, path: &str) -> Result<Id, Problem> {
    // Behind "", "api", "v1" and the plural.
    read(kind, path.split('/').nth(4))
}

/// Checks that a record is a part of what its path says.
pub(super) fn check(record: &Record, path: &str) -> Result<(), Problem> {
    match whole(record.kind(), path)? {
        Some((_, field, id)) if record.value(field) != Some(FieldValue::Id(id)) => Err(Error::not_found(record.kind(), record.id()).into()),
        _ => Ok(()),
    }
}

fn read(kind: Kind, text: Option<&str>) -> Result<Id, Problem> {
    text.unwrap_or_default().parse().map_err(|_| Problem::new(NOT_FOUND, format!("no {kind} with this id: ids are UUIDs")))
}
