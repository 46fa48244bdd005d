//! Changing: one record made, replaced or removed, in a transaction that the caller holds. What must not come in: SQL
//! that depends on a kind, and how a batch is committed.

use mosaic_core::{Applied, Change, Id, Kind, Result, Scope, Timestamp, refusal, with_entity, with_kind};
use sqlx::PgConnection;

use crate::error;
use crate::read::get;
use crate::statement::timestamptz;
use crate::table::{Holder, Table};
use crate::write::{self, Reason};

/// Carries out one change.
pub(crate) async fn carry_out(connection: &mut PgConnection, scope: Scope, at: Timestamp, change: &Change) -> Result<Applied> {
    match change {
        Change::Create(record) => with_entity!(record, given => create(connection, scope, given).await),
        Change::Update(record) => with_entity!(record, given => update(connection, scope, at, given).await),
        Change::Delete { kind, id, revision } => with_kind!(*kind, T => delete::<T>(connection, scope, at, *id, *revision).await),
    }
}

/// Whether a change takes but one statement, as a rule, and with it no transaction.
pub(crate) fn is_one_statement(change: &Change) -> bool {
    match change {
        Change::Create(record) => with_kind!(record.kind(), T => T::BEFORE_INSERT.is_none() && T::NUMBERED.is_none()),
        Change::Update(_) => true,
        Change::Delete { .. } => false,
    }
}

/// Carries out one change that [is one statement](is_one_statement). `None` when that did nothing, and it takes more to say why.
pub(crate) async fn at_once(connection: &mut PgConnection, scope: Scope, at: Timestamp, change: &Change) -> Result<Option<Applied>> {
    match change {
        Change::Create(record) => with_entity!(record, given => try_create(connection, scope, given).await),
        Change::Update(record) => with_entity!(record, given => try_update(connection, scope, at, given).await),
        Change::Delete { .. } => Ok(None),
    }
}

async fn try_create<T: Table>(connection: &mut PgConnection, scope: Scope, given: &T) -> Result<Option<Applied>> {
    let mut new = given.clone();
    new.stamp(given.updated_at(), 1);
    if let Some(numbered) = T::NUMBERED {
        let whole = (numbered.whole)(given);
        // In two statements: the second one sees what was added while the first one waited.
        sqlx::query(numbered.lock).bind(whole).execute(&mut *connection).await.map_err(error::from_sqlx)?;
        let next: i64 = sqlx::query_scalar(numbered.next).bind(whole).fetch_one(&mut *connection).await.map_err(error::from_sqlx)?;
        (numbered.place)(&mut new, next.unsigned_abs());
    }
    let added = write::insert(connection, scope, &[&new]).await?;
    Ok((!added.is_empty()).then(|| Applied::Created(new.into().without_secrets())))
}

async fn create<T: Table>(connection: &mut PgConnection, scope: Scope, given: &T) -> Result<Applied> {
    prepare_insert::<T>(connection).await?;
    if let Some(created) = try_create(connection, scope, given).await? {
        return Ok(created);
    }
    let reason = write::why_not_inserted(connection, scope, &[given]).await?.pop().unwrap_or(Reason::Gone);
    if let Reason::NotAllowed(refusal) = reason {
        return Err(refusal);
    }
    if let Some(kept) = get::<T>(connection, Scope::System, given.id()).await? {
        let seen = get::<T>(connection, scope, given.id()).await?.is_some();
        let kept = kept.into();
        return if seen && kept.same_content(&given.clone().into()) {
            Ok(Applied::Unchanged(kept.without_secrets()))
        } else {
            Err(refusal::taken(T::KIND, given.id()))
        };
    }
    Err(match reason {
        Reason::NotAllowed(refusal) | Reason::Broken(refusal) | Reason::Taken(refusal) => refusal,
        Reason::Gone => error::in_the_way(),
    })
}

/// Runs what a table needs before rows are added.
pub(crate) async fn prepare_insert<T: Table>(connection: &mut PgConnection) -> Result<()> {
    match T::BEFORE_INSERT {
        Some(sql) => sqlx::query(sql).execute(connection).await.map(|_| ()).map_err(error::from_sqlx),
        None => Ok(()),
    }
}

async fn try_update<T: Table>(connection: &mut PgConnection, scope: Scope, at: Timestamp, given: &T) -> Result<Option<Applied>> {
    let mut new = given.clone();
    new.stamp(at, given.revision());
    let updated = write::update(connection, scope, &new).await?;
    Ok(updated.map(|updated| Applied::Updated(updated.into().without_secrets())))
}

async fn update<T: Table>(connection: &mut PgConnection, scope: Scope, at: Timestamp, given: &T) -> Result<Applied> {
    match try_update(connection, scope, at, given).await? {
        Some(updated) => Ok(updated),
        None => Err(write::why_not_updated(connection, scope, given).await?),
    }
}

async fn delete<T: Table>(connection: &mut PgConnection, scope: Scope, at: Timestamp, id: Id, revision: Option<u64>) -> Result<Applied> {
    // No stored revision is past the range.
    let wanted = revision.map(|revision| i64::try_from(revision).unwrap_or(i64::MAX));
    write::lock_memberships::<T>(connection, scope, id, wanted).await?;
    if let Some(kept) = write::lock::<T>(connection, scope, id, wanted).await? {
        if let Some(holder) = T::HOLDS {
            holds_nothing(connection, holder, T::KIND, id).await?;
        }
        if let Some((user_id, team_id)) = kept.releases() {
            take_back(connection, at, user_id, team_id).await?;
        }
        if write::delete::<T>(connection, scope, id, wanted).await? {
            return Ok(Applied::Deleted);
        }
    }
    Err(write::why_not_deleted::<T>(connection, scope, id, revision).await?)
}

/// Checks that no content is left which a removed user owns, or which lives in a removed team. Its row is
/// locked, so none comes in between.
async fn holds_nothing(connection: &mut PgConnection, holder: Holder, kind: Kind, id: Id) -> Result<()> {
    let mut counts = Vec::new();
    for content in Kind::ALL {
        let Some(count) = with_kind!(*content, T => T::COUNT) else { continue };
        let count: i64 = sqlx::query_scalar(count(holder)).bind(id).fetch_one(&mut *connection).await.map_err(error::from_sqlx)?;
        counts.push((*content, count.unsigned_abs()));
    }
    if counts.iter().all(|(_, count)| *count == 0) { Ok(()) } else { Err(refusal::holds_content(kind, id, &counts)) }
}

/// Takes back the assignments of a user who leaves a team, or all.
async fn take_back(connection: &mut PgConnection, at: Timestamp, user_id: Id, team_id: Option<Id>) -> Result<()> {
    for kind in Kind::ALL {
        if let Some(sql) = with_kind!(*kind, T => T::TAKE_BACK) {
            let done = sqlx::query(sql).bind(timestamptz(at)).bind(user_id).bind(team_id).execute(&mut *connection).await;
            done.map_err(error::from_sqlx)?;
        }
    }
    Ok(())
}
