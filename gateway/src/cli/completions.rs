//! `mosaic completions`

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;
use mosaic_core::{Error, ErrorKind, Result};

use super::output;

const EXAMPLES: &str = "\
Examples:
  mosaic completions bash > ~/.local/share/bash-completion/completions/mosaic
  mosaic completions zsh > ~/.zfunc/_mosaic
  mosaic completions fish > ~/.config/fish/completions/mosaic.fish

The directory of zsh must be in its fpath before compinit runs: fpath+=~/.zfunc";

/// Write what makes a shell complete commands and options
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, mut command: Command) -> Result<ExitCode> {
        // It would panic at a reader that goes away.
        let mut script = Vec::new();
        let name = command.get_name().to_owned();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        let script =
            String::from_utf8(script).map_err(|error| Error::new(ErrorKind::Internal, "the completions are no text").source(error))?;
        output::write(script.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}
