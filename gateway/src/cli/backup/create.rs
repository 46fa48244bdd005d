//! `mosaic backup create`

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use futures::{Stream, StreamExt as _};
use indicatif::HumanBytes;
use mosaic_core::{Clock as _, Error, ErrorKind, IdSource as _, RandomIds, Result, Sharing, Snapshot, SystemClock};
use tokio::sync::mpsc;

use super::answer::{Answer, counted, holdings};
use crate::backup::{self, Manifest, Origin, Recipients, Sink, Still};
use crate::cli::connect::Connect;
use crate::cli::draft::Draft;
use crate::cli::interrupt::interruptible;
use crate::cli::offline::{Data, with_data};
use crate::cli::output;
use crate::cli::progress::Progress;
use crate::config::Config;
use crate::migration::Purpose;

const EXAMPLES: &str = "\
Examples:
  mosaic backup create
  mosaic backup create nightly.tar.zst --force --url http://127.0.0.1:7420
  mosaic backup create nightly.tar.zst.age --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p

It holds everything as it was at one moment: records, tokens with the hashes of their secrets, embeddings. It does not hold the config and
the secrets in it. The file is readable by its owner alone, and appears when it is whole.
Without --url, the gateway of tier local must be stopped; those of the other tiers go on.";

/// Write everything into one file, as it is at this moment
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Create {
    /// The file [default: mosaic-backup-TIME.tar.zst, with .age behind it when it is encrypted]
    file: Option<PathBuf>,
    /// Encrypt it for the holder of this public key (age1…); may be given again
    #[arg(long = "recipient", short = 'r', value_name = "KEY")]
    recipients: Vec<String>,
    /// Encrypt it for those whose public keys are in this file, one a line; may stand beside --recipient
    #[arg(long, short = 'R', value_name = "FILE")]
    recipients_file: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Write what is in it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Create {
    pub(super) fn connect(&self) -> &Connect {
        &self.connect
    }

    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        let client = self.connect.client()?;
        let recipients = Recipients::of(&self.recipients, self.recipients_file.as_deref())?;
        let path = self.file.clone().unwrap_or_else(|| default_name(&recipients));
        let draft = Draft::open(&path, self.force, "backup")?;
        let progress = Progress::new(None);
        let done = match client {
            Some(client) => interruptible(async { write(client.backup().await?, draft, recipients, &progress).await }).await,
            None => {
                let config = Config::load(config)?;
                let tier = config.tier.clone();
                let work = |data: Data| async {
                    let snapshot = snapshot(data).await?;
                    let now = SystemClock.now();
                    let origin = Origin::new(RandomIds.next(now), now, &tier);
                    write(backup::create(snapshot, origin), draft, recipients, &progress).await
                };
                with_data(&config, "backup create", Purpose::Read, work).await
            }
        };
        progress.finish();
        let (manifest, bytes) = done?;
        if self.json {
            output::json(&Answer::created(&path, bytes, &manifest))?;
        } else {
            output::write(&holdings(&manifest.holds))?;
            output::line(&format!("{}, in {} ({})", counted(&manifest.holds), path.display(), HumanBytes(bytes)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn default_name(recipients: &Recipients) -> PathBuf {
    let time: String = output::time(Some(SystemClock.now())).chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("mosaic-backup-{time}.tar.zst{}", if recipients.is_empty() { "" } else { ".age" }).into()
}

/// Everything as it is at this moment.
async fn snapshot(data: Data) -> Result<Arc<dyn Snapshot>> {
    // Nobody else can be there, to write meanwhile.
    if data.sharing == Sharing::Exclusive {
        return Ok(Arc::new(Still::new(data.storage, data.vectors)));
    }
    data.storage.snapshot().await?.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "this tier does not show what it holds at one moment").hint("use the means of its own service")
    })
}

/// Writes an archive to its file; answers what is in it, and how many bytes it takes.
async fn write(
    archive: impl Stream<Item = Result<Bytes>>,
    draft: Draft,
    recipients: Recipients,
    progress: &Progress,
) -> Result<(Manifest, u64)> {
    let (sender, pieces) = mpsc::channel(1);
    let (file, failed, counted) = (draft.file()?, draft.failing(), progress.clone());
    let writer = tokio::task::spawn_blocking(move || {
        let sink = Sink::new(file, &recipients).map_err(&failed)?;
        let (manifest, file) = backup::follow(pieces, sink, &failed, |records| counted.records(records))?;
        file.sync_all().map_err(&failed)?;
        let bytes = file.metadata().map_err(&failed)?.len();
        Ok((manifest, bytes))
    });
    let mut archive = pin!(archive);
    while let Some(piece) = archive.next().await {
        if let Ok(piece) = &piece {
            progress.advance(piece.len());
        }
        let is_last = piece.is_err();
        // Whoever does not take it any more says why.
        if sender.send(piece).await.is_err() || is_last {
            break;
        }
    }
    drop(sender);
    let broke_off = |error| Error::new(ErrorKind::Internal, "writing the backup broke off").source(error);
    let written = writer.await.map_err(broke_off)??;
    draft.put_in_place().await?;
    Ok(written)
}
