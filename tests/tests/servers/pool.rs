//! Connections to a server: that none is lost or too many, whatever becomes of who had them; and what is said when there is none.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Applied, Batch, Change, ErrorKind, Kind, Retry, Scope, Storage as _};
use mosaic_sql::connection::{Connections as _, Work};
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};

use crate::place::{Place, Plain, Process, Tier, id, note, now, record, user};

const OWNER: u128 = 1;
const NOTES: u128 = 20;
const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'mosaic'";

/// A database with some notes of one user, a gateway with so many connections to it, and who looks at it from outside.
async fn notes(max_connections: u32, statement_timeout_seconds: u64) -> (Place, Process, Plain) {
    let place = Place::new(Tier::Standalone).await;
    let process = place.open(place.connections(max_connections, statement_timeout_seconds)).await.unwrap();
    let mut records = vec![user(OWNER, "ada")];
    records.extend((10..10 + NOTES).map(|number| note(number, OWNER, None)));
    process.load(&records).await;
    let watcher = place.plain().await;
    (place, process, watcher)
}

fn change(number: u128) -> Change {
    Change::Update(record("note", number, json!({ "owner_id": id(OWNER), "title": "changed" })))
}

fn begin_change(process: &Process, number: u128) -> JoinHandle<mosaic_core::Result<Applied>> {
    process.begin(Scope::System, change(number))
}

/// Makes sure that so many can be at work at once, and no more are there.
async fn assert_whole(place: &Place, process: &Process, watcher: &mut Plain, max_connections: u32) {
    let mut holder = place.plain().await;
    holder.hold("LOCK TABLE notes").await;
    let mut calls = JoinSet::new();
    for _ in 0..max_connections {
        let process = process.clone();
        calls.spawn(async move { process.storage.get(Scope::System, Kind::Note, id(10)).await.unwrap().unwrap() });
    }
    watcher.until_waiting(max_connections.into()).await;
    assert_eq!(watcher.number(SESSIONS).await, i64::from(max_connections));
    holder.commit().await;
    calls.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_dropped_calls_lose_no_connection() {
    const CONNECTIONS: u32 = 4;
    let (place, process, mut watcher) = notes(CONNECTIONS, 20).await;
    for wave in 0..50_u64 {
        let mut calls = JoinSet::new();
        for call in 0..20 {
            let process = process.clone();
            let number = 10 + u128::from(call) % NOTES;
            let work = async move {
                match call % 3 {
                    0 => drop(process.storage.get(Scope::System, Kind::Note, id(number)).await),
                    1 => drop(process.apply(Scope::System, change(number)).await),
                    _ => {
                        let batch = Batch { at: now(), changes: vec![change(number), change(10)], state: None };
                        drop(process.storage.apply(Scope::System, &batch).await);
                    }
                }
            };
            // The moments are spread wide, and the same in every run; one call in twenty is waited for.
            let micros = if call == 19 { 20_000_000 } else { (wave * 20 + call) * 7919 % 20_000 };
            let moment = Duration::from_micros(micros);
            calls.spawn(tokio::time::timeout(moment, work));
        }
        calls.join_all().await;
        let sessions = watcher.number(SESSIONS).await;
        assert!(sessions <= CONNECTIONS.into(), "{sessions} sessions");
    }
    assert_whole(&place, &process, &mut watcher, CONNECTIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_dropped_while_they_wait_for_a_lock_leave_no_session_behind() {
    const CONNECTIONS: u32 = 3;
    let (place, process, mut watcher) = notes(CONNECTIONS, 60).await;
    let mut holder = place.plain().await;
    holder.hold("SELECT FROM notes FOR UPDATE").await;
    for _ in 0..2 {
        let calls: Vec<_> = (0..u128::from(2 * CONNECTIONS)).map(|n| begin_change(&process, 10 + n)).collect();
        watcher.until_waiting(CONNECTIONS.into()).await;
        calls.iter().for_each(JoinHandle::abort);
        // Their connections are there for others again, though what they waited for is held, and are no more than there may be.
        let ping = async { process.storage.ping().await.unwrap() };
        let watch = async {
            loop {
                let sessions = watcher.number(SESSIONS).await;
                assert!(sessions <= CONNECTIONS.into(), "{sessions} sessions");
            }
        };
        tokio::select! { () = ping => {}, () = watch => {} }
        watcher.until_waiting(0).await;
    }
    holder.commit().await;
    assert_whole(&place, &process, &mut watcher, CONNECTIONS).await;
}

/// Ends all sessions of gateways, as an operator or a failover would, and waits until they have ended.
async fn terminate(watcher: &mut Plain) {
    let terminated = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'mosaic'";
    assert!(watcher.number(terminated).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_between_two_calls_is_not_noticed() {
    let (_place, process, mut watcher) = notes(3, 20).await;
    for round in 0..5 {
        // Several connections are there to be found broken.
        let mut calls = JoinSet::new();
        for number in 10..13 {
            let process = process.clone();
            calls.spawn(async move { process.storage.get(Scope::System, Kind::Note, id(number)).await.unwrap() });
        }
        calls.join_all().await;
        terminate(&mut watcher).await;
        assert!(process.storage.get(Scope::System, Kind::Note, id(10)).await.unwrap().is_some(), "{round}");
        terminate(&mut watcher).await;
        let (first, second) = (note(100 + round, OWNER, None), note(200 + round, OWNER, None));
        let batch = Batch { at: now(), changes: vec![Change::Create(first), Change::Create(second)], state: None };
        let applied = process.storage.apply(Scope::System, &batch).await.unwrap();
        assert!(applied.iter().all(|applied| matches!(applied, Applied::Created(_))), "{applied:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_in_the_middle_of_a_write_is_told_as_what_it_is() {
    let (place, process, mut watcher) = notes(3, 20).await;
    let mut holder = place.plain().await;
    holder.hold("SELECT FROM notes FOR UPDATE").await;
    // One statement alone: nobody knows whether it was done.
    let alone = begin_change(&process, 10);
    watcher.until_waiting(1).await;
    terminate(&mut watcher).await;
    let error = alone.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.retry_class()), (ErrorKind::Unavailable, Retry::Unknown), "{error}");
    // In a transaction it was not, and is done once more.
    let batch = Batch { at: now(), changes: vec![change(11), change(12)], state: None };
    let storage = Arc::clone(&process.storage);
    let batched = tokio::spawn(async move { storage.apply(Scope::System, &batch).await });
    watcher.until_waiting(1).await;
    terminate(&mut watcher).await;
    watcher.until_waiting(1).await;
    holder.commit().await;
    assert_eq!(batched.await.unwrap().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_connections_are_all_served() {
    let (place, process, mut watcher) = notes(2, 20).await;
    let mut calls = JoinSet::new();
    for call in 0..300 {
        let process = process.clone();
        calls.spawn(async move {
            match call % 2 {
                0 => process.storage.ping().await.unwrap(),
                _ => {
                    process.apply(Scope::System, Change::Create(note(1_000 + call, OWNER, None))).await.unwrap();
                }
            }
        });
    }
    calls.join_all().await;
    assert_whole(&place, &process, &mut watcher, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_connection_left_is_named_with_what_to_do() {
    let (place, process, mut watcher) = notes(4, 20).await;
    watcher.run(&format!("ALTER ROLE {} CONNECTION LIMIT 1", place.database.user)).await;
    terminate(&mut watcher).await;
    let mut holder = place.plain().await;
    holder.hold("SELECT FROM notes FOR UPDATE").await;
    let change = begin_change(&process, 10);
    watcher.until_waiting(1).await;
    let error = process.storage.ping().await.unwrap_err();
    assert_eq!((error.kind(), error.retry_class()), (ErrorKind::Unavailable, Retry::Safe), "{error}");
    assert_eq!(error.message(), "postgres has no connection left");
    let hint = "raise max_connections in postgresql.conf, or lower test.postgres.max_connections of the gateways that share it";
    assert_eq!(error.hint_text(), Some(hint));
    // Who has one goes on, and when there is room again, so do the others.
    holder.commit().await;
    change.await.unwrap().unwrap();
    watcher.run(&format!("ALTER ROLE {} CONNECTION LIMIT -1", place.database.user)).await;
    // For half a second, nobody else tries what has just failed.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_whole(&place, &process, &mut watcher, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_ended_at_its_deadline_and_says_so() {
    let (place, process, mut watcher) = notes(1, 1).await;
    let mut holder = place.plain().await;
    holder.hold("SELECT FROM notes FOR UPDATE").await;
    for changes in [vec![change(10)], vec![change(10), change(11)]] {
        let batch = Batch { at: now(), changes, state: None };
        let error = process.storage.apply(Scope::System, &batch).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(error.message(), "the database ended the work at its deadline");
        assert_eq!(watcher.waiting().await, 0);
    }
    process.storage.ping().await.unwrap();
    holder.commit().await;
    assert_whole(&place, &process, &mut watcher, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_silent_in_a_transaction_is_ended_with_its_locks() {
    let (place, process, mut watcher) = notes(1, 1).await;
    let silent = place.connections(1, 1);
    let mut lease = silent.lease(Work::Request).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT FROM notes FOR UPDATE").execute(lease.connection()).await.unwrap();
    const HELD: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'";
    assert_eq!(watcher.number(HELD).await, 1);
    watcher.until(HELD, 0).await;
    process.apply(Scope::System, change(10)).await.unwrap();
    // The next one gets a connection that works.
    drop(lease);
    let mut lease = silent.lease(Work::Request).await.unwrap();
    sqlx::raw_sql("SELECT 1").execute(lease.connection()).await.unwrap();
    lease.settled();
    silent.close().await.unwrap();
    watcher.until(SESSIONS, 1).await;
}

/// A page of a large space would be made of all of it, by workers that know nothing of where the page ends.
#[tokio::test]
async fn no_statement_is_shared_among_workers() {
    let (place, _process, _watcher) = notes(1, 20).await;
    let connections = place.connections(1, 20);
    let mut lease = connections.lease(Work::Request).await.unwrap();
    // Has the server do it wherever it may, by the name that its version has for this.
    let wherever = "SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('debug_parallel_query', 'force_parallel_mode')";
    assert_eq!(sqlx::query(wherever).fetch_all(lease.connection()).await.unwrap().len(), 1);
    let plan: Vec<String> = sqlx::query_scalar("EXPLAIN SELECT count(*) FROM notes").fetch_all(lease.connection()).await.unwrap();
    assert!(!plan.join("\n").contains("Gather"), "{plan:?}");
    lease.settled();
    connections.close().await.unwrap();
}
