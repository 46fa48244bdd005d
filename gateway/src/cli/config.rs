//! `mosaic config`

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mosaic_core::{Check, Error, ErrorKind, Result, Status, registry};

use super::output;
use crate::{config, models, open};

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
    let backend = registry::backend(&config.tier)?;
    let checks = (backend.diagnose)(open::options(config, "config", None)).await;
    match checks.into_iter().find(|check| check.service == Check::CONFIG && check.status == Status::Red) {
        Some(refused) => {
            let error = Error::new(ErrorKind::Config, refused.message);
            let error = match &config.source {
                Some(file) => error.with("file", file.display()),
                None => error,
            };
            Err(match refused.remediation {
                Some(cure) => error.hint(cure),
                None => error,
            })
        }
        None => Ok(()),
    }
}
