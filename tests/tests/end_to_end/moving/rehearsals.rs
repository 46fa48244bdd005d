//! What changes nothing: a plan, as often as it is asked for, and a move that was done already.

use serde_json::json;

use super::world::{a_little, exported};
use super::{Summary, World};
use crate::harness::Gateway;

/// A plan is made in both forms, and nothing is changed by it; then the move itself, as it said.
async fn check(world: &World) {
    let before = (world.sides().await, exported(&world.place).await);
    let plan = world.migrate(&["--dry-run"]).await.exit(0);
    let json = world.migrate(&["--dry-run", "--json"]).await.exit(0);
    assert!(plan.stderr.is_empty() && json.stderr.is_empty(), "{}{}", plan.stderr, json.stderr);
    assert!(exported(&world.place).await == before.1);
    before.0.assert_same(&world.sides().await);
    assert!(!world.new_config().exists());

    let plan = plan.text();
    for part in ["from  ", world.from, "to    ", world.to, world.new_config().to_str().unwrap(), "KIND", "EXPECTED", "total", "< 1 s"] {
        assert!(plan.contains(part), "no {part:?} in {plan}");
    }
    assert!(!plan.contains('\u{1b}'), "{plan}");
    let json = Summary::of(&json);
    assert_eq!((json.outcome(), &json.0["blockers"]), ("planned", &json!(null)));
    assert_eq!(json.0["new_config"], json!(world.new_config()));
    json.assert_counts(&a_little(41).records().collect::<Vec<_>>(), &a_little(41).embeddings().collect::<Vec<_>>());
    assert!(json.kinds("bytes").iter().all(|(_, bytes)| bytes.as_u64().is_some_and(|bytes| bytes > 0)), "{}", json.0);
    assert!(json.kinds("expected_seconds").iter().all(|(_, seconds)| seconds.is_f64()), "{}", json.0);
    world.moves().await;
}

#[tokio::test]
async fn a_plan_from_local_changes_nothing() {
    check(&World::with("local", "federated", &a_little(41)).await).await;
}

#[tokio::test]
async fn a_plan_from_standalone_changes_nothing() {
    check(&World::with("standalone", "federated", &a_little(41)).await).await;
}

#[tokio::test]
async fn a_move_that_was_done_is_not_done_again() {
    let world = World::with("standalone", "federated", &a_little(42)).await;
    let first = world.moves().await;
    let before = world.sides().await;
    let exports = (exported(&world.place).await, exported(&world.moved()).await);
    let said = "this was moved already; nothing was changed";
    for place in [&world.place, &world.moved()] {
        for option in ["--yes", "--dry-run"] {
            let again = place.run(&["migrate", "tier", "--to", "federated", option]).await.exit(0).text();
            assert!(again.contains(said) && again.contains(world.new_config().to_str().unwrap()), "{again}");
            let again = place.run(&["migrate", "tier", "--to", "federated", option, "--json"]).await.exit(0);
            let again = Summary::of(&again);
            assert_eq!(again.outcome(), "moved");
            assert_eq!(again.kinds("hash"), first.kinds("hash"));
        }
    }
    assert!((exported(&world.place).await, exported(&world.moved()).await) == exports);
    before.assert_same(&world.sides().await);

    // Also once the target is at work, and has more than was moved.
    let gateway = Gateway::start_in(&world.moved()).await;
    let client = gateway.anonymous().with_token(a_little(42).administrator_secret());
    client.create("notes", json!({ "title": "since then" })).await;
    for place in [&world.place, &world.moved()] {
        assert!(place.run(&["migrate", "tier", "--to", "federated", "--yes"]).await.exit(0).text().contains(said));
    }
    gateway.stop().await;
}

/// A gateway that began on the tier has nothing to be moved.
#[tokio::test]
async fn a_tier_that_is_there_already_has_nothing_to_move() {
    let world = World::new("federated", "federated").await;
    for option in ["--yes", "--dry-run"] {
        assert!(world.migrate(&[option]).await.exit(0).text().contains("the tier is federated already"));
    }
    world.fill("federated", a_little(43).records(), []).await;
    let before = world.sides().await;
    for (option, said) in
        [("--yes", "the tier is federated already"), ("--abort", "there is nothing to undo"), ("--return", "there is nothing to undo")]
    {
        let outcome = world.migrate(&[option]).await.exit(0).text();
        assert!(outcome.contains(said), "{option}: {outcome}");
    }
    assert_eq!(Summary::of(&world.migrate(&["--yes", "--json"]).await.exit(0)).outcome(), "nothing");
    before.assert_same(&world.sides().await);
}
