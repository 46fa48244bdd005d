//! Moving up a tier: everything that one tier holds goes to another, is verified before it counts, and the move may be interrupted at any
//! point. Records stream through `export` and `load`; the target's schema is made by its own migrations.
//!
//! Two documents of the state say how far it is, one on each side (`document`):
//!
//! | the target's journal | the source's fence | what is true |
//! |---|---|---|
//! | planned | none | the target is ours; no gateway starts on it |
//! | fenced | fenced | nobody writes to the source, and no gateway starts on it |
//! | copying | fenced | each batch went in together with the place up to which it goes |
//! | verified | fenced | everything was read back, and is what the source holds |
//! | verified | moved | the new config is there |
//! | cut over | moved | gateways start on the target |
//!
//! Whoever is killed between two of these goes on where it stood; up to the last one, [`Undo`] takes it all back.
//!
//! In it: `survey` (what is there, and what stands in the way), `standing` (what follows from the two documents), `contents` (what a target
//! holds already), `run` (from one state to the next), `copy`, `verify` and `differences`, `cut_over`, `abort`; `fence` is for everybody else, and
//! `restoring` for whoever restores a backup.
//! What must not come in: how it is shown and confirmed, and anything about a tier by name but the [`WAYS`] up.

mod abort;
mod contents;
mod copy;
mod cut_over;
mod differences;
mod document;
mod fence;
mod fingerprint;
mod pages;
mod progress;
mod report;
mod restoring;
mod run;
mod side;
mod standing;
mod survey;
mod verify;

use std::path::PathBuf;

use mosaic_core::{Error, ErrorKind, Opening, Result, registry};

use crate::config::Config;

pub use abort::{Return, Undo};
pub(crate) use contents::{Contents, remove_first_start};
pub use differences::Difference;
pub(crate) use document::Document;
pub use document::{End, JournalState};
pub use fence::{Purpose, admit, enter, stay};
pub use fingerprint::Fingerprint;
pub(crate) use fingerprint::Fingerprints;
pub use progress::{Progress, Step};
pub use report::{Expected, Moved, Outcome, Plan, Subject};
pub(crate) use restoring::Restoring;
pub(crate) use side::Side;
pub use survey::Survey;

/// From which tier to which data can be moved.
pub const WAYS: &[(&str, &str)] = &[("local", "standalone"), ("local", "federated"), ("standalone", "federated")];

/// A move from the tier of a config to another one, which has its section in the same config.
pub struct Migration {
    source: Config,
    target: Config,
}

impl Migration {
    /// The move of what the config's tier holds to the tier `to`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a way that does not lead up, and for a tier that this build lacks.
    pub fn new(config: Config, to: &str) -> Result<Self> {
        let target = config.with_tier(to);
        registry::backend(&config.tier)?;
        registry::backend(to)?;
        if config.tier != to && !WAYS.contains(&(config.tier.as_str(), to)) {
            let ways: Vec<_> = WAYS.iter().map(|(from, to)| format!("{from} to {to}")).collect();
            return Err(Error::new(ErrorKind::Unsupported, "data is moved up a tier, one way")
                .with("from", &config.tier)
                .with("to", to)
                .hint(format!("move from {}; elsewhere, `mosaic export` and `mosaic import` take records along", ways.join(", "))));
        }
        Ok(Self { source: config, target })
    }

    /// Whether the config names the target's tier already.
    pub fn is_there(&self) -> bool {
        self.source.tier == self.target.tier
    }

    /// The move that has brought the data to where the config leads, if one has.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it has not come to its end, or led on from there. Whatever keeps the data from being opened.
    pub async fn arrived(&self) -> Result<Option<Moved>> {
        let side = match Side::target(&self.target, Opening::AsItIs).await {
            Ok(side) => side,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = match side.slot.document() {
            Some(Document::Target(journal)) if journal.state == JournalState::CutOver => Ok(Some(journal.moved(None))),
            Some(Document::Target(journal)) => Err(journal.refusal()),
            Some(Document::Source(fence)) => Err(fence.refusal()),
            Some(Document::Restore(restoring)) => Err(restoring.refusal()),
            None => Ok(None),
        };
        side.close().await;
        found
    }

    /// The file of the config, wherever the command that goes on with the move is run.
    fn config_file(&self) -> Option<PathBuf> {
        self.source.source.as_deref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
    }

    /// The command of this move, with another option behind it.
    pub fn command(&self, option: &str) -> String {
        document::command(&self.target.tier, self.config_file().as_deref(), option)
    }
}

#[cfg(test)]
mod tests;
