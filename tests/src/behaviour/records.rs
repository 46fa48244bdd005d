//! Records as values: changing what all content has, whatever its kind.

use mosaic_core::{Entity as _, Id, Query, Record, Scope, User};

/// The scope of a user.
pub(crate) fn as_user(user: &User) -> Scope {
    Scope::User(user.id)
}

/// The scope of an admin.
pub(crate) fn as_admin(user: &User) -> Scope {
    Scope::Admin(user.id)
}

/// The same record with another id.
pub(crate) fn with_id(record: &Record, id: Id) -> Record {
    let mut record = record.clone();
    mosaic_core::with_entity!(&mut record, entity => entity.id = id);
    record
}

/// The same record as if it were read at another revision.
pub(crate) fn at_revision(record: &Record, revision: u64) -> Record {
    let mut record = record.clone();
    let updated_at = record.updated_at();
    record.stamp(updated_at, revision);
    record
}

/// The same content with another owner.
pub(crate) fn with_owner(record: &Record, owner_id: Id) -> Record {
    let mut record = record.clone();
    match &mut record {
        Record::Task(task) => task.owner_id = owner_id,
        Record::Note(note) => note.owner_id = owner_id,
        Record::Session(session) => session.owner_id = owner_id,
        other => panic!("a {} has no owner", other.kind()),
    }
    record
}

/// The same content in another space.
pub(crate) fn with_team(record: &Record, team_id: Option<Id>) -> Record {
    let mut record = record.clone();
    match &mut record {
        Record::Task(task) => task.team_id = team_id,
        Record::Note(note) => note.team_id = team_id,
        Record::Session(session) => session.team_id = team_id,
        other => panic!("a {} has no team", other.kind()),
    }
    record
}

/// The same record with another name or title.
pub(crate) fn renamed(record: &Record, name: &str) -> Record {
    let mut record = record.clone();
    match &mut record {
        Record::User(user) => user.name = name.into(),
        Record::Team(team) => team.name = name.into(),
        Record::Token(token) => token.name = name.into(),
        Record::Task(task) => task.title = name.into(),
        Record::Note(note) => note.title = name.into(),
        Record::Session(session) => session.title = name.into(),
        Record::Message(message) => message.content = name.into(),
        Record::Membership(_) => panic!("a membership has no name"),
    }
    record
}

/// A list that holds the record, if the scope may see it, among few others.
pub(crate) fn list_around(record: &Record) -> Query {
    let (filter, value) = match record {
        Record::User(user) => ("login", user.login.clone()),
        Record::Team(team) => ("slug", team.slug.clone()),
        Record::Membership(membership) => ("team_id", membership.team_id.to_string()),
        Record::Token(token) => ("user_id", token.user_id.to_string()),
        Record::Message(message) => ("session_id", message.session_id.to_string()),
        Record::Task(task) => ("space_id", task.space_id().unwrap().to_string()),
        Record::Note(note) => ("space_id", note.space_id().unwrap().to_string()),
        Record::Session(session) => ("space_id", session.space_id().unwrap().to_string()),
    };
    Query::new(record.kind()).filter(filter, &value).unwrap()
}
