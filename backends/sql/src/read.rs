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
    if is_open::<T>(scope) || is_of_one_space::<T>(query) || is_of_one_assignee::<T>(scope, query) {
        from_one_run::<T>(&mut statement, scope, query, order, limit);
    } else {
        from_spaces::<T>(&mut statement, query, order, limit);
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

fn is_by_assignee<T: Table>(query: &Query) -> bool {
    query.filters.iter().any(|(field, _)| T::ASSIGNEE == Some(field.name))
}

fn is_by_choice(query: &Query) -> bool {
    query.filters.iter().any(|(field, value)| chosen(field, value).is_some())
}

/// The rows that a list takes from one space, from what is assigned to one user, or from everything: they lie together in one index.
fn from_one_run<T: Table>(statement: &mut Statement, scope: Scope, query: &Query, order: Order, limit: usize) {
    let is_of_more = T::CONTENT && !is_of_one_space::<T>(query);
    // In one space by an assignee, and of accounts by anything, the planner may hold that every row passes one of the filters, and take another index;
    // unless it is asked for the keys alone, all of which only the right one holds.
    let is_certain = query.filters.is_empty() || T::CONTENT && (is_of_more || !is_by_assignee::<T>(query));
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
        if is_of_more {
            // Asked of each row by itself: the planner has nothing to make of it.
            statement.sql(" AND array_position(ARRAY(").sql(T::SPACES).sql("), kept.").sql(T::SPACE).sql(") IS NOT NULL");
        }
    }
    if T::CONTENT {
        statement.sql(index_of::<T>(query, !is_of_more));
    }
    first(statement, query, order);
    statement.sql(" LIMIT ").bind(row_count(limit));
    if !is_certain {
        by_keys::<T>(statement);
    }
}

/// Names the index of content of which a list is a part, by what is true of every row and said by this index alone (migrations 16 and 17): no other
/// list takes it, however little of it the planner believes there is. Those of one space by an assignee, or by nothing, need no name.
fn index_of<T: Table>(query: &Query, is_of_one_space: bool) -> &'static str {
    match (is_of_one_space, is_by_assignee::<T>(query), is_by_choice(query)) {
        (false, true, false) => " AND kept.revision <> 0",
        (false, true, true) => " AND kept.revision <> -1",
        (false, false, false) => " AND kept.revision <> -2",
        (false, false, true) => " AND kept.revision <> -3",
        (true, false, true) => " AND kept.revision <> -4",
        (true, _, _) => "",
    }
}

/// The rows that a list takes from the spaces that the user sees.
fn from_spaces<T: Table>(statement: &mut Statement, query: &Query, order: Order, limit: usize) {
    statement.sql("SELECT ").sql(T::COLUMNS).sql(" FROM (WITH mine AS MATERIALIZED (").sql(T::SPACES).sql(")");
    let is_swept = lies_in_one_run::<T>(query);
    if is_swept {
        sweep::<T>(statement, query, order, limit);
    }
    statement.sql(" ");
    select_keys(statement, order, "place");
    statement.sql(" FROM (");
    if is_swept {
        select_keys(statement, order, "swept");
        statement.sql(" FROM swept WHERE (SELECT whole FROM page) UNION ALL ");
    }
    merge::<T>(statement, query, order, limit, is_swept);
    statement.sql(") AS place");
    order_by(statement, order, "place");
    statement.sql(" LIMIT ").bind(row_count(limit));
    by_keys::<T>(statement);
}

/// Whether there is an index of what a list takes from all spaces: of content, of all of it and by a choice.
fn lies_in_one_run<T: Table>(query: &Query) -> bool {
    T::CONTENT && T::KIND.parent().is_none() && query.filters.iter().all(|(field, value)| chosen(field, value).is_some())
}

/// Goes through everybody's content for what lies in the user's spaces (`swept`), and says whether that is a page (`page`). Who sees a good part of
/// it has theirs together after a few pages of one index, however many spaces they have. So many entries are looked at as a merge would read at
/// most: who sees little of it loses no more by trying than the merge takes anyway.
fn sweep<T: Table>(statement: &mut Statement, query: &Query, order: Order, limit: usize) {
    let limit = row_count(limit);
    statement.sql(", swept AS MATERIALIZED (");
    select_keys(statement, order, "kept");
    statement.sql(" FROM (");
    select_keys(statement, order, "kept");
    statement.sql(", kept.space_id FROM ").sql(T::NAME).sql(" AS kept WHERE true").sql(index_of::<T>(query, false));
    first(statement, query, order);
    // Asked of each entry by itself: a join might want another order.
    statement
        .sql(" LIMIT ")
        .bind(limit)
        .sql(" * (SELECT count(*) FROM mine)) AS kept WHERE (kept.space_id IN (SELECT space_id FROM mine)) IS TRUE");
    order_by(statement, order, "kept");
    statement.sql(" LIMIT ").bind(limit).sql("), page AS MATERIALIZED (SELECT count(*) = ").bind(limit).sql(" AS whole FROM swept)");
}

/// Selects the keys of the first rows of each space.
fn merge<T: Table>(statement: &mut Statement, query: &Query, order: Order, limit: usize, is_swept: bool) {
    select_keys(statement, order, "place");
    statement.sql(" FROM ").sql(if is_swept { "(SELECT space_id FROM mine WHERE NOT (SELECT whole FROM page)) AS mine" } else { "mine" });
    statement.sql(" CROSS JOIN LATERAL (");
    select_keys(statement, order, "kept");
    statement.sql(" FROM ").sql(T::NAME).sql(" AS kept WHERE kept.").sql(T::SPACE).sql(" = mine.space_id");
    if T::CONTENT {
        statement.sql(index_of::<T>(query, true));
    }
    first(statement, query, order);
    statement.sql(" LIMIT ").bind(row_count(limit)).sql(") AS place");
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

/// Adds the filters, where to go on, and the order.
fn first(statement: &mut Statement, query: &Query, order: Order) {
    filter(statement, query);
    if let Some(after) = &query.after {
        statement.sql(" AND (kept.").sql(query.order.name).sql(", kept.id) ").sql(if query.descending { "< (" } else { "> (" });
        statement.field(&after.key).sql(", ").bind(after.id).sql(")");
    }
    order_by(statement, order, "kept");
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
