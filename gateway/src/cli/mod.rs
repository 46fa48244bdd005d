//! The command line `mosaic`: one file per command, and what they share. This is the only place that writes to the
//! terminal. What must not come in: anything that a running gateway needs too.

mod backends;
mod backup;
mod chat;
mod completions;
mod config;
mod connect;
mod daily;
mod doctor;
mod draft;
mod export;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod import;
mod interrupt;
mod man;
mod migrate;
mod offline;
mod output;
mod progress;
mod ready;
mod serve;
mod table;
mod target;
mod team;
mod terminal;
mod token;
mod user;
mod when;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use mosaic_core::{Error, ErrorKind, Result};

const EXAMPLES: &str = "\
Examples:
  mosaic serve
  mosaic doctor
  mosaic import team.jsonl.gz --url http://127.0.0.1:7420
  mosaic backup create --url http://127.0.0.1:7420
  mosaic token create --user ada --name laptop
  mosaic task list --assignee me --url http://127.0.0.1:7420
  mosaic chat --url http://127.0.0.1:7420

Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// How commands end: their exit codes, for the reference.
pub(crate) const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done; of `mosaic doctor`: nothing is red, with `--strict` nothing is yellow either"),
    (1, "failed, in part or as a whole; of `mosaic doctor`: something is red, with `--strict` red or yellow"),
    (2, "wrong usage: a command, an option or a value that does not exist, or one that is missing; nothing was done"),
];

/// Where options that many commands have stand in their help: behind a command's own, before `--help`.
const COMMON: usize = 900;

/// A self-hosted gateway for a team's working data: tasks, notes, and the people they belong to
#[derive(Parser)]
#[command(name = "mosaic", version, arg_required_else_help = true, max_term_width = 110, after_help = EXAMPLES)]
struct Cli {
    /// The config file [default: $MOSAIC_CONFIG, else ./mosaic.config.json, else the defaults]
    #[arg(long, global = true, value_name = "FILE", display_order = COMMON)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    Doctor(doctor::Doctor),
    Ready(ready::Ready),
    Task(daily::Task),
    Note(daily::Note),
    Search(daily::Search),
    Chat(chat::Chat),
    Session(daily::Session),
    Import(import::Import),
    Export(export::Export),
    Backup(backup::Backup),
    Migrate(migrate::Migrate),
    User(user::User),
    Team(team::Team),
    Token(token::Token),
    Config(config::Config),
    Backends(backends::Backends),
    Completions(completions::Completions),
    Man(man::Man),
}

/// The commands and options, for the reference.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Parses the arguments, runs the command and says how it went.
pub(crate) fn main() -> ExitCode {
    std::panic::set_hook(Box::new(output::panicked));
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version are asked for, and come this way too. There is nobody to tell when they cannot be written.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = Error::new(ErrorKind::Unavailable, "no threads can be started").with("reason", &error).hint("raise `ulimit -u`");
            return output::failed(&error);
        }
    };
    let outcome = runtime.block_on(cli.command.run(cli.config));
    // Whoever still waits for standard input does so on a thread that cannot be ended.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| output::failed(&error))
}

/// Parses the arguments, and checks what depends on several of them, wherever on the line they stand.
fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let read = Cli::command().try_get_matches_from(arguments).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut Cli::command()))?;
        Ok((cli, matches))
    });
    let (cli, matches) = read.map_err(|error| match error.kind() {
        // The parser does not say which argument, nor that it is none.
        clap::error::ErrorKind::InvalidUtf8 if std::env::var_os("MOSAIC_URL").is_some_and(|url| url.to_str().is_none()) => {
            Cli::command().error(error.kind(), "the value of MOSAIC_URL is not UTF-8: unset it, or set it anew")
        }
        _ => error,
    })?;
    match cli.command.check(cli.config.as_deref()) {
        Ok(()) => Ok(cli),
        Err(why) => Err(chosen(&matches).error(clap::error::ErrorKind::MissingRequiredArgument, why)),
    }
}

/// The command that was given, which knows its own usage.
fn chosen(matches: &ArgMatches) -> clap::Command {
    let mut command = Cli::command();
    command.build();
    let names = std::iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand()).map(|(name, _)| name);
    names.fold(command, |command, name| match command.find_subcommand(name) {
        Some(below) => below.clone(),
        None => command,
    })
}

impl Command {
    /// Checks how it is to reach a running gateway, where it can or must.
    fn check(&self, config: Option<&Path>) -> Result<(), String> {
        match self {
            Self::Task(command) => command.check(config),
            Self::Note(command) => command.check(config),
            Self::Search(command) => command.check(config),
            Self::Chat(command) => command.check(config),
            Self::Session(command) => command.check(config),
            Self::Import(command) => command.connect().check(),
            Self::Export(command) => command.connect().check(),
            Self::Backup(command) => command.check(),
            Self::User(command) => command.connect().check(),
            Self::Team(command) => command.connect().check(),
            Self::Token(command) => command.connect().check(),
            Self::Serve(_)
            | Self::Migrate(_)
            | Self::Doctor(_)
            | Self::Ready(_)
            | Self::Config(_)
            | Self::Backends(_)
            | Self::Completions(_)
            | Self::Man(_) => Ok(()),
        }
    }

    async fn run(self, config: Option<PathBuf>) -> Result<ExitCode> {
        let config = config.as_deref();
        match self {
            Self::Serve(command) => command.run(config).await,
            Self::Doctor(command) => command.run(config).await,
            Self::Ready(command) => command.run(config).await,
            Self::Task(command) => command.run().await,
            Self::Note(command) => command.run().await,
            Self::Search(command) => command.run().await,
            Self::Chat(command) => command.run().await,
            Self::Session(command) => command.run().await,
            Self::Import(command) => command.run(config).await,
            Self::Export(command) => command.run(config).await,
            Self::Backup(command) => command.run(config).await,
            Self::Migrate(command) => command.run(config).await,
            Self::User(command) => command.run(config).await,
            Self::Team(command) => command.run(config).await,
            Self::Token(command) => command.run(config).await,
            Self::Config(command) => command.run(config).await,
            Self::Backends(command) => command.run(),
            Self::Completions(command) => command.run(Cli::command()),
            Self::Man(command) => command.run(Cli::command()),
        }
    }
}

#[cfg(test)]
mod tests;
