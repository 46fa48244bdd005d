//! Undoing a move: before its end, by removing what it made in the target and taking the fence down; after it, by returning to the source.
//! What must not come in: anything that touches a record of the source.

use mosaic_core::{Clock as _, Error, ErrorKind, Opening, Result, SystemClock};

use super::Migration;
use super::contents::Contents;
use super::document::{self, Document, End, Fence, FenceState, JournalState};
use super::side::Side;
use crate::config::Successor;

/// What is to be undone of a move, with both sides open.
pub struct Undo {
    source: Side,
    target: Option<Side>,
    /// Where the config leads, as far as is known.
    place: String,
    /// The fence that is taken down.
    lifts: Option<Fence>,
    erases: bool,
    successor: Successor,
}

impl Undo {
    /// Looks what there is to undo. Nothing is changed.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] for a move that has come to its end, or that goes elsewhere; [`ErrorKind::Config`] for a target that holds
    /// a part of another move. Whatever keeps both sides from opening.
    pub async fn of(migration: &Migration) -> Result<Self> {
        let source = Side::source(&migration.source).await.map_err(|error| error.with("side", "source"))?;
        let (target, place) = match Side::target(&migration.target, Opening::AsItIs).await {
            Ok(target) => {
                let place = target.end.place.clone();
                (Some(target), place)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => (None, error.get("place").unwrap_or_default().to_owned()),
            Err(error) => {
                let is_fenced = matches!(source.slot.document(), Some(Document::Source(_)));
                source.close().await;
                let error = error.with("side", "target");
                return Err(if is_fenced { or_give_up(error, migration) } else { error });
            }
        };
        let successor = Successor::of(&migration.source, &migration.target.tier).await?;
        let mut undo = Self { source, target, place, lifts: None, erases: false, successor };
        match undo.look(migration).await {
            Ok(()) => Ok(undo),
            Err(error) => {
                undo.close().await;
                Err(error)
            }
        }
    }

    async fn look(&mut self, migration: &Migration) -> Result<()> {
        let fence = match self.source.slot.document() {
            Some(Document::Source(fence)) => Some(fence),
            Some(Document::Target(journal)) if journal.state != JournalState::CutOver => return Err(journal.refusal()),
            Some(Document::Restore(restoring)) => return Err(restoring.refusal()),
            _ => None,
        };
        let journal = match self.target.as_ref().and_then(|target| target.slot.document()) {
            Some(Document::Target(journal)) => Some(journal),
            Some(Document::Restore(restoring)) => return Err(restoring.refusal()),
            _ => None,
        };
        let (lifts, erases) = match (fence, journal) {
            (Some(fence), Some(journal)) if fence.id == journal.id && journal.state < JournalState::CutOver => (Some(fence.clone()), true),
            (Some(fence), _) if fence.state == FenceState::Moved => return Err(over(fence)),
            (Some(fence), None) if self.place == fence.to.place => (Some(fence.clone()), self.is_left_over().await?),
            (Some(fence), _) => return Err(elsewhere(fence, migration)),
            (None, Some(journal)) if journal.state == JournalState::CutOver => (None, false),
            (None, Some(journal)) if journal.from == self.source.end => (None, true),
            (None, Some(journal)) => return Err(journal.refusal()),
            (None, None) => (None, self.is_left_over().await?),
        };
        (self.lifts, self.erases) = (lifts, erases);
        Ok(())
    }

    /// Whether the target holds what a move makes first, and nothing else: no gateway ever started there.
    async fn is_left_over(&self) -> Result<bool> {
        match &self.target {
            Some(target) => {
                let is_bare = target.slot.document().is_none() && Contents::of(target).await? == Contents::Nothing;
                Ok(is_bare && target.somebody().await?.is_none())
            }
            None => Ok(false),
        }
    }

    /// The target that is emptied; none when nothing is to be removed there.
    pub fn target(&self) -> Option<&End> {
        self.target.as_ref().filter(|_| self.erases).map(|target| &target.end)
    }

    /// Whether there is anything to undo.
    pub fn is_nothing(&self) -> bool {
        self.lifts.is_none() && !self.erases
    }

    /// Removes what was made in the target, then takes the fence down. Cut off in between, it is done again.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the move went on meanwhile, or somebody began to work in the target: nothing was changed then. Those of
    /// both sides.
    pub async fn run(&mut self) -> Result<()> {
        if let Some(fence) = &self.lifts {
            // Written anew, so that a run that is about to say that everything was moved does not.
            let fence = Fence { state: FenceState::Fenced, at: SystemClock.now(), ..fence.clone() };
            self.source.slot.put(Document::Source(fence)).await?;
        }
        if let Some(target) = self.target.as_ref().filter(|_| self.erases) {
            // Since it was looked at, somebody was asked, who may have taken their time.
            if target.slot.document().is_none() && !self.is_left_over().await? {
                return Err(Error::new(ErrorKind::Conflict, "somebody has begun to work in the target").hint("run this again"));
            }
            target.storage.erase(&target.slot.removal()).await.map_err(document::overtaken)?;
        }
        if self.lifts.is_some() {
            self.successor.take_back().await?;
            self.source.slot.remove().await?;
        }
        Ok(())
    }

    /// Lets go of both sides.
    pub async fn close(self) {
        self.source.close().await;
        if let Some(target) = self.target {
            target.close().await;
        }
    }
}

/// Returning to the source of a move, whatever has become of its target.
pub struct Return {
    source: Side,
}

impl Return {
    /// Looks whether there is anything to return from. Nothing is changed.
    ///
    /// # Errors
    /// Whatever keeps the source from opening.
    pub async fn of(migration: &Migration) -> Result<Self> {
        Ok(Self { source: Side::source(&migration.source).await? })
    }

    /// Where its data went, or was about to go.
    pub fn from(&self) -> Option<&End> {
        match self.source.slot.document() {
            Some(Document::Source(fence)) => Some(&fence.to),
            _ => None,
        }
    }

    /// Takes the fence down: gateways start here again. The target stays as it is.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn run(&mut self) -> Result<()> {
        if self.from().is_some() { self.source.slot.remove().await } else { Ok(()) }
    }

    /// Lets go of the source.
    pub async fn close(self) {
        self.source.close().await;
    }
}

/// A target that does not open may be gone for good.
fn or_give_up(error: Error, migration: &Migration) -> Error {
    let hint = error.hint_text().map(|hint| format!("{hint}; ")).unwrap_or_default();
    error.hint(format!("{hint}if it is gone for good, give the move up: {}", migration.command("--return")))
}

fn over(fence: &Fence) -> Error {
    Error::new(ErrorKind::Conflict, "the move has come to its end: there is nothing to undo")
        .with("to", &fence.to.tier)
        .with("place", &fence.to.place)
        .hint(format!(
            "return to what is here, without what was written there since: {}",
            document::command(&fence.to.tier, fence.config.as_deref(), "--return")
        ))
}

fn elsewhere(fence: &Fence, migration: &Migration) -> Error {
    Error::new(ErrorKind::Conflict, "the move that is under way goes elsewhere")
        .with("to", &fence.to.tier)
        .with("place", &fence.to.place)
        .hint(format!(
            "use the config that it was begun with; or, if that place is gone for good, give the move up: {}",
            migration.command("--return")
        ))
}
