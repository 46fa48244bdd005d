//! Verification: everything is read once more, from both sides at once, and its fingerprints compared with those of what was copied: what the
//! target does not hold is found, and what somebody wrote to the source behind the fence. What must not come in: what follows from a difference.

use mosaic_core::Result;

use super::document::Journal;
use super::fingerprint::Fingerprints;
use super::pages;
use super::progress::Progress;
use super::side::Side;

/// Reads everything; answers whether both sides hold what was copied.
///
/// # Errors
/// Those of both storages.
pub(super) async fn verify(source: &Side, target: &Side, journal: &Journal, progress: &Progress<'_>) -> Result<bool> {
    let (held, arrived) = tokio::try_join!(read(source, |_| {}), read(target, |so_far| progress.verified(so_far)))?;
    Ok(held == journal.copied && arrived == journal.copied)
}

async fn read(side: &Side, tell: impl Fn(&Fingerprints)) -> Result<Fingerprints> {
    let mut found = Fingerprints::default();
    let mut records = pages::records(&side.storage, None);
    while let Some(page) = records.next().await? {
        found.merge(&page.fingerprints);
        tell(&found);
    }
    if let Some(vectors) = &side.vectors {
        let mut embeddings = pages::embeddings(vectors, None);
        while let Some(page) = embeddings.next().await? {
            found.merge(&page.fingerprints);
            tell(&found);
        }
    }
    Ok(found)
}
