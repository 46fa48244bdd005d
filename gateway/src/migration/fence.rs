//! The fence, as everybody else meets it: whether what is here may be worked on. What must not come in: moving.

use std::path::Path;

use mosaic_core::{Error, ErrorKind, Result, Storage};
use tokio::time::sleep;

use super::document::{self, Document, Fence, FenceState, Journal, JournalState};
use crate::documents::MIGRATION;
use crate::presence::{Presence, RENEWAL};
use crate::shell::quoted;

/// What somebody wants of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To read it.
    Read,
    /// To write to it as well.
    Write,
}

/// Lets somebody in who writes, and says of them that they are there. In this order: whoever raises a fence looks afterwards who is
/// there, so that of the two one sees the other.
///
/// # Errors
/// As [`admit`]; those of the storage.
pub async fn enter(storage: &dyn Storage, presence: &Presence) -> Result<()> {
    if let Err(error) = presence.say().await {
        // It may have been said all the same.
        presence.leave().await;
        return Err(error);
    }
    let admitted = admit(storage, Purpose::Write).await;
    if admitted.is_err() {
        presence.leave().await;
    }
    admitted
}

/// Stays in, and says so again and again, until it may no more: somebody who was silent for long, a machine that slept, counts as gone,
/// and a move may have begun. A storage that fails is no reason to leave.
pub async fn stay(storage: &dyn Storage, presence: &Presence) -> Error {
    loop {
        if let Err(error) = presence.say().await {
            tracing::debug!(%error, "it is not said that this process is there");
        }
        match admit(storage, Purpose::Write).await {
            Err(refusal) if matches!(refusal.kind(), ErrorKind::Config | ErrorKind::Corrupt) => return refusal,
            _ => sleep(RENEWAL).await,
        }
    }
}

/// Whether the data may be worked on.
///
/// # Errors
/// [`ErrorKind::Config`] when it is being moved, was moved, or has not arrived yet: with the command to finish the move, and the one to undo it.
pub async fn admit(storage: &dyn Storage, purpose: Purpose) -> Result<()> {
    let Some(state) = storage.state(MIGRATION).await? else { return Ok(()) };
    // Whatever else another version says of a source, its records stay as they are.
    if purpose == Purpose::Read && Document::is_of_source(&state.value) {
        return Ok(());
    }
    match Document::parse(state.value)? {
        Document::Source(fence) => Err(fence.refusal()),
        Document::Target(journal) if journal.state != JournalState::CutOver => Err(journal.refusal()),
        Document::Target(_) => Ok(()),
        Document::Restore(restoring) => Err(restoring.refusal()),
    }
}

impl Fence {
    /// Why nobody writes here.
    pub(super) fn refusal(&self) -> Error {
        let error = |message: &'static str| {
            Error::new(ErrorKind::Config, message).with("to", &self.to.tier).with("place", &self.to.place).with("since", self.at)
        };
        match self.state {
            FenceState::Fenced => error("this data is being moved to another tier").hint(to_finish(&self.to.tier, self.config.as_deref())),
            FenceState::Moved => error("this data was moved to another tier").hint(format!(
                "go on there: mosaic serve --config {}; or return to what is here, without what was written there: {}",
                quoted(&self.new_config.to_string_lossy()),
                document::command(&self.to.tier, self.config.as_deref(), "--return")
            )),
        }
    }
}

impl Journal {
    /// Why nobody works here yet.
    pub(super) fn refusal(&self) -> Error {
        Error::new(ErrorKind::Config, "what is here is a part of what is being moved here")
            .with("from", &self.from.tier)
            .with("place", &self.from.place)
            .with("state", self.state.name())
            .hint(to_finish(&self.to.tier, self.config.as_deref()))
    }

    /// Why a move is not gone on with whose source was returned to.
    pub(super) fn given_up(&self) -> Error {
        Error::new(ErrorKind::Config, "what the target holds is a part of a move that was given up")
            .with("place", &self.to.place)
            .with("state", self.state.name())
            .hint(format!("remove it, then begin anew: {}", document::command(&self.to.tier, self.config.as_deref(), "--abort")))
    }
}

fn to_finish(to: &str, config: Option<&Path>) -> String {
    format!("finish the move: {}; or undo it: {}", document::command(to, config, ""), document::command(to, config, "--abort"))
}
