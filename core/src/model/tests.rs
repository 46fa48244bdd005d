//! The shape of records as JSON, which is that of the API, of import and of export.

use serde_json::{Value, json};

use super::*;

fn read(value: Value) -> Result<Record> {
    match value {
        Value::Object(fields) => Record::from_json(fields),
        _ => unreachable!("tests give objects"),
    }
}

fn task() -> Value {
    json!({
        "kind": "task", "id": "81aaefa3-8789-5f1f-9c8a-633eba2eae02", "owner_id": "dd8dbad8-669b-5583-b369-e505df0ed3da",
        "title": "Union types", "status": "in_progress", "tags": ["alpha"], "created_at": "2019-03-25T00:00:00Z",
    })
}

fn task_with(field: &str, value: Value) -> Value {
    let mut task = task();
    task[field] = value;
    task
}

#[test]
fn defaults_are_filled_in() {
    let record = read(task()).unwrap();
    assert_eq!(record.revision(), 1);
    assert_eq!(record.updated_at(), record.created_at());
    assert_eq!(record.space_id().unwrap().to_string(), "dd8dbad8-669b-5583-b369-e505df0ed3da");
}

#[test]
fn text_and_back_is_the_same() {
    let record = read(task()).unwrap();
    let text = serde_json::to_string(&record).unwrap();
    assert!(text.starts_with(r#"{"kind":"task","id":"81aa"#), "{text}");
    assert_eq!(Record::from_json_bytes(text.as_bytes()).unwrap(), record);
}

#[test]
fn what_cannot_be_taken_is_named() {
    let cases = [
        (task_with("colour", json!("red")), "colour"),
        (task_with("title", json!(5)), "field=title"),
        (task_with("title", json!("")), "field=title"),
        (task_with("title", json!("a\0b")), "NUL"),
        (task_with("title", json!("x".repeat(501))), "501 characters"),
        (task_with("body", json!("x".repeat(BODY_BYTES + 1))), "field=body"),
        (task_with("priority", json!(5)), "field=priority"),
        (task_with("priority", json!(-1)), "field=priority"),
        (task_with("status", json!("later")), "field=status"),
        (task_with("due_at", json!("tomorrow")), "field=due_at"),
        (task_with("id", json!("7")), "field=id"),
        (task_with("revision", json!(0)), "field=revision"),
        (task_with("tags", json!(["a", "a"])), "twice"),
        (task_with("kind", json!("chore")), "kind=chore"),
        (task_with("kind", json!(1)), "field=kind"),
    ];
    for (value, expected) in cases {
        let error = read(value).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Invalid);
        assert!(error.to_string().contains(expected), "{error} does not name {expected}");
    }
}

#[test]
fn lines_that_are_no_record_are_refused() {
    for line in [&b"{"[..], b"[]", b"", b"null", b"{\"kind\":\"team\"}", b"\xff\xfe"] {
        assert!(Record::from_json_bytes(line).is_err(), "{line:?}");
    }
}

#[test]
fn every_kind_says_its_fields() {
    for kind in Kind::ALL {
        assert_eq!(kind.singular().parse::<Kind>().unwrap(), *kind);
        assert_eq!(kind.orders()[0].name, if kind.parent().is_some() { "seq" } else { "created_at" });
        let schema = kind.schema();
        assert_eq!(schema.get("properties").unwrap()["kind"]["const"], kind.singular());
    }
}

#[test]
fn a_hash_is_hidden_in_debug() {
    let hash = TokenHash([0xab; 32]);
    assert!(!format!("{hash:?}").contains("ab"));
    assert_eq!(TokenHash::from_hex(&hash.to_hex()).unwrap(), hash);
}

#[test]
fn what_agents_and_tools_say_is_said_by_them() {
    let message = |role: &str, more: Value| {
        let id = "81aaefa3-8789-5f1f-9c8a-633eba2eae02";
        let mut fields = json!({
            "kind": "message", "id": id, "session_id": id, "role": role, "content": "", "created_at": "2026-01-02T03:04:05Z",
        });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(fields)
    };
    let call = |arguments: usize| json!({ "id": "1", "name": "search", "arguments": "x".repeat(arguments) });
    for (role, more) in [
        ("assistant", json!({ "tool_calls": [call(0), call(ARGUMENTS_BYTES)], "finish": "tool_calls" })),
        ("assistant", json!({ "finish": "failed", "error": "the model server is away" })),
        ("tool", json!({ "tool_call_id": "1" })),
    ] {
        message(role, more.clone()).unwrap_or_else(|error| panic!("{role} {more}: {error}"));
    }
    for (role, more, expected) in [
        ("user", json!({ "tool_calls": [call(0)] }), "field=tool_calls"),
        ("tool", json!({ "finish": "answered" }), "field=finish"),
        ("assistant", json!({ "tool_call_id": "1" }), "field=tool_call_id"),
        ("assistant", json!({ "error": "why" }), "field=error"),
        ("assistant", json!({ "finish": "failed", "error": "" }), "field=error"),
        ("assistant", json!({ "finish": "done" }), "field=finish"),
        ("assistant", json!({ "tool_calls": vec![call(0); TOOL_CALLS + 1] }), "too many calls: 65"),
        ("assistant", json!({ "tool_calls": [call(1), call(ARGUMENTS_BYTES)] }), "field=tool_calls.arguments"),
    ] {
        let error = message(role, more).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} does not say {expected}");
    }
}
