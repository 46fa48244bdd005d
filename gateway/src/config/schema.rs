//! The JSON Schema of the config, put together from our own sections and those of the tiers of this build.

use mosaic_core::registry;
use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value, json};

use super::{LISTEN, Limits, Log, Models, Startup, TIER, Tls, TrustedProxies};
use crate::schema::hoist;

/// The JSON Schema (2020-12) of the config file.
pub fn schema() -> Value {
    let backends = registry::backends().unwrap_or_default();
    let mut definitions = Map::new();
    let mut properties = Map::new();
    properties.insert("$schema".into(), json!({ "type": "string", "description": "For editors: where this schema is." }));
    let tiers: Vec<_> = backends.iter().map(|entry| entry.tier).collect();
    properties.insert("tier".into(), tier(&tiers));
    properties.insert(
        "listen".into(),
        json!({ "type": "string", "default": LISTEN, "description": "The address and port where the gateway answers." }),
    );
    properties.insert("tls".into(), section::<Tls>(&mut definitions));
    properties.insert("trusted_proxies".into(), TrustedProxies::schema());
    properties.insert("limits".into(), section::<Limits>(&mut definitions));
    properties.insert("startup".into(), section::<Startup>(&mut definitions));
    properties.insert("log".into(), section::<Log>(&mut definitions));
    properties.insert("models".into(), section::<Models>(&mut definitions));
    for tier in registry::known_tiers().unwrap_or_default() {
        let section = match backends.iter().find(|entry| entry.tier == tier) {
            Some(entry) => settled((entry.schema)().to_value(), &format!("{tier}."), &mut definitions),
            // A file may hold the sections of tiers that another build has.
            None => json!({ "type": "object", "description": "The section of a tier that this build does not have." }),
        };
        properties.insert(tier.into(), section);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mosaic.config.json",
        "description": "The config of a Mosaic gateway. Every key may be left out.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// The key `tier`. A build of somebody's own may lack the one that is used by default: its config has to name another.
pub(super) fn tier(built_in: &[&str]) -> Value {
    let mut tier = json!({ "type": "string", "enum": built_in });
    if built_in.contains(&TIER) {
        tier["default"] = TIER.into();
    }
    tier["description"] = "Which backend keeps the data.".into();
    tier
}

fn section<T: JsonSchema>(definitions: &mut Map<String, Value>) -> Value {
    settled(schema_for!(T).to_value(), "", definitions)
}

fn settled(mut schema: Value, prefix: &str, definitions: &mut Map<String, Value>) -> Value {
    hoist(&mut schema, prefix, "#/$defs/", definitions);
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("$schema");
        fields.remove("title");
    }
    schema
}
