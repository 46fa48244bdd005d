//! Backups from tier to tier: whatever is backed up on one is the same on every other, and works there.

use std::os::unix::fs::PermissionsExt as _;

use age::secrecy::ExposeSecret as _;
use mosaic_core::Kind;
use mosaic_tests::generator::{Generator, HostileData, Size, assert_same_embeddings, assert_same_records, fill, hostile};
use serde_json::json;

use super::{Tier, answer, made};
use crate::harness::Gateway;

/// From tier to tier and back to the first: each backup is of what the one before was restored to, and all say the same.
#[tokio::test]
async fn a_backup_goes_from_tier_to_tier_and_back_and_tokens_work() {
    let data = Generator::new(31, Size::small());
    let mut tier = Tier::with("local", &data).await;
    let before = tier.held().await;
    let first = made(&tier.place, "0.tar.zst", &[]).await;
    assert_eq!(first["manifest"]["origin"]["tier"], "local");
    assert_eq!(first["manifest"]["origin"]["format"], "mosaic.backup/1");
    for kind in Kind::ALL {
        assert_eq!(first["manifest"]["holds"]["records"][kind.singular()]["records"], json!(data.size().count(*kind)), "{kind}");
    }
    let mode = tier.place.path("0.tar.zst").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut file = tier.place.path("0.tar.zst");
    for (number, name) in ["standalone", "federated", "local"].into_iter().enumerate() {
        let file_name = file.to_str().unwrap();
        let verified = answer(&tier.place.run(&["backup", "verify", file_name, "--json"]).await.exit(0));
        assert_eq!((&verified["outcome"], &verified["manifest"]["holds"]), (&json!("verified"), &first["manifest"]["holds"]));

        let next = Tier::new(name).await;
        let restored = answer(&next.place.run(&["backup", "restore", file_name, "--json"]).await.exit(0));
        assert_eq!((&restored["outcome"], &restored["manifest"]["holds"]), (&json!("restored"), &first["manifest"]["holds"]), "{name}");
        let held = next.held().await;
        assert_same_records(before.0.clone(), held.0);
        assert_same_embeddings(before.1.clone(), held.1);
        let again = made(&next.place, &format!("{}.tar.zst", number + 1), &[]).await;
        assert_eq!(again["manifest"]["holds"], first["manifest"]["holds"], "{name}");
        assert_eq!(again["manifest"]["origin"]["tier"], name);

        let gateway = Gateway::start_in(&next.place).await;
        assert!(!next.place.path("mosaic-admin.token").exists(), "there is an administrator already");
        let client = gateway.anonymous().with_token(data.administrator_secret());
        assert_eq!(client.get("/api/v1/me").await.expect(200).json()["user"]["id"], json!(data.record(Kind::User, 0).id()));
        gateway.stop().await;
        file = next.place.path(&format!("{}.tar.zst", number + 1));
        tier = next;
    }
}

#[tokio::test]
async fn what_is_awkward_is_backed_up_and_restored_too() {
    let HostileData { records, embeddings } = hostile(5);
    let tier = Tier::new("standalone").await;
    let backend = tier.open().await;
    fill(&backend, records.clone(), embeddings.clone()).await;
    backend.storage.close().await.unwrap();
    made(&tier.place, "all.tar.zst", &[]).await;
    let file = tier.place.path("all.tar.zst");
    let next = Tier::new("local").await;
    next.place.run(&["backup", "restore", file.to_str().unwrap()]).await.exit(0);
    let held = next.held().await;
    assert_same_records(records, held.0);
    assert_same_embeddings(embeddings, held.1);
}

/// More than one page of everything, encrypted, over what a first start made, with clients that go on in the middle of a list.
#[tokio::test]
async fn an_encrypted_backup_of_thousands_replaces_a_first_start() {
    let data = Generator::new(33, Size::of(4_000, 1_800, 16));
    let tier = Tier::with("standalone", &data).await;
    let gateway = Gateway::start_in(&tier.place).await;
    let client = gateway.anonymous().with_token(data.administrator_secret());
    let list = "/api/v1/tasks?view=all&limit=20";
    let page = client.get(list).await.expect(200).json();
    let rest = format!("{list}&cursor={}", page["next_cursor"].as_str().unwrap());
    let second = client.get(&rest).await.expect(200).items();

    let identity = age::x25519::Identity::generate();
    let key = tier.place.write("key.txt", format!("# created\n{}\n", identity.to_string().expose_secret()));
    let (url, recipient) = (gateway.url(), identity.to_public().to_string());
    let token = tier.place.write("token", data.administrator_secret());
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let created = made(&tier.place, "all.age", &["--url", &url, "--token-file", "token", "--recipient", &recipient]).await;
    assert_eq!(created["manifest"]["origin"]["tier"], "standalone");
    gateway.stop().await;
    let (file, key) = (tier.place.path("all.age"), key.to_str().unwrap().to_owned());
    assert!(std::fs::read(&file).unwrap().starts_with(b"age-encryption.org/v1"));

    let next = Tier::new("federated").await;
    Gateway::start_in(&next.place).await.stop().await;
    let file = file.to_str().unwrap();
    let said = next.place.run(&["backup", "restore", file, "--identity", &key]).await.exit(0).text();
    assert!(said.contains("found to be the same: 4,000 records and 1,800 embeddings"), "{said}");
    let held = next.held().await;
    assert_eq!((held.0.len(), held.1.len()), (4_000, 1_800));
    let gateway = Gateway::start_in(&next.place).await;
    let client = gateway.anonymous().with_token(data.administrator_secret());
    assert_eq!(client.get(&rest).await.expect(200).items(), second, "a list goes on where it was");
    let stale = gateway.admin();
    stale.get("/api/v1/me").await.expect(401);
    gateway.stop().await;
}
