//! Names in sentences and blocks: variables of the environment, keys of the config, checks, and options exist.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::blocks::{Block, spans};
use super::commands::options_of_others;
use super::{Page, files, pages, root};
use crate::harness::Place;
use crate::servers::{Stack, services, standalone};

/// Options of other programs that pages speak of and show nowhere.
const OF_OTHERS: &[&str] = &["--features", "--jobs", "--no-default-features", "--volumes"];

fn kept(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The code of the project, the programs of its benchmarks and tests among it.
fn code() -> String {
    let files = ["core", "backends", "gateway", "tests"].iter().flat_map(|dir| files(&root().join(dir), "rs"));
    files.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// What is set as code in the reference, and matches.
fn named_in_reference(page: &str, matches: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let text = kept(&format!("docs/reference/{page}"));
    let found: BTreeSet<_> = spans(&text).into_iter().filter(|span| matches(span)).collect();
    assert!(!found.is_empty(), "{page} names nothing");
    found
}

/// The names in a text that begin with `MOSAIC_`.
fn variables(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let names = text.match_indices("MOSAIC_").map(|(at, _)| {
        let end = text[at..].find(|c| !is_part(c)).unwrap_or(text.len() - at);
        &text[at..at + end]
    });
    // What ends so is a pattern's beginning: MOSAIC_<SECTION>__<KEY>.
    names.filter(|name| !name.ends_with('_')).collect()
}

#[test]
fn every_variable_that_is_named_is_read_by_something() {
    let keys = named_in_reference("config.md", |span| span.starts_with("MOSAIC_"));
    // Outside of the config: in the code as a text of its own, and where services and the programs around them are set up.
    let code = code();
    let others = [".", ".ci", "fuzz"].iter().flat_map(|dir| fs::read_dir(root().join(dir)).unwrap().flatten());
    let others = others.map(|entry| entry.path()).filter(|path| path.is_file() && path.extension().is_none_or(|e| e != "md"));
    let others: String = others.filter_map(|path| fs::read_to_string(path).ok()).collect();
    for page in pages() {
        for name in variables(&page.text) {
            let is_read = keys.contains(name) || code.contains(&format!("\"{name}\"")) || variables(&others).contains(name);
            assert!(is_read, "{}: nothing reads {name}", page.name());
        }
    }
}

/// Whether a text looks like a path of the config: `section.key`.
fn is_path(span: &str) -> bool {
    let mut parts = span.split('.');
    let is_name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    parts.clone().count() > 1 && parts.all(is_name)
}

#[test]
fn every_key_and_every_check_that_is_named_exists() {
    let schema: Value = serde_json::from_str(&kept("docs/config.schema.json")).unwrap();
    let sections = schema["properties"].as_object().unwrap();
    let keys = named_in_reference("config.md", is_path);
    let checks = named_in_reference("errors.md", is_path);
    let of_any_tier = named_in_reference("errors.md", |span| span.starts_with("TIER."));
    let checks: BTreeSet<_> =
        of_any_tier.iter().flat_map(|check| sections.keys().map(|tier| check.replace("TIER", tier))).chain(checks).collect();
    let mut named = 0;
    for page in pages() {
        for span in spans(&page.text).into_iter().filter(|span| is_path(span)) {
            let (first, last) = (span.split('.').next().unwrap(), span.rsplit('.').next().unwrap());
            // What a config's file is called is no key of it.
            if !(sections.contains_key(first) || first == "gateway") || ["rs", "json", "md", "toml"].contains(&last) {
                continue;
            }
            named += 1;
            let within = keys.range(format!("{span}.")..).next().is_some_and(|next| next.starts_with(&format!("{span}.")));
            assert!(keys.contains(&span) || within || checks.contains(&span), "{}: there is no key or check `{span}`", page.name());
        }
    }
    assert!(named > 0, "no page names a key");
}

#[tokio::test]
async fn the_checks_of_the_reference_are_those_that_a_doctor_makes() {
    let said = named_in_reference("errors.md", is_path);
    let stack = Stack::new().await;
    let database = services().await.postgres.database().await;
    for (tier, place) in [("local", Place::new()), ("standalone", standalone(&database.url())), ("federated", stack.place())] {
        let report: Value = serde_json::from_slice(&place.run(&["doctor", "--json"]).await.exit(0).stdout).unwrap();
        let made: BTreeSet<_> = report["checks"].as_array().unwrap().iter().map(|check| check["id"].as_str().unwrap()).collect();
        let is_of_it = |id: &&str| id.starts_with(&format!("{tier}."));
        let checks =
            said.iter().map(String::as_str).filter(|id| is_of_it(id) && !is_key(id) || ["gateway.config", "gateway.listen"].contains(id));
        assert_eq!(made, checks.collect(), "tier {tier}");
    }
}

/// Whether the reference has it as a key of the config.
fn is_key(name: &str) -> bool {
    named_in_reference("config.md", is_path).contains(name)
}

#[test]
fn every_option_that_is_spoken_of_exists() {
    let options: BTreeSet<String> = named_in_reference("cli.md", |span| span.contains("--"))
        .iter()
        .flat_map(|span| span.split([' ', ',']).filter(|word| word.starts_with("--")).map(str::to_owned).collect::<Vec<_>>())
        .chain(["--help".to_owned(), "--version".to_owned()])
        .collect();
    let pages = pages();
    let blocks = pages.iter().flat_map(Page::blocks).filter(Block::is_shell);
    let code = code();
    let of_others: BTreeSet<_> = blocks.flat_map(|block| options_of_others(&block.typed())).collect();
    let mut spoken_of = 0;
    for page in &pages {
        for span in spans(&page.text).into_iter().filter(|span| span.starts_with("--") && span.len() > 2) {
            let option = span.split([' ', '=']).next().unwrap();
            spoken_of += 1;
            // A benchmark's options stand in the reference of nothing; it reads them by their names.
            let of_a_program = code.contains(&format!("\"{option}\""));
            let exists = options.contains(option) || of_a_program || of_others.contains(option) || OF_OTHERS.contains(&option);
            assert!(
                exists,
                "{}: there is no option {option}; if it is another program's, show it in a block, or name it in OF_OTHERS",
                page.name()
            );
        }
    }
    assert!(spoken_of > 0, "no page speaks of an option");
}

#[test]
fn names_are_found() {
    let text = "`MOSAIC_URL`, MOSAIC_LOCAL__DATA_DIR=x and MOSAIC_<SECTION>__<KEY>";
    assert_eq!(variables(text), BTreeSet::from(["MOSAIC_URL", "MOSAIC_LOCAL__DATA_DIR"]));
    assert!(is_path("models.chat.turns") && !is_path("models") && !is_path("a.B") && !is_path("a..b") && !is_path("a. b"));
}
