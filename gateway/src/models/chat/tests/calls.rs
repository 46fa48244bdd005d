//! Calls of tools, as servers cut, number and name them.

use super::*;

#[tokio::test]
async fn calls_are_put_together_however_they_are_cut() {
    let expected = [("a", "search", r#"{"text":"x"}"#), ("b", "note_get", r#"{"id":"1"}"#)];
    let whole = |id: Value, index: Value, (name, arguments): (&str, Value)| json!({ "id": id, "index": index, "function": { "name": name, "arguments": arguments } });
    let (search, get) = (("search", json!(r#"{"text":"x"}"#)), ("note_get", json!({ "id": "1" })));
    for (about, events) in [
        (
            "as OpenAI cuts them",
            vec![
                calls_of(json!([{ "index": 0, "id": "a", "type": "function", "function": { "name": "search", "arguments": "" } }])),
                calls_of(json!([{ "index": 0, "function": { "arguments": "{\"te" } }])),
                calls_of(json!([{ "index": 1, "id": "b", "function": { "name": "note_get", "arguments": "{\"id\"" } }])),
                calls_of(
                    json!([{ "index": 0, "id": "", "function": { "name": null, "arguments": "xt\":\"x\"}" } }, { "index": 1, "function": { "arguments": ":\"1\"}" } }]),
                ),
            ],
        ),
        (
            "all of one number",
            vec![calls_of(json!([whole(json!("a"), json!(0), search.clone()), whole(json!("b"), json!(0), get.clone())]))],
        ),
        (
            "without numbers",
            vec![
                calls_of(json!([whole(json!("a"), Value::Null, search.clone())])),
                calls_of(json!([whole(json!("b"), Value::Null, get.clone())])),
            ],
        ),
    ] {
        let (chat, _serves) = server(streamed(&[events, vec![finish("tool_calls")]].concat()), 50, true).await;
        let (_, done) = told(&chat).await.unwrap();
        let given: Vec<_> = done.tool_calls.iter().map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str())).collect();
        assert_eq!(given, expected, "{about}");
    }
}

/// The calls of an answer in which these pieces came.
async fn put_together(pieces: &[Value]) -> Vec<ToolCall> {
    let mut events: Vec<_> = pieces.iter().map(|piece| calls_of(json!([piece]))).collect();
    events.push(finish("stop"));
    let (chat, _serves) = server(streamed(&events), 500, true).await;
    told(&chat).await.unwrap().1.tool_calls
}

#[tokio::test]
async fn calls_without_ids_get_some_of_their_own() {
    let call = |index: Value, id: Value, text: &str| json!({ "index": index, "id": id, "function": { "name": "search", "arguments": { "text": text } } });
    let mut ids = std::collections::HashSet::new();
    for (index, id) in [(Value::Null, Value::Null), (Value::Null, json!("")), (json!(0), Value::Null), (json!(0), json!(""))] {
        let calls = put_together(&[call(index.clone(), id.clone(), "a"), call(index, id, "b")]).await;
        assert_eq!(calls.iter().map(|call| call.arguments.as_str()).collect::<Vec<_>>(), [r#"{"text":"a"}"#, r#"{"text":"b"}"#]);
        for call in calls {
            assert!(call.id.len() == 9 && call.id.chars().all(|c| c.is_ascii_alphanumeric()), "{}", call.id);
            assert!(ids.insert(call.id), "also of other answers");
        }
    }
    let same = put_together(&[call(json!(0), json!("x"), "a"), call(json!(1), json!("x"), "b")]).await;
    assert!(same.len() == 2 && same[0].id == "x" && same[1].id != "x", "{same:?}");
}

#[tokio::test]
async fn a_server_that_repeats_itself_calls_once() {
    let piece = |arguments: &str| json!({ "index": 0, "id": "a", "function": { "name": "search", "arguments": arguments } });
    for index in [json!(0), Value::Null] {
        let mut pieces = [piece("{\"text\""), piece(":\"x\"}"), piece("")];
        pieces.iter_mut().for_each(|piece| piece["index"] = index.clone());
        let expected = ToolCall { id: "a".into(), name: "search".into(), arguments: r#"{"text":"x"}"#.into() };
        assert_eq!(put_together(&pieces).await, [expected]);
    }
    let late = [json!({ "index": 0, "function": { "name": "search", "arguments": "{}" } }), json!({ "index": 0, "id": "late" })];
    assert_eq!(put_together(&late).await, [ToolCall { id: "late".into(), name: "search".into(), arguments: "{}".into() }]);
}

#[tokio::test]
async fn no_more_is_called_than_can_be_stored() {
    let many: Vec<_> =
        (0..=mosaic_core::model::TOOL_CALLS).map(|n| json!({ "index": n, "function": { "name": "a", "arguments": "{}" } })).collect();
    let text = "x".repeat(mosaic_core::model::ARGUMENTS_BYTES / 2);
    let long: Vec<_> = (0..3).map(|_| json!({ "index": 0, "function": { "arguments": text } })).collect();
    for (pieces, said) in [(many, "too many tools"), (long, "too long")] {
        let events: Vec<_> = pieces.into_iter().map(|piece| calls_of(json!([piece]))).collect();
        let (chat, _serves) = server(streamed(&events), 64 << 10, true).await;
        let failure = told(&chat).await.unwrap_err();
        assert!(failure.error.to_string().contains(said), "{failure}");
    }
}
