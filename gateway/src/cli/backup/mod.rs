//! `mosaic backup`

mod answer;
mod create;
mod restore;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use mosaic_core::Result;

use crate::backup::Identities;

/// Keep a copy of everything, check it, and put it back
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Backup {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Create(create::Create),
    Verify(verify::Verify),
    Restore(restore::Restore),
}

/// Who opens a backup that is encrypted.
#[derive(Args)]
struct Opened {
    /// The file with an age identity that opens it, as age-keygen makes them; may be given again
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    identities: Vec<PathBuf>,
}

impl Opened {
    fn identities(&self) -> Result<Arc<Identities>> {
        Identities::of(&self.identities).map(Arc::new)
    }
}

impl Backup {
    /// Checks how it is to reach a running gateway, where it can.
    pub(super) fn check(&self) -> Result<(), String> {
        match &self.command {
            Command::Create(create) => create.connect().check(),
            Command::Verify(_) | Command::Restore(_) => Ok(()),
        }
    }

    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        match self.command {
            Command::Create(create) => create.run(config).await,
            Command::Verify(verify) => verify.run().await,
            Command::Restore(restore) => restore.run(config).await,
        }
    }
}
