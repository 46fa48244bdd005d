//! Ids of records, and where new ones come from.

use std::sync::Mutex;

use crate::Timestamp;

/// A record's id: any UUID when a client chose it, version 7 (RFC 9562) when Mosaic did.
pub type Id = uuid::Uuid;

/// Where new ids come from. Injected, so that tests can predict them.
pub trait IdSource: Send + Sync {
    /// A new id, for a record made at `now`.
    fn next(&self, now: Timestamp) -> Id;
}

/// Random UUIDs of version 7: they sort by the millisecond they were made in.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn next(&self, now: Timestamp) -> Id {
        let mut random = [0; 10];
        // Without entropy from the operating system there is nothing sensible to go on with; a
        // zeroed tail would collide and be refused as a conflict, which loses nothing.
        let _ = getrandom::fill(&mut random);
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// Ids that count up from 1, for tests.
#[derive(Debug, Default)]
pub struct CountingIds(Mutex<u128>);

impl IdSource for CountingIds {
    fn next(&self, _: Timestamp) -> Id {
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *last += 1;
        Id::from_u128(*last)
    }
}
