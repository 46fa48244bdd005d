//! Servers that fail, in every way: what is said of it, whose fault it is, and that the key is not repeated.

use super::*;

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
        (event("{\"error\":{\"code\":401,\"message\":\"no\"}}"), true, Blame::Setup, "said=no"),
        (event("{\"object\":\"error\",\"message\":\"too long\"}"), true, Blame::Unclear, "said=too long"),
        (event(&finish("error").to_string()), true, Blame::Unclear, "in the middle"),
        (event(&finish("content_filter").to_string()), true, Blame::Unclear, "withheld"),
        (answer("200 OK", "content-type: x/sk-hunter2\r\n", ""), true, Blame::Setup, "x/[hidden]"),
        (answer("302 Found", "location: http://127.0.0.1:9/\r\n", ""), true, Blame::Setup, "answered 302"),
        (refusal("403 Forbidden", ""), true, Blame::Setup, "answered 403"),
        (Vec::new(), false, Blame::Away, "silent for 1 s"),
        (Vec::new(), true, Blame::Unclear, "connection"),
        (event("garbage"), true, Blame::Unclear, "not JSON"),
        (event("{\"choices\":7}"), true, Blame::Unclear, "no chat completion"),
        (answer("200 OK", "content-type: text/event-stream\r\n", &long), true, Blame::Unclear, "no end"),
        ([&event("x")[..], b"data: \xff\n\n"].concat(), true, Blame::Unclear, "not JSON"),
        ([&answer("200 OK", "content-type: text/event-stream\r\n", "")[..], b"data: \xff\n\n"].concat(), true, Blame::Unclear, "no text"),
        (b"\xff\xfe\r\n\r\n".to_vec(), true, Blame::Unclear, "connection"),
    ] {
        let (chat, _serves) = server(bytes, 4 << 10, closes).await;
        let failure = told(&chat).await.unwrap_err();
        let shown = format!("{} {:?}", failure.error, failure.error);
        let hint = failure.error.hint_text().unwrap_or_default();
        assert!(failure.blame != Blame::Setup || hint.contains("models.chat.") || said == "said=no", "{shown}");
        assert!(shown.contains(said) && failure.blame == blame, "{said}: {:?} {shown}", failure.blame);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("models.embedding"), "{shown}");
        assert_eq!(failure.retry_after, said.contains("429").then(|| Duration::from_secs(7)));
    }
}

#[tokio::test]
async fn nothing_comes_behind_a_failure() {
    let events = [delta(json!({ "content": "one" })), json!("garbage"), delta(json!({ "content": "two" })), finish("stop")];
    let mut answer = pieces(vec![body(&events, "\n").into()]);
    assert_eq!(answer.next().await.unwrap(), Some(Piece::Text("one".into())));
    answer.next().await.unwrap_err();
    assert_eq!(answer.next().await.unwrap(), None);
    let at_once = json!({ "choices": [{ "delta": { "content": "one" }, "finish_reason": "error" }] });
    let mut answer = pieces(vec![body(&[at_once, finish("stop")], "\n").into()]);
    answer.next().await.unwrap_err();
    assert_eq!(answer.next().await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_that_is_complete_is_not_spoiled_by_what_follows() {
    let complete = body(&[delta(json!({ "content": "Yes." })), finish("stop")], "\n").replace("data: [DONE]\n\n", "");
    for behind in
        ["data: garbage\n\n", "data: \u{0}", "data: {\"error\":\"late\"}\n\n", "data: {\"usage\":{\"completion_tokens\":1.5}}\n\n"]
    {
        assert_eq!(rest(&mut pieces(vec![format!("{complete}{behind}").into()])).await.unwrap().0, "Yes.", "{behind}");
    }
    let invalid = vec![complete.into(), Bytes::from_static(b"data: \xff\n\n")];
    assert_eq!(rest(&mut pieces(invalid)).await.unwrap().0, "Yes.");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named_with_the_cure() {
    let chat = |base_url: String| {
        Chat::new(&serde_json::from_value(json!({ "base_url": base_url, "model": "tiny" })).unwrap(), Path::new("")).unwrap()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let unsafely = told(&chat(format!("https://{address}/v1"))).await.unwrap_err();
    plain.await.unwrap();
    let away = told(&chat(format!("http://{address}/v1"))).await.unwrap_err();
    for (failure, blame, said) in [(unsafely, Blame::Setup, "safely"), (away, Blame::Away, "cannot be reached")] {
        assert!(failure.blame == blame && failure.error.message().contains(said), "{:?}", failure.error);
        assert!(failure.error.hint_text().unwrap().contains("models.chat.base_url"), "{:?}", failure.error);
    }
}

#[tokio::test]
async fn the_status_of_a_refusal_does_not_wait_for_its_text() {
    let body = reqwest::Body::wrap_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let mut answer = hyper::Response::new(body);
    *answer.status_mut() = reqwest::StatusCode::UNAUTHORIZED;
    let failure = timeout(Duration::from_secs(30), Failure::refused(answer.into(), None, SECTION)).await.unwrap();
    assert!(failure.blame == Blame::Setup && failure.error.message().contains("401"), "{failure}");
}

#[tokio::test]
async fn many_lines_that_say_nothing_take_no_time() {
    let begun = Instant::now();
    let text = "\n".repeat(EVENT_BYTES / 2) + &body(&[delta(json!({ "content": "Yes." })), finish("stop")], "\n");
    assert_eq!(rest(&mut pieces(vec![text.into()])).await.unwrap().0, "Yes.");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
