//! Starts that cannot be: each ends with exit code 1 and one line that names the trouble and the cure, without a backtrace, and leaves
//! the disk as it was. And a disk that fills up under a running gateway.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;
use serde_json::json;

use crate::harness::{Gateway, JSON, PATIENCE, Place, Snapshot, Tmpfs, eventually};

/// `mosaic serve` in `place` is refused with a line that holds all of `names`, and everything in `place` and below `others` stays as it was.
async fn check(place: &Place, others: &[&Path], names: &[&str]) {
    let root = place.path("");
    let watched: Vec<&Path> = others.iter().copied().chain([root.as_path()]).collect();
    let before: Vec<_> = watched.iter().map(|path| Snapshot::of(path)).collect();
    let outcome = place.run(&["serve"]).await.fails_with(names);
    assert_eq!(outcome.text(), "", "nothing on stdout");
    for (path, before) in watched.iter().zip(before) {
        before.assert_same(&Snapshot::of(path));
    }
}

/// A place with data in it, and no gateway.
async fn stopped_place() -> Place {
    let place = Place::new();
    let gateway = Gateway::start_in(&place).await;
    gateway.admin().create("notes", json!({ "id": NOTE, "title": "still here" })).await;
    gateway.stop().await;
    place
}

const NOTE: &str = "aaaaaaaa-0000-4000-8000-000000000001";

/// The gateway starts after all, and what was there is there.
async fn starts_after_all(place: &Place) {
    let gateway = Gateway::start_in(place).await;
    gateway.admin().get(&format!("/api/v1/notes/{NOTE}")).await.expect(200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_second_gateway_on_the_same_data() {
    let gateway = Gateway::start().await;
    let second = Place::new().with_data_dir(&gateway.place.data_dir());
    let (pid, url) = (format!("pid={}", gateway.pid()), gateway.url());
    // The engine writes in the background; what a second start could harm is what it finds first.
    let root = second.path("");
    let before = Snapshot::of(&root);
    second.run(&["serve"]).await.fails_with(&["in use", &pid, &url, "kill"]);
    before.assert_same(&Snapshot::of(&root));
    gateway.admin().create("notes", json!({ "title": "the first goes on" })).await;
}

/// What happens first of all: the same command again, in another terminal.
#[tokio::test]
async fn a_second_gateway_on_the_same_data_and_the_same_port() {
    let gateway = Gateway::start().await;
    let (pid, url) = (format!("pid={}", gateway.pid()), gateway.url());
    gateway.place.run(&["serve"]).await.fails_with(&["in use", &pid, &url, "kill"]);
    gateway.admin().create("notes", json!({ "title": "the first goes on" })).await;
}

#[tokio::test]
async fn a_link_that_leads_nowhere() {
    let place = Place::new();
    std::os::unix::fs::symlink("/no/such/volume", place.data_dir()).unwrap();
    check(&place, &[], &["leads nowhere", "mosaic-data", "MOSAIC_LOCAL__DATA_DIR"]).await;
}

#[tokio::test]
async fn a_port_in_use() {
    let place = Place::new();
    let _taken = TcpListener::bind(place.address()).unwrap();
    check(&place, &[], &[&place.address().to_string(), "another process listens", "mosaic serve --listen"]).await;
}

#[tokio::test]
async fn an_address_of_another_machine() {
    let place = Place::new().with_env("MOSAIC_LISTEN", "192.0.2.1:7420");
    check(&place, &[], &["192.0.2.1:7420", "mosaic serve --listen"]).await;
}

#[tokio::test]
async fn a_foreign_directory() {
    let place = Place::new();
    fs::create_dir(place.data_dir()).unwrap();
    place.write("mosaic-data/thesis.tex", "years of work");
    check(&place, &[], &["not a mosaic data directory", "mosaic-data", "MOSAIC_LOCAL__DATA_DIR"]).await;
}

#[tokio::test]
async fn the_directory_of_another_postgres() {
    let place = Place::new();
    fs::create_dir_all(place.path("mosaic-data/base/1")).unwrap();
    place.write("mosaic-data/PG_VERSION", "16\n");
    check(&place, &[], &["not a mosaic data directory", "MOSAIC_LOCAL__DATA_DIR"]).await;
}

#[tokio::test]
async fn a_file_in_place_of_the_directory() {
    let place = Place::new();
    place.write("mosaic-data", "");
    check(&place, &[], &["not a directory", "MOSAIC_LOCAL__DATA_DIR"]).await;
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_first_start() {
    let disk = Tmpfs::new(20);
    let place = Place::new().with_data_dir(&disk.path().join("data"));
    check(&place, &[disk.path()], &["not enough free space", "free_mib=2", "MOSAIC_LOCAL__DATA_DIR"]).await;
}

#[tokio::test]
async fn a_disk_that_is_full_at_a_later_start() {
    let disk = Tmpfs::new(400);
    let place = Place::new().with_data_dir(&disk.path().join("data"));
    let gateway = Gateway::start_in(&place).await;
    gateway.admin().create("notes", json!({ "id": NOTE, "title": "still here" })).await;
    gateway.stop().await;
    disk.fill_up();
    check(&place, &[disk.path()], &["not enough free space", "free_mib=0"]).await;
    disk.free_up();
    starts_after_all(&place).await;
}

#[tokio::test]
async fn a_read_only_disk_without_data() {
    let disk = Tmpfs::new(1);
    disk.make_read_only();
    let place = Place::new().with_data_dir(&disk.path().join("data"));
    check(&place, &[disk.path()], &["read-only", disk.path().to_str().unwrap(), "MOSAIC_LOCAL__DATA_DIR"]).await;
}

#[tokio::test]
async fn a_read_only_disk_with_data() {
    let disk = Tmpfs::new(400);
    let place = Place::new().with_data_dir(&disk.path().join("data"));
    Gateway::start_in(&place).await.stop().await;
    disk.make_read_only();
    check(&place, &[disk.path()], &["read-only", "MOSAIC_LOCAL__DATA_DIR"]).await;
}

#[tokio::test]
async fn a_read_only_working_directory() {
    // The first admin's token has nowhere to go: better to say so than to make an admin that nobody can be.
    let disk = Tmpfs::new(1);
    disk.make_read_only();
    let place = Place::new().with_env("MOSAIC_ADMIN_TOKEN_FILE", disk.path().join("token").to_str().unwrap());
    let outcome = place.run(&["serve"]).await.exit(1);
    // The log of a start that went well so far comes before it.
    let last = outcome.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains("Read-only file system") && last.contains("MOSAIC_ADMIN_TOKEN_FILE="), "{last}");
}

/// The largest files of the engine, which it cannot do without.
fn engine_files(place: &Place, below: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![place.data_dir().join("engine")];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                left.push(path);
            } else if path.to_str().unwrap().contains(below) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no {below} in the engine's directory");
    found
}

/// Damages the engine's files; the start is refused, and mending them brings everything back.
async fn check_damage(below: &str, damage: impl Fn(&Path)) {
    let place = stopped_place().await;
    let files = engine_files(&place, below);
    let whole: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    files.iter().for_each(|file| damage(file));
    let before = Snapshot::of_data(&place.data_dir());
    place.run(&["serve"]).await.fails_with(&["mosaic-data", "mosaic import"]);
    before.assert_same(&Snapshot::of_data(&place.data_dir()));
    for (file, content) in files.iter().zip(whole) {
        fs::write(file, content).unwrap();
    }
    starts_after_all(&place).await;
}

#[tokio::test]
async fn a_damaged_control_file() {
    check_damage("global/pg_control", |file| fs::write(file, vec![0x5a; 8192]).unwrap()).await;
}

#[tokio::test]
async fn a_control_file_that_was_cut_off() {
    check_damage("global/pg_control", |file| fs::write(file, "").unwrap()).await;
}

#[tokio::test]
async fn a_write_ahead_log_that_is_gone() {
    check_damage("pg_wal/0", |file| fs::remove_file(file).unwrap()).await;
}

#[tokio::test]
async fn a_damaged_marker() {
    let place = stopped_place().await;
    let marker = place.read("mosaic-data/mosaic-data.json");
    place.write("mosaic-data/mosaic-data.json", "{");
    check(&place, &[], &["marker is damaged", "mosaic-data.json"]).await;
    place.write("mosaic-data/mosaic-data.json", r#"{"format": 99, "shape": "new"}"#);
    check(&place, &[], &["newer mosaic", "format=99"]).await;
    place.write("mosaic-data/mosaic-data.json", marker);
    starts_after_all(&place).await;
}

#[tokio::test]
async fn a_database_that_is_gone() {
    let place = stopped_place().await;
    fs::rename(place.path("mosaic-data/engine"), place.path("aside")).unwrap();
    place.run(&["serve"]).await.fails_with(&["lost its database", "mosaic import"]);
    assert!(!place.path("mosaic-data/engine").exists(), "no new one is made in its place");
    fs::rename(place.path("aside"), place.path("mosaic-data/engine")).unwrap();
    starts_after_all(&place).await;
}

#[tokio::test]
async fn a_disk_that_fills_up_under_a_running_gateway() {
    let disk = Tmpfs::new(400);
    let place = Place::new().with_data_dir(&disk.path().join("data"));
    let gateway = Gateway::start_in(&place).await;
    let client = gateway.admin();
    let note = |n: usize| json!({ "id": format!("bbbbbbbb-0000-4000-8000-{n:012}"), "title": n.to_string(), "body": noise(n) });
    let mut acknowledged = Vec::new();
    let write = async |n: usize| client.try_request(Method::POST, "/api/v1/notes", JSON, note(n).to_string()).await;
    for n in 0..20 {
        write(n).await.unwrap().expect(201);
        acknowledged.push(n);
    }

    disk.fill_up();
    let mut refused = 0;
    for n in 20..400 {
        let answer = write(n).await.unwrap();
        match answer.status {
            201 => acknowledged.push(n),
            status @ (503 | 507) => {
                answer.problem(status, if status == 507 { "full" } else { "unavailable" });
                refused += 1;
            }
            other => panic!("{other}: {}", answer.text()),
        }
        // A refusal may take as long as a request waits for its turn; the gateway ends when that goes on for a minute.
        if refused == 2 {
            break;
        }
    }
    assert_eq!(refused, 2, "a full disk refuses writes at last");
    client.get("/livez").await.expect(200);

    disk.free_up();
    eventually("writes are taken again", PATIENCE, || async { write(500).await.ok().filter(|answer| [200, 201].contains(&answer.status)) })
        .await;
    for n in acknowledged {
        let found = client.get(&format!("/api/v1/notes/bbbbbbbb-0000-4000-8000-{n:012}")).await.expect(200).json();
        assert_eq!(found["body"], note(n)["body"], "note {n}");
    }
    eventually("it says that it is ready", Duration::from_secs(20), || async { (client.get("/readyz").await.status == 200).then_some(()) })
        .await;
}

/// Half a megabyte that does not compress, different for each `n`.
fn noise(n: usize) -> String {
    let mut random = crate::harness::Random::seeded(n as u64);
    (0..(512 << 10) / 16).map(|_| format!("{:016x}", random.next())).collect()
}
