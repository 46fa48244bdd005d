//! The documents of a move: what each side knows of it, kept in its state. Written by compare-and-set alone, so that of two runs one goes on.
//! What must not come in: what follows from them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Id, Kind, Result, StateWrite, Storage, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fingerprint::{Fingerprints, subjects};
use super::report::Moved;
use super::restoring::Restoring;
use crate::documents::MIGRATION;
use crate::shell::quoted;

/// What a side of a move says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "side", rename_all = "snake_case")]
pub(crate) enum Document {
    /// Of where the data was.
    Source(Fence),
    /// Of where it goes.
    Target(Journal),
    /// Of where no move goes, but a backup.
    Restore(Restoring),
}

impl Document {
    /// Reads what a state says.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for what this version does not know.
    pub(super) fn parse(value: Value) -> Result<Self> {
        serde_json::from_value(value).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "what is known of a move of this data cannot be read")
                .with("state", MIGRATION)
                .hint("use the version of Mosaic that began the move, or a later one")
                .source(error)
        })
    }

    /// Whether a state is of where data was, of whichever version.
    pub(super) fn is_of_source(value: &Value) -> bool {
        value["side"] == "source"
    }
}

/// One end of a move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its tier.
    pub tier: String,
    /// Where its data is, as [`mosaic_core::Place`] calls it.
    pub place: String,
}

/// What keeps gateways from the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fence {
    /// Of the move: the journal has the same.
    pub(super) id: Id,
    /// How far it is, as far as it concerns the source.
    pub(super) state: FenceState,
    /// Where the data goes.
    pub(super) to: End,
    /// The config that the move was begun with; none where there was no file.
    pub(super) config: Option<PathBuf>,
    /// The config of the gateway on the target.
    pub(super) new_config: PathBuf,
    /// Since when it is in this state.
    pub(super) at: Timestamp,
}

/// What a fence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FenceState {
    /// A move is under way.
    Fenced,
    /// It has come to its end.
    Moved,
}

/// How far a move is, kept where the data goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Journal {
    /// Of the move: the fence has the same.
    pub(super) id: Id,
    /// How far it is.
    pub(super) state: JournalState,
    /// Where the data comes from.
    pub(super) from: End,
    /// Where it goes: here.
    pub(super) to: End,
    /// The config that the move was begun with; none where there was no file.
    pub(super) config: Option<PathBuf>,
    /// When it was begun.
    pub(super) begun_at: Timestamp,
    /// Since when it is in this state.
    pub(super) at: Timestamp,
    /// The last record that was copied.
    pub(super) after: Option<(Kind, Id)>,
    /// The last embedding that was copied: its model and its record.
    pub(super) embedding_after: Option<(String, Kind, Id)>,
    /// What was copied so far.
    pub(super) copied: Fingerprints,
    /// The config of the gateway here.
    pub(super) new_config: PathBuf,
}

/// The states of a move, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalState {
    /// The target is taken.
    Planned,
    /// The source is fenced.
    Fenced,
    /// Records go over.
    Copying,
    /// Everything was read back, and found to be the same.
    Verified,
    /// The target is in use.
    CutOver,
}

impl JournalState {
    /// The name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Fenced => "fenced",
            Self::Copying => "copying",
            Self::Verified => "verified",
            Self::CutOver => "cut over",
        }
    }
}

impl Journal {
    /// What it came to, in a run that took so long.
    pub(super) fn moved(&self, took: Option<Duration>) -> Moved {
        let moved = subjects().map(|subject| (subject, self.copied.of(subject))).collect();
        Moved { from: self.from.clone(), to: self.to.clone(), moved, new_config: self.new_config.clone(), took, without_index: None }
    }
}

/// The command that goes on with a move to this tier, or does what `option` says with it.
pub(super) fn command(to: &str, config: Option<&Path>, option: &str) -> String {
    let config = config.map(|path| format!(" --config {}", quoted(&path.to_string_lossy())));
    let space = if option.is_empty() { "" } else { " " };
    format!("mosaic migrate tier --to {to}{}{space}{option}", config.unwrap_or_default())
}

/// The place of the document in a storage, as it was seen last.
#[derive(Clone)]
pub(crate) struct Slot {
    storage: Arc<dyn Storage>,
    version: u64,
    document: Option<Document>,
}

impl Slot {
    /// Reads the document.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for one that this version does not know; those of the storage.
    pub(super) async fn read(storage: Arc<dyn Storage>) -> Result<Self> {
        let Some(state) = storage.state(MIGRATION).await? else { return Ok(Self { storage, version: 0, document: None }) };
        Ok(Self { storage, version: state.version, document: Some(Document::parse(state.value)?) })
    }

    /// Reads it once more.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) async fn refresh(&mut self) -> Result<()> {
        *self = Self::read(Arc::clone(&self.storage)).await?;
        Ok(())
    }

    /// The document, as it was seen last.
    pub(crate) fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// Makes sure that the document is as it was seen last.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when somebody else wrote it meanwhile; those of the storage.
    pub(crate) async fn check(&self) -> Result<()> {
        let version = self.storage.state(MIGRATION).await?.map_or(0, |state| state.version);
        if version == self.version { Ok(()) } else { Err(another_run()) }
    }

    /// The write that puts a document here, for a batch that is to take effect together with it.
    pub(crate) fn write_of(&self, document: &Document) -> StateWrite {
        StateWrite { name: MIGRATION.to_owned(), value: Some(json!(document)), expect: self.version }
    }

    /// The write that removes the document, or makes sure that there is none.
    pub(crate) fn removal(&self) -> StateWrite {
        StateWrite { name: MIGRATION.to_owned(), value: None, expect: self.version }
    }

    /// That such a write took effect: versions count writes.
    pub(crate) fn written(&mut self, document: Document) {
        self.version += 1;
        self.document = Some(document);
    }

    /// Puts a document here.
    ///
    /// # Errors
    /// [`ErrorKind::Stale`] when somebody else wrote it meanwhile: another run of the same move, or its end.
    pub(crate) async fn put(&mut self, document: Document) -> Result<()> {
        self.version = self.storage.put_state(&self.write_of(&document)).await.map_err(overtaken)?;
        self.document = Some(document);
        Ok(())
    }

    /// Removes it.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub(crate) async fn remove(&mut self) -> Result<()> {
        self.version = self.storage.put_state(&self.removal()).await.map_err(overtaken)?;
        self.document = None;
        Ok(())
    }
}

/// Somebody else has written the document since it was read.
pub(super) fn overtaken(error: Error) -> Error {
    if error.kind() != ErrorKind::Stale {
        return error;
    }
    another_run().source(error)
}

fn another_run() -> Error {
    Error::new(ErrorKind::Conflict, "another run of this move is under way, or has ended it")
        .hint("let that one come to its end, or run this again")
}
