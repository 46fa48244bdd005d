//! Answers as servers send them, over a real socket: whole, in pieces, and spoiled in every way.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

mod calls;
mod failures;

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

fn streamed(events: &[Value]) -> Vec<u8> {
    answer("200 OK", "content-type: text/event-stream; charset=utf-8\r\n", &body(events, "\r\n"))
}

/// Events, with this at the end of each line.
fn body(events: &[Value], end: &str) -> String {
    events.iter().map(Value::to_string).chain(["[DONE]".to_owned()]).map(|event| format!("data: {event}{end}{end}")).collect()
}

fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

fn finish(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

fn calls_of(pieces: Value) -> Value {
    delta(json!({ "tool_calls": pieces }))
}

/// The answer whose body comes in these pieces.
fn pieces(body: Vec<Bytes>) -> Answer {
    let body = reqwest::Body::wrap_stream(stream::iter(body.into_iter().map(Ok::<_, std::io::Error>)));
    let server = Server { url: "http://127.0.0.1:9/v1".parse().unwrap(), key: None, silence: Duration::from_secs(1) };
    Answer::streamed(hyper::Response::new(body).into(), Arc::new(server))
}

/// Everything that an answer says: its text, and how it ended.
async fn told(chat: &Chat) -> Result<(String, Done), Failure> {
    rest(&mut chat.ask(&[ChatMessage::User("Hello".into())], &[], 100).await?).await
}

async fn rest(answer: &mut Answer) -> Result<(String, Done), Failure> {
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
        let (chat, _serves) = server(streamed(&events), cut, true).await;
        let (text, done) = told(&chat).await.unwrap();
        assert_eq!((text.as_str(), done), ("Grüße, 🧩 and\nall", Done { tokens: Some(7), ..Done::default() }), "{cut}");
    }
}

#[tokio::test]
async fn the_text_is_the_same_wherever_it_is_cut_and_however_lines_end() {
    let events = [
        delta(json!({ "content": "Grüße, " })),
        delta(json!({ "thinking": "hm", "reasoning": "hm", "content": "🧩 and\nall" })),
        calls_of(json!([{ "index": 0, "id": "a", "function": { "name": "search", "arguments": "{\"text\":\"ü\"}" } }])),
        finish("tool_calls"),
    ];
    for end in ["\n", "\r\n", "\r"] {
        let whole = Bytes::from(format!("\u{feff}: hello{end}{end}{}", body(&events, end)));
        let both_sides = |at: usize| vec![whole.slice(..at), whole.slice(at..)];
        let each_byte = (0..whole.len()).map(|at| whole.slice(at..=at)).collect();
        for (at, cut) in (0..=whole.len()).map(both_sides).chain([each_byte]).enumerate() {
            let (text, done) = rest(&mut pieces(cut)).await.unwrap();
            assert_eq!((text.as_str(), done.tool_calls[0].arguments.as_str()), ("Grüße, 🧩 and\nall", "{\"text\":\"ü\"}"), "{at} {end:?}");
        }
    }
}

#[tokio::test]
async fn a_text_in_parts_is_taken_without_its_thoughts() {
    let parts = json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] }, { "type": "text", "text": "Yes." }]);
    let (chat, _serves) = server(streamed(&[delta(json!({ "content": parts })), finish("stop")]), 100, true).await;
    assert_eq!(told(&chat).await.unwrap().0, "Yes.");
}

#[tokio::test]
async fn the_request_is_one_that_every_server_takes() {
    let (chat, serves) = server(streamed(&[finish("stop")]), 100, true).await;
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
async fn an_answer_that_is_whole_needs_no_reason_for_its_end() {
    let body = json!({ "choices": [{ "message": { "content": "Yes." } }] });
    let (chat, _serves) = server(answer("200 OK", "content-type: application/json; charset=utf-8\r\n", &body.to_string()), 9, true).await;
    assert_eq!(told(&chat).await.unwrap(), ("Yes.".to_owned(), Done::default()));
}

#[tokio::test]
async fn arguments_that_are_no_json_are_not_sent_back() {
    let (chat, serves) = server(streamed(&[finish("stop")]), 100, true).await;
    let call = |arguments: &str| ToolCall { id: "1".into(), name: "search".into(), arguments: arguments.into() };
    let tool_calls = ["{\"text\": \"mi", "", "7", "{\"a\": 1}"].map(call).to_vec();
    chat.ask(&[ChatMessage::Assistant { content: "So.".into(), tool_calls }], &[], 100).await.unwrap();
    let request = String::from_utf8(serves.await.unwrap()).unwrap();
    let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    let sent: Vec<_> = body["messages"][0]["tool_calls"].as_array().unwrap().iter().map(|call| &call["function"]["arguments"]).collect();
    assert_eq!(sent, ["{}", "{}", "{}", "{\"a\": 1}"]);
}

/// What a model says that is slow, and sends a sign of life each 300 ms for so many times before it ends.
fn slow(signs: usize) -> Answer {
    let signs = stream::iter(0..signs).then(|_| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok::<_, std::io::Error>(Bytes::from_static(b": still here\n\n"))
    });
    let events = stream::iter([Ok(Bytes::from(body(&[delta(json!({ "content": "Yes." })), finish("stop")], "\n")))]);
    let server = Server { url: "http://127.0.0.1:9/v1".parse().unwrap(), key: None, silence: Duration::from_secs(1) };
    Answer::streamed(hyper::Response::new(reqwest::Body::wrap_stream(signs.chain(events))).into(), Arc::new(server))
}

#[tokio::test]
async fn a_sign_of_life_is_no_silence() {
    assert_eq!(rest(&mut slow(5)).await.unwrap().0, "Yes.");
}

#[tokio::test]
async fn what_is_said_is_not_lost_to_a_server_that_does_not_close() {
    let events: String = [delta(json!({ "content": "Yes." })), finish("stop")].iter().map(|event| format!("data: {event}\n\n")).collect();
    let (chat, _serves) = server(answer("200 OK", "content-type: text/event-stream\r\n", &events), 9, false).await;
    assert_eq!(told(&chat).await.unwrap().0, "Yes.");
}

#[tokio::test]
async fn an_answer_that_is_dropped_in_the_middle_of_a_wait_loses_nothing() {
    let events = [delta(json!({ "content": "one " })), delta(json!({ "content": "two" })), finish("stop")];
    let (chat, _serves) = server(streamed(&events), 1, true).await;
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
        for bytes in [answer("400 Bad Request", "", refusal), streamed(&[finish("stop")]), streamed(&[finish("stop")])] {
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
