//! The gateway refuses to boot in tier federated when Postgres is unreachable, within the time it was given, and says where it looked.

use std::time::{Duration, Instant};

use mosaic_tests::services::Unanswered;

use super::{federated, services};

#[tokio::test]
async fn without_postgres_it_does_not_boot() {
    let place = federated("postgres://mosaic@127.0.0.1:1/mosaic", &services().await.valkey.database());
    let begun = Instant::now();
    let cure = "docker compose -f docker-compose.yml -f docker-compose.federated.yml --profile federated up -d --wait";
    place.run(&["serve"]).await.fails_with(&["nothing listens there", "service=postgres", "target=127.0.0.1:1", cure]);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn it_waits_as_long_as_it_was_told() {
    let silent = Unanswered::start().await;
    let address = silent.address();
    let place = federated(&format!("postgres://mosaic@{address}/mosaic"), &services().await.valkey.database());
    let place = place.with_env("MOSAIC_STARTUP__WAIT_SECONDS", "5");
    let begun = Instant::now();
    let target = format!("target={address}");
    let log = place.run(&["serve"]).await.exit(1).stderr;
    assert!(log.lines().filter(|line| line.contains("not there yet, trying again")).count() > 0, "{log}");
    let said = log.lines().last().unwrap();
    assert!(["error: postgres does not answer within 2 s", &target, "firewall"].iter().all(|name| said.contains(name)), "{said}");
    // The last attempt begins within the time, and has 2 s.
    let took = begun.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(9)).contains(&took), "{took:?}");
}
