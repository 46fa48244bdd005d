//! Services that fail in the middle of a move: killed, frozen, cut off. What must not come in: the end of the command by anything else.

use std::time::Duration;

use mosaic_tests::services::{Database, OwnPostgres, OwnValkey, Proxy};
use tokio::time::sleep;

use super::gate::{Gate, Point};
use super::running::Running;
use super::sources;
use super::world::{MOVE, Move};
use crate::harness::{Outcome, PATIENCE, Signal, engine_of, eventually, signal};
use crate::servers::services;

/// What is said of a Postgres that was killed.
const GONE: &[&str] = &["the connection to the database was lost", "nothing listens there for postgres"];

/// An empty database with a gate, on a server of a test's own.
async fn gated_on(server: &OwnPostgres) -> Database {
    let database = server.database().await;
    sources::gate(&database).await;
    database
}

/// It ended well, or with one line that says what is wrong; behind one that says how to go on, if it knows that there is something to go on
/// with.
#[track_caller]
fn ended_or_said(outcome: Outcome, says: &[&str]) {
    if outcome.code == Some(0) {
        return;
    }
    let stderr = outcome.exit(1).stderr;
    let lines: Vec<_> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let (error, before) = lines.split_last().expect("it says something");
    assert!(error.starts_with("error: ") && says.iter().any(|says| error.contains(says)), "{stderr}");
    assert!(before.len() <= 1, "{stderr}");
    assert!(before.iter().all(|line| line.starts_with("the move has not come to its end: mosaic migrate tier --to federated")), "{stderr}");
}

/// Starts a move, and lets it come so far.
async fn at(this: &Move, point: Point) -> (Running, Gate) {
    let mut gate = Gate::close(&this.target, point).await;
    let running = this.start(MOVE);
    gate.is_reached_by(&running).await;
    (running, gate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_killed_or_frozen_in_the_middle() {
    let server = OwnPostgres::start().await;
    let source = async || Some(sources::copy_database().await);
    let valkey = || async { services().await.valkey.database() };
    for point in [Point::Fenced, Point::Records, Point::CutOver] {
        let this = Move::new(source().await, gated_on(&server).await, valkey().await);
        let (running, gate) = at(&this, point).await;
        server.kill().await;
        drop(gate);
        let outcome = running.ended().await;
        assert_eq!(outcome.code, Some(1), "{point:?}");
        ended_or_said(outcome, GONE);
        this.left_nothing_on_disk();
        server.restart().await;
        this.target_is_taken().await;
        this.finishes().await;
    }

    let this = Move::new(source().await, gated_on(&server).await, valkey().await);
    let (running, gate) = at(&this, Point::Records).await;
    server.freeze().await;
    let opening = tokio::spawn(gate.open());
    sleep(Duration::from_secs(2)).await;
    assert!(!running.has_ended(), "it waits");
    server.thaw().await;
    opening.await.unwrap();
    let outcome = running.ended().await.exit(0);
    this.arrived(&outcome).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_killed_in_the_middle() {
    let server = OwnPostgres::start().await;
    for point in [Point::Copying, Point::Embeddings] {
        let source = server.database().await;
        sources::fill_database(&source).await;
        let this = Move::new(Some(source), sources::gated_database().await, services().await.valkey.database());
        let (running, gate) = at(&this, point).await;
        server.kill().await;
        gate.open().await;
        let outcome = running.ended().await;
        assert_eq!(outcome.code, Some(1), "{point:?}");
        ended_or_said(outcome, GONE);
        this.target_is_taken().await;
        server.restart().await;
        this.finishes().await;
    }
}

/// The engine is replaced, and the move goes on by itself, or by the next run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_killed_in_the_middle() {
    for point in [Point::Copying, Point::Embeddings, Point::Verified] {
        let this = Move::gated_from_local().await;
        let (running, gate) = at(&this, point).await;
        let engine = eventually("the move has an engine", PATIENCE, || async { engine_of(running.pid) }).await;
        signal(engine, Signal::KILL);
        gate.open().await;
        ended_or_said(running.ended().await, &["engine"]);
        this.finishes().await;
        this.source_is_as_it_was().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_valkey_that_goes_in_the_middle_and_comes_back() {
    let server = OwnValkey::start().await;
    let this = Move::new(Some(sources::copy_database().await), sources::gated_database().await, server.database());
    let (running, gate) = at(&this, Point::Records).await;
    server.kill().await;
    gate.open().await;
    ended_or_said(running.ended().await, &["Valkey", "valkey"]);
    server.restart().await;
    this.finishes().await;
}

/// Connections break, wherever they are in what they say, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_breaks_connections_again_and_again() {
    let target = sources::gated_database().await;
    let proxy = Proxy::start(&target.server.host, target.server.port).await;
    let mut through = target.clone();
    through.server.port = proxy.port();
    let this = Move::new(Some(sources::copy_database().await), through, services().await.valkey.database());
    let mut runs = 0;
    let outcome = loop {
        runs += 1;
        let running = this.start(MOVE);
        // Further apart each time, so that a run comes through in the end.
        for cut in 0.. {
            sleep(Duration::from_millis(60 * runs + 10 * cut)).await;
            if running.has_ended() {
                break;
            }
            proxy.cut();
        }
        let outcome = running.ended().await;
        if outcome.code == Some(0) {
            break outcome;
        }
        let stderr = outcome.exit(1).stderr;
        assert!(stderr.contains("connection") || stderr.contains("another run of this move"), "{stderr}");
        assert!(runs < 40, "{stderr}");
    };
    println!("{runs} runs");
    this.arrived(&outcome).await;
}

/// The commit takes effect, and nobody is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_in_a_commit() {
    for point in [Point::Planned, Point::Copying, Point::Records, Point::Embeddings, Point::Verified, Point::CutOver] {
        let target = sources::gated_database().await;
        let proxy = Proxy::start(&target.server.host, target.server.port).await;
        let mut through = target.clone();
        through.server.port = proxy.port();
        let this = Move::new(Some(sources::copy_database().await), through, services().await.valkey.database());
        let mut gate = Gate::close(&target, point).await;
        let running = this.start(MOVE);
        gate.is_reached_by(&running).await;
        proxy.cut();
        gate.open().await;
        let outcome = running.ended().await;
        println!("{point:?}: {:?}", outcome.code);
        ended_or_said(outcome, &["the connection to the database was lost"]);
        this.finishes().await;
    }
}
