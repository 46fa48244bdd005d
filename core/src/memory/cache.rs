//! A cache in this process, of bounded size; also the cache of the tiers `local` and `standalone`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::{Cache, Clock, Result, Timestamp};

/// The most that a [`MemoryCache`] holds, in bytes of keys, values and bookkeeping together: 8 MiB.
pub const CACHE_BYTES: usize = 8 << 20;

/// What an entry costs beside its key (which is held twice) and its value, in bytes. A round figure.
const ENTRY_BYTES: usize = 200;

/// A cache in this process. Past [`CACHE_BYTES`], the entries that would expire first make room; what would not fit alone is not kept.
pub struct MemoryCache {
    clock: Arc<dyn Clock>,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<String, Entry>,
    /// Keys by when they expire, and by a number where that is the same.
    by_expiry: BTreeMap<Expiry, String>,
    bytes: usize,
    made: u64,
}

type Expiry = (Timestamp, u64);

struct Entry {
    value: Vec<u8>,
    expiry: Expiry,
}

impl MemoryCache {
    /// An empty cache, whose entries age by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, entries: Mutex::default() }
    }

    /// The entries that are still alive at the time that comes with them.
    fn alive(&self) -> (MutexGuard<'_, Entries>, Timestamp) {
        let now = self.clock.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.expire(now);
        (entries, now)
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let (entries, _) = self.alive();
        Ok(entries.by_key.get(key).map(|entry| entry.value.clone()))
    }

    async fn set(&self, key: &str, value: &[u8], ttl: Duration) -> Result<()> {
        let (mut entries, now) = self.alive();
        entries.remove(key);
        entries.insert(key, value.to_vec(), later(now, ttl));
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<()> {
        let (mut entries, _) = self.alive();
        entries.remove(key);
        Ok(())
    }

    /// Counters are kept as decimal text; what is no number counts from 0.
    async fn increment(&self, key: &str, window: Duration) -> Result<u64> {
        let (mut entries, now) = self.alive();
        let (count, expires_at) = match entries.remove(key) {
            Some(entry) => (read_count(&entry.value).saturating_add(1), entry.expiry.0),
            None => (1, later(now, window)),
        };
        entries.insert(key, count.to_string().into_bytes(), expires_at);
        Ok(count)
    }
}

impl Entries {
    fn expire(&mut self, now: Timestamp) {
        while let Some(first) = self.by_expiry.first_entry().filter(|first| first.key().0 <= now) {
            let key = first.get().clone();
            self.remove(&key);
        }
    }

    /// Adds an entry whose key is not there, and makes room for it.
    fn insert(&mut self, key: &str, value: Vec<u8>, expires_at: Timestamp) {
        if cost(key, &value) > CACHE_BYTES {
            return;
        }
        self.made += 1;
        let expiry = (expires_at, self.made);
        self.bytes += cost(key, &value);
        self.by_expiry.insert(expiry, key.to_owned());
        self.by_key.insert(key.to_owned(), Entry { value, expiry });
        while self.bytes > CACHE_BYTES
            && let Some(soonest) = self.by_expiry.first_entry()
        {
            let key = soonest.get().clone();
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &str) -> Option<Entry> {
        let entry = self.by_key.remove(key)?;
        self.by_expiry.remove(&entry.expiry);
        self.bytes -= cost(key, &entry.value);
        Some(entry)
    }
}

fn cost(key: &str, value: &[u8]) -> usize {
    2 * key.len() + value.len() + ENTRY_BYTES
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_add(micros)).unwrap_or(Timestamp::MAX)
}

fn read_count(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures::executor::block_on;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A clock that stands at a number of seconds.
    #[derive(Default)]
    struct Seconds(AtomicI64);

    impl Clock for Seconds {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(0).unwrap().plus_seconds(self.0.load(Ordering::Relaxed))
        }
    }

    fn cache() -> (MemoryCache, Arc<Seconds>) {
        let clock = Arc::new(Seconds::default());
        (MemoryCache::new(clock.clone()), clock)
    }

    fn bytes(cache: &MemoryCache) -> usize {
        cache.entries.lock().unwrap().bytes
    }

    #[test]
    fn it_stays_within_its_bytes_and_keeps_what_lives_longest() {
        let (cache, _) = cache();
        for i in 0..100_u32 {
            let ttl = MINUTE * (100 - i);
            block_on(cache.set(&format!("page:{i}"), &vec![0; CACHE_BYTES / 20], ttl)).unwrap();
            assert!(bytes(&cache) <= CACHE_BYTES);
        }
        assert!(block_on(cache.get("page:0")).unwrap().is_some(), "lives longest");
        assert!(block_on(cache.get("page:99")).unwrap().is_none(), "made room for itself");
    }

    #[test]
    fn many_small_entries_are_bounded_too() {
        let (cache, _) = cache();
        for i in 0..100_000 {
            block_on(cache.increment(&format!("sign-in:{i}"), MINUTE)).unwrap();
        }
        assert!(bytes(&cache) <= CACHE_BYTES);
        assert!(cache.entries.lock().unwrap().by_key.len() < CACHE_BYTES / ENTRY_BYTES);
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_pushes_nothing_out() {
        let (cache, _) = cache();
        block_on(cache.set("small", b"one", MINUTE)).unwrap();
        block_on(cache.set("large", &vec![0; CACHE_BYTES], MINUTE)).unwrap();
        assert_eq!(block_on(cache.get("large")).unwrap(), None);
        assert_eq!(block_on(cache.get("small")).unwrap().as_deref(), Some(&b"one"[..]));
    }

    #[test]
    fn what_has_expired_is_given_back_whole() {
        let (cache, clock) = cache();
        for i in 0..10 {
            block_on(cache.set(&format!("token:{i}"), b"principal", MINUTE)).unwrap();
            block_on(cache.set("token:0", b"again", MINUTE)).unwrap();
        }
        clock.0.store(60, Ordering::Relaxed);
        assert_eq!(block_on(cache.get("token:0")).unwrap(), None);
        let entries = cache.entries.lock().unwrap();
        assert_eq!((entries.bytes, entries.by_key.len(), entries.by_expiry.len()), (0, 0, 0));
    }
}
