//! Connections: accepted as far as there is room, each served until its client or the gateway ends it. What must not come
//! in: what is asked over them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::config::Limits;
use crate::http::{App, Peer, router};

/// How long a client may take to send a request's head, and how long a connection may be idle between requests.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// How long a client may take none of what is being sent to it.
const WRITE_TIME: Duration = Duration::from_secs(60);

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

/// Accepts connections until the gateway stops.
pub(super) async fn accept(listener: TcpListener, app: Arc<App>, limits: Limits, tasks: TaskTracker, stop: Stop) {
    let router = router(app);
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = stop.soft.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = serve(stream, peer, router.clone(), stop.clone(), WRITE_TIME);
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

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, stop: Stop, write_time: Duration) {
    // Answers go out at once, rather than waiting for more to send with them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "a connection waits for full packets");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(write_time));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_header_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.soft.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = stop.hard.cancelled() => Ok(()),
            }
        }
        () = stop.hard.cancelled() => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection broke");
    }
}

#[cfg(test)]
mod tests;
