//! Carries out one change inside of a transaction: who may, what must hold, and what goes with it.

use super::access::Access;
use super::integrity;
use super::tables::{Tables, Transaction};
use crate::{Applied, Change, Error, Id, Kind, Membership, Record, Result, Scope, Timestamp, refusal, with_entity};

/// Carries out a change. What the scope amounts to is looked up for each one, since an earlier one may have changed it.
pub(super) fn carry_out(transaction: &mut Transaction, scope: Scope, at: Timestamp, change: &Change) -> Result<Applied> {
    let access = Access::of(scope, transaction);
    match change {
        Change::Create(record) => create(transaction, &access, record.clone()),
        Change::Update(record) => update(transaction, &access, at, record.clone()),
        Change::Delete { kind, id, revision } => delete(transaction, &access, at, (*kind, *id), *revision),
    }
}

fn create(transaction: &mut Transaction, access: &Access, mut record: Record) -> Result<Applied> {
    access.may_create(transaction, &record)?;
    if let Some(now) = transaction.get(record.kind(), record.id()) {
        return if access.sees(transaction, now) && now.same_content(&record) {
            Ok(Applied::Unchanged(now.clone().without_secrets()))
        } else {
            Err(refusal::taken(record.kind(), record.id()))
        };
    }
    if let Record::Message(message) = &mut record {
        message.seq = transaction.last_seq(message.session_id) + 1;
    }
    integrity::check(transaction, &record)?;
    record.stamp(record.updated_at(), 1);
    transaction.put(record.clone());
    Ok(Applied::Created(record.without_secrets()))
}

fn update(transaction: &mut Transaction, access: &Access, at: Timestamp, mut record: Record) -> Result<Applied> {
    let now = seen(transaction, access, record.kind(), record.id())?;
    access.may_update(&now)?;
    at_revision(&now, record.revision())?;
    integrity::check_fixed(&now, &record)?;
    access.may_become(transaction, &now, &record)?;

    record.stamp(at, now.revision() + 1);
    with_entity!(&mut record, entity => entity.created_at = now.created_at());
    if let (Record::Token(token), Record::Token(now)) = (&mut record, &now) {
        token.hash = now.hash;
        token.last_used_at = now.last_used_at;
    }
    integrity::check(transaction, &record)?;
    transaction.put(record.clone());
    Ok(Applied::Updated(record.without_secrets()))
}

fn delete(transaction: &mut Transaction, access: &Access, at: Timestamp, (kind, id): (Kind, Id), revision: Option<u64>) -> Result<Applied> {
    let now = seen(transaction, access, kind, id)?;
    access.may_delete(&now)?;
    at_revision(&now, revision.unwrap_or(now.revision()))?;
    match &now {
        Record::User(user) => {
            integrity::check_holds_nothing(transaction, kind, id)?;
            end_memberships(transaction, at, |membership| membership.user_id == user.id);
            end_tokens(transaction, user.id);
        }
        Record::Team(team) => {
            integrity::check_holds_nothing(transaction, kind, id)?;
            end_memberships(transaction, at, |membership| membership.team_id == team.id);
        }
        Record::Membership(ended) => end_memberships(transaction, at, |membership| membership.id == ended.id),
        Record::Session(session) => end_messages(transaction, session.id),
        Record::Token(_) | Record::Task(_) | Record::Note(_) | Record::Message(_) => {}
    }
    transaction.remove(kind, id);
    Ok(Applied::Deleted)
}

/// The record as it is now; what may not be seen is not there.
fn seen(tables: &Tables, access: &Access, kind: Kind, id: Id) -> Result<Record> {
    tables.get(kind, id).filter(|record| access.sees(tables, record)).cloned().ok_or_else(|| Error::not_found(kind, id))
}

fn at_revision(now: &Record, expected: u64) -> Result<()> {
    if now.revision() == expected { Ok(()) } else { Err(Error::stale(now.kind(), now.id(), now.revision())) }
}

/// Removes memberships, and takes back the assignments that they made possible.
fn end_memberships(transaction: &mut Transaction, at: Timestamp, which: impl Fn(&Membership) -> bool) {
    let ended: Vec<_> = transaction.memberships().filter(|membership| which(membership)).cloned().collect();
    for membership in ended {
        let (team_id, user_id) = (Some(membership.team_id), Some(membership.user_id));
        let assigned = |record: &&Record| matches!(record, Record::Task(task) if task.team_id == team_id && task.assignee_id == user_id);
        let tasks: Vec<_> = transaction.of_kind(Kind::Task).filter(assigned).cloned().collect();
        for mut record in tasks {
            record.stamp(at, record.revision() + 1);
            if let Record::Task(task) = &mut record {
                task.assignee_id = None;
            }
            transaction.put(record);
        }
        transaction.remove(Kind::Membership, membership.id);
    }
}

fn end_tokens(transaction: &mut Transaction, user_id: Id) {
    let of_user = |record: &&Record| matches!(record, Record::Token(token) if token.user_id == user_id);
    let tokens: Vec<_> = transaction.of_kind(Kind::Token).filter(of_user).map(Record::id).collect();
    for id in tokens {
        transaction.remove(Kind::Token, id);
    }
}

fn end_messages(transaction: &mut Transaction, session_id: Id) {
    let messages: Vec<_> = transaction.messages_of(session_id).map(|message| message.id).collect();
    for id in messages {
        transaction.remove(Kind::Message, id);
    }
}
