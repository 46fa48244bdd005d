//! Times, revisions and ids at their bounds, and around those of others.

use mosaic_core::{Id, Timestamp};

/// The bounds, the days around which calendars and clocks begin, end or leap, each to the microsecond.
const TIMES: &[&str] = &[
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00.000001Z",
    "0004-02-29T23:59:59.999999Z",
    "0099-12-31T23:59:59.999999Z",
    "1582-10-10T12:00:00Z",
    "1900-02-28T23:59:59.999999Z",
    "1969-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59.000001Z",
    "1970-01-01T00:00:00Z",
    "1999-12-31T23:59:59.999999Z",
    "2000-01-01T00:00:00Z",
    "2000-02-29T12:34:56.789012Z",
    "2016-12-31T23:59:59.999999Z",
    "2024-02-29T00:00:00.000010Z",
    "2038-01-19T03:14:08.100000Z",
    "2262-04-11T23:47:16.854776Z",
    "9996-02-29T23:59:59.000999Z",
];

/// Around what 31, 32, 53 (the whole numbers of an `f64`) and 63 bits hold.
const REVISIONS: &[u64] =
    &[1, 2, (1 << 31) - 1, 1 << 31, (1 << 32) + 1, (1 << 53) - 1, (1 << 53) + 1, i64::MAX as u64 - 1, i64::MAX as u64];

/// How many times there are.
pub(super) const COUNT: usize = TIMES.len();

/// The time with this number; they begin anew when there are no more.
pub(super) fn time(number: usize) -> Timestamp {
    TIMES[number % TIMES.len()].parse().unwrap()
}

/// The revision with this number; they begin anew when there are no more.
pub(super) fn revision(number: usize) -> u64 {
    REVISIONS[number % REVISIONS.len()]
}

/// The first and the last of all ids, and their neighbours. A record of each kind may have them.
pub(super) const IDS: [Id; 4] = [Id::nil(), Id::max(), Id::from_u128(1), Id::from_u128(u128::MAX - 1)];
