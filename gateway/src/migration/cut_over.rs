//! Cutting over: the new config, then the mark on the source, then the one on the target, after which gateways start there. Each may be
//! done twice. What must not come in: whether it is time.

use mosaic_core::{Clock as _, ErrorKind, Result, StateWrite, Storage, SystemClock};

use super::document::{Document, Fence, FenceState, Journal, JournalState};
use super::side::Side;
use crate::config::Successor;
use crate::documents;

/// Cuts over.
///
/// # Errors
/// [`ErrorKind::Conflict`] when another config is in the new one's place; those of both storages.
pub(super) async fn cut_over(
    source: &mut Side,
    target: &mut Side,
    fence: Fence,
    journal: &mut Journal,
    successor: &Successor,
) -> Result<()> {
    take_documents(&*source.storage, &*target.storage).await?;
    successor.write().await?;
    if fence.state != FenceState::Moved {
        let moved = Fence { state: FenceState::Moved, new_config: successor.path.clone(), at: SystemClock.now(), ..fence };
        source.slot.put(Document::Source(moved)).await?;
    }
    let over = Journal { state: JournalState::CutOver, at: SystemClock.now(), ..journal.clone() };
    target.slot.put(Document::Target(over.clone())).await?;
    *journal = over;
    Ok(())
}

/// Takes the documents along that mean something beyond one gateway's life.
async fn take_documents(source: &dyn Storage, target: &dyn Storage) -> Result<()> {
    for name in documents::MOVED {
        let (from, to) = (source.state(name).await?, target.state(name).await?);
        let (value, expect) = (from.map(|state| state.value), to.as_ref().map_or(0, |state| state.version));
        if value != to.map(|state| state.value) {
            match target.put_state(&StateWrite { name: (*name).to_owned(), value, expect }).await {
                // Written by an answer that was lost, as it should be.
                Err(error) if error.kind() == ErrorKind::Stale => {}
                outcome => drop(outcome?),
            }
        }
    }
    Ok(())
}
