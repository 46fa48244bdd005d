//! JSON Lines into a storage: read, checked and loaded in batches. What cannot be taken is refused by its line; the rest goes in.

use std::io;
use std::sync::Arc;

use async_compression::tokio::bufread::GzipDecoder;
use mosaic_core::{Error, ErrorKind, Id, Kind, Loaded, Record, Result, Storage, UserRole};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};

use super::lines::{Chunk, Chunks, LINE_BYTES};
use super::report::{Refusal, Report};
use crate::values::{self, VALUES};

/// The first byte of a gzip stream (RFC 1952, 2.3.1), with which no JSON begins.
const GZIP: u8 = 0x1f;
/// What is unpacked at a time, in bytes.
const BUFFER: usize = 256 << 10;

/// What to do about an import that broke off.
const GO_ON: &str = "import it again when the cause is mended: what is there already stays as it is";

/// Whether an import may hand out powers over the gateway: take tokens, which let somebody in, and users who are admins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Powers {
    /// It may: whoever imports manages accounts in any case.
    Granted,
    /// It may not: those records are refused, each by its line.
    Withheld,
}

/// Takes over records from JSON Lines, plain or gzip, with their times and revisions. Lines go in batches of up to 1,000 records
/// or 4 MiB, each whole or not at all; running it again leaves what is there unchanged. `on_progress` is called after each batch.
///
/// Dropping it leaves the batches that were done, and at most the one that was under way.
///
/// # Errors
/// When the input breaks off ([`ErrorKind::Invalid`] for a gzip stream that is damaged or cut, [`ErrorKind::Unavailable`]
/// otherwise) or the storage fails, each with the `line` up to which everything was taken. Lines that are refused are no error: the report has them.
pub async fn import(
    storage: Arc<dyn Storage>,
    powers: Powers,
    mut input: impl AsyncBufRead + Unpin + Send,
    on_progress: impl FnMut(&Report) + Send,
) -> Result<Report> {
    if input.fill_buf().await.map_err(|error| broken(error, 0))?.first() == Some(&GZIP) {
        let mut unpacked = GzipDecoder::new(input);
        unpacked.multiple_members(true);
        load_all(&*storage, powers, BufReader::with_capacity(BUFFER, unpacked), on_progress).await
    } else {
        load_all(&*storage, powers, input, on_progress).await
    }
}

/// While one chunk is loaded, the next is read and parsed; no more than these two are in memory.
async fn load_all(
    storage: &dyn Storage,
    powers: Powers,
    input: impl AsyncBufRead + Unpin + Send,
    mut on_progress: impl FnMut(&Report) + Send,
) -> Result<Report> {
    let mut report = Report::default();
    let mut chunks = Chunks::new(input);
    let mut ahead = next_batch(&mut chunks, powers).await;
    while let Some(batch) = ahead.map_err(|error| broken(error, report.lines))? {
        let (loaded, next) = tokio::join!(load(storage, &batch.records), next_batch(&mut chunks, powers));
        ahead = next;
        let loaded = loaded.map_err(|error| failed(error, report.lines))?;
        count(&mut report, batch, loaded);
        on_progress(&report);
    }
    Ok(report)
}

/// A chunk of lines, parsed.
#[derive(Default)]
pub(super) struct Parsed {
    lines: u64,
    pub(super) records: Vec<Record>,
    /// The line of each record.
    numbers: Vec<u64>,
    pub(super) refused: Vec<Refusal>,
}

async fn next_batch(chunks: &mut Chunks<impl AsyncBufRead + Unpin>, powers: Powers) -> io::Result<Option<Parsed>> {
    match chunks.next().await? {
        Some(chunk) => Ok(Some(tokio::task::spawn_blocking(move || parse(&chunk, powers)).await?)),
        None => Ok(None),
    }
}

pub(super) fn parse(chunk: &Chunk, powers: Powers) -> Parsed {
    let mut parsed = Parsed::default();
    for (number, line) in chunk.lines() {
        parsed.lines += 1;
        match line {
            Some(line) if line.iter().all(u8::is_ascii_whitespace) => {}
            Some(line) => match read(line, powers) {
                Ok(record) => {
                    parsed.records.push(record);
                    parsed.numbers.push(number);
                }
                Err(error) => {
                    let (kind, id) = named(line);
                    parsed.refused.push(Refusal::new(number, kind, id, &error));
                }
            },
            None => {
                let error = Error::invalid(format!("the line is longer than {LINE_BYTES} bytes"));
                parsed.refused.push(Refusal::new(number, None, None, &error));
            }
        }
    }
    parsed
}

fn read(line: &[u8], powers: Powers) -> Result<Record> {
    if values::are_too_many(line) {
        return Err(Error::invalid(format!("the line holds more than {VALUES} JSON values")));
    }
    match Record::from_json_bytes(line)? {
        Record::Token(_) if powers == Powers::Withheld => Err(withheld("a token lets somebody in")),
        Record::User(user) if powers == Powers::Withheld && user.role == UserRole::Admin => {
            Err(withheld("the user is an admin").with("field", "role"))
        }
        Record::Token(token) if token.hash.is_none() => {
            Err(Error::invalid("a token without its hash is of no use").with("field", "hash").hint("export it --with-tokens"))
        }
        record => Ok(record),
    }
}

fn withheld(why: &'static str) -> Error {
    Error::new(ErrorKind::Forbidden, format!("{why}, which takes the scope admin to import"))
        .hint("import it with a token that has the scopes operator and admin, or leave it out")
}

/// What a line that is refused says of itself, as far as it can be read.
fn named(line: &[u8]) -> (Option<Kind>, Option<Id>) {
    #[derive(Deserialize, Default)]
    struct Named {
        #[serde(default)]
        kind: Value,
        #[serde(default)]
        id: Value,
    }
    let Named { kind, id } = serde_json::from_slice(line).unwrap_or_default();
    (kind.as_str().and_then(|kind| kind.parse().ok()), id.as_str().and_then(|id| id.parse().ok()))
}

async fn load(storage: &dyn Storage, records: &[Record]) -> Result<Vec<Loaded>> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let loaded = storage.load(records, None).await?;
    if loaded.len() != records.len() {
        return Err(Error::new(ErrorKind::Internal, "the storage does not say of each record what became of it"));
    }
    Ok(loaded)
}

fn count(report: &mut Report, batch: Parsed, loaded: Vec<Loaded>) {
    report.lines += batch.lines;
    let mut refused = batch.refused;
    for ((record, number), outcome) in batch.records.iter().zip(batch.numbers).zip(loaded) {
        match outcome {
            Loaded::Added => report.added(record.kind()),
            Loaded::Unchanged => report.unchanged(record.kind()),
            Loaded::Refused(error) => refused.push(Refusal::new(number, Some(record.kind()), Some(record.id()), &error)),
        }
    }
    refused.sort_by_key(|refusal| refusal.line);
    refused.into_iter().for_each(|refusal| report.refused(refusal));
}

fn broken(error: io::Error, line: u64) -> Error {
    let (kind, message) = match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            (ErrorKind::Invalid, "the gzip stream ends early or is damaged")
        }
        _ => (ErrorKind::Unavailable, "the input cannot be read"),
    };
    Error::new(kind, message).with("line", line).with("reason", &error).hint(GO_ON).source(error)
}

fn failed(error: Error, line: u64) -> Error {
    let error = error.with("line", line);
    if error.hint_text().is_some() { error } else { error.hint(GO_ON) }
}
