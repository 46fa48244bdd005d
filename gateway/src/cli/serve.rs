//! `mosaic serve`

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use mosaic_core::Result;

use crate::config::Config;

const EXAMPLES: &str = "\
Examples:
  mosaic serve                          on 127.0.0.1:7420, with the data in ./mosaic-data
  mosaic serve --listen 127.0.0.1:8080
  mosaic serve --config team.json

The first start makes an admin and shows the admin's token once: on a terminal, otherwise in ./mosaic-admin.token.
Ctrl-C lets requests that are under way finish; a second one does not.";

/// Run the gateway, until it is told to stop
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Serve {
    /// Where to answer [default: `listen` in the config, else 127.0.0.1:7420]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        let mut config = Config::load(config)?;
        config.listen = self.listen.unwrap_or(config.listen);
        crate::serve::run(config).await?;
        Ok(ExitCode::SUCCESS)
    }
}
