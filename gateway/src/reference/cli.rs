//! `docs/reference/cli.md`: every command with its arguments and options, as `--help` has them.

use clap::{Arg, ArgAction, Command};

use super::{code, head, table};

const ABOUT: &str = "Every command and option, as `--help` has them. [The command line](../cli.md) says how they are used; their exit codes are \
    [here](errors.md#exit-codes-of-commands). What a command takes, those below it take as well.";

/// The page.
pub fn cli() -> String {
    // With its own, the parser's listing of all commands is there once more below each.
    let mut root = crate::cli::command().disable_help_subcommand(true);
    root.build();
    let mut text = head("Reference: the command line", ABOUT);
    let common: Vec<_> = root.get_arguments().filter(|argument| argument.is_global_set()).collect();
    text.push_str("\nEvery command takes these, and `--help`:\n\n");
    text.push_str(&arguments(&common));
    for command in root.get_subcommands() {
        section(&mut text, command, &["config"]);
    }
    text
}

/// A command, and those below it. `said` are the ids of arguments that were described above.
fn section(text: &mut String, command: &Command, said: &[&str]) {
    if command.is_hide_set() {
        return;
    }
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    text.push_str(&format!("\n## {name}\n\n{}\n", sentence(command.get_about().map(ToString::to_string))));
    let usage = command.clone().render_usage().to_string();
    let usage: Vec<_> = usage.trim_start_matches("Usage:").lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    text.push_str(&format!("\n```text\n{}\n```\n", usage.join("\n")));
    let own: Vec<_> =
        command.get_arguments().filter(|argument| !said.contains(&argument.get_id().as_str()) && is_shown(argument)).collect();
    let listed = arguments(&own);
    if !listed.is_empty() {
        text.push('\n');
        text.push_str(&listed);
    }
    let said: Vec<_> = said.iter().copied().chain(own.iter().filter(|own| own.is_global_set()).map(|own| own.get_id().as_str())).collect();
    for below in command.get_subcommands() {
        section(text, below, &said);
    }
}

fn is_shown(argument: &Arg) -> bool {
    !argument.is_hide_set()
        && !matches!(argument.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version)
}

fn arguments(arguments: &[&Arg]) -> String {
    let rows: Vec<_> = arguments.iter().map(|argument| row(argument)).collect();
    table(&["argument", "must be given", "values", "default", "variable", "what it says"], &rows)
}

fn row(argument: &Arg) -> Vec<String> {
    let values: Vec<_> = argument.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>")).collect();
    let takes_values = argument.get_action().takes_values();
    let several = argument.get_num_args().is_some_and(|count| count.max_values() > 1) || matches!(argument.get_action(), ArgAction::Append);
    let dots = if several && takes_values { "…" } else { "" };
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names: Vec<_> = short.into_iter().chain(long).collect();
    let shown = match (names.is_empty(), takes_values) {
        (true, _) => format!("{}{dots}", if values.is_empty() { format!("<{}>", argument.get_id()) } else { values.join(" ") }),
        (false, true) => format!("{} {}{dots}", names.join(", "), values.join(" ")),
        (false, false) => names.join(", "),
    };
    let possible = argument.get_possible_values();
    let possible: Vec<_> =
        possible.iter().filter(|value| takes_values && !value.is_hide_set()).map(|value| code(value.get_name())).collect();
    let default = argument.get_default_values().iter().filter(|_| takes_values).map(|value| code(&value.to_string_lossy()));
    vec![
        code(&shown),
        if argument.is_required_set() { "yes".to_owned() } else { String::new() },
        possible.join(", "),
        default.collect::<Vec<_>>().join(", "),
        argument.get_env().map(|name| code(&name.to_string_lossy())).unwrap_or_default(),
        argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string).unwrap_or_default(),
    ]
}

/// What a command is for, as a sentence.
fn sentence(about: Option<String>) -> String {
    let about = about.unwrap_or_default();
    if about.is_empty() || about.ends_with('.') { about } else { format!("{about}.") }
}
