//! The work in the background: of all gateways on the same data one at a time, under a lease, embeds what has no embedding of its present
//! revision. It knows what this process wrote, and looks through everything when it begins and from time to time, for what others wrote.
//! What must not come in: how texts become vectors, and what goes wrong with one batch.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use mosaic_core::{Clock, ErrorKind, Id, Kind, Result, Storage, VectorIndex};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::batch::Batches;
use super::trouble::{Setback, Trouble};
use super::written::Written;
use crate::documents::EMBEDDINGS_LEASE;
use crate::lease::{Lease, Taken};
use crate::models::{Embeddings, OURS};

/// How often a gateway that does not have the lease tries to take it.
const TAKE_AGAIN: Duration = Duration::from_secs(10);
/// How long to wait for more to be written before the first of it is embedded: a batch costs a model little more than one text.
const GATHER: Duration = Duration::from_millis(200);
/// So many records are looked up at a time.
const PAGE: usize = 256;
/// Looking through everything takes about a hundredth of the time, …
const SELDOM: u32 = 100;
/// … where others write, at least so much apart; …
const SOONEST: Duration = Duration::from_secs(5);
/// … and where nobody else does, and at most, so much: what was missed (by a crash between a write and its note) is found then.
const LATEST: Duration = Duration::from_secs(600);
/// How often a long look says how far it is.
const TELL: Duration = Duration::from_secs(60);
/// So many embeddings of a model that is no longer used are removed at a time.
const FORGET: usize = 500;
/// How long giving back the lease may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a worker works with.
pub struct WorkerParts {
    /// The model.
    pub model: Arc<Embeddings>,
    /// The records.
    pub storage: Arc<dyn Storage>,
    /// Their embeddings.
    pub vectors: Arc<dyn VectorIndex>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What this process writes.
    pub written: Arc<Written>,
    /// The name of this run of the gateway.
    pub holder: Id,
    /// How many other gateways are there.
    pub others: watch::Receiver<usize>,
}

/// Makes embeddings, as long as it runs.
pub struct Worker {
    parts: WorkerParts,
    batches: Batches,
    trouble: Trouble,
    /// When everything is to be looked through the next time.
    look_at: Instant,
    /// Whether embeddings of models that were configured before are gone.
    is_tidy: bool,
}

impl Worker {
    /// A worker. It does nothing yet.
    pub fn new(parts: WorkerParts) -> Self {
        let batches = Batches::new(Arc::clone(&parts.model), Arc::clone(&parts.storage), Arc::clone(&parts.vectors));
        Self { parts, batches, trouble: Trouble::default(), look_at: Instant::now(), is_tidy: false }
    }

    /// Works until it is told to stop. Whatever fails is tried again; nothing but a fault of ours ends it before.
    pub async fn run(mut self, stop: CancellationToken) -> Result<()> {
        let lease = Lease::new(
            Arc::clone(&self.parts.storage),
            Arc::clone(&self.parts.clock),
            EMBEDDINGS_LEASE,
            self.parts.holder.to_string(),
            self.parts.model.name().to_owned(),
        );
        let mut told_of = None;
        while !stop.is_cancelled() {
            match stop.run_until_cancelled(lease.take()).await {
                Some(Ok(Taken::Ours(mut held))) => {
                    told_of = None;
                    self.begin();
                    if stop.run_until_cancelled(held.during(self.work())).await == Some(None) {
                        tracing::warn!("this gateway lost the lease for embeddings, and makes none until it has it again");
                        continue;
                    }
                    if !matches!(timeout(FAREWELL, held.release()).await, Ok(Ok(()))) {
                        tracing::debug!("the lease for embeddings is not given back, and runs out");
                    }
                }
                Some(Ok(Taken::Theirs(holder))) if told_of.as_ref() != Some(&holder.holder) => {
                    if holder.about == self.parts.model.name() {
                        tracing::info!("another gateway makes the embeddings");
                    } else {
                        tracing::warn!(
                            "another gateway makes embeddings, by another model: searches here go by words until both have one config"
                        );
                    }
                    told_of = Some(holder.holder);
                }
                Some(Ok(Taken::Theirs(_))) | None => {}
                Some(Err(error)) => tracing::debug!(%error, "the lease for embeddings is not taken"),
            }
            stop.run_until_cancelled(sleep(TAKE_AGAIN)).await;
        }
        Ok(())
    }

    /// Looks through everything first: who knows what was written meanwhile.
    fn begin(&mut self) {
        tracing::info!(model = self.parts.model.section().model, url = %self.parts.model.url(), "this gateway makes the embeddings");
        self.look_at = Instant::now();
        self.is_tidy = false;
    }

    /// Embeds for ever.
    async fn work(&mut self) {
        loop {
            let outcome = match self.parts.written.take() {
                Some(written) if Instant::now() < self.look_at => self.batches.embed(&written).await,
                _ => self.look_through().await,
            };
            let outcome = match outcome {
                Ok(()) => self.tidy().await,
                Err(setback) if setback.error().kind() == ErrorKind::Full && !self.is_tidy => self.make_room().await,
                failed => failed,
            };
            match outcome {
                Ok(()) => {
                    self.trouble.over();
                    self.rest().await;
                }
                Err(setback) => {
                    gauge!("mosaic_embeddings_up_to_date").set(0.0);
                    sleep(self.trouble.met(&setback)).await;
                    // What was not done, and what was written meanwhile, is found by looking.
                    self.look_at = Instant::now();
                }
            }
        }
    }

    /// Waits until there may be something to do.
    async fn rest(&mut self) {
        if Instant::now() < self.look_at {
            gauge!("mosaic_embeddings_up_to_date").set(1.0);
        }
        tokio::select! {
            () = sleep_until(self.look_at) => {}
            () = self.parts.written.rung() => {
                gauge!("mosaic_embeddings_up_to_date").set(0.0);
                sleep(GATHER).await;
            }
            // Others that come write what this process does not know of.
            Ok(()) = self.parts.others.changed() => self.look_at = self.look_at.min(Instant::now() + SOONEST),
        }
    }

    /// Looks through all records for those that are to be embedded, and embeds them; and what is written meanwhile before the rest, since
    /// somebody is about to look for it.
    async fn look_through(&mut self) -> Result<(), Setback> {
        let (begun, mut told) = (Instant::now(), Instant::now());
        let (mut looked, mut after, mut again) = (Duration::ZERO, None, false);
        let before = self.batches.made;
        loop {
            let page = self.page(after, &mut looked).await?;
            let Some(last) = page.last() else { break };
            after = Some(*last);
            gauge!("mosaic_embeddings_up_to_date").set(0.0);
            for records in page.chunks(self.parts.model.section().batch) {
                match self.parts.written.take() {
                    Some(written) => self.batches.embed(&written).await?,
                    None => again = true,
                }
                self.batches.embed(records).await?;
                self.trouble.over();
                self.tidy().await?;
            }
            if told.elapsed() > TELL {
                told = Instant::now();
                tracing::info!(made = self.batches.made - before, "embedding what is not embedded yet");
            }
        }
        let made = self.batches.made - before;
        if made > 0 {
            tracing::info!(made, seconds = begun.elapsed().as_secs(), "everything is embedded");
        }
        // What says nothing, or was set aside, is found each time, and read in vain.
        let cost = if made > 0 { looked } else { begun.elapsed() };
        let others = *self.parts.others.borrow_and_update() > 0;
        self.look_at = Instant::now() + if again { Duration::ZERO } else { interval(cost, others) };
        Ok(())
    }

    /// Records that are to be embedded, and adds the time that finding them took.
    async fn page(&self, after: Option<(Kind, Id)>, looked: &mut Duration) -> Result<Vec<(Kind, Id)>> {
        let begun = Instant::now();
        let page = self.parts.vectors.pending(self.parts.model.name(), after, PAGE).await?;
        *looked += begun.elapsed();
        Ok(page)
    }

    /// Makes room for the embeddings of the model in use, which do not fit, and has everything looked through again.
    async fn make_room(&mut self) -> Result<(), Setback> {
        self.tidy().await?;
        self.look_at = Instant::now();
        Ok(())
    }

    /// Removes the embeddings of models that were configured before; those that clients gave, by models of theirs, have other names and
    /// stay.
    ///
    /// It happens as soon as the model in use has made its first, or when it has nothing to make: no search goes by the others any more,
    /// and they take memory that the new ones need. Not before, since a name misspelt in the config would cost the work of hours.
    async fn tidy(&mut self) -> Result<(), Setback> {
        if self.is_tidy {
            return Ok(());
        }
        let name = self.parts.model.name();
        let models = self.parts.vectors.describe().await?;
        for model in models.into_iter().filter(|model| model.model.starts_with(OURS) && model.model != name) {
            let mut forgotten = 0;
            loop {
                let count = self.parts.vectors.forget(&model.model, FORGET).await?;
                forgotten += count;
                if count < FORGET {
                    break;
                }
            }
            tracing::info!(model = model.model, forgotten, "the embeddings of a model that is no longer configured are removed");
            counter!("mosaic_embeddings_forgotten_total").increment(forgotten as u64);
        }
        self.is_tidy = true;
        Ok(())
    }
}

/// How long until everything is looked through again, which cost so much the last time.
fn interval(cost: Duration, others: bool) -> Duration {
    if others { (cost * SELDOM).clamp(SOONEST, LATEST) } else { LATEST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_takes_a_hundredth_of_the_time_where_others_write() {
        for (ms, others, seconds) in [(0, true, 5), (10, true, 5), (340, true, 34), (60_000, true, 600), (0, false, 600), (340, false, 600)]
        {
            assert_eq!(interval(Duration::from_millis(ms), others), Duration::from_secs(seconds), "{ms} {others}");
        }
    }
}
