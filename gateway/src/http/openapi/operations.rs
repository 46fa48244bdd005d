//! The operations: what each path takes and answers.

use mosaic_core::search::{SEARCH_BYTES, SEARCH_HITS, SEARCH_WORDS};
use mosaic_core::{FieldType, Kind, PAGE_ITEMS, Query};
use serde_json::{Map, Value, json};

use super::SCHEMAS;
use super::schemas::name;
use crate::backup::TAR;
use crate::http::etag::TAGS_PATTERN;
use crate::http::list::filters;
use crate::http::turns::{EVENT_STREAM, EVENTS, STOP};
use crate::transfer::JSON_LINES;

/// What any request to the API may be answered with.
const ALWAYS: &[u16] = &[400, 401, 403, 414, 429, 431, 500, 503, 504];

/// What any request to the paths that are open to all may be answered with.
const OPEN: &[u16] = &[414, 431, 500, 503, 504];

/// The name of a problem's response among the components.
pub(super) fn problem_name(status: u16) -> String {
    format!("Problem{status}")
}

/// The operations on all records of a kind.
pub(super) fn collection(kind: Kind) -> Value {
    let (title, plural) = (name(kind), kind.plural());
    let below: &[u16] = if kind.parent().is_some() { &[404] } else { &[] };
    let issued = if kind == Kind::Token { "IssuedToken".to_owned() } else { title.clone() };
    let mut made = json!({ "201": made_response("It was made.", &issued) });
    if kind != Kind::Token {
        made["200"] = made_response("The same record was there already.", &title);
    }
    let mut operations = json!({
        "get": {
            "operationId": format!("list_{plural}"), "tags": [plural],
            "summary": format!("List {plural}"),
            "parameters": list_parameters(kind),
            "responses": with_problems(json!({ "200": json_response("A page.", &format!("{title}List")) }), below),
        },
        "post": {
            "operationId": format!("create_{kind}"), "tags": [plural],
            "summary": format!("Make a {kind}"),
            "description": made_how(kind),
            "requestBody": { "required": true, "content": { "application/json": { "schema": reference(&format!("New{title}")) } } },
            "responses": with_problems(made, &[404, 409, 413, 415, 422, 507]),
        },
    });
    if kind == Kind::Message {
        operations["post"] = say();
    }
    if let Some(parent) = kind.parent() {
        operations["parameters"] = json!([path_id("id", parent.kind)]);
    }
    operations
}

/// The operation that adds a message to a session.
fn say() -> Value {
    let turn = json!({ "oneOf": [reference("Turn"), reference("Message")] });
    json!({
        "operationId": "create_message", "tags": ["messages"],
        "summary": "Say something in a session, and have its agent answer",
        "description": "A message without a role is the owner's own, and runs a turn: the configured chat model answers, calling tools in the owner's name as it \
            needs. It takes token scopes read and write. With Accept: text/event-stream the turn comes as it happens, as GET …/events tells it; else in one \
            answer when it is over. It goes on when the client goes away. The same message again, by its id, runs no second turn: it answers the first one's. \
            While a turn is running, another message is answered with 409. A message with a role is added as it is, by an agent that drives the session itself: \
            it takes token scope agent.",
        "requestBody": { "required": true, "content": { "application/json": { "schema": { "oneOf": [reference("Said"), reference("NewMessage")] } } } },
        "responses": with_problems(json!({
            "200": { "description": "The turn, as it happens; or the same message that was added before.", "content": {
                EVENT_STREAM: { "schema": reference("Event") },
                "application/json": { "schema": reference("Message") },
            } },
            "201": { "description": "The turn, when it is over; or the message that was added.", "content": { "application/json": { "schema": turn } } },
        }), &[404, 409, 413, 415, 422, 507]),
    })
}

/// The operations on a session's turns.
pub(super) fn turns() -> Map<String, Value> {
    let events = "Messages that are stored come as event message, with their place in the session (seq) as the event's id and the record as data. The text of the \
        one that is being written comes as event piece ({text}), and as event draft ({text}) where it takes the place of what was told before. Event end ({finish, error}) is the last.";
    let place = json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX });
    let mut paths = Map::new();
    paths.insert(EVENTS.into(), json!({
        "parameters": [path_id("id", Kind::Session)],
        "get": {
            "operationId": "follow_session", "tags": ["sessions"],
            "summary": "Follow a session",
            "description": format!("Tells the messages behind the one that was seen last, then the turn that is running, to its end. {events}"),
            "parameters": [
                { "name": "Last-Event-ID", "in": "header", "description": "The place of the last message that was seen.", "schema": place },
                { "name": "after", "in": "query", "description": "The same, for clients that set no headers.", "schema": place },
            ],
            "responses": with_problems(json!({ "200": { "description": "Events.", "content": { EVENT_STREAM: { "schema": reference("Event") } } } }), &[404]),
        },
    }));
    paths.insert(
        STOP.into(),
        json!({
            "parameters": [path_id("id", Kind::Session)],
            "post": {
                "operationId": "stop_session", "tags": ["sessions"],
                "summary": "Stop a session's turn",
                "description": "Answers once it has ended. That none was running is no error.",
                "responses": with_problems(json!({ "204": { "description": "No turn is running." } }), &[404]),
            },
        }),
    );
    paths
}

/// The operations on one record of a kind.
pub(super) fn record(kind: Kind) -> Value {
    let (title, plural) = (name(kind), kind.plural());
    let if_match = tags_header("If-Match", "Only if the record is at this revision: its ETag, or *.");
    let mut operations = json!({
        "parameters": path_ids(kind),
        "get": {
            "operationId": format!("get_{kind}"), "tags": [plural],
            "summary": format!("Read a {kind}"),
            "parameters": [view(), tags_header("If-None-Match", "Only if the record is not at this revision: its ETag.")],
            "responses": with_problems(json!({
                "200": record_response("The record.", &title),
                "304": { "description": "The record is at the revision that the client has.", "headers": etag() },
            }), &[404]),
        },
        "patch": {
            "operationId": format!("update_{kind}"), "tags": [plural],
            "summary": format!("Change a {kind}"),
            "description": "Takes token scopes read and write, since it answers the whole record.",
            "parameters": [if_match.clone()],
            "requestBody": { "required": true, "content": {
                "application/merge-patch+json": { "schema": reference(&format!("{title}Patch")) },
                "application/json": { "schema": reference(&format!("{title}Patch")) },
            } },
            "responses": with_problems(json!({ "200": record_response("The record as it is now.", &title) }), &[404, 409, 412, 413, 415, 422, 507]),
        },
        "delete": {
            "operationId": format!("delete_{kind}"), "tags": [plural],
            "summary": format!("Remove a {kind}"),
            "parameters": [if_match],
            "responses": with_problems(json!({ "204": { "description": "It is gone." } }), &[404, 409, 412, 422, 507]),
        },
    });
    if let (Some(_), Some(fields)) = (kind.parent(), operations.as_object_mut()) {
        // A part stays as it was made.
        fields.retain(|name, _| ["get", "parameters"].contains(&name.as_str()));
    }
    operations
}

/// The operations on a record's embedding.
pub(super) fn embedding(kind: Kind) -> Value {
    json!({
        "parameters": path_ids(kind),
        "put": {
            "operationId": format!("embed_{kind}"), "tags": [kind.plural()],
            "summary": format!("Give a {kind} an embedding"),
            "description": "In place of an earlier one by the same model. All embeddings of a model have the same dimensions. It ends with the record.",
            "requestBody": { "required": true, "content": { "application/json": { "schema": reference("NewEmbedding") } } },
            "responses": with_problems(json!({ "204": { "description": "It is stored." } }), &[404, 413, 415, 422, 501, 507]),
        },
        "delete": {
            "operationId": format!("unembed_{kind}"), "tags": [kind.plural()],
            "summary": format!("Remove a {kind}'s embeddings, of every model"),
            "responses": with_problems(json!({ "204": { "description": "They are gone." } }), &[404, 501, 507]),
        },
    })
}

/// The ids in the path of a record.
fn path_ids(kind: Kind) -> Value {
    match kind.parent() {
        None => json!([path_id("id", kind)]),
        Some(parent) => json!([path_id("id", parent.kind), path_id(&format!("{kind}_id"), kind)]),
    }
}

fn path_id(name: &str, kind: Kind) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": format!("The {kind}'s id."), "schema": { "type": "string", "format": "uuid" } })
}

/// The operations that are not about one kind.
pub(super) fn others() -> Map<String, Value> {
    let text =
        |description: &str, media: &str| json!({ "description": description, "content": { media: { "schema": { "type": "string" } } } });
    let status = |description: &str| {
        json!({ "description": description, "content": { "application/json": { "schema": {
        "type": "object", "properties": { "status": { "type": "string" } }, "required": ["status"],
    } } } })
    };
    let open = |id: &str, summary: &str, responses: Value| json!({ "get": { "operationId": id, "tags": ["gateway"], "summary": summary, "security": [], "responses": with(responses, OPEN.iter()) } });
    let mut file = open(
        "page_file",
        "A part of the page",
        json!({ "200": text("It.", "*/*"), "304": { "description": "It is as the client has it." } }),
    );
    file["get"]["responses"] = with(file["get"]["responses"].take(), [404].iter());
    file["parameters"] =
        json!([{ "name": "file", "in": "path", "required": true, "description": "Its name.", "schema": { "type": "string" } }]);
    let query =
        |name: &str, description: &str, schema: Value| json!({ "name": name, "in": "query", "description": description, "schema": schema });
    let kinds: Vec<_> = Kind::searched().map(Kind::singular).collect();
    let paths = json!({
        "/api/v1/me": { "get": {
            "operationId": "me", "tags": ["gateway"],
            "summary": "Say who asks",
            "description": "The user that the token acts for, and the token. Any token may ask.",
            "responses": with_problems(json!({ "200": json_response("Who asks.", "Me") }), &[404]),
        } },
        "/api/v1/doctor": { "get": {
            "operationId": "doctor", "tags": ["gateway"],
            "summary": "Look at what the tier needs, and how it is",
            "description": "What mosaic doctor --json says, of the gateway that answers: red and yellow are no failures of the request. Takes token scope operator.",
            "responses": with_problems(json!({ "200": json_response("The report.", "Doctor") }), &[]),
        } },
        "/api/v1/search": { "get": {
            "operationId": "search", "tags": ["search"],
            "summary": "Find records by a text",
            "description": format!("Finds the {} that hold every word, in any form of it and whatever its case, and puts those first that say most of them. \
                Punctuation is passed over. Up to {SEARCH_WORDS} words. Where the gateway has an embedding model, also finds those that are near to the text in \
                meaning, and fuses both rankings as a search by a vector does; when the model does not answer soon, the search goes by words alone, as used says.", Kind::searched().map(Kind::plural).collect::<Vec<_>>().join(", ")),
            "parameters": [
                { "name": "q", "in": "query", "required": true, "description": "The text.", "schema": { "type": "string", "maxLength": SEARCH_BYTES } },
                { "name": "kind", "in": "query", "description": "Only of these kinds: names, with commas between.", "style": "form", "explode": false,
                  "schema": { "type": "array", "items": { "type": "string", "enum": kinds }, "minItems": 1 } },
                query("space_id", "Only of this space: a team's id, or the caller's own.", json!({ "type": "string", "format": "uuid" })),
                query("limit", "The most hits.", json!({ "type": "integer", "minimum": 1, "maximum": SEARCH_HITS, "default": 20 })),
                query("by", "Go by the words alone, also where there is an embedding model.", json!({ "type": "string", "enum": ["words"] })),
                view(),
            ],
            "responses": with_problems(json!({ "200": json_response("What was found.", "Found") }), &[]),
        }, "post": {
            "operationId": "search_by_vector", "tags": ["search"],
            "summary": "Find records by a vector, by a text, or by both",
            "description": "By both, the two rankings are fused: each gives a hit 1 / (60 + its place in it). Neighbours are those with the smallest cosine distance, \
                of what the caller may see. What the search went by is said in used. A text without a vector is searched for as by GET.",
            "parameters": [view()],
            "requestBody": { "required": true, "content": { "application/json": { "schema": reference("Wanted") } } },
            "responses": with_problems(json!({ "200": json_response("What was found.", "Found") }), &[413, 415, 422, 501]),
        } },
        "/api/v1/import": { "post": {
            "operationId": "import", "tags": ["transfer"],
            "summary": "Take over records",
            "description": "A stream of JSON Lines, plain or gzip, one record a line, as an export has them. It is taken over in batches, each whole or \
                not at all; sent again, it goes on. A line that cannot be taken is refused by its number, and the rest goes in. Takes token scope operator, and for \
                tokens and users whose role is admin also scope admin.",
            "requestBody": { "content": {
                // Any bytes will do: lines that are no records are refused one by one.
                (JSON_LINES): { "schema": {} },
                "application/gzip": { "schema": {} },
            } },
            "responses": with_problems(json!({ "200": json_response("What it came to; also when lines were refused.", "ImportReport") }), &[507]),
        } },
        "/api/v1/export": { "get": {
            "operationId": "export", "tags": ["transfer"],
            "summary": "Read all records",
            "description": "A stream of JSON Lines, by kind in dependency order, then by id. When it fails on the way, the connection breaks: an answer \
                that ends well is whole. Takes token scope operator.",
            "parameters": [{ "name": "tokens", "in": "query", "description": "Tokens too, with the hashes of their secrets.", "schema": { "type": "string", "enum": ["true"] } }],
            "responses": with_problems(json!({ "200": text("All records.", JSON_LINES) }), &[]),
        } },
        "/api/v1/backup": { "get": {
            "operationId": "backup", "tags": ["transfer"],
            "summary": "Read everything as it is at one moment",
            "description": "A tar archive of all records, tokens with their hashes, embeddings, and a manifest with counts and hashes, as `mosaic backup \
                restore` takes it. When it fails on the way, the connection breaks: an answer that ends well is whole. One at a time of a gateway's. Takes token scope \
                operator.",
            "responses": with_problems(json!({ "200": {
                "description": "The archive.", "content": { (TAR): { "schema": { "type": "string", "format": "binary" } } },
            } }), &[409, 501, 507]),
        } },
        "/livez": open("livez", "Whether the process runs", json!({ "200": status("It does.") })),
        "/readyz": open("readyz", "Whether requests would be answered", json!({ "200": status("They would; without what is named as degraded.") })),
        "/metrics": open("metrics", "Counts and times, for Prometheus", json!({ "200": text("The metrics.", "text/plain") })),
        "/openapi.json": open("openapi", "This description", json!({ "200": {
            "description": "OpenAPI 3.1.", "content": { "application/json": { "schema": { "type": "object" } } },
        } })),
        "/docs": open("docs", "This description, to read", json!({ "200": text("A page.", "text/html") })),
        "/": open("page", "The page to work with", json!({ "200": text("A page.", "text/html") })),
        "/page/{file}": file,
    });
    match paths {
        Value::Object(paths) => paths,
        _ => Map::new(),
    }
}

fn made_how(kind: Kind) -> String {
    let told = "An id may be given; sending the same record again is then no error.";
    match kind {
        Kind::Token => {
            "The answer has the token's secret, which is shown this once. A token gives only scopes that it has itself, and one that expires \
                gives nothing that outlives it, unless it has scope admin."
                .to_owned()
        }
        kind if kind.is_content() => format!("It lives in the space of its team_id, or in the caller's own. {told}"),
        _ => told.to_owned(),
    }
}

fn list_parameters(kind: Kind) -> Vec<Value> {
    let default = Query::new(kind);
    let orders: Vec<_> = kind.orders().iter().flat_map(|field| [field.name.to_owned(), format!("-{}", field.name)]).collect();
    let query = |name: &str, description: String, schema: Value| json!({ "name": name, "in": "query", "description": description, "schema": schema });
    let fields = kind.schema().to_value();
    let mut parameters: Vec<_> = filters(kind)
        .map(|field| {
            let schema = match field.ty {
                FieldType::Id => json!({ "type": "string", "format": "uuid" }),
                FieldType::Time => json!({ "type": "string", "format": "date-time" }),
                FieldType::Number => json!({ "type": "integer", "minimum": 0 }),
                FieldType::Text => json!({ "type": "string" }),
                FieldType::Choice(_) => values_of(&fields["properties"][field.name]),
            };
            query(field.name, format!("Only those whose {} is this.", field.name), schema)
        })
        .collect();
    parameters.push(query(
        "order",
        "What they are ordered by; with a - before it, from the largest.".into(),
        json!({ "type": "string", "enum": orders, "default": default.order.name }),
    ));
    parameters.push(query(
        "limit",
        "The most items of a page.".into(),
        json!({ "type": "integer", "minimum": 1, "maximum": PAGE_ITEMS, "default": default.limit }),
    ));
    parameters.push(query("cursor", "The next_cursor of the page before.".into(), json!({ "type": "string", "minLength": 1 })));
    parameters.push(view());
    parameters
}

/// The schema of a text that is filtered by: a name of our own, where the field has a fixed set of values.
fn values_of(property: &Value) -> Value {
    match property["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        Some(name) => reference(name),
        None => json!({ "type": "string" }),
    }
}

fn view() -> Value {
    json!({
        "name": "view", "in": "query", "schema": { "type": "string", "enum": ["all"] },
        "description": "All spaces, rather than the caller's own. Takes token scope operator and role admin, and is logged.",
    })
}

/// A header that holds entity tags.
fn tags_header(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "header", "description": description, "schema": { "type": "string", "pattern": TAGS_PATTERN }, "example": "\"1\"" })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{SCHEMAS}{name}") })
}

fn etag() -> Value {
    json!({ "ETag": { "$ref": "#/components/headers/ETag" } })
}

fn json_response(description: &str, schema: &str) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": reference(schema) } } })
}

fn record_response(description: &str, schema: &str) -> Value {
    let mut response = json_response(description, schema);
    response["headers"] = etag();
    response
}

fn made_response(description: &str, schema: &str) -> Value {
    let mut response = record_response(description, schema);
    response["headers"]["Location"] = json!({ "$ref": "#/components/headers/Location" });
    response
}

fn with_problems(responses: Value, own: &[u16]) -> Value {
    with(responses, ALWAYS.iter().chain(own))
}

fn with<'s>(mut responses: Value, problems: impl Iterator<Item = &'s u16>) -> Value {
    for status in problems {
        responses[status.to_string()] = json!({ "$ref": format!("#/components/responses/{}", problem_name(*status)) });
    }
    responses
}
