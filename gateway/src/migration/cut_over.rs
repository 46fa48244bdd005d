//! Cutting over: the new config, then the mark on the source, then the one on the target, after which gateways start there. Each may be
//! done twice. What must not come in: whether it is time.

use mosaic_core::{Clock as _, ErrorKind, Result, StateWrite, SystemClock};

use super::document::{Document, Fence, FenceState, Journal, JournalState};
use super::run::Files;
use super::side::Side;
use crate::documents;

/// Cuts over.
///
/// # Errors
/// [`ErrorKind::Conflict`] when another config is in the new one's place; those of both storages.
pub(super) async fn cut_over(source: &mut Side, target: &mut Side, fence: Fence, journal: &mut Journal, files: &Files<'_>) -> Result<()> {
    take_documents(source, target, journal).await?;
    files.successor.write().await?;
    // An earlier run may have been of a config that was elsewhere.
    let (config, new_config) = (files.config.clone(), files.successor.path.clone());
    if fence.state != FenceState::Moved {
        let (config, new_config) = (config.clone(), new_config.clone());
        let moved = Fence { state: FenceState::Moved, config, new_config, at: SystemClock.now(), ..fence };
        source.slot.put(Document::Source(moved)).await?;
    }
    let over = Journal { state: JournalState::CutOver, config, new_config, at: SystemClock.now(), ..journal.clone() };
    target.slot.put(Document::Target(over.clone())).await?;
    *journal = over;
    Ok(())
}

/// Takes the documents along that mean something beyond one gateway's life.
async fn take_documents(source: &Side, target: &mut Side, journal: &Journal) -> Result<()> {
    let mut writes = Vec::new();
    for name in documents::MOVED {
        let (from, to) = (source.storage.state(name).await?, target.storage.state(name).await?);
        let (value, expect) = (from.map(|state| state.value), to.as_ref().map_or(0, |state| state.version));
        if value != to.map(|state| state.value) {
            writes.push(StateWrite { name: (*name).to_owned(), value, expect });
        }
    }
    // Another run may have ended the move while this one lay still, and a gateway be at work here. If not, what was seen above is what a
    // move finds, and what anybody writes from now on has another version.
    target.slot.put(Document::Target(journal.clone())).await?;
    for write in writes {
        match target.storage.put_state(&write).await {
            // Written by an answer that was lost, as it should be, or by another run.
            Err(error) if error.kind() == ErrorKind::Stale => {}
            outcome => drop(outcome?),
        }
    }
    Ok(())
}
