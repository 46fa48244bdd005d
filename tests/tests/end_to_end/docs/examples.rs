//! Files and blocks for programs: schemas, example configs, and every block of JSON.

use std::fs;

use serde_json::Value;

use super::{files, pages, root};
use crate::harness::Place;

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
    let built_in: Value = serde_json::from_slice(&built_in.stdout).unwrap();
    let tiers: Vec<_> = built_in["built_in"].as_array().unwrap().iter().map(|entry| entry["tier"].as_str().unwrap()).collect();
    for tier in &tiers {
        let example = examples.iter().find(|example| example.file_stem().is_some_and(|name| name == *tier));
        let example = fs::read_to_string(example.unwrap_or_else(|| panic!("no example config for tier {tier}"))).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&example).unwrap()["tier"], *tier);
    }
    for example in examples {
        Place::new().run(&["config", "check", "--config", example.to_str().unwrap()]).await.exit(0);
    }
}

#[tokio::test]
async fn every_block_of_json_can_be_read_and_every_config_be_used() {
    let schema: Value = serde_json::from_str(&fs::read_to_string(root().join("docs/config.schema.json")).unwrap()).unwrap();
    let mut configs = 0;
    for page in pages() {
        for block in page.blocks().into_iter().filter(|block| block.language == "json") {
            let where_it_is = format!("{}:{}", page.name(), block.line);
            let value: Value = serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{where_it_is}: {error}"));
            let is_config =
                value.as_object().is_some_and(|keys| keys.keys().any(|key| key != "tier" && schema["properties"][key].is_object()));
            if !is_config {
                continue;
            }
            configs += 1;
            let place = Place::new();
            let tls = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            for (key, file) in named_files(&value) {
                let path = place.path(&file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let text = match key.as_str() {
                    "certificate_file" => tls.cert.pem(),
                    "key_file" => tls.signing_key.serialize_pem(),
                    _ => "secret\n".to_owned(),
                };
                fs::write(path, text).unwrap();
            }
            place.write("mosaic.config.json", &block.text);
            let outcome = place.run(&["config", "check"]).await;
            assert_eq!(outcome.code, Some(0), "{where_it_is}: {}", outcome.stderr);
        }
    }
    assert!(configs > 0, "no page shows a config");
}

/// The files that a config names, wherever it does, each with its key.
fn named_files(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(fields) => {
            let named = fields.iter().filter(|(key, _)| key.ends_with("_file"));
            let named = named.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            named.chain(fields.values().flat_map(named_files)).collect()
        }
        Value::Array(items) => items.iter().flat_map(named_files).collect(),
        _ => Vec::new(),
    }
}
