//! What a gateway bears while its services fail under load: nothing that it acknowledged is lost, nothing that it answers is wrong, it says
//! how it is all the while, and it is back within [`RECOVERY`] of the service. One file a fault.
//! What must not come in: faults of the gateway itself, which are in `crash`.

mod load;
mod network;
mod postgres;
mod talk;
mod valkey;
mod watch;

use std::time::{Duration, Instant};

use crate::harness::{Gateway, PATIENCE, Place, eventually};
use load::Load;
use watch::{State, Watch};

/// By when all is well again once the service is back.
const RECOVERY: Duration = Duration::from_secs(5);
/// How long it is looked on after the first success, for failures that come late.
const AFTERMATH: Duration = Duration::from_millis(1_500);

/// A gateway under load that is watched.
struct Subject {
    name: &'static str,
    gateway: Gateway,
    load: Load,
    watch: Watch,
}

impl Subject {
    /// Starts a gateway there, and lets the load get going.
    async fn start(name: &'static str, place: &Place) -> Self {
        // Each request would be a line of the log, and what matters be lost among them when the end of it is shown.
        let gateway = Gateway::start_in(&place.clone().with_env("MOSAIC_LOG__FILTER", "error")).await;
        let (load, watch) = (Load::start(&gateway).await, Watch::start(&gateway));
        let subject = Self { name, gateway, load, watch };
        eventually("the load gets going", PATIENCE, || async { (subject.load.acknowledged() >= 40).then_some(()) }).await;
        assert_eq!(subject.watch.now(), Some(State::Ready), "{name}");
        subject
    }

    /// Waits until `/readyz` says that it is so, and answers how long that took.
    async fn says(&self, state: State) -> Duration {
        let begun = Instant::now();
        let what = format!("{} says {state:?}", self.name);
        eventually(&what, PATIENCE, || async { (self.watch.since(begun).last() == Some(&state)).then_some(()) }).await;
        println!("{what} after {:?}", begun.elapsed());
        begun.elapsed()
    }

    /// Waits until reading, writing and `/readyz` are well again, which may take [`RECOVERY`] from `returned` on.
    async fn recovers(&self, returned: Instant) {
        let name = self.name;
        eventually("it recovers", PATIENCE, || async {
            let ready = self.watch.first_ready(returned).is_some();
            (ready && self.load.reads.first_success(returned).is_some() && self.load.writes.first_success(returned).is_some()).then_some(())
        })
        .await;
        tokio::time::sleep(AFTERMATH).await;
        let after = |moment: Option<Instant>| moment.map_or(Duration::ZERO, |moment| moment.saturating_duration_since(returned));
        let (reads, writes) = (&self.load.reads, &self.load.writes);
        let times = [
            ("read", after(reads.first_success(returned))),
            ("written", after(writes.first_success(returned))),
            ("ready", after(self.watch.first_ready(returned))),
            ("failed for the last time", after(reads.last_failure().max(writes.last_failure()))),
            ("not ready for the last time", after(self.watch.last_not_ready())),
        ];
        println!("{name}, from the service's return on: {times:?}");
        for (what, time) in times {
            assert!(time < RECOVERY, "{name}: {what} after {time:?}");
        }
    }

    /// Ends the load, and looks whether all is there that must be.
    async fn end(self) {
        self.watch.end().await;
        self.load.end(self.name).await;
        assert!(!self.gateway.log().contains("panicked"), "{}", self.gateway.log());
        self.gateway.stop().await;
    }
}
