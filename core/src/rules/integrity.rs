//! What must hold of stored records, whoever writes them: references lead somewhere, names are unique, an assignee can
//! read the task, nothing is removed that others need. What must not come in: who is asking, which is `access`'s.

use super::access::is_member;
use super::{Key, Records};
use crate::{Error, Id, Kind, Record, Result, Task, refusal};

/// Checks that a record can be stored, as a new one or in place of the one with its id.
pub(super) fn check(records: &dyn Records, record: &Record) -> Result<()> {
    match record {
        Record::User(user) => {
            not_a_space_of(records, Kind::Team, user.id)?;
            unique(records, record, "login", &Key::login(&user.login))
        }
        Record::Team(team) => {
            not_a_space_of(records, Kind::User, team.id)?;
            unique(records, record, "slug", &Key::slug(&team.slug))
        }
        Record::Membership(membership) => {
            exists(records, "team_id", Kind::Team, membership.team_id)?;
            exists(records, "user_id", Kind::User, membership.user_id)?;
            unique(records, record, "user_id", &Key::member(membership.team_id, membership.user_id))
        }
        Record::Token(token) => {
            exists(records, "user_id", Kind::User, token.user_id)?;
            let Some(hash) = &token.hash else {
                return Err(Error::invalid("the token comes without its hash").with("field", "hash"));
            };
            unique(records, record, "hash", &Key::hash(hash))
        }
        Record::Task(task) => {
            lives_somewhere(records, task.owner_id, task.team_id)?;
            assignee_reads(records, task)
        }
        Record::Note(note) => lives_somewhere(records, note.owner_id, note.team_id),
        Record::Session(session) => lives_somewhere(records, session.owner_id, session.team_id),
        Record::Message(message) => {
            exists(records, "session_id", Kind::Session, message.session_id)?;
            if message.seq == 0 {
                return Err(refusal::without_place());
            }
            unique(records, record, "seq", &Key::place(message.session_id, message.seq))
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
pub(super) fn check_holds_nothing(records: &dyn Records, kind: Kind, id: Id) -> Result<()> {
    let mut counts = Vec::new();
    for content in Kind::ALL.iter().copied().filter(|kind| kind.is_content() && kind.parent().is_none()) {
        let key = if kind == Kind::Team { Key::in_team(content, id) } else { Key::owned(content, id) };
        counts.push((content, records.find(&key)?.len() as u64));
    }
    if counts.iter().all(|(_, count)| *count == 0) { Ok(()) } else { Err(refusal::holds_content(kind, id, &counts)) }
}

fn exists(records: &dyn Records, field: &'static str, kind: Kind, id: Id) -> Result<()> {
    if records.get(kind, id)?.is_some() { Ok(()) } else { Err(refusal::missing(field, kind, id)) }
}

fn lives_somewhere(records: &dyn Records, owner_id: Id, team_id: Option<Id>) -> Result<()> {
    exists(records, "owner_id", Kind::User, owner_id)?;
    team_id.map_or(Ok(()), |team_id| exists(records, "team_id", Kind::Team, team_id))
}

/// A user and a team never share an id: it names the space of either.
fn not_a_space_of(records: &dyn Records, kind: Kind, id: Id) -> Result<()> {
    if records.get(kind, id)?.is_some() { Err(refusal::taken(kind, id)) } else { Ok(()) }
}

fn unique(records: &dyn Records, record: &Record, field: &'static str, key: &Key) -> Result<()> {
    if records.find(key)?.iter().any(|id| *id != record.id()) {
        return Err(refusal::not_unique(record.kind(), field));
    }
    Ok(())
}

/// The same words for an assignee who does not exist and for one who is not a member.
fn assignee_reads(records: &dyn Records, task: &Task) -> Result<()> {
    let Some(assignee_id) = task.assignee_id else { return Ok(()) };
    let reads = match task.team_id {
        Some(team_id) => is_member(records, team_id, assignee_id)?,
        None => assignee_id == task.owner_id,
    };
    if reads {
        return Ok(());
    }
    Err(refusal::assignee(assignee_id))
}
