//! Gateways that open a database at once, and such as are broken off while they do.

use std::time::Duration;

use crate::place::{Place, Plain, Process, Tier};
use mosaic_core::{Result, Scope, Storage as _};
use tokio::task::{JoinHandle, JoinSet};

const ADVISORY: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

#[tokio::test(flavor = "multi_thread")]
async fn many_open_an_empty_database_at_once() {
    for tier in [Tier::Standalone, Tier::Federated] {
        let place = Place::new(tier).await;
        let mut watcher = place.plain().await;
        let mut opening = JoinSet::new();
        for _ in 0..20 {
            let connections = place.connections(1, 20);
            let place = Place { database: place.database.clone(), tier };
            opening.spawn(async move { place.open(connections).await });
        }
        for opened in opening.join_all().await {
            let process = opened.unwrap();
            process.storage.ping().await.unwrap();
            assert!(process.vectors.describe().await.unwrap().is_empty());
        }
        assert_eq!(watcher.number("SELECT count(*) FROM mosaic_migrations WHERE success").await, 13, "{tier:?}");
        assert_eq!(watcher.number(ADVISORY).await, 0, "{tier:?}");
    }
}

fn begin_opening(place: &Place) -> JoinHandle<Result<Process>> {
    let connections = place.connections(2, 20);
    let place = Place { database: place.database.clone(), tier: place.tier };
    tokio::spawn(async move { place.open(connections).await })
}

/// Keeps whoever opens the database from going on: it makes a table that is made as yet by somebody else.
async fn in_the_way(place: &Place) -> Plain {
    let mut holder = place.plain().await;
    holder.hold("CREATE TABLE mosaic_migrations (version bigint PRIMARY KEY)").await;
    holder
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_is_broken_off_keeps_no_other_from_opening() {
    let place = Place::new(Tier::Standalone).await;
    let mut watcher = place.plain().await;
    let mut holder = in_the_way(&place).await;
    let broken = begin_opening(&place);
    watcher.until_blocked_by(&holder, 1).await;
    assert_eq!(watcher.number(ADVISORY).await, 2, "that of the first time, and the migrator's");
    // Another waits for it, and is broken off as well.
    let waiting = begin_opening(&place);
    watcher.until_waiting(2).await;
    broken.abort();
    waiting.abort();
    // Though what it waited for is still held: nothing of either is left.
    watcher.until(ADVISORY, 0).await;
    watcher.until_waiting(0).await;

    let next = begin_opening(&place);
    watcher.until_waiting(1).await;
    holder.run("ROLLBACK").await;
    next.await.unwrap().unwrap().storage.ping().await.unwrap();
    assert_eq!(watcher.number(ADVISORY).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_may_be_broken_off_at_any_moment() {
    for tier in [Tier::Standalone, Tier::Federated] {
        let place = Place::new(tier).await;
        let mut watcher = place.plain().await;
        for millis in (0..60).step_by(4) {
            let connections = place.connections(2, 20);
            let _ = tokio::time::timeout(Duration::from_millis(millis), place.open(connections)).await;
        }
        let process = place.process().await;
        assert!(process.storage.list(Scope::System, &mosaic_core::Query::new(mosaic_core::Kind::Note)).await.unwrap().items.is_empty());
        watcher.until(ADVISORY, 0).await;
    }
}
