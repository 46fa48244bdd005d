//! The page: HTML from an OpenAPI document. Every text is escaped, wherever it comes from.

use std::fmt::Write;

use serde_json::Value;

use super::super::problem::CODES;

const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

/// The whole page.
pub(super) fn page(document: &Value, style: &str) -> String {
    let mut html = String::with_capacity(64 << 10);
    let title = text(&document["info"]["title"]);
    put(
        &mut html,
        format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title} API</title>\n<style>{style}</style>\n<h1>{title} API</h1>\n<p class=\"dim\">version {}, \
         <a href=\"/openapi.json\">openapi.json</a></p>\n<p>{}</p>\n\
         <pre>curl -H \"Authorization: Bearer $MOSAIC_TOKEN\" http://127.0.0.1:7420/api/v1/tasks</pre>\n",
            text(&document["info"]["version"]),
            text(&document["info"]["description"]),
        ),
    );
    let tags: Vec<_> = document["tags"].as_array().into_iter().flatten().filter_map(|tag| tag["name"].as_str()).collect();
    html.push_str("<nav>");
    for tag in tags.iter().chain(&["problems", "schemas"]) {
        put(&mut html, format_args!("<a href=\"#{tag}\">{tag}</a>"));
    }
    html.push_str("</nav>\n");
    for tag in tags {
        put(&mut html, format_args!("<h2 id=\"{tag}\">{tag}</h2>\n"));
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS.iter().filter(|method| item[**method]["tags"][0] == tag) {
                operation(&mut html, document, path, method, item);
            }
        }
    }
    problems(&mut html);
    html.push_str("<h2 id=\"schemas\">schemas</h2>\n");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        put(
            &mut html,
            format_args!("<details id=\"{name}\"><summary><code>{name}</code> <span>{}</span></summary>\n", text(&schema["description"])),
        );
        fields(&mut html, schema);
        html.push_str("</details>\n");
    }
    html
}

fn operation(html: &mut String, document: &Value, path: &str, method: &str, item: &Value) {
    let operation = &item[method];
    put(
        html,
        format_args!(
            "<details id=\"{}\"><summary><b>{}</b><code>{}</code> <span>{}</span></summary>\n<p>{}</p>\n",
            text(&operation["operationId"]),
            method.to_ascii_uppercase(),
            escape(path),
            text(&operation["summary"]),
            text(&operation["description"]),
        ),
    );
    let parameters = [&item["parameters"], &operation["parameters"]].into_iter().filter_map(Value::as_array).flatten();
    let rows: Vec<_> = parameters
        .map(|p| [format!("<code>{}</code>", text(&p["name"])), text(&p["in"]), kind_of(&p["schema"]), text(&p["description"])])
        .collect();
    table(html, ["parameter", "in", "type", ""], &rows);
    let bodies = operation["requestBody"]["content"].as_object().into_iter().flatten();
    let rows: Vec<_> = bodies.map(|(media, body)| [format!("<code>{}</code>", escape(media)), kind_of(&body["schema"])]).collect();
    table(html, ["body", ""], &rows);
    let rows: Vec<_> = operation["responses"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(status, response)| {
            let response = response["$ref"].as_str().and_then(|to| document.pointer(to.strip_prefix('#')?)).unwrap_or(response);
            let content = response["content"].as_object().into_iter().flatten().next().map(|(_, content)| kind_of(&content["schema"]));
            [format!("<code>{}</code>", escape(status)), text(&response["description"]), content.unwrap_or_default()]
        })
        .collect();
    table(html, ["answer", "", ""], &rows);
    html.push_str("</details>\n");
}

fn problems(html: &mut String) {
    html.push_str("<h2 id=\"problems\">problems</h2>\n<table><tr><th>code</th><th>status</th><th></th><th>what to do</th></tr>\n");
    for code in CODES {
        let (name, status, title, cure) = (code.name, code.status.as_u16(), escape(code.title), escape(code.cure));
        put(html, format_args!("<tr id=\"{name}\"><td><code>{name}</code></td><td>{status}</td><td>{title}</td><td>{cure}</td></tr>\n"));
    }
    html.push_str("</table>\n");
}

fn fields(html: &mut String, schema: &Value) {
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    let rows: Vec<_> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let always = if required.iter().any(|field| *field == name) { "always" } else { "" };
            [format!("<code>{}</code>", escape(name)), kind_of(property), always.to_owned(), text(&property["description"])]
        })
        .collect();
    table(html, ["field", "type", "", ""], &rows);
    let values: Vec<_> = variants(schema).map(|(value, description)| [format!("<code>{value}</code>"), description]).collect();
    table(html, ["value", ""], &values);
}

/// The values of an enumeration, which is a list of them, or a choice of constants that are described.
fn variants(schema: &Value) -> impl Iterator<Item = (String, String)> {
    let listed = schema["enum"].as_array().into_iter().flatten().map(|value| (text(value), String::new()));
    listed.chain(schema["oneOf"].as_array().into_iter().flatten().map(|one| (text(&one["const"]), text(&one["description"]))))
}

/// What a schema allows, in a few words.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escape(name));
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(kind_of).collect::<Vec<_>>().join(" or ");
    }
    if !schema["const"].is_null() {
        return format!("<code>{}</code>", text(&schema["const"]));
    }
    let values: Vec<_> = variants(schema).map(|(value, _)| format!("<code>{value}</code>")).collect();
    if !values.is_empty() {
        return values.join(", ");
    }
    let named = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        Value::String(ty) if ty == "array" => format!("array of {}", kind_of(&schema["items"])),
        ty => text(ty),
    };
    match schema["format"].as_str() {
        Some(format) => format!("{named} ({})", escape(format)),
        None => named,
    }
}

fn table<const N: usize>(html: &mut String, head: [&str; N], rows: &[[String; N]]) {
    if rows.is_empty() {
        return;
    }
    put(html, format_args!("<table><tr><th>{}</th></tr>\n", head.join("</th><th>")));
    for row in rows {
        put(html, format_args!("<tr><td>{}</td></tr>\n", row.join("</td><td>")));
    }
    html.push_str("</table>\n");
}

fn put(html: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = html.write_fmt(part);
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
