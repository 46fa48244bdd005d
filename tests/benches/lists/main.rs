//! How a list grows with its table: each list of tasks that the API offers, by each filter, order and direction, its first page and one from the
//! middle, of a few tasks and of very many, on one Postgres in one run; for a member of one team, for one of fifty, and for one who sees a
//! thousandth of the rows. Ends with 1 when one takes more than [`BOUND`] times as long.
//!
//! `cargo bench --workspace --all-features --bench lists -- [ROWS] [SMALL_URL LARGE_URL]`: 10,000,000 rows unless it is said, beside [`SMALL`].
//! That takes some 13 GB of disk and, on two cores, ten minutes. With URLs of two databases, of a superuser, these are used, and filled unless
//! they are: so that one can measure again.
//!
//! A gateway of tier standalone serves each, and the time is that of its answer over HTTP, to one who asks one thing after the other; beside it
//! stands the ratio of the storage alone, as the gateway calls it. Both are asked for the same number of tasks, and have one more, so that
//! both read the same: what the small one has less than two of is left out.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod side;

use std::process::ExitCode;
use std::time::Duration;

use mosaic_core::{Id, Kind};
use mosaic_postgres as _;
use mosaic_tests::services::OwnPostgres;
use side::{List, Side, stored};

const BOUND: f64 = 1.3;
const SMALL: u64 = 10_000;
/// So often each list is read on either side, by turns.
const ROUNDS: usize = 41;
/// One that seems to take too long is read so many times as often, with a pause before each time: whichever processors the system
/// gave to the two sides, it may give them others then.
const DOUBTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(20);

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
    let (few, many) = (stored(small, SMALL).await, stored(large, rows).await);
    let mut small = Side::of(few, small, None).await;
    let mut large = Side::of(many, large, Some(&small)).await;
    println!(
        "{:<13} {:<36} {:<12} {:<7} {:>5} {:>9} {:>9} {:>6} {:>8}",
        "sees", "filters", "order", "page", "items", "small ms", "large ms", "ratio", "storage"
    );
    let (mut worst, mut slow, mut count, mut left_out) = (0.0_f64, 0, 0, 0);
    let mut worst_of_storage = 0.0_f64;
    for (asker, (sees, user, team)) in ASKERS.into_iter().enumerate() {
        for filters in choices(user, team) {
            for order in Kind::Task.orders() {
                for (descending, middle) in [(false, false), (true, false), (false, true), (true, true)] {
                    let mut list = List::new(asker, user_id(user), &filters, *order, descending);
                    if middle && !small.go_to_middle(&mut list).await || !small.fit(&mut list).await {
                        left_out += 1;
                        continue;
                    }
                    let mut times = compare(&mut small, &mut large, &list).await;
                    for _ in 0..DOUBTS {
                        if times.ratio() <= BOUND {
                            break;
                        }
                        tokio::time::sleep(PAUSE).await;
                        times = times.least(compare(&mut small, &mut large, &list).await);
                    }
                    (worst, worst_of_storage, count) =
                        (worst.max(times.ratio()), worst_of_storage.max(times.ratio_of_storage()), count + 1);
                    let is_slow = times.ratio() > BOUND;
                    slow += usize::from(is_slow);
                    let names: Vec<_> = filters.iter().map(|(field, value)| if value == "blocked" { value } else { *field }).collect();
                    println!(
                        "{sees:<13} {:<36} {:<12} {:<7} {:>5} {:>9.3} {:>9.3} {:>6.2} {:>8.2}{}",
                        names.join(" "),
                        format!("{}{}", if descending { "-" } else { "" }, order.name),
                        if middle { "middle" } else { "first" },
                        list.query.limit,
                        times.api.0,
                        times.api.1,
                        times.ratio(),
                        times.ratio_of_storage(),
                        if is_slow { "  too long" } else { "" }
                    );
                }
            }
        }
    }
    for side in [small, large] {
        side.backend.storage.close().await.unwrap();
    }
    println!("{count} lists, the worst ratio {worst:.2}; {slow} take more than {BOUND} times as long; {left_out} were left out");
    println!("of the storage alone, the worst ratio {worst_of_storage:.2}");
    slow
}

/// How long a list takes at least, on the small and the large side, in milliseconds.
struct Times {
    api: (f64, f64),
    storage: (f64, f64),
}

impl Times {
    fn ratio(&self) -> f64 {
        self.api.1 / self.api.0
    }

    fn ratio_of_storage(&self) -> f64 {
        self.storage.1 / self.storage.0
    }

    fn least(&self, other: Self) -> Self {
        let least = |one: (f64, f64), other: (f64, f64)| (one.0.min(other.0), one.1.min(other.1));
        Self { api: least(self.api, other.api), storage: least(self.storage, other.storage) }
    }
}

/// Asks both by turns: whatever else runs on the machine makes some wait, and none faster.
async fn compare(small: &mut Side, large: &mut Side, list: &List) -> Times {
    let mut times = Times { api: (f64::MAX, f64::MAX), storage: (f64::MAX, f64::MAX) };
    for _ in 0..ROUNDS {
        for (side, api, storage) in
            [(&mut *small, &mut times.api.0, &mut times.storage.0), (&mut *large, &mut times.api.1, &mut times.storage.1)]
        {
            *api = api.min(side.ask(list).await);
            *storage = storage.min(side.read(list).await);
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
