//! Who gets a lease, how long it is theirs, and what a dropped call leaves.

use std::sync::atomic::{AtomicI64, Ordering};

use mosaic_core::memory::MemoryStorage;

use super::*;

/// A clock that stands at a number of milliseconds.
#[derive(Default)]
struct Millis(AtomicI64);

impl Clock for Millis {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed) * 1000).unwrap()
    }
}

/// How long the leases of these tests last.
const SHORT: Duration = Duration::from_millis(300);

struct World {
    storage: Arc<MemoryStorage>,
    clock: Arc<Millis>,
}

impl World {
    fn new() -> Self {
        Self { storage: Arc::default(), clock: Arc::default() }
    }

    fn lease(&self, holder: &str) -> Lease {
        let lease = Lease::new(self.storage.clone(), self.clock.clone(), "work", holder.into(), format!("{holder}'s"));
        Lease { lasts: SHORT, ..lease }
    }

    fn pass(&self, millis: i64) {
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }
}

#[track_caller]
fn ours(taken: Taken<'_>) -> Held<'_> {
    match taken {
        Taken::Ours(held) => held,
        Taken::Theirs(holder) => panic!("{holder:?} has it"),
    }
}

async fn theirs(lease: &Lease) -> Option<String> {
    match lease.take().await.unwrap() {
        Taken::Ours(_) => None,
        Taken::Theirs(holder) => Some(holder.about),
    }
}

#[tokio::test]
async fn one_has_it_until_it_gives_it_back() {
    let world = World::new();
    let (ann, bob) = (world.lease("ann"), world.lease("bob"));
    let held = ours(ann.take().await.unwrap());
    assert_eq!(theirs(&bob).await.as_deref(), Some("ann's"));
    assert!(held.is_ours());
    held.release().await.unwrap();
    {
        let _bobs = ours(bob.take().await.unwrap());
        assert_eq!(theirs(&ann).await.as_deref(), Some("bob's"));
    }
    assert_eq!(theirs(&ann).await.as_deref(), Some("bob's"), "one that is dropped runs out, and is not given back");
}

#[tokio::test]
async fn it_is_taken_over_when_it_has_run_out_and_not_before() {
    let world = World::new();
    let (ann, bob) = (world.lease("ann"), world.lease("bob"));
    let mut anns = ours(ann.take().await.unwrap());
    world.pass(299);
    assert!(theirs(&bob).await.is_some());
    assert!(anns.renew().await.unwrap());
    world.pass(299);
    assert!(theirs(&bob).await.is_some(), "it was renewed");
    world.pass(1);
    let bobs = ours(bob.take().await.unwrap());
    assert!(!anns.renew().await.unwrap(), "it is somebody else's");
    anns.release().await.unwrap();
    assert!(theirs(&ann).await.is_some(), "nobody gives back what is somebody else's");
    bobs.release().await.unwrap();
}

#[tokio::test]
async fn a_holder_whose_clock_was_wrong_does_not_keep_it_for_ever() {
    let world = World::new();
    let (ann, bob) = (world.lease("ann"), world.lease("bob"));
    world.pass(1_000_000);
    ours(ann.take().await.unwrap());
    world.pass(-1_000_000);
    assert!(theirs(&bob).await.is_some());
    sleep(SHORT).await;
    ours(bob.take().await.unwrap());
}

#[tokio::test]
async fn of_many_who_take_it_at_once_one_gets_it() {
    let world = World::new();
    let leases: Vec<_> = (0..16).map(|n| world.lease(&n.to_string())).collect();
    let taken = futures::future::join_all(leases.iter().map(|lease| async { matches!(lease.take().await, Ok(Taken::Ours(_))) })).await;
    assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 1);
}

#[tokio::test]
async fn work_goes_on_while_it_is_renewed_and_ends_when_it_is_lost() {
    let world = World::new();
    let (ann, bob) = (world.lease("ann"), world.lease("bob"));
    let mut held = ours(ann.take().await.unwrap());
    assert_eq!(held.during(sleep(SHORT * 2)).await, Some(()), "renewed as it goes on");

    // Somebody else has it: ann's clock stood still while the world's went on.
    world.pass(300);
    ours(bob.take().await.unwrap());
    assert_eq!(held.during(std::future::pending::<()>()).await, None);
    assert!(held.is_ours(), "the others said so, before its time was up");
}

#[tokio::test]
async fn work_ends_before_somebody_else_may_begin_when_it_cannot_be_renewed() {
    let world = World::new();
    let ann = world.lease("ann");
    let mut held = ours(ann.take().await.unwrap());
    world.storage.close().await.unwrap();
    let begun = Instant::now();
    assert_eq!(held.during(std::future::pending::<()>()).await, None);
    assert!(begun.elapsed() >= SHORT - SHORT / 3, "it was tried again and again");
    assert!(!held.is_ours());
}

#[tokio::test]
async fn a_call_that_was_dropped_does_no_harm() {
    let world = World::new();
    let (ann, bob) = (world.lease("ann"), world.lease("bob"));
    // As a dropped take leaves it: written, and nobody knows.
    assert_eq!(theirs(&ann).await, None);
    let mut held = ours(ann.take().await.unwrap());
    // As a dropped renewal leaves it: at a version that its holder does not know.
    held.lease.write(held.version).await.unwrap();
    assert!(held.renew().await.unwrap());
    assert!(theirs(&bob).await.is_some());
    held.release().await.unwrap();
    ours(bob.take().await.unwrap());
}
