//! How a list grows with its table: each list of tasks that the API offers, by each filter, order and direction, its first page and one from the
//! middle, of a few tasks and of very many, on one Postgres in one run; for a member of one team, for one of fifty, and for one who sees a
//! thousandth of the rows. Ends with 1 when one takes more than [`BOUND`] times as long.
//!
//! `cargo bench --workspace --all-features --bench lists -- [ROWS] [SMALL_URL LARGE_URL]`: 10,000,000 rows unless it is said, beside [`SMALL`].
//! That takes some 11 GB of disk and, on two cores, ten minutes. With URLs of two databases, of a superuser, these are used, and filled unless
//! they are: so that one can measure again.
//!
//! Both are asked for the same number of tasks, and have one more, so that both read the same: what the small one has less than two of is left
//! out. The figures are of the storage, without HTTP.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use mosaic_core::{Backend, FieldValue, Id, Kind, Options, Position, Query, Scope, Timestamp, registry};
use mosaic_postgres as _;
use mosaic_tests::services::OwnPostgres;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const BOUND: f64 = 1.3;
const SMALL: u64 = 10_000;
/// A page.
const LIMIT: usize = 50;
/// So often each list is read on either side, by turns.
const ROUNDS: usize = 41;
/// One that seems to take too long is read so many times as often, with a pause before each time: whichever processors the system
/// gave to the two sides, it may give them others then.
const DOUBTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(20);
const FILL: &str = include_str!("fill.sql");
/// 2024-07-01, in microseconds: the middle of what is filled in.
const MIDDLE: i64 = 1_719_792_000_000_000;

/// Who asks: their number, and that of a team of theirs, as `fill.sql` has it.
const ASKERS: [(&str, u128, u128); 3] = [("one team", 1, 20), ("fifty teams", 2, 5), ("a thousandth", 3, 201)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let rows = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(10_000_000);
    let urls: Vec<String> = arguments.into_iter().filter(|argument| argument.contains("://")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let slow = runtime.block_on(async {
        match <[String; 2]>::try_from(urls) {
            Ok(urls) => run(rows, &urls).await,
            Err(_) => {
                let server = OwnPostgres::start().await;
                // What is filled in by one statement need not be logged, and is not kept.
                for setting in ["wal_level = minimal", "max_wal_senders = 0", "shared_buffers = '1GB'", "max_wal_size = '4GB'"] {
                    server.execute("postgres", &format!("ALTER SYSTEM SET {setting}")).await;
                }
                server.restart().await;
                let urls = [server.database().await.admin_url(), server.database().await.admin_url()];
                run(rows, &urls).await
            }
        }
    });
    if slow == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(rows: u64, [small, large]: &[String; 2]) -> usize {
    let small = filled(small, SMALL).await;
    let large = filled(large, rows).await;
    println!(
        "{:<13} {:<36} {:<12} {:<7} {:>5} {:>9} {:>9} {:>6}",
        "sees", "filters", "order", "page", "items", "small ms", "large ms", "ratio"
    );
    let (mut worst, mut slow, mut count, mut left_out) = (0.0_f64, 0, 0, 0);
    for (sees, user, team) in ASKERS {
        for filters in choices(user, team) {
            for order in Kind::Task.orders() {
                for (descending, middle) in [(false, false), (true, false), (false, true), (true, true)] {
                    let mut query =
                        filters.iter().try_fold(Query::new(Kind::Task), |query, (field, value)| query.filter(field, value)).unwrap();
                    (query.order, query.descending) = (*order, descending);
                    if middle {
                        let key = FieldValue::Time(Timestamp::from_micros(MIDDLE).unwrap());
                        query.after = Some(Position { key, id: Id::nil() });
                    }
                    let scope = Scope::User(user_id(user));
                    query.limit = LIMIT + 1;
                    query.limit = small.storage.list(scope, &query).await.unwrap().items.len().saturating_sub(1);
                    if query.limit == 0 {
                        left_out += 1;
                        continue;
                    }
                    for backend in [&small, &large] {
                        let page = backend.storage.list(scope, &query).await.unwrap();
                        assert!(page.items.len() == query.limit && page.next.is_some(), "both have one more");
                    }
                    let mut times = compare(&small, &large, scope, &query).await;
                    if times.1 / times.0 > BOUND {
                        for _ in 0..DOUBTS {
                            tokio::time::sleep(PAUSE).await;
                            let again = compare(&small, &large, scope, &query).await;
                            times = (times.0.min(again.0), times.1.min(again.1));
                        }
                    }
                    let ratio = times.1 / times.0;
                    (worst, count) = (worst.max(ratio), count + 1);
                    let is_slow = ratio > BOUND;
                    slow += usize::from(is_slow);
                    let names: Vec<_> = filters.iter().map(|(field, value)| if value == "blocked" { value } else { *field }).collect();
                    println!(
                        "{sees:<13} {:<36} {:<12} {:<7} {:>5} {:>9.3} {:>9.3} {ratio:>6.2}{}",
                        names.join(" "),
                        format!("{}{}", if descending { "-" } else { "" }, order.name),
                        if middle { "middle" } else { "first" },
                        query.limit,
                        times.0,
                        times.1,
                        if is_slow { "  too long" } else { "" }
                    );
                }
            }
        }
    }
    for backend in [small, large] {
        backend.storage.close().await.unwrap();
    }
    println!("{count} lists, the worst ratio {worst:.2}; {slow} take more than {BOUND} times as long; {left_out} were left out");
    slow
}

/// How long either takes at least, in milliseconds, asked by turns: whatever else runs on the machine makes some wait, and none faster.
async fn compare(small: &Backend, large: &Backend, scope: Scope, query: &Query) -> (f64, f64) {
    let mut times = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        for (backend, times) in [(small, &mut times.0), (large, &mut times.1)] {
            let begun = Instant::now();
            backend.storage.list(scope, query).await.unwrap();
            *times = times.min(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    times
}

/// Every choice of filters, by a status that many have and by one that few have.
fn choices(user: u128, team: u128) -> Vec<Vec<(&'static str, String)>> {
    let mut choices = vec![Vec::new()];
    for field in Kind::Task.filters() {
        let values = match field.name {
            "space_id" => vec![team_id(team).to_string()],
            "assignee_id" => vec![user_id(user).to_string()],
            "status" => vec!["open".to_owned(), "blocked".to_owned()],
            other => unreachable!("what has {other}?"),
        };
        let with =
            values.iter().flat_map(|value| choices.iter().map(|choice| [choice.as_slice(), &[(field.name, value.clone())]].concat()));
        let with: Vec<Vec<_>> = with.collect();
        choices.extend(with);
    }
    choices
}

fn user_id(number: u128) -> Id {
    Id::from_u128(0x7000_8000_0000_0000_0000 | number)
}

fn team_id(number: u128) -> Id {
    Id::from_u128(0x7000_9000_0000_0000_0000 | number)
}

/// A storage of so many tasks.
async fn filled(url: &str, rows: u64) -> Backend {
    let options = Options::new(json!({ "postgres": { "url": url } }), "/", "bench");
    let backend = (registry::backend("standalone").unwrap().open)(options).await.unwrap();
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
