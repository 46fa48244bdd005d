//! Moves that are undone wherever they stand: the source is as it was, and nothing is left in the target. What must not come in: moves that
//! come to their end, but those that begin anew.

use std::process::Stdio;
use std::time::Duration;

use mosaic_tests::services::Database;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::gate::{self, Gate, Point, Side, until_nobody_is_in};
use super::sources;
use super::states::{Fate, WRITES, killed_in};
use super::world::{ABORT, MOVE, Move, RETURN, run_as_printed, undisturbed};
use crate::harness::{Gateway, Outcome, Random};

/// Everything in the database that is of no extension and not the system's, and the extensions.
const THINGS: &str = "WITH things AS ( \
        SELECT 'pg_class'::regclass AS catalogue, oid, relnamespace AS namespace, relname AS name FROM pg_class \
        UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace, proname FROM pg_proc \
        UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace, typname FROM pg_type WHERE typcategory <> 'A' \
        UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace, oprname FROM pg_operator) \
    SELECT name::text FROM things WHERE oid >= 16384 \
        AND namespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_toast', 'gate')) \
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = catalogue AND objid = things.oid AND deptype = 'e') \
    UNION ALL SELECT nspname FROM pg_namespace WHERE oid >= 16384 AND nspname <> 'gate' \
    UNION ALL SELECT extname FROM pg_extension WHERE extname NOT IN ('plpgsql', 'vector') ORDER BY 1";

/// What is in a database besides what its operator put there.
async fn things_in(database: &Database) -> Vec<String> {
    let mut connection = PgConnection::connect(&database.admin_url()).await.unwrap();
    let things = sqlx::query_scalar(THINGS).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    things
}

#[track_caller]
fn came_to(outcome: &Outcome, expected: &str) {
    let answer: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(answer["outcome"], expected, "{}", outcome.stderr);
}

/// Whether a move was undone without a trace.
async fn is_undone(this: &Move) {
    assert_eq!(things_in(&this.target).await, Vec::<String>::new());
    this.source_is_as_it_was().await;
    assert_eq!(this.reached().await, Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_is_undone_at_each_of_its_states() {
    for (number, (side, point, ..)) in WRITES.into_iter().enumerate() {
        // Each state is reached by one of both: what comes late of one is what the next has.
        let fate = if number % 2 == 0 && point != Point::CutOver { Fate::Late } else { Fate::Lost };
        println!("killed in {point:?} of the {side:?}, {fate:?}");
        let this = Move::gated_from_standalone().await;
        killed_in(&this, side, point, fate).await;
        came_to(&this.place.run(ABORT).await.exit(0), "aborted");
        is_undone(&this).await;
        if number % 2 == 0 {
            this.source_serves().await;
        } else {
            came_to(&this.place.run(ABORT).await.exit(0), "nothing");
            this.finishes().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_from_local_is_undone_as_the_gateway_says() {
    let this = Move::gated_from_local().await;
    killed_in(&this, Side::Target, Point::Embeddings, Fate::Lost).await;
    let printed = this.source_is_fenced().await;
    came_to(&run_as_printed(&this.place, &printed.undo).await.exit(0), "aborted");
    is_undone(&this).await;
    // What is written from now on is moved too.
    let gateway = Gateway::start_in(&this.place).await;
    let administrator = gateway.anonymous().with_token(sources::data().administrator_secret());
    administrator.create("notes", json!({ "title": "written after the undoing" })).await;
    gateway.stop().await;
    came_to(&this.place.run(MOVE).await.exit(0), "moved");
    let export = this.export_of_target().await;
    assert!(export == this.export_of_source().await && String::from_utf8_lossy(&export).contains("written after the undoing"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undoing_may_be_killed_at_any_moment() {
    let mut random = Random::new("kills of an abort");
    for _ in 0..5 {
        let this = Move::from_standalone().await;
        let running = this.start(MOVE);
        tokio::time::sleep(random.up_to(undisturbed().await.took * 2 / 3)).await;
        running.kill().await;
        if this.reached().await == "cut_over" {
            println!("it was over already");
            continue;
        }
        for _ in 0..2 {
            let undoing = this.start(ABORT);
            tokio::time::sleep(random.up_to(Duration::from_millis(250))).await;
            let outcome = undoing.kill().await;
            assert!(outcome.code.is_none_or(|code| code == 0), "{}", outcome.stderr);
        }
        this.place.run(ABORT).await.exit(0);
        is_undone(&this).await;
    }
}

/// While it removes what is in the target, and while it takes down the fence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undoing_that_is_killed_in_a_write_is_finished_by_the_next() {
    for is_removing in [true, false] {
        let this = Move::gated_from_standalone().await;
        killed_in(&this, Side::Target, Point::Embeddings, Fate::Lost).await;
        if is_removing {
            let mut holder = PgConnection::connect(&this.target.admin_url()).await.unwrap();
            sqlx::raw_sql("BEGIN; LOCK TABLE notes IN ACCESS SHARE MODE").execute(&mut holder).await.unwrap();
            let undoing = this.start(ABORT);
            gate::until_waiting_for(&mut holder, 1).await;
            undoing.kill().await;
            sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
        } else {
            let mut gate = Gate::close(this.gated(Side::Source).await, Point::Removed).await;
            let undoing = this.start(ABORT);
            gate.is_reached_by(&undoing).await;
            undoing.kill().await;
            gate.break_off().await;
            gate.open().await;
        }
        until_nobody_is_in(&this.target).await;
        this.source_is_fenced().await;
        if is_removing {
            this.target_is_taken().await;
        }
        came_to(&this.place.run(ABORT).await.exit(0), "aborted");
        is_undone(&this).await;
        this.finishes().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_move_put_there_is_never_removed() {
    let this = Move::from_standalone().await;
    came_to(&this.place.run(ABORT).await.exit(0), "nothing");
    assert_eq!(things_in(&this.target).await, Vec::<String>::new());

    // A gateway's first start, and what was written there; while it runs, and when it has ended.
    let gateway = Gateway::start_in(&this.as_federated()).await;
    came_to(&this.place.run(ABORT).await.exit(0), "nothing");
    gateway.admin().create("notes", json!({ "title": "somebody's" })).await;
    came_to(&this.place.run(ABORT).await.exit(0), "nothing");
    gateway.stop().await;
    let export = this.export_of_target().await;
    came_to(&this.place.run(ABORT).await.exit(0), "nothing");
    assert!(this.export_of_target().await == export);

    // What is on its way there from another source.
    let first = Move::gated_from_standalone().await;
    killed_in(&first, Side::Target, Point::Verified, Fate::Late).await;
    let other = Move::new(Some(sources::copy_database().await), first.target.clone(), first.valkey.clone());
    for command in [ABORT, MOVE] {
        let refused = other.place.run(command).await.exit(1);
        assert!(refused.stderr.contains("what is here is a part of what is being moved here"), "{}", refused.stderr);
    }
    first.finishes().await;
    // What has arrived there from another source.
    came_to(&other.place.run(ABORT).await.exit(0), "nothing");
    first.finishes().await;
    other.source_serves().await;

    // What has arrived there from this one.
    let refused = first.place.run(ABORT).await.fails_with(&["the move has come to its end", "--return"]);
    let (_, printed) = refused.stderr.rsplit_once("mosaic ").unwrap();
    came_to(&run_as_printed(&first.place, printed).await.exit(0), "returned");
    first.source_serves().await;
    assert!(first.export_of_target().await == undisturbed().await.export);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_target_is_gone_for_good_is_given_up() {
    let this = Move::gated_from_standalone().await;
    killed_in(&this, Side::Target, Point::Embeddings, Fate::Lost).await;
    this.target.server.execute("postgres", &format!("DROP DATABASE {} WITH (FORCE)", this.target.name)).await;
    let refused = this.place.run(ABORT).await.fails_with(&["side=target", "if it is gone for good, give the move up: mosaic "]);
    let (_, printed) = refused.stderr.rsplit_once("mosaic ").unwrap();
    came_to(&run_as_printed(&this.place, printed).await.exit(0), "returned");
    this.source_is_as_it_was().await;
    this.source_serves().await;
    came_to(&this.place.run(RETURN).await.exit(0), "nothing");
    // Another target is as good.
    let name = &this.target.name;
    this.target.server.execute("postgres", &format!("CREATE DATABASE {name} OWNER {}", this.target.user)).await;
    this.target.execute("CREATE EXTENSION vector").await;
    this.finishes().await;
}

/// Somebody is asked whether to undo a move. Before they answer, another finishes it, and a gateway begins to work in the target.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undoing_that_is_confirmed_late_removes_nothing_that_is_in_use() {
    for is_begun in [true, false] {
        let this = Move::gated_from_standalone().await;
        if is_begun {
            killed_in(&this, Side::Target, Point::Embeddings, Fate::Lost).await;
        }
        let command = this.place.command(&["migrate", "tier", "--to", "federated", "--abort"]);
        let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_str().unwrap()).collect();
        let mut terminal = tokio::process::Command::new("script");
        terminal.args(["-q", "-e", "-f", "-c", &words.join(" "), "/dev/null"]).current_dir(this.place.path("")).env_clear();
        terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let (mut stdin, mut stdout) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
        let mut shown = Vec::new();
        while !String::from_utf8_lossy(&shown).contains("type its name") {
            assert!(stdout.read_buf(&mut shown).await.unwrap() > 0, "{}", String::from_utf8_lossy(&shown));
        }

        if is_begun {
            this.finishes().await;
        }
        let gateway = Gateway::start_in(&this.as_federated()).await;
        let export = this.export_of_target().await;
        let target = format!("{}:{}/{}\n", this.target.server.host, this.target.server.port, this.target.name);
        stdin.write_all(target.as_bytes()).await.unwrap();
        stdin.flush().await.unwrap();
        stdout.read_to_end(&mut shown).await.unwrap();
        let shown = String::from_utf8_lossy(&shown);
        assert_eq!(terminal.wait().await.unwrap().code(), Some(1), "{shown}");
        let cause = if is_begun { "another run of this move" } else { "somebody has begun to work in the target" };
        assert!(shown.contains(cause), "{shown}");
        gateway.stop().await;
        assert!(this.export_of_target().await == export, "what was in use is not what it was");
    }
}
