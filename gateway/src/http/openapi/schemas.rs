//! The schemas of what goes in and out: of each kind its record, what a new one is made from, and what a change may say.

use mosaic_core::Kind;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, schema_for};
use serde_json::{Map, Value, json};

use super::super::embeddings::NewEmbedding;
use super::super::problem::CODES;
use super::super::search::Wanted;
use super::super::turns::Said;
use super::SCHEMAS;
use crate::records::OURS;
use crate::schema::hoist;
use crate::search::Found;
use crate::transfer::Report;

/// All schemas, by name.
pub(super) fn all() -> Map<String, Value> {
    let mut schemas = Map::new();
    for kind in Kind::ALL {
        kind_schemas(*kind, &mut schemas);
    }
    add("ImportReport", answered::<Report>(), "Import", &mut schemas);
    add("Wanted", schema_for!(Wanted), "Wanted", &mut schemas);
    add("Found", answered::<Found>(), "", &mut schemas);
    add("NewEmbedding", schema_for!(NewEmbedding), "", &mut schemas);
    let record = |kind| json!({ "$ref": format!("{SCHEMAS}{}", name(kind)) });
    schemas.insert(
        "Me".into(),
        json!({
            "type": "object",
            "description": "Who asks: the user that the token acts for, and the token.",
            "properties": { "user": record(Kind::User), "token": record(Kind::Token) },
            "required": ["user", "token"],
        }),
    );
    add("Doctor", answered::<crate::doctor::Report>(), "", &mut schemas);
    add("Said", schema_for!(Said), "", &mut schemas);
    schemas.insert(
        "Turn".into(),
        json!({
            "type": "object",
            "description": "A turn that is over.",
            "properties": {
                "items": { "type": "array", "items": record(Kind::Message), "description": "Its messages, the person's first." },
                "finish": { "anyOf": [{ "$ref": format!("{SCHEMAS}Finish") }, { "type": "null" }], "description": "How it ended." },
                "error": { "type": ["string", "null"], "description": "Why, where that does not say it all." },
            },
            "required": ["items", "finish", "error"],
        }),
    );
    schemas.insert("Event".into(), event());
    schemas.insert("Problem".into(), problem());
    schemas
}

/// The schema of what is only answered: it has what is always written, and lacks what may be left out.
fn answered<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

/// One event of a stream of server-sent events, by its fields.
fn event() -> Value {
    json!({
        "type": "object",
        "description": "An event of a session, by its fields.",
        "properties": {
            "id": { "type": "string", "description": "Of a message: its place in the session." },
            "event": { "type": "string", "enum": ["message", "draft", "piece", "end"], "description": "What happened." },
            "data": { "type": "string", "contentMediaType": "application/json", "description": "More about it, as JSON." },
        },
        "required": ["event", "data"],
    })
}

/// Adds a schema, and those of its parts under their names with a prefix.
fn add(name: &str, schema: Schema, prefix: &str, schemas: &mut Map<String, Value>) {
    let mut schema = schema.to_value();
    hoist(&mut schema, prefix, SCHEMAS, schemas);
    schema.as_object_mut().map(|fields| fields.remove("$schema"));
    schemas.insert(name.into(), schema);
}

/// The name of a kind's record among the schemas.
pub(super) fn name(kind: Kind) -> String {
    let singular = kind.singular();
    singular[..1].to_ascii_uppercase() + &singular[1..]
}

fn kind_schemas(kind: Kind, schemas: &mut Map<String, Value>) {
    let mut record = kind.schema().to_value();
    hoist(&mut record, "", SCHEMAS, schemas);
    if let Some(fields) = record["properties"].as_object_mut() {
        // Only an export shows it.
        fields.remove("hash");
    }
    let required = names(&record["required"]);
    // `kind` is in every answer.
    record["required"] = required.iter().cloned().chain(["kind".into()]).collect();
    let title = name(kind);

    let settable: Map<_, _> = record["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(field, _)| !OURS.contains(&field.as_str()))
        .map(|(field, schema)| (field.clone(), schema.clone()))
        .collect();
    // What the gateway fills in: a new id, and the caller.
    let filled = ["id", kind.owner_field().unwrap_or_default(), kind.parent().map_or("", |parent| parent.field)];
    let needed: Vec<_> = required.iter().filter(|field| settable.contains_key(*field) && !filled.contains(&field.as_str())).collect();
    schemas.insert(
        format!("New{title}"),
        json!({ "type": "object", "description": format!("What a new {kind} is made from."), "properties": settable, "required": needed, "additionalProperties": false }),
    );
    if kind == Kind::Message {
        schemas["NewMessage"]["anyOf"] = by_role();
    }

    if kind.parent().is_none() {
        schemas.insert(format!("{title}Patch"), patch(kind, &settable, &required));
    }
    schemas.insert(
        format!("{title}List"),
        json!({
            "type": "object",
            "properties": {
                "items": { "type": "array", "items": { "$ref": format!("{SCHEMAS}{title}") } },
                "next_cursor": { "type": ["string", "null"], "description": "Where the next page begins; null on the last one." },
            },
            "required": ["items", "next_cursor"],
        }),
    );
    if kind == Kind::Token {
        let mut issued = record.clone();
        issued["properties"]["secret"] =
            json!({ "type": "string", "description": "What a client shows to act for the user. In this answer, and in no other." });
        issued["required"] = names(&issued["required"]).into_iter().chain(["secret".into()]).collect();
        issued["description"] = "A token that was just made, with its secret.".into();
        schemas.insert("IssuedToken".into(), issued);
    }
    schemas.insert(title, record);
}

/// What messages of each role may say: only an agent calls tools and says how it ended, and only a tool's is the result of a call.
fn by_role() -> Value {
    let none = json!({ "type": "null" });
    let no_calls = json!({ "maxItems": 0 });
    json!([
        { "properties": { "role": { "const": "user" }, "tool_calls": no_calls, "tool_call_id": none, "finish": none, "error": none } },
        { "properties": { "role": { "const": "tool" }, "tool_calls": no_calls, "finish": none, "error": none } },
        { "properties": { "role": { "const": "assistant" }, "tool_call_id": none, "error": none } },
        { "properties": { "role": { "const": "assistant" }, "tool_call_id": none, "finish": { "type": "string" } }, "required": ["finish"] },
    ])
}

/// What a change of a record may say.
fn patch(kind: Kind, settable: &Map<String, Value>, required: &[String]) -> Value {
    let fields: Map<_, _> = settable
        .iter()
        .map(|(field, schema)| {
            let optional = !required.contains(field);
            (field.clone(), if optional { json!({ "anyOf": [schema, { "type": "null" }] }) } else { schema.clone() })
        })
        .collect();
    json!({
        "type": "object",
        "description": format!("A change of a {kind}: a JSON merge patch (RFC 7396). A field replaces the present one; null removes it. \
            The id and the kind may be said again, and cannot be changed."),
        "properties": fields,
        "additionalProperties": false,
    })
}

fn names(required: &Value) -> Vec<String> {
    required.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn problem() -> Value {
    let codes: Vec<_> = CODES.iter().map(|code| code.name).collect();
    json!({
        "type": "object",
        "description": "Why a request failed (RFC 9457).",
        "properties": {
            "type": { "type": "string", "format": "uri-reference", "description": "Where the sort of problem is described." },
            "title": { "type": "string", "description": "The sort of problem, for people." },
            "status": { "type": "integer", "description": "The status of the response." },
            "code": { "type": "string", "enum": codes, "description": "The sort of problem, for programs." },
            "detail": { "type": "string", "description": "What went wrong this time." },
            "hint": { "type": "string", "description": "What to do about it." },
            "request_id": { "type": "string", "description": "Under which the gateway's log says more." },
            "revision": { "type": "integer", "description": "Of code stale: the record's present revision." },
            "limit": { "type": "integer", "description": "Of code body_too_large: how many bytes a body may have." },
            "line": { "type": "integer", "description": "Of an import that broke off: the line up to which everything was taken." },
            "report": { "$ref": format!("{SCHEMAS}ImportReport"), "description": "Of an import that broke off: what it came to until then." },
            "not_ready": { "type": "array", "items": { "type": "string" }, "description": "Of /readyz: the parts that are not ready." },
        },
        "required": ["type", "title", "status", "code", "detail", "hint", "request_id"],
    })
}
