//! How tools are described to a model: their names, what each is for, and the JSON Schema of its arguments, which follows from what the kinds say of
//! themselves.

use mosaic_core::{Field, FieldType, Kind};
use serde_json::{Map, Value, json};

use super::{KINDS, LIST_ITEMS, PLACE, SEARCH_HITS, Tool};
use crate::models::ToolDefinition;
use crate::records::OURS;

/// All tools.
pub(in crate::turns) fn definitions() -> Vec<ToolDefinition> {
    Tool::all().map(|tool| ToolDefinition { name: tool.name(), description: description(tool), parameters: parameters(tool) }).collect()
}

fn description(tool: Tool) -> String {
    match tool {
        Tool::Search => "Finds tasks and notes by words and by meaning. Answers titles, excerpts and ids, the best first.".to_owned(),
        Tool::List(kind) => {
            format!("Lists {} that the person may see, the last changed first, with the beginning of each body.", kind.plural())
        }
        Tool::Get(kind) => format!("Reads one {kind}, whole."),
        Tool::Create(kind) => format!("Makes a {kind}, in the person's own space unless team_id names a team."),
        Tool::Update(kind) => {
            format!("Changes a {kind}: the fields that are given are set, those that are null are taken away, the others stay.")
        }
    }
}

fn parameters(tool: Tool) -> Value {
    let id = |kind: Kind| json!({ "type": "string", "description": format!("The {kind}'s id.") });
    match tool {
        Tool::Search => object(
            json!({
                "text": { "type": "string", "description": "What to look for." },
                "kinds": { "type": "array", "items": { "type": "string", "enum": KINDS.map(Kind::singular) }, "description": "Only these kinds." },
                "limit": { "type": "integer", "minimum": 1, "maximum": SEARCH_HITS },
            }),
            &["text"],
        ),
        Tool::List(kind) => {
            let mut fields = Map::new();
            for filter in kind.filters() {
                fields.insert(filter.name.into(), filter_schema(filter));
            }
            let orders = kind.orders().iter().flat_map(|order| [order.name.to_owned(), format!("-{}", order.name)]);
            let order = "What to order by; with a - from the largest to the smallest.";
            fields.insert("order".into(), json!({ "type": "string", "enum": orders.collect::<Vec<_>>(), "description": order }));
            fields.insert("limit".into(), json!({ "type": "integer", "minimum": 1, "maximum": LIST_ITEMS }));
            object(Value::Object(fields), &[])
        }
        Tool::Get(kind) => object(json!({ "id": id(kind) }), &["id"]),
        Tool::Create(kind) => object(Value::Object(settable(kind)), &["title"]),
        Tool::Update(kind) => {
            let mut fields = settable(kind);
            // It stays where it is.
            PLACE.iter().for_each(|name| drop(fields.remove(*name)));
            fields.insert("id".into(), id(kind));
            let revision = "Only if it is at this revision.";
            fields.insert("revision".into(), json!({ "type": "integer", "minimum": 1, "description": revision }));
            object(Value::Object(fields), &["id"])
        }
    }
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn filter_schema(filter: &Field) -> Value {
    let about = format!("Only those with this {}.", filter.name);
    match filter.ty {
        FieldType::Choice(choices) => json!({ "type": "string", "enum": choices, "description": about }),
        _ => json!({ "type": "string", "description": about }),
    }
}

/// The fields that a model sets, with their schemas, which refer to nothing: not every server follows references.
fn settable(kind: Kind) -> Map<String, Value> {
    let schema = kind.schema().to_value();
    let not_theirs = ["kind", "id", kind.owner_field().unwrap_or_default()];
    let fields = schema["properties"].as_object().into_iter().flatten();
    let theirs = fields.filter(|(name, _)| !OURS.contains(&name.as_str()) && !not_theirs.contains(&name.as_str()));
    theirs.map(|(name, field)| (name.clone(), resolved(field, &schema))).collect()
}

/// What is left out of the fields' schemas. Servers that hold a model to them make a grammar of each, and some fail at a pattern, or at a text of
/// up to so many characters. A call that breaks a bound is told so, as any is.
const BOUNDS: [&str; 6] = ["minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems"];

fn resolved(field: &Value, schema: &Value) -> Value {
    match field {
        Value::Object(parts) => match parts.get("$ref").and_then(Value::as_str).and_then(|to| schema.pointer(to.strip_prefix('#')?)) {
            Some(definition) => resolved(definition, schema),
            None => {
                let told = parts.iter().filter(|(name, _)| !BOUNDS.contains(&name.as_str()));
                Value::Object(told.map(|(name, part)| (name.clone(), resolved(part, schema))).collect())
            }
        },
        Value::Array(items) => Value::Array(items.iter().map(|item| resolved(item, schema)).collect()),
        other => other.clone(),
    }
}
