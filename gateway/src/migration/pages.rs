//! Everything that a side holds, page by page, read ahead while the page before is worked on. What must not come in: what is done with it.

use std::sync::Arc;

use mosaic_core::{Embedding, Error, ErrorKind, Id, Kind, Record, Result, Storage, Tokens, VectorIndex};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::task::AbortOnDropHandle;

use super::fingerprint::Fingerprints;

/// How many records are read at a time; fewer when they are large.
const RECORDS: usize = 2_000;
/// How many embeddings are; fewer when they have many dimensions.
const EMBEDDINGS: usize = 1_000;
/// How many pages are read ahead: so many more are in memory at once.
const AHEAD: usize = 1;

/// Some items in a row.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) fingerprints: Fingerprints,
}

/// The pages of a side, in the order of an export. Dropped, it stops reading.
pub(super) struct Pages<T> {
    pages: Receiver<Result<Page<T>>>,
    _reader: AbortOnDropHandle<()>,
}

impl<T> Pages<T> {
    /// The next page; `None` at the end.
    ///
    /// # Errors
    /// Those of the storage.
    pub(super) async fn next(&mut self) -> Result<Option<Page<T>>> {
        self.pages.recv().await.transpose()
    }

    fn read<F: Future<Output = ()> + Send + 'static>(reader: impl FnOnce(Sender<Result<Page<T>>>) -> F) -> Self {
        let (sender, pages) = mpsc::channel(AHEAD);
        Self { pages, _reader: AbortOnDropHandle::new(tokio::spawn(reader(sender))) }
    }
}

/// All records behind `after`, tokens with their hashes.
pub(super) fn records(storage: &Arc<dyn Storage>, mut after: Option<(Kind, Id)>) -> Pages<Record> {
    let storage = Arc::clone(storage);
    Pages::read(async move |pages| {
        loop {
            let read = storage.export(after, RECORDS, Tokens::WithHashes).await;
            if let Ok(Some(last)) = read.as_ref().map(|page| page.last()) {
                after = Some((last.kind(), last.id()));
            }
            if !pass_on(&pages, read, Fingerprints::of_records).await {
                return;
            }
        }
    })
}

/// All embeddings behind `after`.
pub(super) fn embeddings(vectors: &Arc<dyn VectorIndex>, mut after: Option<(String, Kind, Id)>) -> Pages<Embedding> {
    let vectors = Arc::clone(vectors);
    Pages::read(async move |pages| {
        loop {
            let behind = after.as_ref().map(|(model, kind, id)| (model.as_str(), *kind, *id));
            let read = vectors.export(behind, EMBEDDINGS).await;
            if let Ok(Some(last)) = read.as_ref().map(|page| page.last()) {
                after = Some((last.vector.model.clone(), last.kind, last.id));
            }
            if !pass_on(&pages, read, |page| Ok(Fingerprints::of_embeddings(page))).await {
                return;
            }
        }
    })
}

/// Passes a page on; answers whether there is more to come, and somebody who wants it.
async fn pass_on<T: Send + 'static>(
    pages: &Sender<Result<Page<T>>>,
    read: Result<Vec<T>>,
    fingerprints: impl FnOnce(&[T]) -> Result<Fingerprints> + Send + 'static,
) -> bool {
    let page = match read {
        Ok(items) if items.is_empty() => return false,
        Ok(items) => counted(items, fingerprints).await,
        Err(error) => Err(error),
    };
    let goes_on = page.is_ok();
    pages.send(page).await.is_ok() && goes_on
}

/// Hashing takes a while, and so is none of the runtime's work.
async fn counted<T: Send + 'static>(
    items: Vec<T>,
    fingerprints: impl FnOnce(&[T]) -> Result<Fingerprints> + Send + 'static,
) -> Result<Page<T>> {
    let count = move || fingerprints(&items).map(|fingerprints| Page { items, fingerprints });
    let broke_off = |error| Error::new(ErrorKind::Internal, "hashing broke off").source(error);
    tokio::task::spawn_blocking(count).await.map_err(broke_off)?
}
