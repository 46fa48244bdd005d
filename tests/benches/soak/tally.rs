//! How requests went, and when failing was allowed. What must not come in: what was asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
pub(crate) struct Tally(Mutex<State>);

#[derive(Default)]
struct State {
    requests: BTreeMap<&'static str, Requests>,
    /// When a server was away; the last one may have no end yet.
    windows: Vec<(Instant, Option<Instant>)>,
    refused: usize,
    /// What failed while nothing was away, as it was at the time.
    outside: Vec<String>,
}

/// Those of a sort.
#[derive(Default)]
struct Requests {
    count: usize,
    all: Duration,
    slowest: Duration,
}

impl Tally {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, and why it failed, if it did.
    pub(crate) fn add(&self, what: &'static str, begun: Instant, failure: Option<String>) {
        let mut state = self.state();
        let took = begun.elapsed();
        let Some(why) = failure else {
            let requests = state.requests.entry(what).or_default();
            requests.count += 1;
            requests.all += took;
            requests.slowest = requests.slowest.max(took);
            return;
        };
        state.refused += 1;
        // Whatever was under way at any moment of it.
        if !state.windows.iter().any(|(_, end)| end.is_none_or(|end| begun <= end)) {
            let first = state.outside.len() < 20;
            if first {
                println!("failed, and nothing was away: {what}: {why}");
            }
            state.outside.push(why);
        }
    }

    pub(crate) fn window_begins(&self) -> Instant {
        let now = Instant::now();
        self.state().windows.push((now, None));
        now
    }

    pub(crate) fn window_ends(&self, begun: Instant) {
        let now = Instant::now();
        self.state().windows.iter_mut().filter(|(from, _)| *from == begun).for_each(|(_, end)| *end = Some(now));
    }

    /// How many requests succeeded, and how many did not.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.requests.values().map(|requests| requests.count).sum(), state.refused)
    }

    /// How many failed while nothing was away.
    pub(crate) fn failures(&self) -> usize {
        self.state().outside.len()
    }

    pub(crate) fn print(&self) {
        let state = self.state();
        for (what, requests) in &state.requests {
            let mean = requests.all.as_secs_f64() * 1e3 / requests.count as f64;
            println!("{what:<8} {:>9}, mean {mean:.1} ms, slowest {:.0} ms", requests.count, requests.slowest.as_secs_f64() * 1e3);
        }
        println!("refused  {:>9}", state.refused);
    }
}
