//! Connections: accepted as far as there is room, each served until its client or the gateway ends it. What must not come
//! in: what is asked over them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::handshake::{self, Opening};
use crate::config::Limits;
use crate::http::{App, Peer, refusal_of_plain, router};
use crate::tls::Current;

/// How long a client may take to send a request's head, and how long a connection may be idle between requests.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// How long a client may take none of what is being sent to it.
const WRITE_TIME: Duration = Duration::from_secs(60);

/// How long a client may take for its first byte, and as long for the rest of its handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How large a request's head may be, in bytes, and how many headers it may have, before the connection is ended without a
/// word. The API answers from half of this on with a problem.
const HEAD_BYTES: usize = 64 << 10;
const HEADERS: usize = 200;

/// How long to wait when no connection can be accepted, as when the process is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How the gateway ends.
#[derive(Clone)]
pub(super) struct Stop {
    /// Accept nothing more; finish what is under way.
    pub(super) soft: CancellationToken,
    /// Let go of everything.
    pub(super) hard: CancellationToken,
}

/// What connections are served by.
#[derive(Clone)]
pub(super) struct Server {
    router: Router,
    secure: Option<Secure>,
    stop: Stop,
    write_time: Duration,
    handshake_time: Duration,
}

/// How a listener that speaks TLS does it.
#[derive(Clone)]
struct Secure {
    current: Current,
    /// Answers those who come without TLS.
    refusal: Router,
}

impl Server {
    /// Serves the API of an app; over TLS, and over nothing else, with the certificate that is current.
    pub(super) fn new(app: Arc<App>, current: Option<Current>, stop: Stop) -> Self {
        let secure = current.map(|current| Secure { current, refusal: refusal_of_plain(Arc::clone(&app)) });
        Self { router: router(app), secure, stop, write_time: WRITE_TIME, handshake_time: HANDSHAKE_TIME }
    }

    /// Accepts connections until the gateway stops. One is counted from its first moment on, also while it has yet to shake hands.
    pub(super) async fn accept(self, listener: TcpListener, limits: Limits, tasks: TaskTracker) {
        let room = Arc::new(Semaphore::new(limits.connections));
        loop {
            let next = async {
                let place = Arc::clone(&room).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                next = next => next,
                () = self.stop.soft.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = self.clone().serve(stream, peer);
                    tasks.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        // Answers go out at once, rather than waiting for more to send with them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "a connection waits for full packets");
        }
        let ended = match self.secure.clone() {
            None => self.talk(self.bounded(stream), peer, self.router.clone(), KeepAlive::Yes).await,
            Some(secure) => self.begin(stream, peer, secure).await,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %peer, "a connection broke");
        }
    }

    /// Shakes hands, and goes on from there. Who has not come so far has asked for nothing, and is not waited for.
    async fn begin(&self, stream: TcpStream, peer: SocketAddr, secure: Secure) -> Result<(), Broken> {
        match self.unless_stopped(handshake::opening(&stream, self.handshake_time)).await? {
            Some(Opening::Tls) => {
                let current = Arc::clone(&secure.current.borrow());
                match self.unless_stopped(handshake::shake(self.bounded(stream), current, self.handshake_time)).await? {
                    Some(stream) => self.talk(stream, peer, self.router.clone(), KeepAlive::Yes).await,
                    None => Ok(()),
                }
            }
            Some(Opening::Plain) => self.talk(self.bounded(stream), peer, secure.refusal, KeepAlive::No).await,
            Some(Opening::Nothing) | None => Ok(()),
        }
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = io::Result<T>>) -> io::Result<Option<T>> {
        tokio::select! {
            done = work => done.map(Some),
            () = self.stop.soft.cancelled() => Ok(None),
            () = self.stop.hard.cancelled() => Ok(None),
        }
    }

    /// A stream whose client may not take nothing for ever.
    fn bounded(&self, stream: TcpStream) -> Pin<Box<TimeoutStream<TcpStream>>> {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.write_time));
        Box::pin(stream)
    }

    /// Answers what is asked, until the client or the gateway ends it.
    async fn talk<S>(&self, stream: S, peer: SocketAddr, router: Router, keep_alive: KeepAlive) -> Result<(), Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.clone().oneshot(request.map(Body::new))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_header_size(HEAD_BYTES)
            .max_headers(HEADERS)
            .keep_alive(matches!(keep_alive, KeepAlive::Yes))
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => Ok(ended?),
            () = self.stop.soft.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => Ok(ended?),
                    () = self.stop.hard.cancelled() => Ok(()),
                }
            }
            () = self.stop.hard.cancelled() => Ok(()),
        }
    }
}

/// Whether a connection may bring more than one request.
#[derive(Debug, Clone, Copy)]
enum KeepAlive {
    Yes,
    No,
}

/// Why a connection ended before its time.
type Broken = Box<dyn std::error::Error + Send + Sync>;

#[cfg(test)]
mod tests;
