//! JSON Lines into a storage: read, checked and loaded in batches. What cannot be taken is refused by its line; the rest goes in.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::pin::pin;
use std::sync::Arc;

use async_compression::tokio::bufread::GzipDecoder;
use futures::StreamExt as _;
use futures::stream::{self, FuturesOrdered};
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

/// So many batches are loaded at once: a server has more than one processor.
const AT_ONCE: usize = 2;

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
/// Dropping it leaves the batches that were done, and at most the two that were under way.
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

/// Loads batches in order, and a second one beside the first where neither can need the other; while they are loaded, the next is read and
/// parsed. No more than these three are in memory.
async fn load_all(
    storage: &dyn Storage,
    powers: Powers,
    input: impl AsyncBufRead + Unpin + Send,
    mut on_progress: impl FnMut(&Report) + Send,
) -> Result<Report> {
    let mut report = Report::default();
    let mut batches = pin!(stream::try_unfold(Chunks::new(input), |mut chunks| async move {
        let batch = next_batch(&mut chunks, powers).await?;
        io::Result::Ok(batch.map(|batch| (Arc::new(batch), chunks)))
    }));
    let mut ahead: Option<io::Result<Arc<Parsed>>> = None;
    let (mut is_read, mut under_way, mut loading) = (false, VecDeque::<Arc<Parsed>>::new(), FuturesOrdered::new());
    loop {
        match ahead.take() {
            Some(Ok(batch))
                if under_way.is_empty() || under_way.len() < AT_ONCE && under_way.iter().all(|other| batch.goes_beside(other)) =>
            {
                under_way.push_back(Arc::clone(&batch));
                loading.push_back(async move { load(storage, &batch.records).await });
            }
            Some(Err(error)) if under_way.is_empty() => return Err(broken(error, report.lines)),
            waits => ahead = waits,
        }
        tokio::select! {
            read = batches.next(), if ahead.is_none() && !is_read => {
                is_read = !matches!(read, Some(Ok(_)));
                ahead = read;
            }
            Some(loaded) = loading.next(), if !loading.is_empty() => {
                let loaded = loaded.map_err(|error| failed(error, report.lines))?;
                if let Some(batch) = under_way.pop_front() {
                    count(&mut report, &batch, loaded);
                    on_progress(&report);
                }
            }
            else => return Ok(report),
        }
    }
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

impl Parsed {
    /// Whether it may be loaded at the same time as an earlier one. Records refer only to records of kinds before their own, so that of two batches
    /// of one and the same kind none needs the other; of two records with one id, the first is to be taken.
    fn goes_beside(&self, earlier: &Self) -> bool {
        let mut all = self.records.iter().chain(&earlier.records);
        let Some(kind) = all.next().map(Record::kind) else { return true };
        let ids: HashSet<Id> = earlier.records.iter().map(Record::id).collect();
        all.all(|record| record.kind() == kind) && !self.records.iter().any(|record| ids.contains(&record.id()))
    }
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

/// What a line that is refused says of itself, as far as it can be read. Of too many values, none is: they are what it is refused for.
fn named(line: &[u8]) -> (Option<Kind>, Option<Id>) {
    if values::are_too_many(line) {
        return (None, None);
    }
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

fn count(report: &mut Report, batch: &Parsed, loaded: Vec<Loaded>) {
    report.lines += batch.lines;
    let mut refused = batch.refused.clone();
    for ((record, number), outcome) in batch.records.iter().zip(batch.numbers.iter().copied()).zip(loaded) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of records, by kind and number.
    async fn batch(records: &[(&str, u32)]) -> Parsed {
        let lines = records.iter().map(|(kind, n)| {
            let id = Id::from_u128((*n).into());
            let fields = match *kind {
                "user" => r#""login":"ada","name":"Ada""#.to_owned(),
                "session" => format!(r#""owner_id":"{}","title":"Plans","agent":"assistant""#, Id::nil()),
                "message" => format!(r#""session_id":"{}","seq":{n},"role":"user","content":"Hello""#, Id::nil()),
                _ => format!(r#""owner_id":"{}","title":"Plans""#, Id::nil()),
            };
            format!(r#"{{"kind":"{kind}","id":"{id}","created_at":"2026-01-01T00:00:00Z",{fields}}}"#)
        });
        let lines = lines.collect::<Vec<_>>().join("\n");
        let parsed = next_batch(&mut Chunks::new(lines.as_bytes()), Powers::Granted).await.unwrap().unwrap();
        assert_eq!(parsed.refused, []);
        parsed
    }

    #[tokio::test]
    async fn batches_go_side_by_side_where_neither_can_need_the_other() {
        let tasks = batch(&[("task", 1), ("task", 2)]).await;
        for (records, goes) in [
            (&[("task", 3), ("task", 4)][..], true),
            (&[("message", 3)], false),
            (&[("task", 3), ("note", 4)], false),
            // The first of the two is to be taken.
            (&[("task", 2)], false),
        ] {
            assert_eq!(batch(records).await.goes_beside(&tasks), goes, "{records:?}");
        }
        let sessions = batch(&[("user", 1), ("session", 2)]).await;
        assert!(!batch(&[("session", 3)]).await.goes_beside(&sessions), "its owner may be in the first");
        assert!(!batch(&[("message", 3)]).await.goes_beside(&sessions));
        assert!(Parsed::default().goes_beside(&tasks), "what is refused as a whole needs nothing");
    }
}
