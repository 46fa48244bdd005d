//! What is known of a backup that is being restored, kept where it goes: in the place of a move's journal, so that whoever is kept out by the one
//! is kept out by the other. What must not come in: restoring.

use std::path::PathBuf;

use mosaic_core::{Error, ErrorKind, Id, Timestamp};
use serde::{Deserialize, Serialize};

use crate::shell::quoted;

/// How far a restore is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Restoring {
    /// Of the backup.
    pub(crate) id: Id,
    /// When the backup was made.
    pub(crate) created_at: Timestamp,
    /// Its file.
    pub(crate) file: PathBuf,
    /// The config that the restore was begun with; none where there was no file.
    pub(crate) config: Option<PathBuf>,
    /// So many entries of the archive went in.
    pub(crate) entries: u64,
    /// Since when it is at it.
    pub(crate) at: Timestamp,
}

impl Restoring {
    /// Why nobody works here yet.
    pub(crate) fn refusal(&self) -> Error {
        Error::new(ErrorKind::Config, "what is here is a part of a backup that is being restored").with("backup", self.created_at).hint(
            format!(
                "finish it: {}; or remove what is here: {}",
                self.command(&quoted(&self.file.to_string_lossy())),
                self.command("--abort")
            ),
        )
    }

    fn command(&self, what: &str) -> String {
        let config = self.config.as_ref().map(|path| format!(" --config {}", quoted(&path.to_string_lossy()))).unwrap_or_default();
        format!("mosaic backup restore{config} {what}")
    }
}
