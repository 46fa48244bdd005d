//! What follows from the documents of both sides: whether a move begins, goes on, or is over. What must not come in: looking.

use mosaic_core::{Error, ErrorKind, Id, Result};

use super::document::{Document, End, Fence, FenceState, Journal, JournalState};

/// How it stands with a move.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Standing {
    /// Nothing was done yet. The target may be taken, if nothing else is in it.
    New,
    /// The source is fenced, and the target knows nothing: what was there was removed, by an abort that was cut off or by its operator.
    Again(Fence),
    /// An earlier run took the target, and was cut off before the source was fenced.
    Taken(Journal),
    /// An earlier run was cut off.
    UnderWay(Fence, Journal),
    /// It has come to its end.
    Over(Fence, Journal),
}

/// How it stands, by what the two sides say.
///
/// # Errors
/// [`ErrorKind::Conflict`] when one of them is a side of another move.
pub(super) fn standing(source: Option<&Document>, target: Option<&Document>, from: &End, to: &End) -> Result<Standing> {
    let fence = match source {
        Some(Document::Source(fence)) => Some(fence),
        Some(Document::Target(journal)) if journal.state != JournalState::CutOver => return Err(journal.refusal()),
        Some(Document::Restore(restoring)) => return Err(restoring.refusal()),
        // It was the target of a move once, and is what it is by now.
        Some(Document::Target(_)) | None => None,
    };
    let journal = match target {
        Some(Document::Target(journal)) => Some(journal),
        Some(Document::Source(fence)) => return Err(fence.refusal()),
        Some(Document::Restore(restoring)) => return Err(restoring.refusal()),
        None => None,
    };
    match (fence, journal) {
        (None, None) => Ok(Standing::New),
        (None, Some(journal)) if journal.state == JournalState::CutOver => Err(holds_another(journal)),
        (None, Some(journal)) if journal.from != *from => Err(journal.refusal()),
        (None, Some(journal)) if journal.state == JournalState::Planned => Ok(Standing::Taken(journal.clone())),
        (None, Some(journal)) => Err(journal.given_up()),
        (Some(fence), Some(journal)) if fence.id == journal.id => Ok(if journal.state == JournalState::CutOver {
            Standing::Over(fence.clone(), journal.clone())
        } else {
            Standing::UnderWay(fence.clone(), journal.clone())
        }),
        (Some(fence), None) if fence.state == FenceState::Fenced && fence.to == *to => Ok(Standing::Again(fence.clone())),
        (Some(fence), _) => Err(fence.refusal()),
    }
}

impl Standing {
    /// The move that it is about; none for a new one.
    pub(super) fn id(&self) -> Option<Id> {
        match self {
            Self::New => None,
            Self::Taken(journal) => Some(journal.id),
            Self::Again(fence) | Self::UnderWay(fence, _) | Self::Over(fence, _) => Some(fence.id),
        }
    }

    /// How far it is, if it was begun.
    pub(super) fn reached(&self) -> Option<JournalState> {
        match self {
            Self::New => None,
            Self::Again(_) => Some(JournalState::Planned),
            Self::Taken(journal) | Self::UnderWay(_, journal) | Self::Over(_, journal) => Some(journal.state),
        }
    }
}

fn holds_another(journal: &Journal) -> Error {
    Error::new(ErrorKind::Conflict, "the target holds what another move has brought there")
        .with("from", &journal.from.tier)
        .with("place", &journal.from.place)
        .hint("give it an empty database: createdb …")
}
