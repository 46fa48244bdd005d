//! `mosaic doctor`: how a tier is said to be in every state that an operator meets, by which exit code, and that looking changes nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Gateway, PATIENCE, Place, Signal, Snapshot, Tmpfs, eventually, signal};

/// What `mosaic doctor --json` says in `place`, with this exit code: as the checked-in schema has it, and nothing on standard error.
async fn report(place: &Place, arguments: &[&str], code: i32) -> Value {
    let outcome = place.run(&[&["doctor", "--json"], arguments].concat()).await.exit(code);
    assert_eq!(outcome.stderr, "");
    let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/doctor.schema.json");
    let schema: Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    let faults: Vec<_> = validator.iter_errors(&report).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:?} in {report:#}");
    report
}

/// The check with this id, and its status.
#[track_caller]
fn check<'r>(report: &'r Value, id: &str, status: &str) -> &'r Value {
    let found = report["checks"].as_array().unwrap().iter().find(|check| check["id"] == id);
    let found = found.unwrap_or_else(|| panic!("no {id} in {report:#}"));
    assert_eq!(found["status"], status, "{found:#}");
    assert_eq!(found.get("remediation").is_some(), status != "green", "a cure is there when one is needed: {found:#}");
    found
}

#[track_caller]
fn says(check: &Value, names: &[&str]) {
    for name in names {
        assert!(check.to_string().contains(name), "{name:?} is not in {check:#}");
    }
}

fn ids(report: &Value) -> Vec<&str> {
    report["checks"].as_array().unwrap().iter().map(|check| check["id"].as_str().unwrap()).collect()
}

const OF_LOCAL: [&str; 6] = ["gateway.config", "local.directory", "local.owner", "local.space", "local.writable", "gateway.listen"];

#[tokio::test]
async fn before_the_first_start_all_is_well() {
    let place = Place::new();
    let before = Snapshot::of(&place.path(""));
    let found = report(&place, &["--strict"], 0).await;
    assert_eq!((&found["schema"], &found["tier"], &found["status"]), (&json!("mosaic.doctor/1"), &json!("local"), &json!("green")));
    assert_eq!(found["summary"], "tier local is well: 6 checks green");
    assert_eq!(ids(&found), OF_LOCAL);
    let config = check(&found, "gateway.config", "green");
    assert_eq!(config["target"], place.path("mosaic.config.json").to_str().unwrap());
    says(config, &["no such file; the defaults", "tier local at"]);
    says(check(&found, "local.directory", "green"), &["absent"]);
    let listen = check(&found, "gateway.listen", "green");
    assert_eq!((&listen["service"], &listen["target"]), (&json!("gateway"), &json!(place.address().to_string())));
    says(listen, &["no gateway runs here"]);

    let text = place.run(&["doctor"]).await.exit(0).text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), OF_LOCAL.len() + 2, "one line a check: {text}");
    for (line, id) in lines.iter().zip(OF_LOCAL) {
        assert!(line.starts_with("✓ green  ") && line.split_whitespace().nth(2) == Some(id), "{text}");
    }
    assert_eq!(lines.last(), Some(&"tier local is well: 6 checks green"));
    before.assert_same(&Snapshot::of(&place.path("")));
}

#[tokio::test]
async fn a_running_gateway_is_asked_and_its_data_left_alone() {
    let gateway = Gateway::start().await;
    let place = &gateway.place;
    let engine = gateway.engine().await;
    let found = report(place, &["--strict"], 0).await;
    says(check(&found, "local.owner", "green"), &["mosaic serve", &gateway.pid().to_string(), &gateway.url()]);
    says(check(&found, "gateway.listen", "green"), &["answers and is ready"]);
    assert_eq!(found["summary"], "tier local is well: 6 checks green");
    // From anywhere else as well.
    let other = Place::new().with_data_dir(&place.data_dir());
    let before = Snapshot::of(&other.path(""));
    let found = report(&other, &[], 0).await;
    says(check(&found, "local.owner", "green"), &[&gateway.url()]);
    says(check(&found, "gateway.listen", "green"), &["no gateway runs here"]);
    before.assert_same(&Snapshot::of(&other.path("")));

    // A moment ago it was ready, and still says so.
    signal(engine, Signal::STOP);
    let asked = eventually("the gateway says that it is not ready", PATIENCE, || async {
        let outcome = place.run(&["doctor", "--json"]).await;
        outcome.text().contains("answers and is not ready: storage").then_some(outcome)
    });
    let found: Value = serde_json::from_slice(&asked.await.exit(1).stdout).unwrap();
    signal(engine, Signal::CONT);
    check(&found, "gateway.listen", "red");
}

#[tokio::test]
async fn data_without_a_gateway_is_looked_at_and_nothing_started() {
    let place = Place::new();
    Gateway::start_in(&place).await.stop().await;
    place.write("mosaic.config.json", r#"{ "local": { "data_dir": "mosaic-data" } }"#);
    let before = Snapshot::of(&place.path(""));
    let found = report(&place, &["--strict"], 0).await;
    says(check(&found, "gateway.config", "green"), &["read: tier local at"]);
    says(check(&found, "local.directory", "green"), &["a mosaic data directory"]);
    says(check(&found, "local.owner", "green"), &["not in use"]);
    place.run(&["doctor"]).await.exit(0);
    before.assert_same(&Snapshot::of(&place.path("")));
}

#[tokio::test]
async fn a_directory_of_somebody_elses_is_red() {
    let place = Place::new();
    fs::create_dir(place.data_dir()).unwrap();
    place.write("mosaic-data/thesis.tex", "years of work");
    let before = Snapshot::of(&place.path(""));
    let found = report(&place, &[], 1).await;
    says(check(&found, "local.directory", "red"), &["not a mosaic data directory", "MOSAIC_LOCAL__DATA_DIR"]);
    assert_eq!(found["status"], "red");
    let text = place.run(&["doctor"]).await.exit(1).text();
    let line = text.lines().position(|line| line.starts_with("✗ red") && line.contains("local.directory"));
    let below = text.lines().nth(line.expect("a red line") + 1).unwrap();
    assert!(below.trim_start().starts_with("→ choose another directory"), "{text}");
    assert_eq!(text.lines().last(), Some("tier local is not well, 1 of 6 checks is red: local.directory"));
    before.assert_same(&Snapshot::of(&place.path("")));
}

#[tokio::test]
async fn a_disk_that_gets_full_is_yellow_and_red_to_the_strict() {
    let disk = Tmpfs::new(300);
    let place = Place::new().with_data_dir(&disk.path().join("data"));
    let found = report(&place, &[], 0).await;
    says(check(&found, "local.space", "yellow"), &["MiB free", "free some space"]);
    assert_eq!(
        (&found["status"], &found["summary"]),
        (&json!("yellow"), &json!("tier local works, but 1 of 6 checks is yellow: local.space"))
    );
    report(&place, &["--strict"], 1).await;
    let text = place.run(&["doctor"]).await.exit(0).text();
    assert!(text.contains("\n! yellow  local.space "), "{text}");
    place.run(&["doctor", "--strict"]).await.exit(1);
    disk.fill_up();
    let found = report(&place, &[], 1).await;
    says(check(&found, "local.space", "red"), &["not enough free space"]);
}

#[tokio::test]
async fn a_config_that_cannot_be_used_is_red_and_not_repeated() {
    let place = Place::new().with_env("MOSAIC_LISTEN", "");
    for (content, names) in [
        ("{", "line 1"),
        (r#"["hunter2"]"#, "not a JSON object"),
        (r#"{"teir": "local", "standalone": {"postgres": {"password": "hunter2"}}}"#, "key=teir"),
        (r#"{"limits": "hunter2"}"#, "key=limits"),
        (r#"{"log": {"format": "hunter2"}}"#, "key=log.format"),
        (r#"{"tier": "nonsense"}"#, "mosaic backends"),
    ] {
        place.write("mosaic.config.json", content);
        let before = Snapshot::of(&place.path(""));
        let found = report(&place, &[], 1).await;
        assert_eq!(ids(&found), ["gateway.config"]);
        let config = check(&found, "gateway.config", "red");
        assert_eq!((&config["service"], &config["target"]), (&json!("config"), &json!(place.path("mosaic.config.json"))));
        says(config, &[names]);
        let text = place.run(&["doctor"]).await.exit(1).text();
        assert!(text.contains(names) && text.ends_with("not well, 1 of 1 check is red: gateway.config\n"), "{text}");
        assert!(!found.to_string().contains("hunter2") && !text.contains("hunter2"), "{text}");
        before.assert_same(&Snapshot::of(&place.path("")));
    }
    place.write("mosaic.config.json", r#"{"local": {"dir": "x"}}"#);
    let found = report(&place, &[], 1).await;
    check(&found, "gateway.config", "green");
    says(check(&found, "local.config", "red"), &["unknown field `dir`", "mosaic config schema"]);

    let found = report(&place, &["--config", "absent.json"], 1).await;
    assert_eq!(check(&found, "gateway.config", "red")["target"], json!(place.path("absent.json")));
    assert_eq!(found["tier"], Value::Null);
    let found = report(&place.clone().with_env("MOSAIC_LISTEN", "here"), &[], 1).await;
    assert_eq!(check(&found, "gateway.config", "red")["target"], "MOSAIC_LISTEN");
}

/// A pipe that nobody writes to is as a mount that hangs.
#[tokio::test]
async fn a_config_that_never_ends_is_not_waited_for() {
    let place = Place::new();
    assert!(std::process::Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    let begun = Instant::now();
    let found = report(&place, &["--config", "pipe"], 1).await;
    assert_eq!(check(&found, "gateway.config", "red")["target"], json!(place.path("pipe")));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_address_that_somebody_else_has_is_red() {
    let place = Place::new();
    let listener = TcpListener::bind(place.address()).unwrap();
    let found = report(&place, &[], 1).await;
    says(check(&found, "gateway.listen", "red"), &["something listens here and does not answer", "ss -ltnp"]);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let found = report(&place, &[], 1).await;
    says(check(&found, "gateway.listen", "red"), &["something listens here that is no mosaic gateway", "mosaic serve --listen 127.0.0.1:"]);
    let elsewhere = place.with_env("MOSAIC_LISTEN", "198.51.100.1:7420");
    says(check(&report(&elsewhere, &[], 1).await, "gateway.listen", "red"), &["this machine does not have this address"]);
}

#[tokio::test]
async fn the_exit_code_counts_when_nobody_reads() {
    let place = Place::new();
    place.write("mosaic-data", "a file");
    let mut command = place.command(&["doctor"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    for wrong in [&["doctor", "--schema", "--json"][..], &["doctor", "--schema", "--strict"], &["doctor", "--loudly"]] {
        place.run(wrong).await.exit(2);
    }
}
