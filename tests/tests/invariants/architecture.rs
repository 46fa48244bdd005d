//! ARCHITECTURE.md against the code: what its picture and its lists say of crates and modules is what they import, the files that it names
//! are there, and each invariant names a test that is. What must not come in: the invariants themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{lives_under, packages, root, without_comments};

fn text() -> String {
    std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// The lines below a heading, up to the next one.
fn section(title: &str) -> Vec<String> {
    let text = text();
    let lines = text.lines().skip_while(|line| line.trim_start_matches('#').trim() != title).skip(1);
    let lines: Vec<_> = lines.take_while(|line| !line.starts_with("## ")).map(str::to_owned).collect();
    assert!(!lines.is_empty(), "there is no section {title:?}");
    lines
}

/// The rows of the first table in some lines, without its head.
fn rows(lines: &[String]) -> Vec<Vec<&str>> {
    let table = lines.iter().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
    table.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What is set as code.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// `a/{b,c}.rs` as two.
fn expanded(span: &str) -> Vec<String> {
    match span.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        Some((before, (choices, after))) => choices.split(',').map(|choice| format!("{before}{choice}{after}")).collect(),
        None => vec![span.to_owned()],
    }
}

/// Every file and directory of the repository that is its own, from the root, in order.
fn all_paths() -> Vec<String> {
    let out =
        std::process::Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root()).output();
    let files = match out {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect(),
        // A copy of the sources without their history.
        _ => below(&root(), ""),
    };
    let mut paths: BTreeSet<String> = files.iter().filter(|file| root().join(file).exists()).cloned().collect();
    for file in &files {
        paths.extend(Path::new(file).ancestors().skip(1).map(|dir| format!("{}/", dir.display())));
    }
    paths.into_iter().collect()
}

fn below(dir: &Path, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        match entry.path().is_dir() {
            true if ["target", ".git"].contains(&name.as_str()) => {}
            true => found.extend(below(&entry.path(), &format!("{prefix}{name}/"))),
            false => found.push(format!("{prefix}{name}")),
        }
    }
    found
}

/// The paths that a name stands for: one from the root, or the end of some, and `*` for anything in a name.
fn named<'p>(name: &str, paths: &'p [String]) -> Vec<&'p str> {
    let fits = |path: &str, name: &str| match name.split_once('*') {
        Some((before, after)) => {
            path.strip_prefix(before).is_some_and(|rest| rest.ends_with(after) && !rest[..rest.len() - after.len()].contains('/'))
        }
        None => path == name,
    };
    let depth = name.matches('/').count();
    let tail = |path: &str| -> Option<String> {
        let parts: Vec<_> = path.split('/').collect();
        Some(parts.get(parts.len().checked_sub(depth + 1)?..)?.join("/"))
    };
    let exact: Vec<_> = paths.iter().map(String::as_str).filter(|path| fits(path, name)).collect();
    if !exact.is_empty() {
        return exact;
    }
    paths.iter().map(String::as_str).filter(|path| tail(path).is_some_and(|tail| fits(&tail, name))).collect()
}

/// Whether code in a sentence names a file or a directory.
fn is_path(span: &str) -> bool {
    let is_plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "/._-*{},".contains(c));
    let ends = [".rs", ".html", ".js", ".md", ".toml", ".sh", ".json", "/"].iter().any(|end| span.ends_with(end));
    is_plain && !span.starts_with('/') && (ends || span.starts_with(".ci/"))
}

#[test]
fn every_file_that_the_architecture_names_is_there() {
    let paths = all_paths();
    let text = text();
    let mut count = 0;
    for span in spans(&text).filter(|span| is_path(span)) {
        for name in expanded(span) {
            count += 1;
            assert!(!named(&name, &paths).is_empty(), "ARCHITECTURE.md names `{name}`, which is not there");
        }
    }
    assert!(count > 50, "it names files");
}

/// The texts of the files that a path stands for: its own, or those in it.
fn texts(path: &str, paths: &[String]) -> Vec<String> {
    let files = paths.iter().filter(|file| !file.ends_with('/') && (*file == path || path.ends_with('/') && file.starts_with(path)));
    files.filter_map(|file| std::fs::read_to_string(root().join(file)).ok()).collect()
}

#[test]
fn every_invariant_names_its_test() {
    let paths = all_paths();
    let lines = section("Invariants");
    let rows = rows(&lines);
    assert!(rows.len() > 50, "{} rows", rows.len());
    for row in rows {
        let [invariant, tests] = row[..] else { panic!("a row of two: {row:?}") };
        let files: Vec<_> = spans(tests).filter(|span| is_path(span)).flat_map(expanded).flat_map(|name| named(&name, &paths)).collect();
        let texts: Vec<_> = files.iter().flat_map(|file| texts(file, &paths)).collect();
        let is_test = |text: &String| ["#[test]", "#[tokio::test", "#[rstest", "env: &Env", "#!/"].iter().any(|mark| text.contains(mark));
        assert!(texts.iter().any(is_test), "no test is named that holds: {invariant}");
        let is_name = |span: &&str| span.contains('_') && span.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let names: Vec<_> = spans(tests).filter(is_name).collect();
        for name in &names {
            let function = format!("fn {name}(");
            assert!(texts.iter().any(|text| text.contains(&function)), "there is no test `{name}`, which is to hold: {invariant}");
        }
        // A file of many invariants says of none which test is its.
        assert!(
            files != ["tests/tests/invariants.rs"] || !names.is_empty(),
            "no test of tests/tests/invariants.rs is named that holds: {invariant}"
        );
    }
}

/// The crates of ours that each one depends on, those for tests alone left out.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let packages = packages();
    let names: BTreeSet<_> = packages.iter().map(|package| package["name"].as_str().unwrap().to_owned()).collect();
    let on = |package: &serde_json::Value| -> BTreeSet<String> {
        let used = package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"] != "dev");
        used.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).filter(|name| names.contains(name)).collect()
    };
    packages.iter().map(|package| (package["name"].as_str().unwrap().to_owned(), on(package))).collect()
}

#[test]
fn the_crates_depend_on_what_the_list_says() {
    let lines = section("The crates");
    let rows = rows(&lines);
    let said: BTreeMap<_, BTreeSet<_>> =
        rows.iter().map(|row| (spans(row[0]).next().unwrap().to_owned(), spans(row[1]).map(str::to_owned).collect())).collect();
    let edges = edges();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        // Examples and the like are listed if somebody cares to; the product is, in any case.
        let is_product = ["core", "backends", "gateway", "tests"].iter().any(|directory| lives_under(&package, directory));
        assert!(!is_product || lives_under(&package, "examples") || said.contains_key(name), "{name} is not in the list of crates");
    }
    for (name, on) in said {
        assert_eq!(edges.get(&name), Some(&on), "what {name} depends on");
    }
}

#[test]
fn the_picture_has_every_backend_and_its_arrows() {
    let lines = section("Bird's-eye view");
    let picture: Vec<_> =
        lines.iter().skip_while(|line| !line.starts_with("```")).skip(1).take_while(|line| !line.starts_with("```")).collect();
    let edges = edges();
    for package in packages().iter().filter(|package| lives_under(package, "backends")) {
        let path = PathBuf::from(package["manifest_path"].as_str().unwrap());
        let directory = format!("backends/{}", path.parent().unwrap().file_name().unwrap().to_str().unwrap());
        let line = picture.iter().find(|line| line.contains(&directory)).unwrap_or_else(|| panic!("{directory} is not in the picture"));
        let on = &edges[package["name"].as_str().unwrap()];
        assert!(on.contains("mosaic-core") && line.contains('─'), "{directory} leads to core, and has a line that does");
        let is_of_sql = on.contains("mosaic-sql");
        // What stands to the left of the arrow to backends/sql in the picture, a tier by its name.
        assert_eq!(is_of_sql, line.contains("tier "), "{directory} rests on backends/sql as a tier does in the picture");
    }
}

/// Whether code names a module.
fn names_module(code: &str, module: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(module).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + module.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

/// What a file is called as a module: its own name, or its directory's.
fn module(path: &str) -> Option<&str> {
    let path = path.trim_end_matches('/');
    let name = path.strip_suffix("/mod.rs").unwrap_or(path);
    name.rsplit('/').next()?.split('.').next()
}

#[test]
fn the_ways_through_the_code_are_ways_that_modules_take() {
    let paths = all_paths();
    let lines = section("Entry points");
    let mut ways = 0;
    for bullet in lines.join("\n").split("\n- ") {
        let stations: Vec<_> =
            bullet.split('→').filter_map(|part| spans(part).find(|span| is_path(span) && !span.contains(['{', '*']))).collect();
        for pair in stations.windows(2) {
            let [from] = named(pair[0], &paths)[..] else { continue };
            // Of several by that name, the one that lies nearest.
            let near = |path: &&str| from.split('/').zip(path.split('/')).take_while(|(a, b)| a == b).count();
            let Some(to) = named(pair[1], &paths).into_iter().max_by_key(near) else { continue };
            // Between crates, traits lead: what may depend on what is held above.
            let package = |path: &str| path.split("/src/").next().unwrap().to_owned();
            if package(from) != package(to) || !to.ends_with(".rs") && !to.ends_with('/') || !from.contains("/src/") {
                continue;
            }
            ways += 1;
            let module = module(to).unwrap();
            // A module's file speaks for those below it.
            let whole = from.strip_suffix("mod.rs").unwrap_or(from);
            let beside = from.strip_suffix(".rs").map(|stem| format!("{stem}/")).unwrap_or_default();
            let code =
                texts(whole, &paths).into_iter().chain(texts(&beside, &paths)).map(|text| without_comments(&text)).collect::<String>();
            assert!(names_module(&code, module), "ARCHITECTURE.md leads from {from} to {to}, and the code does not");
        }
    }
    assert!(ways >= 5, "there are ways within a crate: {ways}");
}

#[test]
fn names_lead_to_paths() {
    let paths = ["a/b/c.rs", "a/b/", "d/needs_x.rs", "d/needs_y.rs"].map(str::to_owned);
    for (name, found) in [("a/b/c.rs", 1), ("b/c.rs", 1), ("c.rs", 1), ("needs_*.rs", 2), ("x.rs", 0), ("b/", 1), ("d/c.rs", 0)] {
        assert_eq!(named(name, &paths).len(), found, "{name}");
    }
    assert_eq!(expanded("a/{b,c}.rs"), ["a/b.rs", "a/c.rs"]);
    assert_eq!((module("a/b/mod.rs"), module("a/b.rs"), module("a/b/")), (Some("b"), Some("b"), Some("b")));
    assert!(names_module("use crate::records::x;", "records") && !names_module("my_records", "records"));
}
