//! How reads are carried out: every list and search, by each filter and order that there is, goes by an index, and reads no more rows than
//! it could answer from each space. The plans are those that requests run, and the rows are counted by the database as it reads them.

use std::collections::BTreeSet;

use mosaic_core::{Embedding, Id, Kind, Nearby, Query, Record, Scope, Search, Storage as _, Vector, VectorIndex as _};
use mosaic_sql::connection::{Lease, Work};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::{Place, id, record};

/// The user who asks, in [`MINE`] teams of many.
const ME: u128 = 1;
const USERS: u128 = 40;
/// Teams have the ids from here on.
const TEAM: u128 = 1_000;
const TEAMS: u128 = 30;
const MINE: u128 = 6;
/// Of each team, the users from 2 to this one are members.
const MEMBERS: u128 = 31;
const LIMIT: usize = 5;
const SCOPES: [Scope; 4] = [Scope::User(id(ME)), Scope::User(id(9_999)), Scope::Admin(id(ME)), Scope::System];
/// So many rows the planner looks at itself, when it plans a statement: the ends of an index.
const PLANNER: usize = 4;

/// Everything, in dependency order: of content, most lives in spaces that the user does not see.
fn records() -> Vec<Record> {
    let mut all = Vec::new();
    let mut add = |kind: &str, number: u128, fields: Value| all.push(record(kind, number, number as usize % 7_000, fields).unwrap());
    for user in 1..=USERS {
        add("user", user, json!({ "login": format!("user-{user}"), "name": "User" }));
    }
    for team in 0..TEAMS {
        add("team", TEAM + team, json!({ "slug": format!("team-{team}"), "name": "Team" }));
    }
    let member = |team: u128, user: u128| json!({ "team_id": id(TEAM + team), "user_id": id(user), "role": "member" });
    for team in 0..TEAMS {
        for user in 2..=MEMBERS {
            add("membership", 2_000 + team * 100 + user, member(team, user));
        }
    }
    for team in 0..MINE {
        add("membership", 2_000 + team * 100 + 1, member(team, ME));
    }
    let place = |n: u128| if n.is_multiple_of(3) { (2 + n % 3, Some(id(TEAM + n / 3 % TEAMS))) } else { (1 + n % USERS, None) };
    for n in 0..2_500 {
        let (owner, team_id) = place(n);
        let status = if n % 50 == 1 { "blocked" } else { "open" };
        let member = if n / 3 % TEAMS < MINE && n % 40 == 20 { ME } else { 2 };
        let assignee = (n % 20 == 0).then(|| if team_id.is_some() { id(member) } else { id(owner) });
        let mut task = json!({ "owner_id": id(owner), "title": "a needle", "status": status, "body": format!("word{n}") });
        let mut note = json!({ "owner_id": id(owner), "title": "a needle", "body": format!("word{n}") });
        let mut session =
            json!({ "owner_id": id(owner), "title": "talk", "agent": "assistant", "status": if n % 50 == 1 { "closed" } else { "open" } });
        for fields in [&mut task, &mut note, &mut session] {
            fields["team_id"] = json!(team_id);
        }
        task["assignee_id"] = json!(assignee);
        add("task", 10_000 + n, task);
        add("note", 20_000 + n, note);
        add("session", 30_000 + n, session);
        add("message", 40_000 + n, json!({ "session_id": id(30_000 + n), "seq": 1, "role": "user", "content": "a needle" }));
    }
    all.sort_by_key(Record::kind);
    all
}

/// Counts what is read, and looks at plans.
struct Watch<'p> {
    place: &'p Place,
    seen: BTreeSet<String>,
}

impl Watch<'_> {
    async fn lease(&self) -> Box<dyn Lease> {
        self.place.engine.connections.lease(Work::Request).await.unwrap()
    }

    /// How many rows of a table were read until now, by whatever index, or without.
    async fn rows_read(&self, table: &str) -> i64 {
        const READ: &str = "SELECT (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes WHERE relname = $1)::bigint \
            + (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables WHERE relname = $1)::bigint";
        let mut lease = self.lease().await;
        sqlx::query("SELECT pg_stat_force_next_flush()").execute(lease.connection()).await.unwrap();
        let read = sqlx::query_scalar(READ).bind(table).fetch_one(lease.connection()).await.unwrap();
        lease.settled();
        read
    }

    /// Looks at the plans of the statements that were prepared since the last look; answers how many there were.
    async fn look_at_plans(&mut self, what: &str) -> usize {
        let mut lease = self.lease().await;
        let prepared = "SELECT name, statement, cardinality(parameter_types) FROM pg_prepared_statements WHERE statement LIKE '%FROM%'";
        let mut count = 0;
        for row in sqlx::query(prepared).fetch_all(lease.connection()).await.unwrap() {
            let (name, statement, parameters): (String, String, i32) = (row.get(0), row.get(1), row.get(2));
            if statement.contains("pg_stat") || statement.contains("pg_prepared") || !self.seen.insert(statement.clone()) {
                continue;
            }
            // One plan is made for all values, so that these do not matter.
            let values = vec!["NULL"; usize::try_from(parameters).unwrap()].join(", ");
            let values = if values.is_empty() { values } else { format!("({values})") };
            let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE {name}{values}");
            let mut transaction = lease.connection().begin().await.unwrap();
            if statement.contains("tsquery") {
                // As a search does.
                sqlx::raw_sql("SET LOCAL enable_bitmapscan = on").execute(&mut *transaction).await.unwrap();
            }
            let row = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_one(&mut *transaction).await.unwrap();
            let plan: String = row.try_get_unchecked(0).unwrap();
            transaction.rollback().await.unwrap();
            check_plan(&serde_json::from_str(&plan).unwrap(), what, &statement);
            count += 1;
        }
        lease.settled();
        count
    }
}

/// Checks that no part of a plan reads a table from its beginning to its end, but for that of the models, of which there are few.
fn check_plan(plan: &Value, what: &str, statement: &str) {
    match plan {
        Value::Object(node) => {
            let whole = node.get("Node Type") == Some(&json!("Seq Scan")) && node.get("Relation Name") != Some(&json!("embedding_models"));
            assert!(!whole, "{what}: {statement}\n{plan:#}");
            node.values().for_each(|value| check_plan(value, what, statement));
        }
        Value::Array(nodes) => nodes.iter().for_each(|node| check_plan(node, what, statement)),
        _ => {}
    }
}

/// How many spaces a scope's list of a kind may come from; what is assigned to one user is as one, and so is everybody's.
fn spaces(kind: Kind, scope: Scope, of_one: bool) -> usize {
    match (kind, scope) {
        (Kind::Task, _) if of_one => 1,
        // A user's spaces are whom they see, and a message's its session.
        (Kind::User, Scope::User(_)) => MEMBERS as usize,
        (Kind::Message, _) => 1,
        (_, Scope::User(_)) => MINE as usize + 1,
        // An admin manages accounts, and has content like everybody.
        (kind, Scope::Admin(_)) if kind.is_content() => MINE as usize + 1,
        _ => 1,
    }
}

/// Every choice of a kind's filters, each with a value that few records have, a status also with the one that nearly all have; of users,
/// this one.
fn choices(kind: Kind, user: u128) -> Vec<Vec<(&'static str, String)>> {
    let mut choices = vec![Vec::new()];
    for field in kind.filters() {
        let values = match field.name {
            "login" => vec!["user-2".to_owned()],
            "slug" => vec!["team-3".to_owned()],
            "status" if kind == Kind::Session => vec!["open".to_owned(), "closed".to_owned()],
            "status" => vec!["open".to_owned(), "blocked".to_owned()],
            "space_id" | "team_id" => vec![id(TEAM + 2).to_string()],
            "session_id" => vec![id(30_006).to_string()],
            _ => vec![id(user).to_string()],
        };
        let with =
            values.iter().flat_map(|value| choices.iter().map(|choice| [choice.as_slice(), &[(field.name, value.clone())]].concat()));
        let with: Vec<Vec<_>> = with.collect();
        choices.extend(with);
    }
    // Messages are listed of a session alone.
    choices.retain(|choice| kind.parent().is_none() || !choice.is_empty());
    choices
}

async fn lists(watch: &mut Watch<'_>, scope: Scope) -> usize {
    let mut count = 0;
    for kind in Kind::ALL {
        // Of tasks, also those of who asks.
        let users: &[u128] = if *kind == Kind::Task { &[2, ME] } else { &[2] };
        for choice in users.iter().flat_map(|user| choices(*kind, *user)) {
            for order in kind.orders() {
                for descending in [false, true] {
                    let mut query = choice.iter().try_fold(Query::new(*kind), |query, (field, value)| query.filter(field, value)).unwrap();
                    (query.order, query.descending, query.limit) = (*order, descending, LIMIT);
                    let is_own = |value: &str| scope == Scope::System || scope.user().is_some_and(|user| user.to_string() == value);
                    let of_one = choice.iter().any(|(field, value)| match *field {
                        "space_id" => true,
                        "assignee_id" => is_own(value),
                        _ => false,
                    });
                    // The first of each space, so many of everything before, and then those that are answered; whether there are more takes one
                    // more.
                    let spaces = spaces(*kind, scope, of_one);
                    let tried = if kind.is_content() && spaces > 1 { spaces } else { 0 };
                    let bound = (LIMIT + 1) * (tried + spaces + 1) + PLANNER;
                    for page in ["first", "second"] {
                        let what = format!(
                            "{page} page of {} for {scope:?} by {choice:?}, {}, descending: {descending}",
                            kind.plural(),
                            order.name
                        );
                        let before = watch.rows_read(kind.plural()).await;
                        let found = watch.place.storage.list(scope, &query).await.unwrap();
                        let read = watch.rows_read(kind.plural()).await - before;
                        assert!(read <= bound as i64, "{what} reads {read} rows, {bound} at most, for {}", found.items.len());
                        assert!(read > 0 || found.items.is_empty(), "{what} is not counted");
                        count += watch.look_at_plans(&what).await;
                        query.after = found.next;
                        if query.after.is_none() {
                            break;
                        }
                    }
                }
            }
        }
    }
    count
}

/// Lists of all that somebody sees, who sees a third of everything in very many spaces: these are not looked into one by one.
async fn lists_of_a_third(watch: &mut Watch<'_>) {
    const SHARE: usize = 3;
    let member = Scope::User(id(MEMBERS));
    for kind in [Kind::Task, Kind::Note, Kind::Session] {
        for choice in choices(kind, 2).iter().filter(|choice| choice.iter().all(|(field, _)| *field == "status")) {
            for order in kind.orders() {
                let mut query = choice.iter().try_fold(Query::new(kind), |query, (field, value)| query.filter(field, value)).unwrap();
                (query.order, query.limit) = (*order, LIMIT);
                let before = watch.rows_read(kind.plural()).await;
                let found = watch.place.storage.list(member, &query).await.unwrap();
                let read = watch.rows_read(kind.plural()).await - before;
                // Theirs may lie closer at one place than at another.
                let bound = (LIMIT + 1) * (2 * SHARE + 1) + PLANNER;
                assert!(found.items.len() == LIMIT && found.next.is_some(), "{choice:?}: {found:?}");
                assert!(read <= bound as i64, "{} by {choice:?}, {}: {read} rows, {bound} at most", kind.plural(), order.name);
            }
        }
    }
}

async fn searches(watch: &mut Watch<'_>, scope: Scope) -> usize {
    let mut count = 0;
    for kind in Kind::searched() {
        for space_id in [None, Some(id(TEAM + 2)), Some(id(TEAM + MINE))] {
            let mut search = Search::new("needle").unwrap().kinds(vec![kind]).unwrap();
            (search.space_id, search.limit) = (space_id, LIMIT);
            let mut all = search.clone();
            all.limit = 2_500;
            let what = format!("a search of {} for {scope:?} in {space_id:?}", kind.plural());
            let before = watch.rows_read(kind.plural()).await;
            let found = watch.place.storage.search(scope, &search).await.unwrap();
            let read = watch.rows_read(kind.plural()).await - before;
            // What has the word and may be seen, as the index has it in one piece, and then what is shown.
            let seen = match (scope, space_id) {
                (Scope::System, None) => 2_500,
                _ => watch.place.storage.search(scope, &all).await.unwrap().len(),
            };
            let bound = seen + found.len() + PLANNER;
            assert!(read <= bound as i64, "{what} reads {read} rows, {bound} at most");
            assert!(read > 0 || found.is_empty(), "{what} is not counted");
            count += watch.look_at_plans(&what).await;
        }
    }
    count
}

/// Neighbours of one who sees little of what is near: what is nearest, more of it, and then all that they see.
async fn neighbours(watch: &mut Watch<'_>) -> usize {
    let vectors = watch.place.storage.vectors(1 << 30);
    let me = Scope::User(id(ME));
    let near = |space_id| Nearby { kinds: vec![Kind::Note], space_id };
    let seen = vectors.nearest(me, &vector(0), 2_500, &near(None)).await.unwrap().len();
    let mut count = 0;
    for (space_id, k) in [(None, 3), (None, 300), (Some(id(TEAM + 2)), 1_000), (Some(Id::nil()), 3)] {
        let what = format!("{k} neighbours in {space_id:?}");
        for table in ["notes", "note_embeddings"] {
            let before = watch.rows_read(table).await;
            vectors.nearest(me, &vector(0), k, &near(space_id)).await.unwrap();
            let read = watch.rows_read(table).await - before;
            let bound = k * 4 + 100 + 2_500 + seen + PLANNER;
            assert!(read <= bound as i64, "{what} read {read} rows of {table}, {bound} at most");
        }
        count += watch.look_at_plans(&what).await;
    }
    count
}

fn vector(n: u128) -> Vector {
    Vector { model: "model".into(), components: vec![1.0, n as f32] }
}

/// What the planner knows of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// That there is nothing: it made its plans for lists then.
    Emptiness,
    /// Nothing.
    Nothing,
    /// How they were while all content lay in one space.
    OneSpace,
    /// How they are.
    Everything,
}

async fn load(place: &Place, records: &[Record]) {
    for batch in records.chunks(1_000) {
        for loaded in place.storage.load(batch, None).await.unwrap() {
            assert!(matches!(loaded, mosaic_core::Loaded::Added), "{loaded:?}");
        }
    }
}

async fn count(place: &Place) {
    let mut lease = place.engine.connections.lease(Work::Maintenance).await.unwrap();
    sqlx::raw_sql("ANALYZE").execute(lease.connection()).await.unwrap();
    lease.settled();
}

/// A place with all records, of which the planner knows so much.
async fn place_of(counted: Counted) -> Place {
    let place = Place::new().await;
    if counted == Counted::Emptiness {
        for scope in SCOPES {
            lists(&mut Watch { place: &place, seen: BTreeSet::new() }, scope).await;
        }
    }
    let lone = id(USERS);
    let is_early = |record: &Record| !record.kind().is_content() || record.kind() != Kind::Message && record.space_id() == Some(lone);
    let (early, late): (Vec<_>, Vec<_>) = records().into_iter().partition(is_early);
    load(&place, &early).await;
    if counted == Counted::OneSpace {
        count(&place).await;
    }
    load(&place, &late).await;
    let embed = |n| Embedding { kind: Kind::Note, id: id(20_000 + n), revision: 1, vector: vector(n) };
    place.storage.vectors(1 << 30).load(&(0..2_500).map(embed).collect::<Vec<_>>(), None).await.unwrap();
    if counted == Counted::Everything {
        count(&place).await;
    }
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_goes_by_an_index_and_reads_no_more_than_it_may_answer() {
    // Whatever the planner knows, it is to find the way.
    for counted in [Counted::Emptiness, Counted::Nothing, Counted::OneSpace, Counted::Everything] {
        let place = place_of(counted).await;
        let mut watch = Watch { place: &place, seen: BTreeSet::new() };
        let mut plans = 0;
        for scope in SCOPES {
            plans += lists(&mut watch, scope).await;
            plans += searches(&mut watch, scope).await;
        }
        lists_of_a_third(&mut watch).await;
        plans += neighbours(&mut watch).await;
        assert!(plans > 100, "{counted:?}: {plans} plans were looked at");
        place.close().await;
    }
}
