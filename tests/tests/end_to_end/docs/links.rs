//! Links: each leads to a file that is there, and to a heading in it.

use std::fs;

use super::blocks::prose;
use super::pages;

#[test]
fn every_relative_link_leads_somewhere() {
    let mut led = 0;
    for page in pages() {
        for target in links(&page.text) {
            led += 1;
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(file) };
            assert!(path.exists(), "{}: {target} leads nowhere", page.name());
            if !heading.is_empty() {
                let text = fs::read_to_string(&path).unwrap();
                assert!(headings(&text).iter().any(|found| found == heading), "{}: {target} has no such heading", page.name());
            }
        }
    }
    assert!(led > 0, "no page links to another");
}

/// The relative targets of a page's links.
fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.trim());
    let targets = targets.map(|target| target.split_once(" \"").map_or(target, |(target, _)| target));
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).map(str::to_owned).collect()
}

/// The names by which a page's headings are linked to: of several alike, the later ones are numbered.
fn headings(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in prose(text).lines().filter(|line| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let name = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-");
        let alike = names.iter().filter(|other| **other == name).count();
        names.push(if alike == 0 { name } else { format!("{name}-{alike}") });
    }
    names
}

#[test]
fn headings_and_links_are_those_of_the_prose() {
    let page = "# One, `two`\n```sh\n# three\n[x](y)\n```\n## One two\nSee [a](b.md#c \"d\"), [e](https://f) and [g](#h).\n";
    assert_eq!(headings(page), ["one-two", "one-two-1"]);
    assert_eq!(links(page), ["b.md#c", "#h"]);
}
