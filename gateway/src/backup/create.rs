//! Making a backup: a snapshot, page by page, as the pieces of an archive. What must not come in: where they go.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use mosaic_core::{Embedding, Error, ErrorKind, Id, Kind, Record, Result, Snapshot};
use serde::Serialize;

use super::archive::{DOCUMENTS, Document, END, MANIFEST, ORIGIN, embeddings_name, entry, records_name, write_embedding};
use super::manifest::{Holdings, Manifest, Origin};
use crate::documents;

/// How many records are read at a time, and are in an entry; fewer when they are large.
const RECORDS: usize = 1_000;
/// How many embeddings are.
const EMBEDDINGS: usize = 500;

/// Reads everything, as an archive, neither compressed nor encrypted; each item is a piece of it, of a page at most. No more than one page is in
/// memory. Dropped, it lets go of the snapshot.
///
/// # Errors
/// An item is an error, and the last one, when the storage fails: what came before is then no whole archive.
pub fn create(snapshot: Arc<dyn Snapshot>, origin: Origin) -> impl Stream<Item = Result<Bytes>> + Send {
    let maker = Maker { snapshot, origin, holds: Holdings::default(), entries: 0, next: Next::Origin };
    stream::try_unfold(maker, |mut maker| async { Ok(maker.piece().await?.map(|piece| (Bytes::from(piece), maker))) })
}

/// What comes next.
enum Next {
    Origin,
    Records(Option<(Kind, Id)>),
    Embeddings(Option<(String, Kind, Id)>),
    Documents,
    Manifest,
    Nothing,
}

struct Maker {
    snapshot: Arc<dyn Snapshot>,
    origin: Origin,
    holds: Holdings,
    /// How many entries of records and embeddings there are.
    entries: u64,
    next: Next,
}

impl Maker {
    async fn piece(&mut self) -> Result<Option<Vec<u8>>> {
        let at = self.origin.created_at;
        loop {
            match &self.next {
                Next::Origin => {
                    self.next = Next::Records(None);
                    return entry(ORIGIN, &json(&self.origin)?, at).map(Some);
                }
                Next::Records(after) => {
                    let page = self.snapshot.records(*after, RECORDS).await?;
                    let Some(last) = page.last() else {
                        self.next = Next::Embeddings(None);
                        continue;
                    };
                    self.next = Next::Records(Some((last.kind(), last.id())));
                    let (holds, piece) = self.packed(page, move |page, first| records(&page, first, at)).await?;
                    self.holds.merge(&holds);
                    return Ok(Some(piece));
                }
                Next::Embeddings(after) => {
                    let behind = after.as_ref().map(|(model, kind, id)| (model.as_str(), *kind, *id));
                    let page = self.snapshot.embeddings(behind, EMBEDDINGS).await?;
                    let Some(last) = page.last() else {
                        self.next = Next::Documents;
                        continue;
                    };
                    self.next = Next::Embeddings(Some((last.vector.model.clone(), last.kind, last.id)));
                    let (holds, piece) = self.packed(page, move |page, number| embeddings(&page, number, at)).await?;
                    self.holds.merge(&holds);
                    return Ok(Some(piece));
                }
                Next::Documents => {
                    self.next = Next::Manifest;
                    let documents = self.documents().await?;
                    documents.iter().for_each(|document| self.holds.add_document(&document.name, &document.value));
                    return entry(DOCUMENTS, &json(&documents)?, at).map(Some);
                }
                Next::Manifest => {
                    self.next = Next::Nothing;
                    let manifest = Manifest { origin: self.origin.clone(), holds: self.holds.clone() };
                    let mut piece = entry(MANIFEST, &json(&manifest)?, at)?;
                    piece.extend_from_slice(&END);
                    return Ok(Some(piece));
                }
                Next::Nothing => {
                    self.snapshot.close().await;
                    return Ok(None);
                }
            }
        }
    }

    /// Writing and hashing a page takes a while, and so is none of the runtime's work.
    async fn packed<T: Send + 'static>(
        &mut self,
        page: Vec<T>,
        pack: impl FnOnce(Vec<T>, u64) -> Result<Packed> + Send + 'static,
    ) -> Result<(Holdings, Vec<u8>)> {
        let first = self.entries + 1;
        let broke_off = |error| Error::new(ErrorKind::Internal, "writing a backup broke off").source(error);
        let packed = tokio::task::spawn_blocking(move || pack(page, first)).await.map_err(broke_off)??;
        self.entries += packed.entries;
        Ok((packed.holds, packed.piece))
    }

    async fn documents(&self) -> Result<Vec<Document>> {
        let mut all = Vec::new();
        for name in documents::MOVED {
            if let Some(state) = self.snapshot.state(name).await? {
                all.push(Document { name: (*name).to_owned(), value: state.value });
            }
        }
        Ok(all)
    }
}

/// A page, as entries.
struct Packed {
    entries: u64,
    holds: Holdings,
    piece: Vec<u8>,
}

/// An entry for each kind on the page.
fn records(page: &[Record], first: u64, at: mosaic_core::Timestamp) -> Result<Packed> {
    let mut packed = Packed { entries: 0, holds: Holdings::default(), piece: Vec::new() };
    for of_kind in page.chunk_by(|a, b| a.kind() == b.kind()) {
        let (kind, mut lines) = (of_kind[0].kind(), Vec::new());
        for record in of_kind {
            let start = lines.len();
            serde_json::to_writer(&mut lines, record).map_err(|error| {
                Error::new(ErrorKind::Internal, "a stored record cannot be written as JSON").with("id", record.id()).source(error)
            })?;
            packed.holds.add_line(kind, &lines[start..]);
            lines.push(b'\n');
        }
        packed.piece.extend(entry(&records_name(kind, first + packed.entries), &lines, at)?);
        packed.entries += 1;
    }
    Ok(packed)
}

fn embeddings(page: &[Embedding], number: u64, at: mosaic_core::Timestamp) -> Result<Packed> {
    let (mut holds, mut lines) = (Holdings::default(), Vec::new());
    holds.add_embeddings(page);
    page.iter().try_for_each(|embedding| write_embedding(embedding, &mut lines))?;
    Ok(Packed { entries: 1, holds, piece: entry(&embeddings_name(number), &lines, at)? })
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::new(ErrorKind::Internal, "a backup cannot be described as JSON").source(error))?;
    json.push(b'\n');
    Ok(json)
}
