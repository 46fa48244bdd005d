//! What somebody changes by SQL behind the back of a move, on either side, after it was copied and before it was verified. What must not come
//! in: changes that Mosaic makes.

use mosaic_core::{Embedding, Kind, Record};
use mosaic_tests::services::Database;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::gate::{Point, Side};
use super::sources;
use super::states::{Fate, killed_in};
use super::world::{MOVE, Move, NEW_CONFIG, run_as_printed};

/// Records that are tampered with: one is changed, one removed, one copied under another id, and of one the embedding is changed.
struct Victims {
    changed: Record,
    removed: Record,
    copied: Record,
    embedded: Embedding,
}

const ADDED: &str = "ffffffff-ffff-4fff-bfff-ffffffffffff";

impl Victims {
    fn choose() -> Self {
        let data = sources::data();
        let (notes, embeddings) = (data.size().notes, data.embeddings().collect::<Vec<_>>());
        let removed = (0..notes).map(|number| data.record(Kind::Note, number));
        // One whose removal takes nothing along.
        let removed =
            removed.into_iter().find(|note| embeddings.iter().all(|one| one.id != note.id())).expect("not every note is embedded");
        let embedded = embeddings.into_iter().rfind(|one| one.kind == Kind::Task).expect("tasks are embedded");
        Self { changed: data.record(Kind::Task, 0), removed, copied: data.record(Kind::Session, 1), embedded }
    }

    /// Does all of it.
    async fn tamper_in(&self, database: &Database) {
        let embedded = format!("id = '{}' AND model = '{}'", self.embedded.id, self.embedded.vector.model);
        let columns = sqlx::query_scalar::<_, String>(
            "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute \
             WHERE attrelid = 'sessions'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'id' AND attgenerated = ''",
        );
        let mut connection = PgConnection::connect(&database.admin_url()).await.unwrap();
        let columns = columns.fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        database
            .execute(&format!(
                "UPDATE tasks SET title = title || '!' WHERE id = '{}'; DELETE FROM notes WHERE id = '{}'; \
                 INSERT INTO sessions (id, {columns}) SELECT '{ADDED}', {columns} FROM sessions WHERE id = '{}'; \
                 UPDATE task_embeddings SET vector = set_bit(vector, 0, 1 - get_bit(vector, 0)) WHERE {embedded}",
                self.changed.id(),
                self.removed.id(),
                self.copied.id(),
            ))
            .await;
    }

    /// How the report names them, when they were tampered with on this side.
    fn differences(&self, side: Side) -> Vec<Value> {
        let (removed, added) = if side == Side::Target { ("missing", "added") } else { ("added", "missing") };
        vec![
            json!({ "kind": "task", "of": "task", "id": self.changed.id(), "difference": "changed", "fields": ["title"] }),
            json!({ "kind": "note", "of": "note", "id": self.removed.id(), "difference": removed }),
            json!({ "kind": "session", "of": "session", "id": ADDED, "difference": added }),
            json!({ "kind": "embedding", "of": "task", "id": self.embedded.id, "difference": "changed", "fields": ["vector"] }),
        ]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_cut_over_when_either_side_was_tampered_with() {
    for side in [Side::Target, Side::Source] {
        let this = Move::gated_from_standalone().await;
        killed_in(&this, Side::Target, Point::Verified, Fate::Lost).await;
        let victims = Victims::choose();
        let database = if side == Side::Target { &this.target } else { this.source.as_ref().unwrap() };
        victims.tamper_in(database).await;

        let outcome = this.place.run(MOVE).await.exit(1);
        let answer: Value = serde_json::from_slice(&outcome.stdout).unwrap_or_else(|_| panic!("{side:?}: {}", outcome.stderr));
        assert_eq!(answer["outcome"], "different", "{side:?}: {}", outcome.stderr);
        assert_eq!(answer["differences"], json!(victims.differences(side)), "{side:?}");
        for said in [
            format!("task {} is not the same in title", victims.changed.id()),
            format!("note {} is", victims.removed.id()),
            format!("session {ADDED} is"),
            format!("embedding of the task {} is not the same in vector", victims.embedded.id),
            "the target does not hold what the source holds: nothing was cut over".to_owned(),
        ] {
            assert!(outcome.stderr.contains(&said), "{side:?}: {said:?} is not in {}", outcome.stderr);
        }
        assert!(!this.place.path(NEW_CONFIG).exists(), "{side:?}");
        assert_eq!(this.reached().await, "copying", "{side:?}");
        this.target_is_taken().await;
        let printed = this.source_is_fenced().await;
        // Once more is no better; undone, it can be begun anew.
        this.place.run(MOVE).await.exit(1);
        run_as_printed(&this.place, &printed.undo).await.exit(0);
        let outcome = this.place.run(MOVE).await.exit(0);
        if side == Side::Target {
            this.arrived(&outcome).await;
        }
    }
}
