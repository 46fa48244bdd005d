//! How much later a person sees what a model says when it comes through the gateway: many sessions stream at once, on tiers local and standalone,
//! beside as many streams that come from the model server directly, in the same run; and how much memory the gateway takes for that.
//!
//! `cargo bench --workspace --all-features --bench streaming -- [SESSIONS] [SECONDS]`: 200 and 30 unless it is said.
//!
//! Each piece that the model sends is the time at which it is sent. Compared are those that were sent while all sessions streamed. Model, clients
//! and gateway share the machine, so that what is added is also what they take from each other.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use mosaic_tests::chat_model::{Asked, ChatServer, Reply, Step};
use mosaic_tests::services;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// How long the model waits before each piece.
const PAUSE: Duration = Duration::from_millis(50);
const WANTS: &str = "Stream.";

/// What times are counted from.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

fn micros() -> u64 {
    u64::try_from(BEGUN.elapsed().as_micros()).unwrap()
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let mut next = |otherwise| numbers.next().unwrap_or(otherwise);
    let (sessions, seconds) = (next(200), next(30));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(sessions, seconds * 1_000 / PAUSE.as_millis() as usize));
}

async fn run(sessions: usize, pieces: usize) {
    println!("{sessions} sessions at once, {pieces} pieces each, one every {} ms", PAUSE.as_millis());
    let model = ChatServer::start().await;
    model.on(WANTS, move |asked: &Asked| match asked.round() {
        0 if !asked.tools().is_empty() => Reply::call("note_list", &json!({ "limit": 1 })),
        _ => Reply::Streams(vec![[Step::Pause(PAUSE), Step::Made(std::sync::Arc::new(|| format!("{} ", micros())))]; pieces].concat()),
    });
    let database = services::shared(env!("CARGO_BIN_EXE_mosaic-tests")).await.postgres.database().await;
    for (tier, url) in [("local", None), ("standalone", Some(database.url()))] {
        let alone = Latencies::of(all(sessions, |_| direct(model.address(), pieces)).await);
        alone.print("model alone");
        let gateway = Gateway::start(&model, sessions, tier, url).await;
        let opened = gateway.sessions(sessions).await;
        let through = Latencies::of(all(sessions, |n| through(&gateway, &opened[n], pieces)).await);
        through.print(&format!("tier {tier}"));
        println!(
            "  added: median {:.2} ms, p95 {:.2} ms, p99 {:.2} ms; the gateway's peak memory {:.0} MiB",
            through.at(50) - alone.at(50),
            through.at(95) - alone.at(95),
            through.at(99) - alone.at(99),
            gateway.peak_kib() as f64 / 1024.0
        );
    }
}

/// The times at which pieces of one session were sent and came, in microseconds.
type Pieces = Vec<(u64, u64)>;

/// Has so many sessions at once, each a little later than the one before, so that their pieces are spread over time.
async fn all<F: Future<Output = Pieces>>(sessions: usize, session: impl Fn(usize) -> F) -> Vec<Pieces> {
    let each = (0..sessions).map(|n| {
        let session = session(n);
        async move {
            tokio::time::sleep(PAUSE * 20 * u32::try_from(n).unwrap() / u32::try_from(sessions).unwrap()).await;
            session.await
        }
    });
    futures::future::join_all(each).await
}

/// How long pieces took, in milliseconds, in order.
struct Latencies(Vec<f64>);

impl Latencies {
    /// Of those that were sent while all sessions streamed.
    fn of(sessions: Vec<Pieces>) -> Self {
        let first = sessions.iter().map(|pieces| pieces[0].0).max().unwrap();
        let last = sessions.iter().map(|pieces| pieces[pieces.len() - 1].0).min().unwrap();
        let among = sessions.iter().flatten().filter(|(sent, _)| (first..=last).contains(sent));
        let mut took: Vec<_> = among.map(|(sent, came)| (came - sent) as f64 / 1_000.0).collect();
        assert!(!took.is_empty(), "the first session had ended when the last one began: take more seconds");
        took.sort_by(f64::total_cmp);
        Self(took)
    }

    fn at(&self, percent: usize) -> f64 {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
    }

    fn print(&self, what: &str) {
        let (count, longest) = (self.0.len(), self.0[self.0.len() - 1]);
        println!(
            "{what}: {count} pieces, median {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, the longest {longest:.2} ms",
            self.at(50),
            self.at(95),
            self.at(99)
        );
    }
}

/// A stream from the model itself.
async fn direct(model: SocketAddr, pieces: usize) -> Pieces {
    let asked = json!({ "model": "scripted", "stream": true, "messages": [{ "role": "user", "content": WANTS }] });
    let mut frames = Frames::ask(model, Method::POST, "/v1/chat/completions", "", &asked).await;
    let mut text = Text::default();
    while let Some(frame) = frames.next().await {
        let data = frame.strip_prefix("data: ").unwrap();
        if data != "[DONE]" {
            let chunk: Value = serde_json::from_str(data).unwrap();
            text.add(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
        }
    }
    text.whole(pieces)
}

/// A turn, whose events come in order and whose text is whole.
async fn through(gateway: &Gateway, session: &str, pieces: usize) -> Pieces {
    let path = format!("/api/v1/sessions/{session}/messages");
    let mut frames = Frames::ask(gateway.address, Method::POST, &path, &gateway.token, &json!({ "content": WANTS })).await;
    let (mut text, mut stored, mut end) = (Text::default(), Vec::new(), None);
    while let Some(frame) = frames.next().await {
        if frame.starts_with(':') {
            continue;
        }
        let (head, data) = frame.split_once("data: ").unwrap_or_else(|| panic!("this is no event: {frame}"));
        let data: Value = serde_json::from_str(data).unwrap();
        match head.lines().last().unwrap() {
            "event: piece" => text.add(data["text"].as_str().unwrap()),
            // What was said before this client was heard.
            "event: draft" if text.text.is_empty() => text.add(data["text"].as_str().unwrap()),
            "event: message" => {
                stored.push(data);
                assert_eq!(stored[stored.len() - 1]["seq"], stored.len(), "in order");
                assert!(head.starts_with(&format!("id: {}\n", stored.len())), "{head}");
            }
            "event: end" => end = Some(data),
            other => panic!("{other} is not awaited here: {data}"),
        }
    }
    assert_eq!(end, Some(json!({ "finish": "answered", "error": null })));
    let roles: Vec<_> = stored.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
    assert_eq!(stored[3]["content"].as_str().unwrap(), text.text, "what was told is what is stored");
    text.whole(pieces)
}

/// A text of times, and when they came.
#[derive(Default)]
struct Text {
    text: String,
    came: Pieces,
}

impl Text {
    fn add(&mut self, piece: &str) {
        let now = micros();
        self.text.push_str(piece);
        // Several may have come at once, each whole.
        self.came.extend(piece.split_whitespace().map(|sent| (sent.parse::<u64>().unwrap(), now)));
    }

    fn whole(self, pieces: usize) -> Pieces {
        assert_eq!(self.came.len(), pieces, "all of it");
        assert!(self.came.is_sorted_by_key(|(sent, _)| *sent), "in order");
        self.came
    }
}

/// A stream of events, one after the other.
struct Frames {
    body: Incoming,
    unread: Vec<u8>,
}

impl Frames {
    async fn ask(address: SocketAddr, method: Method, path: &str, token: &str, body: &Value) -> Self {
        let answer = ask(address, method, path, token, body).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        Self { body: answer.into_body(), unread: Vec::new() }
    }

    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(length) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let rest = self.unread.split_off(length + 2);
                let frame = std::mem::replace(&mut self.unread, rest);
                return Some(String::from_utf8(frame).unwrap().trim_end().to_owned());
            }
            let frame = self.body.frame().await?;
            self.unread.extend_from_slice(&frame.unwrap().into_data().unwrap_or_default());
        }
    }
}

/// One request, on a connection of its own.
async fn ask(address: SocketAddr, method: Method, path: &str, token: &str, body: &Value) -> std::io::Result<Response<Incoming>> {
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let request = Request::builder().method(method).uri(path).header("host", address.to_string()).header("connection", "close");
    let request = request.header("content-type", "application/json").header("accept", "text/event-stream");
    let request = request.header("authorization", format!("Bearer {token}")).body(Full::new(body)).unwrap();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(std::io::Error::other)
}

/// The gateway, as an operator starts it. It ends with this value.
struct Gateway {
    child: Child,
    dir: PathBuf,
    address: SocketAddr,
    token: String,
}

impl Gateway {
    async fn start(model: &ChatServer, sessions: usize, tier: &str, url: Option<String>) -> Self {
        let dir = std::env::temp_dir().join(format!("mosaic-bench-{}-{tier}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut chat = model.section();
        let more = json!({ "turns": sessions, "turn_seconds": 3_600, "max_tokens": 1_000_000 });
        chat.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config = json!({ "tier": tier, "models": { "chat": chat }, "limits": { "requests": 4 * sessions + 64 } });
        std::fs::write(dir.join("mosaic.config.json"), config.to_string()).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mosaic-tests"));
        command.arg("serve").current_dir(&dir).env("MOSAIC_LISTEN", address.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(dir.join("log")).unwrap());
        if let Some(url) = url {
            command.env("MOSAIC_STANDALONE__POSTGRES__URL", url);
        }
        let mut gateway = Self { child: command.spawn().unwrap(), dir, address, token: String::new() };
        let begun = Instant::now();
        while !ask(address, Method::GET, "/readyz", "", &Value::Null).await.is_ok_and(|answer| answer.status() == 200) {
            assert!(begun.elapsed() < Duration::from_secs(60), "the gateway does not get ready: {}", gateway.dir.join("log").display());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        gateway.token = std::fs::read_to_string(gateway.dir.join("mosaic-admin.token")).unwrap().trim().to_owned();
        gateway
    }

    /// New sessions; their ids.
    async fn sessions(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let session = json!({ "title": "A stream", "agent": "assistant" });
            let answer = ask(self.address, Method::POST, "/api/v1/sessions", &self.token, &session).await.unwrap();
            let made: Value = serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
            ids.push(made["id"].as_str().unwrap().to_owned());
        }
        ids
    }

    /// The most memory that it ever had (proc(5), `VmHWM`). The engine of tier local is a process of its own, and not counted.
    fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = std::fs::remove_dir_all(&self.dir);
    }
}
