//! A target that does not keep what it is given: it is found out when everything is read back, and nothing is cut over.

use mosaic_core::Kind;
use mosaic_tests::generator::{Generator, Size};

use super::{Summary, World};
use crate::harness::Gateway;

/// Makes the database change what is written: every task's title, and one bit of each embedding of a note.
async fn falsify(world: &World) {
    let sql = "CREATE FUNCTION falsify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
            IF TG_TABLE_NAME = 'tasks' THEN NEW.title := NEW.title || '!'; \
            ELSE NEW.vector := set_bit(NEW.vector, 0, 1 - get_bit(NEW.vector, 0)); END IF; RETURN NEW; END $$; \
        CREATE TRIGGER falsify BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION falsify(); \
        CREATE TRIGGER falsify BEFORE INSERT ON note_embeddings FOR EACH ROW EXECUTE FUNCTION falsify()";
    world.stack.database.execute(sql).await;
}

#[tokio::test]
async fn what_the_target_holds_otherwise_is_named_and_nothing_is_cut_over() {
    let data = Generator::new(71, Size::small());
    let world = World::with("standalone", "federated", &data).await;
    Gateway::start_in(&world.stack.place()).await.stop().await;
    falsify(&world).await;
    let outcome = world.migrate(&["--yes"]).await.exit(1);
    let (last, named) = outcome.stderr.lines().collect::<Vec<_>>().split_last().map(|(last, named)| (*last, named.to_vec())).unwrap();
    for part in ["the target does not hold what the source holds", "nothing was cut over", "--abort"] {
        assert!(last.contains(part), "{last}");
    }
    let of = |what: &str| named.iter().filter(|line| line.contains(what)).count();
    assert_eq!(of(" is not the same in title"), 10, "the first ten of a kind: {named:?}");
    let embeddings = data.embeddings().filter(|one| one.kind == Kind::Note).count();
    assert_eq!(of("embedding of the note"), embeddings.min(10), "{named:?}");
    assert_eq!(of(" is not the same in vector"), embeddings.min(10), "{named:?}");
    assert_eq!(named.len(), 10 + embeddings.min(10), "{named:?}");
    assert!(!world.new_config().exists());
    world.place.run(&["serve"]).await.fails_with(&["this data is being moved to another tier", "--abort"]);

    // It is not taken for the same by being tried again.
    let again = world.migrate(&["--yes", "--json"]).await.exit(1);
    let again = Summary::of(&again);
    assert_eq!(again.outcome(), "different");
    let differences = again.0["differences"].as_array().unwrap();
    assert_eq!(differences.len(), named.len());
    assert!(differences.iter().any(|one| one["kind"] == "task" && one["difference"] == "changed" && one["fields"][0] == "title"));

    // Undone, and mended, it succeeds.
    world.migrate(&["--abort", "--yes"]).await.exit(0);
    Gateway::start_in(&world.place).await.stop().await;
    let moved = world.moves().await;
    moved.assert_counts(&data.records().collect::<Vec<_>>(), &data.embeddings().collect::<Vec<_>>());
}
