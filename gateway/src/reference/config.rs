//! `docs/reference/config.md`: every key of the config, from its JSON Schema.

use serde_json::Value;

use super::{code, head, one_line, table};
use crate::config::{schema, settled, variable};

const ABOUT: &str = "Every key of `mosaic.config.json`, as `mosaic config schema` describes them. [Configuration](../config.md) says how they are \
    found and read, and which other variables there are. Every section may be left out, and every key but those that must be given in theirs. Of a \
    key that is a secret there is a twin that ends in `_file`: the file whose first line it is. Relative paths start from the config's directory.";

/// The page.
pub fn config() -> String {
    let root = schema();
    let mut text = head("Reference: the config", ABOUT);
    section(&mut text, &root, &root, "");
    text
}

/// What an object is for and its keys, and then the same of each object in it. `path` is empty for the config as a whole.
fn section(text: &mut String, root: &Value, object: &Value, path: &str) {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    let mut rows = Vec::new();
    let mut below = Vec::new();
    for (key, schema) in object["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{key}");
        let Some(value) = settled(root, schema) else { continue };
        let about = schema["description"].as_str().or(value["description"].as_str()).unwrap_or_default();
        if value["properties"].is_object() {
            below.push((path, value, about));
            continue;
        }
        let default = match &schema["default"] {
            // What is there in any case, and has no value of its own.
            Value::Null if !prefix.is_empty() && !value["type"].is_array() => "must be given".to_owned(),
            Value::Null => String::new(),
            default => code(&default.to_string()),
        };
        let secret = if value["writeOnly"] == true { "A secret. " } else { "" };
        rows.push(vec![
            code(&path),
            sort(value),
            bounds(value),
            default,
            variable(&path).map(|name| code(&name)).unwrap_or_default(),
            format!("{secret}{about}"),
        ]);
    }
    let listed = table(&["key", "type", "values", "default", "variable", "what it says"], &rows);
    if !listed.is_empty() {
        text.push_str(&format!("\n{listed}"));
    }
    for (path, object, about) in below {
        text.push_str(&format!("\n## {path}\n\n{}\n", one_line(about)));
        section(text, root, object, &path);
    }
}

fn sort(schema: &Value) -> String {
    let sorts: Vec<_> = match &schema["type"] {
        Value::String(only) => vec![only.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).filter(|sort| *sort != "null").collect(),
        // Of several texts, one.
        _ => vec!["string"],
    };
    sorts.join(" or ")
}

fn bounds(schema: &Value) -> String {
    let one_of = schema["oneOf"].as_array().into_iter().flatten().filter_map(|one| one["const"].as_str());
    let chosen: Vec<_> = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).chain(one_of).map(code).collect();
    if !chosen.is_empty() {
        return chosen.join(", ");
    }
    let span = |least: &Value, most: &Value, unit: &str| match (least.as_number(), most.as_number()) {
        (Some(least), Some(most)) => format!("{least} to {most}{unit}"),
        (Some(least), None) => format!("{least} or more{unit}"),
        (None, Some(most)) => format!("up to {most}{unit}"),
        (None, None) => String::new(),
    };
    match span(&schema["minimum"], &schema["maximum"], "") {
        none if none.is_empty() => span(&schema["minLength"], &schema["maxLength"], " characters"),
        numbers => numbers,
    }
}
