//! Whether a gateway of tier federated bears a long time of mixed load: reads, lists, writes, searches and sessions over 64 connections, while its
//! Postgres and its Valkey are restarted twice each. Ends with 1 when an acknowledged write is lost, a request fails outside of the restarts,
//! or memory grows.
//!
//! `cargo bench --workspace --all-features --bench soak -- [SECONDS]`: 3,600 unless it is said.
//!
//! A restart's time counts from before it begins to [`RECOVERY`] after its server is back.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod kept;
mod tally;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mosaic_tests::chat_model::ChatServer;
use mosaic_tests::measure::Gateway;
use mosaic_tests::services::{OwnPostgres, OwnValkey};
use serde_json::json;
use tally::Tally;
use worker::Worker;

const BINARY: &str = env!("CARGO_BIN_EXE_mosaic-tests");
const CONNECTIONS: usize = 64;
const USERS: usize = 8;
/// How long after its return a server may still be felt to have been away.
const RECOVERY: Duration = Duration::from_secs(10);
/// How long a server is away.
const AWAY: Duration = Duration::from_secs(2);
/// What memory may grow by after the last restart, in MiB; of what there is, a twentieth if that is more.
const GROWTH: f64 = 5.0;

fn main() -> ExitCode {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(3_600);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if runtime.block_on(run(Duration::from_secs(seconds))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(time: Duration) -> bool {
    let (postgres, valkey, model) = (OwnPostgres::start().await, OwnValkey::start().await, ChatServer::start().await);
    let database = postgres.database().await;
    database.execute("CREATE EXTENSION vector").await;
    worker::script(&model);
    let config = json!({
        "tier": "federated", "models": { "chat": model.section() },
        "federated": { "postgres": { "url": database.url() }, "valkey": { "url": valkey.url() } },
    });
    let gateway = Gateway::start(BINARY, config).await;
    let mut tokens = Vec::new();
    for number in 0..USERS {
        let user = json!({ "login": format!("user-{number}"), "name": "User" });
        let user = gateway.ask("POST", "/api/v1/users", Some(&user)).await.success();
        tokens.push(gateway.token(user["id"].as_str().unwrap(), &["read", "write", "agent"]).await);
    }

    let begun = Instant::now();
    let tally = Arc::<Tally>::default();
    let workers = (0..CONNECTIONS).map(|number| {
        let worker = Worker::new(number as u64, gateway.address, tokens[number % USERS].clone(), Arc::clone(&tally));
        tokio::spawn(worker.work(begun + time))
    });
    let workers: Vec<_> = workers.collect();
    println!("{:>6} {:>10} {:>8} {:>9} {:>10}", "second", "requests", "refused", "outside", "memory MiB");
    let restarts = restarts(time, begun, &postgres, &valkey, &tally);
    let (memory, ()) = tokio::join!(watch(time, begun, &gateway, &model, &tally), restarts);

    let mut kept = Vec::new();
    for worker in workers {
        kept.push(worker.await.unwrap());
    }
    println!("reading back what was acknowledged");
    let (mut writes, mut lost) = (0, Vec::new());
    for kept in &kept {
        let (counted, missing) = kept.check(gateway.address).await;
        writes += counted;
        lost.extend(missing);
    }
    tally.print();
    for what in lost.iter().take(20) {
        println!("lost: {what}");
    }
    let (growth, level) = growth(&memory);
    let is_flat = growth <= GROWTH.max(level / 20.0);
    println!(
        "{writes} acknowledged writes, {} lost; {} failures outside of restarts; memory {level:.1} MiB after the last restart, and grows by {growth:.1}",
        lost.len(),
        tally.failures()
    );
    let log = std::fs::read_to_string(gateway.log()).unwrap_or_default();
    let panicked = log.contains("panicked");
    if panicked {
        println!("{log}");
    }
    lost.is_empty() && tally.failures() == 0 && is_flat && !panicked
}

/// Ends Postgres and Valkey by turns, once as an operator does and once as a power cut does, and starts them again.
async fn restarts(time: Duration, begun: Instant, postgres: &OwnPostgres, valkey: &OwnValkey, tally: &Tally) {
    for turn in 0..4_u32 {
        tokio::time::sleep_until((begun + time * (turn + 1) / 6).into()).await;
        let name = ["Postgres", "Valkey"][turn as usize % 2];
        let from = tally.window_begins();
        match (turn, turn % 2) {
            (0, _) => postgres.stop().await,
            (1, _) => valkey.stop().await,
            (_, 0) => postgres.kill().await,
            _ => valkey.kill().await,
        }
        tokio::time::sleep(AWAY).await;
        if turn % 2 == 0 {
            postgres.restart().await
        } else {
            valkey.restart().await
        }
        println!("{name} was away for {:.1} s", from.elapsed().as_secs_f64());
        tokio::time::sleep(RECOVERY).await;
        tally.window_ends(from);
    }
}

/// The memory of the gateway once a second, in MiB.
async fn watch(time: Duration, begun: Instant, gateway: &Gateway, model: &ChatServer, tally: &Tally) -> Vec<f64> {
    let mut memory = Vec::new();
    while begun.elapsed() < time {
        tokio::time::sleep(Duration::from_secs(1)).await;
        memory.push(gateway.memory_kib() as f64 / 1024.0);
        model.forget();
        if memory.len() % (time.as_secs() as usize / 30).max(1) == 0 {
            let (requests, refused) = tally.counts();
            let memory = memory[memory.len() - 1];
            println!("{:>6} {requests:>10} {refused:>8} {:>9} {memory:>10.1}", begun.elapsed().as_secs(), tally.failures());
        }
    }
    memory
}

/// By how much the last quarter grows, on the line that fits it best (least squares), and its mean: the last restart is over by then.
fn growth(memory: &[f64]) -> (f64, f64) {
    let last = &memory[memory.len() * 3 / 4..];
    let count = last.len() as f64;
    let (middle, mean) = ((count - 1.0) / 2.0, last.iter().sum::<f64>() / count);
    let (mut covered, mut spread) = (0.0, 0.0);
    for (place, value) in last.iter().enumerate() {
        let from_middle = place as f64 - middle;
        covered += from_middle * (value - mean);
        spread += from_middle * from_middle;
    }
    (covered / spread * count, mean)
}
