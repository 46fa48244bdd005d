//! `mosaic export`

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;

use async_compression::tokio::write::GzipEncoder;
use bytes::Bytes;
use clap::Args;
use futures::{Stream, TryStreamExt as _};
use indicatif::{HumanBytes, HumanCount};
use mosaic_core::{Error, Result, Tokens};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::connect::Connect;
use super::draft::Draft;
use super::interrupt::interruptible;
use super::offline::with_storage;
use super::output;
use super::progress::Progress;
use crate::migration::Purpose;
use crate::transfer;

/// What is written.
const WHAT: &str = "export";

const EXAMPLES: &str = "\
Examples:
  mosaic export backup.jsonl.gz
  mosaic export backup.jsonl.gz --with-tokens --force --url http://127.0.0.1:7420
  mosaic export - | jq -r 'select(.kind == \"task\") | .title'

The file is readable by its owner alone, and appears when it is whole. The same records give the same lines, byte for byte.
Without --url, the gateway of this data must be stopped.";

/// Write all records as JSON Lines, in an order in which they can be imported again
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// The file, gzip if its name ends in .gz; or - for standard output
    file: PathBuf,
    /// Export tokens too, with the hashes of their secrets: with those, they work where they are imported
    #[arg(long)]
    with_tokens: bool,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Export {
    pub(super) fn connect(&self) -> &Connect {
        &self.connect
    }

    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        let client = self.connect.client()?;
        let tokens = if self.with_tokens { Tokens::WithHashes } else { Tokens::Omit };
        let destination = Destination::open(&self.file, self.force)?;
        let progress = Progress::new(None);
        let done = match client {
            Some(client) => interruptible(async { destination.write(client.export(tokens).await?, &progress).await }).await,
            None => {
                with_storage(config, "export", Purpose::Read, |storage| destination.write(transfer::export(storage, tokens), &progress))
                    .await
            }
        };
        progress.finish();
        let Written { records, bytes } = done?;
        if self.file != Path::new("-") {
            output::line(&format!("{} records, {} of JSON Lines, in {}", HumanCount(records), HumanBytes(bytes), self.file.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What was written, before it was packed.
#[derive(Default)]
struct Written {
    records: u64,
    bytes: u64,
}

/// Where an export goes.
enum Destination {
    Stdout,
    /// A file that is written beside its place and put there when it is whole. Dropped before, it leaves nothing behind.
    File(Draft),
}

impl Destination {
    fn open(path: &Path, replace: bool) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        Draft::open(path, replace, WHAT).map(Self::File)
    }

    async fn write(self, export: impl Stream<Item = Result<Bytes>>, progress: &Progress) -> Result<Written> {
        match self {
            Self::Stdout => {
                let mut stdout = tokio::io::stdout();
                let written = pump(export, &mut stdout, output::unwritable, progress).await?;
                // A thread writes it, and its shutdown does not wait for that thread.
                stdout.flush().await.map_err(output::unwritable)?;
                Ok(written)
            }
            Self::File(draft) => {
                let failed = |error| draft.unwritable(error);
                let mut file = tokio::fs::File::from_std(draft.file()?);
                let written = if draft.path().extension().is_some_and(|extension| extension == "gz") {
                    pump(export, &mut GzipEncoder::new(&mut file), failed, progress).await?
                } else {
                    pump(export, &mut file, failed, progress).await?
                };
                file.sync_all().await.map_err(failed)?;
                draft.put_in_place().await?;
                Ok(written)
            }
        }
    }
}

/// Passes an export on to its end.
async fn pump(
    export: impl Stream<Item = Result<Bytes>>,
    output: &mut (impl AsyncWrite + Unpin),
    failed: impl Fn(io::Error) -> Error,
    progress: &Progress,
) -> Result<Written> {
    let mut export = pin!(export);
    let mut written = Written::default();
    while let Some(piece) = export.try_next().await? {
        output.write_all(&piece).await.map_err(&failed)?;
        written.bytes += piece.len() as u64;
        written.records += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        progress.records(written.records);
        progress.advance(piece.len());
    }
    output.shutdown().await.map_err(&failed)?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use futures::stream;
    use mosaic_core::ErrorKind;

    use super::*;

    async fn write(path: &Path, replace: bool, pieces: Vec<Result<Bytes>>) -> Result<Written> {
        Destination::open(path, replace)?.write(stream::iter(pieces), &Progress::new(None)).await
    }

    fn files(directory: &Path) -> usize {
        directory.read_dir().unwrap().count()
    }

    #[tokio::test]
    async fn a_file_is_there_when_it_is_whole_and_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.jsonl");
        let written = write(&path, false, vec![Ok("one\ntwo\n".into()), Ok("three\n".into())]).await.unwrap();
        assert_eq!((written.records, written.bytes), (3, 14));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(files(dir.path()), 1);
    }

    #[tokio::test]
    async fn an_export_that_breaks_off_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.jsonl");
        std::fs::write(&path, "before").unwrap();
        let broken = || vec![Ok("one\n".into()), Err(Error::new(ErrorKind::Unavailable, "gone"))];
        assert!(write(&path, true, broken()).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(files(dir.path()), 1);
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_replaced_only_by_force() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("all.jsonl"), dir.path().join("link.jsonl"));
        std::fs::write(&path, "before").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let error = write(&path, false, vec![]).await.map(|_| ()).unwrap_err();
        assert!(error.hint_text().unwrap().contains("--force"));
        write(&link, true, vec![Ok("after\n".into())]).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "after\n");
        assert!(link.symlink_metadata().unwrap().is_symlink());

        assert!(write(dir.path(), true, vec![]).await.is_err());
        let error = write(&dir.path().join("absent/all.jsonl"), false, vec![]).await.map(|_| ()).unwrap_err();
        assert!(error.to_string().ends_with("absent/all.jsonl, reason=entity not found)"), "{error}");
    }
}
