//! A move, from the state in which it is to its end. What must not come in: how a step is done.

use std::path::PathBuf;
use std::time::Instant;

use mosaic_core::{Clock as _, Error, ErrorKind, Id, IdSource as _, Opening, RandomIds, Result, SystemClock};

use super::contents::{self, Contents};
use super::copy::{check_counts, copy};
use super::cut_over::cut_over;
use super::differences::differences;
use super::document::{Document, Fence, FenceState, Journal, JournalState};
use super::fingerprint::Fingerprints;
use super::progress::{Progress, Step};
use super::report::{Moved, Outcome, Subject};
use super::side::Side;
use super::standing::{Standing, standing};
use super::survey::Survey;
use super::verify::verify;
use crate::config::Successor;

impl Survey {
    /// Moves everything, from where an earlier run has come.
    ///
    /// # Errors
    /// The first of the plan's blockers, before anything is changed. Those of both sides: run again, it goes on.
    pub async fn run(&mut self, progress: &Progress<'_>) -> Result<Outcome> {
        if let Some(blocker) = self.plan().blockers.first() {
            return Err(blocker.repeated());
        }
        let (Some(source), Some(standing)) = (&mut self.source, self.standing.clone()) else {
            return Err(Error::new(ErrorKind::Internal, "a move without a source"));
        };
        if let Some(target) = self.target.take() {
            target.close().await;
        }
        // It is brought up to date here, and looked at once more: others may have been there meanwhile.
        let target = self.target.insert(Side::target(&self.migration.target, Opening::Prepare).await?);
        source.slot.refresh().await?;
        let files = Files { config: self.migration.config_file(), successor: &self.successor };
        advance(source, target, &files, standing.id(), progress).await
    }
}

/// The configs of a move.
pub(super) struct Files<'f> {
    /// The one that it is begun with; none where there is no file.
    pub(super) config: Option<PathBuf>,
    /// The one of the gateway on the target.
    pub(super) successor: &'f Successor,
}

/// Takes a move from where it is to its end; `seen` is the one that is under way, as far as is known.
///
/// # Errors
/// As [`Survey::run`].
pub(super) async fn advance(
    source: &mut Side,
    target: &mut Side,
    files: &Files<'_>,
    seen: Option<Id>,
    progress: &Progress<'_>,
) -> Result<Outcome> {
    let begun = Instant::now();
    let (fence, mut journal) = begin(source, target, files, seen).await?;
    if journal.state == JournalState::CutOver {
        // Another run has ended it, and somebody may be at work there.
        return Ok(Outcome::Moved(journal.moved(None)));
    }
    if journal.state < JournalState::Verified {
        copy(source, target, &mut journal, progress).await?;
        if !verify(source, target, &journal, progress).await? {
            let found = differences(source, target).await?;
            // Where another run has ended the move, somebody may be at work there.
            target.slot.check().await?;
            return Ok(Outcome::Different(found));
        }
        check_counts(source, &journal).await?;
        go_to(target, &mut journal, JournalState::Verified).await?;
    }
    let mut without_index = None;
    if let Some(vectors) = &target.vectors {
        (progress.0)(Step::Indexing, Subject::Embeddings, 0);
        // Without it, searches are answered all the same, and the gateway there makes it when it can.
        without_index = vectors.settle().await.err();
    }
    cut_over(source, target, fence, &mut journal, files).await?;
    Ok(Outcome::Moved(Moved { without_index, ..journal.moved(Some(begun.elapsed())) }))
}

/// Takes the target, raises the fence, and makes room: what comes before the first record goes over.
async fn begin(source: &mut Side, target: &mut Side, files: &Files<'_>, seen: Option<Id>) -> Result<(Fence, Journal)> {
    let standing = standing(source.slot.document(), target.slot.document(), &source.end, &target.end)?;
    if standing.id() != seen {
        return Err(Error::new(ErrorKind::Conflict, "another run of this move has begun meanwhile").hint("run this again"));
    }
    let now = SystemClock.now();
    let id = seen.unwrap_or_else(|| RandomIds.next(now));
    let planned = planned(id, source, target, files);
    let (fence, mut journal) = match standing {
        Standing::UnderWay(fence, journal) | Standing::Over(fence, journal) => (fence, journal),
        Standing::Again(fence) => (fence, take(target, planned).await?),
        Standing::New | Standing::Taken(_) => {
            let journal = take(target, planned).await?;
            (raise(source, &journal).await?, journal)
        }
    };
    if journal.state == JournalState::Planned {
        nobody_inside(source, target).await?;
        go_to(target, &mut journal, JournalState::Fenced).await?;
    }
    if journal.state == JournalState::Fenced {
        make_room(target, &mut journal).await?;
    }
    Ok((fence, journal))
}

fn planned(id: Id, source: &Side, target: &Side, files: &Files<'_>) -> Journal {
    let now = SystemClock.now();
    Journal {
        id,
        state: JournalState::Planned,
        from: source.end.clone(),
        to: target.end.clone(),
        config: files.config.clone(),
        new_config: files.successor.path.clone(),
        begun_at: now,
        at: now,
        after: None,
        embedding_after: None,
        copied: Fingerprints::default(),
    }
}

/// Takes the target, unless somebody's data is in it or somebody works on it. From here on, no gateway starts there: in this order, so that
/// of a gateway and a move that come at once, one sees the other.
async fn take(target: &mut Side, journal: Journal) -> Result<Journal> {
    if let Contents::Data(held) = Contents::of(target).await? {
        return Err(contents::refusal(target, &held).await);
    }
    target.slot.put(Document::Target(journal.clone())).await?;
    if let Some(gateway) = target.somebody().await? {
        target.slot.remove().await?;
        return Err(target.in_use(&gateway));
    }
    Ok(journal)
}

/// Raises the fence.
async fn raise(source: &mut Side, journal: &Journal) -> Result<Fence> {
    let Journal { id, to, config, new_config, at, .. } = journal.clone();
    let fence = Fence { id, state: FenceState::Fenced, to, config, new_config, at };
    source.slot.put(Document::Source(fence.clone())).await?;
    Ok(fence)
}

/// Takes the fence down again when somebody is inside.
async fn nobody_inside(source: &mut Side, target: &mut Side) -> Result<()> {
    let Some(gateway) = source.somebody().await? else { return Ok(()) };
    source.slot.remove().await?;
    target.slot.remove().await?;
    Err(source.in_use(&gateway))
}

async fn go_to(target: &mut Side, journal: &mut Journal, state: JournalState) -> Result<()> {
    journal.state = state;
    journal.at = SystemClock.now();
    target.slot.put(Document::Target(journal.clone())).await
}

/// Removes what a first start made, in the same transaction that lets copying begin.
async fn make_room(target: &mut Side, journal: &mut Journal) -> Result<()> {
    match Contents::of(target).await? {
        Contents::Nothing => go_to(target, journal, JournalState::Copying).await,
        Contents::FirstStart { user_id, removal, .. } => {
            let next = Journal { state: JournalState::Copying, at: SystemClock.now(), ..journal.clone() };
            contents::remove_first_start(target, user_id, removal, Document::Target(next.clone())).await?;
            *journal = next;
            Ok(())
        }
        Contents::Data(held) => Err(contents::refusal(target, &held).await),
    }
}
