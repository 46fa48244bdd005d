//! Carries out changes inside of a transaction: who may, what must hold, and what goes with it.

use super::access::Access;
use super::{Key, Records, Writes, integrity};
use crate::{
    Applied, Batch, Change, Error, ErrorKind, Id, Kind, Loaded, Membership, Record, Result, Scope, Timestamp, Token, refusal, with_entity,
};

/// Carries out the changes of a batch, in order, as [`crate::Storage::apply`] has it. Its state write is left to whoever calls.
///
/// # Errors
/// For the first change that cannot be done, with `change` in the context of a batch of several, and those of the engine. The
/// transaction must not be committed then.
pub fn apply(records: &mut dyn Writes, scope: Scope, batch: &Batch) -> Result<Vec<Applied>> {
    let several = batch.changes.len() > 1;
    let changes = batch.changes.iter().enumerate();
    let outcomes = changes.map(|(i, change)| {
        carry_out(records, scope, batch.at, change).map_err(|error| if several { error.with("change", i) } else { error })
    });
    outcomes.collect()
}

/// Takes over records as they are, as [`crate::Storage::load`] has it. Its state write is left to whoever calls.
///
/// # Errors
/// Only those of the engine; the transaction must not be committed then.
pub fn load(records: &mut dyn Writes, given: &[Record]) -> Result<Vec<Loaded>> {
    given.iter().map(|record| take_over(records, record)).collect()
}

fn take_over(records: &mut dyn Writes, record: &Record) -> Result<Loaded> {
    if let Some(now) = records.get(record.kind(), record.id())? {
        let taken = refusal::taken(record.kind(), record.id());
        return Ok(if same(&now, record) { Loaded::Unchanged } else { Loaded::Refused(taken) });
    }
    match integrity::check(records, record) {
        Ok(()) => records.put(record).map(|()| Loaded::Added),
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Invalid) => Ok(Loaded::Refused(error)),
        Err(error) => Err(error),
    }
}

/// Whether both are exactly the same. When a token was last used is no part of what it is.
fn same(now: &Record, record: &Record) -> bool {
    match (now, record) {
        (Record::Token(now), Record::Token(token)) => *now == Token { last_used_at: now.last_used_at, ..token.clone() },
        _ => now == record,
    }
}

/// Carries out a change. What the scope amounts to is looked up for each one, since an earlier one may have changed it.
fn carry_out(records: &mut dyn Writes, scope: Scope, at: Timestamp, change: &Change) -> Result<Applied> {
    let access = Access::of(scope, records)?;
    match change {
        Change::Create(record) => create(records, &access, record.clone()),
        Change::Update(record) => update(records, &access, at, record.clone()),
        Change::Delete { kind, id, revision } => delete(records, &access, at, (*kind, *id), *revision),
    }
}

fn create(records: &mut dyn Writes, access: &Access, mut record: Record) -> Result<Applied> {
    access.may_create(records, &record)?;
    if let Some(now) = records.get(record.kind(), record.id())? {
        return if access.sees(records, &now)? && now.same_content(&record) {
            Ok(Applied::Unchanged(now.without_secrets()))
        } else {
            Err(refusal::taken(record.kind(), record.id()))
        };
    }
    if let Record::Message(message) = &mut record {
        message.seq = records.last_seq(message.session_id)? + 1;
    }
    integrity::check(records, &record)?;
    record.stamp(record.updated_at(), 1);
    records.put(&record)?;
    Ok(Applied::Created(record.without_secrets()))
}

fn update(records: &mut dyn Writes, access: &Access, at: Timestamp, mut record: Record) -> Result<Applied> {
    let now = seen(records, access, record.kind(), record.id())?;
    access.may_update(&now)?;
    at_revision(&now, record.revision())?;
    integrity::check_fixed(&now, &record)?;
    access.may_become(records, &now, &record)?;

    record.stamp(at, now.revision() + 1);
    with_entity!(&mut record, entity => entity.created_at = now.created_at());
    if let (Record::Token(token), Record::Token(now)) = (&mut record, &now) {
        token.hash = now.hash;
        token.last_used_at = now.last_used_at;
    }
    integrity::check(records, &record)?;
    records.put(&record)?;
    Ok(Applied::Updated(record.without_secrets()))
}

fn delete(records: &mut dyn Writes, access: &Access, at: Timestamp, (kind, id): (Kind, Id), revision: Option<u64>) -> Result<Applied> {
    let now = seen(records, access, kind, id)?;
    access.may_delete(&now)?;
    at_revision(&now, revision.unwrap_or(now.revision()))?;
    match &now {
        Record::User(user) => {
            integrity::check_holds_nothing(records, kind, id)?;
            end_memberships(records, at, &Key::teams(user.id))?;
            end_all(records, &Key::tokens(user.id))?;
        }
        Record::Team(team) => {
            integrity::check_holds_nothing(records, kind, id)?;
            end_memberships(records, at, &Key::members(team.id))?;
        }
        Record::Membership(ended) => end_assignments(records, at, ended)?,
        Record::Session(session) => end_all(records, &Key::messages(session.id))?,
        Record::Token(_) | Record::Task(_) | Record::Note(_) | Record::Message(_) => {}
    }
    records.remove(&now)?;
    Ok(Applied::Deleted)
}

/// The record as it is now; what may not be seen is not there.
fn seen(records: &dyn Records, access: &Access, kind: Kind, id: Id) -> Result<Record> {
    match records.get(kind, id)? {
        Some(record) if access.sees(records, &record)? => Ok(record),
        _ => Err(Error::not_found(kind, id)),
    }
}

fn at_revision(now: &Record, expected: u64) -> Result<()> {
    if now.revision() == expected { Ok(()) } else { Err(Error::stale(now.kind(), now.id(), now.revision())) }
}

fn end_memberships(records: &mut dyn Writes, at: Timestamp, key: &Key) -> Result<()> {
    for record in found(records, key)? {
        if let Record::Membership(membership) = &record {
            end_assignments(records, at, membership)?;
        }
        records.remove(&record)?;
    }
    Ok(())
}

/// Takes back the assignments that a membership made possible.
fn end_assignments(records: &mut dyn Writes, at: Timestamp, ended: &Membership) -> Result<()> {
    for mut record in found(records, &Key::assigned(ended.user_id))? {
        let revision = record.revision() + 1;
        if let Record::Task(task) = &mut record
            && task.team_id == Some(ended.team_id)
        {
            task.assignee_id = None;
            record.stamp(at, revision);
            records.put(&record)?;
        }
    }
    Ok(())
}

fn end_all(records: &mut dyn Writes, key: &Key) -> Result<()> {
    found(records, key)?.iter().try_for_each(|record| records.remove(record))
}

/// The records that have a key.
fn found(records: &dyn Records, key: &Key) -> Result<Vec<Record>> {
    let mut found = Vec::new();
    for id in records.find(key)? {
        found.extend(records.get(key.kind, id)?);
    }
    Ok(found)
}
