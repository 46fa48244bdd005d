//! The gateway does what `/openapi.json` says it does, on each tier: schemathesis makes requests from that document, such as it allows and such
//! as it does not, and holds each answer to it. What it leaves out is in `tests/contract/`, with the reasons.
//!
//! `MOSAIC_CONTRACT_EXAMPLES` is how many requests it makes up for each operation, beyond those of bounds and of sequences; `MOSAIC_CONTRACT_SEED`
//! what they are drawn from.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use mosaic_tests::services::Schemathesis;
use serde_json::json;

use super::servers::{Stack, services, standalone};
use crate::harness::{ChatServer, Gateway, Place};

/// Where it is told what to leave out.
const CONTRACT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contract");

/// How long a run may take: some seconds are usual, and many more examples may be asked for.
const PATIENCE: Duration = Duration::from_secs(3600);

async fn check(place: &Place) {
    // So that messages are answered.
    let model = ChatServer::start().await;
    place.write("mosaic.config.json", json!({ "models": { "chat": model.section() } }).to_string());
    let gateway = Gateway::start_in(place).await;
    let admin = gateway.admin();
    let team = admin.create("teams", json!({ "slug": "workshop", "name": "Workshop" })).await;
    for plural in ["tasks", "notes"] {
        admin.create(plural, json!({ "title": "Sharpen the chisels", "body": "All of them.", "tags": ["tools"] })).await;
    }
    let own = admin.get("/api/v1/me").await.expect(200).json();
    admin.create("memberships", json!({ "team_id": team["id"], "user_id": own["user"]["id"] })).await;
    let session = admin.create("sessions", json!({ "title": "Talk", "agent": "scripted" })).await;
    let path = format!("/api/v1/sessions/{}/messages", session["id"].as_str().unwrap());
    admin.post(&path, &json!({ "content": "hello" })).await.expect(201);

    let option = |name: &str, usual: &str| env::var(name).unwrap_or_else(|_| usual.to_owned());
    let mut command = Schemathesis::get().await.command();
    command.args(["--config-file", "schemathesis.toml", "run", &format!("{}/openapi.json", gateway.url()), "--no-color"]);
    command.args(["--max-examples", &option("MOSAIC_CONTRACT_EXAMPLES", "20"), "--seed", &option("MOSAIC_CONTRACT_SEED", "1")]);
    command.current_dir(CONTRACT).env("MOSAIC_TOKEN", admin.token());
    let own = ["user", "token"].map(|whose| own[whose]["id"].as_str().unwrap().to_owned());
    command.env("MOSAIC_CONTRACT_OWN", own.join(",")).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("schemathesis ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", said.split("SUMMARY").last().unwrap_or_default());
    // The token still works: nothing was cut off on the way.
    admin.get("/api/v1/me").await.expect(200);
    gateway.stop().await;
}

#[tokio::test]
async fn on_local() {
    check(&Place::new()).await;
}

#[tokio::test]
async fn on_standalone() {
    let database = services().await.postgres.database().await;
    check(&standalone(&database.url())).await;
}

#[tokio::test]
async fn on_federated() {
    let stack = Stack::new().await;
    check(&stack.place()).await;
}
