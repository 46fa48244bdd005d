//! `kill -9` of the command at each change of a move's state: while it writes the change, so that the change is lost or comes when nobody waits
//! for it any more. What must not come in: undoing the move.

use mosaic_tests::services::Database;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::gate::{self, Gate, Point, Side, until_nobody_is_in};
use super::world::{MOVE, Move, NEW_CONFIG, run_as_printed};

/// What becomes of the write that the command was killed in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    /// It is lost, with its session.
    Lost,
    /// It takes effect.
    Late,
}

/// The writes of a move in order, and the state that it is in when that one is lost, and when it is not.
pub(super) const WRITES: [(Side, Point, Option<&str>, Option<&str>); 9] = [
    (Side::Target, Point::Planned, None, Some("planned")),
    (Side::Source, Point::Fenced, Some("planned"), Some("planned")),
    (Side::Target, Point::Fenced, Some("planned"), Some("fenced")),
    (Side::Target, Point::Copying, Some("fenced"), Some("copying")),
    (Side::Target, Point::Records, Some("copying"), Some("copying")),
    (Side::Target, Point::Embeddings, Some("copying"), Some("copying")),
    (Side::Target, Point::Verified, Some("copying"), Some("verified")),
    (Side::Source, Point::Moved, Some("verified"), Some("verified")),
    (Side::Target, Point::CutOver, Some("verified"), Some("cut_over")),
];

impl Move {
    /// The database of a side. The source must have one.
    pub(super) async fn gated(&self, side: Side) -> &Database {
        match side {
            Side::Target => &self.target,
            Side::Source => {
                let source = self.source.as_ref().expect("a source of tier standalone");
                gate::build(source, side).await;
                source
            }
        }
    }
}

/// Kills a move in this write.
pub(super) async fn killed_in(this: &Move, side: Side, point: Point, fate: Fate) {
    let database = this.gated(side).await;
    let mut gate = Gate::close(database, point).await;
    let running = this.start(MOVE);
    gate.is_reached_by(&running).await;
    assert_eq!(running.kill().await.code, None, "it was killed");
    if fate == Fate::Lost {
        gate.break_off().await;
    }
    gate.open().await;
    until_nobody_is_in(&this.target).await;
    until_nobody_is_in(database).await;
    this.left_nothing_on_disk();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_killed_before_a_write_takes_effect_finishes() {
    in_each_write(Fate::Lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_killed_while_a_write_takes_effect_finishes() {
    in_each_write(Fate::Late).await;
}

async fn in_each_write(fate: Fate) {
    for (side, point, lost, late) in WRITES {
        if fate == Fate::Late && matches!((side, point), (Side::Target, Point::Fenced | Point::Records | Point::Verified)) {
            // What is true then is what is true when the next write is lost.
            continue;
        }
        println!("killed in {point:?} of the {side:?}, {fate:?}");
        let this = Move::gated_from_standalone().await;
        killed_in(&this, side, point, fate).await;
        assert_eq!(this.reached().await, json!(if fate == Fate::Lost { lost } else { late }));
        let is_fenced = !matches!((point, fate, side), (Point::Planned, ..) | (Point::Fenced, Fate::Lost, Side::Source));
        if is_fenced && (point, fate) != (Point::Moved, Fate::Late) && point != Point::CutOver {
            this.source_is_fenced().await;
        }
        if (point, fate) == (Point::CutOver, Fate::Lost) {
            // The source is left for good, and what it says leads on to where the command is that finishes the move.
            let log = this.place.clone().with_env("MOSAIC_LOG__FILTER", "error");
            let refused = log.run(&["serve"]).await.fails_with(&["this data was moved", "go on there: mosaic serve --config "]);
            assert!(refused.stderr.contains(NEW_CONFIG), "{}", refused.stderr);
            let printed = this.target_is_taken().await;
            this.arrived(&run_as_printed(&this.place, &printed.finish).await.exit(0)).await;
        }
        this.finishes().await;
    }
}

/// Another run begins while the session of one that was killed still holds what it was about to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_last_write_comes_in_the_middle_of_the_next_run_finishes() {
    for point in [Point::Planned, Point::Fenced, Point::Records, Point::Verified, Point::CutOver] {
        let this = Move::gated_from_standalone().await;
        let mut gate = Gate::close(&this.target, point).await;
        let killed = this.start(MOVE);
        gate.is_reached_by(&killed).await;
        killed.kill().await;
        let next = this.start(MOVE);
        // Long enough to come to the same point, and less than a server takes to see that a client is gone.
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        gate.open().await;
        let outcome = next.ended().await;
        if outcome.code != Some(0) {
            let stderr = outcome.exit(1).stderr;
            assert!(stderr.contains("another run of this move"), "{point:?}: {stderr}");
        }
        this.finishes().await;
    }
}

/// It takes the engine with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_from_local_that_is_killed_in_a_write_finishes() {
    for (point, fate) in [(Point::Records, Fate::Lost), (Point::Verified, Fate::Late), (Point::CutOver, Fate::Lost)] {
        let this = Move::gated_from_local().await;
        killed_in(&this, Side::Target, point, fate).await;
        if point != Point::CutOver {
            this.source_is_fenced().await;
        }
        this.target_is_taken().await;
        this.finishes().await;
    }
}

/// The first table of the schema is in the way, and the last one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_killed_while_it_makes_the_schema_finishes() {
    for table in ["mosaic_migrations", "embedding_indexes"] {
        let this = Move::from_standalone().await;
        let mut holder = PgConnection::connect(&this.target.admin_url()).await.unwrap();
        let hold = sqlx::AssertSqlSafe(format!("BEGIN; CREATE TABLE {table} (number bigint)"));
        sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
        let running = this.start(MOVE);
        gate::until_waiting_for(&mut holder, 1).await;
        assert_eq!(running.kill().await.code, None);
        sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
        until_nobody_is_in(&this.target).await;
        let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
            .fetch_one(&mut holder)
            .await
            .unwrap();
        assert_eq!(tables, 0, "a schema is there whole, or not at all");
        assert_eq!(this.reached().await, Value::Null);
        this.finishes().await;
    }
}
