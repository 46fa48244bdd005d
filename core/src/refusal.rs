//! The words in which every backend refuses what breaks a rule of the model, or of its section of the config, so that people
//! read the same of each.
//! What must not come in: the rules themselves; a backend checks them in its own way.

use std::fmt::Display;

use crate::{Error, ErrorKind, Id, Kind};

/// `field` refers to a record that is not there, or that the caller may not see.
pub fn missing(field: &'static str, kind: Kind, id: Id) -> Error {
    Error::invalid(format!("refers to a {kind} that does not exist")).with("field", field).with(kind.singular(), id)
}

/// Another record has this id.
pub fn taken(kind: Kind, id: Id) -> Error {
    Error::new(ErrorKind::Conflict, format!("another {kind} has this id"))
        .with("id", id)
        .hint("choose another id, or update the record that has it")
}

/// Another record has the value of `field`, which is unique.
pub fn not_unique(kind: Kind, field: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, format!("another {kind} has this {field}")).with("field", field)
}

/// The caller may read the record; `rule` says who may do this to it.
pub fn forbidden(rule: &'static str, kind: Kind, id: Id) -> Error {
    Error::new(ErrorKind::Forbidden, rule).with("kind", kind).with("id", id)
}

/// `field` stays as it was made.
pub fn fixed(field: &'static str, id: Id) -> Error {
    Error::invalid(format!("{field} cannot be changed")).with("field", field).with("id", id).hint("remove the record and make another")
}

/// The assignee does not exist, or is not a member of the task's space: the same words for both.
pub fn assignee(user_id: Id) -> Error {
    Error::invalid("the assignee could not read the task")
        .with("field", "assignee_id")
        .with("user", user_id)
        .hint("assign it to a member of its team, or add them to the team first")
}

/// A user or a team still holds content; `counts` says how much of each kind.
pub fn holds_content(kind: Kind, id: Id, counts: &[(Kind, u64)]) -> Error {
    let refusal = Error::new(ErrorKind::Conflict, format!("the {kind} still holds records")).with("id", id);
    let counted = counts.iter().fold(refusal, |refusal, (content, count)| refusal.with(content.plural(), count));
    counted.hint("move or remove these records first")
}

/// A message is there to stay as it was said.
pub fn append_only(id: Id) -> Error {
    forbidden("a message is never changed", Kind::Message, id).hint("add another one")
}

/// The session takes no messages at present.
pub fn session_closed(id: Id) -> Error {
    Error::new(ErrorKind::Conflict, "the session is closed").with("session", id).hint("set its status to open first")
}

/// A message that is taken over as it is says its place.
pub fn without_place() -> Error {
    Error::invalid("the message comes without its place: seq counts from 1").with("field", "seq")
}

/// A key of the config, as `tier.key`, holds what cannot be used.
pub fn config_key(key: &str, reason: impl Display) -> Error {
    Error::new(ErrorKind::Config, format!("{key} cannot be used: {reason}")).with("key", key).hint("mosaic config schema")
}
