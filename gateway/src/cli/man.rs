//! `mosaic man`

use std::io;
use std::path::{Path, PathBuf};
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
                let unwritable = |error: io::Error| {
                    Error::new(ErrorKind::Unavailable, "the pages cannot be written")
                        .with("dir", dir.display())
                        .with("reason", &error)
                        .hint(format!("mkdir -p {}", dir.display()))
                        .source(error)
                };
                write_all(&command, &dir).map_err(unwritable)?;
            }
            None => output::write(text(find(&command, &self.command)?)?.trim_end())?,
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

/// Writes the page of a command, and those of the commands below it.
fn write_all(command: &Command, dir: &Path) -> io::Result<()> {
    page(command).generate_to(dir)?;
    command.get_subcommands().try_for_each(|command| write_all(command, dir))
}

/// The page of a command. Left alone, its foot would have the command's last word for a version.
fn page(command: &Command) -> Page {
    Page::new(command.clone()).source(concat!("mosaic ", env!("CARGO_PKG_VERSION"))).manual("Mosaic")
}

fn text(command: &Command) -> Result<String> {
    let mut text = Vec::new();
    let rendered = page(command).render(&mut text);
    rendered
        .ok()
        .and_then(|()| String::from_utf8(text).ok())
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the page cannot be made").with("command", command.get_name()))
}
