//! The gateway with tier `redb`, as an operator meets it: what it acknowledged is there after `kill -9`, a full disk ends nothing, two
//! processes never have the same data, and the commands know the tier.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mosaic_core::{ErrorKind, Id, Kind, Record};
use mosaic_gateway::client::Client;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// How long to wait for what must happen soon.
const PATIENCE: Duration = Duration::from_secs(60);

const ROUNDS: usize = 6;
const WRITERS: usize = 4;

/// A directory with a config, and nothing of the environment's.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self::with(json!({}))
    }

    fn with(section: Value) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let config = json!({ "tier": "redb", "listen": "127.0.0.1:0", "redb": section });
        fs::write(place.path("mosaic.config.json"), config.to_string()).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redb-gateway"));
        command.args(arguments).current_dir(&self.0).env_clear().stdin(Stdio::null());
        command
    }

    /// What a command writes that must end with this code.
    fn run(&self, arguments: &[&str], code: i32) -> Output {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        output
    }

    fn text(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.run(arguments, 0).stdout).unwrap()
    }

    /// Runs a command that must fail, and name these.
    fn refuses(&self, arguments: &[&str], names: &[&str]) {
        let said = String::from_utf8(self.run(arguments, 1).stderr).unwrap();
        for name in names {
            assert!(said.contains(name), "{arguments:?}: {said:?} does not name {name:?}");
        }
    }

    /// What the doctor says of each thing that it looks at: its status and its message.
    fn doctor(&self, code: i32) -> BTreeMap<String, (String, String)> {
        let report: Value = serde_json::from_slice(&self.run(&["doctor", "--json"], code).stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().iter();
        let text = |check: &Value, field: &str| check[field].as_str().unwrap().to_owned();
        checks.map(|check| (text(check, "id"), (text(check, "status"), text(check, "message")))).collect()
    }
}

/// A gateway that answers. It is killed with the value.
struct Gateway {
    process: Child,
    url: String,
}

impl Gateway {
    fn start(place: &Place) -> Self {
        let log = place.path("gateway.log");
        let mut process = place.command(&["serve"]).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let begun = Instant::now();
        loop {
            let said = fs::read_to_string(&log).unwrap();
            // Port 0 takes a free one, and the log says which.
            let ready = said.split_inclusive('\n').find(|line| line.ends_with('\n') && line.contains(" ready "));
            if let Some(url) = ready.and_then(|line| line.split_whitespace().find_map(|word| word.strip_prefix("url="))) {
                return Self { process, url: url.trim_matches('"').to_owned() };
            }
            assert!(process.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE, "it does not start:\n{said}");
            sleep(Duration::from_millis(10));
        }
    }

    fn client(&self, place: &Place) -> Client {
        let secret = fs::read_to_string(place.path("mosaic-admin.token")).unwrap();
        Client::new(&self.url, secret.trim().to_owned().into()).unwrap()
    }

    /// `kill -9`.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    fn stop(mut self) {
        let asked = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(asked.success() && self.process.wait().unwrap().success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn fields(fields: Value) -> Map<String, Value> {
    serde_json::from_value(fields).unwrap()
}

fn title(record: &Record) -> &str {
    record.passages().title
}

/// What a writer knows of its notes: the titles that each may have, or that it may be gone (`None`). One after an acknowledged write, two
/// after a write that nobody answered.
type Known = BTreeMap<Id, Vec<Option<String>>>;

/// Makes, changes and removes notes until the gateway answers no more.
async fn write_until_killed(client: Arc<Client>, round: usize, writer: usize) -> (Known, usize) {
    let (mut known, mut acknowledged) = (Known::new(), 0);
    for number in 0_u128.. {
        let id = Id::from_u128((round as u128) << 96 | (writer as u128) << 64 | number);
        let made = client.create(Kind::Note, fields(json!({ "id": id, "title": "made" }))).await;
        known.insert(id, if made.is_ok() { vec![Some("made".to_owned())] } else { vec![None, Some("made".to_owned())] });
        if made.is_err() {
            break;
        }
        acknowledged += 1;
        let (outcome, becomes) = match number % 3 {
            0 => continue,
            1 => (client.update(Kind::Note, id, &fields(json!({ "title": "changed" })), None).await.map(drop), Some("changed".to_owned())),
            _ => (client.delete(Kind::Note, id, None).await, None),
        };
        let possible = if outcome.is_ok() { vec![becomes] } else { vec![Some("made".to_owned()), becomes] };
        known.insert(id, possible);
        if outcome.is_err() {
            break;
        }
        acknowledged += 1;
    }
    (known, acknowledged)
}

/// Checks that every note is as somebody was told it is.
async fn verify(client: &Client, known: &Known) {
    for (id, possible) in known {
        let found = match client.get(Kind::Note, *id).await {
            Ok(record) => Some(title(&record).to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => panic!("{error:?}"),
        };
        assert!(possible.contains(&found), "{id} is {found:?}, not one of {possible:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kill_9() {
    let place = Place::new();
    let (mut all, mut acknowledged) = (Known::new(), 0);
    for round in 1..=ROUNDS {
        let mut gateway = Gateway::start(&place);
        let client = Arc::new(gateway.client(&place));
        verify(&client, &all).await;
        let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write_until_killed(Arc::clone(&client), round, writer))).collect();
        // Later in each round, so that the kills meet different moments.
        tokio::time::sleep(Duration::from_millis(150 * round as u64)).await;
        gateway.kill();
        for writer in writers {
            let (known, count) = writer.await.unwrap();
            all.extend(known);
            acknowledged += count;
        }
    }
    let gateway = Gateway::start(&place);
    verify(&gateway.client(&place), &all).await;
    println!("{acknowledged} writes acknowledged, none lost");
    assert!(acknowledged > 50, "too few writes to prove anything: {acknowledged}");
}

#[test]
fn one_process_has_the_data_and_the_next_is_told_who() {
    let place = Place::new();
    assert_eq!(place.doctor(0)["redb.owner"], ("green".to_owned(), "absent; the first start makes it".to_owned()));
    assert!(!place.path("mosaic-redb").exists(), "looking makes nothing");
    let gateway = Gateway::start(&place);
    let pid = format!("pid={}", gateway.process.id());
    place.refuses(&["serve"], &["in use by another process", &pid, "kill "]);
    place.refuses(&["export", "-"], &["in use by another process", &pid, &format!("--url {}", gateway.url)]);
    gateway.stop();
    assert_eq!(place.doctor(0)["redb.owner"].1, "not in use");
    assert_eq!(place.text(&["export", "-"]).lines().count(), 1, "the administrator");

    fs::write(place.path("mosaic-redb/records.redb"), "not a database").unwrap();
    assert_eq!(place.doctor(1)["redb.database"].0, "red");
    place.refuses(&["serve"], &["damaged, or not a database"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_exported_imports_into_another_place() {
    let place = Place::new();
    let gateway = Gateway::start(&place);
    let client = gateway.client(&place);
    for number in 0..40 {
        client.create(Kind::Task, fields(json!({ "title": format!("task {number}"), "tags": ["one", "two"] }))).await.unwrap();
    }
    let owner_id = client.list(Kind::User, &[]).await.unwrap()[0].id();
    client.create(Kind::Note, fields(json!({ "title": "Café", "body": "原地\n更新", "owner_id": owner_id }))).await.unwrap();
    gateway.stop();
    place.run(&["export", "all.jsonl"], 0);

    let other = Place::new();
    let file = place.path("all.jsonl");
    let file = file.to_str().unwrap();
    other.run(&["import", file], 0);
    other.run(&["import", file], 0);
    other.run(&["export", "again.jsonl"], 0);
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(read(&place.path("all.jsonl")).lines().count(), 42);
    assert_eq!(read(&other.path("again.jsonl")), read(&place.path("all.jsonl")));
}

/// A file system of its own, in memory. Mounting takes root.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(options: &str) -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        disk.command(options);
        disk
    }

    fn command(&self, options: &str) {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "mosaic-test"]).arg(self.0.path()).output().unwrap();
        assert!(mounted.status.success(), "this test mounts a small disk, which takes root: {mounted:?}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_named_and_when_there_is_room_all_goes_on() {
    let disk = SmallDisk::mount("size=12m");
    let place = Place::with(json!({ "data_dir": disk.0.path().join("data") }));
    let gateway = Gateway::start(&place);
    let client = gateway.client(&place);
    let note = |number: u128| {
        let body = "no space left ".repeat(20_000);
        fields(json!({ "id": Id::from_u128(number), "title": number.to_string(), "body": body }))
    };
    let mut number = 0;
    let refused = loop {
        number += 1;
        assert!(number < 100, "28 MB fit on a disk of 12");
        match client.create(Kind::Note, note(number)).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Full, "{refused:?}");
    // What was taken is there, although the disk is as full as it was.
    for taken in 1..number {
        assert_eq!(client.get(Kind::Note, Id::from_u128(taken)).await.unwrap().id(), Id::from_u128(taken));
    }
    disk.command("remount,size=100m");
    client.create(Kind::Note, note(number)).await.unwrap();
    gateway.stop();
    assert_eq!(place.text(&["export", "-"]).lines().count() as u128, number + 1, "the administrator, and every note");
}
