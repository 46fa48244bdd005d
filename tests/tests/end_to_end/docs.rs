//! The documentation against the product: what a reader copies from it works, and where it points there is something.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::Place;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every Markdown file for readers.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = files(&root().join("docs"), "md");
    pages.extend(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root().join(name)));
    pages
        .into_iter()
        .map(|page| (page.clone(), fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))))
        .collect()
}

#[tokio::test]
async fn the_checked_in_schemas_are_those_of_the_code() {
    for (command, kept) in [("config schema", "docs/config.schema.json"), ("doctor --schema", "docs/doctor.schema.json")] {
        let printed = Place::new().run(&command.split(' ').collect::<Vec<_>>()).await.exit(0).text();
        let found = fs::read_to_string(root().join(kept)).unwrap_or_default();
        assert!(printed == found, "out of date: cargo run -p mosaic-gateway --all-features -- {command} > {kept}");
    }
}

#[tokio::test]
async fn there_is_an_example_config_for_each_tier_and_it_is_accepted() {
    let examples = files(&root().join("docs/examples"), "json");
    let built_in = Place::new().run(&["backends", "--json"]).await.exit(0);
    let built_in: serde_json::Value = serde_json::from_slice(&built_in.stdout).unwrap();
    let tiers: Vec<_> = built_in["built_in"].as_array().unwrap().iter().map(|entry| entry["tier"].as_str().unwrap()).collect();
    for tier in &tiers {
        let example = examples.iter().find(|example| example.file_stem().is_some_and(|name| name == *tier));
        let example = fs::read_to_string(example.unwrap_or_else(|| panic!("no example config for tier {tier}"))).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&example).unwrap()["tier"], *tier);
    }
    for example in examples {
        Place::new().run(&["config", "check", "--config", example.to_str().unwrap()]).await.exit(0);
    }
}

/// The commands of a page's shell blocks that call `mosaic`, without what comes before the name, comments, redirections and pipes.
fn commands(text: &str) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut in_shell = false;
    let mut joined = String::new();
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            in_shell = !in_shell && ["sh", "bash", "shell", "console"].contains(&language.trim());
            continue;
        }
        if !in_shell {
            continue;
        }
        joined.push_str(line.trim().trim_start_matches("$ "));
        if joined.ends_with('\\') {
            joined.pop();
            continue;
        }
        for part in joined.split(['|', ';', '&']) {
            let mut words =
                part.split_whitespace().take_while(|word| !word.starts_with(['#', '>', '<'])).skip_while(|word| word.contains('='));
            let runs = match words.next() {
                Some("cargo") => words.by_ref().any(|word| word == "--"),
                Some(name) => name == "mosaic" || name.ends_with("/mosaic"),
                None => false,
            };
            if runs {
                found.insert(words.map(|word| word.trim_matches(['"', '\'']).to_owned()).collect());
            }
        }
        joined.clear();
    }
    found
}

#[tokio::test]
async fn every_command_that_is_shown_exists() {
    let mut shown = 0;
    for (page, text) in pages() {
        for command in commands(&text) {
            shown += 1;
            // `--help` behind a command is answered once clap has found the command; a wrong flag before it is an error.
            let arguments: Vec<_> = command.iter().map(String::as_str).chain(["--help"]).collect();
            let outcome = Place::new().run(&arguments).await;
            assert_eq!(outcome.code, Some(0), "{}: mosaic {}\n{}", page.display(), command.join(" "), outcome.stderr);
        }
    }
    assert!(shown > 0, "no page shows a command");
}

#[test]
fn commands_are_found_in_shell_blocks() {
    let page = "mosaic prose\n```sh\nmosaic serve # runs\nMOSAIC_TIER=local ./target/release/mosaic import \\\n  'a.jsonl' | cat\ncargo run --release -- token list\n```\n```json\nmosaic no\n```\n";
    let expected: BTreeSet<_> = [vec!["serve"], vec!["import", "a.jsonl"], vec!["token", "list"]]
        .into_iter()
        .map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(commands(page), expected);
}

#[test]
fn every_relative_link_leads_somewhere() {
    for (page, text) in pages() {
        for target in links(&text) {
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(path.exists(), "{}: {target} leads nowhere", page.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&path).unwrap();
                assert!(headings(&text).any(|found| found == heading), "{}: {target} has no such heading", page.display());
            }
        }
    }
}

/// The relative targets of a page's links.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.trim());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).map(str::to_owned).collect()
}

/// The names by which a page's headings are linked to.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
    })
}
