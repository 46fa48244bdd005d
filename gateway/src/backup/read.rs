//! Reading an archive, entry by entry, on a thread of its own: what does not fit together is found here, before the end is reached. What must
//! not come in: what is done with it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use mosaic_core::{Embedding, Error, ErrorKind, Record, Result};
use tokio::sync::mpsc::{self, Receiver};

use super::archive::{DOCUMENTS, Document, EMBEDDINGS, ENTRY_BYTES, MANIFEST, ORIGIN, RECORDS, read_embedding};
use super::manifest::{Holdings, Manifest, Origin, damaged, no_backup};
use super::seal::{Identities, Sink, unreadable, unsealed};
use crate::values;

/// How many entries are read ahead.
const AHEAD: usize = 1;

/// An entry of an archive.
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// What is in it.
    pub item: Item,
}

/// What an entry holds.
pub enum Item {
    /// Where the backup comes from: the first one.
    Origin(Origin),
    /// Some records.
    Records(Vec<Record>),
    /// Some embeddings.
    Embeddings(Vec<Embedding>),
    /// The documents of the state.
    Documents(Vec<Document>),
    /// What all of it comes to: the last one. Everything before was found to be what it says.
    Manifest(Manifest),
}

/// The entries of an archive, in order. Dropped, it stops reading.
pub struct Archive {
    entries: Receiver<Result<Entry>>,
}

impl Archive {
    /// Opens a file; `read` is told how many bytes of it were read.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] and [`ErrorKind::Unavailable`] for a file that cannot be opened.
    pub async fn open(path: &Path, identities: Arc<Identities>, read: impl Fn(usize) + Send + 'static) -> Result<Self> {
        let file = open(path)?;
        let name = path.to_owned();
        let (sender, entries) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            let file = Told { file, read };
            // Whoever dropped it wants no more.
            let give = |entry| sender.blocking_send(Ok(entry)).is_ok();
            let outcome = unsealed(file, &identities).and_then(|archive| pass_on(archive, give));
            if let Err(error) = outcome {
                // Whoever does not wait for it does not want to know.
                let _ = sender.blocking_send(Err(error.with("file", name.display())));
            }
        });
        Ok(Self { entries })
    }

    /// The next entry; `None` behind the manifest.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the archive is damaged, ends early, or is not what its manifest says; [`ErrorKind::Unsupported`] for one of a
    /// newer format; [`ErrorKind::Unavailable`] when the file cannot be read.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        self.entries.recv().await.transpose()
    }
}

/// Reads a file to its end, which shows whether it is a whole backup; answers what it says of itself.
///
/// # Errors
/// As [`Archive::open`] and [`Archive::next`].
pub async fn read_through(path: &Path, identities: Arc<Identities>, read: impl Fn(usize) + Send + 'static) -> Result<Manifest> {
    let mut archive = Archive::open(path, identities, read).await?;
    while let Some(entry) = archive.next().await? {
        if let Item::Manifest(manifest) = entry.item {
            return Ok(manifest);
        }
    }
    Err(Error::new(ErrorKind::Internal, "an archive without a manifest"))
}

fn open(path: &Path) -> Result<File> {
    let unreadable = |error: io::Error| {
        let kind = if error.kind() == io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Unavailable };
        Error::new(kind, "the backup cannot be read").with("file", path.display()).with("reason", &error).source(error)
    };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(Error::invalid("this is a directory, not a file").with("file", path.display()));
    }
    Ok(file)
}

/// A file, and whoever is told what is read of it.
struct Told<F> {
    file: File,
    read: F,
}

impl<F: Fn(usize)> Read for Told<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        (self.read)(count);
        Ok(count)
    }
}

/// Reads everything, checks it, and passes it on, for as long as somebody takes it.
pub(super) fn pass_on(archive: impl Read, mut give: impl FnMut(Entry) -> bool) -> Result<()> {
    let mut archive = tar::Archive::new(archive);
    let (mut found, mut number, mut origin, mut manifest) = (Holdings::default(), 0, None, None);
    for entry in entries(&mut archive)? {
        let (name, body) = body_of(entry.map_err(unreadable)?)?;
        let unfit = |reason: &'static str| damaged().with("entry", &name).with("reason", reason);
        let unparsed = |error: serde_json::Error| damaged().with("entry", &name).source(error);
        number += 1;
        let item = match name.as_str() {
            _ if manifest.is_some() => return Err(unfit("it is behind the manifest")),
            ORIGIN if number == 1 => Item::Origin(origin.insert(Origin::parse(&body)?).clone()),
            _ if origin.is_none() => return Err(no_backup()),
            DOCUMENTS => {
                let documents: Vec<Document> = serde_json::from_slice(&body).map_err(unparsed)?;
                documents.iter().for_each(|document| found.add_document(&document.name, &document.value));
                Item::Documents(documents)
            }
            MANIFEST => {
                let read: Manifest = serde_json::from_slice(&body).map_err(unparsed)?;
                if origin.as_ref() != Some(&read.origin) {
                    return Err(unfit("it is of another backup"));
                }
                read.holds.check(&found)?;
                manifest = Some(read);
                continue;
            }
            kind if kind.starts_with(RECORDS) => Item::Records(records(&body, &mut found).map_err(|error| error.with("entry", &name))?),
            kind if kind.starts_with(EMBEDDINGS) => {
                let embeddings = lines(&body).map(read_embedding).collect::<Result<Vec<_>>>();
                let embeddings = embeddings.map_err(|error| error.with("entry", &name))?;
                found.add_embeddings(&embeddings);
                Item::Embeddings(embeddings)
            }
            _ => return Err(unfit("nobody knows what it is")),
        };
        if !give(Entry { number, item }) {
            return Ok(());
        }
    }
    to_the_end(&mut archive.into_inner())?;
    let Some(manifest) = manifest else { return Err(if number == 0 { no_backup() } else { ends_early() }) };
    give(Entry { number, item: Item::Manifest(manifest) });
    Ok(())
}

fn ends_early() -> Error {
    damaged().with("reason", "it ends early")
}

/// What is behind the last entry: nothing, and the checks of what is around the archive.
fn to_the_end(rest: &mut impl Read) -> Result<()> {
    let mut buffer = [0; 4_096];
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) if buffer.iter().take(count).all(|byte| *byte == 0) => {}
            Ok(_) => return Err(damaged().with("reason", "there is more behind its end")),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
}

/// The entries as they stand. What extends a header is none of ours, and is not read: there is no bound to it.
fn entries<R: Read>(archive: &mut tar::Archive<R>) -> Result<tar::Entries<'_, R>> {
    Ok(archive.entries().map_err(unreadable)?.raw(true))
}

fn body_of(mut entry: tar::Entry<'_, impl Read>) -> Result<(String, Vec<u8>)> {
    let path = entry.path_bytes().into_owned();
    let name = String::from_utf8(path).map_err(|error| damaged().source(error))?;
    let size = entry.size();
    if size > ENTRY_BYTES || !entry.header().entry_type().is_file() {
        return Err(damaged().with("entry", name).with("bytes", size));
    }
    let mut body = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    entry.read_to_end(&mut body).map_err(unreadable)?;
    if body.len() as u64 == size { Ok((name, body)) } else { Err(ends_early()) }
}

fn records(body: &[u8], found: &mut Holdings) -> Result<Vec<Record>> {
    lines(body).map(|line| record(line, found)).collect()
}

fn record(line: &[u8], found: &mut Holdings) -> Result<Record> {
    if values::are_too_many(line) {
        return Err(damaged().with("reason", "a record holds too many values"));
    }
    let record = Record::from_json_bytes(line).map_err(|error| damaged().with("reason", &error).source(error))?;
    if matches!(&record, Record::Token(token) if token.hash.is_none()) {
        return Err(damaged().with("reason", "a token has no hash").with("id", record.id()));
    }
    found.add_line(record.kind(), line);
    Ok(record)
}

fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Passes the pieces of an archive on to a file, and looks at it on the way: whether it is whole, and what it says of itself. `seen` is told how
/// many records and embeddings have gone by. To be called where blocking is allowed.
///
/// # Errors
/// What comes instead of a piece; [`ErrorKind::Invalid`] when the pieces end before the archive does; what `failed` makes of an error of the file.
pub fn follow(
    pieces: Receiver<Result<Bytes>>,
    output: Sink,
    failed: impl Fn(io::Error) -> Error,
    mut seen: impl FnMut(u64),
) -> Result<(Manifest, File)> {
    let mut passing = Passing { pieces, piece: Bytes::new(), output, failure: None };
    let manifest = manifest_of(&mut passing, &mut seen);
    match passing.failure.take() {
        Some(Failure::Input(error)) => return Err(error),
        Some(Failure::Output(error)) => return Err(failed(error)),
        None => {}
    }
    let manifest = manifest?;
    let file = passing.output.finish().map_err(failed)?;
    Ok((manifest, file))
}

fn manifest_of(passing: &mut Passing, seen: &mut impl FnMut(u64)) -> Result<Manifest> {
    let (mut manifest, mut lines) = (None, 0);
    let mut archive = tar::Archive::new(&mut *passing);
    for entry in entries(&mut archive)? {
        let (name, body) = body_of(entry.map_err(unreadable)?)?;
        if name.starts_with(RECORDS) || name.starts_with(EMBEDDINGS) {
            lines += body.iter().filter(|byte| **byte == b'\n').count() as u64;
            seen(lines);
        }
        if name == MANIFEST {
            manifest = Some(serde_json::from_slice(&body).map_err(|error| damaged().with("entry", &name).source(error))?);
        }
    }
    to_the_end(passing)?;
    manifest.ok_or_else(|| Error::new(ErrorKind::Unavailable, "the backup broke off before its end").hint("make it again"))
}

/// The pieces, as they are read and written at once.
struct Passing {
    pieces: Receiver<Result<Bytes>>,
    piece: Bytes,
    output: Sink,
    failure: Option<Failure>,
}

/// Which side failed.
enum Failure {
    Input(Error),
    Output(io::Error),
}

impl Read for Passing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(error)) => return Err(self.fails(Failure::Input(error))),
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        let (into, _) = buffer.split_at_mut(count);
        self.piece.copy_to_slice(into);
        match io::Write::write_all(&mut self.output, into) {
            Ok(()) => Ok(count),
            Err(error) => Err(self.fails(Failure::Output(error))),
        }
    }
}

impl Passing {
    fn fails(&mut self, failure: Failure) -> io::Error {
        self.failure = Some(failure);
        io::Error::other("the other end failed")
    }
}
