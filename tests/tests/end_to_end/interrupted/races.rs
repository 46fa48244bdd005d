//! Others who are at work at the same time: another run of the same move, and those who write to the source or start on the target. What must
//! not come in: services that fail.

use std::time::Duration;

use hyper::Method;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::gate::{Gate, Point, Side, until_waiting_for};
use super::running::Running;
use super::sources;
use super::world::{MOVE, Move};
use crate::harness::{Client, Gateway, Outcome, PATIENCE, Random, Signal, eventually, signal};

/// How much later one of two begins.
const LATER: Duration = Duration::from_millis(500);

/// Whether a run ended well, or because of the other one.
#[track_caller]
fn ended_or_overtaken(outcome: Outcome) -> bool {
    let causes = [
        "another run of this move",
        "what is here is a part of what is being moved here",
        "the data directory is in use by another process",
    ];
    let is_over = outcome.code == Some(0);
    if !is_over {
        let stderr = outcome.exit(1).stderr;
        assert!(causes.iter().any(|cause| stderr.contains(cause)), "{stderr}");
    }
    is_over
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_runs_at_once_what_comes_is_right() {
    let mut random = Random::new("two runs at once");
    for from_local in [true, false, false, false] {
        let this = if from_local { Move::from_local().await } else { Move::from_standalone().await };
        let first = this.start(MOVE);
        tokio::time::sleep(random.up_to(LATER)).await;
        let second = this.start(MOVE);
        let (first, second) = tokio::join!(first.ended(), second.ended());
        let ended = [first, second].map(ended_or_overtaken);
        println!("ended well: {ended:?}");
        this.finishes().await;
    }
}

/// The second opens the target while nothing is there, and looks what it holds when the first has copied a part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_looks_while_another_copies_names_the_other() {
    let this = Move::gated_from_standalone().await;
    let mut gate = Gate::close(&this.target, Point::Planned).await;
    let first = this.start(MOVE);
    gate.is_reached_by(&first).await;
    // The messages are the last that is copied, and each run looks at the source before it looks at the target.
    let source = this.gated(Side::Source).await;
    let mut lock = PgConnection::connect(&source.admin_url()).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE").execute(&mut lock).await.unwrap();
    let second = this.start(MOVE);
    until_waiting_for(&mut lock, 1).await;
    gate.open().await;
    eventually("a page is copied", PATIENCE, || async {
        let mut target = PgConnection::connect(&this.target.admin_url()).await.unwrap();
        let is_copied: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM tasks)").fetch_one(&mut target).await.unwrap();
        target.close().await.unwrap();
        is_copied.then_some(())
    })
    .await;
    let gate = Gate::close(&this.target, Point::Verified).await;
    lock.close().await.unwrap();
    second.ended().await.fails_with(&["another run of this move is under way"]);
    gate.open().await;
    first.ended().await.exit(0);
    this.finishes().await;
}

/// It is stopped where its commit takes effect, and goes on when another run has come to the end, and a gateway is at work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_stopped_and_goes_on_later_harms_nothing() {
    for (side, point) in [
        (Side::Target, Point::Fenced),
        (Side::Target, Point::Records),
        (Side::Target, Point::Verified),
        (Side::Source, Point::Moved),
        (Side::Target, Point::CutOver),
    ] {
        let this = Move::gated_from_standalone().await;
        let mut gate = Gate::close(this.gated(side).await, point).await;
        let stopped = this.start(MOVE);
        gate.is_reached_by(&stopped).await;
        signal(stopped.pid, Signal::STOP);
        gate.open().await;
        let outcome = this.place.run(MOVE).await.exit(0);
        this.arrived(&outcome).await;

        let gateway = Gateway::start_in(&this.target_place()).await;
        let admin = administrator(&gateway);
        let cursor = admin.get("/api/v1/tasks?limit=1").await.expect(200).json()["next_cursor"].clone();
        let cursor = cursor.as_str().expect("there is another page").to_owned();
        let note = admin.create("notes", json!({ "title": "written after the move" })).await;
        signal(stopped.pid, Signal::CONT);
        ended_or_overtaken(stopped.ended().await);
        gateway.stop().await;

        // Neither what was written is gone, nor what the gateway knows of its clients.
        let gateway = Gateway::start_in(&this.target_place()).await;
        let admin = administrator(&gateway);
        admin.get(&format!("/api/v1/notes/{}", note["id"].as_str().unwrap())).await.expect(200);
        admin.get(&format!("/api/v1/tasks?limit=1&cursor={cursor}")).await.expect(200);
        gateway.stop().await;
    }
}

fn administrator(gateway: &Gateway) -> Client {
    gateway.anonymous().with_token(sources::data().administrator_secret())
}

/// Whether a gateway became ready at any time before it ended, or until `until` has ended.
async fn becomes_ready(gateway: &Gateway, until: &Running) -> bool {
    let client = gateway.anonymous();
    loop {
        let has_ended = until.has_ended();
        let answer = client.try_request(Method::GET, "/readyz", &[], "").await;
        if answer.is_ok_and(|answer| answer.status == 200) {
            return true;
        }
        if gateway.exit_status().is_some() || has_ended && gateway.exit_status().is_none() && !comes_up(gateway).await {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a gateway whose rival has ended is ready in the end; it ends otherwise.
async fn comes_up(gateway: &Gateway) -> bool {
    let client = gateway.anonymous();
    while gateway.exit_status().is_none() {
        if client.try_request(Method::GET, "/readyz", &[], "").await.is_ok_and(|answer| answer.status == 200) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_on_the_source_and_a_move_are_never_at_work_at_once() {
    let mut random = Random::new("a gateway on the source");
    for _ in 0..6 {
        let this = Move::from_standalone().await;
        let gateway_first = random.below(2) == 0;
        let offset = random.up_to(LATER);
        let (gateway, running) = if gateway_first {
            let gateway = Gateway::spawn(&this.place);
            tokio::time::sleep(offset).await;
            (gateway, this.start(MOVE))
        } else {
            let running = this.start(MOVE);
            tokio::time::sleep(offset).await;
            (Gateway::spawn(&this.place), running)
        };
        let is_ready = becomes_ready(&gateway, &running).await;
        let written = if is_ready {
            let note = json!({ "title": "acknowledged" }).to_string();
            let answer = administrator(&gateway).try_request(Method::POST, "/api/v1/notes", crate::harness::JSON, note).await;
            answer.is_ok_and(|answer| answer.status == 201)
        } else {
            let log = gateway.log();
            assert!(log.contains("this data is being moved to another tier") || log.contains("this data was moved"), "{log}");
            false
        };
        let outcome = running.ended().await;
        println!("offset {offset:?}, gateway first {gateway_first}: ready {is_ready}, moved {:?}", outcome.code);
        if is_ready {
            outcome.fails_with(&["the data is in use", "stop the gateway at "]);
            assert!(written, "a gateway that is ready takes writes");
            gateway.stop().await;
            let outcome = this.place.run(MOVE).await.exit(0);
            let export = this.export_of_target().await;
            assert!(String::from_utf8_lossy(&export).contains("acknowledged"), "{}", outcome.stderr);
        } else if outcome.code == Some(0) {
            this.arrived(&outcome).await;
        } else {
            // Each saw the other: both gave way.
            outcome.exit(1);
            this.finishes().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_command_acknowledged_on_the_source_is_in_the_target_or_nothing_was_moved() {
    let mut random = Random::new("commands on the source");
    let user = json!({ "kind": "user", "id": "aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa", "login": "latecomer", "name": "x", "role": "member",
        "created_at": "2026-01-01T00:00:00Z" });
    for round in 0..6 {
        let this = Move::from_standalone().await;
        this.place.write("latecomer.log", user.to_string() + "\n");
        let command: &[&str] =
            if round % 2 == 0 { &["user", "add", "latecomer", "--name", "x"] } else { &["import", "latecomer.log", "--json"] };
        let offset = random.up_to(LATER);
        let (running, adding);
        if random.below(2) == 0 {
            adding = this.start(command);
            tokio::time::sleep(offset / 4).await;
            running = this.start(MOVE);
        } else {
            running = this.start(MOVE);
            tokio::time::sleep(offset).await;
            adding = this.start(command);
        }
        let (moved, added) = tokio::join!(running.ended(), adding.ended());
        println!("offset {offset:?}: moved {:?}, added {:?}", moved.code, added.code);
        let is_acknowledged = added.code == Some(0);
        if !is_acknowledged {
            let said = added.exit(1);
            assert!(said.stderr.contains("moved"), "{}", said.stderr);
        }
        let moved = if moved.code == Some(0) {
            moved
        } else {
            let refused = moved.exit(1);
            assert!(refused.stderr.contains("the data is in use"), "{}", refused.stderr);
            this.place.run(MOVE).await.exit(0)
        };
        let export = this.export_of_target().await;
        let is_there = String::from_utf8_lossy(&export).contains("latecomer");
        assert_eq!(is_there, is_acknowledged, "{}", moved.stderr);
        if !is_acknowledged {
            this.arrived(&moved).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_on_the_target_and_a_move_are_never_at_work_at_once() {
    let mut random = Random::new("a gateway on the target");
    for _ in 0..5 {
        let this = Move::from_standalone().await;
        let place = this.as_federated();
        let offset = random.up_to(LATER * 2);
        let running = this.start(MOVE);
        tokio::time::sleep(offset).await;
        let gateway = Gateway::spawn(&place);
        let is_ready = becomes_ready(&gateway, &running).await;
        let outcome = running.ended().await;
        println!("offset {offset:?}: ready {is_ready}, moved {:?}", outcome.code);
        if is_ready && outcome.code == Some(0) {
            // It came when all was over: it serves what was moved. (Asked for it, it notes the use of the token: that is no move's.)
            this.arrived(&outcome).await;
            administrator(&gateway).get("/api/v1/tasks?limit=1").await.expect(200);
            gateway.stop().await;
        } else if outcome.code == Some(0) {
            let log = gateway.log();
            assert!(log.contains("what is here is a part of what is being moved here"), "{log}");
            this.arrived(&outcome).await;
        } else {
            outcome.exit(1);
            if is_ready {
                gateway.stop().await;
            }
            // The administrator that its first start made gives way.
            this.finishes().await;
        }
    }
}
