//! What an import came to: counts for each kind, and the first refusals. It is the API's answer too.

use std::collections::BTreeMap;

use mosaic_core::{Error, Id, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many refusals a report lists; all are counted.
pub const REFUSALS: usize = 100;

/// The longest reason of a refusal, in characters: an error may repeat what it found in the line.
const REASON_CHARS: usize = 400;

/// What an import came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// How many lines were read, blank ones among them.
    pub lines: u64,
    /// What became of the records of all kinds.
    pub total: Counts,
    /// What became of the records of each kind that occurred.
    pub kinds: BTreeMap<Kind, Counts>,
    /// How many of the refused lines do not say of which kind they are.
    pub unknown: u64,
    /// The first refusals, 100 at most, by line.
    pub refusals: Vec<Refusal>,
}

/// What became of some records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// They are stored now.
    pub added: u64,
    /// They were there, exactly the same.
    pub unchanged: u64,
    /// They could not be taken.
    pub refused: u64,
}

/// A line that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// Its number, from 1.
    pub line: u64,
    /// The kind of its record, where it says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The id of its record, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Why it could not be taken.
    pub reason: String,
}

impl Refusal {
    pub(super) fn new(line: u64, kind: Option<Kind>, id: Option<Id>, error: &Error) -> Self {
        let mut reason = error.to_string();
        if let Some(hint) = error.hint_text() {
            reason = format!("{reason}; {hint}");
        }
        if let Some((end, _)) = reason.char_indices().nth(REASON_CHARS) {
            reason.truncate(end);
            reason.push('…');
        }
        Self { line, kind, id, reason }
    }
}

impl Report {
    pub(super) fn added(&mut self, kind: Kind) {
        self.total.added += 1;
        self.kinds.entry(kind).or_default().added += 1;
    }

    pub(super) fn unchanged(&mut self, kind: Kind) {
        self.total.unchanged += 1;
        self.kinds.entry(kind).or_default().unchanged += 1;
    }

    pub(super) fn refused(&mut self, refusal: Refusal) {
        self.total.refused += 1;
        match refusal.kind {
            Some(kind) => self.kinds.entry(kind).or_default().refused += 1,
            None => self.unknown += 1,
        }
        if self.refusals.len() < REFUSALS {
            self.refusals.push(refusal);
        }
    }
}

impl Counts {
    /// All of them.
    pub fn sum(self) -> u64 {
        self.added + self.unchanged + self.refused
    }
}
