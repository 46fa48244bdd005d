//! The section `scratch` of the config: its one key, its default and its bound.

use mosaic_core::{Options, Result, refusal, schemars};
use serde::Deserialize;

use crate::TIER;

/// The key, as people write it. Errors name it.
pub(crate) const MAX_RECORDS: &str = "scratch.max_records";

/// A first start makes an administrator and their token: with room for less, no gateway would start.
const LEAST_RECORDS: usize = 2;

/// Tier scratch: everything in memory, gone when the gateway stops.
// These comments are what `mosaic config schema` says of the keys. Unknown keys are refused: a misspelt one would be a default.
#[derive(Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(crate = "mosaic_core::schemars")]
pub(crate) struct Config {
    /// How many records there may be, of all kinds together. Past it, what would add some is refused.
    #[schemars(range(min = 2))]
    pub(crate) max_records: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_records: 100_000 }
    }
}

impl Config {
    /// Reads the section and checks its bound.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Config`] naming the key that cannot be used.
    pub(crate) fn read(options: &Options) -> Result<Self> {
        let config: Self = options.parse(TIER)?;
        if config.max_records < LEAST_RECORDS {
            return Err(refusal::config_key(MAX_RECORDS, format!("less than {LEAST_RECORDS}, which a first start needs")));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use mosaic_core::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn read(section: Value) -> Result<Config> {
        Config::read(&Options::new(section, "/srv", "serve"))
    }

    #[test]
    fn every_key_may_be_left_out() {
        assert_eq!(read(json!({})).unwrap(), Config { max_records: 100_000 });
        assert_eq!(read(json!({ "max_records": 2 })).unwrap(), Config { max_records: 2 });
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (section, expected) in [
            (json!({ "max_records": 1 }), "scratch.max_records cannot be used: less than 2, which a first start needs"),
            (json!({ "max_records": -1 }), "scratch.max_records cannot be used: invalid value"),
            (json!({ "max_records": "many" }), "scratch.max_records cannot be used: invalid type"),
            (json!({ "max_record": 5 }), "scratch.max_record cannot be used: unknown field"),
            (json!("many"), "scratch cannot be used: invalid type"),
        ] {
            let error = read(section).unwrap_err();
            assert_eq!((error.kind(), error.hint_text()), (ErrorKind::Config, Some("mosaic config schema")));
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }

    #[test]
    fn the_schema_knows_the_same_key() {
        let schema = schemars::schema_for!(Config).to_value();
        let key = &schema["properties"]["max_records"];
        assert_eq!((&key["type"], &key["default"], &key["minimum"]), (&json!("integer"), &json!(100_000), &json!(LEAST_RECORDS)));
        assert_eq!(schema["additionalProperties"], false);
    }
}
