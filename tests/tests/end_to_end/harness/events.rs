//! Streams of server-sent events of a session, read as a client reads them: what it would show is kept, and what it may rely on is held.

use std::io;

use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Answer, Client, JSON, PATIENCE};

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A message that is stored.
    Message(Value),
    /// The text so far of the message that is being written.
    Draft(String),
    /// A piece that goes to its end.
    Piece(String),
    /// Nothing follows.
    End(Value),
}

/// What a client has seen of a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The place in the session of the last message; none before there is one, when it is not known where it is to be.
    pub(crate) after: Option<u64>,
    /// The messages, in order.
    pub(crate) messages: Vec<Value>,
    /// The text so far of the message that is being written.
    pub(crate) draft: String,
    /// How many pieces came, of all messages.
    pub(crate) pieces: usize,
    /// How often it was said that there is nothing to say.
    pub(crate) comments: usize,
    /// The end.
    pub(crate) end: Option<Value>,
}

impl Seen {
    /// How the turn ended; none when the stream did not say.
    pub(crate) fn finish(&self) -> Option<&str> {
        self.end.as_ref()?["finish"].as_str()
    }

    /// The texts of what the agent said, in order, without those that are empty.
    pub(crate) fn said(&self) -> Vec<&str> {
        let said = self.messages.iter().filter(|message| message["role"] == "assistant");
        said.filter_map(|message| message["content"].as_str()).filter(|content| !content.is_empty()).collect()
    }

    /// What must hold of every event: messages come in order without gaps, each begins as its draft did, and nothing follows the end.
    #[track_caller]
    fn take(&mut self, event: &Event) {
        assert_eq!(self.end, None, "behind the end comes {event:?}");
        match event {
            Event::Message(message) => {
                let seq = message["seq"].as_u64().expect("a message has its place");
                assert_eq!(seq, self.after.map_or(seq, |after| after + 1), "messages come in order, without gaps: {message}");
                assert!(self.after.is_some() || message["role"] == "user", "a turn begins with what was said: {message}");
                self.after = Some(seq);
                if message["role"] == "assistant" {
                    let content = message["content"].as_str().expect("content is a text");
                    assert!(content.starts_with(&self.draft), "{content:.200?} was told as {:.200?}", self.draft);
                    self.draft.clear();
                }
                self.messages.push(message.clone());
            }
            Event::Draft(text) => self.draft.clone_from(text),
            Event::Piece(text) => {
                self.draft.push_str(text);
                self.pieces += 1;
            }
            Event::End(end) => {
                let finish = self.messages.last().map_or(&Value::Null, |last| &last["finish"]);
                if !finish.is_null() && finish != "tool_calls" {
                    assert_eq!((finish, &self.messages[self.messages.len() - 1]["error"]), (&end["finish"], &end["error"]));
                }
                self.end = Some(end.clone());
            }
        }
    }
}

/// A stream of events. Its connection is closed when it is dropped.
pub(crate) struct Events {
    request: String,
    body: Incoming,
    _connection: JoinSet<()>,
    unread: Vec<u8>,
    /// What came so far.
    pub(crate) seen: Seen,
}

impl Events {
    /// The next event; none behind the last one. An error when the connection breaks.
    pub(crate) async fn try_next(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some(length) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let frame: Vec<u8> = self.unread.drain(..length + 2).collect();
                let frame = String::from_utf8(frame).expect("events are UTF-8");
                let Some(event) = parse(frame.trim_end_matches('\n')) else {
                    self.seen.comments += 1;
                    continue;
                };
                self.seen.take(&event);
                return Ok(Some(event));
            }
            let next = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            match next.unwrap_or_else(|_| panic!("{}: nothing comes: {:?}", self.request, self.seen)) {
                Some(frame) => self.unread.extend_from_slice(&frame.map_err(io::Error::other)?.into_data().unwrap_or_default()),
                None => {
                    assert!(self.unread.is_empty(), "{}: it ends in the middle of an event", self.request);
                    return Ok(None);
                }
            }
        }
    }

    /// The next event; the connection must hold.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let next = self.try_next().await;
        next.unwrap_or_else(|error| panic!("{}: {error:?} after {:?}", self.request, self.seen))
    }

    /// Reads until what was seen is as wanted.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&Seen) -> bool) -> &Seen {
        while !wanted(&self.seen) {
            assert!(self.next().await.is_some(), "{}: it ends before {what}: {:?}", self.request, self.seen);
        }
        &self.seen
    }

    /// Reads to the end, which must be said.
    pub(crate) async fn all(mut self) -> Seen {
        while self.next().await.is_some() {}
        assert!(self.seen.end.is_some(), "{}: it ends unsaid: {:?}", self.request, self.seen);
        self.seen
    }
}

/// One event; none for a comment. Each is as the contract says, line by line.
fn parse(frame: &str) -> Option<Event> {
    if frame.starts_with(':') {
        return None;
    }
    let mut lines = frame.lines().peekable();
    let id: Option<u64> = lines.next_if(|line| line.starts_with("id: ")).map(|line| line[4..].parse().expect("ids are numbers"));
    let (name, data) =
        (lines.next().and_then(|line| line.strip_prefix("event: ")), lines.next().and_then(|line| line.strip_prefix("data: ")));
    let (Some(name), Some(data), None) = (name, data, lines.next()) else { panic!("this is no event: {frame:?}") };
    let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {frame:?}"));
    let text = || data["text"].as_str().expect("a piece has a text").to_owned();
    assert_eq!(id, if name == "message" { data["seq"].as_u64() } else { None }, "what is stored has an id: {frame:?}");
    Some(match name {
        "message" => Event::Message(data),
        "draft" => Event::Draft(text()),
        "piece" => Event::Piece(text()),
        "end" => Event::End(data),
        _ => panic!("there is no such event: {frame:?}"),
    })
}

impl Client {
    /// Says something in a session, with the fields of the message, and follows its turn; the answer, when it is none.
    pub(crate) async fn try_say(&self, session: &str, message: &Value) -> io::Result<Result<Events, Answer>> {
        let headers = [JSON[0], ("accept", "text/event-stream")];
        self.events(Method::POST, &format!("/api/v1/sessions/{session}/messages"), &headers, message.to_string()).await
    }

    /// Says something in a session, and follows its turn.
    pub(crate) async fn say(&self, session: &str, content: &str) -> Events {
        let begun = self.try_say(session, &serde_json::json!({ "content": content })).await;
        begun.expect("the connection holds").unwrap_or_else(|answer| panic!("{}: {}", answer.request, answer.text()))
    }

    /// Follows a session from behind a place.
    pub(crate) async fn try_follow(&self, session: &str, after: Option<u64>) -> io::Result<Result<Events, Answer>> {
        let place = after.map(|after| after.to_string());
        let headers: Vec<_> = place.iter().map(|place| ("last-event-id", place.as_str())).collect();
        let begun = self.events(Method::GET, &format!("/api/v1/sessions/{session}/events"), &headers, String::new()).await?;
        Ok(begun.map(|mut events| {
            events.seen.after = Some(after.unwrap_or_default());
            events
        }))
    }

    /// Follows a session from behind a place; it may be followed.
    pub(crate) async fn follow(&self, session: &str, after: Option<u64>) -> Events {
        let begun = self.try_follow(session, after).await;
        begun.expect("the connection holds").unwrap_or_else(|answer| panic!("{}: {}", answer.request, answer.text()))
    }

    async fn events(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> io::Result<Result<Events, Answer>> {
        let request = format!("{method} {path}");
        let (answer, connection) = self.open(&method, path, headers, body).await?;
        let (head, body) = answer.into_parts();
        if head.headers.get("content-type").is_none_or(|sent| sent != "text/event-stream") {
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            return Ok(Err(Answer { request, status: head.status.as_u16(), headers: head.headers, body }));
        }
        assert_eq!(head.status, 200, "{request}");
        Ok(Ok(Events { request, body, _connection: connection, unread: Vec::new(), seen: Seen::default() }))
    }
}
