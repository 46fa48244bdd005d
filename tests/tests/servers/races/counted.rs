//! What is decided by a version: of many who try at once, one does it. Documents of the state, leases, and the first administrator.

use std::sync::Arc;

use mosaic_core::{ErrorKind, Kind, Query, RandomIds, Scope, StateWrite, Storage, SystemClock};
use mosaic_gateway::first_admin::{self, FirstAdmin};
use mosaic_gateway::lease::{Lease, Taken};
use serde_json::json;
use tokio::task::JoinSet;

use crate::place::{Place, Process, Tier};

const MANY: usize = 16;

/// Some gateways on an empty database.
async fn processes(place: &Place) -> Vec<Process> {
    let mut processes = Vec::new();
    for _ in 0..4 {
        processes.push(place.process().await);
    }
    processes
}

/// So many write one document at once, all of them at a version; answers how many did.
async fn write_at_once(place: &Place, processes: &[Process], expect: u64, hold: &str, let_go: &str) -> usize {
    let (mut holder, mut watcher) = (place.plain().await, place.plain().await);
    holder.hold(hold).await;
    let mut writing = JoinSet::new();
    for (i, process) in processes.iter().cycle().take(MANY).enumerate() {
        let storage = Arc::clone(&process.storage);
        let write = StateWrite { name: "contested".into(), value: Some(json!({ "by": i })), expect };
        writing.spawn(async move { storage.put_state(&write).await });
    }
    watcher.until_waiting(MANY as i64).await;
    holder.run(let_go).await;
    let mut done = 0;
    for outcome in writing.join_all().await {
        match outcome {
            Ok(version) => {
                assert_eq!(version, expect + 1);
                done += 1;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Stale, "{error}"),
        }
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writes_at_one_version_one_is_done() {
    let place = Place::new(Tier::Standalone).await;
    let processes = processes(&place).await;
    // Whoever makes it and takes it back leaves them all to try; and so does who only looks.
    let make = "INSERT INTO state (name, value, version) VALUES ('contested', '{}', 1)";
    assert_eq!(write_at_once(&place, &processes, 0, make, "ROLLBACK").await, 1);
    assert_eq!(write_at_once(&place, &processes, 1, "SELECT FROM state FOR UPDATE", "COMMIT").await, 1);
    assert_eq!(processes[0].storage.state("contested").await.unwrap().unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_gateways_one_has_the_lease() {
    let place = Place::new(Tier::Standalone).await;
    let (mut holder, mut watcher) = (place.plain().await, place.plain().await);
    let processes = processes(&place).await;
    let leases: Vec<_> = processes
        .iter()
        .cycle()
        .take(MANY)
        .enumerate()
        .map(|(i, process)| {
            let storage: Arc<dyn Storage> = process.storage.clone();
            Arc::new(Lease::new(storage, Arc::new(SystemClock), "work", format!("gateway {i}"), "work".into()))
        })
        .collect();
    holder.hold("INSERT INTO state (name, value, version) VALUES ('work', '{}', 1)").await;
    let mut taking = JoinSet::new();
    for lease in &leases {
        let lease = Arc::clone(lease);
        taking.spawn(async move {
            match lease.take().await.unwrap() {
                Taken::Ours(_) => None,
                Taken::Theirs(holder) => Some(holder.holder),
            }
        });
    }
    watcher.until_waiting(MANY as i64).await;
    holder.run("ROLLBACK").await;
    let taken = taking.join_all().await;
    let theirs: Vec<_> = taken.iter().flatten().collect();
    assert_eq!(theirs.len(), MANY - 1, "one has it: {taken:?}");
    assert!(theirs.iter().all(|holder| *holder == theirs[0]), "and the others know who: {taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_gateways_one_makes_the_first_administrator() {
    let place = Place::new(Tier::Standalone).await;
    let (mut holder, mut watcher) = (place.plain().await, place.plain().await);
    let processes = processes(&place).await;
    // Users are added one transaction at a time, under this lock: all of them have looked, and found nobody.
    holder.hold("SELECT pg_advisory_xact_lock(74200001)").await;
    let mut making = JoinSet::new();
    for process in processes.iter().cycle().take(MANY) {
        let storage = Arc::clone(&process.storage);
        making.spawn(async move {
            let first = FirstAdmin { storage: &*storage, clock: &SystemClock, ids: &RandomIds };
            first.ensure(first_admin::Place::Terminal).await.unwrap().is_some()
        });
    }
    watcher.until_waiting(MANY as i64).await;
    holder.commit().await;
    let made = making.join_all().await;
    assert_eq!(made.iter().filter(|made| **made).count(), 1, "{made:?}");
    for kind in [Kind::User, Kind::Token] {
        assert_eq!(processes[0].storage.list(Scope::System, &Query::new(kind)).await.unwrap().items.len(), 1, "{kind}");
    }
}
