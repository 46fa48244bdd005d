//! How far a move is, for whoever watches it. What must not come in: how that is shown.

use super::fingerprint::{Fingerprints, subjects};
use super::report::Subject;

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
