//! One side of a move: its backend, opened, and its document. What must not come in: the other side.

use std::sync::Arc;

use mosaic_core::{Backend, Cache, Error, ErrorKind, Opening, Place, Result, Sharing, Storage, SystemClock, VectorIndex};

use super::document::{Document, End, JournalState, Slot};
use crate::config::Config;
use crate::open;
use crate::presence::{self, Gateway};
use crate::services::Services;

/// A side that is open.
pub(crate) struct Side {
    pub(crate) end: End,
    pub(crate) place: Place,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) vectors: Option<Arc<dyn VectorIndex>>,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) slot: Slot,
    _services: Services,
}

impl Side {
    /// Opens the source, as it is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is nothing, and whatever stands in the way.
    pub(super) async fn source(config: &Config) -> Result<Self> {
        let mut backend = open::once(config, "migrate", Opening::AsItIs).await.map_err(stopped)?;
        let services = Services::start(std::mem::take(&mut backend.services));
        Self::new(&config.tier, backend, services).await
    }

    /// Opens the target. What runs in the background there is left out: it would make indexes of what is still to grow, and nobody
    /// else is there.
    ///
    /// # Errors
    /// As [`Self::source`].
    pub(super) async fn target(config: &Config, opening: Opening) -> Result<Self> {
        let backend = open::once(config, "migrate", opening).await?;
        Self::new(&config.tier, backend, Services::start(Vec::new())).await
    }

    /// Opens what a backup goes into. What runs in the background is left out, as of a target.
    ///
    /// # Errors
    /// As [`Self::source`].
    pub(crate) async fn restored(config: &Config, opening: Opening) -> Result<Self> {
        let backend = open::once(config, "backup restore", opening).await.map_err(stopped)?;
        Self::new(&config.tier, backend, Services::start(Vec::new())).await
    }

    /// A side of a backend that is open.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a document that this version does not know; those of the storage.
    pub(crate) async fn new(tier: &str, backend: Backend, services: Services) -> Result<Self> {
        let Backend { storage, vectors, cache, place, .. } = backend;
        let end = End { tier: tier.to_owned(), place: place.name.clone() };
        match Slot::read(Arc::clone(&storage)).await {
            Ok(slot) => Ok(Self { end, place, storage, vectors, cache, slot, _services: services }),
            Err(error) => {
                // In good order: whoever tries again finds it free.
                let _ = storage.close().await;
                Err(error)
            }
        }
    }

    /// A gateway, or another that writes, that is there.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn somebody(&self) -> Result<Option<Gateway>> {
        if self.place.sharing == Sharing::Exclusive {
            return Ok(None);
        }
        Ok(presence::there(&*self.storage, &SystemClock).await?.into_iter().next())
    }

    /// Whether a move has put records here, or the records here have gone elsewhere: what it holds is nobody else's.
    pub(super) fn is_filled(&self) -> bool {
        match self.slot.document() {
            Some(Document::Target(journal)) => journal.state >= JournalState::Copying,
            Some(Document::Source(_) | Document::Restore(_)) => true,
            None => false,
        }
    }

    /// That somebody is there, as an error.
    pub(crate) fn in_use(&self, gateway: &Gateway) -> Error {
        let error = Error::new(ErrorKind::InUse, "the data is in use").with("tier", &self.end.tier).with("place", &self.end.place);
        let error = error.with("host", &gateway.host).with("pid", gateway.pid).with("command", &gateway.command);
        let what = gateway.url.as_ref().map_or_else(|| format!("`mosaic {}`", gateway.command), |url| format!("the gateway at {url}"));
        error.hint(format!(
            "stop {what} on {}: kill {}; one that was killed counts as there for {} s more",
            gateway.host,
            gateway.pid,
            presence::COUNTS_SECONDS
        ))
    }

    /// Lets go of it.
    pub(crate) async fn close(&self) {
        // What was acknowledged is safe.
        let _ = self.storage.close().await;
    }
}

/// Says what to do about a source that is in use: what other commands are told, to go through the gateway, helps no move.
fn stopped(error: Error) -> Error {
    match (error.kind(), error.get("pid").map(str::to_owned)) {
        (ErrorKind::InUse, Some(pid)) => error.hint(format!("stop it, then run this again: kill {pid}")),
        _ => error,
    }
}
