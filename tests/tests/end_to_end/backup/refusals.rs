//! What keeps a backup from being made or restored: each is said in one line with a cure, and nothing is changed.

use mosaic_tests::generator::{Generator, Size};

use super::{Tier, made};
use crate::harness::{Gateway, Tmpfs};

#[tokio::test]
async fn a_backup_goes_into_what_is_empty_and_stopped_alone() {
    let data = Generator::new(71, Size::small());
    let source = Tier::with("standalone", &data).await;
    made(&source.place, "all.tar.zst", &[]).await;
    let file = source.place.path("all.tar.zst");
    let restore = ["backup", "restore", file.to_str().unwrap()];
    let before = source.held().await;
    source.place.run(&restore).await.fails_with(&["there is data already", "12 users", "empty database"]);
    assert!(source.held().await == before, "it stays as it was");
    source.place.run(&["export", "-"]).await.exit(0);

    for name in ["local", "standalone"] {
        let target = Tier::new(name).await;
        let gateway = Gateway::start_in(&target.place).await;
        target.place.run(&restore).await.fails_with(&["in use", "stop"]);
        gateway.admin().get("/api/v1/me").await.expect(200);
        // As long as it has not come to its end, nobody else may.
        gateway.stop().await;
        target.place.run(&restore).await.exit(0);
        target.place.run(&restore).await.fails_with(&["there is data already"]);
        let said = target.place.run(&["backup", "restore", "--abort"]).await.exit(0).text();
        assert!(said.contains("nothing to undo"), "{said}");
        assert!(target.held().await.0.len() == before.0.len());
    }
}

#[tokio::test]
async fn a_backup_is_an_operators_and_replaces_nothing_by_itself() {
    let data = Generator::new(72, Size::small());
    let tier = Tier::with("local", &data).await;
    made(&tier.place, "all.tar.zst", &[]).await;
    let kept = tier.place.read("all.tar.zst");
    tier.place.run(&["backup", "create", "all.tar.zst"]).await.fails_with(&["the file is there already", "--force"]);
    assert!(tier.place.read("all.tar.zst") == kept);
    made(&tier.place, "all.tar.zst", &["--force"]).await;

    let gateway = Gateway::start_in(&tier.place).await;
    let url = gateway.url();
    // The data is the gateway's, and so the way leads through it.
    tier.place.run(&["backup", "create", "other.tar.zst"]).await.fails_with(&["--url", &url]);
    let client = gateway.anonymous().with_token(data.administrator_secret());
    let reader = gateway.anonymous().with_token(
        client.create("tokens", serde_json::json!({ "name": "r", "scopes": ["read", "write", "admin"] })).await["secret"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    reader.get("/api/v1/backup").await.problem(403, "forbidden");
    gateway.anonymous().get("/api/v1/backup").await.problem(401, "unauthorized");
    client.get("/api/v1/backup?tokens=true").await.problem(400, "invalid_request");
    let archive = client.get("/api/v1/backup").await.expect(200);
    assert_eq!(archive.header("content-type"), "application/x-tar");
    tier.place.write("curl.tar", &archive.body);
    tier.place.run(&["backup", "verify", "curl.tar"]).await.exit(0);
    assert_eq!(tier.files(), ["all.tar.zst", "curl.tar", "mosaic-data"]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_disk_that_is_full_is_named_and_nothing_is_left_on_it() {
    let data = Generator::new(73, Size::of(2_000, 400, 64));
    let tier = Tier::with("standalone", &data).await;
    let disk = Tmpfs::new(1);
    let file = disk.path().join("all.tar.zst");
    std::fs::write(disk.path().join("filler"), vec![7; 1_000 << 10]).unwrap();
    tier.place.run(&["backup", "create", file.to_str().unwrap()]).await.fails_with(&["no space left for the backup", "another directory"]);
    let left: Vec<_> = std::fs::read_dir(disk.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["filler"]);
    std::fs::remove_file(disk.path().join("filler")).unwrap();
    made(&tier.place, file.to_str().unwrap(), &[]).await;
}
