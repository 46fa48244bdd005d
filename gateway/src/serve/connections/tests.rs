//! The server on a real socket: what no request in process shows.

use std::io;

use mosaic_core::{Batch, Change, Clock, CountingIds, Id, Scope, SystemClock, Token, TokenScope, User, UserRole, memory};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::*;
use crate::config::TrustedProxies;
use crate::doctor::Report;
use crate::http::Parts;
use crate::secret::TokenSecret;
use crate::telemetry;
use crate::tls::made::Made;
use crate::tls::{Files, Watched};

const SOON: Duration = Duration::from_secs(5);

struct Server {
    address: SocketAddr,
    stop: Stop,
    tasks: TaskTracker,
    secret: TokenSecret,
}

/// A server that accepts nothing yet.
struct Opened {
    listener: TcpListener,
    app: Arc<App>,
    stop: Stop,
    tasks: TaskTracker,
    secret: TokenSecret,
}

async fn server(limits: Limits) -> Server {
    let Opened { listener, app, stop, tasks, secret } = open(limits).await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(super::Server::new(app, None, stop.clone()).accept(listener, limits, tasks.clone()));
    Server { address, stop, tasks, secret }
}

async fn open(limits: Limits) -> Opened {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stop = Stop { soft: CancellationToken::new(), hard: CancellationToken::new() };
    let tasks = TaskTracker::new();
    let app = App::new(Parts {
        limits,
        tier: "memory".into(),
        trusted_proxies: TrustedProxies::default(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(CountingIds::default()),
        metrics: telemetry::metrics().unwrap(),
        tasks: tasks.clone(),
        stopping: stop.soft.clone(),
        model: None,
        chat: None,
        look: Arc::new(|| Box::pin(async { Report::new(None, Vec::new()) })),
    });
    let (backend, secret, at) = (memory::open(), TokenSecret::generate().unwrap(), SystemClock.now());
    let id = Id::from_u128(1);
    let user = User {
        id,
        login: "ada".into(),
        name: "Ada".into(),
        email: None,
        role: UserRole::Member,
        created_at: at,
        updated_at: at,
        revision: 1,
    };
    let token = Token {
        id,
        user_id: id,
        name: "test".into(),
        scopes: vec![TokenScope::Write],
        hash: Some(secret.hash()),
        expires_at: None,
        last_used_at: None,
        created_at: at,
        updated_at: at,
        revision: 1,
    };
    let changes = vec![Change::Create(user.into()), Change::Create(token.into())];
    backend.storage.apply(Scope::System, &Batch { at, changes, state: None }).await.unwrap();
    app.open(&backend).await.unwrap();
    Opened { listener, app, stop, tasks, secret }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// The head of a request that makes a task from a body of this length.
    fn post(&self, length: usize) -> String {
        let secret = self.secret.expose();
        format!(
            "POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
    }
}

/// What is sent back until the connection ends; `None` when it does not end in time.
async fn to_the_end(stream: &mut TcpStream) -> Option<String> {
    let mut answer = Vec::new();
    match timeout(SOON, stream.read_to_end(&mut answer)).await.ok()? {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    Some(String::from_utf8_lossy(&answer).into_owned())
}

async fn head(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 16 << 10];
    let length = timeout(SOON, stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn connections_are_kept_until_the_gateway_stops() {
    let server = server(Limits::default()).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    }
    server.stop.soft.cancel();
    assert_eq!(to_the_end(&mut stream).await.as_deref(), Some(""), "an idle connection ends at once");
    server.tasks.close();
    timeout(SOON, server.tasks.wait()).await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "nothing more is accepted");
}

#[tokio::test]
async fn a_request_under_way_comes_to_its_end_when_the_gateway_stops() {
    let server = server(Limits::default()).await;
    let mut stream = server.connect().await;
    let body = "{ \"title\": \"Sweep\" }";
    stream.write_all((server.post(body.len()) + &body[..5]).as_bytes()).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    server.stop.soft.cancel();
    sleep(Duration::from_millis(50)).await;
    stream.write_all(&body.as_bytes()[5..]).await.unwrap();
    let answer = to_the_end(&mut stream).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201") && answer.contains("connection: close"), "{answer}");
    server.tasks.close();
    timeout(SOON, server.tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn a_stop_at_once_waits_for_nobody() {
    let server = server(Limits::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    server.stop.soft.cancel();
    server.stop.hard.cancel();
    server.tasks.close();
    timeout(SOON, server.tasks.wait()).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_client_that_is_still_sending_sees_why_its_body_is_refused() {
    let server = server(Limits { body_bytes: 64 << 10, ..Limits::default() }).await;
    let mut stream = server.connect().await;
    stream.write_all(server.post(400_000).as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; 400_000]).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 413"));

    let mut stream = server.connect().await;
    let asking = server.post(400_000).replacen("host: x", "host: x\r\nexpect: 100-continue", 1);
    stream.write_all(asking.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 413"), "who asks first need not send");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_with_a_problem_or_ended() {
    let server = server(Limits::default()).await;
    for (size, problem) in [(20 << 10, true), (100 << 10, false)] {
        let mut stream = server.connect().await;
        let head = format!("GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-large: {}\r\n\r\n", "x".repeat(size));
        let _ = stream.write_all(head.as_bytes()).await;
        let answer = to_the_end(&mut stream).await.unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert!(!problem || answer.contains("\"code\":\"headers_too_large\""), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_http_harms_nobody() {
    let server = server(Limits::default()).await;
    for junk in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\0\0\0", b"GET /livez"] {
        let mut stream = server.connect().await;
        stream.write_all(junk).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = to_the_end(&mut stream).await.unwrap();
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    let mut stream = server.connect().await;
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn connections_past_the_limit_wait() {
    let server = server(Limits { connections: 1, ..Limits::default() }).await;
    let first = server.connect().await;
    sleep(Duration::from_millis(50)).await;
    let mut second = server.connect().await;
    second.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    assert!(timeout(Duration::from_millis(100), second.read_exact(&mut answer)).await.is_err());
    drop(first);
    timeout(SOON, second.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_let_go() {
    let server = open(Limits::default()).await;
    let mut stream = TcpStream::connect(server.listener.local_addr().unwrap()).await.unwrap();
    // Far more to answer than the system keeps for a reader; the requests themselves are few bytes.
    stream.write_all("GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2_000).as_bytes()).await.unwrap();
    let (accepted, peer) = server.listener.accept().await.unwrap();
    let served = super::Server { write_time: Duration::from_millis(100), ..super::Server::new(server.app, None, server.stop.clone()) };
    timeout(SOON, served.serve(accepted, peer)).await.unwrap();
}

/// A server that speaks TLS, and how its clients do.
async fn secure_server(limits: Limits) -> (Server, TlsConnector) {
    secure_server_within(limits, HANDSHAKE_TIME).await
}

async fn secure_server_within(limits: Limits, handshake_time: Duration) -> (Server, TlsConnector) {
    let Opened { listener, app, stop, tasks, secret } = open(limits).await;
    let made = Made::for_names(&["127.0.0.1"], -1, 30);
    let dir = tempfile::tempdir().unwrap();
    let files = Files { certificate: dir.path().join("tls.crt"), key: dir.path().join("tls.key") };
    std::fs::write(&files.certificate, made.certificate).unwrap();
    std::fs::write(&files.key, made.key).unwrap();
    let pair = files.pair().await.unwrap();
    let current = Watched::new(files, pair, Arc::new(SystemClock)).current();
    let address = listener.local_addr().unwrap();
    let accepting = super::Server { handshake_time, ..super::Server::new(app, Some(current), stop.clone()) };
    tokio::spawn(accepting.accept(listener, limits, tasks.clone()));
    let mut roots = RootCertStore::empty();
    roots.add(made.der).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let client = client.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
    (Server { address, stop, tasks, secret }, TlsConnector::from(Arc::new(client)))
}

async fn shake(tls: &TlsConnector, stream: TcpStream) -> tokio_rustls::client::TlsStream<TcpStream> {
    let name = ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
    timeout(SOON, tls.connect(name, stream)).await.unwrap().unwrap()
}

#[tokio::test]
async fn who_has_yet_to_shake_hands_takes_a_place_and_is_not_waited_for() {
    let (server, tls) = secure_server(Limits { connections: 1, ..Limits::default() }).await;
    let silent = server.connect().await;
    // The second is accepted by the system alone, until the first one's place is free.
    let second = server.connect().await;
    let mut shaking = std::pin::pin!(shake(&tls, second));
    assert!(timeout(Duration::from_millis(100), shaking.as_mut()).await.is_err());
    drop(silent);
    let mut second = shaking.await;
    second.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    timeout(SOON, second.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(second);

    // This one has the place, since the next one waits for it.
    let _silent = server.connect().await;
    let next = server.connect().await;
    let mut shaking = std::pin::pin!(shake(&tls, next));
    assert!(timeout(Duration::from_millis(100), shaking.as_mut()).await.is_err());
    server.stop.soft.cancel();
    server.tasks.close();
    timeout(SOON, server.tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn a_handshake_has_an_end() {
    let (server, _) = secure_server_within(Limits::default(), Duration::from_millis(100)).await;
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01"] {
        let mut stream = server.connect().await;
        // It may have been let go by now.
        let _ = stream.write_all(begun).await;
        assert_eq!(to_the_end(&mut stream).await.as_deref(), Some(""), "{begun:?}");
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_let_go_and_what_is_http_is_told() {
    let (server, _) = secure_server(Limits::default()).await;
    for junk in [&b"\x16\x03\x01\x00\x05hello"[..], b"\x00\x00\x00", b"\x80\x2e\x01\x00\x02"] {
        let mut stream = server.connect().await;
        stream.write_all(junk).await.unwrap();
        let answer = to_the_end(&mut stream).await.unwrap();
        assert!(!answer.contains("HTTP/"), "{answer:?}");
    }
    for request in [format!("{}{}", server.post(200_000), "x".repeat(200_000)), "GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()] {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = to_the_end(&mut stream).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("\"code\":\"tls_required\""), "{answer}");
        assert!(answer.contains("https://") && !answer.contains(server.secret.expose()), "{answer}");
    }
}
