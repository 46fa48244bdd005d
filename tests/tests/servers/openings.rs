//! Gateways that open a database at once, and such as are broken off while they do.

use std::time::Instant;

use crate::HELPER;
use crate::place::{Place, Plain, Process, Tier};
use mosaic_core::{Backend, ErrorKind, Opening, Options, Result, Scope, Storage as _, registry};
use mosaic_federated as _;
use mosaic_postgres as _;
use mosaic_tests::services::{Listing, shared};
use serde_json::json;
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
        assert_eq!(watcher.number("SELECT count(*) FROM mosaic_migrations WHERE success").await, 17, "{tier:?}");
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

/// At each moment there is all that the first opening makes, or nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_may_be_broken_off_at_any_moment_and_leaves_all_tables_or_none() {
    const TABLES: &str = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')";
    for tier in [Tier::Standalone, Tier::Federated] {
        let place = Place::new(tier).await;
        let mut watcher = place.plain().await;
        let begun = Instant::now();
        place.process().await.erase().await.unwrap();
        let takes = begun.elapsed();
        let process = place.process().await;
        let all = watcher.number(TABLES).await;
        process.erase().await.unwrap();
        assert!(all > 8 && watcher.number(TABLES).await == 0, "{all}");
        for twentieth in 0..20 {
            let connections = place.connections(2, 20);
            let _ = tokio::time::timeout(takes * twentieth / 20, place.open(connections)).await;
            let there = watcher.number(TABLES).await;
            assert!([0, all].contains(&there), "{there} of {all} tables");
            watcher.until(ADVISORY, 0).await;
            if watcher.number(TABLES).await == all {
                place.process().await.erase().await.unwrap();
            }
        }
        let process = place.process().await;
        assert_eq!(watcher.number(TABLES).await, all);
        assert!(process.storage.list(Scope::System, &mosaic_core::Query::new(mosaic_core::Kind::Note)).await.unwrap().items.is_empty());
        watcher.until(ADVISORY, 0).await;
    }
}

/// Opens it as a command does that changes nothing, or as a gateway does.
async fn open(place: &Place, opening: Opening) -> Result<Backend> {
    let valkey = shared(HELPER).await.valkey.database();
    let postgres = json!({ "url": place.database.url() });
    let (tier, section) = match place.tier {
        Tier::Standalone => ("standalone", json!({ "postgres": postgres })),
        Tier::Federated => ("federated", json!({ "postgres": postgres, "valkey": { "url": valkey } })),
    };
    let options = Options { opening, ..Options::new(section, "/", "test") };
    (registry::backend(tier)?.open)(options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_opened_as_it_is_is_not_changed() {
    for tier in [Tier::Standalone, Tier::Federated] {
        let place = Place::new(tier).await;
        let server = &place.database.server;
        let name = format!("{}:{}/{}", server.host, server.port, place.database.name);
        // What is not there is not made.
        let empty = Listing::of(&place.database).await;
        let refusal = open(&place, Opening::AsItIs).await.err().unwrap();
        assert_eq!((refusal.kind(), refusal.get("place")), (ErrorKind::NotFound, Some(name.as_str())), "{refusal}");
        empty.assert_same(&Listing::of(&place.database).await);

        // What is there is worked with.
        let prepared = open(&place, Opening::Prepare).await.unwrap();
        prepared.storage.close().await.unwrap();
        let made = Listing::of(&place.database).await;
        let backend = open(&place, Opening::AsItIs).await.unwrap();
        assert_eq!((&backend.place, backend.place.name.as_str()), (&prepared.place, name.as_str()));
        assert_eq!(backend.storage.tally().await.unwrap().len(), mosaic_core::Kind::ALL.len());
        assert!(backend.vectors.unwrap().describe().await.unwrap().is_empty());
        backend.storage.close().await.unwrap();
        made.assert_same(&Listing::of(&place.database).await);

        // What is older stays so.
        place.database.execute("DELETE FROM mosaic_migrations WHERE version = 13").await;
        let older = Listing::of(&place.database).await;
        let refusal = open(&place, Opening::AsItIs).await.err().unwrap();
        assert_eq!((refusal.kind(), refusal.get("behind"), refusal.get("place")), (ErrorKind::Config, Some("1"), Some(name.as_str())));
        assert_eq!(refusal.get("identity"), prepared.place.identity.as_deref());
        older.assert_same(&Listing::of(&place.database).await);
    }
}

/// What tier standalone made is behind what tier federated makes of it, and in the same place.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_the_same_on_either_tier() {
    let place = Place::new(Tier::Federated).await;
    let on_standalone = Place { database: place.database.clone(), tier: Tier::Standalone };
    let made = open(&on_standalone, Opening::Prepare).await.unwrap();
    let refusal = open(&place, Opening::AsItIs).await.err().unwrap();
    assert_eq!((refusal.kind(), refusal.get("identity")), (ErrorKind::Config, made.place.identity.as_deref()));
    assert!(made.place.identity.is_some());
    let elsewhere = open(&Place::new(Tier::Federated).await, Opening::Prepare).await.unwrap();
    assert_ne!(elsewhere.place.identity, made.place.identity);
}
