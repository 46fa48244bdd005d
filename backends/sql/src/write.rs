//! The statements that write, for one record or a thousand: records go in as one array for each column, which Postgres reads as a
//! table named `given`. The conditions on writing are part of the statement; when it left a record out, the same conditions are
//! asked one by one for the reason. What must not come in: what a change means, and transactions.

use std::iter;

use mosaic_core::{Error, Id, Membership, Result, Scope, refusal};
use sqlx::postgres::PgRow;
use sqlx::{Decode, PgConnection, Postgres, Row as _, Type};

use crate::error;
use crate::statement::Statement;
use crate::table::{Holder, Right, Rule, Table, Unique, decode};
use crate::words::words;

/// Why a record was not added.
pub(crate) enum Reason {
    /// Whoever asks may not make it.
    NotAllowed(Error),
    /// It breaks a rule, whoever makes it.
    Broken(Error),
    /// It has a value that is another's, and must not be.
    Taken(Error),
    /// There was one, and it has gone meanwhile.
    Gone,
}

/// Adds the records that may be added; answers their ids. Left out are those that break a rule, and those whose
/// id or unique value is taken.
pub(crate) async fn insert<T: Table>(connection: &mut PgConnection, scope: Scope, given: &[&T]) -> Result<Vec<Id>> {
    let mut statement = Statement::of(scope, "INSERT INTO ")?;
    statement.sql(T::NAME).sql(" (").sql(T::NAMES).sql(T::DERIVED.0).sql(") SELECT ").sql(T::GIVEN).sql(T::DERIVED.1);
    from_given(&mut statement, given);
    statement.sql(" WHERE true");
    for condition in when_made::<T>() {
        statement.sql(" AND ");
        condition.add(&mut statement);
    }
    // Of two with one unique value, the first goes in.
    statement.sql(" ORDER BY given.ordinality ON CONFLICT DO NOTHING RETURNING id");
    statement.rows(connection).await?.iter().map(|row| column(row, 0)).collect()
}

/// Why each of these records was not added, in their order.
pub(crate) async fn why_not_inserted<T: Table>(connection: &mut PgConnection, scope: Scope, given: &[&T]) -> Result<Vec<Reason>> {
    let mut statement = Statement::of(scope, "SELECT ")?;
    first_broken(&mut statement, when_made::<T>());
    statement.sql(", ");
    taken_by::<T>(&mut statement);
    from_given(&mut statement, given);
    statement.sql(" ORDER BY given.ordinality");
    let rows = statement.rows(connection).await?;
    iter::zip(&rows, given).map(|(row, given)| reason(row, *given, scope)).collect()
}

fn reason<T: Table>(row: &PgRow, given: &T, scope: Scope) -> Result<Reason> {
    if let Some(broken) = broken(row, 0, when_made::<T>())? {
        let refusal = (broken.rule.otherwise)(given);
        return Ok(if broken.asks_who { Reason::NotAllowed(refusal) } else { Reason::Broken(refusal) });
    }
    Ok(column::<Option<Id>>(row, 1)?.map_or(Reason::Gone, |other| Reason::Taken(not_unique(given, scope, other))))
}

/// Replaces the record that is at the revision of `given`, if it may be; answers how it is now.
pub(crate) async fn update<T: Table>(connection: &mut PgConnection, scope: Scope, given: &T) -> Result<Option<T>> {
    let mut statement = Statement::of(scope, "UPDATE ")?;
    statement.sql(T::NAME).sql(" AS kept SET ").sql(T::CHANGES);
    from_given(&mut statement, &[given]);
    statement.sql(" WHERE kept.id = given.id AND kept.revision = given.revision AND ");
    may::<T>(&mut statement, &T::MAY_UPDATE);
    for condition in when_changed::<T>() {
        statement.sql(" AND ");
        condition.add(&mut statement);
    }
    statement.sql(" AND ");
    becomes_taken_by::<T>(&mut statement);
    statement.sql(" IS NULL RETURNING ").sql(T::COLUMNS);
    statement.row(connection).await?.as_ref().map(decode).transpose()
}

/// Why a record was not replaced.
pub(crate) async fn why_not_updated<T: Table>(connection: &mut PgConnection, scope: Scope, given: &T) -> Result<Error> {
    let mut statement = Statement::of(scope, "SELECT ")?;
    standing::<T>(&mut statement, &T::MAY_UPDATE);
    statement.sql(", ");
    first_broken(&mut statement, when_changed::<T>());
    statement.sql(", ");
    becomes_taken_by::<T>(&mut statement);
    from_given(&mut statement, &[given]);
    statement.sql(" JOIN ").sql(T::NAME).sql(" AS kept ON kept.id = given.id");
    let Some(row) = statement.row(connection).await? else { return Ok(Error::not_found(T::KIND, given.id())) };
    if let Some(refusal) = refused::<T>(&row, given.id(), &T::MAY_UPDATE, Some(given.revision()))? {
        return Ok(refusal);
    }
    if let Some(broken) = broken(&row, 3, when_changed::<T>())? {
        return Ok((broken.rule.otherwise)(given));
    }
    Ok(column::<Option<Id>>(&row, 4)?.map_or_else(error::in_the_way, |other| not_unique(given, scope, other)))
}

/// Locks the memberships that a removal takes along, if it may be done. They come before the row itself, as they do in every write
/// that rests on a membership: such a write refers to the row afterwards, and each would wait for the other.
pub(crate) async fn lock_memberships<T: Table>(connection: &mut PgConnection, scope: Scope, id: Id, revision: Option<i64>) -> Result<()> {
    let Some(holder) = T::HOLDS else { return Ok(()) };
    let mut statement = Statement::of(scope, "SELECT FROM ")?;
    statement.sql(Membership::NAME).sql(" AS ended WHERE ended.").sql(match holder {
        Holder::Owner => "user_id = ",
        Holder::Team => "team_id = ",
    });
    statement.bind(id).sql(" AND EXISTS (SELECT FROM ").sql(T::NAME);
    to_delete::<T>(&mut statement, id, revision);
    statement.sql(") ORDER BY ended.id FOR UPDATE OF ended");
    statement.run(connection).await.map(|_| ())
}

/// Reads a record that is about to be removed, and keeps others from touching it or referring to it.
pub(crate) async fn lock<T: Table>(connection: &mut PgConnection, scope: Scope, id: Id, revision: Option<i64>) -> Result<Option<T>> {
    let mut statement = Statement::of(scope, "SELECT ")?;
    statement.sql(T::COLUMNS).sql(" FROM ").sql(T::NAME);
    to_delete::<T>(&mut statement, id, revision);
    statement.sql(" FOR UPDATE OF kept");
    statement.row(connection).await?.as_ref().map(decode).transpose()
}

/// Removes a record, if it may be; answers whether it did.
pub(crate) async fn delete<T: Table>(connection: &mut PgConnection, scope: Scope, id: Id, revision: Option<i64>) -> Result<bool> {
    let mut statement = Statement::of(scope, "DELETE FROM ")?;
    statement.sql(T::NAME);
    to_delete::<T>(&mut statement, id, revision);
    Ok(statement.run(connection).await? == 1)
}

fn to_delete<T: Table>(statement: &mut Statement, id: Id, revision: Option<i64>) {
    statement.sql(" AS kept WHERE kept.id = ").bind(id).sql(" AND kept.revision = coalesce(").bind(revision).sql(", kept.revision) AND ");
    may::<T>(statement, &T::MAY_DELETE);
}

/// Why a record was not removed.
pub(crate) async fn why_not_deleted<T: Table>(connection: &mut PgConnection, scope: Scope, id: Id, revision: Option<u64>) -> Result<Error> {
    let mut statement = Statement::of(scope, "SELECT ")?;
    standing::<T>(&mut statement, &T::MAY_DELETE);
    statement.sql(" FROM ").sql(T::NAME).sql(" AS kept WHERE kept.id = ").bind(id);
    let Some(row) = statement.row(connection).await? else { return Ok(Error::not_found(T::KIND, id)) };
    Ok(refused::<T>(&row, id, &T::MAY_DELETE, revision)?.unwrap_or_else(error::in_the_way))
}

/// A condition on a record that is written.
struct Condition<T: 'static> {
    rule: &'static Rule<T>,
    /// Whether it is on who writes: then it is none for those to whom the table is open.
    asks_who: bool,
}

impl<T: Table> Condition<T> {
    fn on_who(rule: &'static Rule<T>) -> Self {
        Self { rule, asks_who: true }
    }

    fn on_all(rule: &'static Rule<T>) -> Self {
        Self { rule, asks_who: false }
    }

    fn add(&self, statement: &mut Statement) {
        if self.asks_who {
            statement.sql("(").sql(T::OPEN).sql(" OR (").sql(self.rule.holds).sql("))");
        } else {
            statement.sql("(").sql(self.rule.holds).sql(")");
        }
    }
}

fn when_made<T: Table>() -> impl Iterator<Item = Condition<T>> {
    T::MAY_CREATE.iter().map(Condition::on_who).chain(T::NEW.iter().chain(T::RULES).map(Condition::on_all))
}

fn when_changed<T: Table>() -> impl Iterator<Item = Condition<T>> {
    let may_become = T::MAY_BECOME.iter().map(Condition::on_who);
    T::FIXED.iter().map(Condition::on_all).chain(may_become).chain(T::RULES.iter().map(Condition::on_all))
}

/// Selects the number of the first condition that does not hold, counted from 2; null when all hold.
fn first_broken<T: Table>(statement: &mut Statement, conditions: impl Iterator<Item = Condition<T>>) {
    statement.sql("array_position(ARRAY[true");
    for condition in conditions {
        statement.sql(", ");
        condition.add(statement);
        statement.sql(" IS TRUE");
    }
    statement.sql("], false)");
}

/// Reads what [`first_broken`] selected.
fn broken<T: Table>(row: &PgRow, index: usize, mut conditions: impl Iterator<Item = Condition<T>>) -> Result<Option<Condition<T>>> {
    let number = column::<Option<i32>>(row, index)?.and_then(|number| usize::try_from(number).ok());
    Ok(number.and_then(|number| conditions.nth(number.saturating_sub(2))))
}

/// Selects the id of another row that has what each must have to itself; null when there is none.
fn taken_by<T: Table>(statement: &mut Statement) {
    select_taken_by(statement, T::UNIQUE);
}

/// The same of a row that is changed: what an update leaves alone cannot become another's.
fn becomes_taken_by<T: Table>(statement: &mut Statement) {
    select_taken_by(statement, T::UNIQUE.filter(|unique| !unique.fixed));
}

fn select_taken_by<T: Table>(statement: &mut Statement, unique: Option<Unique<T>>) {
    match unique {
        Some(unique) => {
            statement.sql("(SELECT other.id FROM ").sql(T::NAME).sql(" AS other WHERE other.id <> given.id AND ").sql(unique.same).sql(")")
        }
        None => statement.sql("NULL::uuid"),
    };
}

fn not_unique<T: Table>(given: &T, scope: Scope, other: Id) -> Error {
    let Some(unique) = T::UNIQUE else { return error::in_the_way() };
    let error = refusal::not_unique(T::KIND, unique.field);
    let error = (unique.value)(given).into_iter().fold(error, |error, value| error.with(unique.field, value));
    // Others may not be allowed to see which.
    if scope == Scope::System { error.with("taken_by", other) } else { error }
}

/// The condition that the scope sees the row `kept`, and has a right to it.
fn may<T: Table>(statement: &mut Statement, right: &Right) {
    statement.sql("(").sql(T::OPEN).sql(" OR ((").sql(T::SEES_TO_WRITE).sql(") AND (").sql(right.holds).sql(")))");
}

/// Selects the revision of `kept`, whether the scope sees it, and whether it has a right to it.
fn standing<T: Table>(statement: &mut Statement, right: &Right) {
    statement.sql("kept.revision, (").sql(T::OPEN).sql(" OR ").sql(T::SEES_TO_WRITE).sql(") IS TRUE");
    statement.sql(", (").sql(T::OPEN).sql(" OR ").sql(right.holds).sql(") IS TRUE");
}

/// The refusal that follows from what [`standing`] selected, if any.
fn refused<T: Table>(row: &PgRow, id: Id, right: &Right, revision: Option<u64>) -> Result<Option<Error>> {
    let present = column::<i64>(row, 0)?.unsigned_abs();
    Ok(if !column::<bool>(row, 1)? {
        Some(Error::not_found(T::KIND, id))
    } else if !column::<bool>(row, 2)? {
        Some(refusal::forbidden(right.otherwise, T::KIND, id))
    } else if revision.is_some_and(|revision| revision != present) {
        Some(Error::stale(T::KIND, id, present))
    } else {
        None
    })
}

/// Adds the records as a table named `given`.
pub(crate) fn from_given<T: Table>(statement: &mut Statement, given: &[&T]) {
    statement.sql(" FROM unnest(");
    T::bind(given, statement);
    statement.sql(") WITH ORDINALITY AS given (").sql(T::NAMES).sql(", ordinality)");
}

/// Reads one column.
pub(crate) fn column<'r, C: Decode<'r, Postgres> + Type<Postgres>>(row: &'r PgRow, index: usize) -> Result<C> {
    row.try_get(index).map_err(error::from_sqlx)
}

/// Gives rows that have none yet their words: up to `limit` of them. Answers how many.
pub(crate) async fn fill_words<T: Table>(connection: &mut PgConnection, limit: i64) -> Result<u64> {
    if T::SEARCHED_BY.is_none() {
        return Ok(0);
    }
    let mut statement = Statement::new("SELECT ");
    statement.sql(T::COLUMNS).sql(" FROM ").sql(T::NAME).sql(" AS kept WHERE kept.words IS NULL ORDER BY kept.id LIMIT ").bind(limit);
    let rows = statement.rows(connection).await?;
    let kept = rows.iter().map(decode::<T>).collect::<Result<Vec<_>>>()?;
    let mut statement = Statement::new("UPDATE ");
    statement.sql(T::NAME).sql(" AS kept SET words = given.words FROM unnest(");
    statement.array(kept.iter().map(|kept| kept.id())).sql(", ").array(kept.iter().map(|kept| words(&kept.passages())));
    statement.sql(") AS given (id, words) WHERE kept.id = given.id AND kept.words IS NULL");
    if kept.is_empty() { Ok(0) } else { statement.run(connection).await }
}
