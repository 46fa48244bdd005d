//! Moves from each tier to each one above: what was in the source is in the target, bit for bit, and works there.

use mosaic_core::Kind;
use mosaic_tests::generator::{Generator, Size, assert_same_embeddings, assert_same_records};

use super::World;
use super::world::exported;

#[tokio::test]
async fn a_move_takes_everything_along() {
    let data = Generator::new(11, Size::small());
    for kind in Kind::ALL {
        assert!(data.size().count(*kind) > 0, "there is a {kind} to be moved");
    }
    let (records, embeddings): (Vec<_>, Vec<_>) = (data.records().collect(), data.embeddings().collect());
    let world = World::with("local", "federated", &data).await;
    let before = exported(&world.place).await;
    let summary = world.moves().await;
    summary.assert_counts(&records, &embeddings);
    let (found, found_embeddings) = world.held("federated").await;
    assert_same_records(records, found);
    assert_same_embeddings(embeddings, found_embeddings);
    assert!(exported(&world.moved()).await == before);
    assert!(exported(&world.place).await == before);
}
