//! Reading: one record, a page of a list, a page of an export. What must not come in: what one kind has that others
//! have not; that is [`Table`]'s.

use mosaic_core::{Error, ErrorKind, Field, FieldType, FieldValue, Id, PAGE_BYTES, PAGE_ITEMS, Page, Query, Record, Result, Scope};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _, ValueRef as _};

use crate::error;
use crate::statement::Statement;
use crate::table::{Table, decode};

/// Reads one record, if the scope sees it.
pub(crate) async fn get<T: Table>(connection: &mut PgConnection, scope: Scope, id: Id) -> Result<Option<T>> {
    let mut statement = Statement::of(scope, "SELECT ")?;
    statement.sql(T::COLUMNS).sql(" FROM ").sql(T::NAME).sql(" AS kept WHERE kept.id = ").bind(id);
    statement.sql(" AND (").sql(T::OPEN).sql(" OR ").sql(T::SEES).sql(")");
    statement.row(connection).await?.as_ref().map(decode).transpose()
}

/// Reads a page of a list.
pub(crate) async fn list<T: Table>(connection: &mut PgConnection, scope: Scope, query: &Query) -> Result<Page> {
    check::<T>(query)?;
    // One more than asked for shows whether there are more.
    let limit = query.limit.min(PAGE_ITEMS) + 1;
    let found = listing::<T>(scope, query, limit)?.rows(connection).await?;
    let (mut items, cut) = uncut::<T>(&found)?;
    let more = cut || items.len() == limit;
    items.truncate(limit - 1);
    let items: Vec<_> = items.into_iter().map(|item| item.into().without_secrets()).collect();
    let next = items.last().filter(|_| more).and_then(|last| query.position(last));
    Ok(Page { items, next })
}

fn listing<T: Table>(scope: Scope, query: &Query, limit: usize) -> Result<Statement> {
    let order = Order { key: Some(query.order.name), descending: query.descending };
    let mut statement = Statement::of(scope, "SELECT ")?;
    select_cut::<T>(&mut statement, order);
    statement.sql(" FROM (");
    let is_open = is_open::<T>(scope);
    if is_of_one_space::<T>(query) || is_of_one_assignee::<T>(scope, query) || is_open && !T::CONTENT {
        from_one_run::<T>(&mut statement, scope, query, order, limit);
    } else {
        // Content lies together in each space alone: indexes of everything would cost every write.
        let spaces = if is_open { T::ALL_SPACES } else { T::SPACES };
        from_spaces::<T>(&mut statement, spaces, query, order, limit);
    }
    statement.sql(") AS kept");
    order_by(&mut statement, order, "kept");
    Ok(statement)
}

/// Reads the records behind an id, in the order of their ids.
pub(crate) async fn export<T: Table>(connection: &mut PgConnection, after: Option<Id>, limit: usize) -> Result<Vec<Record>> {
    let order = Order { key: None, descending: false };
    let mut statement = Statement::new("SELECT ");
    select_cut::<T>(&mut statement, order);
    statement.sql(" FROM (SELECT ").sql(T::COLUMNS).sql(" FROM ").sql(T::NAME).sql(" AS kept");
    if let Some(id) = after {
        statement.sql(" WHERE kept.id > ").bind(id);
    }
    order_by(&mut statement, order, "kept");
    statement.sql(" LIMIT ").bind(row_count(limit)).sql(") AS kept");
    order_by(&mut statement, order, "kept");
    let (items, _) = uncut::<T>(&statement.rows(connection).await?)?;
    Ok(items.into_iter().map(Into::into).collect())
}

/// What rows are ordered by: a column, if any, and then the id.
#[derive(Clone, Copy)]
struct Order {
    key: Option<&'static str>,
    descending: bool,
}

fn is_of_one_space<T: Table>(query: &Query) -> bool {
    query.filters.iter().any(|(field, _)| field.name == T::SPACE)
}

/// Whether a list is of what is assigned to one user, who sees it: to who asks, or to anybody where everything is seen.
fn is_of_one_assignee<T: Table>(scope: Scope, query: &Query) -> bool {
    let sees_theirs = |value: &FieldValue| is_open::<T>(scope) || scope.user().is_some_and(|user| *value == FieldValue::Id(user));
    query.filters.iter().any(|(field, value)| T::ASSIGNEE == Some(field.name) && sees_theirs(value))
}

/// Whether the planner takes the right index for the filters of content, whatever it believes. By one of them, no other has the order. In
/// one space by a choice, another would read as much at least, and check each row besides. Of more, it may hold that every row passes one
/// of them, and take another index; unless it is asked for the keys alone, all of which only the right one holds.
fn has_one_index<T: Table>(query: &Query) -> bool {
    query.filters.len() == 1 || query.filters.len() == 2 && is_of_one_space::<T>(query) && is_by_choice(query)
}

fn is_by_choice(query: &Query) -> bool {
    query.filters.iter().any(|(field, value)| chosen(field, value).is_some())
}

/// The rows that a list takes from one space, from what is assigned to one user, or from a whole table of accounts: they lie together in
/// one index.
fn from_one_run<T: Table>(statement: &mut Statement, scope: Scope, query: &Query, order: Order, limit: usize) {
    let is_of_all_assigned = T::CONTENT && !is_of_one_space::<T>(query);
    let is_certain = query.filters.is_empty() || T::CONTENT && (is_of_all_assigned || has_one_index::<T>(query));
    statement.sql("SELECT ").sql(T::COLUMNS).sql(" FROM ");
    if !is_certain {
        statement.sql("(");
        select_keys(statement, order, "kept");
        statement.sql(" FROM ");
    }
    statement.sql(T::NAME).sql(" AS kept WHERE true");
    if !is_open::<T>(scope) {
        for (_, space_id) in query.filters.iter().filter(|(field, _)| field.name == T::SPACE) {
            statement.sql(" AND EXISTS (SELECT FROM (").sql(T::SPACES).sql(") AS mine WHERE mine.space_id = ").field(space_id).sql(")");
        }
        if is_of_all_assigned {
            // Asked of each row by itself: the planner has nothing to make of it.
            statement.sql(" AND array_position(ARRAY(").sql(T::SPACES).sql("), kept.").sql(T::SPACE).sql(") IS NOT NULL");
        }
    }
    if is_of_all_assigned {
        statement.sql(if is_by_choice(query) { ASSIGNED_BY_CHOICE } else { ASSIGNED });
    }
    first(statement, query, order, limit);
    if !is_certain {
        by_keys::<T>(statement);
    }
}

/// What is true of every row, and is said by the indexes of all that is assigned to one user (migration 16): no list takes one of them
/// unless it says so.
const ASSIGNED: &str = " AND kept.revision <> 0";
/// The same, of those that narrow by a choice besides.
const ASSIGNED_BY_CHOICE: &str = " AND kept.revision <> -1";

/// Of more spaces than this, a few rows each are read at first; of fewer, reading a page of each costs less.
const MANY_SPACES: i64 = 8;

/// The rows that a list takes from several spaces: the first of each, merged.
fn from_spaces<T: Table>(statement: &mut Statement, spaces: &'static str, query: &Query, order: Order, limit: usize) {
    statement.sql("SELECT ").sql(T::COLUMNS).sql(" FROM (");
    // Of accounts, few are in each space.
    if T::CONTENT && query.order.ty == FieldType::Time {
        select_of_many::<T>(statement, spaces, query, order, limit);
    } else {
        select_keys(statement, order, "place");
        statement.sql(" FROM (").sql(spaces).sql(") AS mine CROSS JOIN LATERAL (");
        of_space::<T>(statement, order, "mine");
        first(statement, query, order, limit);
        statement.sql(") AS place");
    }
    order_by(statement, order, "place");
    statement.sql(" LIMIT ").bind(row_count(limit));
    by_keys::<T>(statement);
}

/// Selects the keys of a page and some more. A few rows of each space are read at first (`begun`), as many as each gives when all give the
/// same and two more: the page ends no later than one that is made of these alone (`stop`). Of a space whose few all come before that, the
/// next ones up to there may belong into the page too. So about a page is read in all, and most spaces are looked into once.
fn select_of_many<T: Table>(statement: &mut Statement, spaces: &'static str, query: &Query, order: Order, limit: usize) {
    let limit = row_count(limit);
    statement.sql("WITH mine AS MATERIALIZED (").sql(spaces).sql("), few AS MATERIALIZED (SELECT CASE WHEN count(*) > ").bind(MANY_SPACES);
    statement.sql(" THEN 2 + ").bind(limit).sql(" / count(*) ELSE ").bind(limit).sql(" END AS few FROM mine), begun AS MATERIALIZED (");
    statement.sql("SELECT mine.space_id, place.* FROM mine CROSS JOIN LATERAL (SELECT place.*, row_number() OVER () AS nth FROM (");
    of_space::<T>(statement, order, "mine");
    narrow(statement, query);
    order_by(statement, order, "kept");
    statement.sql(" LIMIT (SELECT few FROM few)) AS place) AS place), stop AS MATERIALIZED (");
    select_keys(statement, order, "begun");
    statement.sql(" FROM begun");
    order_by(statement, order, "begun");
    statement.sql(" OFFSET ").bind(limit - 1).sql(" LIMIT 1) ");

    select_keys(statement, order, "place");
    statement.sql(" FROM (");
    select_keys(statement, order, "begun");
    statement.sql(" FROM begun UNION ALL ");
    select_keys(statement, order, "place");
    statement.sql(" FROM begun CROSS JOIN LATERAL (");
    of_space::<T>(statement, order, "begun");
    filter(statement, query);
    statement.sql(" AND ");
    keys_of(statement, order, "kept");
    statement.sql(if order.descending { " < " } else { " > " });
    keys_of(statement, order, "begun");
    statement.sql(" AND ");
    before_stop(statement, order, "kept");
    order_by(statement, order, "kept");
    statement.sql(" LIMIT ").bind(limit).sql(") AS place WHERE begun.nth = (SELECT few FROM few) AND ");
    before_stop(statement, order, "begun");
    statement.sql(") AS place");
}

/// Says that a row is not behind the stop. Where there is none, it is behind everything.
fn before_stop(statement: &mut Statement, order: Order, of: &'static str) {
    keys_of(statement, order, of);
    statement.sql(if order.descending { " >= (" } else { " <= (" });
    if let Some(key) = order.key {
        statement.sql("coalesce((SELECT ").sql(key).sql(" FROM stop), ").sql(if order.descending { "'-infinity'" } else { "'infinity'" });
        statement.sql("::timestamptz), ");
    }
    statement.sql("coalesce((SELECT id FROM stop), ").bind(if order.descending { Id::nil() } else { Id::max() }).sql("))");
}

/// What rows are ordered by, as one value.
fn keys_of(statement: &mut Statement, order: Order, of: &'static str) {
    statement.sql("(");
    if let Some(key) = order.key {
        statement.sql(of).sql(".").sql(key).sql(", ");
    }
    statement.sql(of).sql(".id)");
}

/// Selects the keys of the rows of the space that another row names.
fn of_space<T: Table>(statement: &mut Statement, order: Order, named_by: &'static str) {
    select_keys(statement, order, "kept");
    statement.sql(" FROM ").sql(T::NAME).sql(" AS kept WHERE kept.").sql(T::SPACE).sql(" = ").sql(named_by).sql(".space_id");
}

/// What is narrowed and merged: keys alone, which the right index holds and others do not. So the planner prefers it, and the rows
/// themselves are fetched only for those that are left.
fn select_keys(statement: &mut Statement, order: Order, of: &'static str) {
    statement.sql("SELECT ").sql(of).sql(".id");
    if let Some(key) = order.key {
        statement.sql(", ").sql(of).sql(".").sql(key);
    }
}

/// The rows of the keys before.
fn by_keys<T: Table>(statement: &mut Statement) {
    // The limit says no more than the id does, but keeps the planner from joining in any other way.
    statement.sql(") AS place CROSS JOIN LATERAL (SELECT ").sql(T::COLUMNS).sql(" FROM ").sql(T::NAME);
    statement.sql(" AS kept WHERE kept.id = place.id LIMIT 1) AS kept");
}

/// Adds the filters, and which rows come first.
fn first(statement: &mut Statement, query: &Query, order: Order, limit: usize) {
    narrow(statement, query);
    order_by(statement, order, "kept");
    statement.sql(" LIMIT ").bind(row_count(limit));
}

/// Adds the filters, and where to go on.
fn narrow(statement: &mut Statement, query: &Query) {
    filter(statement, query);
    if let Some(after) = &query.after {
        statement.sql(" AND (kept.").sql(query.order.name).sql(", kept.id) ").sql(if query.descending { "< (" } else { "> (" });
        statement.field(&after.key).sql(", ").bind(after.id).sql(")");
    }
}

/// Adds the filters.
fn filter(statement: &mut Statement, query: &Query) {
    // In one order, whatever the caller's: one list is one statement, which is planned once.
    let mut filters: Vec<_> = query.filters.iter().collect();
    filters.sort_by_key(|(field, _)| field.name);
    for (field, value) in filters {
        statement.sql(" AND kept.").sql(field.name).sql(" = ");
        match chosen(field, value) {
            // Known when the statement is planned: there is an index for each.
            Some(choice) => statement.sql("'").sql(choice).sql("'"),
            None => statement.field(value),
        };
    }
}

/// The choice that a value is, in the field's own words: these are fit for SQL.
fn chosen(field: &Field, value: &FieldValue) -> Option<&'static str> {
    match (field.ty, value) {
        (FieldType::Choice(choices), FieldValue::Text(text)) => choices.iter().copied().find(|choice| choice == text),
        _ => None,
    }
}

fn order_by(statement: &mut Statement, order: Order, of: &'static str) {
    statement.sql(" ORDER BY ");
    order_keys(statement, order, of);
}

fn order_keys(statement: &mut Statement, order: Order, of: &'static str) {
    let direction = if order.descending { " DESC" } else { "" };
    if let Some(key) = order.key {
        statement.sql(of).sql(".").sql(key).sql(direction).sql(", ");
    }
    statement.sql(of).sql(".id").sql(direction);
}

/// Selects the columns of the rows `kept`. Past [`PAGE_BYTES`] a body is null, unless it is the first: the server sends no more
/// than that. Its length is known without reading it.
fn select_cut<T: Table>(statement: &mut Statement, order: Order) {
    statement.sql(T::LEAN);
    if let Some(body) = T::BODY {
        statement.sql(", CASE WHEN sum(").sql(body.length).sql(") OVER (ORDER BY ");
        order_keys(statement, order, "kept");
        statement.sql(" ROWS UNBOUNDED PRECEDING) <= ").bind(PAGE_BYTES as i64).sql(" OR row_number() OVER (ORDER BY ");
        order_keys(statement, order, "kept");
        statement.sql(") = 1 THEN ").sql(body.kept).sql(" END AS body");
    }
}

/// The items of a page up to the first one whose body was cut, and whether there was one.
fn uncut<T: Table>(rows: &[PgRow]) -> Result<(Vec<T>, bool)> {
    let whole = rows.iter().position(is_cut::<T>).unwrap_or(rows.len());
    let items = rows[..whole].iter().map(decode).collect::<Result<_>>()?;
    Ok((items, whole < rows.len()))
}

/// Whether the body, which comes last, was left out.
pub(crate) fn is_cut<T: Table>(row: &PgRow) -> bool {
    T::BODY.is_some() && row.try_get_raw(row.len() - 1).is_ok_and(|body| body.is_null())
}

/// Whether the scope sees every row of the table: [`Table::OPEN`], known here already.
fn is_open<T: Table>(scope: Scope) -> bool {
    if T::CONTENT { scope.opens_content() } else { scope.manages_accounts() }
}

/// Checks that a query asks for nothing but what the kind offers: fields get into the SQL by their names.
fn check<T: Table>(query: &Query) -> Result<()> {
    let known = |field: &Field, fields: &[Field], value: Option<&FieldValue>| {
        fields.contains(field) && value.is_none_or(|value| has_type(value, field.ty))
    };
    let filters = query.filters.iter().all(|(field, value)| known(field, T::FILTERS, Some(value)));
    let order = known(&query.order, T::ORDERS, query.after.as_ref().map(|after| &after.key));
    if filters && order {
        return Ok(());
    }
    Err(Error::invalid(format!("{} have no such list", T::KIND.plural())))
}

fn has_type(value: &FieldValue, ty: FieldType) -> bool {
    matches!(
        (value, ty),
        (FieldValue::Id(_), FieldType::Id)
            | (FieldValue::Text(_), FieldType::Text | FieldType::Choice(_))
            | (FieldValue::Time(_), FieldType::Time)
            | (FieldValue::Number(_), FieldType::Number)
    )
}

fn row_count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Checks that the database answers, and that it would take a write.
pub(crate) async fn ping(connection: &mut PgConnection) -> Result<()> {
    let read_only = "SELECT current_setting('transaction_read_only') = 'on'";
    if sqlx::query_scalar(read_only).fetch_one(connection).await.map_err(error::from_sqlx)? {
        return Err(
            Error::new(ErrorKind::Unavailable, "the database takes no writes").hint("connect to the primary server, not to a standby")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mosaic_core::{Kind, Task};

    use super::*;

    #[test]
    fn a_list_has_one_statement_in_whatever_order_its_filters_come() {
        let id = Id::nil().to_string();
        let filters = [("space_id", id.as_str()), ("status", "open"), ("assignee_id", id.as_str())];
        let text = |order: [usize; 3]| {
            let query = order.iter().try_fold(Query::new(Kind::Task), |query, i| query.filter(filters[*i].0, filters[*i].1)).unwrap();
            listing::<Task>(Scope::System, &query, 50).unwrap().text()
        };
        let first = text([0, 1, 2]);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(text(order), first);
        }
    }

    #[test]
    fn only_a_choice_of_the_fields_own_becomes_sql() {
        let text = |status: &str| {
            let mut query = Query::new(Kind::Task);
            query.filters.push((Field::choice("status", &["open", "done"]), FieldValue::Text(status.to_owned())));
            let mut statement = Statement::new("");
            filter(&mut statement, &query);
            statement.text()
        };
        assert_eq!(text("done"), " AND kept.status = 'done'");
        assert_eq!(text("done' OR true --"), " AND kept.status = $1");
    }
}
