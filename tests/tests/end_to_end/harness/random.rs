//! Random choices that can be made again: a failed run prints its seed, `MOSAIC_TEST_SEED` repeats it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// SplitMix64 (Steele, Lea, Flood 2014): enough for choosing moments and texts.
pub(crate) struct Random(u64);

impl Random {
    /// From `MOSAIC_TEST_SEED`, else from the clock. Says which, so that a failure can be repeated.
    #[expect(clippy::disallowed_methods, reason = "a seed is to differ from run to run")]
    pub(crate) fn new(what: &str) -> Self {
        let given = std::env::var("MOSAIC_TEST_SEED").ok().map(|seed| seed.parse().expect("MOSAIC_TEST_SEED is a number"));
        let seed = given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos().into());
        println!("{what}: MOSAIC_TEST_SEED={seed}");
        Self(seed)
    }

    /// From a fixed seed, for data that is the same each time.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A time up to `longest`.
    pub(crate) fn up_to(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(longest.as_micros()).unwrap_or(u64::MAX)))
    }

    /// A random UUID.
    pub(crate) fn id(&mut self) -> String {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        mosaic_core::Id::from_u128(bits & !(0xf << 76) | (4 << 76)).to_string()
    }
}
