//! Emptying a database: what Mosaic made is gone, and everything else stays.

use mosaic_core::{Backend, Cache, ErrorKind, Place as Somewhere, Sharing, Storage as _, memory};
use mosaic_tests::generator::{Generator, Size, fill, read_back};
use mosaic_tests::services::Listing;

use crate::place::{Place, Process, Tier, user};

/// Puts records and embeddings of every kind into it.
async fn fill_all(process: &Process) {
    let data = Generator::new(3, Size::small());
    let backend = Backend {
        storage: process.storage.clone(),
        cache: std::sync::Arc::<dyn Cache>::clone(&memory::open().cache),
        vectors: Some(process.vectors.clone()),
        services: Vec::new(),
        place: Somewhere { name: String::new(), identity: None, sharing: Sharing::Shared },
    };
    fill(&backend, data.records(), data.embeddings()).await;
    process.vectors.settle().await.unwrap();
    assert_eq!(read_back(&backend).await.0.len(), data.size().records());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_leaves_nothing_and_can_begin_anew() {
    for tier in [Tier::Standalone, Tier::Federated] {
        let place = Place::new(tier).await;
        place.database.execute("CREATE TABLE mine (id int); INSERT INTO mine VALUES (7); CREATE SEQUENCE numbers").await;
        let before = Listing::of(&place.database).await;
        let (process, another) = (place.process().await, place.process().await);
        fill_all(&process).await;
        process.erase().await.unwrap();
        before.assert_same(&Listing::of(&place.database).await);
        assert!(another.storage.tally().await.is_err(), "whoever had it open as well finds nothing");
        assert!(process.erase().await.is_err() || Listing::of(&place.database).await == before);

        let anew = place.process().await;
        assert!(anew.storage.tally().await.unwrap().iter().all(|tally| tally.records == 0));
        assert!(anew.vectors.describe().await.unwrap().is_empty());
        anew.load(&[user(1, "ada")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_under_our_names_stays() {
    for tier in [Tier::Standalone, Tier::Federated] {
        let place = Place::new(tier).await;
        let owner = &place.database.user;
        // Behind ours on the way on which names are looked for, and of the same owner.
        let theirs = format!(
            "CREATE SCHEMA theirs AUTHORIZATION {owner}; CREATE SCHEMA ours AUTHORIZATION {owner}; \
             CREATE TABLE theirs.tasks (id int); INSERT INTO theirs.tasks VALUES (7); ALTER TABLE theirs.tasks OWNER TO {owner}; \
             CREATE TABLE theirs.mosaic_migrations (version bigint); ALTER TABLE theirs.mosaic_migrations OWNER TO {owner}; \
             CREATE INDEX mine ON theirs.tasks (id); ALTER ROLE {owner} SET search_path = ours, theirs, public"
        );
        place.database.execute(&theirs).await;
        let before = Listing::of(&place.database).await;
        let process = place.process().await;
        fill_all(&process).await;
        process.erase().await.unwrap();
        before.assert_same(&Listing::of(&place.database).await);
    }
}

/// What somebody has put on top of ours would go with it, or be broken.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_lean_on_is_not_erased() {
    let place = Place::new(Tier::Federated).await;
    let process = place.process().await;
    fill_all(&process).await;
    place.database.execute("CREATE TABLE mine (user_id uuid REFERENCES users)").await;
    let before = Listing::of(&place.database).await;
    let refusal = process.erase().await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.message()), (ErrorKind::Conflict, "somebody has made what depends on Mosaic's tables"));
    before.assert_same(&Listing::of(&place.database).await);
    place.database.execute("DROP TABLE mine").await;
    process.erase().await.unwrap();
}
