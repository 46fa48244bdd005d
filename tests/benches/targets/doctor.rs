//! How long the doctor takes when nothing that it looks at answers. What must not come in: what it says.

use std::process::{Command, Stdio};
use std::time::Instant;

use mosaic_tests::services::{self, Proxy};
use serde_json::json;

use super::BINARY;
use super::report::{Figure, Report, Target};

pub(crate) async fn measure(report: &mut Report) {
    let services = services::shared(BINARY).await;
    let postgres = Proxy::start(&services.pgvector.host, services.pgvector.port).await;
    let valkey = Proxy::start(&services.valkey.host, services.valkey.port).await;
    postgres.black_hole();
    valkey.black_hole();
    let dir = std::env::temp_dir().join(format!("mosaic-doctor-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let config = json!({ "tier": "federated", "federated": {
        "postgres": { "url": format!("postgres://mosaic:secret@{}/mosaic", postgres.address()) },
        "valkey": { "url": format!("redis://:secret@{}", valkey.address()) } } });
    std::fs::write(dir.join("mosaic.config.json"), config.to_string()).unwrap();
    let mut command = Command::new(BINARY);
    command.arg("doctor").current_dir(&dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    // Not on this thread, which may be the one that the silence comes from.
    let status = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(status.code(), Some(1), "nothing answers, and the doctor says so");
    std::fs::remove_dir_all(&dir).unwrap();
    report.add(Figure::new("doctor, with every service black-holed", "s", took).target(Target::AtMost(3.0)));
}
