//! Import and export: into a stopped directory, through a running gateway, plain and packed, whole and broken.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{DataSet, Gateway, Outcome, Place, Random, kinds_of};

/// Added, unchanged, refused.
type Counts = (u64, u64, u64);

/// What an import reported, in all.
fn total(outcome: &Outcome) -> Counts {
    let report: Value = serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()));
    counts(&report["total"])
}

fn counts(of: &Value) -> Counts {
    let count = |name: &str| of[name].as_u64().unwrap_or_else(|| panic!("no {name}: {of}"));
    (count("added"), count("unchanged"), count("refused"))
}

/// The number of records as reports count them.
fn sum(counts: &BTreeMap<String, usize>) -> u64 {
    counts.values().sum::<usize>() as u64
}

/// Runs the system's gzip, which is not the product's.
fn gzip(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip is installed");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feed = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    feed.join().unwrap().unwrap();
    assert!(output.status.success(), "gzip {arguments:?}");
    output.stdout
}

/// Two exports are the same, byte for byte; what differs first is shown.
#[track_caller]
fn assert_same(found: &str, expected: &str) {
    let mut lines = found.lines().zip(expected.lines());
    if let Some((found, expected)) = lines.find(|(found, expected)| found != expected) {
        let begin = |line: &str| line.chars().take(500).collect::<String>();
        panic!("not the same:\n{}\n{}", begin(found), begin(expected));
    }
    assert_eq!(found.len(), expected.len(), "one goes on behind the other's end");
}

/// What a directory exports.
async fn exported(place: &Place) -> String {
    text(place.run(&["export", "-"]).await.exit(0).stdout)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("JSON Lines are UTF-8")
}

#[tokio::test]
async fn what_is_imported_is_exported_the_same() {
    let data = DataSet::new(1);
    let place = Place::new();
    place.write("data.jsonl", data.lines());
    let first = place.run(&["import", "data.jsonl", "--json"]).await.exit(0);
    assert_eq!(first.stderr, "", "a command that is piped shows no progress");
    assert_eq!(total(&first), (sum(&data.counts()), 0, 0));
    let report: Value = serde_json::from_slice(&first.stdout).unwrap();
    for (kind, count) in data.counts() {
        assert_eq!(counts(&report["kinds"][&kind]), (count as u64, 0, 0), "{kind}");
    }
    assert_eq!(total(&place.run(&["import", "data.jsonl", "--json"]).await.exit(0)), (0, sum(&data.counts()), 0));

    // The table for people has a line for each kind.
    let table = place.run(&["import", "data.jsonl"]).await.exit(0).text();
    for (kind, count) in data.counts() {
        let line = table.lines().find(|line| line.contains(&kind)).unwrap_or_else(|| panic!("no {kind} in {table}"));
        assert!(line.contains(&count.to_string()), "{line}");
    }

    let export = exported(&place).await;
    assert_eq!(kinds_of(&export), data.counts());
    let settled = |mut record: Value| {
        // What an import fills in, and how it writes times.
        for (field, default) in [("revision", json!(1)), ("updated_at", record["created_at"].clone())] {
            if record.get(field).is_none() {
                record[field] = default;
            }
        }
        for field in ["created_at", "updated_at", "due_at"] {
            if let Some(time) = record[field].as_str().map(str::to_owned) {
                record[field] = time.parse::<mosaic_core::Timestamp>().unwrap().to_string().into();
            } else {
                record.as_object_mut().unwrap().shift_remove(field);
            }
        }
        (record["id"].as_str().unwrap().to_owned(), record)
    };
    let expected: BTreeMap<_, _> = data.records.iter().cloned().map(settled).collect();
    let found: BTreeMap<_, _> = export.lines().map(|line| settled(serde_json::from_str(line).unwrap())).collect();
    assert_eq!(found, expected);

    let second = Place::new();
    second.write("export.jsonl", &export);
    second.run(&["import", "export.jsonl"]).await.exit(0);
    assert_same(&exported(&second).await, &export);
}

#[tokio::test]
async fn the_demo_is_taken_whole() {
    let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/demo.jsonl");
    let lines = std::fs::read_to_string(&demo).unwrap();
    let place = Place::new();
    let imported = place.run(&["import", demo.to_str().unwrap(), "--json"]).await.exit(0);
    assert_eq!(total(&imported), (lines.lines().count() as u64, 0, 0));
    let kinds = kinds_of(&lines);
    for kind in mosaic_core::Kind::ALL.iter().filter(|kind| **kind != mosaic_core::Kind::Token) {
        assert!(kinds.contains_key(kind.singular()), "the demo shows no {kind}");
    }
}

#[tokio::test]
async fn files_may_be_packed_and_streams_will_do() {
    let data = DataSet::new(2);
    let (plain, packed) = (Place::new(), Place::new());
    let all = (sum(&data.counts()), 0, 0);
    assert_eq!(total(&plain.run_with_input(&["import", "-", "--json"], data.lines().as_bytes()).await.exit(0)), all);
    // Two members, as `cat a.gz b.gz` makes them.
    let lines = data.lines();
    let (head, tail) = lines.as_bytes().split_at(lines.len() / 2);
    let bytes = [gzip(&["-c"], head), gzip(&["-c"], tail)].concat();
    assert_eq!(total(&packed.run_with_input(&["import", "-", "--json"], &bytes).await.exit(0)), all);

    let export = exported(&plain).await;
    plain.run(&["export", "all.jsonl"]).await.exit(0);
    assert_same(&text(plain.read("all.jsonl")), &export);
    packed.run(&["export", "all.jsonl.gz"]).await.exit(0);
    assert_same(&text(gzip(&["-dc"], &packed.read("all.jsonl.gz"))), &export);
    let third = Place::new();
    third.write("all.jsonl.gz", packed.read("all.jsonl.gz"));
    assert_eq!(total(&third.run(&["import", "all.jsonl.gz", "--json"]).await.exit(0)), all);
    assert_same(&exported(&third).await, &export);
}

#[tokio::test]
async fn a_slow_reader_gets_all_of_an_export() {
    let place = Place::new();
    let user = json!({ "kind": "user", "id": Random::seeded(9).id(), "login": "ada", "name": "Ada", "created_at": "2026-01-01T00:00:00Z" });
    // Written in one go, and more than a pipe holds.
    let note = json!({
        "kind": "note", "id": Random::seeded(10).id(), "owner_id": user["id"], "title": "n", "body": "x".repeat(500_000), "created_at": "2026-01-01T00:00:00Z",
    });
    place.run_with_input(&["import", "-"], format!("{user}\n{note}\n").as_bytes()).await.exit(0);
    place.run(&["export", "all.jsonl"]).await.exit(0);
    let mut child = place.command(&["export", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut export = vec![0];
    stdout.read_exact(&mut export).unwrap();
    // Long enough for the command to be done with everything but this.
    tokio::time::sleep(Duration::from_millis(500)).await;
    stdout.read_to_end(&mut export).unwrap();
    assert!(child.wait().unwrap().success());
    assert_same(&text(export), &text(place.read("all.jsonl")));
}

#[tokio::test]
async fn a_running_gateway_takes_and_gives_the_same() {
    let data = DataSet::new(3);
    let gateway = Gateway::start().await;
    let (place, url) = (&gateway.place, gateway.url());
    place.write("data.jsonl.gz", gzip(&["-c"], data.lines().as_bytes()));

    // Without its url the command says whose the data is, and how to go on.
    let hint = format!("mosaic import data.jsonl.gz --url {url}");
    place.run(&["import", "data.jsonl.gz"]).await.fails_with(&["in use", &format!("pid={}", gateway.pid()), &url, &hint]);
    place.run(&["export", "-"]).await.fails_with(&["in use", &url, "--url"]);

    let import = ["import", "data.jsonl.gz", "--url", &url, "--json"];
    assert_eq!(total(&place.run(&import).await.exit(0)), (sum(&data.counts()), 0, 0));
    assert_eq!(total(&place.run(&import).await.exit(0)), (0, sum(&data.counts()), 0));
    let export = place.run(&["export", "-", "--url", &url]).await.exit(0).text();
    place.run(&["export", "all.jsonl.gz", "--url", &url]).await.exit(0);
    assert_same(&text(gzip(&["-dc"], &place.read("all.jsonl.gz"))), &export);
    let mut expected = data.counts();
    *expected.get_mut("user").unwrap() += 1;
    assert_eq!(kinds_of(&export), expected, "all of it, and the first admin");

    // The admin sees the whole when asking for it.
    let note = data.records.iter().rfind(|record| record["kind"] == "note").unwrap();
    let path = format!("/api/v1/notes/{}?view=all", note["id"].as_str().unwrap());
    assert_eq!(gateway.admin().get(&path).await.expect(200).json()["body"], note["body"]);

    // Who may not import is told so, and nothing else happens.
    let ann = gateway.person("ann").await;
    let not_an_operator = place.clone().with_env("MOSAIC_TOKEN", ann.client.token());
    not_an_operator.run(&["import", "data.jsonl.gz", "--url", &url]).await.fails_with(&["scope=operator"]);
    not_an_operator.run(&["export", "-", "--url", &url]).await.fails_with(&["scope=operator"]);

    let place = place.clone();
    let running = place.run(&["export", "-", "--url", &url]).await.exit(0).text();
    gateway.stop().await;
    assert_same(&exported(&place).await, &running);
    place.run(&["export", "-", "--url", &url]).await.fails_with(&["no gateway answers", &url, "mosaic serve"]);
}

/// Every tenth line or so is broken in another way; answers the lines and which of them, from 1, are to be refused for what.
fn broken(data: &DataSet) -> (Vec<u8>, Vec<(usize, &'static str)>) {
    let mut lines: Vec<Vec<u8>> = data.lines().lines().map(|line| line.as_bytes().to_vec()).collect();
    let last = |kind: &str| data.records.iter().rposition(|record| record["kind"] == kind).unwrap();
    let note = last("note");
    let spoilt: Vec<(usize, Vec<u8>, &'static str)> = vec![
        (note, b"{\"kind\":\"note\"".to_vec(), "JSON"),
        (note - 2, b"{\"kind\":\"chore\"}".to_vec(), "kind"),
        (note - 4, b"\xff\xfe".to_vec(), "UTF-8"),
        (note - 6, [lines[note - 6].trim_ascii_end().strip_suffix(b"}").unwrap(), b",\"colour\":1}"].concat(), "colour"),
        (note - 8, data.lines().lines().nth(note - 8).unwrap().replace("\"title\":\"", "\"title\":\"\\u0000").into_bytes(), "NUL"),
        (note - 10, data.lines().lines().nth(note - 9).unwrap().replace("\"title\":\"", "\"title\":\"other ").into_bytes(), "id"),
        (last("task"), nobody_s(&data.records[last("task")]), "user that does not exist"),
    ];
    let mut expected: Vec<_> = spoilt.iter().map(|(index, _, why)| (index + 1, *why)).collect();
    for (index, line, _) in spoilt {
        lines[index] = line;
    }
    // Of two records with one id the first is taken, and the other refused.
    expected.iter_mut().filter(|(_, why)| *why == "id").for_each(|(number, _)| *number += 1);
    expected.sort_unstable();
    (lines.join(&b'\n'), expected)
}

/// The record, owned by someone who is not there.
fn nobody_s(record: &Value) -> Vec<u8> {
    let mut record = record.clone();
    record["owner_id"] = "99999999-0000-4000-8000-000000000000".into();
    record.to_string().into_bytes()
}

#[tokio::test]
async fn lines_that_cannot_be_taken_are_refused_by_number_and_the_rest_goes_in() {
    let data = DataSet::new(4);
    let (lines, expected) = broken(&data);
    let taken = sum(&data.counts()) - expected.len() as u64;
    let place = Place::new();
    place.write("broken.jsonl", &lines);
    let outcome = place.run(&["import", "broken.jsonl", "--json"]).await.exit(1);
    assert_eq!(total(&outcome), (taken, 0, expected.len() as u64));
    let outcome = place.run(&["import", "broken.jsonl"]).await.exit(1);
    for (number, why) in &expected {
        let named = outcome.stderr.lines().any(|line| line.contains(&format!("line {number}:")) && line.contains(why));
        assert!(named, "line {number} is not refused for {why}:\n{}", outcome.stderr);
    }
    let stopped = exported(&place).await;
    assert_eq!(sum(&kinds_of(&stopped)), taken);

    // The same over HTTP.
    let gateway = Gateway::start().await;
    let answer = gateway.admin().request(Method::POST, "/api/v1/import", &[("content-type", "application/jsonl")], lines).await.expect(200);
    let report = answer.json();
    assert_eq!(counts(&report["total"]), (taken, 0, expected.len() as u64));
    let refused: Vec<_> = report["refusals"].as_array().unwrap().iter().map(|refusal| refusal["line"].as_u64().unwrap()).collect();
    assert_eq!(refused, expected.iter().map(|(number, _)| *number as u64).collect::<Vec<_>>());
}

/// Runs a command whose standard output nobody reads; answers its exit code and what it said besides.
fn unread(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = place.command(arguments).stdout(writer).output().unwrap();
    (output.status.code(), text(output.stderr))
}

#[test]
fn a_reader_that_is_gone_hides_no_failure() {
    let data = DataSet::new(8);
    let place = Place::new();
    place.write("good.jsonl", data.lines());
    place.write("refused.jsonl", format!("{}{{}}\n", data.lines()));
    let packed = gzip(&["-c"], data.lines().as_bytes());
    place.write("cut.gz", &packed[..packed.len() - 100]);
    for json in [&[][..], &["--json"]] {
        let import = |file| unread(&place, &[&["import", file], json].concat());
        assert_eq!(import("refused.jsonl").0, Some(1));
        let (code, said) = import("cut.gz");
        assert_eq!(code, Some(1));
        assert!(said.contains("gzip stream ends early"), "{said}");
        assert_eq!(import("good.jsonl"), (Some(0), String::new()));
    }
}

#[tokio::test]
async fn an_import_that_was_cut_off_goes_on() {
    let mut random = Random::new("import");
    let mut data = DataSet::new(5);
    data.add_notes(15_000);
    let place = Place::new();
    place.write("data.jsonl", data.lines());
    place.run_with_input(&["import", "-"], b"").await.exit(0);
    // How long a command takes on data that is there: what takes longer is the import itself.
    let begun = Instant::now();
    place.run_with_input(&["import", "-"], b"").await.exit(0);
    let start = begun.elapsed();
    let mut cut_off = 0;
    for _ in 0..3 {
        let mut child = place.command(&["import", "data.jsonl"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(start + random.up_to(start)).await;
        cut_off += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = place.run(&["import", "data.jsonl", "--json"]).await.exit(0);
    let (added, unchanged, refused) = total(&last);
    println!("{cut_off} of 3 imports cut off; the last one added {added} and found {unchanged}");
    assert_eq!((added + unchanged, refused), (sum(&data.counts()), 0));
    assert_eq!(kinds_of(&exported(&place).await), data.counts());
}

#[tokio::test]
async fn inputs_that_are_no_records() {
    let place = Place::new();
    place.run(&["import", "absent.jsonl"]).await.fails_with(&["absent.jsonl"]);
    assert!(!place.data_dir().exists(), "nothing is opened for a file that is not there");
    std::fs::create_dir(place.path("dir")).unwrap();
    place.run(&["import", "dir"]).await.fails_with(&["dir"]);
    place.run(&["export", "absent/out.jsonl"]).await.fails_with(&["absent/out.jsonl"]);
    place.run(&["import"]).await.exit(2);
    place.run(&["import", "a", "--frobnicate"]).await.exit(2);

    let data = DataSet::new(6);
    let packed = gzip(&["-c"], data.lines().as_bytes());
    place.write("cut.gz", &packed[..packed.len() / 2]);
    place.run(&["import", "cut.gz"]).await.fails_with(&["gzip stream ends early", "import it again"]);
    let mut damaged = packed.clone();
    damaged[packed.len() / 2] ^= 0x55;
    place.write("damaged.gz", damaged);
    place.run(&["import", "damaged.gz"]).await.exit(1);
    place.write("whole.gz", packed);
    let whole = total(&place.run(&["import", "whole.gz", "--json"]).await.exit(0));
    assert_eq!((whole.0 + whole.1, whole.2), (sum(&data.counts()), 0));
}

#[tokio::test]
async fn an_import_that_breaks_off_reports_what_was_taken() {
    let mut data = DataSet::new(11);
    data.add_notes(10_000);
    let packed = gzip(&["-c"], data.lines().as_bytes());
    let gateway = Gateway::start().await;
    let (place, url) = (&gateway.place, gateway.url());
    place.write("cut.gz", &packed[..packed.len() - packed.len() / 8]);
    let broken = place.run(&["import", "cut.gz", "--json", "--url", &url]).await;
    let broken = broken.fails_with(&["gzip stream ends early", "line=", "import it again"]);
    let (added, unchanged, refused) = total(&broken);
    assert!(added > 1_000 && (unchanged, refused) == (0, 0), "{added}");
    let table = place.run(&["import", "cut.gz", "--url", &url]).await.exit(1);
    assert!(table.text().contains("0 added") && table.stderr.contains("gzip"), "{}\n{}", table.text(), table.stderr);
    place.write("whole.gz", packed);
    assert_eq!(total(&place.run(&["import", "whole.gz", "--json", "--url", &url]).await.exit(0)), (sum(&data.counts()) - added, added, 0));
}

#[tokio::test]
async fn an_export_that_fails_leaves_no_half_a_file() {
    let disk = crate::harness::Tmpfs::new(1);
    let data = DataSet::new(7);
    let place = Place::new();
    place.run_with_input(&["import", "-"], data.lines().as_bytes()).await.exit(0);
    let out = disk.path().join("all.jsonl");
    std::fs::write(&out, "the last good export").unwrap();
    std::fs::write(disk.path().join("ballast"), vec![b'x'; 900 << 10]).unwrap();
    let export = async |arguments: &[&str]| place.run(&[&["export", out.to_str().unwrap()], arguments].concat()).await;
    export(&[]).await.fails_with(&["all.jsonl", "there already", "--force"]);
    export(&["--force"]).await.fails_with(&["no space left", "all.jsonl"]);
    assert_eq!(std::fs::read(&out).unwrap(), b"the last good export");
    std::fs::remove_file(disk.path().join("ballast")).unwrap();
    export(&["--force"]).await.exit(0);
    assert_eq!(kinds_of(&std::fs::read_to_string(&out).unwrap()), data.counts());
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 1, "nothing else is left behind");
}

#[tokio::test]
async fn tokens_are_exported_only_when_asked_for() {
    let gateway = Gateway::start().await;
    let place = gateway.place.clone();
    let token = gateway.admin().token().to_owned();
    gateway.stop().await;
    let export = exported(&place).await;
    assert_eq!(kinds_of(&export).get("token"), None);
    let with_tokens = place.run(&["export", "-", "--with-tokens"]).await.exit(0).text();
    assert_eq!(kinds_of(&with_tokens).get("token"), Some(&1));
    assert!(with_tokens.contains("\"hash\":\"") && !with_tokens.contains(&token));

    // The hash is enough for the token to work elsewhere.
    let elsewhere = Place::new();
    elsewhere.run_with_input(&["import", "-"], with_tokens.as_bytes()).await.exit(0);
    let moved = Gateway::start_in(&elsewhere).await;
    moved.anonymous().with_token(token).get("/api/v1/users").await.expect(200);
    assert!(!elsewhere.path("mosaic-admin.token").exists(), "there is an admin already");
}
