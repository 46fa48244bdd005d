//! The gateway refuses to boot in tier federated when pgvector is absent, at once, and leaves the database empty.

use std::time::{Duration, Instant};

use super::{federated, services};

#[tokio::test]
async fn without_pgvector_it_does_not_boot() {
    let services = services().await;
    let database = services.postgres.database().await;
    let place = federated(&database.url(), &services.valkey.database());
    let begun = Instant::now();
    place.run(&["serve"]).await.fails_with(&[
        "the server does not have pgvector",
        "service=postgres",
        &format!("target={}:{}", database.server.host, database.server.port),
        "pgvector/pgvector:pg16",
    ]);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    database.execute("DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public'); END $$").await;
}
