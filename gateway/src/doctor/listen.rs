//! The address that the gateway is configured to answer at: whether one does, and whether it is ready; or whether something
//! else is there, where no gateway can start then.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use mosaic_core::{Check, CheckEntry, Error, ErrorKind, Finding, register_check};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::serve::{choose_another, reached, refused};

const ID: &str = "gateway.listen";

register_check!(CheckEntry {
    id: ID,
    looks_at: "who answers at `listen`: green when nobody does, or a gateway that is ready",
    yellow: "a gateway that starts, stops, or does without a part of it; or this machine does not let us ask",
    red: "a gateway that is not ready, something that is no gateway or does not answer, or the address is another machine's",
    cure: "see what the other checks say, and the gateway's log; `ss -ltnp` says who is there; choose another address by `listen`",
});
const SERVICE: &str = "gateway";

/// How much of an answer is read, in bytes.
const ANSWER_BYTES: usize = 64 << 10;
/// The longest text of an answer that is shown, in characters. Whoever listens there need not be a gateway.
const TEXT_CHARS: usize = 200;

/// Who is there.
enum There {
    /// Nobody: connections are refused.
    Nobody,
    /// A gateway that is ready, but does without these parts.
    Ready(Vec<String>),
    /// A gateway that is not ready: these parts of it are not, and why.
    NotReady(Vec<String>, String),
    /// Something that does not speak as a gateway does.
    Stranger,
    /// Something that takes connections, or should, and does not answer.
    Silence,
    /// Nobody can be: it is another machine's address.
    Elsewhere,
    /// The system does not let us know.
    Barred(io::Error),
}

/// Asks whoever listens there whether it is a gateway that is ready.
pub(super) async fn look(listen: SocketAddr, deadline: Instant) -> Check {
    let begun = Instant::now();
    let found = if listen.port() == 0 {
        Ok(Finding::well("not looked at: with port 0, a gateway takes a free port at each start"))
    } else {
        describe(listen, ask(listen, deadline).await)
    };
    Check::of(ID, SERVICE, listen, &found).took(begun.elapsed())
}

async fn ask(listen: SocketAddr, deadline: Instant) -> There {
    let address = reached(listen);
    if !is_of_this_machine(address) {
        return There::Elsewhere;
    }
    match timeout_at(deadline, exchange(address)).await {
        Ok(Ok((status, body))) => understood(status, &body),
        Ok(Err(Broken::Connecting(error))) if error.kind() == io::ErrorKind::ConnectionRefused => There::Nobody,
        Ok(Err(Broken::Connecting(error))) => There::Barred(error),
        Ok(Err(Broken::Talking)) => There::Stranger,
        Err(_) => There::Silence,
    }
}

/// At what an exchange broke.
enum Broken {
    Connecting(io::Error),
    Talking,
}

impl From<hyper::Error> for Broken {
    fn from(_: hyper::Error) -> Self {
        Self::Talking
    }
}

async fn exchange(address: SocketAddr) -> Result<(StatusCode, Bytes), Broken> {
    let stream = TcpStream::connect(address).await.map_err(Broken::Connecting)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::get("/readyz")
        .header(HOST, address.to_string())
        .header(USER_AGENT, concat!("mosaic/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Broken::Talking)?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(|_| Broken::Talking)?;
    Ok((head.status, body.to_bytes()))
}

/// The answer of `/readyz`, as far as it is a gateway's.
fn understood(status: StatusCode, body: &[u8]) -> There {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Readiness {
        /// A word in an answer, a number in a problem.
        status: Value,
        degraded: Vec<String>,
        not_ready: Vec<String>,
        detail: String,
    }
    let Readiness { status: word, degraded, not_ready, detail } = serde_json::from_slice(body).unwrap_or_default();
    match status {
        StatusCode::OK if word == "ready" => There::Ready(degraded),
        StatusCode::SERVICE_UNAVAILABLE if !not_ready.is_empty() => There::NotReady(not_ready, detail),
        _ => There::Stranger,
    }
}

/// Whether this machine has the address. Taking a port that nobody asked for disturbs nobody.
fn is_of_this_machine(address: SocketAddr) -> bool {
    !UdpSocket::bind(SocketAddr::new(address.ip(), 0)).is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

fn describe(listen: SocketAddr, there: There) -> mosaic_core::Result<Finding> {
    let see_who = format!("see who it is: ss -ltnp 'sport = :{}'", listen.port());
    let see_others = "see what the other checks say, and the gateway's log";
    match there {
        There::Nobody => Ok(Finding::well("no gateway runs here")),
        There::Ready(degraded) if degraded.is_empty() => Ok(Finding::well("answers and is ready")),
        There::Ready(degraded) => {
            Ok(Finding::but(format!("answers and is ready, but does without: {}", clipped(&degraded.join(", "))), see_others))
        }
        There::NotReady(parts, detail) => {
            let found = format!("answers and is not ready: {} ({})", clipped(&parts.join(", ")), clipped(&detail));
            if parts == ["gateway"] {
                // It is on its way, up or down.
                Ok(Finding::but(found, "look again in a moment; if it stays so, at the gateway's log"))
            } else {
                Err(Error::new(ErrorKind::Unavailable, found).hint(see_others))
            }
        }
        There::Stranger => Err(Error::new(ErrorKind::InUse, "something listens here that is no mosaic gateway")
            .hint(format!("{see_who}; or choose another address: {}", choose_another(listen)))),
        There::Silence => Err(Error::new(ErrorKind::Timeout, "something listens here and does not answer")
            .hint(format!("{see_who}; a gateway that hangs is to be stopped and started again"))),
        There::Elsewhere => Err(refused(listen, io::ErrorKind::AddrNotAvailable.into())),
        There::Barred(error) => Ok(Finding::but(format!("cannot be asked: {error}"), "look at this machine's firewall")),
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests;
