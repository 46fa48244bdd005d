//! What is kept for a while to save work. Losing all of it loses nothing.

use std::time::Duration;

use async_trait::async_trait;

use crate::Result;

/// A cache of bytes. Keys are namespaced by a prefix and a colon (`token:…`). An entry may vanish at any time.
#[async_trait]
pub trait Cache: Send + Sync {
    /// The value of a key, unless it has expired or vanished.
    ///
    /// # Errors
    /// When the cache cannot be reached; callers go on without it.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>>;

    /// Keeps a value under a key for `ttl`, in place of what was there.
    ///
    /// # Errors
    /// As [`Self::get`].
    async fn set(&self, key: &str, value: &[u8], ttl: Duration) -> Result<()>;

    /// Forgets a key.
    ///
    /// # Errors
    /// As [`Self::get`]; the entry may then live until its time is up.
    async fn remove(&self, key: &str) -> Result<()>;

    /// Adds one to a counter and answers its value. A counter begins at 0 and is forgotten `window` after its first increment.
    ///
    /// # Errors
    /// As [`Self::get`].
    async fn increment(&self, key: &str, window: Duration) -> Result<u64>;

    /// Checks that the cache is there. It costs next to nothing: one in another process tells what it has seen lately.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unavailable`] while it is away.
    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
