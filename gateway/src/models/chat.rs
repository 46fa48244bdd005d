//! The OpenAI chat protocol, as Ollama, vLLM, llama.cpp and OpenAI speak it: `POST {base_url}/chat/completions`, answered as a stream of
//! server-sent events. It is one call, so that no crate of all of OpenAI's is brought in for it: those ask again by themselves, keep
//! `Retry-After` to themselves, and take no answer that differs from OpenAI's own. What must not come in: what is asked, and when it is asked
//! again.

mod calls;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod protocol;

use std::collections::VecDeque;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use mosaic_core::{Error, ErrorKind, Result, Secret, ToolCall};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url};
use serde_json::Value;
use sse_stream::{Sse, SseByteStream};
use tokio::time::{Duration, Instant, timeout, timeout_at};

use super::{Blame, Failure};
use crate::client::http_client;
use crate::config::ChatModel;
use calls::Calls;
use protocol::{Bound, Chunk, NEWER_NAME, Request};

/// The section of the config that names the server.
const SECTION: &str = "models.chat";
/// The largest event, and the largest answer that is no stream, in bytes.
const EVENT_BYTES: usize = 1 << 20;
const ANSWER_BYTES: usize = 16 << 20;
/// How long an answer that is complete waits for the count of its tokens, and for its end.
const COUNT_TIME: Duration = Duration::from_secs(2);

/// A model that answers, on its server.
pub struct Chat {
    http: Client,
    server: Arc<Server>,
    section: ChatModel,
    /// Whether the server has said that it takes OpenAI's newer name of the bound.
    takes_newer_name: AtomicBool,
}

/// What was said in a conversation, for the model.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatMessage {
    /// What the model is told before all else.
    System(String),
    /// What the person said.
    User(String),
    /// What the model said.
    Assistant {
        /// The text; empty when it only called tools.
        content: String,
        /// The tools that it called.
        tool_calls: Vec<ToolCall>,
    },
    /// What a call came to.
    Tool {
        /// The call.
        tool_call_id: String,
        /// Its result.
        content: String,
    },
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDefinition {
    /// What it is called by.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The JSON Schema of its arguments.
    pub parameters: Value,
}

/// A piece of an answer.
#[derive(Debug, PartialEq)]
pub enum Piece {
    /// The next piece of its text.
    Text(String),
    /// It is complete.
    Done(Done),
}

/// How an answer ended.
#[derive(Debug, Default, PartialEq)]
pub struct Done {
    /// The tools that the model calls.
    pub tool_calls: Vec<ToolCall>,
    /// Whether it would have gone on, had it been allowed to say more.
    pub cut_off: bool,
    /// How many tokens it took, where the server says so.
    pub tokens: Option<u64>,
}

impl Chat {
    /// The model of the config's section. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what of the section cannot be used, such as a file of the key that cannot be read.
    pub fn new(section: &ChatModel, base_dir: &Path) -> Result<Self> {
        let url = section.url()?;
        let server = Arc::new(Server { key: section.key(base_dir)?, silence: section.silence(), url });
        Ok(Self { http: http_client(&server.url, None)?, server, section: section.clone(), takes_newer_name: AtomicBool::new(false) })
    }

    /// What the config says of it.
    pub fn section(&self) -> &ChatModel {
        &self.section
    }

    /// Where it is asked.
    pub fn url(&self) -> &Url {
        &self.server.url
    }

    /// Asks for what comes next in a conversation, in up to so many tokens.
    ///
    /// # Errors
    /// What went wrong before there was an answer.
    pub async fn ask(&self, conversation: &[ChatMessage], tools: &[ToolDefinition], max_tokens: u32) -> Result<Answer, Failure> {
        let request = Request::new(&self.section, conversation, tools);
        let bound = if self.takes_newer_name.load(Ordering::Relaxed) { Bound::Newer(max_tokens) } else { Bound::Usual(max_tokens) };
        let outcome = self.send(&request.within(bound)).await;
        match outcome {
            Err(failure) if matches!(bound, Bound::Usual(_)) && wants_newer_name(&failure) => {
                self.takes_newer_name.store(true, Ordering::Relaxed);
                self.send(&request.within(Bound::Newer(max_tokens))).await
            }
            outcome => outcome,
        }
    }

    async fn send(&self, request: &impl serde::Serialize) -> Result<Answer, Failure> {
        let server = &self.server;
        let mut request = self.http.post(server.url.clone()).json(request);
        if let Some(key) = &server.key {
            request = request.bearer_auth(key.expose());
        }
        let answer = match timeout(server.silence, request.send()).await {
            Ok(answer) => answer.map_err(|error| Failure::unanswered(&server.url, error, SECTION))?,
            Err(_) => return Err(server.was_silent()),
        };
        if !answer.status().is_success() {
            return Err(Failure::refused(answer, server.secret(), SECTION).await);
        }
        match media_type(&answer).as_str() {
            "text/event-stream" | "" => Ok(Answer::streamed(answer, Arc::clone(server))),
            // A server that does not stream answers all at once.
            "application/json" => Answer::whole(answer, Arc::clone(server)).await,
            other => Err(server.is_another(other)),
        }
    }
}

/// What has to be known of the server while it answers.
struct Server {
    url: Url,
    key: Option<Secret>,
    /// How long it may send nothing.
    silence: Duration,
}

impl Server {
    fn secret(&self) -> Option<&str> {
        self.key.as_ref().map(Secret::expose)
    }

    fn was_silent(&self) -> Failure {
        let error = Error::new(ErrorKind::Timeout, format!("the model server was silent for {} s", self.silence.as_secs()));
        let error = error.with("url", &self.url).hint(format!("raise {SECTION}.silence_seconds, if it needs that long to load the model"));
        Failure { blame: Blame::Away, error, retry_after: None }
    }

    /// Of an answer that is none; the next one may be.
    fn is_useless(&self, why: &str) -> Failure {
        let error = Error::new(ErrorKind::Unavailable, format!("the model server's answer cannot be used: {why}"));
        Failure { blame: Blame::Unclear, error: error.with("url", &self.url), retry_after: None }
    }

    /// Of an answer of another type, which another kind of server gives.
    fn is_another(&self, media_type: &str) -> Failure {
        let shown: String = media_type.chars().filter(|c| !c.is_control()).take(60).collect();
        let shown = self.secret().map_or(shown.clone(), |secret| shown.replace(&secret.to_ascii_lowercase(), "[hidden]"));
        let failure = self.is_useless(&format!("it is {shown}"));
        let hint = format!("check {SECTION}.base_url: it is what comes before /chat/completions, and often ends with /v1");
        Failure { blame: Blame::Setup, error: failure.error.hint(hint), retry_after: None }
    }
}

/// The bytes of an answer. They end with a failure when the server is silent for too long.
fn bytes(answer: Response, server: Arc<Server>) -> impl Stream<Item = Result<Bytes, Failure>> + Send {
    stream::try_unfold(answer, move |mut answer| {
        let server = Arc::clone(&server);
        async move {
            match timeout(server.silence, answer.chunk()).await {
                Ok(Ok(Some(piece))) => Ok(Some((piece, answer))),
                Ok(Ok(None)) => Ok(None),
                Ok(Err(error)) => Err(Failure::unanswered(&server.url, error, SECTION)),
                Err(_) => Err(server.was_silent()),
            }
        }
    })
}

/// An answer, as it comes.
pub struct Answer {
    /// None once nothing more is taken from it.
    events: Option<SseByteStream<BoxStream<'static, Result<Bytes, Failure>>>>,
    /// How many bytes came since the last event.
    pending: Arc<AtomicUsize>,
    ready: VecDeque<Piece>,
    calls: Calls,
    /// How it ends, as far as is known.
    done: Done,
    /// Until when more is waited for, once it is complete.
    complete: Option<Instant>,
    server: Arc<Server>,
}

impl Answer {
    fn new(server: Arc<Server>) -> Self {
        let (ready, calls, done) = (VecDeque::new(), Calls::default(), Done::default());
        Self { events: None, pending: Arc::default(), ready, calls, done, complete: None, server }
    }

    fn streamed(answer: Response, server: Arc<Server>) -> Self {
        let mut streamed = Self::new(Arc::clone(&server));
        let pending = Arc::clone(&streamed.pending);
        let bytes = bytes(answer, Arc::clone(&server)).map(move |piece| {
            let piece = piece?;
            // An event that does not end is not gathered for ever.
            if pending.fetch_add(piece.len(), Ordering::Relaxed) > EVENT_BYTES {
                return Err(server.is_useless("an event of it has no end"));
            }
            Ok(piece)
        });
        streamed.events = Some(SseByteStream::new(bytes.boxed()));
        streamed
    }

    async fn whole(answer: Response, server: Arc<Server>) -> Result<Self, Failure> {
        let mut whole = Self::new(Arc::clone(&server));
        let mut body = Vec::new();
        let mut pieces = pin!(bytes(answer, Arc::clone(&server)));
        while let Some(piece) = pieces.try_next().await? {
            if body.len() + piece.len() > ANSWER_BYTES {
                return Err(server.is_useless("it is too large"));
            }
            body.extend_from_slice(&piece);
        }
        whole.take(&body)?;
        whole.finish()?;
        Ok(whole)
    }

    /// The next piece; `None` behind the end. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// What went wrong; nothing more of the answer comes then.
    pub async fn next(&mut self) -> Result<Option<Piece>, Failure> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            let Some(events) = &mut self.events else { return Ok(None) };
            let event = match self.complete {
                // It has said all. A server that keeps the connection does not keep us.
                Some(until) if until <= Instant::now() => None,
                Some(until) => timeout_at(until, events.next()).await.unwrap_or(None),
                None => events.next().await,
            };
            if let Err(failure) = self.heard(event) {
                self.events = None;
                self.ready.clear();
                return Err(failure);
            }
        }
    }

    /// Takes what came of the stream: an event, an error, or its end.
    fn heard(&mut self, event: Option<Result<Sse, sse_stream::Error>>) -> Result<(), Failure> {
        let event = match event {
            Some(Ok(event)) => event,
            Some(Err(error)) if self.complete.is_none() => return Err(self.failure(error)),
            _ => return self.finish(),
        };
        self.pending.store(0, Ordering::Relaxed);
        let Some(data) = event.data else { return Ok(()) };
        if data.trim() == "[DONE]" {
            self.complete.get_or_insert_with(Instant::now);
            return self.finish();
        }
        if self.complete.is_some() {
            self.count(&serde_json::from_str(&data).unwrap_or_default());
            return Ok(());
        }
        self.take(data.as_bytes())
    }

    fn failure(&self, error: sse_stream::Error) -> Failure {
        let sse_stream::Error::Body(error) = error else { return self.server.is_useless("it is no text") };
        error.downcast().map_or_else(|_| self.server.is_useless("it is no stream of events"), |failure| *failure)
    }

    /// Takes what an event says, or a whole answer.
    fn take(&mut self, data: &[u8]) -> Result<(), Failure> {
        let server = Arc::clone(&self.server);
        let body: Value = serde_json::from_slice(data).map_err(|_| server.is_useless("it is not JSON"))?;
        if body.get("error").is_some_and(|error| !error.is_null()) || body["object"] == "error" {
            return Err(Failure::told(&server.url, &body, server.secret()));
        }
        self.count(&body);
        let chunk: Chunk = serde_json::from_value(body).map_err(|_| server.is_useless("it is no chat completion"))?;
        let Some(choice) = chunk.choices.into_iter().flatten().next() else { return Ok(()) };
        let is_whole = choice.message.is_some();
        let delta = choice.delta.or(choice.message).unwrap_or_default();
        let text = delta.text();
        if !text.is_empty() {
            self.ready.push_back(Piece::Text(text));
        }
        for piece in delta.tool_calls.into_iter().flatten() {
            self.calls.add(piece).map_err(|why| server.is_useless(why))?;
        }
        match choice.finish_reason.as_deref() {
            None | Some("") if !is_whole => return Ok(()),
            Some("content_filter") => {
                let error = Error::new(ErrorKind::Invalid, "the model server withheld the answer").with("url", &server.url);
                return Err(Failure { blame: Blame::Unclear, error, retry_after: None });
            }
            // Of OpenRouter and of vLLM.
            Some("error" | "abort") => return Err(Failure::told(&server.url, &Value::Null, None)),
            reason => self.done.cut_off = reason == Some("length"),
        }
        self.complete = Some(Instant::now() + COUNT_TIME);
        Ok(())
    }

    /// Takes how many tokens the answer took, if that is told.
    fn count(&mut self, body: &Value) {
        if let Some(tokens) = body["usage"]["completion_tokens"].as_u64().filter(|tokens| *tokens > 0) {
            self.done.tokens = Some(tokens);
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        if self.complete.is_none() {
            return Err(self.server.is_useless("it broke off"));
        }
        self.events = None;
        let done = std::mem::take(&mut self.done);
        self.ready.push_back(Piece::Done(Done { tool_calls: std::mem::take(&mut self.calls).all(), ..done }));
        Ok(())
    }
}

/// Whether a server refused a request for the name of its bound.
fn wants_newer_name(failure: &Failure) -> bool {
    failure.error.get("said").is_some_and(|said| said.contains(NEWER_NAME))
}

/// What an answer is sent as, in lower case and without parameters.
fn media_type(answer: &Response) -> String {
    let value = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
