//! `kill -9` of the command at random moments. What must not come in: a moment that is chosen.

use std::time::{Duration, Instant};

use super::world::{MOVE, Move, run_as_printed, undisturbed};
use crate::harness::Random;

/// So many moves are killed once, at moments that are spread over a whole run …
const KILLED_ONCE: u32 = 10;
/// … and one is killed so often.
const IN_A_ROW: u32 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_from_local_survives_kill_9_at_any_moment() {
    let random = Random::new("kills of a move from local");
    let (this, begun) = (Move::from_local().await, Instant::now());
    let outcome = this.place.run(MOVE).await.exit(0);
    let took = begun.elapsed();
    // What is the same from both tiers is told by one undisturbed move from either.
    this.arrived(&outcome).await;
    this.exports_are_the_same().await;
    at_any_moment(Move::from_local, took, random).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_from_standalone_survives_kill_9_at_any_moment() {
    let random = Random::new("kills of a move from standalone");
    at_any_moment(Move::from_standalone, undisturbed().await.took, random).await;
}

async fn at_any_moment(new: impl AsyncFn() -> Move, took: Duration, mut random: Random) {
    for part in 0..KILLED_ONCE {
        let this = new().await;
        let moment = took * part / KILLED_ONCE + random.up_to(took / KILLED_ONCE);
        let reached = killed_at(&this, moment).await;
        // One that was verified may have left its source for good.
        let printed = if (2..4).contains(&reached) { Some(this.source_is_fenced().await) } else { None };
        if (1..5).contains(&reached) {
            this.target_is_taken().await;
        }
        let outcome = match printed {
            Some(printed) => run_as_printed(&this.place, &printed.finish).await.exit(0),
            None => this.place.run(MOVE).await.exit(0),
        };
        this.arrived(&outcome).await;
        if part % 3 == 2 {
            this.exports_are_the_same().await;
        }
    }
    let this = new().await;
    for time in 1..=IN_A_ROW {
        // Of what is left to do, some is done each time.
        killed_at(&this, took / 4 + random.up_to(took / 2)).await;
        println!("killed {time} times");
    }
    this.finishes().await;
    this.exports_are_the_same().await;
}

/// Makes the move, kills it at this moment, and answers how far it came: the number of its state.
async fn killed_at(this: &Move, moment: Duration) -> usize {
    let running = this.start(MOVE);
    tokio::time::sleep(moment).await;
    let outcome = running.kill().await;
    assert!(outcome.code.is_none_or(|code| code == 0), "{}: {}", outcome.text(), outcome.stderr);
    this.left_nothing_on_disk();
    let reached = this.reached().await;
    println!("killed after {moment:?}: {reached}");
    let states = ["planned", "fenced", "copying", "verified", "cut_over"];
    states.iter().position(|state| reached == *state).map_or(0, |state| state + 1)
}
