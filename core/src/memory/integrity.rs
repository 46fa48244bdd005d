//! What must hold of stored records, whoever writes them: references lead somewhere, names are unique, an assignee can
//! read the task, nothing is removed that others need. What must not come in: who is asking, which is `access`'s.

use super::tables::Tables;
use crate::{Error, Id, Kind, Record, Result, Task, refusal};

/// Checks that a record can be stored, as a new one or in place of the one with its id.
pub(super) fn check(tables: &Tables, record: &Record) -> Result<()> {
    match record {
        Record::User(user) => {
            not_a_space_of(tables, Kind::Team, user.id)?;
            unique(tables, record, "login", |other| matches!(other, Record::User(other) if other.login == user.login))
        }
        Record::Team(team) => {
            not_a_space_of(tables, Kind::User, team.id)?;
            unique(tables, record, "slug", |other| matches!(other, Record::Team(other) if other.slug == team.slug))
        }
        Record::Membership(membership) => {
            exists(tables, "team_id", Kind::Team, membership.team_id)?;
            exists(tables, "user_id", Kind::User, membership.user_id)?;
            let pair = (membership.team_id, membership.user_id);
            unique(tables, record, "user_id", |other| matches!(other, Record::Membership(m) if (m.team_id, m.user_id) == pair))
        }
        Record::Token(token) => {
            exists(tables, "user_id", Kind::User, token.user_id)?;
            if token.hash.is_none() {
                return Err(Error::invalid("the token comes without its hash").with("field", "hash"));
            }
            unique(tables, record, "hash", |other| matches!(other, Record::Token(other) if other.hash == token.hash))
        }
        Record::Task(task) => {
            exists(tables, "owner_id", Kind::User, task.owner_id)?;
            task.team_id.map_or(Ok(()), |team_id| exists(tables, "team_id", Kind::Team, team_id))?;
            assignee_reads(tables, task)
        }
        Record::Note(note) => {
            exists(tables, "owner_id", Kind::User, note.owner_id)?;
            note.team_id.map_or(Ok(()), |team_id| exists(tables, "team_id", Kind::Team, team_id))
        }
        Record::Session(session) => {
            exists(tables, "owner_id", Kind::User, session.owner_id)?;
            session.team_id.map_or(Ok(()), |team_id| exists(tables, "team_id", Kind::Team, team_id))
        }
        Record::Message(message) => {
            exists(tables, "session_id", Kind::Session, message.session_id)?;
            if message.seq == 0 {
                return Err(refusal::without_place());
            }
            let place = (message.session_id, message.seq);
            unique(tables, record, "seq", |other| matches!(other, Record::Message(m) if (m.session_id, m.seq) == place))
        }
    }
}

/// Checks that an update leaves alone what cannot be changed.
pub(super) fn check_fixed(now: &Record, wanted: &Record) -> Result<()> {
    let changed = match (now, wanted) {
        (Record::Membership(now), Record::Membership(wanted)) if now.team_id != wanted.team_id => "team_id",
        (Record::Membership(now), Record::Membership(wanted)) if now.user_id != wanted.user_id => "user_id",
        (Record::Message(now), _) => return Err(refusal::append_only(now.id)),
        (Record::Token(now), Record::Token(wanted)) if now.user_id != wanted.user_id => "user_id",
        _ => return Ok(()),
    };
    Err(refusal::fixed(changed, now.id()))
}

/// Checks that no content is left which a removed user owns, or which lives in a removed team.
pub(super) fn check_holds_nothing(tables: &Tables, kind: Kind, id: Id) -> Result<()> {
    let held = |content: &&Record| match content {
        Record::Task(task) => task.owner_id == id || task.team_id == Some(id),
        Record::Note(note) => note.owner_id == id || note.team_id == Some(id),
        Record::Session(session) => session.owner_id == id || session.team_id == Some(id),
        Record::User(_) | Record::Team(_) | Record::Membership(_) | Record::Token(_) | Record::Message(_) => false,
    };
    let contents = Kind::ALL.iter().copied().filter(|kind| kind.is_content() && kind.parent().is_none());
    let counts: Vec<_> = contents.map(|content| (content, tables.of_kind(content).filter(held).count() as u64)).collect();
    if counts.iter().all(|(_, count)| *count == 0) { Ok(()) } else { Err(refusal::holds_content(kind, id, &counts)) }
}

fn exists(tables: &Tables, field: &'static str, kind: Kind, id: Id) -> Result<()> {
    if tables.has(kind, id) { Ok(()) } else { Err(refusal::missing(field, kind, id)) }
}

/// A user and a team never share an id: it names the space of either.
fn not_a_space_of(tables: &Tables, kind: Kind, id: Id) -> Result<()> {
    if tables.has(kind, id) { Err(refusal::taken(kind, id)) } else { Ok(()) }
}

fn unique(tables: &Tables, record: &Record, field: &'static str, same: impl Fn(&Record) -> bool) -> Result<()> {
    let kind = record.kind();
    if tables.of_kind(kind).any(|other| other.id() != record.id() && same(other)) {
        return Err(refusal::not_unique(kind, field));
    }
    Ok(())
}

/// The same words for an assignee who does not exist and for one who is not a member.
fn assignee_reads(tables: &Tables, task: &Task) -> Result<()> {
    let Some(assignee_id) = task.assignee_id else { return Ok(()) };
    let reads = match task.team_id {
        Some(team_id) => tables.role_in(team_id, assignee_id).is_some(),
        None => assignee_id == task.owner_id,
    };
    if reads {
        return Ok(());
    }
    Err(refusal::assignee(assignee_id))
}
