//! Drawing at random: numbers, choices, ids, times. Everything follows from a seed, on every machine: what is drawn has the same width
//! everywhere, and numbers with fractions come from whole ones. What must not come in: what is drawn for which record.

use fastrand::Rng;
use mosaic_core::{Id, Timestamp};

/// 2019-01-01T00:00:00Z, in microseconds: nothing is older.
const FIRST: i64 = 1_546_300_800_000_000;
/// 2026-01-01T00:00:00Z, in microseconds: nothing is made or changed later.
const LAST: i64 = 1_767_225_600_000_000;

/// A source of everything random.
pub(super) struct Draw(Rng);

/// What all records have.
pub(super) struct Common {
    pub(super) id: Id,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) revision: u64,
}

impl Draw {
    /// What the thing with this number is drawn from. Each has a source of its own, so that any can be made without those before it.
    pub(super) fn of(seed: u64, purpose: &str, number: usize) -> Self {
        // By name (FNV-1a), so that one purpose more changes nothing of the others.
        let purpose = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let base = Rng::with_seed(seed ^ purpose).u64(..);
        Self(Rng::with_seed(base ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// A number below this one.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.u64(..bound as u64) as usize
    }

    /// A number from the first to the last.
    pub(super) fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// Whether something that happens so often in a hundred times happens.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// A UUID of version 4 (RFC 9562, 5.4): ids are in no order that others are in.
    pub(super) fn id(&mut self) -> Id {
        let random = self.0.u128(..);
        Id::from_u128(random & !(0xf << 76 | 0b11 << 62) | 0x4 << 76 | 0b10 << 62)
    }

    /// A number from -1 to below 1.
    pub(super) fn component(&mut self) -> f32 {
        (self.0.u32(..) >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    /// A time between two others, the first included, to the microsecond.
    pub(super) fn time(&mut self, first: Timestamp, last: Timestamp) -> Timestamp {
        time(self.0.i64(first.as_micros()..last.as_micros()))
    }

    /// An id, and a life so far: some have changed, and then later than they were made.
    pub(super) fn common(&mut self) -> Common {
        let id = self.id();
        let made = self.0.i64(FIRST..LAST);
        // Some clients know whole seconds alone.
        let made = if self.chance(10) { made - made % 1_000_000 } else { made };
        let changes = if self.chance(60) { 0 } else { self.0.u64(1..40) };
        let changed = if changes == 0 { made } else { self.0.i64(made..LAST) + 1 };
        Common { id, created_at: time(made), updated_at: time(changed), revision: 1 + changes }
    }
}

fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}
