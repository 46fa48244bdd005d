//! A chat model of a test's own, on a real socket: it speaks the OpenAI protocol as its servers do, and says what its scripts tell it to. What must
//! not come in: what a gateway makes of it.
//!
//! A script is chosen by what the person said last, and answers each request by what the request holds, so that it needs no memory, and goes
//! on where it was when a gateway was restarted:
//!
//! ```text
//! let model = ChatServer::start().await;
//! model.on("note the mill", |asked| match asked.round() {
//!     0 => Reply::call("note_create", json!({ "title": "The mill" })),
//!     _ => Reply::text(format!("Noted as {}.", asked.results()[0]["data"]["id"])),
//! });
//! place.write("mosaic.config.json", json!({ "models": { "chat": model.section() } }).to_string());
//! ```

mod asked;
mod reply;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use asked::Asked;
pub use reply::{Reply, Step};

/// Where it answers.
const PATH: &str = "/v1/chat/completions";

type Script = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;
type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

/// A server of the model. It ends with this value, and so do its connections.
pub struct ChatServer {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// The part of what a person says that chooses a script, and the script.
    scripts: Mutex<Vec<(String, Script)>>,
    asked: Mutex<Vec<Asked>>,
    /// How often each body came.
    bodies: Mutex<HashMap<String, usize>>,
    under_way: AtomicUsize,
}

impl ChatServer {
    /// One without scripts, which repeats what it is told.
    pub async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// One at this address, where another was before.
    pub async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                // As servers do whose pieces are to come at once.
                stream.set_nodelay(true).unwrap();
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                connections.spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, state, task }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a config names as `base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// A config's section `models.chat` that names it.
    pub fn section(&self) -> Value {
        json!({ "base_url": self.base_url(), "model": "scripted" })
    }

    /// Answers by this script whenever the last thing that the person said holds this text. Of several that fit, the latest counts.
    pub fn on(&self, said: &str, script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        lock(&self.state.scripts).push((said.to_owned(), Arc::new(script)));
    }

    /// Answers everything by this script, but for those that are set later.
    pub fn always(&self, script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        self.on("", script);
    }

    /// What it was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.state.asked).clone()
    }

    /// What it was asked after the person said something that holds this text, in order.
    pub fn asked_about(&self, said: &str) -> Vec<Asked> {
        lock(&self.state.asked).iter().filter(|asked| asked.user().contains(said)).cloned().collect()
    }

    /// Forgets what it was asked, which else takes memory for as long as it runs.
    pub fn forget(&self) {
        lock(&self.state.asked).clear();
        lock(&self.state.bodies).clear();
    }

    /// How many of its answers are under way: neither at their end, nor given up by who asked.
    pub fn under_way(&self) -> usize {
        self.state.under_way.load(Ordering::Acquire)
    }
}

impl Drop for ChatServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if head.uri.path() != PATH || head.method != hyper::Method::POST {
        return Ok(refuse(404, "there is nothing here"));
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return Ok(refuse(400, "the request is not JSON")) };
    let times = lock(&state.bodies).entry(body.to_string()).and_modify(|times| *times += 1).or_insert(1).to_owned();
    let asked = Asked::new(head.headers, body, times);
    lock(&state.asked).push(asked.clone());
    if let Err(why) = asked.check() {
        return Ok(refuse(400, &why));
    }
    let fits = |(said, _): &&(String, Script)| asked.user().contains(said.as_str());
    let script = lock(&state.scripts).iter().rev().find(fits).map(|(_, script)| Arc::clone(script));
    let reply = match script {
        Some(script) => script(&asked),
        None => Reply::text(format!("You said: {}", asked.user())),
    };
    Ok(match reply {
        Reply::Refuses { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(whole(body)).unwrap()
        }
        Reply::Streams(steps) => {
            let under_way = UnderWay::of(Arc::clone(&state));
            let pieces = reply::stream(steps, asked.wants_usage()).map(move |piece| {
                let _held = &under_way;
                piece.map(Frame::data)
            });
            let response = Response::builder().header("content-type", "text/event-stream; charset=utf-8");
            response.body(StreamBody::new(pieces).boxed_unsync()).unwrap()
        }
    })
}

/// An answer that is under way.
struct UnderWay(Arc<State>);

impl UnderWay {
    fn of(state: Arc<State>) -> Self {
        state.under_way.fetch_add(1, Ordering::AcqRel);
        Self(state)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

fn refuse(status: u16, message: &str) -> Response<Body> {
    let body = json!({ "error": { "message": message, "type": "invalid_request_error" } }).to_string();
    Response::builder().status(status).header("content-type", "application/json").body(whole(body)).unwrap()
}

fn whole(body: String) -> Body {
    Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync()
}
