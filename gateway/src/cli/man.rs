//! `mosaic man`

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::Resettable;
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
            None => {
                let command = find(&command, &self.command)?;
                let unmade =
                    |error| Error::new(ErrorKind::Internal, "the page cannot be made").with("command", command.get_name()).source(error);
                output::write(text(command).map_err(unmade)?.trim_end())?;
            }
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
    std::fs::write(dir.join(page(command).get_filename()), text(command)?)?;
    command.get_subcommands().try_for_each(|command| write_all(command, dir))
}

/// The page of a command. Left alone, its foot would have the command's last word for a version.
fn page(command: &Command) -> Page {
    Page::new(command.clone()).source(concat!("mosaic ", env!("CARGO_PKG_VERSION"))).manual("Mosaic")
}

/// The text of a page. What stands below a command's help is not left to the renderer, which would fill its lines like prose.
fn text(command: &Command) -> io::Result<String> {
    let mut text = Vec::new();
    page(&command.clone().after_help(Resettable::Reset)).render(&mut text)?;
    let mut text = String::from_utf8(text).map_err(io::Error::other)?;
    let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    text.push_str(&sections(&below));
    Ok(text)
}

/// What stands below a command's help, as sections: examples, each on its line as it is typed, and notes.
fn sections(below: &str) -> String {
    let (examples, notes) = match below.strip_prefix("Examples:\n") {
        Some(rest) => rest.split_once("\n\n").unwrap_or((rest, "")),
        None => ("", below),
    };
    let mut text = String::new();
    if !examples.is_empty() {
        let lines = examples.lines().map(|line| escaped(line.strip_prefix("  ").unwrap_or(line))).collect::<Vec<_>>().join("\n");
        text.extend([".SH EXAMPLES\n.nf\n", &lines, "\n.fi\n"]);
    }
    if !notes.is_empty() {
        let lines = notes.lines().map(escaped).collect::<Vec<_>>().join("\n.br\n");
        text.extend([".SH NOTES\n", &lines, "\n"]);
    }
    text
}

/// A line as roff shows it: nothing is a request, and what it would set more finely (groff_char(7)) can be copied.
fn escaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len() + 8);
    if line.starts_with(['.', '\'']) {
        text.push_str("\\&");
    }
    for c in line.chars() {
        match c {
            '\\' => text.push_str("\\e"),
            '-' => text.push_str("\\-"),
            '\'' => text.push_str("\\(aq"),
            '`' => text.push_str("\\(ga"),
            '^' => text.push_str("\\(ha"),
            '~' => text.push_str("\\(ti"),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_stand_on_their_lines_and_can_be_copied() {
        let below = "Examples:\n  mosaic a --b 'c' > ~/d\n    .e\\f\n\nOne note.\n.Another, of `g`.";
        assert_eq!(
            sections(below),
            ".SH EXAMPLES\n.nf\nmosaic a \\-\\-b \\(aqc\\(aq > \\(ti/d\n  .e\\ef\n.fi\n\
             .SH NOTES\nOne note.\n.br\n\\&.Another, of \\(gag\\(ga.\n"
        );
        assert_eq!(sections("Examples:\n  a"), ".SH EXAMPLES\n.nf\na\n.fi\n");
        assert_eq!(sections("A note."), ".SH NOTES\nA note.\n");
        assert_eq!(sections(""), "");
    }
}
