//! A model server of a test's own: it speaks the embeddings protocol on a real socket, and fails as it is told to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How many components its vectors have, unless a request wants others.
const DIMENSIONS: usize = 256;

/// Words that mean the same to it.
const SYNONYMS: &[&[&str]] = &[&["airship", "airships", "zeppelin", "dirigible", "blimp"], &["moor", "moored", "mooring", "fasten", "tie"]];

/// How a server behaves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mood {
    /// It makes vectors.
    Well,
    /// It answers with this status, these headers and this body.
    Answers(u16, &'static [(&'static str, &'static str)], String),
    /// It answers one vector less than was asked for.
    WrongCount,
    /// Its vectors have this many components, whatever was asked for.
    Dimensions(usize),
    /// It takes so long for each request.
    Slow(Duration),
    /// It never answers.
    Silent,
    /// It goes away in the middle of its answer.
    BreaksOff,
    /// It answers more than anybody asked for, without an end.
    Huge,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) model: String,
    pub(crate) texts: Vec<String>,
}

/// A model server. It ends with this value.
pub(crate) struct ModelServer {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    mood: Mutex<Mood>,
    /// A request with a text that holds this is refused as a whole.
    refuses: Mutex<Option<(&'static str, u16)>>,
    /// No more characters of a text than this are taken.
    most_chars: Mutex<usize>,
    asked: Mutex<Vec<Asked>>,
}

impl ModelServer {
    /// One that is well.
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address")).await
    }

    /// One at this address, where another was before.
    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("a listener has an address");
        let state = Arc::new(State {
            mood: Mutex::new(Mood::Well),
            refuses: Mutex::default(),
            most_chars: Mutex::new(usize::MAX),
            asked: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                connections.spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state, task }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a config names as `base_url`.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Behaves like this from now on.
    pub(crate) fn becomes(&self, mood: Mood) {
        *lock(&self.state.mood) = mood;
    }

    /// Refuses each request with a text that holds this word, with this status.
    pub(crate) fn refuses(&self, word: &'static str, status: u16) {
        *lock(&self.state.refuses) = Some((word, status));
    }

    /// Refuses each request with a text that is longer.
    pub(crate) fn takes_no_more_than(&self, chars: usize) {
        *lock(&self.state.most_chars) = chars;
    }

    /// What it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        lock(&self.state.asked).clone()
    }

    /// Whether a text that holds this was sent to it.
    pub(crate) fn was_sent(&self, part: &str) -> bool {
        self.asked().iter().any(|asked| asked.texts.iter().any(|text| text.contains(part)))
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Body = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let wanted: Value = serde_json::from_slice(&body.collect().await.map(|body| body.to_bytes()).unwrap_or_default()).unwrap_or_default();
    let texts: Vec<String> = wanted["input"].as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect();
    let model = wanted["model"].as_str().unwrap_or_default().to_owned();
    lock(&state.asked).push(Asked { path: head.uri.path().to_owned(), headers: head.headers, model, texts: texts.clone() });

    let mood = lock(&state.mood).clone();
    let mut dimensions = wanted["dimensions"].as_u64().map_or(DIMENSIONS, |dimensions| dimensions as usize);
    let mut count = texts.len();
    match mood {
        Mood::Well => {}
        Mood::Answers(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            return Ok(response.body(whole(body)).expect("a test's answer is well formed"));
        }
        Mood::WrongCount => count -= 1,
        Mood::Dimensions(given) => dimensions = given,
        Mood::Slow(time) => tokio::time::sleep(time).await,
        Mood::Silent => std::future::pending().await,
        Mood::BreaksOff | Mood::Huge => return Ok(Response::new(stream(mood == Mood::Huge))),
    }
    let most = *lock(&state.most_chars);
    let refuses = *lock(&state.refuses);
    if let Some((_, status)) = refuses.filter(|(word, _)| texts.iter().any(|text| text.contains(word))) {
        return Ok(problem(status, "the input cannot be taken"));
    }
    if texts.iter().any(|text| text.is_empty() || text.chars().count() > most) {
        return Ok(problem(400, "the input is longer than the context"));
    }
    let data: Vec<_> = texts
        .iter()
        .take(count)
        .enumerate()
        .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": vector(text, dimensions) }))
        .collect();
    Ok(Response::new(whole(
        json!({ "object": "list", "data": data, "model": wanted["model"], "usage": { "total_tokens": 1 } }).to_string(),
    )))
}

fn problem(status: u16, message: &str) -> Response<Body> {
    let body = json!({ "error": { "message": message, "type": "invalid_request_error" } }).to_string();
    Response::builder().status(status).body(whole(body)).expect("a test's answer is well formed")
}

fn whole(body: String) -> Body {
    Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed()
}

/// A body that begins like an answer, and goes on for ever, or breaks off.
fn stream(for_ever: bool) -> Body {
    let piece = Bytes::from(r#"{"data":[{"index":0,"embedding":["#.to_owned() + "0.125,".repeat(10_000).as_str());
    let pieces = (0_u64..).map_while(move |n| match n {
        _ if for_ever || n < 1 => Some(Ok(hyper::body::Frame::data(piece.clone()))),
        1 => Some(Err(std::io::Error::other("gone"))),
        _ => None,
    });
    BodyExt::boxed(http_body_util::StreamBody::new(futures::stream::iter(pieces)))
}

/// How often each word occurs, where words that mean the same are one, each at a component by its hash (FNV-1a).
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut components = vec![0.0; dimensions];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let meaning = SYNONYMS.iter().find(|same| same.contains(&word)).map_or(word, |same| same[0]);
        let hash = meaning.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        components[(hash % dimensions as u64) as usize] += 1.0;
    }
    components
}
