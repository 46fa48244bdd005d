//! What ARCHITECTURE.md says always holds of the crates: who may depend on whom, and where backends are named.
//! What must not come in: what a running gateway does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[path = "invariants/architecture.rs"]
mod architecture;
#[path = "invariants/reference.rs"]
mod reference;

/// What only some tier needs; the others must be free of it.
const FEDERATED: &[&str] = &["mosaic-federated", "pgvector", "redis"];
const EMBEDDED: &[&str] = &["mosaic-pglite", "oliphaunt", "wasmer"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).args(["--offline", "--locked"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names of all crates that a package is built from, itself among them.
fn dependencies(package: &str, arguments: &[&str]) -> BTreeSet<String> {
    let mut all = vec!["tree", "-p", package, "--prefix", "none", "--no-dedupe"];
    all.extend(arguments);
    let names: BTreeSet<_> = cargo(&all).lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    assert!(names.contains(package), "{package} is not among {names:?}");
    names
}

/// Those crates that are named in a list, or belong to a family that is.
fn among<'a>(names: &'a BTreeSet<String>, families: &[&str]) -> Vec<&'a str> {
    let belongs = |name: &str, family: &str| name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    names.iter().map(String::as_str).filter(|name| families.iter().any(|family| belongs(name, family))).collect()
}

/// The packages of the workspace, as cargo describes them.
fn packages() -> Vec<Value> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The names of our own crates that a package depends on, in its code or its build.
fn own_dependencies(package: &Value) -> BTreeSet<&str> {
    let used = package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"] != "dev");
    used.filter_map(|dependency| dependency["name"].as_str()).filter(|name| name.starts_with("mosaic-")).collect()
}

fn lives_under(package: &Value, directory: &str) -> bool {
    Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().components().any(|part| part.as_os_str() == directory)
}

/// Every Rust file under a directory of the workspace, with its text.
fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

#[test]
fn core_depends_on_no_database_no_tls_and_no_http() {
    let names = dependencies("mosaic-core", &["-e", "normal"]);
    assert_eq!(among(&names, &["sqlx", "redis", "rustls", "axum", "reqwest", "hyper", "tokio", "mosaic"]), ["mosaic-core"]);
}

#[test]
fn backends_depend_on_core_and_sql_alone() {
    let packages = packages();
    let backends: Vec<_> = packages.iter().filter(|package| lives_under(package, "backends")).collect();
    assert!(backends.len() >= 2, "there are the SQL and the embedded one");
    for backend in backends {
        let others: Vec<_> = own_dependencies(backend).into_iter().filter(|name| !["mosaic-core", "mosaic-sql"].contains(name)).collect();
        assert!(others.is_empty(), "{} depends on {others:?}", backend["name"]);
    }
}

#[test]
fn one_file_of_the_gateway_names_backends_and_features() {
    let packages = packages();
    let crates = packages
        .iter()
        .filter(|package| lives_under(package, "backends"))
        .map(|package| package["name"].as_str().unwrap().replace('-', "_"));
    let crates: Vec<_> = crates.collect();
    let named = |code: &str| names_a_feature(code) || crates.iter().any(|name| code.contains(name.as_str()));
    let files: Vec<_> =
        sources(&root().join("gateway")).into_iter().filter(|(_, text)| named(&without_comments(text))).map(|(path, _)| path).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].ends_with("gateway/src/backends.rs"), "{files:?}");
}

/// The lines that are no comments.
fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether code depends on a feature: in an attribute or a macro, alone or inside of `all`, `any` or `not`, on one line or several.
fn names_a_feature(code: &str) -> bool {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let conditions = code.match_indices("cfg").filter_map(|(at, _)| {
        let behind = code[at + 3..].trim_start_matches("_attr").trim_start_matches('!');
        behind.starts_with('(').then(|| condition(behind))
    });
    conditions.into_iter().any(|condition| condition.contains("feature="))
}

/// What stands between the first parenthesis and the one that closes it.
fn condition(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn features_are_found_wherever_they_stand() {
    for code in [
        "#[cfg(feature = \"local\")]",
        "#[cfg(all(unix, not(feature=\"local\")))]",
        "#[cfg(\n    any(\n        test,\n        feature = \"local\",\n    )\n)]",
        "#![cfg_attr(feature = \"local\", expect(unused))]",
        "if cfg!(feature = \"local\") {",
    ] {
        assert!(names_a_feature(code), "{code}");
    }
    for code in ["#[cfg(test)] mod tests; let feature = 1;", "cargo --features local", "json!({ \"feature\": feature })", "#[cfg(unix)]"] {
        assert!(!names_a_feature(code), "{code}");
    }
}

#[test]
fn a_gateway_holds_only_the_tiers_it_was_built_with() {
    let default = dependencies("mosaic-gateway", &["-e", "normal,build"]);
    assert!(among(&default, FEDERATED).is_empty(), "{default:?}");
    assert!(
        among(&default, &["mosaic-pglite", "oliphaunt-wasix", "wasmer"]).len() >= 3,
        "the names below are those of the embedded engine"
    );

    // What goes by another name is found by where it lives.
    for features in [&[][..], &["--no-default-features", "--features", "standalone"]] {
        let tree =
            [&["tree", "-p", "mosaic-gateway", "-e", "normal,build", "--prefix", "none", "--format", "{lib} {p}"], features].concat();
        let tree = cargo(&tree);
        assert!(tree.contains("/gateway)"), "our own crates are listed with their paths:\n{tree}");
        let federated: Vec<_> = tree.lines().filter(|line| line.contains("/backends/federated")).collect();
        assert!(federated.is_empty(), "{federated:?}");
    }

    for features in [&["--no-default-features"][..], &["--no-default-features", "--features", "standalone"]] {
        let without = dependencies("mosaic-gateway", &[&["-e", "normal,build"], features].concat());
        assert!(among(&without, FEDERATED).is_empty(), "{:?}", among(&without, FEDERATED));
        assert!(among(&without, EMBEDDED).is_empty(), "{:?}", among(&without, EMBEDDED));
    }
    let federated = dependencies("mosaic-gateway", &["-e", "normal,build", "--features", "federated"]);
    assert_eq!(among(&federated, FEDERATED).len(), FEDERATED.len(), "the names above are those of the federated tier: {federated:?}");
}

#[test]
fn a_backend_of_ones_own_needs_core_alone_and_nothing_of_ours_needs_it() {
    let packages = packages();
    let names = |package: &Value, development: bool| -> BTreeSet<String> {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let wanted = dependencies.filter(|dependency| development || dependency["kind"] != "dev");
        wanted.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
    };
    // For its tests, one has the behaviour suite, and the other does without.
    for (backend, for_tests, users) in [
        ("toy-backend", &["mosaic-core"][..], ["mosaic-tests", "toy-gateway"].as_slice()),
        ("redb-backend", &["mosaic-core", "mosaic-tests"], &["redb-gateway"]),
    ] {
        let package = packages.iter().find(|package| package["name"] == backend).unwrap();
        assert_eq!(among(&names(package, false), &["mosaic", "toy", "inventory"]), ["mosaic-core"], "{backend}");
        assert_eq!(among(&names(package, true), &["mosaic", "toy", "inventory"]), for_tests, "{backend}, for its tests");
        let manifest = std::fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        assert!(!manifest.contains("inventory"), "registering goes through core");

        let found = packages.iter().filter(|package| names(package, true).contains(backend));
        let found: BTreeSet<_> = found.map(|package| package["name"].as_str().unwrap()).collect();
        assert_eq!(found, users.iter().copied().collect(), "who uses {backend}");
    }
}

#[test]
fn a_gateway_with_a_backend_of_ones_own_is_three_lines() {
    for name in ["toy", "redb"] {
        let (gateway, backend) = (format!("{name}-gateway"), format!("{name}-backend"));
        let text = std::fs::read_to_string(root().join("examples").join(&gateway).join("src/main.rs")).unwrap();
        let code = without_comments(&text);
        let lines: Vec<_> = code.lines().map(str::trim).filter(|line| !["", "}"].contains(line)).collect();
        assert_eq!(
            lines,
            [format!("use {name}_backend as _;").as_str(), "fn main() -> std::process::ExitCode {", "mosaic_gateway::main()"]
        );

        let built_from = dependencies(&gateway, &["-e", "normal,build"]);
        let ours = among(&built_from, &["mosaic", "toy", "redb-backend", "redb-gateway"]);
        assert_eq!(ours, ["mosaic-core", "mosaic-gateway", &backend, &gateway]);
    }
}

#[test]
fn the_behaviour_suite_comes_without_a_gateway() {
    let names = dependencies("mosaic-tests", &["-e", "normal,build", "--no-default-features"]);
    assert_eq!(among(&names, &["mosaic", "toy", "sqlx", "wasmer", "axum"]), ["mosaic-core", "mosaic-tests"]);
}

#[test]
fn every_tier_that_a_feature_builds_in_is_registered() {
    let packages = packages();
    let gateway = packages.iter().find(|package| package["name"] == "mosaic-gateway").unwrap();
    let features = gateway["features"].as_object().unwrap();
    let tiers: Vec<_> = mosaic_core::registry::backends().unwrap().into_iter().map(|entry| entry.tier).collect();
    assert!(tiers.is_sorted_by(|a, b| a < b), "sorted, none twice: {tiers:?}");
    assert!(tiers.contains(&"local"), "{tiers:?}");
    for (tier, feature) in mosaic_core::registry::SHIPPED {
        assert_eq!(
            tiers.contains(tier),
            features.contains_key(*feature),
            "these tests run with every feature, so {tier} is there if {feature:?} is one"
        );
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<_> = ["core", "backends", "gateway", "tests", "examples", "fuzz"]
        .iter()
        .flat_map(|directory| sources(&root().join(directory)))
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "these do not open with a line of `//!`: {silent:?}");
}

/// What stands at the top of a compose file, by name, and what each of that holds, by name.
fn compose_file(name: &str) -> (String, Vec<(String, Vec<String>)>) {
    let text = std::fs::read_to_string(root().join(name)).unwrap();
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        let key = line.trim().split(':').next().unwrap_or_default().to_owned();
        match (line.len() - line.trim_start().len(), sections.last_mut()) {
            (0, _) => sections.push((key, Vec::new())),
            (2, Some((_, keys))) => keys.push(key),
            _ => {}
        }
    }
    (text, sections)
}

#[test]
fn the_federated_services_are_laid_over_the_others_and_change_none_of_them() {
    let (_, base) = compose_file("docker-compose.yml");
    let (_, overlay) = compose_file("docker-compose.federated.yml");
    for (section, keys) in &overlay {
        assert!(["services", "configs", "volumes"].contains(&section.as_str()), "{section} is the base file's to say");
        let (_, others) = base.iter().find(|(name, _)| name == section).cloned().unwrap_or_default();
        let both: Vec<_> = keys.iter().filter(|key| others.contains(key)).collect();
        assert!(both.is_empty(), "{both:?} are in both files");
    }
    let services = |file: &[(String, Vec<String>)]| file.iter().find(|(name, _)| name == "services").unwrap().1.clone();
    assert_eq!(services(&base), ["postgres"]);
    assert_eq!(services(&overlay), ["federated-postgres", "federated-valkey"]);
}

#[test]
fn services_are_asked_for_by_profile_listen_on_this_machine_alone_and_have_no_password_of_ours() {
    for file in ["docker-compose.yml", "docker-compose.federated.yml"] {
        let (text, sections) = compose_file(file);
        let services = sections.iter().find(|(name, _)| name == "services").unwrap().1.len();
        let values = |key: &str| -> Vec<&str> {
            let lines = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix(':'));
            lines.map(str::trim).collect()
        };
        let profile = if file.contains("federated") { "[federated]" } else { "[standalone]" };
        assert_eq!(values("profiles"), vec![profile; services], "{file}: nothing starts unasked");
        assert_eq!(values("healthcheck").len(), services, "{file}: `up --wait` waits for each");
        let ports = values("ports");
        assert_eq!(ports.len(), services, "{file}: {ports:?}");
        assert!(ports.iter().all(|ports| ports.starts_with("[\"127.0.0.1:") && ports.matches(':').count() == 2), "{file}: {ports:?}");

        let secrets: Vec<_> =
            text.lines().filter(|line| ["PASSWORD", "AUTH", "requirepass"].iter().any(|word| line.contains(word))).collect();
        assert!(secrets.len() >= services, "{file}: {secrets:?}");
        for line in secrets {
            let (_, value) = line.trim().split_once(' ').unwrap();
            let value = value.trim_matches('"');
            let required =
                value.starts_with("${MOSAIC_") && value.ends_with(":?passwords are missing, run once: sh docker-compose.env.sh}");
            assert!(required, "{file}: {line}");
        }
    }
}

#[test]
fn passwords_of_the_services_are_made_once_and_for_ones_own_eyes() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("docker-compose.env.sh");
    std::fs::copy(root().join("docker-compose.env.sh"), &script).unwrap();
    let env = dir.path().join(".env");
    let run = || {
        let output = Command::new("sh").arg(&script).current_dir("/").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
        std::fs::read_to_string(&env).unwrap()
    };
    std::fs::write(&env, "OTHER=kept\nMOSAIC_FEDERATED__VALKEY__PASSWORD=mine\n").unwrap();
    let made = run();
    assert_eq!(std::fs::metadata(&env).unwrap().permissions().mode() & 0o777, 0o600);
    let passwords: BTreeSet<_> = made.lines().filter_map(|line| line.split_once("__PASSWORD=")).collect();
    let names: Vec<_> = passwords.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["MOSAIC_FEDERATED__POSTGRES", "MOSAIC_FEDERATED__VALKEY", "MOSAIC_STANDALONE__POSTGRES"]);
    assert!(made.starts_with("OTHER=kept\nMOSAIC_FEDERATED__VALKEY__PASSWORD=mine\n"), "what is there stays");
    let own: BTreeSet<_> = passwords.iter().map(|(_, password)| *password).filter(|password| *password != "mine").collect();
    assert_eq!(own.len(), 2, "each its own");
    assert!(own.iter().all(|password| password.len() == 48 && password.chars().all(|c| c.is_ascii_alphanumeric())));
    assert_eq!(run(), made);
}
