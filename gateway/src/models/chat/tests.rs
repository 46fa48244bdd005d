//! Answers as servers send them, over a real socket: whole, in pieces, and spoiled in every way.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// The chat model on a server that answers each request with these bytes, cut into pieces of so many, and then closes or goes silent.
async fn server(answer: Vec<u8>, cut: usize, closes: bool) -> (Chat, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    let section = json!({ "base_url": base_url, "model": "tiny", "api_key": "sk-hunter2", "silence_seconds": 1 });
    let serves = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = vec![0; 64 << 10];
        let mut length = 0;
        while !is_whole(&request[..length]) {
            length += stream.read(&mut request[length..]).await.unwrap();
        }
        request.truncate(length);
        for piece in answer.chunks(cut) {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        if !closes {
            std::future::pending::<()>().await;
        }
        request
    });
    (Chat::new(&serde_json::from_value(section).unwrap(), Path::new("")).unwrap(), serves)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

fn stream(events: &[Value]) -> Vec<u8> {
    let events: String = events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect();
    answer("200 OK", "content-type: text/event-stream; charset=utf-8\r\n", &(events + "data: [DONE]\n\n"))
}

fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

fn finish(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

fn calls(pieces: Value) -> Value {
    delta(json!({ "tool_calls": pieces }))
}

/// Everything that an answer says: its text, and how it ended.
async fn told(chat: &Chat) -> Result<(String, Done), Failure> {
    let mut answer = chat.ask(&[ChatMessage::User("Hello".into())], &[], 100).await?;
    let mut text = String::new();
    loop {
        match answer.next().await? {
            Some(Piece::Text(piece)) => text += &piece,
            Some(Piece::Done(done)) => {
                assert_eq!(answer.next().await.unwrap(), None);
                return Ok((text, done));
            }
            None => panic!("it ended without an end"),
        }
    }
}

#[tokio::test]
async fn the_text_is_the_same_wherever_it_is_cut() {
    let events = [
        delta(json!({ "role": "assistant", "content": "" })),
        delta(json!({ "content": "Grüße, " })),
        delta(json!({ "reasoning_content": "hm", "content": null })),
        delta(json!({ "content": "🧩 and\nall" })),
        finish("stop"),
        json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 7 } }),
    ];
    for cut in [1, 2, 3, 5, 7, 64, 100_000] {
        let (chat, _serves) = server(stream(&events), cut, true).await;
        let (text, done) = told(&chat).await.unwrap();
        assert_eq!((text.as_str(), done), ("Grüße, 🧩 and\nall", Done { tokens: Some(7), ..Done::default() }), "{cut}");
    }
}

#[tokio::test]
async fn the_request_is_one_that_every_server_takes() {
    let (chat, serves) = server(stream(&[finish("stop")]), 100, true).await;
    let call = ToolCall { id: "1".into(), name: "search".into(), arguments: "{\"text\":\"mill\"}".into() };
    let conversation = [
        ChatMessage::System("Help.".into()),
        ChatMessage::User("Find it".into()),
        ChatMessage::Assistant { content: String::new(), tool_calls: vec![call] },
        ChatMessage::Tool { tool_call_id: "1".into(), content: "found".into() },
        ChatMessage::Assistant { content: "There.".into(), tool_calls: Vec::new() },
    ];
    let tools = [ToolDefinition { name: "search".into(), description: "Finds.".into(), parameters: json!({ "type": "object" }) }];
    chat.ask(&conversation, &tools, 77).await.unwrap();
    let request = String::from_utf8(serves.await.unwrap()).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions ") && head.contains("authorization: Bearer sk-hunter2"), "{head}");
    let expected = json!({
        "model": "tiny", "stream": true, "stream_options": { "include_usage": true }, "max_tokens": 77,
        "messages": [
            { "role": "system", "content": "Help." },
            { "role": "user", "content": "Find it" },
            { "role": "assistant", "content": null,
              "tool_calls": [{ "id": "1", "type": "function", "function": { "name": "search", "arguments": "{\"text\":\"mill\"}" } }] },
            { "role": "tool", "tool_call_id": "1", "content": "found" },
            { "role": "assistant", "content": "There." },
        ],
        "tools": [{ "type": "function", "function": { "name": "search", "description": "Finds.", "parameters": { "type": "object" } } }],
    });
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), expected);
}

#[tokio::test]
async fn calls_are_put_together_however_they_are_cut() {
    let expected = [("a", "search", r#"{"text":"x"}"#), ("b", "note_get", r#"{"id":"1"}"#)];
    let whole = |id: Value, index: Value, (name, arguments): (&str, Value)| json!({ "id": id, "index": index, "function": { "name": name, "arguments": arguments } });
    let (search, get) = (("search", json!(r#"{"text":"x"}"#)), ("note_get", json!({ "id": "1" })));
    for (about, events) in [
        (
            "as OpenAI cuts them",
            vec![
                calls(json!([{ "index": 0, "id": "a", "type": "function", "function": { "name": "search", "arguments": "" } }])),
                calls(json!([{ "index": 0, "function": { "arguments": "{\"te" } }])),
                calls(json!([{ "index": 1, "id": "b", "function": { "name": "note_get", "arguments": "{\"id\"" } }])),
                calls(
                    json!([{ "index": 0, "id": "", "function": { "name": null, "arguments": "xt\":\"x\"}" } }, { "index": 1, "function": { "arguments": ":\"1\"}" } }]),
                ),
            ],
        ),
        ("all of one number", vec![calls(json!([whole(json!("a"), json!(0), search.clone()), whole(json!("b"), json!(0), get.clone())]))]),
        (
            "without numbers",
            vec![
                calls(json!([whole(json!("a"), Value::Null, search.clone())])),
                calls(json!([whole(json!("b"), Value::Null, get.clone())])),
            ],
        ),
    ] {
        let (chat, _serves) = server(stream(&[events, vec![finish("tool_calls")]].concat()), 50, true).await;
        let (_, done) = told(&chat).await.unwrap();
        let given: Vec<_> = done.tool_calls.iter().map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str())).collect();
        assert_eq!(given, expected, "{about}");
    }
    let nameless = [calls(json!([whole(Value::Null, Value::Null, search), whole(json!(""), Value::Null, get)])), finish("stop")];
    let (chat, _serves) = server(stream(&nameless), 50, true).await;
    let ids: Vec<_> = told(&chat).await.unwrap().1.tool_calls.into_iter().map(|call| call.id).collect();
    assert_eq!(ids, ["call_0", "call_1"], "those without an id get one");
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_taken_too() {
    let body = json!({
        "choices": [{ "message": { "role": "assistant", "content": "All at once." }, "finish_reason": "length" }],
        "usage": { "completion_tokens": 4 },
    });
    let (chat, _serves) = server(answer("200 OK", "content-type: application/json\r\n", &body.to_string()), 9, true).await;
    let (text, done) = told(&chat).await.unwrap();
    assert_eq!((text.as_str(), done), ("All at once.", Done { tool_calls: Vec::new(), cut_off: true, tokens: Some(4) }));
}

#[tokio::test]
async fn what_is_said_is_not_lost_to_a_server_that_does_not_close() {
    let events: String = [delta(json!({ "content": "Yes." })), finish("stop")].iter().map(|event| format!("data: {event}\n\n")).collect();
    let (chat, _serves) = server(answer("200 OK", "content-type: text/event-stream\r\n", &events), 9, false).await;
    assert_eq!(told(&chat).await.unwrap().0, "Yes.");
}

#[tokio::test]
async fn what_goes_wrong_is_told_by_what_it_is() {
    let event = |text: &str| answer("200 OK", "content-type: text/event-stream\r\n", &format!("data: {text}\n\n"));
    let hello = delta(json!({ "content": "Hello" })).to_string();
    let refusal = |status: &str, headers: &str| answer(status, headers, r#"{"error":{"message":"no: sk-hunter2"}}"#);
    let long = "x".repeat(EVENT_BYTES + (64 << 10));
    for (bytes, closes, blame, said) in [
        (refusal("401 Unauthorized", ""), true, Blame::Setup, "answered 401"),
        (refusal("404 Not Found", ""), true, Blame::Setup, "answered 404"),
        (refusal("429 Too Many Requests", "retry-after: 7\r\n"), true, Blame::Away, "answered 429"),
        (refusal("500 Internal Server Error", ""), true, Blame::Unclear, "answered 500"),
        (refusal("503 Service Unavailable", ""), true, Blame::Away, "answered 503"),
        (answer("200 OK", "content-type: text/html\r\n", "<html>"), true, Blame::Setup, "text/html"),
        (answer("200 OK", "content-type: application/json\r\n", "{\"choices\":[]}"), true, Blame::Unclear, "broke off"),
        (event("{\"error\":{\"message\":\"no: sk-hunter2\"}}"), true, Blame::Unclear, "in the middle"),
        (event("{\"error\":\"overloaded\"}"), true, Blame::Unclear, "said=overloaded"),
        (event(&hello), true, Blame::Unclear, "broke off"),
        (event(&hello), false, Blame::Away, "silent for 1 s"),
        (Vec::new(), false, Blame::Away, "silent for 1 s"),
        (Vec::new(), true, Blame::Unclear, "connection"),
        (event("garbage"), true, Blame::Unclear, "not JSON"),
        (event("{\"choices\":7}"), true, Blame::Unclear, "no chat completion"),
        (answer("200 OK", "content-type: text/event-stream\r\n", &long), true, Blame::Unclear, "no end"),
        ([&event("x")[..20], b"\xff\xfe\r\n\r\ndata: \xff\n\n"].concat(), true, Blame::Unclear, ""),
    ] {
        let (chat, _serves) = server(bytes, 4 << 10, closes).await;
        let failure = told(&chat).await.unwrap_err();
        let shown = format!("{} {:?}", failure.error, failure.error);
        assert!(shown.contains(said) && failure.blame == blame, "{said}: {:?} {shown}", failure.blame);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("models.embedding"), "{shown}");
        assert_eq!(failure.retry_after, said.contains("429").then(|| Duration::from_secs(7)));
    }
}

#[tokio::test]
async fn an_answer_that_is_dropped_in_the_middle_of_a_wait_loses_nothing() {
    let events = [delta(json!({ "content": "one " })), delta(json!({ "content": "two" })), finish("stop")];
    let (chat, _serves) = server(stream(&events), 1, true).await;
    let mut answer = chat.ask(&[], &[], 100).await.unwrap();
    let mut text = String::new();
    loop {
        match timeout(Duration::from_micros(50), answer.next()).await {
            Ok(Ok(Some(Piece::Text(piece)))) => text += &piece,
            Ok(Ok(Some(Piece::Done(_)))) => break,
            Ok(other) => panic!("{other:?}"),
            Err(_) => {}
        }
    }
    assert_eq!(text, "one two");
}

#[tokio::test]
async fn a_server_that_wants_the_newer_name_of_the_bound_gets_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    let chat = Chat::new(&serde_json::from_value(json!({ "base_url": base_url, "model": "o9" })).unwrap(), Path::new("")).unwrap();
    let serves = tokio::spawn(async move {
        let refusal = r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."}}"#;
        let mut requests = Vec::new();
        for bytes in [answer("400 Bad Request", "", refusal), stream(&[finish("stop")]), stream(&[finish("stop")])] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !is_whole(&request) {
                stream.read_buf(&mut request).await.unwrap();
            }
            requests.push(String::from_utf8(request).unwrap());
            stream.write_all(&bytes).await.unwrap();
        }
        requests
    });
    for _ in 0..2 {
        told(&chat).await.unwrap();
    }
    let asked: Vec<_> = serves.await.unwrap().iter().map(|request| request.contains(r#""max_completion_tokens":100"#)).collect();
    assert_eq!(asked, [false, true, true]);
}
