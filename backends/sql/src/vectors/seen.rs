//! Which of the nearest may be seen, as the database stands. What must not come in: comparing.

use mosaic_core::{Id, Kind, Nearby, Neighbour, Result, Scope, with_kind};
use sqlx::{PgConnection, Row as _};

use super::held::Candidate;
use super::refresh::tables;
use crate::error::from_sqlx;
use crate::statement::Statement;
use crate::table::Table;

/// What became of candidates.
#[derive(Default)]
pub(super) struct Outcome {
    /// Those that may be seen, in their order.
    pub(super) seen: Vec<Neighbour>,
    /// Those whose embedding is not there any more.
    pub(super) gone: Vec<Candidate>,
    /// Whether some that may be seen have other vectors by now.
    pub(super) is_stale: bool,
}

impl Outcome {
    /// Adds what became of further candidates.
    pub(super) fn add(&mut self, further: Self) {
        self.seen.extend(further.seen);
        self.gone.extend(further.gone);
        self.is_stale |= further.is_stale;
    }
}

/// Tells of candidates which may be seen, and live in the space, if one is given.
pub(super) async fn among(
    connection: &mut PgConnection,
    scope: Scope,
    model: &str,
    space_id: Option<Id>,
    candidates: &[Candidate],
) -> Result<Outcome> {
    // What is not answered is gone.
    let mut found = vec![None; candidates.len()];
    for (kind, table) in tables() {
        let of_kind = || candidates.iter().enumerate().filter(move |(_, candidate)| candidate.neighbour.kind == kind);
        if of_kind().next().is_none() {
            continue;
        }
        let mut statement = Statement::of(scope, "SELECT given.place, found.sees, found.change FROM unnest(")?;
        statement.array(of_kind().map(|(_, candidate)| candidate.neighbour.id)).sql("::uuid[], ");
        statement.array(of_kind().map(|(place, _)| place as i64)).sql("::bigint[]) AS given (id, place) CROSS JOIN LATERAL (SELECT (");
        with_kind!(kind, T => sees::<T>(&mut statement));
        if let Some(space_id) = space_id {
            statement.sql(" AND kept.space_id = ").bind(space_id);
        }
        statement.sql(") IS TRUE AS sees, held.change FROM ").sql(table).sql(" AS held JOIN ").sql(with_kind!(kind, T => T::NAME));
        // The limit says no more than the key does, but keeps the planner from joining in any other way.
        statement.sql(" AS kept ON kept.id = held.id WHERE held.id = given.id AND held.model = ").bind(model).sql(" LIMIT 1) AS found");
        for row in statement.rows(connection).await? {
            let place = row.try_get::<i64, _>(0).map_err(from_sqlx)?.unsigned_abs() as usize;
            if let Some(found) = found.get_mut(place) {
                *found = Some((row.try_get::<bool, _>(1).map_err(from_sqlx)?, row.try_get::<i64, _>(2).map_err(from_sqlx)?));
            }
        }
    }
    let mut outcome = Outcome::default();
    for (candidate, found) in candidates.iter().zip(found) {
        match found {
            Some((true, change)) => {
                outcome.seen.push(candidate.neighbour.clone());
                outcome.is_stale |= change != candidate.change;
            }
            Some((false, _)) => {}
            None => outcome.gone.push(candidate.clone()),
        }
    }
    Ok(outcome)
}

fn sees<T: Table>(statement: &mut Statement) {
    statement.sql("(").sql(T::OPEN).sql(" OR ").sql(T::SEES).sql(")");
}

/// Everything with an embedding of the model that may be seen and that the filter lets through, in no order.
pub(super) async fn all(connection: &mut PgConnection, scope: Scope, model: &str, filter: &Nearby) -> Result<Vec<(Kind, Id)>> {
    let mut all = Vec::new();
    for (kind, table) in tables().filter(|(kind, _)| filter.kinds.is_empty() || filter.kinds.contains(kind)) {
        let statement = with_kind!(kind, T => all_of::<T>(table, scope, model, filter.space_id))?;
        for row in statement.rows(connection).await? {
            all.push((kind, row.try_get(0).map_err(from_sqlx)?));
        }
    }
    Ok(all)
}

fn all_of<T: Table>(table: &'static str, scope: Scope, model: &str, space_id: Option<Id>) -> Result<Statement> {
    let mut statement = Statement::of(scope, "SELECT ")?;
    if scope.opens_content() && space_id.is_none() {
        statement.sql("held.id FROM ").sql(table).sql(" AS held WHERE held.model = ").bind(model);
        return Ok(statement);
    }
    if scope.opens_content() {
        statement.sql("kept.id FROM ").sql(T::NAME).sql(" AS kept WHERE true");
    } else {
        // The offset changes nothing, but keeps the planner from joining in any other way than space by space.
        statement.sql("seen.id FROM (").sql(T::SPACES).sql(") AS mine CROSS JOIN LATERAL (SELECT kept.id FROM ").sql(T::NAME);
        statement.sql(" AS kept WHERE kept.").sql(T::SPACE).sql(" = mine.space_id");
    }
    if let Some(space_id) = space_id {
        statement.sql(" AND kept.space_id = ").bind(space_id);
    }
    // A value, and not a condition on rows: the planner looks it up for each of the few, and cannot join with all embeddings there are.
    statement.sql(" AND (SELECT true FROM ").sql(table).sql(" AS held WHERE held.id = kept.id AND held.model = ").bind(model).sql(")");
    if !scope.opens_content() {
        statement.sql(" OFFSET 0) AS seen");
    }
    Ok(statement)
}
