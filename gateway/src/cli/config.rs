//! `mosaic config`

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mosaic_core::{Check, Result, Status};

use super::output;
use crate::tls::Files;
use crate::{config, doctor, models};

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
    pub(super) async fn run(self, file: Option<&Path>) -> Result<ExitCode> {
        match self.command {
            Command::Check => {
                let config = config::Config::load(file)?;
                check(&config).await?;
                models::embeddings(&config)?;
                if let Some(files) = Files::of(&config) {
                    files.pair().await?;
                }
                let source = config.source.as_ref().map_or("the defaults".to_owned(), |file| file.display().to_string());
                output::line(&format!("{source}: good, for tier {} at {}", config.tier, config.listen))?;
            }
            Command::Show => output::json(&config::Config::load(file)?.shown())?,
            Command::Schema => output::json(&config::schema())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Has the tier's section read by its backend, which alone knows it. A backend examines all or nothing, so its services are
/// looked at too, within the bounds of an examination: what is found there is no fault of the config, and is passed over.
async fn check(config: &config::Config) -> Result<()> {
    let checks = doctor::of_tier(config, "config").await?;
    match checks.into_iter().find(|check| check.service == Check::CONFIG && check.status == Status::Red).map(doctor::refusal) {
        Some(error) => Err(match &config.source {
            Some(file) => error.with("file", file.display()),
            None => error,
        }),
        None => Ok(()),
    }
}
