//! Moves from each tier to each one above: what was in the source is in the target, bit for bit, and works there.

use mosaic_core::{Embedding, Kind, Record};
use mosaic_tests::generator::{Generator, HostileData, Size, assert_same_embeddings, assert_same_records, hostile};
use serde_json::{Value, json};

use super::world::exported;
use super::{Summary, World};
use crate::harness::{Client, Gateway};

/// Moves what is in the source, and compares both sides in every way there is; answers what the move said.
async fn moves_all(world: &World, records: Vec<Record>, embeddings: Vec<Embedding>) -> Summary {
    let before = exported(&world.place).await;
    let summary = world.moves().await;
    assert_eq!(summary.outcome(), "moved");
    assert_eq!((&summary.0["from"]["tier"], &summary.0["to"]["tier"]), (&json!(world.from), &json!(world.to)));
    assert!(summary.0["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{:?}", summary.0);
    summary.assert_counts(&records, &embeddings);
    let (found, found_embeddings) = world.held(world.to).await;
    assert_same_records(records, found);
    assert_same_embeddings(embeddings, found_embeddings);
    // Not by `assert_eq`, which would show all of it.
    assert!(exported(&world.moved()).await == before, "the target exports what the source exported");
    assert!(exported(&world.place).await == before, "the source still does");
    summary
}

/// Every kind is in what is moved, and every kind that can have embeddings has some: who adds one adds it to the generator.
#[track_caller]
fn assert_has_everything(records: &[Record], embeddings: &[Embedding]) {
    for kind in Kind::ALL {
        assert!(records.iter().any(|record| record.kind() == *kind), "no {kind} is moved");
        assert_eq!(embeddings.iter().any(|one| one.kind == *kind), kind.is_searched(), "embeddings of a {kind} are moved");
    }
}

fn next_page(answer: &Value) -> String {
    format!("&cursor={}", answer["next_cursor"].as_str().expect("there is a next page"))
}

async fn ids(client: &Client, path: &str) -> (Vec<Value>, Value) {
    let answer = client.get(path).await.expect(200);
    (answer.items().iter().map(|item| item["id"].clone()).collect(), answer.json())
}

#[tokio::test]
async fn a_move_from_local_to_federated_takes_everything_along_and_clients_go_on() {
    let data = Generator::new(11, Size::small());
    let (records, embeddings): (Vec<_>, Vec<_>) = (data.records().collect(), data.embeddings().collect());
    assert_has_everything(&records, &embeddings);
    let world = World::with("local", "federated", &data).await;
    let list = "/api/v1/tasks?view=all&limit=20";
    let search = json!({ "vector": { "model": embeddings[0].vector.model, "components": embeddings[0].vector.components }, "limit": 5 });

    let gateway = Gateway::start_in(&world.place).await;
    let client = gateway.anonymous().with_token(data.administrator_secret());
    let (_, first_page) = ids(&client, list).await;
    let (second, _) = ids(&client, &format!("{list}{}", next_page(&first_page))).await;
    let nearest = client.post("/api/v1/search", &search).await.expect(200).items();
    let word = client.post("/api/v1/search", &json!({ "q": "the", "limit": 5 })).await.expect(200).items();
    gateway.stop().await;

    // That a token was used is noted in it.
    let (records, _) = world.held("local").await;
    moves_all(&world, records, embeddings).await;

    let gateway = Gateway::start_in(&world.moved()).await;
    assert!(!world.place.path("mosaic-admin.token").exists(), "there is an administrator already");
    let client = gateway.anonymous().with_token(data.administrator_secret());
    assert_eq!(client.get("/api/v1/me").await.expect(200).json()["user"]["id"], json!(data.record(Kind::User, 0).id()));
    assert_eq!(ids(&client, &format!("{list}{}", next_page(&first_page))).await.0, second, "a list goes on where it was");
    let found = client.post("/api/v1/search", &search).await.expect(200).items();
    let what = |items: &[Value]| items.iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
    assert_eq!(what(&found), what(&nearest), "the nearest are the same");
    let found = client.post("/api/v1/search", &json!({ "q": "the", "limit": 5 })).await.expect(200).items();
    assert_eq!(found.len(), word.len());
    gateway.stop().await;
}

/// One step after the other, and both at once: each side is made by other means, and all say the same.
#[tokio::test]
async fn moves_from_tier_to_tier_say_the_same_of_the_same_data() {
    let data = Generator::new(12, Size::small());
    let (records, embeddings): (Vec<_>, Vec<_>) = (data.records().collect(), data.embeddings().collect());
    let world = World::with("local", "standalone", &data).await;
    let first = moves_all(&world, records.clone(), embeddings.clone()).await;

    // From there it goes on up, though it is where something was moved to.
    let onward = world.moved().run(&["migrate", "tier", "--to", "federated", "--yes", "--json"]).await.exit(0);
    let onward = Summary::of(&onward);
    assert!(world.place.path("mosaic.config.standalone.federated.json").exists());
    let (found, found_embeddings) = world.held("federated").await;
    assert_same_records(records.clone(), found);
    assert_same_embeddings(embeddings.clone(), found_embeddings);

    let other = World::with("standalone", "federated", &data).await;
    let second = moves_all(&other, records, embeddings).await;
    for summary in [&onward, &second] {
        for field in ["records", "bytes", "hash"] {
            assert_eq!(summary.kinds(field), first.kinds(field));
        }
    }
    let hashes = first.kinds("hash");
    assert!(hashes.iter().all(|(_, hash)| hash.as_str().is_some_and(|hash| hash.len() == 64)), "{hashes:?}");
}

/// More than one page of records and of embeddings.
#[tokio::test]
async fn a_move_of_thousands_takes_everything_along() {
    let data = Generator::new(13, Size::of(5_000, 2_300, 16));
    let world = World::with("standalone", "federated", &data).await;
    moves_all(&world, data.records().collect(), data.embeddings().collect()).await;
}

#[tokio::test]
async fn a_move_from_local_takes_what_is_awkward_along() {
    let HostileData { records, embeddings } = hostile(3);
    assert_has_everything(&records, &embeddings);
    let world = World::new("local", "federated").await;
    world.fill("local", records.clone(), embeddings.clone()).await;
    moves_all(&world, records, embeddings).await;
}

#[tokio::test]
async fn a_move_from_standalone_takes_what_is_awkward_along() {
    let HostileData { records, embeddings } = hostile(4);
    let world = World::new("standalone", "federated").await;
    world.fill("standalone", records.clone(), embeddings.clone()).await;
    moves_all(&world, records, embeddings).await;
}

#[tokio::test]
async fn a_move_of_nothing_succeeds_and_says_so() {
    let world = World::new("standalone", "federated").await;
    world.open("standalone").await.storage.close().await.unwrap();
    let said = world.migrate(&["--yes"]).await.exit(0);
    assert!(said.text().contains("the source holds no records"), "{}", said.text());
    assert!(said.text().contains(&format!("mosaic serve --config {}", world.new_config().display())), "{}", said.text());
    assert_eq!(exported(&world.moved()).await, "");
    let gateway = Gateway::start_in(&world.moved()).await;
    gateway.admin().get("/api/v1/users").await.expect(200);
    gateway.stop().await;
}
