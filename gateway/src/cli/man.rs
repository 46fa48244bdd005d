//! `mosaic man`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_mangen::Man as Page;
use mosaic_core::{Error, ErrorKind, Result};

use super::output;

const EXAMPLES: &str = "\
Examples:
  mosaic man | man -l -
  mosaic man task add | man -l -
  mosaic man --dir ~/.local/share/man/man1";

/// Write the manual page of a command, or those of all commands
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Man {
    /// The command, such as `task add` [default: mosaic itself]
    #[arg(conflicts_with = "dir")]
    command: Vec<String>,
    /// Write a page for every command into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, command: Command) -> Result<ExitCode> {
        let mut command = command.disable_help_subcommand(true);
        command.build();
        match self.dir {
            Some(dir) => {
                let unwritable = |error: std::io::Error| {
                    Error::new(ErrorKind::Unavailable, "the pages cannot be written")
                        .with("dir", dir.display())
                        .with("reason", &error)
                        .hint(format!("mkdir -p {}", dir.display()))
                        .source(error)
                };
                clap_mangen::generate_to(command, &dir).map_err(unwritable)?;
            }
            None => output::write(page(find(&command, &self.command)?)?.trim_end())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn find<'c>(command: &'c Command, names: &[String]) -> Result<&'c Command> {
    names.iter().try_fold(command, |command, name| {
        command.find_subcommand(name).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is no such command").with("command", name).hint("mosaic --help lists the commands")
        })
    })
}

fn page(command: &Command) -> Result<String> {
    let mut text = Vec::new();
    let rendered = Page::new(command.clone()).render(&mut text);
    rendered
        .ok()
        .and_then(|()| String::from_utf8(text).ok())
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the page cannot be made").with("command", command.get_name()))
}
