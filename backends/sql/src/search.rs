//! Searching by words. Each kind has an index of words in which a record's space is one more word: what may not be seen is not found,
//! nor read. What must not come in: how a text is cut into words, and excerpts; both are core's.

use mosaic_core::{Error, ErrorKind, Hit, Id, Result, Scope, Search, Timestamp, with_kind};
use sqlx::postgres::PgRow;
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use crate::error;
use crate::kinds::SPACES;
use crate::statement::Statement;
use crate::table::{SearchedBy, Table};

/// Of a kind, so many records with the words are looked at, at most; of these the best are answered.
const CANDIDATES: i64 = 1_000;

/// Of a body, so many characters are read for the excerpt.
const EXCERPT_CHARS: i64 = 32 << 10;

/// How near the words are to each other, and how much they say where they stand: in a body, a label, a title (weights D, B, A). A long
/// text counts for less, by the logarithm of its length (Postgres manual, section 12.3.3). The other rank that Postgres has compares each
/// place of a word with each of the others', which takes ten times as long on large texts.
const RANK: &str = "ts_rank_cd('{0.1, 0.2, 0.5, 1.0}', kept.words, query.words, 1)";

/// What was found, and how well it fits: a hit without its excerpt, and the text to take that from.
pub(crate) struct Ranked {
    rank: f64,
    hit: Hit,
    start: String,
}

/// Finds records, the best first. In a transaction of the caller's: it needs settings of its own.
pub(crate) async fn search(connection: &mut PgConnection, scope: Scope, search: &Search) -> Result<Vec<Ranked>> {
    // An index of words can only be read so.
    sqlx::query("SET LOCAL enable_bitmapscan = on").execute(&mut *connection).await.map_err(error::from_sqlx)?;
    let mut found = Vec::new();
    for kind in &search.kinds {
        found.extend(with_kind!(*kind, T => of_kind::<T>(connection, scope, search).await)?);
    }
    found.sort_by(|a, b| b.rank.total_cmp(&a.rank).then_with(|| (b.hit.created_at, b.hit.id).cmp(&(a.hit.created_at, a.hit.id))));
    found.truncate(search.limit);
    Ok(found)
}

/// The hits with their excerpts. They take milliseconds each: so off the runtime, and when the connection is given back.
pub(crate) async fn shown(found: Vec<Ranked>, search: &Search) -> Result<Vec<Hit>> {
    let search = search.clone();
    let show = move || found.into_iter().map(|Ranked { hit, start, .. }| Hit { excerpt: search.excerpt(&start), ..hit }).collect();
    tokio::task::spawn_blocking(show).await.map_err(|error| Error::new(ErrorKind::Internal, "an excerpt broke off").source(error))
}

async fn of_kind<T: Table>(connection: &mut PgConnection, scope: Scope, search: &Search) -> Result<Vec<Ranked>> {
    let Some(by) = T::SEARCHED_BY else { return Ok(Vec::new()) };
    let rows = searching::<T>(&by, scope, search)?.rows(connection).await?;
    rows.iter().map(|row| ranked::<T>(row).map_err(error::from_sqlx)).collect()
}

/// The statement: the candidates by their keys and ranks, and what is shown of the best of them.
fn searching<T: Table>(by: &SearchedBy, scope: Scope, search: &Search) -> Result<Statement> {
    let mut statement = Statement::of(scope, "SELECT best.rank::float8, shown.id, shown.space_id, shown.session_id, shown.title, ")?;
    statement.sql("shown.created_at, shown.updated_at, shown.start FROM (SELECT found.id, found.created_at, found.rank FROM (");
    statement.sql("SELECT kept.id, kept.created_at, ").sql(RANK).sql(" AS rank FROM (SELECT ").bind(words(search));
    statement.sql("::tsquery AS words) AS query CROSS JOIN ").sql(T::NAME).sql(" AS kept WHERE ").sql(by.indexed).sql(" @@ (SELECT ");
    statement.bind(words(search)).sql("::tsquery && ");
    spaces(&mut statement, scope, search);
    statement.sql(") LIMIT ").bind(CANDIDATES).sql(") AS found ORDER BY found.rank DESC, found.created_at DESC, found.id DESC LIMIT ");
    statement.bind(i64::try_from(search.limit).unwrap_or(i64::MAX));
    // The limit says no more than the id does, but keeps the planner from joining in any other way.
    statement.sql(") AS best CROSS JOIN LATERAL (SELECT kept.id, kept.space_id, ").sql(by.session).sql(" AS session_id, ");
    statement.sql(by.title).sql(" AS title, kept.created_at, kept.updated_at, ");
    match T::BODY {
        Some(body) => statement.sql(body.start).bind(EXCERPT_CHARS).sql("::int)"),
        None => statement.sql("''"),
    };
    statement.sql(" AS start FROM ").sql(T::NAME).sql(" AS kept").sql(by.join).sql(" WHERE kept.id = best.id LIMIT 1) AS shown");
    Ok(statement)
}

/// The words as a query: all of them.
fn words(search: &Search) -> String {
    let words: Vec<_> = search.words().map(|word| format!("'{word}'")).collect();
    words.join(" & ")
}

/// The spaces as a query: any of those that the scope sees, by who is a member at this moment; and of them the one that was asked for.
fn spaces(statement: &mut Statement, scope: Scope, search: &Search) {
    if scope.opens_content() && search.space_id.is_none() {
        statement.sql("''::tsquery");
        return;
    }
    statement.sql("(SELECT coalesce(string_agg(''' ' || mine.space_id::text || '''', ' | '), ''' -''')::tsquery FROM (");
    match search.space_id.filter(|_| scope.opens_content()) {
        Some(space_id) => statement.sql("SELECT ").bind(space_id).sql("::uuid AS space_id"),
        None => statement.sql(SPACES),
    };
    statement.sql(") AS mine");
    if let Some(space_id) = search.space_id {
        statement.sql(" WHERE mine.space_id = ").bind(space_id);
    }
    statement.sql(")");
}

fn ranked<T: Table>(row: &PgRow) -> sqlx::Result<Ranked> {
    let time = |index: usize| -> sqlx::Result<Timestamp> {
        let time: DateTime<Utc> = row.try_get(index)?;
        Timestamp::from_micros(time.timestamp_micros())
            .ok_or_else(|| sqlx::Error::ColumnDecode { index: index.to_string(), source: "a time outside of years 1 to 9999".into() })
    };
    let (id, space_id): (Id, Id) = (row.try_get(1)?, row.try_get(2)?);
    let hit = Hit {
        kind: T::KIND,
        id,
        space_id,
        session_id: row.try_get(3)?,
        title: row.try_get(4)?,
        excerpt: Vec::new(),
        created_at: time(5)?,
        updated_at: time(6)?,
    };
    Ok(Ranked { rank: row.try_get(0)?, hit, start: row.try_get(7)? })
}
