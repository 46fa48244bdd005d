//! `kill -9` of the commands at random moments. What must not come in: a moment that is chosen.

use std::time::{Duration, Instant};

use mosaic_tests::generator::{Generator, Size, assert_same_embeddings, assert_same_records};

use super::{Tier, made};
use crate::harness::{Gateway, Place, Random, Signal, signal};

/// So often is a restore killed, at moments that are spread over a whole run.
const KILLS: u32 = 6;

/// Runs a command and kills it after a while, unless it has ended by then.
async fn killed_after(place: &Place, arguments: &[&str], moment: Duration) {
    let mut child = place.command(arguments).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    tokio::time::sleep(moment).await;
    signal(child.id(), Signal::KILL);
    tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
}

async fn a_restore_is_killed(name: &'static str) {
    let data = Generator::new(51, Size::of(3_000, 700, 16));
    let source = Tier::with("standalone", &data).await;
    made(&source.place, "all.tar.zst", &[]).await;
    let (before, file) = (source.held().await, source.place.path("all.tar.zst"));
    let restore = ["backup", "restore", file.to_str().unwrap()];
    let begun = Instant::now();
    Tier::new(name).await.place.run(&restore).await.exit(0);
    let (took, mut random) = (begun.elapsed(), Random::new(name));
    let mut halves = 0;
    for part in 0..KILLS {
        let next = Tier::new(name).await;
        let moment = took * part / KILLS + random.up_to(took / KILLS);
        killed_after(&next.place, &restore, moment).await;
        let export = next.place.run(&["export", "-"]).await;
        if export.code == Some(1) {
            halves += 1;
            // What is half there is nobody's.
            assert!(export.stderr.contains("a part of a backup") && export.stderr.contains("mosaic backup restore"), "{}", export.stderr);
            let gateway = Gateway::spawn(&next.place);
            assert_eq!(gateway.ended().await, Some(1), "{}", gateway.log());
        }
        if part % 3 == 1 && export.code == Some(1) {
            next.place.run(&["backup", "restore", "--abort"]).await.exit(0);
            assert!(next.holds_nothing().await, "killed after {moment:?}: something is left");
        }
        let held = next.held().await;
        if held.0.len() < before.0.len() || export.code == Some(1) {
            next.place.run(&restore).await.exit(0);
        }
        let held = next.held().await;
        assert_same_records(before.0.clone(), held.0);
        assert_same_embeddings(before.1.clone(), held.1);
        next.place.run(&["export", "-"]).await.exit(0);
    }
    println!("{name}: {halves} of {KILLS} were in the middle, of {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_to_local_that_is_killed_goes_on_or_is_undone() {
    a_restore_is_killed("local").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_to_federated_that_is_killed_goes_on_or_is_undone() {
    a_restore_is_killed("federated").await;
}

/// A file is there when it is whole, and the gateway goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_killed_leaves_no_file_and_no_trace_in_the_data() {
    let data = Generator::new(52, Size::of(3_000, 700, 16));
    let tier = Tier::with("local", &data).await;
    let gateway = Gateway::start_in(&tier.place).await;
    let place = tier.place.clone().with_env("MOSAIC_URL", gateway.url()).with_env("MOSAIC_TOKEN", data.administrator_secret());
    let begun = Instant::now();
    made(&place, "whole.tar.zst", &[]).await;
    let (took, mut random) = (begun.elapsed(), Random::new("killed backups"));
    for part in 0..KILLS {
        let moment = took * part / KILLS + random.up_to(took / KILLS);
        killed_after(&place, &["backup", "create", "killed.tar.zst", "--force"], moment).await;
        let file = tier.place.path("killed.tar.zst");
        if file.exists() {
            place.run(&["backup", "verify", "killed.tar.zst"]).await.exit(0);
            std::fs::remove_file(file).unwrap();
        }
    }
    // Dropped as somebody hangs up, what it was read from makes room for the next.
    let client = gateway.anonymous().with_token(data.administrator_secret());
    let last = crate::harness::eventually("there is room for a backup", crate::harness::PATIENCE, || async {
        let outcome = place.run(&["backup", "create", "last.tar.zst", "--force"]).await;
        (outcome.code == Some(0)).then_some(outcome)
    })
    .await;
    assert!(last.text().contains("3,000 records and 700 embeddings"), "{}", last.text());
    client.get("/api/v1/me").await.expect(200);
    gateway.kill().await;

    // Nor does a gateway that is killed while it makes one.
    let gateway = Gateway::start_in(&tier.place).await;
    let backup = tier.place.clone().with_env("MOSAIC_URL", gateway.url()).with_env("MOSAIC_TOKEN", data.administrator_secret());
    let running = tokio::spawn(async move { backup.run(&["backup", "create", "cut.tar.zst"]).await });
    tokio::time::sleep(random.up_to(took)).await;
    gateway.kill().await;
    let outcome = running.await.unwrap();
    assert_eq!(tier.place.path("cut.tar.zst").exists(), outcome.code == Some(0), "{}", outcome.stderr);
    made(&tier.place, "after.tar.zst", &[]).await;
}
