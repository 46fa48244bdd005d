//! The toy gateway, as whoever builds one of their own would try it: it has the tier, reads its section, keeps records and
//! says when it is full. A build of the whole workspace gives it Mosaic's own tiers too, which changes nothing here.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mosaic_core::{ErrorKind, Id, Kind};
use mosaic_gateway::client::Client;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// How long to wait for what must happen soon.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory with this config, and nothing of the environment's.
struct Place(TempDir);

impl Place {
    fn new(config: &Value) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.0.path().join("mosaic.config.json"), config.to_string()).unwrap();
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toy-gateway"));
        command.args(arguments).current_dir(&self.0).env_clear().stdin(Stdio::null());
        command
    }

    /// What a command writes that must succeed.
    fn text(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail, and name these.
    fn refuses(&self, arguments: &[&str], names: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
        for name in names {
            assert!(said(&output).contains(name), "{arguments:?}: {:?} does not name {name:?}", said(&output));
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A gateway that answers. It ends with the value.
struct Gateway {
    process: Child,
    log: PathBuf,
}

impl Gateway {
    fn start(place: &Place) -> Self {
        let log = place.0.path().join("gateway.log");
        let process = place.command(&["serve"]).stderr(File::create(&log).unwrap()).spawn().unwrap();
        Self { process, log }
    }

    /// Where it answers, once it does: port 0 takes a free one, and the log says which.
    fn url(&mut self) -> String {
        let ready = self.logged(" ready ");
        let url = ready.split_whitespace().find_map(|word| word.strip_prefix("url="));
        url.unwrap().trim_matches('"').to_owned()
    }

    /// The line of its log that says this, once it is there.
    fn logged(&mut self, part: &str) -> String {
        let begun = Instant::now();
        loop {
            let log = fs::read_to_string(&self.log).unwrap();
            if let Some(line) = log.split_inclusive('\n').find(|line| line.ends_with('\n') && line.contains(part)) {
                return line.to_owned();
            }
            assert!(self.process.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE, "the log does not say {part:?}:\n{log}");
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn config(section: Value) -> Value {
    json!({ "tier": "scratch", "listen": "127.0.0.1:0", "scratch": section })
}

fn fields(fields: Value) -> Map<String, Value> {
    serde_json::from_value(fields).unwrap()
}

#[test]
fn the_gateway_has_the_tier_and_knows_its_section() {
    let place = Place::new(&config(json!({ "max_records": 5 })));
    let backends: Value = serde_json::from_str(&place.text(&["backends", "--json"])).unwrap();
    let scratch = json!({ "tier": "scratch", "summary": "everything in memory, gone when the gateway stops" });
    assert!(backends["built_in"].as_array().unwrap().contains(&scratch), "{backends}");
    let schema: Value = serde_json::from_str(&place.text(&["config", "schema"])).unwrap();
    assert!(schema["properties"]["tier"]["enum"].as_array().unwrap().contains(&"scratch".into()), "{schema}");
    assert_eq!(schema["properties"]["scratch"]["properties"]["max_records"]["default"], 100_000);
    assert!(place.text(&["config", "check"]).contains("good, for tier scratch"));
    // The schema is also how a text in the environment becomes a number.
    let shown = place.command(&["config", "show"]).env("MOSAIC_SCRATCH__MAX_RECORDS", "7").output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).unwrap()["scratch"], json!({ "max_records": 7 }));
}

#[test]
fn what_cannot_be_used_is_named() {
    let misspelt = Place::new(&config(json!({ "max_record": 5 })));
    let small = Place::new(&config(json!({ "max_records": 1 })));
    for command in [&["config", "check"][..], &["serve"]] {
        misspelt.refuses(command, &["scratch.max_record ", "mosaic.config.json"]);
        small.refuses(command, &["scratch.max_records ", "mosaic.config.json"]);
        Place::new(&json!({ "tier": "scrach", "listen": "127.0.0.1:0" })).refuses(command, &["no tier \"scrach\"", "built in=", "scratch"]);
    }
    // What it did to memory of its own would be gone when it says that it is done.
    let place = Place::new(&config(json!({})));
    place.refuses(&["export", "-"], &["in a running gateway", "mosaic export --url"]);
}

#[tokio::test]
async fn records_are_kept_until_it_is_full() {
    // An administrator and their token, and room for one more.
    let place = Place::new(&config(json!({ "max_records": 3 })));
    let mut gateway = Gateway::start(&place);
    let url = gateway.url();
    let secret = fs::read_to_string(place.0.path().join("mosaic-admin.token")).unwrap();
    let client = Client::new(&url, secret.trim().to_owned().into()).unwrap();

    let note = client.create(Kind::Note, fields(json!({ "title": "kept" }))).await.unwrap();
    assert_eq!(client.get(Kind::Note, note.id()).await.unwrap(), note);
    // The client knows this kind from the status: 507, Insufficient Storage.
    let full = client.create(Kind::Note, fields(json!({ "title": "one too many" }))).await.unwrap_err();
    assert_eq!((full.kind(), full.message()), (ErrorKind::Full, "the storage takes no more records"));
    // What to do about it is the operator's to know.
    gateway.logged("raise scratch.max_records");
    client.update(Kind::Note, note.id(), &fields(json!({ "title": "changed" })), None).await.unwrap();
    client.delete(Kind::Note, note.id(), None).await.unwrap();
    client.create(Kind::Note, fields(json!({ "title": "in its place" }))).await.unwrap();

    let users = client.list(Kind::User, &[]).await.unwrap();
    let more =
        json!({ "kind": "note", "id": Id::from_u128(1), "owner_id": users[0].id(), "title": "more", "created_at": "2026-03-01T12:00:00Z" });
    fs::write(place.0.path().join("more.jsonl"), more.to_string()).unwrap();
    place.refuses(&["import", "more.jsonl", "--url", &url], &["the storage takes no more records"]);
    assert_eq!(place.text(&["export", "-", "--url", &url]).lines().count(), 2, "the administrator and the note");
}
