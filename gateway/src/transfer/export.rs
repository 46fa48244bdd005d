//! A storage's records as JSON Lines, in the order in which an import can take them.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use mosaic_core::{Error, ErrorKind, Id, Kind, Record, Result, Storage, Tokens};

/// How many records are read at a time; fewer when they are large.
const PAGE: usize = 1_000;
/// The size at which a piece of the output is passed on, in bytes: a thread is not held for longer than it takes to write this.
const PIECE: usize = 64 << 10;

/// Reads all records, one a line, by kind in dependency order and then by id: what stays the same is exported the same,
/// byte for byte. It is read page by page and is no snapshot: a record that is made or removed meanwhile may be in it or not.
///
/// Each item is a piece of the output of some 64 KiB that ends with a whole line.
///
/// # Errors
/// An item is an error, and the last one, when the storage fails: what came before is then not all.
pub fn export(storage: Arc<dyn Storage>, tokens: Tokens) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold(Reader { storage, tokens, page: Vec::new().into_iter(), after: None }, |mut reader| async {
        let piece = reader.piece().await?;
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), reader)))
    })
}

struct Reader {
    storage: Arc<dyn Storage>,
    tokens: Tokens,
    page: std::vec::IntoIter<Record>,
    after: Option<(Kind, Id)>,
}

impl Reader {
    /// The next piece of the output; empty at the end.
    async fn piece(&mut self) -> Result<Vec<u8>> {
        if self.page.len() == 0 {
            self.page = self.storage.export(self.after, PAGE, self.tokens).await?.into_iter();
        }
        let mut piece = Vec::new();
        for record in self.page.by_ref() {
            self.after = Some((record.kind(), record.id()));
            serde_json::to_writer(&mut piece, &record).map_err(|error| {
                Error::new(ErrorKind::Internal, "a stored record cannot be written as JSON").with("id", record.id()).source(error)
            })?;
            piece.push(b'\n');
            if piece.len() >= PIECE {
                break;
            }
        }
        Ok(piece)
    }
}
