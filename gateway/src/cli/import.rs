//! `mosaic import`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use futures::{Stream, TryStreamExt as _};
use indicatif::HumanCount;
use mosaic_core::{Error, ErrorKind, Result};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::connect::Connect;
use super::interrupt::interruptible;
use super::offline::with_storage;
use super::output;
use super::progress::Progress;
use super::table::Column;
use crate::migration::Purpose;
use crate::transfer::{self, Counts, Powers, Report};

/// What is read of the input at a time, in bytes.
const PIECE: usize = 128 << 10;
/// How many refusals are shown; `--json` has more.
const SHOWN: usize = 20;

/// What to do about an import that broke off.
const GO_ON: &str = "import it again: what is there already stays as it is";

const EXAMPLES: &str = "\
Examples:
  mosaic import team.jsonl.gz
  mosaic import team.jsonl --url http://127.0.0.1:7420
  zcat backup.jsonl.gz | mosaic import -

A line that cannot be taken is refused by its number, the rest goes in, and the exit code is 1.
Records that are there already stay as they are, so an import that broke off can be run again.
Without --url, the gateway of this data must be stopped.";

/// Take over records from JSON Lines, plain or gzip
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Import {
    /// The file, or - for standard input
    file: PathBuf,
    /// Write the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Import {
    pub(super) fn connect(&self) -> &Connect {
        &self.connect
    }

    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        let client = self.connect.client()?;
        let (input, progress) = open(&self.file).await?;
        let mut so_far = Report::default();
        let outcome = match client {
            Some(client) => {
                let so_far = &mut so_far;
                let work = async {
                    client.import(input).await.map_err(|broken| {
                        *so_far = broken.report.unwrap_or_default();
                        broken.error
                    })
                };
                interruptible(work).await
            }
            None => {
                let (so_far, progress) = (&mut so_far, &progress);
                with_storage(config, "import", Purpose::Write, |storage| {
                    transfer::import(storage, Powers::Granted, StreamReader::new(Box::pin(input)), |report| {
                        progress.records(report.total.sum());
                        so_far.clone_from(report);
                    })
                })
                .await
            }
        };
        progress.finish();
        let (report, failed) = match outcome {
            Ok(report) => (report, None),
            Err(error) => (so_far, Some(if error.hint_text().is_none() { error.hint(GO_ON) } else { error })),
        };
        // How the work went is settled by now: whether anybody reads the report changes nothing about a failure.
        let shown = if failed.is_none() || report.lines > 0 { self.show(&report, progress.elapsed()) } else { Ok(()) };
        match (failed, shown) {
            (Some(error), _) => Err(error),
            (None, Err(error)) if report.total.refused == 0 || !output::is_of_no_reader(&error) => Err(error),
            (None, _) if report.total.refused == 0 => Ok(ExitCode::SUCCESS),
            (None, _) => Ok(ExitCode::FAILURE),
        }
    }

    fn show(&self, report: &Report, elapsed: Duration) -> Result<()> {
        if self.json { output::json(report) } else { show(report, elapsed) }
    }
}

/// The input, piece by piece, and its progress.
async fn open(file: &Path) -> Result<(impl Stream<Item = std::io::Result<Bytes>> + Send + use<>, Progress)> {
    let (input, length): (Box<dyn AsyncRead + Send + Unpin>, _) = if file == Path::new("-") {
        (Box::new(tokio::io::stdin()), None)
    } else {
        let unreadable = |error: std::io::Error| {
            Error::new(ErrorKind::Unavailable, "the file cannot be read").with("file", file.display()).with("reason", &error).source(error)
        };
        let opened = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let metadata = opened.metadata().await.map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(Error::invalid("this is a directory, not a file").with("file", file.display()));
        }
        (Box::new(opened), metadata.is_file().then_some(metadata.len()))
    };
    let progress = Progress::new(length);
    let read = progress.clone();
    Ok((ReaderStream::with_capacity(input, PIECE).inspect_ok(move |piece| read.advance(piece.len())), progress))
}

fn show(report: &Report, elapsed: Duration) -> Result<()> {
    for refusal in report.refusals.iter().take(SHOWN) {
        output::note(&format!("line {}: {}", refusal.line, refusal.reason));
    }
    let more = report.total.refused.saturating_sub(report.refusals.len().min(SHOWN) as u64);
    if more > 0 {
        output::note(&format!("… and {} more; --json lists the first {}", HumanCount(more), transfer::REFUSALS));
    }
    let row = |name: &str, counts: Counts| vec![name.to_owned(), number(counts.added), number(counts.unchanged), number(counts.refused)];
    let kinds = report.kinds.iter().map(|(kind, counts)| row(kind.singular(), *counts));
    let unknown = (report.unknown > 0).then(|| row("unknown", Counts { refused: report.unknown, ..Counts::default() }));
    let total = std::iter::once(row("total", report.total));
    output::table(
        &[Column::Text("KIND"), Column::Number("ADDED"), Column::Number("UNCHANGED"), Column::Number("REFUSED")],
        kinds.chain(unknown).chain(total),
    )?;
    output::line(&said(report.total, elapsed))
}

fn said(total: Counts, elapsed: Duration) -> String {
    let Counts { added, unchanged, refused } = total;
    format!(
        "{} record{} in {}: {} added, {} unchanged, {} refused",
        number(total.sum()),
        if total.sum() == 1 { "" } else { "s" },
        output::span(elapsed),
        number(added),
        number(unchanged),
        number(refused)
    )
}

fn number(count: u64) -> String {
    HumanCount(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_is_one() {
        let said = |added| said(Counts { added, ..Counts::default() }, Duration::from_millis(1));
        assert_eq!(said(1), "1 record in 1 ms: 1 added, 0 unchanged, 0 refused");
        assert_eq!(said(2_000), "2,000 records in 1 ms: 2,000 added, 0 unchanged, 0 refused");
    }
}
