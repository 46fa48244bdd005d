//! What the command line takes and refuses.

use super::*;

fn parsed(arguments: &[&str]) -> Result<Cli, clap::Error> {
    parse([&["mosaic"], arguments].concat().into_iter().map(OsString::from))
}

fn refused(arguments: &[&str]) -> String {
    let error = parsed(arguments).map(|_| ()).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string()
}

fn taken(arguments: &[&str]) {
    if let Err(error) = parsed(arguments) {
        unreachable!("{arguments:?}: {error}");
    }
}

#[test]
fn the_definitions_hold_together() {
    Cli::command().debug_assert();
}

#[test]
fn the_exit_codes_of_the_help_are_those_of_the_reference() {
    for (code, meaning) in EXIT_CODES {
        let word = meaning.split([':', ';', ',']).next().unwrap_or_default();
        assert!(EXAMPLES.contains(&format!("{code} {word}")), "{code} {word}");
    }
}

#[test]
fn every_command_says_what_it_does() {
    fn check(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{} has no description", command.get_name());
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} of {} has no description", argument.get_id(), command.get_name());
        }
        command.get_subcommands().for_each(check);
    }
    check(&Cli::command());
}

#[test]
fn what_many_commands_have_stands_behind_a_commands_own() {
    let mut command = Cli::command();
    command.build();
    let add = command.find_subcommand("task").and_then(|task| task.find_subcommand("add")).unwrap();
    let help = add.clone().render_help().to_string();
    let options = help.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
    let options: Vec<_> = options.skip_while(|option| *option != "--body").collect();
    assert_eq!(options[..2], ["--body", "--body-file"], "{help}");
    assert!(options.join(" ").contains("--due --config --json --help --url --token-file"), "{help}");
}

#[test]
fn commands_are_taken_as_documented() {
    taken(&["serve"]);
    taken(&["serve", "--listen", "127.0.0.1:8080", "--config", "x.json"]);
    taken(&["--config", "x.json", "import", "-", "--json"]);
    taken(&["import", "a.jsonl", "--url", "http://127.0.0.1:7420", "--token-file", "t"]);
    taken(&["export", "a.jsonl.gz", "--with-tokens", "--force"]);
    taken(&["user", "--json", "list", "--url", "http://127.0.0.1:7420"]);
    taken(&["user", "add", "ada", "--name", "Ada", "--email", "ada@example.org", "--role", "admin"]);
    taken(&["user", "set", "ada", "--no-email", "--name", "Ada L"]);
    taken(&["team", "member", "add", "ops", "ada", "--role", "owner", "--json"]);
    taken(&["team", "members", "ops"]);
    taken(&["token", "create", "--user", "ada", "--name", "laptop", "--scope", "read,write", "--expires", "90d"]);
    taken(&["token", "revoke", "0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f"]);
    taken(&["token", "--token-file", "t", "list", "--url", "http://127.0.0.1:7420"]);
    taken(&["doctor"]);
    taken(&["doctor", "--json", "--strict", "--config", "x.json"]);
    taken(&["doctor", "--schema"]);
    taken(&["config", "check"]);
    taken(&["backends", "--json"]);
    const URL: [&str; 2] = ["--url", "http://127.0.0.1:7420"];
    const ID: &str = "0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f";
    for command in [
        &["task", "list", "--status", "open,in_progress", "--assignee", "me", "--team", "ops", "--limit", "5"][..],
        &["task", "list", "--all", "--view-all", "--json"],
        &["task", "show", ID],
        &["task", "add", "Order", "new", "shelves", "--due", "2w", "--priority", "high", "--tag", "a", "--tag", "b", "--body-file", "-"],
        &["task", "set", ID, "--no-due", "--no-assignee", "--no-team", "--no-tags", "--edit", "--revision", "3"],
        &["note", "set", ID, "--body", ""],
        &["note", "remove", ID, "--revision", "3"],
        &["search", "in-place", "updates", "--kind", "note,message", "--team", "ops", "--limit", "100"],
    ] {
        taken(&[command, &URL].concat());
    }
    taken(&["completions", "bash"]);
    taken(&["man", "task", "add"]);
    taken(&["man", "--dir", "man1"]);
}

#[test]
fn wrong_usage_is_refused_by_name() {
    assert!(refused(&["import"]).contains("<FILE>"));
    assert!(refused(&["serve", "--listen", "here"]).contains("--listen"));
    assert!(refused(&["user", "set", "ada"]).contains("--name"));
    assert!(refused(&["user", "set", "ada", "--email", "a@b", "--no-email"]).contains("--no-email"));
    assert!(refused(&["user", "add", "ada", "--role", "owner"]).contains("admin"));
    assert!(refused(&["team", "set", "ops"]).contains("--slug"));
    assert!(refused(&["token", "create", "--user", "ada", "--name", "x", "--scope", "all"]).contains("operator"));
    assert!(refused(&["token", "create", "--user", "ada", "--name", "x", "--expires", "soon"]).contains("90d"));
    assert!(refused(&["token", "create", "--user", "ada", "--name", "x", "--expires", "2020-01-01"]).contains("in the past"));
    assert!(refused(&["token", "revoke", "laptop"]).contains("<ID>"));
    for command in [&["import", "a.jsonl"][..], &["export", "-", "--url", ""], &["user", "list"], &["team", "list"], &["token", "list"]] {
        let error = refused(&[command, &["--token-file", "t"]].concat());
        assert!(error.contains("--url URL or MOSAIC_URL"), "{error}");
    }
    const ID: &str = "0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f";
    for (command, named) in [
        (&["task", "list"][..], "export MOSAIC_URL=http://"),
        (&["note", "list", "--url", "", "--token-file", "t"], "--url URL"),
        (&["search", "kiln"], "running gateway"),
        (&["task", "set", ID], "--title"),
        (&["task", "show", "0198"], "in full"),
        (&["task", "add"], "<TITLE>"),
        (&["task", "add", "x", "--body", "a", "--body-file", "b"], "--body-file"),
        (&["task", "add", "x", "--priority", "7"], "urgent"),
        (&["task", "add", "x", "--due", "soon"], "2w"),
        (&["task", "add", "x", "--due", "4294967295w"], "9999"),
        (&["task", "list", "--status", "open,closed"], "cancelled"),
        (&["task", "list", "--limit", "0"], "--limit"),
        (&["task", "list", "--limit", "5", "--all"], "--all"),
        (&["search"], "<WORDS>"),
        (&["search", "x", "--kind", "user"], "message"),
        (&["search", "x", "--limit", "101"], "100"),
        (&["doctor", "--schema", "--json"], "--json"),
        (&["doctor", "--strict", "--schema"], "--schema"),
        (&["doctor", "local"], "local"),
        (&["completions", "cmd"], "powershell"),
    ] {
        let error = refused(command);
        assert!(error.contains(named), "{command:?}: {error}");
    }
    for (command, usage) in [
        (&["task", "list"][..], "Usage: mosaic task list [OPTIONS]"),
        (&["search", "kiln"], "Usage: mosaic search [OPTIONS] <WORDS>..."),
        (&["token", "list", "--token-file", "t"], "Usage: mosaic token list [OPTIONS]"),
    ] {
        let error = refused(command);
        assert!(error.contains(usage), "the usage of the command itself: {error}");
    }
    assert!(refused(&["nonsense"]).contains("nonsense"));
}
