//! `mosaic backup verify`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use mosaic_core::{Error, ErrorKind, Result};

use super::Opened;
use super::answer::{Answer, compared, counted};
use crate::backup::{self, Step};
use crate::cli::interrupt::interruptible;
use crate::cli::output;
use crate::cli::progress::Stages;

const EXAMPLES: &str = "\
Examples:
  mosaic backup verify nightly.tar.zst
  mosaic backup verify nightly.tar.zst.age --identity key.txt

It is restored into a scratch place, in the directory for temporary files (TMPDIR), read back, and compared with what it says of itself.
Nothing of it is left, and no tier in use is touched.

Exit codes: 0 it holds what it says, 1 it does not, or cannot be read; 2 wrong usage.";

/// Check that a backup can be restored, by restoring it into a scratch place
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Verify {
    /// The file
    file: PathBuf,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    opened: Opened,
}

impl Verify {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let identities = self.opened.identities()?;
        let stages = Stages::new();
        let told = |step, done| stages.show(said(step), done);
        // A file that is none shows it before a place is made for it.
        interruptible(backup::read_through(&self.file, Arc::clone(&identities), |_| ())).await?;
        let mut scratch = interruptible(backup::Scratch::open()).await?;
        let verdict = interruptible(scratch.verify(&self.file, identities, &told)).await;
        stages.finish();
        scratch.close().await;
        let verdict = verdict?;
        if self.json {
            output::json(&Answer::restored("verified", &self.file, &verdict))?;
        } else {
            output::write(&compared(&verdict))?;
        }
        if !verdict.differences().is_empty() {
            return Err(different());
        }
        if !self.json {
            let (origin, took) = (&verdict.manifest.origin, output::span(verdict.took));
            let made = output::time(Some(origin.created_at));
            output::line(&format!(
                "this backup of {made}, of tier {}, is good: {}, in {took}",
                origin.tier,
                counted(&verdict.manifest.holds)
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Why nobody should rely on a backup.
pub(super) fn different() -> Error {
    Error::new(ErrorKind::Corrupt, "what was read back is not what the backup says it holds").hint("use another backup, and report it")
}

pub(super) fn said(step: Step) -> &'static str {
    match step {
        Step::Reading => "read",
        Step::Restoring => "restored",
        Step::Verifying => "read back",
    }
}
