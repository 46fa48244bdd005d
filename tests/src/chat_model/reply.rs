//! What a chat model answers: a stream of pieces, calls and pauses, as servers send it and as broken ones do, or a refusal. What must not come in:
//! what is answered to what.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// An answer.
#[derive(Clone)]
pub enum Reply {
    /// 200, and then these, one after the other.
    Streams(Vec<Step>),
    /// Another status, with headers and a body.
    Refuses { status: u16, headers: Vec<(&'static str, String)>, body: String },
}

/// What happens next in an answer. Where none of the last four ends it, it ends as it ought to.
#[derive(Clone)]
pub enum Step {
    /// A piece of its text.
    Text(String),
    /// A piece that is made when it is sent.
    Made(Arc<dyn Fn() -> String + Send + Sync>),
    /// Nothing comes for so long.
    Pause(Duration),
    /// Nothing comes until the test says so.
    Until(Arc<Notify>),
    /// A call of a tool, with its arguments as a text.
    Call(String, String),
    /// These bytes, whatever the protocol says.
    Raw(Vec<u8>),
    /// It ends with this `finish_reason`.
    Ends(&'static str),
    /// Its body ends, and was not complete.
    Stops,
    /// The connection breaks.
    BreaksOff,
    /// Nothing comes any more.
    Silent,
}

impl Reply {
    /// A text, word by word.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Streams(text.as_ref().split_inclusive(' ').map(|word| Step::Text(word.to_owned())).collect())
    }

    /// A text in pieces, with a pause before each.
    pub fn pieces<T: Into<String>>(pieces: impl IntoIterator<Item = T>, pause: Duration) -> Self {
        Self::Streams(pieces.into_iter().flat_map(|piece| [Step::Pause(pause), Step::Text(piece.into())]).collect())
    }

    /// A call of a tool.
    pub fn call(name: &str, arguments: &Value) -> Self {
        Self::Streams(Vec::new()).and_call(name, arguments)
    }

    /// A call whose arguments may be no JSON.
    pub fn call_with(name: &str, arguments: &str) -> Self {
        Self::Streams(vec![Step::Call(name.to_owned(), arguments.to_owned())])
    }

    /// A refusal.
    pub fn refuse(status: u16, headers: &[(&'static str, &str)], body: impl Into<String>) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self::Refuses { status, headers, body: body.into() }
    }

    /// One more call in the same answer.
    #[must_use]
    pub fn and_call(self, name: &str, arguments: &Value) -> Self {
        self.then(Step::Call(name.to_owned(), arguments.to_string()))
    }

    /// One more step; a refusal has none.
    #[must_use]
    pub fn then(mut self, step: Step) -> Self {
        if let Self::Streams(steps) = &mut self {
            steps.push(step);
        }
        self
    }
}

/// The body of an answer.
pub(super) fn stream(mut steps: Vec<Step>, with_usage: bool) -> impl Stream<Item = io::Result<Bytes>> + Send {
    static ANSWERS: AtomicUsize = AtomicUsize::new(1);
    if !steps.iter().any(|step| matches!(step, Step::Ends(_) | Step::Stops | Step::BreaksOff | Step::Silent)) {
        let has_calls = steps.iter().any(|step| matches!(step, Step::Call(..)));
        steps.push(Step::Ends(if has_calls { "tool_calls" } else { "stop" }));
    }
    let mut answer = Answer { number: ANSWERS.fetch_add(1, Ordering::Relaxed), calls: 0, bytes: 0, with_usage };
    let begin = answer.chunk(&json!({ "role": "assistant", "content": "" }));
    let steps = steps.into_iter().take_while(|step| !matches!(step, Step::Stops));
    let bodies = stream::iter(steps).then(move |step| {
        let next = answer.step(&step);
        async move {
            match step {
                Step::Pause(time) => tokio::time::sleep(time).await,
                Step::Until(gate) => gate.notified().await,
                Step::Silent => std::future::pending().await,
                // What was sent before is to arrive before the end does.
                Step::BreaksOff => tokio::time::sleep(Duration::from_millis(20)).await,
                _ => {}
            }
            next.map(Bytes::from)
        }
    });
    stream::iter([Ok(Bytes::from(begin))])
        .chain(bodies)
        .filter(|piece| std::future::ready(piece.as_ref().map_or(true, |piece| !piece.is_empty())))
}

/// An answer that is being sent.
struct Answer {
    number: usize,
    calls: usize,
    bytes: usize,
    with_usage: bool,
}

impl Answer {
    fn step(&mut self, step: &Step) -> io::Result<Vec<u8>> {
        Ok(match step {
            Step::Text(text) => self.text(text),
            Step::Made(make) => self.text(&make()),
            Step::Call(name, arguments) => self.call(name, arguments),
            Step::Raw(bytes) => bytes.clone(),
            Step::Ends(reason) => self.end(reason),
            Step::BreaksOff => return Err(io::Error::other("gone")),
            Step::Pause(_) | Step::Until(_) | Step::Silent | Step::Stops => Vec::new(),
        })
    }

    fn text(&mut self, text: &str) -> Vec<u8> {
        self.bytes += text.len();
        self.chunk(&json!({ "content": text }))
    }

    /// Its name comes first, and then its arguments, in pieces.
    fn call(&mut self, name: &str, arguments: &str) -> Vec<u8> {
        self.bytes += name.len() + arguments.len();
        let (index, id) = (self.calls, format!("call_{}_{}", self.number, self.calls));
        self.calls += 1;
        let begin = json!({ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": "" } });
        let mut sent = self.chunk(&json!({ "tool_calls": [begin] }));
        let (first, second) = arguments.split_at(arguments.floor_char_boundary(arguments.len() / 2));
        for piece in [first, second] {
            let piece = json!({ "index": index, "function": { "arguments": piece } });
            sent.extend(self.chunk(&json!({ "tool_calls": [piece] })));
        }
        sent
    }

    fn end(&self, reason: &str) -> Vec<u8> {
        let mut sent = self.event(&json!([{ "index": 0, "delta": {}, "finish_reason": reason }]), None);
        if self.with_usage {
            let tokens = self.bytes.div_ceil(4);
            let usage = json!({ "prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens });
            sent.extend(self.event(&json!([]), Some(usage)));
        }
        sent.extend(b"data: [DONE]\n\n");
        sent
    }

    fn chunk(&self, delta: &Value) -> Vec<u8> {
        self.event(&json!([{ "index": 0, "delta": delta, "finish_reason": null }]), None)
    }

    fn event(&self, choices: &Value, usage: Option<Value>) -> Vec<u8> {
        let chunk = json!({
            "id": format!("chatcmpl-{}", self.number), "object": "chat.completion.chunk", "created": 1_767_225_600, "model": "scripted",
            "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n").into_bytes()
    }
}
