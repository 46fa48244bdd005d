//! Postgres goes, and comes back: killed, and frozen. Both tiers that have one are on it at once.

use std::time::{Duration, Instant};

use futures::future::join_all;
use mosaic_tests::services::OwnPostgres;

use super::watch::State;
use super::{RECOVERY, Subject};
use crate::servers::{federated, services, standalone};

/// A gateway of either tier on this server.
async fn both(postgres: &OwnPostgres) -> [Subject; 2] {
    let (plain, with_pgvector) = tokio::join!(postgres.database(), postgres.database());
    with_pgvector.execute("CREATE EXTENSION vector").await;
    let (standalone, federated) = (standalone(&plain.url()), federated(&with_pgvector.url(), &services().await.valkey.database()));
    tokio::join!(Subject::start("standalone", &standalone), Subject::start("federated", &federated)).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_and_started_again() {
    let postgres = OwnPostgres::start().await;
    let subjects = both(&postgres).await;

    postgres.kill().await;
    for subject in &subjects {
        let took = subject.says(State::WithoutStorage).await;
        assert!(took < RECOVERY, "{}: {took:?}", subject.name);
    }
    let away = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for subject in &subjects {
        let said = subject.watch.since(away);
        assert!(!said.is_empty() && said.iter().all(|state| *state == State::WithoutStorage), "{}: {said:?}", subject.name);
        assert!(subject.load.writes.first_success(away).is_none(), "{}: who wrote it down?", subject.name);
    }

    postgres.restart().await;
    let returned = Instant::now();
    join_all(subjects.iter().map(|subject| subject.recovers(returned))).await;
    for subject in &subjects {
        assert!(subject.load.writes.failures() > 0, "{}: nobody wrote meanwhile", subject.name);
    }
    join_all(subjects.map(Subject::end)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_under_load_and_thawed() {
    let postgres = OwnPostgres::start().await;
    let subjects = both(&postgres).await;

    postgres.freeze().await;
    for subject in &subjects {
        let took = subject.says(State::WithoutStorage).await;
        assert!(took < RECOVERY, "{}: {took:?}", subject.name);
    }
    let away = Instant::now();
    tokio::time::sleep(Duration::from_secs(3)).await;
    for subject in &subjects {
        let said = subject.watch.since(away);
        assert!(!said.is_empty() && said.iter().all(|state| *state == State::WithoutStorage), "{}: {said:?}", subject.name);
    }

    postgres.thaw().await;
    let returned = Instant::now();
    join_all(subjects.iter().map(|subject| subject.recovers(returned))).await;
    join_all(subjects.map(Subject::end)).await;
}

/// The operator changes the password, and then the config's; or sets it back. Until then the gateway is not ready, and nothing in it is at fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_out_under_load_and_let_in_again() {
    let database = services().await.postgres.database().await;
    let subject = Subject::start("standalone", &standalone(&database.url())).await;
    let set = async |password: &str| {
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", database.user);
        database.execute(&format!("ALTER ROLE {} PASSWORD '{password}'; {end}", database.user)).await;
    };
    set("another").await;
    subject.says(State::WithoutStorage).await;
    set(&database.password).await;
    subject.recovers(Instant::now()).await;
    assert!(subject.load.writes.failures() > 0);
    subject.end().await;
}
