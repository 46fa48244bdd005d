//! `mosaic backup restore`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use mosaic_core::{Error, ErrorKind, Result};

use super::Opened;
use super::answer::{Answer, compared, counted};
use super::verify::{different, said};
use crate::backup::{self, Archive, Identities, Manifest, Restored};
use crate::cli::interrupt::interruptible;
use crate::cli::output;
use crate::cli::progress::{Progress, Stages, waiting};
use crate::config::Config;

const EXAMPLES: &str = "\
Examples:
  mosaic backup restore nightly.tar.zst
  mosaic backup restore nightly.tar.zst.age --identity key.txt --config team.json
  mosaic backup restore --abort

It goes into the tier of the config, whichever it was made of. That must be empty, or hold no more than a first start makes, and its gateways
must be stopped. The file is read to its end first. A restore that was cut off goes on when it is run again; until its end no gateway starts
there. Tokens of the time of the backup work again.";

/// Put everything back from a backup, into an empty tier
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Restore {
    /// The file
    #[arg(required_unless_present = "abort")]
    file: Option<PathBuf>,
    /// Remove what a restore made that has not come to its end
    #[arg(long, conflicts_with = "file")]
    abort: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    opened: Opened,
}

impl Restore {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        let config = Config::load(config)?;
        let Some(file) = &self.file else { return self.undo(&config).await };
        let identities = self.opened.identities()?;
        let restored = interruptible(restore(&config, file, identities)).await?;
        if self.json {
            output::json(&Answer::restored("restored", file, &restored))?;
        } else {
            output::write(&compared(&restored))?;
        }
        if !restored.differences().is_empty() {
            output::note("no gateway starts on what is there; mosaic backup restore --abort removes it");
            return Err(different());
        }
        if !self.json {
            let (holds, took) = (&restored.manifest.holds, output::span(restored.took));
            output::line(&format!("everything was restored, read back, and found to be the same: {}, in {took}", counted(holds)))?;
            if let Some(error) = &restored.without_index {
                output::note(&format!("what finds the nearest quickly is still to be made, by the gateway there: {error}"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn undo(&self, config: &Config) -> Result<ExitCode> {
        let place = interruptible(backup::abort(config)).await?;
        if self.json {
            output::json(&Answer::new(if place.is_some() { "aborted" } else { "nothing" }))?;
        } else {
            output::line(&match place {
                Some(place) => format!("what the restore had made in {place} is removed"),
                None => "no restore is under way there: there is nothing to undo".to_owned(),
            })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn restore(config: &Config, file: &Path, identities: Arc<Identities>) -> Result<Restored> {
    // A file that is damaged shows it before anything is touched.
    let Manifest { origin, .. } = read_through(file, Arc::clone(&identities)).await?;
    let mut restore = waiting(&format!("opening the data of tier {}", config.tier), backup::Restore::open(config)).await?;
    let stages = Stages::new();
    let told = |step, done| stages.show(said(step), done);
    let outcome = async {
        let archive = Archive::open(file, identities, |_| ()).await?;
        restore.run(&origin, file, archive, &told).await
    };
    let outcome = outcome.await;
    stages.finish();
    restore.close().await;
    outcome.map_err(|error| match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Full if error.hint_text().is_none() => go_on(error),
        _ => error,
    })
}

async fn read_through(file: &Path, identities: Arc<Identities>) -> Result<Manifest> {
    let progress = Progress::new(file.metadata().ok().filter(|file| file.is_file()).map(|file| file.len()));
    let told = progress.clone();
    let manifest = backup::read_through(file, identities, move |bytes| told.advance(bytes)).await;
    progress.finish();
    manifest
}

fn go_on(error: Error) -> Error {
    error.hint("run it again: it goes on where it stopped; mosaic backup restore --abort removes what is there")
}
