//! Leases: of all gateways on the same data, one at a time does a piece of work. A lease is a small document in the storage's state,
//! written by compare-and-set, that says who has it and until when. What must not come in: what the work is.
//!
//! A lease keeps two from doing the same for long; it is no lock. Whoever was cut off may finish a write after it has lost the lease, so
//! what is done under one must be such that doing it twice harms nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mosaic_core::{Clock, Error, ErrorKind, Result, StateWrite, Storage, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a lease lasts unless it is renewed: how long the work rests after its holder was killed.
pub const LASTS: Duration = Duration::from_secs(30);
/// It is renewed so many times while it lasts: two renewals that fail in a row lose nothing.
const RENEWALS: u32 = 3;
/// By this part of its time, its holder holds it for lost before the others do, so that two clocks that differ a little do no harm.
const MARGIN: u32 = 6;
/// How often taking is tried anew when somebody else wrote meanwhile.
const ATTEMPTS: usize = 5;

/// A lease that may be taken.
pub struct Lease {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    name: &'static str,
    holder: String,
    about: String,
    lasts: Duration,
    /// The version that somebody else's lease was at, and since when it has been seen at that.
    watched: Mutex<Option<(u64, Instant)>>,
}

/// Who has a lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// Whoever it is, by a name that no other has.
    pub holder: String,
    /// What it does under the lease, for the others.
    pub about: String,
    /// Until when it has it, unless it renews it.
    pub until: Timestamp,
}

/// What came of an attempt to take a lease.
pub enum Taken<'l> {
    /// It is ours.
    Ours(Held<'l>),
    /// Somebody else has it.
    Theirs(Holder),
}

/// A lease that was taken. Dropped, it runs out by itself; [`Held::release`] gives it back at once.
pub struct Held<'l> {
    lease: &'l Lease,
    version: u64,
    /// When it is to be held for lost. By the process's own time, which nobody sets.
    deadline: Instant,
}

impl Lease {
    /// The lease of this name, to be taken by `holder`, a name that no other process has, to do what `about` says.
    pub fn new(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>, name: &'static str, holder: String, about: String) -> Self {
        Self { storage, clock, name, holder, about, lasts: LASTS, watched: Mutex::default() }
    }

    /// Takes the lease, if nobody has it: it was given back, has run out, or was not renewed for [`LASTS`] while this process
    /// was watching, whatever the holder's clock says. One's own, of an attempt that was dropped, is taken again.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn take(&self) -> Result<Taken<'_>> {
        for _ in 0..ATTEMPTS {
            let state = self.storage.state(self.name).await?;
            let version = state.as_ref().map_or(0, |state| state.version);
            // What cannot be read is nobody's.
            let holder = state.and_then(|state| serde_json::from_value::<Holder>(state.value).ok());
            if let Some(holder) = holder.filter(|holder| holder.holder != self.holder)
                && holder.until > self.clock.now()
                && !self.is_abandoned(version)
            {
                return Ok(Taken::Theirs(holder));
            }
            let begun = Instant::now();
            match self.write(version).await {
                Ok(version) => return Ok(Taken::Ours(Held { lease: self, version, deadline: self.deadline(begun) })),
                Err(error) if error.kind() == ErrorKind::Stale => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "others take the lease all the time").with("name", self.name))
    }

    /// Whether somebody else's lease has stayed at this version for as long as one lasts.
    fn is_abandoned(&self, version: u64) -> bool {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        match *watched {
            Some((seen, since)) if seen == version => since.elapsed() >= self.lasts,
            _ => {
                *watched = Some((version, Instant::now()));
                false
            }
        }
    }

    /// When its holder holds it for lost, that has written it at `begun`.
    fn deadline(&self, begun: Instant) -> Instant {
        begun + self.lasts - self.lasts / MARGIN
    }

    async fn write(&self, expect: u64) -> Result<u64> {
        let lasts = i64::try_from(self.lasts.as_micros()).unwrap_or(i64::MAX);
        let until = Timestamp::from_micros(self.clock.now().as_micros().saturating_add(lasts)).unwrap_or(Timestamp::MAX);
        let value = json!(Holder { holder: self.holder.clone(), about: self.about.clone(), until });
        self.storage.put_state(&StateWrite { name: self.name.to_owned(), value: Some(value), expect }).await
    }
}

impl Held<'_> {
    /// Renews it; answers whether it is still ours.
    ///
    /// # Errors
    /// Those of the storage. It may have been renewed or not: it is ours until [`Self::is_ours`] says otherwise.
    pub async fn renew(&mut self) -> Result<bool> {
        let begun = Instant::now();
        match self.lease.write(self.version).await {
            Ok(version) => self.version = version,
            Err(error) if error.kind() == ErrorKind::Stale => match self.lease.storage.state(self.lease.name).await? {
                // A renewal that was cut off was done all the same.
                Some(state) if state.value["holder"] == self.lease.holder.as_str() => {
                    self.version = self.lease.write(state.version).await?;
                }
                _ => return Ok(false),
            },
            Err(error) => return Err(error),
        }
        self.deadline = self.lease.deadline(begun);
        Ok(true)
    }

    /// Whether it is ours, as far as is known without asking.
    pub fn is_ours(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Does work under the lease, renewing it meanwhile. The work is dropped, and the answer `None`, when the lease is lost: when somebody
    /// else has it, or when it could not be renewed for so long that somebody may.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.keep() => None,
        }
    }

    /// Renews it until it is lost.
    async fn keep(&mut self) {
        let often = self.lease.lasts / RENEWALS;
        let mut pause = often;
        while self.is_ours() {
            sleep(pause.min(self.deadline.saturating_duration_since(Instant::now()))).await;
            pause = match timeout_at(self.deadline, self.renew()).await {
                Ok(Ok(true)) => often,
                Ok(Ok(false)) => return,
                Ok(Err(error)) => {
                    tracing::debug!(name = self.lease.name, %error, "a lease is not renewed, trying again");
                    often / RENEWALS
                }
                Err(_) => return,
            };
        }
    }

    /// Gives it back, so that another may take it at once.
    ///
    /// # Errors
    /// Those of the storage; it runs out by itself then.
    pub async fn release(self) -> Result<()> {
        let write = StateWrite { name: self.lease.name.to_owned(), value: None, expect: self.version };
        match self.lease.storage.put_state(&write).await {
            // Somebody else has it by now.
            Err(error) if error.kind() == ErrorKind::Stale => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

#[cfg(test)]
mod tests;
