//! The environment's part of the config: `MOSAIC_TIER`, `MOSAIC_LISTEN`, `MOSAIC_TRUSTED_PROXIES`, and `MOSAIC_<SECTION>__<KEY>`
//! for keys in sections, as in `MOSAIC_FEDERATED__POSTGRES__URL`. Other names that begin with `MOSAIC_` are left alone.
//!
//! A variable is a text, and stays one (a password of digits is no number) unless the schema says that its key takes
//! no text: then it is read as JSON.

use std::ffi::OsString;

use figment::value::{Dict, Map};
use figment::{Metadata, Profile, Provider, Source};
use mosaic_core::{Error, ErrorKind, Result};
use serde_json::Value;

/// The keys outside of any section that have a variable.
const TOP: &[&str] = &["tier", "listen", "trusted_proxies"];

/// The variable that sets a key, if one does.
pub(crate) fn variable(key: &str) -> Option<String> {
    (key.contains('.') || TOP.contains(&key)).then(|| format!("MOSAIC_{}", key.replace('.', "__").to_ascii_uppercase()))
}

/// One variable, as a source of one setting.
pub(super) struct Setting {
    variable: String,
    path: String,
    value: Value,
}

/// The settings among the variables, in the order of their names.
///
/// # Errors
/// [`ErrorKind::Config`] for a setting that is not UTF-8, which no key takes, and for a name with an empty part, which no key has.
pub(super) fn settings(variables: Vec<(String, OsString)>, schema: &Value) -> Result<Vec<Setting>> {
    let mut settings = Vec::new();
    for (variable, value) in variables {
        let Some(path) = variable.strip_prefix("MOSAIC_").map(str::to_ascii_lowercase) else { continue };
        if !path.contains("__") && !TOP.contains(&path.as_str()) {
            continue;
        }
        let text = value.into_string().map_err(|_| {
            Error::new(ErrorKind::Config, "the value of a variable is not UTF-8")
                .with("variable", &variable)
                .hint(format!("unset {variable}, or set it anew"))
        })?;
        let keys: Vec<_> = path.split("__").collect();
        if keys.contains(&"") {
            // It would be taken for a shorter one, and its value for another key's.
            return Err(Error::new(ErrorKind::Config, "the name of a variable has an empty part")
                .with("variable", &variable)
                .hint("put two underscores between a section and its key, as in MOSAIC_FEDERATED__POSTGRES__URL"));
        }
        let value = typed(text, schema_at(schema, &keys));
        settings.push(Setting { path: keys.join("."), variable, value });
    }
    settings.sort_by(|a, b| a.variable.cmp(&b.variable));
    Ok(settings)
}

fn typed(text: String, schema: Option<&Value>) -> Value {
    let takes_no_text = schema.and_then(|schema| schema.get("type")).is_some_and(|ty| match ty {
        Value::String(only) => only != "string",
        Value::Array(several) => !several.contains(&"string".into()),
        _ => false,
    });
    match serde_json::from_str(&text) {
        Ok(value) if takes_no_text => value,
        _ => Value::String(text),
    }
}

/// The schema of the value at a path, as far as objects lead that are plain, referred to, or may be left out.
fn schema_at<'s>(root: &'s Value, keys: &[&str]) -> Option<&'s Value> {
    keys.iter().try_fold(root, |schema, key| settled(root, schema.get("properties")?.get(key)?))
}

/// The schema that another one stands for: by a reference, or as the one thing it may be besides null.
pub(crate) fn settled<'s>(root: &'s Value, schema: &'s Value) -> Option<&'s Value> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return settled(root, root.pointer(reference.strip_prefix('#')?)?);
    }
    let Some(several) = schema.get("anyOf").and_then(Value::as_array) else { return Some(schema) };
    let mut others = several.iter().filter(|schema| schema.get("type").and_then(Value::as_str) != Some("null"));
    match (others.next(), others.next()) {
        (Some(only), None) => settled(root, only),
        _ => Some(schema),
    }
}

impl Provider for Setting {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment").source(Source::Custom(self.variable.clone()))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let value = figment::value::Value::serialize(&self.value)?;
        let dict = figment::util::nest(&self.path, value).into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}
