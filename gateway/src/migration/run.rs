//! A move, from the state in which it is to its end. What must not come in: how a step is done.

use std::time::Instant;

use mosaic_core::{Batch, Id};
use mosaic_core::{Clock as _, Error, ErrorKind, IdSource as _, Opening, RandomIds, Result, Scope, SystemClock};

use super::contents::{self, Contents};
use super::copy::{check_counts, copy};
use super::cut_over::cut_over;
use super::differences::differences;
use super::document::{Document, End, Fence, FenceState, Journal, Stage, overtaken};
use super::fingerprint::{Fingerprints, subjects};
use super::report::{Outcome, Subject};
use super::side::Side;
use super::standing::{Standing, standing};
use super::survey::Survey;
use super::verify::verify;

/// A step of a move that takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Records and embeddings go over.
    Copying,
    /// They are read back.
    Verifying,
    /// What is made last is made: the approximate indexes.
    Indexing,
}

/// Whom a move tells how far it is: the step, and of a subject so many.
pub struct Progress<'w>(pub &'w (dyn Fn(Step, Subject, u64) + Send + Sync));

impl Progress<'_> {
    pub(super) fn copied(&self, so_far: &Fingerprints) {
        self.tell(Step::Copying, so_far);
    }

    pub(super) fn verified(&self, so_far: &Fingerprints) {
        self.tell(Step::Verifying, so_far);
    }

    fn tell(&self, step: Step, so_far: &Fingerprints) {
        subjects().for_each(|subject| (self.0)(step, subject, so_far.of(subject).records));
    }
}

impl Survey {
    /// Moves everything, from where an earlier run has come.
    ///
    /// # Errors
    /// The first of the plan's blockers, before anything is changed. Those of both sides: run again, it goes on.
    pub async fn run(&mut self, progress: &Progress<'_>) -> Result<Outcome> {
        let begun = Instant::now();
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
        let parties = Parties {
            config: self.migration.source.source.as_deref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned())),
            new_config: self.successor.path.clone(),
            to: target.end.clone(),
        };
        let (fence, mut journal) = begin(source, target, &parties, &standing).await?;
        if journal.state < Stage::Verified {
            copy(source, target, &mut journal, progress).await?;
            if !verify(source, target, &journal, progress).await?.is_empty() {
                let found = differences(source, target).await?;
                // Where another run has ended the move, somebody may be at work there.
                target.slot.check().await?;
                return Ok(Outcome::Different(found));
            }
            check_counts(source, &journal).await?;
            go_to(target, &mut journal, Stage::Verified).await?;
        }
        if let Some(vectors) = &target.vectors {
            (progress.0)(Step::Indexing, Subject::Embeddings, 0);
            vectors.settle().await?;
        }
        cut_over(source, target, fence, &mut journal, &self.successor).await?;
        Ok(Outcome::Moved(journal.moved(Some(begun.elapsed()))))
    }
}

/// What the documents say of both sides.
struct Parties {
    config: Option<std::path::PathBuf>,
    new_config: std::path::PathBuf,
    to: End,
}

/// Takes the target, raises the fence, and makes room: what comes before the first record goes over.
async fn begin(source: &mut Side, target: &mut Side, parties: &Parties, seen: &Standing) -> Result<(Fence, Journal)> {
    let standing = standing(source.slot.document(), target.slot.document(), &parties.to)?;
    if standing.id() != seen.id() {
        return Err(Error::new(ErrorKind::Conflict, "another run of this move has begun meanwhile").hint("run this again"));
    }
    let now = SystemClock.now();
    let id = standing.id().unwrap_or_else(|| RandomIds.next(now));
    let (fence, mut journal) = match standing {
        Standing::UnderWay(fence, journal) | Standing::Over(fence, journal) => (Some(fence), journal),
        Standing::Again(fence) => (Some(fence), take(target, planned(id, source, parties)).await?),
        Standing::New | Standing::Taken(_) => (None, take(target, planned(id, source, parties)).await?),
    };
    let fence = match fence {
        Some(fence) => fence,
        None => {
            raise(
                source,
                target,
                Fence {
                    id,
                    state: FenceState::Fenced,
                    to: parties.to.clone(),
                    config: parties.config.clone(),
                    new_config: parties.new_config.clone(),
                    at: now,
                },
            )
            .await?
        }
    };
    if journal.state == Stage::Planned {
        go_to(target, &mut journal, Stage::Fenced).await?;
    }
    if journal.state == Stage::Fenced {
        make_room(target, &mut journal).await?;
    }
    Ok((fence, journal))
}

fn planned(id: Id, source: &Side, parties: &Parties) -> Journal {
    let now = SystemClock.now();
    Journal {
        id,
        state: Stage::Planned,
        from: source.end.clone(),
        to: parties.to.clone(),
        config: parties.config.clone(),
        begun_at: now,
        at: now,
        after: None,
        embedding_after: None,
        copied: Fingerprints::default(),
        new_config: parties.new_config.clone(),
    }
}

/// Takes the target, unless somebody's data is in it or somebody works on it. From here on, no gateway starts there: in this order, so that
/// of a gateway and a move that come at once, one sees the other.
async fn take(target: &mut Side, journal: Journal) -> Result<Journal> {
    if let Contents::Data(held) = Contents::of(target).await? {
        return Err(occupied(target, &held).await);
    }
    target.slot.put(Document::Target(journal.clone())).await?;
    if let Some(gateway) = target.somebody().await? {
        target.slot.remove().await?;
        return Err(target.in_use(&gateway));
    }
    Ok(journal)
}

/// Raises the fence, and takes it down again when somebody is inside.
async fn raise(source: &mut Side, target: &mut Side, fence: Fence) -> Result<Fence> {
    source.slot.put(Document::Source(fence.clone())).await?;
    if let Some(gateway) = source.somebody().await? {
        source.slot.remove().await?;
        target.slot.remove().await?;
        return Err(source.in_use(&gateway));
    }
    Ok(fence)
}

async fn go_to(target: &mut Side, journal: &mut Journal, state: Stage) -> Result<()> {
    journal.state = state;
    journal.at = SystemClock.now();
    target.slot.put(Document::Target(journal.clone())).await
}

/// Removes what a first start made, in the same transaction that lets copying begin.
async fn make_room(target: &mut Side, journal: &mut Journal) -> Result<()> {
    match Contents::of(target).await? {
        Contents::Nothing => go_to(target, journal, Stage::Copying).await,
        Contents::FirstStart { removal, .. } => {
            let at = SystemClock.now();
            let next = Journal { state: Stage::Copying, at, ..journal.clone() };
            let document = Document::Target(next.clone());
            let batch = Batch { at, changes: removal, state: Some(target.slot.write_of(&document)) };
            target.storage.apply(Scope::System, &batch).await.map_err(overtaken)?;
            target.slot.written(document);
            *journal = next;
            Ok(())
        }
        Contents::Data(held) => Err(occupied(target, &held).await),
    }
}

/// Why nothing is moved to where data is; unless another run of the same move has put it there meanwhile.
async fn occupied(target: &Side, held: &str) -> Error {
    match target.slot.check().await {
        Ok(()) => contents::refusal(target, held),
        Err(error) => error,
    }
}
