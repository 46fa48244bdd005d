//! A clock that a test sets.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mosaic_core::{Clock, Timestamp};

/// A clock that stands still until it is told to go on. It begins at 2026-01-01T00:00:00Z.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_767_225_600_000_000))
    }
}

impl TestClock {
    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}
