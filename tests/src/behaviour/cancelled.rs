//! Calls whose future is dropped: each took effect whole or not at all, and the storage goes on.

use std::time::Duration;

use mosaic_core::{Change, Kind, Record, Scope, StateWrite, Task, User};
use serde_json::json;

use super::Env;
use super::records::{as_user, renamed};

/// Starts calls, so many at a time, and drops each after a while: at once, in the middle, or when it is done already.
/// The moments are spread wide, and the same in every run; one call in ten is waited for, so that some are done on any machine.
async fn drop_in_flight<F: Future<Output: Send> + Send + 'static>(calls: impl IntoIterator<Item = F>, at_once: usize) {
    let mut calls = calls.into_iter();
    let moment = |i: u64| if i % 10 == 9 { Duration::from_secs(30) } else { Duration::from_micros(i * 7919 % 20_000) };
    let mut moments = (0..).map(moment);
    loop {
        let wave = calls.by_ref().take(at_once).zip(moments.by_ref());
        let wave: Vec<_> = wave.map(|(call, moment)| tokio::spawn(tokio::time::timeout(moment, call))).collect();
        if wave.is_empty() {
            return;
        }
        for call in wave {
            let _ = call.await.unwrap();
        }
    }
}

/// Checks that the storage works, and answers soon.
async fn assert_goes_on(env: &Env, user: &User) {
    let work = async {
        env.storage.ping().await.unwrap();
        let record = env.create(as_user(user), env.new_task(user)).await.unwrap();
        let record = env.update(as_user(user), record).await.unwrap();
        env.assert_seen(&record, &[as_user(user)]).await;
        env.delete(as_user(user), record.kind(), record.id()).await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(30), work).await.unwrap();
}

pub async fn a_dropped_batch_is_done_whole_or_not_at_all(env: &'static Env) {
    let user = env.user().await;
    let names: Vec<String> = (0..100).map(|_| env.name()).collect();
    let batches: Vec<[Record; 3]> =
        names.iter().map(|_| [env.new_task(&user).into(), env.new_note(&user).into(), env.new_task(&user).into()]).collect();
    let scope = as_user(&user);
    let apply = |name: &String, records: &[Record; 3]| {
        let state = Some(StateWrite { name: name.clone(), value: Some(json!("done")), expect: 0 });
        let batch = mosaic_core::Batch { at: env.now(), changes: records.iter().cloned().map(Change::Create).collect(), state };
        async move { env.storage.apply(scope, &batch).await.unwrap() }
    };
    drop_in_flight(names.iter().zip(&batches).map(|(name, records)| apply(name, records)), 4).await;
    assert_goes_on(env, &user).await;
    let mut landed = 0;
    for (name, records) in names.iter().zip(&batches) {
        let mut there = vec![env.storage.state(name).await.unwrap().is_some()];
        for record in records {
            there.push(env.get(scope, record.kind(), record.id()).await.is_some());
        }
        assert!(there.iter().all(|one| *one == there[0]), "{there:?}");
        landed += usize::from(there[0]);
        // What was done can be sent again; what was not can be done now.
        env.apply(scope, records.iter().cloned().map(Change::Create).collect()).await.unwrap();
    }
    assert!(landed > 0, "of 100 batches, none was done");
    assert_eq!(env.list(scope, &mosaic_core::Query::new(Kind::Task)).await.len(), 200);
}

pub async fn dropped_updates_leave_revisions_without_gaps(env: &'static Env) {
    let user = env.user().await;
    let scope = as_user(&user);
    let record = env.content(&user, None).await.remove(0);
    let update = async move |record: Record| {
        let now = env.get(scope, record.kind(), record.id()).await.unwrap();
        let next = renamed(&now, &format!("Revision {}", now.revision() + 1));
        let _ = env.update(scope, next).await;
    };
    let updates: Vec<_> = (0..100)
        .map(|_| {
            let record = record.clone();
            async move { update(record).await }
        })
        .collect();
    drop_in_flight(updates, 4).await;
    assert_goes_on(env, &user).await;
    let now = env.get(scope, record.kind(), record.id()).await.unwrap();
    assert!(now.revision() > 1, "of 100 updates, none was done");
    assert_eq!(now, renamed(&now, &format!("Revision {}", now.revision())));
}

pub async fn dropped_loads_and_reads_leave_the_storage_at_work(env: &'static Env) {
    let user = env.user().await;
    let scope = as_user(&user);
    let loads: Vec<Vec<Record>> = (0..40).map(|_| (0..20).map(|_| Record::Task(env.new_task(&user))).collect()).collect();
    let calls = loads.iter().cloned().map(|records| async move {
        env.storage.load(&records, None).await.unwrap();
        env.page(scope, &mosaic_core::Query::new(Kind::Task)).await;
        env.storage.export(None, 100, mosaic_core::Tokens::Omit).await.unwrap();
    });
    drop_in_flight(calls, 4).await;
    assert_goes_on(env, &user).await;
    let mut landed = 0;
    for records in loads {
        let mut there = 0;
        for record in &records {
            there += usize::from(env.get(scope, record.kind(), record.id()).await.is_some());
        }
        assert!(there == 0 || there == records.len(), "{there} of {} are there", records.len());
        landed += there;
    }
    assert!(landed > 0, "of 40 loads, none was done");
}

/// More at once than any pool of connections holds.
pub async fn a_thousand_dropped_calls_lose_no_connection(env: &'static Env) {
    let user = env.user().await;
    let scope = as_user(&user);
    let task = env.stored(env.new_task(&user)).await;
    let calls = (0..1000_u64).map(|i| {
        let task = task.clone();
        async move {
            match i % 4 {
                0 => drop(env.get(scope, Kind::Task, task.id).await),
                1 => drop(env.page(scope, &mosaic_core::Query::new(Kind::Task)).await),
                2 => drop(env.create(scope, Task { id: env.id(), ..task }).await),
                _ => drop(env.storage.state("nothing").await),
            }
        }
    });
    drop_in_flight(calls, 100).await;
    for _ in 0..3 {
        assert_goes_on(env, &user).await;
    }
    assert_eq!(env.get(Scope::System, Kind::Task, task.id).await, Some(task.into()));
}
