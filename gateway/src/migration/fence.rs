//! The fence, as everybody else meets it: whether what is here may be worked on. What must not come in: moving.

use std::path::Path;

use mosaic_core::{Error, ErrorKind, Result, Storage};

use super::document::{self, Document, Fence, FenceState, Journal, Stage};
use crate::documents::MIGRATION;
use crate::presence::Presence;
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
    presence.say().await?;
    let admitted = admit(storage, Purpose::Write).await;
    if admitted.is_err() {
        presence.leave().await;
    }
    admitted
}

/// Whether the data may be worked on.
///
/// # Errors
/// [`ErrorKind::Config`] when it is being moved, was moved, or has not arrived yet: with the command to finish the move, and the one to undo it.
pub async fn admit(storage: &dyn Storage, purpose: Purpose) -> Result<()> {
    let Some(state) = storage.state(MIGRATION).await? else { return Ok(()) };
    match serde_json::from_value(state.value) {
        Ok(Document::Source(_)) if purpose == Purpose::Read => Ok(()),
        Ok(Document::Source(fence)) => Err(fence.refusal()),
        Ok(Document::Target(journal)) if journal.state != Stage::CutOver => Err(journal.refusal()),
        Ok(Document::Target(_)) => Ok(()),
        // Of another version: whatever it says, it is no reason to let somebody write.
        Err(_) if purpose == Purpose::Read => Ok(()),
        Err(error) => Err(Error::new(ErrorKind::Corrupt, "what is known of a move of this data cannot be read")
            .with("state", MIGRATION)
            .hint("use the version of Mosaic that began the move, or a later one")
            .source(error)),
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
}

fn to_finish(to: &str, config: Option<&Path>) -> String {
    format!("finish the move: {}; or undo it: {}", document::command(to, config, ""), document::command(to, config, "--abort"))
}
