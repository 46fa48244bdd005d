//! JSON Schemas put together into one document: their definitions go to one place, and references follow.

use serde_json::{Map, Value};

/// Takes the `$defs` out of a schema. Each is put into `definitions` under `prefix` and its name, and references to it are
/// rewritten to begin with `place` (as in `#/components/schemas/`).
pub fn hoist(schema: &mut Value, prefix: &str, place: &str, definitions: &mut Map<String, Value>) {
    let own = schema.as_object_mut().and_then(|fields| fields.remove("$defs"));
    redirect(schema, prefix, place);
    if let Some(Value::Object(own)) = own {
        for (name, mut definition) in own {
            redirect(&mut definition, prefix, place);
            definitions.insert(format!("{prefix}{name}"), definition);
        }
    }
}

fn redirect(schema: &mut Value, prefix: &str, place: &str) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(reference) if key == "$ref" => {
                        if let Some(name) = reference.strip_prefix("#/$defs/") {
                            *reference = format!("{place}{prefix}{name}");
                        }
                    }
                    value => redirect(value, prefix, place),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redirect(item, prefix, place)),
        _ => {}
    }
}
