//! The beginning of a connection on a listener that speaks TLS. What must not come in: what is asked over it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What each handshake begins with: a record of this type (RFC 8446, 5.1). No method of HTTP does.
const HANDSHAKE: u8 = 22;

/// What a client begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// A handshake.
    Tls,
    /// What may be a request without TLS.
    Plain,
    /// Something else, or nothing.
    Nothing,
}

/// Looks at what a client begins with, and leaves it there to be read.
///
/// # Errors
/// When the connection breaks, or nothing comes in time.
pub(super) async fn opening(stream: &TcpStream, time: Duration) -> io::Result<Opening> {
    let mut first = [0];
    let length = timeout(time, stream.peek(&mut first)).await??;
    Ok(match first[0] {
        _ if length == 0 => Opening::Nothing,
        HANDSHAKE => Opening::Tls,
        byte if byte.is_ascii_alphabetic() => Opening::Plain,
        _ => Opening::Nothing,
    })
}

/// Shakes hands.
///
/// # Errors
/// When the client cannot, does not want to, or does not come to an end in time.
pub(super) async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    server: Arc<ServerConfig>,
    time: Duration,
) -> io::Result<TlsStream<S>> {
    timeout(time, TlsAcceptor::from(server).accept(stream)).await?
}
