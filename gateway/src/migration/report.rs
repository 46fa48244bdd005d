//! What a move says of itself: the plan before, and what came of it. What must not come in: how either is shown.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use mosaic_core::{Error, Kind};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::differences::Difference;
use super::document::{End, JournalState};
use super::fingerprint::Fingerprint;

/// What is moved and counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The records of a kind.
    Records(Kind),
    /// The embeddings of all of them.
    Embeddings,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(kind) => kind.fmt(f),
            Self::Embeddings => f.write_str("embedding"),
        }
    }
}

impl FromStr for Subject {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        if name == "embedding" { Ok(Self::Embeddings) } else { name.parse().map(Self::Records) }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What a move would do, as far as it can be seen beforehand.
#[derive(Debug)]
pub struct Plan {
    /// Where the data is.
    pub from: End,
    /// Where it is to go.
    pub to: End,
    /// How far an earlier run of the same move has come; none for a new one.
    pub reached: Option<JournalState>,
    /// What there is to move; empty where the source cannot be read.
    pub expected: Vec<Expected>,
    /// The file that the new config goes to.
    pub new_config: PathBuf,
    /// What the move takes away in the target: the administrator that a first start made.
    pub replaces: Option<String>,
    /// What stands in the way, each with its cure.
    pub blockers: Vec<Error>,
}

/// What is expected of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// What it is about.
    pub subject: Subject,
    /// How many there are.
    pub records: u64,
    /// How many bytes they take in the source, about.
    pub bytes: u64,
    /// How long moving them may take.
    pub time: Duration,
}

/// What came of a move.
#[derive(Debug)]
pub enum Outcome {
    /// Everything is in the target, and gateways start there.
    Moved(Moved),
    /// The target does not hold what the source holds; nothing was cut over.
    Different(Vec<Difference>),
}

/// A move that has come to its end.
#[derive(Debug)]
pub struct Moved {
    /// Where the data was, and still is.
    pub from: End,
    /// Where it is now.
    pub to: End,
    /// What was moved, by subject.
    pub moved: Vec<(Subject, Fingerprint)>,
    /// The config of the gateway on the target.
    pub new_config: PathBuf,
    /// How long this run took; none where an earlier one did it all.
    pub took: Option<Duration>,
    /// Why approximate indexes are still to be made, by the gateway there.
    pub without_index: Option<Error>,
}

impl Moved {
    /// What was moved, everything together.
    pub fn total(&self) -> Fingerprint {
        let mut total = Fingerprint::default();
        self.moved.iter().for_each(|(_, one)| total.merge(one));
        total
    }
}
