//! The OpenAI chat protocol, as Ollama, vLLM, llama.cpp and OpenAI speak it: `POST {base_url}/chat/completions`, answered as a stream of
//! server-sent events. It is one call, so that no crate of all of OpenAI's is brought in for it: those hide the status and `Retry-After` of what
//! a server refuses, and take no answer that differs from OpenAI's own. What must not come in: what is asked, and when it is asked again.

mod calls;
mod protocol;

use std::collections::VecDeque;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use eventsource_stream::{EventStream, EventStreamError, Eventsource};
use futures::{Stream, StreamExt};
use mosaic_core::{Error, ErrorKind, Result, Secret, ToolCall};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url};
use serde_json::Value;
use tokio::time::{Duration, timeout};

use super::failure::said;
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
    url: Url,
    key: Option<Secret>,
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
        let (http, key) = (http_client(&url)?, section.key(base_dir)?);
        Ok(Self { http, url, key, section: section.clone(), takes_newer_name: AtomicBool::new(false) })
    }

    /// What the config says of it.
    pub fn section(&self) -> &ChatModel {
        &self.section
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
        let mut request = self.http.post(self.url.clone()).json(request);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        let answer = match timeout(self.section.silence(), request.send()).await {
            Ok(answer) => answer.map_err(|error| Failure::unanswered(&self.url, error))?,
            Err(_) => return Err(self.silent()),
        };
        if !answer.status().is_success() {
            let refused = Failure::refused(answer, self.key.as_ref().map(|key| key.expose()), SECTION);
            return Err(timeout(self.section.silence(), refused).await.unwrap_or_else(|_| self.silent()));
        }
        match media_type(&answer).as_str() {
            "text/event-stream" | "" => Ok(self.streamed(answer)),
            // A server that does not stream answers all at once.
            "application/json" => self.whole(answer).await,
            other => Err(Failure { blame: Blame::Setup, ..self.useless(&format!("it answers {}", short(other))) }),
        }
    }

    fn streamed(&self, answer: Response) -> Answer {
        let pending = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&pending);
        let bytes = answer.bytes_stream().map(move |piece| {
            let piece = piece.map_err(Broken::Off)?;
            // An event that does not end is not gathered for ever.
            if count.fetch_add(piece.len(), Ordering::Relaxed) > EVENT_BYTES { Err(Broken::Large) } else { Ok(piece) }
        });
        let events: Bytestream = Box::pin(bytes);
        Answer::new(Some(events.eventsource()), pending, self.about())
    }

    async fn whole(&self, mut answer: Response) -> Result<Answer, Failure> {
        let mut body = Vec::new();
        loop {
            match timeout(self.section.silence(), answer.chunk()).await {
                Ok(Ok(Some(piece))) if body.len() + piece.len() <= ANSWER_BYTES => body.extend_from_slice(&piece),
                Ok(Ok(Some(_))) => return Err(self.useless("its answer is too large")),
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Err(Failure::unanswered(&self.url, error)),
                Err(_) => return Err(self.silent()),
            }
        }
        let mut whole = Answer::new(None, Arc::default(), self.about());
        let body = std::str::from_utf8(&body).map_err(|_| self.useless("its answer is not UTF-8"))?;
        whole.take(body)?;
        whole.finish()?;
        Ok(whole)
    }

    fn about(&self) -> About {
        About { url: self.url.clone(), key: self.key.clone(), silence: self.section.silence() }
    }

    fn silent(&self) -> Failure {
        self.about().silent()
    }

    fn useless(&self, why: &str) -> Failure {
        self.about().useless(why)
    }
}

/// Why a stream of bytes ended.
#[derive(Debug)]
enum Broken {
    Off(reqwest::Error),
    Large,
}

type Bytestream = Pin<Box<dyn Stream<Item = Result<Bytes, Broken>> + Send>>;

/// What is said of a server that fails.
struct About {
    url: Url,
    key: Option<Secret>,
    silence: Duration,
}

impl About {
    fn silent(&self) -> Failure {
        let error = Error::new(ErrorKind::Timeout, format!("the model server was silent for {} s", self.silence.as_secs()));
        Failure { blame: Blame::Away, error: error.with("url", &self.url), retry_after: None }
    }

    /// Of an answer that is none; the next one may be.
    fn useless(&self, why: &str) -> Failure {
        let error = Error::new(ErrorKind::Unavailable, format!("the model server's answer cannot be used: {why}"));
        Failure { blame: Blame::Unclear, error: error.with("url", &self.url), retry_after: None }
    }
}

/// An answer, as it comes.
pub struct Answer {
    events: Option<EventStream<Bytestream>>,
    /// How many bytes came since the last event.
    pending: Arc<AtomicUsize>,
    ready: VecDeque<Piece>,
    calls: Calls,
    /// How it ends, as far as is known.
    done: Done,
    /// Whether the server has said that it is complete, …
    is_complete: bool,
    /// … and that was told.
    is_told: bool,
    of: About,
}

impl Answer {
    fn new(events: Option<EventStream<Bytestream>>, pending: Arc<AtomicUsize>, of: About) -> Self {
        let (ready, calls, done) = (VecDeque::new(), Calls::default(), Done::default());
        Self { events, pending, ready, calls, done, is_complete: false, is_told: false, of }
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
            if self.is_told {
                return Ok(None);
            }
            let patience = if self.is_complete { COUNT_TIME } else { self.of.silence };
            let Some(events) = &mut self.events else { return Ok(None) };
            match timeout(patience, events.next()).await {
                Ok(Some(Ok(event))) => {
                    self.pending.store(0, Ordering::Relaxed);
                    if event.data.trim() == "[DONE]" {
                        self.is_complete = true;
                        self.finish()?;
                    } else {
                        self.take(&event.data)?;
                    }
                }
                Ok(None) => self.finish()?,
                // It has said all.
                Err(_) | Ok(Some(Err(_))) if self.is_complete => self.finish()?,
                Err(_) => return Err(self.of.silent()),
                Ok(Some(Err(EventStreamError::Transport(Broken::Off(error))))) => return Err(Failure::unanswered(&self.of.url, error)),
                Ok(Some(Err(EventStreamError::Transport(Broken::Large)))) => return Err(self.of.useless("an event of it has no end")),
                Ok(Some(Err(_))) => return Err(self.of.useless("it is no stream of events")),
            }
        }
    }

    /// Takes what an event says.
    fn take(&mut self, data: &str) -> Result<(), Failure> {
        let body: Value = serde_json::from_str(data).map_err(|_| self.of.useless("it is not JSON"))?;
        if body.get("error").is_some_and(|error| !error.is_null()) {
            let error = Error::new(ErrorKind::Unavailable, "the model server failed in the middle of its answer").with("url", &self.of.url);
            let error = match said(&body, self.of.key.as_ref().map(Secret::expose)) {
                Some(said) => error.with("said", said),
                None => error,
            };
            return Err(Failure { blame: Blame::Unclear, error, retry_after: None });
        }
        let chunk: Chunk = serde_json::from_value(body).map_err(|_| self.of.useless("it is no chat completion"))?;
        if let Some(tokens) = chunk.usage.and_then(|usage| usage.completion_tokens).filter(|tokens| *tokens > 0) {
            self.done.tokens = Some(tokens);
        }
        let Some(choice) = chunk.choices.into_iter().flatten().next() else { return Ok(()) };
        let delta = choice.delta.or(choice.message).unwrap_or_default();
        if let Some(text) = delta.content.filter(|text| !text.is_empty()) {
            self.ready.push_back(Piece::Text(text));
        }
        for piece in delta.tool_calls.into_iter().flatten() {
            self.calls.add(piece).map_err(|why| self.of.useless(why))?;
        }
        match choice.finish_reason.as_deref() {
            None | Some("") => {}
            Some("content_filter") => {
                let error = Error::new(ErrorKind::Invalid, "the model server withheld the answer").with("url", &self.of.url);
                return Err(Failure { blame: Blame::Unclear, error, retry_after: None });
            }
            Some(reason) => {
                self.is_complete = true;
                self.done.cut_off = reason == "length";
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        if !self.is_complete {
            return Err(self.of.useless("it broke off"));
        }
        self.is_told = true;
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

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests;
