//! Mosaic beside others and beside its targets, in one run on one machine: what a gateway serves on each tier, beside pgbench with the same SQL
//! and PocketBase with the same data; memory, starts, imports; a move to another tier beside a pipe of `COPY`; the nearest of many vectors; the
//! doctor when nothing answers.
//!
//! `cargo bench --workspace --all-features --bench targets -- [PARTS…] [--tasks N] [--seconds N]`: parts are `serving`, `import`, `moving`,
//! `nearest` and `doctor`, all but `nearest` unless some are named; 100,000 tasks, and 4 seconds for each round of load.
//!
//! Prints a table, and writes `targets.json` and `targets.svg` into `benchmarks` in cargo's target directory. PocketBase takes part where its
//! program is found: as `$POCKETBASE`, or as `pocketbase` on the path.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod data;
mod doctor;
mod import;
#[path = "../moving/run.rs"]
mod moving;
#[path = "../nearest/run.rs"]
mod nearest;
mod pgbench;
mod plot;
mod pocketbase;
mod report;
mod serving;

use std::time::Duration;

use report::{Figure, Report, Target};

const BINARY: &str = env!("CARGO_BIN_EXE_mosaic-tests");
const PARTS: [&str; 5] = ["serving", "import", "moving", "doctor", "nearest"];

/// What is asked for.
struct Plan {
    parts: Vec<String>,
    tasks: usize,
    round: Duration,
}

impl Plan {
    fn of(arguments: impl Iterator<Item = String>) -> Self {
        let mut plan = Self { parts: Vec::new(), tasks: 100_000, round: Duration::from_secs(4) };
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let mut number =
                || arguments.next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{argument} takes a number"));
            match argument.as_str() {
                "--tasks" => plan.tasks = number(),
                "--seconds" => plan.round = Duration::from_secs(number() as u64),
                part if PARTS.contains(&part) => plan.parts.push(argument),
                other => panic!("there is no {other}; there are {}, --tasks N and --seconds N", PARTS.join(", ")),
            }
        }
        if plan.parts.is_empty() {
            plan.parts = PARTS[..4].iter().map(|part| (*part).to_owned()).collect();
        }
        plan
    }
}

fn main() {
    let plan = Plan::of(std::env::args().skip(1));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(&plan));
}

async fn run(plan: &Plan) {
    let mut report = Report::default();
    for part in &plan.parts {
        println!("# {part}");
        match part.as_str() {
            "serving" => serving::measure(plan, &mut report).await,
            "import" => import::measure(&mut report).await,
            "moving" => {
                let moved = moving::run(mosaic_tests::generator::Size::of(500_000, 0, 8)).await;
                let figure = Figure::new("moving small records to federated, verified", "items/s", moved.ours);
                report.add(figure.beside("psql COPY | psql COPY", moved.theirs).target(Target::AtLeast(0.6)));
            }
            "nearest" => {
                for near in nearest::run(100_000, 768).await {
                    let name = format!("nearest of 100,000 × 768, who sees {}", near.sees);
                    report.add(Figure::new(format!("{name}: recall@10"), "", near.recall).target(Target::AtLeast(0.95)));
                    let slow = Figure::new(format!("{name}: p95"), "ms", near.ours).beside("the same SQL by hand", near.by_hand);
                    report.add(slow.target(Target::AtMost(1.5)));
                }
            }
            _ => doctor::measure(&mut report).await,
        }
    }
    println!("\n{}", report.markdown());
    report.write();
}
