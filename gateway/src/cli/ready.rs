//! `mosaic ready`

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use mosaic_core::Result;

use super::output;
use crate::config::Config;
use crate::doctor;

const EXAMPLES: &str = "\
Examples:
  mosaic ready
  until mosaic ready; do sleep 1; done

It asks the gateway that listens where the config says, needs no token, and answers
in less than 3 s: what a container's health check wants. `mosaic doctor` says more.

Exit codes: 0 ready, also without a part that it can do without; 1 not ready, or
not running; 2 wrong usage.";

/// Ask whether the gateway on this machine is ready
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Ready {}

impl Ready {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        let config = Config::load(config)?;
        let without = doctor::is_ready(&config).await?;
        output::line(&if without.is_empty() { "ready".to_owned() } else { format!("ready, without: {}", without.join(", ")) })?;
        Ok(ExitCode::SUCCESS)
    }
}
