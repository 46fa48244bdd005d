//! The gateway refuses to boot in tier federated when Valkey is unreachable, within the time it was given, and says where it looked.

use std::time::{Duration, Instant};

use super::{Stack, federated};

#[tokio::test]
async fn without_valkey_it_does_not_boot() {
    let stack = Stack::new().await;
    let place = federated(&stack.database.url(), "redis://127.0.0.1:1");
    let begun = Instant::now();
    let cure = "docker compose -f docker-compose.yml -f docker-compose.federated.yml --profile federated up -d --wait";
    place.run(&["serve"]).await.fails_with(&["nothing listens there", "service=valkey", "target=127.0.0.1:1", cure]);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}
