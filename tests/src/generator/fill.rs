//! Loading data into a backend, and reading it back. What must not come in: more than one batch at a time, so that any amount can be
//! loaded.

use mosaic_core::{Backend, Embedding, Loaded, Record, Tokens, VectorIndex};

/// A batch has so many items …
const BATCH_ITEMS: usize = 1_000;
/// … and no more than so many bytes, unless one item has: 4 MiB.
const BATCH_BYTES: usize = 4 << 20;

/// Loads records, then embeddings.
///
/// # Panics
/// When a record is refused, naming it, or a batch cannot be loaded; when there are embeddings and the backend keeps none.
pub async fn fill(backend: &Backend, records: impl IntoIterator<Item = Record>, embeddings: impl IntoIterator<Item = Embedding>) {
    for batch in batches(records, record_bytes) {
        let first = (batch[0].kind(), batch[0].id());
        let loaded = backend.storage.load(&batch, None).await.unwrap_or_else(|error| panic!("{first:?} and what follows: {error:?}"));
        for (record, loaded) in batch.iter().zip(loaded) {
            if let Loaded::Refused(error) = loaded {
                panic!("{} {} is refused: {error:?}", record.kind(), record.id());
            }
        }
    }
    for batch in batches(embeddings, embedding_bytes) {
        let first = (batch[0].kind, batch[0].id);
        let loaded = vectors(backend).load(&batch, None).await;
        loaded.unwrap_or_else(|error| panic!("the embedding of {first:?} and what follows: {error:?}"));
    }
}

fn vectors(backend: &Backend) -> &dyn VectorIndex {
    backend.vectors.as_deref().unwrap_or_else(|| panic!("there are embeddings, and the backend keeps none"))
}

/// All that a backend holds, in the order of its exports: records with the hashes of tokens, and embeddings if it keeps any.
pub async fn read_back(backend: &Backend) -> (Vec<Record>, Vec<Embedding>) {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let after = records.last().map(|last| (last.kind(), last.id()));
        let page = backend.storage.export(after, BATCH_ITEMS, Tokens::WithHashes).await.unwrap();
        if page.is_empty() {
            break;
        }
        records.extend(page);
    }
    let mut embeddings: Vec<Embedding> = Vec::new();
    while let Some(vectors) = &backend.vectors {
        let after = embeddings.last().map(|last| (last.vector.model.as_str(), last.kind, last.id));
        let page = vectors.export(after, BATCH_ITEMS).await.unwrap();
        if page.is_empty() {
            break;
        }
        embeddings.extend(page);
    }
    (records, embeddings)
}

/// Cuts what comes into batches, of bounded number and size.
fn batches<T>(items: impl IntoIterator<Item = T>, bytes: fn(&T) -> usize) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut batch = vec![items.next()?];
        let mut room = BATCH_BYTES.saturating_sub(bytes(&batch[0]));
        while batch.len() < BATCH_ITEMS
            && let Some(item) = items.next_if(|item| bytes(item) <= room)
        {
            room -= bytes(&item);
            batch.push(item);
        }
        Some(batch)
    })
}

/// About: what is not searched is small.
fn record_bytes(record: &Record) -> usize {
    let passages = record.passages();
    500 + passages.title.len() + passages.tags.iter().map(String::len).sum::<usize>() + passages.body.len()
}

fn embedding_bytes(embedding: &Embedding) -> usize {
    100 + size_of_val(embedding.vector.components.as_slice())
}
