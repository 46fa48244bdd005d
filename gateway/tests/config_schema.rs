//! The JSON Schema of the config, and the example configs, as they are checked in: of a build with all features.
#![cfg(feature = "local")]

use std::path::{Path, PathBuf};

use mosaic_core::registry;
use mosaic_gateway::config::{Config, schema};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

#[test]
fn the_schema_in_the_docs_is_that_of_the_code() {
    let file = docs().join("config.schema.json");
    let present = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("MOSAIC_UPDATE_DOCS").is_some() {
        std::fs::write(&file, &present).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        present,
        "write it anew: MOSAIC_UPDATE_DOCS=1 cargo test -p mosaic-gateway --test config_schema"
    );
}

#[test]
fn there_is_an_example_for_each_tier_and_it_can_be_used() {
    for entry in registry::backends().unwrap() {
        let file = docs().join(format!("examples/{}.json", entry.tier));
        let config = Config::load(Some(&file)).unwrap();
        assert_eq!(config.tier, entry.tier);
        let known = &schema()["properties"][entry.tier]["properties"];
        for key in config.section().as_object().unwrap().keys() {
            assert!(known.get(key).is_some(), "{}: {key}", file.display());
        }
    }
}
