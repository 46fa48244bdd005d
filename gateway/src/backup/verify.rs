//! Verifying a backup: it is restored into a scratch place, where everything is read back, and compared with what its manifest says. What must not
//! come in: anything of the tiers that are in use.

use std::path::Path;
use std::sync::Arc;

use mosaic_core::{Backend, Error, ErrorKind, Options, Result, memory, registry};
use serde_json::json;
use tempfile::TempDir;

use super::manifest::no_backup;
use super::read::{Archive, Entry, Item};
use super::restore::{Restore, Restored, Step};
use super::seal::Identities;
use crate::migration::Side;
use crate::services::Services;

/// The tier whose backend makes a place anywhere, where the build has it.
const SCRATCH_TIER: &str = "local";

/// A place to restore a backup into that is nobody's, in a directory of its own in the system's for temporary files; in memory in a build without
/// tier local.
pub struct Scratch {
    restore: Restore,
    // Dropped last: the engine has let go of it by then.
    _directory: Option<TempDir>,
}

impl Scratch {
    /// Makes it.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where no directory can be made; those of the backend.
    pub async fn open() -> Result<Self> {
        let (directory, mut backend) = backend().await?;
        let services = Services::start(std::mem::take(&mut backend.services));
        let side = Side::new(SCRATCH_TIER, backend, services).await?;
        Ok(Self { restore: Restore::into_side(side), _directory: directory })
    }

    /// Restores a backup here, and compares. To be called once.
    ///
    /// # Errors
    /// As [`Archive::next`]; those of the backend. That something differs is no error, but in what it answers.
    pub async fn verify(&mut self, path: &Path, identities: Arc<Identities>, told: &(dyn Fn(Step, u64) + Sync)) -> Result<Restored> {
        let mut archive = Archive::open(path, Arc::clone(&identities), |_| ()).await?;
        let Some(Entry { item: Item::Origin(origin), .. }) = archive.next().await? else { return Err(no_backup()) };
        let archive = Archive::open(path, identities, |_| ()).await?;
        self.restore.run(&origin, path, archive, told).await
    }

    /// Removes it.
    pub async fn close(self) {
        self.restore.close().await;
    }
}

async fn backend() -> Result<(Option<TempDir>, Backend)> {
    let Ok(entry) = registry::backend(SCRATCH_TIER) else { return Ok((None, memory::open())) };
    let directory = tempfile::Builder::new().prefix("mosaic-backup-verify-").tempdir().map_err(|error| {
        Error::new(ErrorKind::Unavailable, "no scratch directory can be made")
            .with("directory", std::env::temp_dir().display())
            .with("reason", &error)
            .hint("set TMPDIR to a directory with room for the data")
            .source(error)
    })?;
    // Nothing is compared there, so that no vector is held in memory.
    let section = json!({ "data_dir": directory.path().join("data"), "vector_memory_mib": 65_536 });
    let backend = (entry.open)(Options::new(section, directory.path().to_owned(), "backup verify")).await?;
    Ok((Some(directory), backend))
}
