//! That the description holds together, and describes what there is.

use super::*;

/// Every `$ref` of a document.
fn references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let mut found = Vec::new();
    references(&DOCUMENT, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        assert!(DOCUMENT.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
}

#[test]
fn operations_are_unique_and_say_how_they_fail() {
    let mut ids = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
            ids.push(operation["operationId"].as_str().unwrap());
            assert!(operation["summary"].is_string(), "{method} {path}");
            for status in ["414", "431", "500", "503", "504"] {
                assert!(operation["responses"][status].is_object(), "{method} {path}: {status}");
            }
            if path.starts_with("/api/") {
                assert!(operation["responses"]["401"].is_object() && operation.get("security").is_none(), "{method} {path}");
            }
        }
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    assert_eq!(all, Kind::ALL.len() * 5 - 2 + Kind::searched().count() * 2 + 16);
}

#[test]
fn a_list_has_its_kinds_filters_and_orders() {
    let parameters = DOCUMENT["paths"]["/api/v1/tasks"]["get"]["parameters"].as_array().unwrap();
    let named = |name: &str| parameters.iter().find(|p| p["name"] == name).unwrap();
    assert_eq!(named("assignee_id")["schema"]["format"], "uuid");
    assert_eq!(named("status")["schema"]["$ref"], "#/components/schemas/TaskStatus");
    assert_eq!(named("order")["schema"]["enum"], json!(["created_at", "-created_at", "updated_at", "-updated_at"]));
    assert_eq!(named("limit")["schema"], json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 }));
}

#[test]
fn bounds_are_told() {
    let schemas = &DOCUMENT["components"]["schemas"];
    let title = &schemas["NewTask"]["properties"]["title"];
    assert_eq!((&title["minLength"], &title["maxLength"]), (&json!(1), &json!(500)));
    assert_eq!(schemas["TeamPatch"]["properties"]["slug"]["pattern"], "^[a-z0-9][a-z0-9._-]{0,63}$");
    let tags = &schemas["NewNote"]["properties"]["tags"];
    assert_eq!((&tags["maxItems"], &tags["uniqueItems"], &tags["items"]["maxLength"]), (&json!(64), &json!(true), &json!(100)));
    assert_eq!(schemas["NewMessage"]["anyOf"].as_array().map(Vec::len), Some(4));
    assert_eq!(schemas["Wanted"]["properties"]["kind"]["items"]["enum"], json!(["task", "note", "message"]));
    assert!(!schemas["Check"]["required"].as_array().unwrap().contains(&json!("remediation")), "it may be left out");
}

#[test]
fn what_the_gateway_sets_is_asked_of_nobody() {
    let schemas = &DOCUMENT["components"]["schemas"];
    assert_eq!(schemas["NewTask"]["required"], json!(["title"]));
    assert_eq!(schemas["NewToken"]["required"], json!(["name", "scopes"]));
    assert_eq!(schemas["NewMembership"]["required"], json!(["team_id", "user_id"]));
    for field in ["revision", "created_at", "updated_at"] {
        assert!(schemas["NewTask"]["properties"].get(field).is_none() && schemas["TaskPatch"]["properties"].get(field).is_none());
        assert!(schemas["Task"]["properties"].get(field).is_some());
    }
    for name in ["Token", "NewToken", "IssuedToken", "TokenPatch"] {
        assert!(schemas[name]["properties"].get("hash").is_none(), "{name}");
    }
    assert!(schemas["IssuedToken"]["properties"].get("secret").is_some());
}

#[test]
fn a_patch_may_say_again_what_it_cannot_change() {
    for kind in Kind::ALL.iter().filter(|kind| kind.parent().is_none()) {
        let name = schemas::name(*kind);
        let patch = &DOCUMENT["components"]["schemas"][format!("{name}Patch")]["properties"];
        assert_eq!(patch["id"], DOCUMENT["components"]["schemas"][&name]["properties"]["id"], "{name}");
        assert!(patch["kind"].is_object(), "{name}");
    }
}

#[test]
fn a_transfer_is_described_as_it_is_sent() {
    let (import, export) = (&DOCUMENT["paths"]["/api/v1/import"]["post"], &DOCUMENT["paths"]["/api/v1/export"]["get"]);
    let backup = &DOCUMENT["paths"]["/api/v1/backup"]["get"];
    let types = |content: &Value| content.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(types(&import["requestBody"]["content"]), [crate::transfer::JSON_LINES, "application/gzip"]);
    assert_eq!(types(&export["responses"]["200"]["content"]), [crate::transfer::JSON_LINES]);
    assert_eq!(types(&backup["responses"]["200"]["content"]), [crate::backup::TAR]);
}
