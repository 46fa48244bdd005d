//! Verification: everything is read back from the target, and its fingerprints compared with those of what was read from the source.
//! What must not come in: what follows from a difference.

use mosaic_core::Result;

use super::document::Journal;
use super::fingerprint::Fingerprints;
use super::pages;
use super::progress::Progress;
use super::side::Side;

/// Reads everything back; answers whether it is what was copied.
///
/// # Errors
/// Those of the storage.
pub(super) async fn verify(target: &Side, journal: &Journal, progress: &Progress<'_>) -> Result<bool> {
    let mut found = Fingerprints::default();
    let mut records = pages::records(&target.storage, None);
    while let Some(page) = records.next().await? {
        found.merge(&page.fingerprints);
        progress.verified(&found);
    }
    if let Some(vectors) = &target.vectors {
        let mut embeddings = pages::embeddings(vectors, None);
        while let Some(page) = embeddings.next().await? {
            found.merge(&page.fingerprints);
            progress.verified(&found);
        }
    }
    Ok(found == journal.copied)
}
