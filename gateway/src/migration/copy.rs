//! Copying: page by page, each together with the place up to which it goes. What must not come in: judging what arrived.

use mosaic_core::{Error, ErrorKind, Loaded, Record, Result};

use super::document::{Document, Journal, overtaken};
use super::pages;
use super::progress::Progress;
use super::report::Subject;
use super::side::Side;

/// Copies what has not been copied yet.
///
/// # Errors
/// Those of both storages: run again, it goes on behind the last page that went in. [`ErrorKind::Invalid`] for a record that the target
/// does not take.
pub(super) async fn copy(source: &Side, target: &mut Side, journal: &mut Journal, progress: &Progress<'_>) -> Result<()> {
    let mut records = pages::records(&source.storage, journal.after);
    while let Some(page) = records.next().await? {
        journal.after = page.items.last().map(|last| (last.kind(), last.id()));
        journal.copied.merge(&page.fingerprints);
        let document = Document::Target(journal.clone());
        let loaded = target.storage.load(&page.items, Some(&target.slot.write_of(&document))).await.map_err(overtaken)?;
        target.slot.written(document);
        all_taken(&page.items, loaded)?;
        progress.copied(&journal.copied);
    }
    let (Some(from), Some(to)) = (&source.vectors, &target.vectors) else { return Ok(()) };
    let mut embeddings = pages::embeddings(from, journal.embedding_after.clone());
    while let Some(page) = embeddings.next().await? {
        journal.embedding_after = page.items.last().map(|last| (last.vector.model.clone(), last.kind, last.id));
        journal.copied.merge(&page.fingerprints);
        let document = Document::Target(journal.clone());
        to.load(&page.items, Some(&target.slot.write_of(&document))).await.map_err(overtaken)?;
        target.slot.written(document);
        progress.copied(&journal.copied);
    }
    Ok(())
}

/// Nobody else writes here, and the rules are the same on both sides: one that is refused shows that something is wrong with its source.
fn all_taken(records: &[Record], loaded: Vec<Loaded>) -> Result<()> {
    for (record, loaded) in records.iter().zip(loaded) {
        if let Loaded::Refused(reason) = loaded {
            let message = format!("the target does not take a {} of the source: {}", record.kind(), reason.message());
            return Err(Error::new(ErrorKind::Invalid, message)
                .with("id", record.id())
                .hint("undo the move with --abort, correct the record, and begin anew")
                .source(reason));
        }
    }
    Ok(())
}

/// What of a source should be there, by its own count.
pub(super) async fn check_counts(source: &Side, journal: &Journal) -> Result<()> {
    for tally in source.storage.tally().await? {
        let copied = journal.copied.of(Subject::Records(tally.kind)).records;
        if copied != tally.records {
            return Err(Error::new(ErrorKind::Corrupt, "the source does not hold as many records as were read from it")
                .with("kind", tally.kind)
                .with("holds", tally.records)
                .with("read", copied)
                .hint("nobody may write to it meanwhile; undo the move with --abort, and begin anew"));
        }
    }
    Ok(())
}
