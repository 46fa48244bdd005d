//! Commands: each that a page or a command's help shows exists, with each of its options.

use std::collections::BTreeMap;

use super::blocks::{self, spans};
use super::pages;
use crate::harness::Place;

/// The words of a script's simple commands, without quotes and comments; what is redirected stays out.
fn simple_commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut is_passed_over = false;
    let mut characters = script.chars().peekable();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => while characters.next_if(|c| *c != '\n').is_some() {},
            (None, c) if !c.is_whitespace() && !"|;&()<>".contains(c) => word.get_or_insert_default().push(c),
            (None, c) => {
                // A redirection's target is the next word.
                let ended = word.take().filter(|word| !(c == '>' && word.chars().all(|c| c.is_ascii_digit())));
                if let Some(ended) = ended.filter(|_| !std::mem::take(&mut is_passed_over)) {
                    commands.last_mut().unwrap().push(ended);
                }
                match c {
                    '<' | '>' => is_passed_over = true,
                    ' ' | '\t' => {}
                    _ => commands.push(Vec::new()),
                }
            }
        }
    }
    commands.last_mut().unwrap().extend(word.filter(|_| !is_passed_over));
    commands
}

/// The commands of a script that call `mosaic`, without what comes before the name.
fn commands(script: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for command in simple_commands(script) {
        let is_test = command.first().is_some_and(|first| first == "cargo") && command.get(1).is_some_and(|verb| verb == "test");
        let mut words =
            command.into_iter().skip_while(|word| word.contains('=') || ["sudo", "env", "exec", "$", "if", "!"].contains(&word.as_str()));
        let runs = match words.next().as_deref() {
            Some("cargo") => !is_test && words.by_ref().any(|word| word == "--"),
            Some(name) => name == "mosaic" || name.ends_with("/mosaic"),
            None => false,
        };
        if runs {
            found.push(words.collect());
        }
    }
    found
}

/// The options that a script gives to other programs.
pub(super) fn options_of_others(script: &str) -> Vec<String> {
    // A database of that name is no call of the program.
    let calls = |command: &[String]| {
        command.iter().find(|word| !word.contains('=')).is_some_and(|word| word == "mosaic" || word.ends_with("/mosaic"))
    };
    let others = simple_commands(script).into_iter().filter(|command| !calls(command)).flatten();
    others.filter(|word| word.starts_with("--")).map(|word| word.split('=').next().unwrap_or_default().to_owned()).collect()
}

/// A command that is set as code in a sentence. What is in capitals in the place of a command, or left out by `…`, is nobody's to type.
fn spoken(span: &str) -> Option<Vec<String>> {
    let words: Vec<_> = commands(span).into_iter().next()?;
    let is_command = words.first().is_some_and(|first| first.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
    let stands_for = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    // What an option takes is left to it, whatever it is called.
    let kept = (0..words.len()).filter(|&at| !stands_for(&words[at]) || at > 0 && words[at - 1].starts_with('-'));
    let kept = kept.map(|at| words[at].clone()).collect();
    (is_command && !span.contains('…') && !span.contains('{')).then_some(kept)
}

/// Every command's help, by its names.
async fn helps() -> Vec<(String, String)> {
    let mut helps = Vec::new();
    let mut to_do = vec![Vec::<String>::new()];
    while let Some(names) = to_do.pop() {
        let arguments: Vec<_> = names.iter().map(String::as_str).chain(["--help"]).collect();
        let help = Place::new().run(&arguments).await.exit(0).text();
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let listed =
            listed.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
        to_do.extend(listed.filter(|name| *name != "help").map(|name| [names.clone(), vec![name.to_owned()]].concat()));
        helps.push((format!("mosaic {} --help", names.join(" ")), help));
    }
    helps
}

#[tokio::test]
async fn every_command_that_is_shown_exists() {
    let mut shown: BTreeMap<Vec<String>, String> = BTreeMap::new();
    for page in pages() {
        for block in page.blocks().into_iter().filter(blocks::Block::is_shell) {
            shown.extend(commands(&block.typed()).into_iter().map(|command| (command, format!("{}:{}", page.name(), block.line))));
        }
        shown.extend(spans(&page.text).iter().filter_map(|span| spoken(span)).map(|command| (command, page.name())));
    }
    assert!(!shown.is_empty(), "no page shows a command");
    let of_pages = shown.len();
    for (name, help) in helps().await {
        // Behind a gap stands what it does.
        let typed = help.lines().map(|line| line.trim().split("  ").next().unwrap_or_default());
        shown.extend(typed.flat_map(commands).map(|command| (command, name.clone())));
    }
    assert!(shown.len() > of_pages, "no help shows an example");
    let place = Place::new();
    let mut wrong = Vec::new();
    for (command, page) in shown {
        // `--help` behind a command is answered once clap has found the command; a wrong flag before it is an error.
        let arguments: Vec<_> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let outcome = place.run(&arguments).await;
        // A sentence may speak of an option and leave out its value.
        let is_of_no_value = outcome.stderr.contains("a value is required for");
        if outcome.code != Some(0) && !is_of_no_value {
            wrong.push(format!("{page}: mosaic {}\n{}", command.join(" "), outcome.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_are_found_in_scripts_and_sentences() {
    let script = "mosaic serve # runs\nMOSAIC_TIER=local ./target/release/mosaic import \\\n  'a b.jsonl' 2>err | cat\n\
                  cargo run --release -- token list\ncargo test -- mosaic\nID=$(mosaic note add x --json)\n(umask 077; mosaic export \"a\" > b)\n\
                  echo '| mosaic no'\nmosaic chat - < c && mosaic user list";
    let expected = ["serve", "import a b.jsonl", "token list", "note add x --json", "export a", "chat -", "user list"];
    assert_eq!(commands(script).iter().map(|words| words.join(" ")).collect::<Vec<_>>(), expected);
    assert_eq!(options_of_others("pg_dump --file=x --clean mosaic\nA=b mosaic serve --listen x"), ["--file", "--clean"]);
    let spoken_words = |span| spoken(span).map(|words| words.join(" "));
    assert_eq!(spoken_words("mosaic completions SHELL"), Some("completions".to_owned()));
    assert_eq!(spoken_words("mosaic migrate tier --to TIER"), Some("migrate tier --to TIER".to_owned()));
    for span in ["mosaic COMMAND --help", "mosaic", "mosaic-core", "mosaic {a,b}"] {
        assert_eq!(spoken(span), None, "{span}");
    }
}
