//! `mosaic config`

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mosaic_core::Result;

use super::output;
use crate::config;

/// Check, show or describe the config
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the config that would be used, without starting anything
    Check,
    /// Show the config that would be used, with defaults and environment, and without secrets
    Show,
    /// Write the JSON Schema of the config
    Schema,
}

impl Config {
    pub(super) fn run(self, file: Option<&Path>) -> Result<ExitCode> {
        match self.command {
            Command::Check => {
                let config = config::Config::load(file)?;
                let source = config.source.as_ref().map_or("no config file, so the defaults".to_owned(), |file| file.display().to_string());
                output::line(&format!("{source}: tier {}, listening on {}", config.tier, config.listen))?;
            }
            Command::Show => output::json(&config::Config::load(file)?.shown())?,
            Command::Schema => output::json(&config::schema()?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
