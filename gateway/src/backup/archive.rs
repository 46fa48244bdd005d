//! The entries of an archive: how they are named, and how each is written. What must not come in: where the bytes go.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mosaic_core::{Embedding, Error, ErrorKind, Id, Kind, Result, Timestamp, Vector};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tar::{EntryType, Header};

use super::manifest::damaged;

/// The first entry.
pub(super) const ORIGIN: &str = "backup.json";
/// The documents of the state.
pub(super) const DOCUMENTS: &str = "documents.json";
/// The last entry.
pub(super) const MANIFEST: &str = "manifest.json";
/// Where the records are.
pub(super) const RECORDS: &str = "records/";
/// Where the embeddings are.
pub(super) const EMBEDDINGS: &str = "embeddings/";

/// An entry takes no more than this, in bytes: 128 MiB, which is more than a page of records or embeddings takes as JSON.
pub(super) const ENTRY_BYTES: u64 = 128 << 20;

/// Entries are in blocks of so many bytes (POSIX.1-2024, pax, "ustar Interchange Format").
const BLOCK: usize = 512;
/// An archive ends with two blocks of zeros.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// A document of the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub value: Value,
}

/// An embedding, as a line has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    kind: Kind,
    id: Id,
    revision: u64,
    model: String,
    /// Base64 of the components as 32-bit numbers, the lowest byte first: every bit of them is kept.
    vector: String,
}

/// The name of an entry with records of a kind.
pub(super) fn records_name(kind: Kind, number: u64) -> String {
    format!("{RECORDS}{}/{number:08}.jsonl", kind.plural())
}

/// The name of an entry with embeddings.
pub(super) fn embeddings_name(number: u64) -> String {
    format!("{EMBEDDINGS}{number:08}.jsonl")
}

/// Writes an embedding and the end of its line.
pub(super) fn write_embedding(embedding: &Embedding, lines: &mut Vec<u8>) -> Result<()> {
    let bytes: Vec<u8> = embedding.vector.components.iter().flat_map(|component| component.to_le_bytes()).collect();
    let (kind, id, revision) = (embedding.kind, embedding.id, embedding.revision);
    let line = Line { kind, id, revision, model: embedding.vector.model.clone(), vector: STANDARD.encode(bytes) };
    serde_json::to_writer(&mut *lines, &line)
        .map_err(|error| Error::new(ErrorKind::Internal, "an embedding cannot be written as JSON").with("id", id).source(error))?;
    lines.push(b'\n');
    Ok(())
}

/// Reads an embedding.
pub(super) fn read_embedding(line: &[u8]) -> Result<Embedding> {
    let line: Line = serde_json::from_slice(line).map_err(|error| damaged().source(error))?;
    let bytes = STANDARD.decode(&line.vector).map_err(|error| damaged().source(error))?;
    let (components, rest) = bytes.as_chunks::<{ size_of::<f32>() }>();
    if !rest.is_empty() {
        return Err(damaged());
    }
    let vector = Vector { model: line.model, components: components.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect() };
    let embedding = Embedding { kind: line.kind, id: line.id, revision: line.revision, vector };
    embedding.check(None)?;
    Ok(embedding)
}

/// An entry: its header, its body and what fills up its last block.
pub(super) fn entry(name: &str, body: &[u8], at: Timestamp) -> Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    header.set_path(name).map_err(|error| Error::new(ErrorKind::Internal, "an entry cannot be named").with("name", name).source(error))?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(body.len() as u64);
    header.set_mtime(at.as_micros().div_euclid(1_000_000).unsigned_abs());
    header.set_cksum();
    let length = body.len().next_multiple_of(BLOCK);
    let mut entry = Vec::with_capacity(BLOCK + length);
    entry.extend_from_slice(header.as_bytes());
    entry.extend_from_slice(body);
    entry.resize(BLOCK + length, 0);
    Ok(entry)
}
