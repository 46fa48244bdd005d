//! So many tasks, and a gateway that serves them. What must not come in: which lists there are, and what is made of the times.

use std::time::Instant;

use mosaic_core::{Backend, Field, FieldType, FieldValue, Id, Kind, Options, Position, Query, Scope, StateWrite, Timestamp, registry};
use mosaic_gateway::documents::CURSOR_KEY;
use mosaic_tests::measure::{Connection, Gateway, request};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{ASKERS, user_id};

const BINARY: &str = env!("CARGO_BIN_EXE_mosaic-tests");
const FILL: &str = include_str!("fill.sql");
/// A page.
const LIMIT: usize = 50;
/// The largest page there is.
const STEP: usize = 200;
/// 2024-07-01, in microseconds: the middle of what is filled in.
const MIDDLE: i64 = 1_719_792_000_000_000;

/// A list that one of [`ASKERS`] asks for.
pub(crate) struct List {
    asker: usize,
    scope: Scope,
    path: String,
    cursor: Option<String>,
    pub(crate) query: Query,
}

impl List {
    pub(crate) fn new(asker: usize, user: Id, filters: &[(&'static str, String)], order: Field, descending: bool) -> Self {
        let mut query = filters.iter().try_fold(Query::new(Kind::Task), |query, (field, value)| query.filter(field, value)).unwrap();
        (query.order, query.descending) = (order, descending);
        let filters: String = filters.iter().map(|(field, value)| format!("&{field}={value}")).collect();
        let path = format!("/api/v1/tasks?order={}{}{filters}", if descending { "-" } else { "" }, order.name);
        Self { asker, scope: Scope::User(user), path, cursor: None, query }
    }

    fn path(&self, limit: usize, cursor: Option<&str>) -> String {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        format!("{}&limit={limit}{cursor}", self.path)
    }
}

/// A database and its gateway.
pub(crate) struct Side {
    pub(crate) backend: Backend,
    _gateway: Gateway,
    connection: Connection,
    tokens: Vec<String>,
}

impl Side {
    /// Serves what is stored there. A cursor of the other one is good here too.
    pub(crate) async fn of(backend: Backend, url: &str, other: Option<&Self>) -> Self {
        if let Some(other) = other {
            let value = other.backend.storage.state(CURSOR_KEY).await.unwrap().map(|state| state.value);
            let expect = backend.storage.state(CURSOR_KEY).await.unwrap().map_or(0, |state| state.version);
            backend.storage.put_state(&StateWrite { name: CURSOR_KEY.into(), value, expect }).await.unwrap();
        }
        // Whoever managed it before, the gateway makes somebody who does.
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql("TRUNCATE tokens").execute(&mut connection).await.unwrap();
        let gateway = Gateway::start(BINARY, json!({ "tier": "standalone", "standalone": section(url) })).await;
        let mut tokens = Vec::new();
        for (_, user, _) in ASKERS {
            tokens.push(gateway.token(&user_id(user).to_string(), &["read"]).await);
        }
        let connection = Connection::open(gateway.address).await.unwrap();
        Self { backend, _gateway: gateway, connection, tokens }
    }

    async fn page(&mut self, list: &List, limit: usize, cursor: Option<&str>) -> (Vec<Value>, Option<String>) {
        let asked = request("GET", &list.path(limit, cursor), &self.tokens[list.asker], None);
        let mut page = self.connection.ask(&asked).await.unwrap().success();
        let items = page["items"].as_array_mut().map(std::mem::take).unwrap();
        (items, page["next_cursor"].as_str().map(str::to_owned))
    }

    /// Begins a list where half of the time has gone by; answers whether there is anything before that.
    pub(crate) async fn go_to_middle(&mut self, list: &mut List) -> bool {
        let (mut cursor, mut last) = (None, None);
        loop {
            let (items, next) = self.page(list, STEP, cursor.as_deref()).await;
            let is_before =
                |item: &&Value| (key(list, item) > FieldValue::Time(Timestamp::from_micros(MIDDLE).unwrap())) == list.query.descending;
            let before = items.iter().take_while(is_before).count();
            last = items[..before].last().cloned().or(last);
            if next.is_some() && before == items.len() {
                cursor = next;
                continue;
            }
            if before > 0 {
                cursor = self.page(list, before, cursor.as_deref()).await.1;
            }
            let position = last.map(|item| Position { key: key(list, &item), id: item["id"].as_str().unwrap().parse().unwrap() });
            (list.cursor, list.query.after) = (cursor, position);
            return list.cursor.is_some();
        }
    }

    /// Lets a list have as many items as there are, and one less; answers whether any are left.
    pub(crate) async fn fit(&mut self, list: &mut List) -> bool {
        let there = self.page(list, LIMIT + 1, list.cursor.as_deref()).await.0.len();
        list.query.limit = there.saturating_sub(1);
        there > 1
    }

    /// Asks for a list over HTTP; answers how long it took, in milliseconds.
    pub(crate) async fn ask(&mut self, list: &List) -> f64 {
        let asked = request("GET", &list.path(list.query.limit, list.cursor.as_deref()), &self.tokens[list.asker], None);
        let begun = Instant::now();
        let answer = self.connection.ask(&asked).await.unwrap();
        let time = begun.elapsed().as_secs_f64() * 1e3;
        let page = answer.success();
        let count = page["items"].as_array().map(Vec::len);
        assert!(count == Some(list.query.limit) && page["next_cursor"].is_string(), "both have one more: {}", list.path);
        time
    }

    /// Reads a list from the storage; answers how long it took, in milliseconds.
    pub(crate) async fn read(&self, list: &List) -> f64 {
        let begun = Instant::now();
        let page = self.backend.storage.list(list.scope, &list.query).await.unwrap();
        let time = begun.elapsed().as_secs_f64() * 1e3;
        assert!(page.items.len() == list.query.limit && page.next.is_some(), "both have one more: {}", list.path);
        time
    }
}

/// What a list is ordered by, of an item.
fn key(list: &List, item: &Value) -> FieldValue {
    FieldValue::parse(FieldType::Time, item[list.query.order.name].as_str().unwrap()).unwrap()
}

fn section(url: &str) -> Value {
    json!({ "postgres": { "url": url } })
}

/// A storage of so many tasks, which are made unless they are there.
pub(crate) async fn stored(url: &str, rows: u64) -> Backend {
    let backend = (registry::backend("standalone").unwrap().open)(Options::new(section(url), "/", "bench")).await.unwrap();
    let mut connection = PgConnection::connect(url).await.unwrap();
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks").fetch_one(&mut connection).await.unwrap();
    if there.unsigned_abs() != rows {
        let begun = Instant::now();
        let fill = format!("SET bench.rows = {rows}; {FILL}");
        sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut connection).await.unwrap();
        sqlx::raw_sql("VACUUM ANALYZE").execute(&mut connection).await.unwrap();
        println!("{rows} tasks made in {:.0} s", begun.elapsed().as_secs_f64());
    }
    backend
}
