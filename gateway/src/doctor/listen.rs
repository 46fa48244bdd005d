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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::config::Config;
use crate::http::TLS_REQUIRED_CODE;
use crate::serve::{choose_another, reached, refused};
use crate::tls::{Certificate, Files, Probe};

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

/// How a gateway is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// HTTP.
    Plain,
    /// HTTP over TLS.
    Tls,
}

impl Speaks {
    /// As the config says.
    pub(super) fn by(config: &Config) -> Self {
        if Files::of(config).is_some() { Self::Tls } else { Self::Plain }
    }

    fn other(self) -> Self {
        match self {
            Self::Plain => Self::Tls,
            Self::Tls => Self::Plain,
        }
    }
}

/// Who is there.
enum There {
    /// Nobody: connections are refused.
    Nobody,
    /// A gateway that is ready, but does without these parts.
    Ready(Vec<String>),
    /// A gateway that is not ready: these parts of it are not, and why.
    NotReady(Vec<String>, String),
    /// A gateway that is ready, and shows another certificate than the file holds.
    OfOldCertificate,
    /// A gateway, which is not spoken to as the config says.
    Otherwise(Speaks),
    /// Something that does not speak as a gateway does.
    Stranger,
    /// Something that takes connections, or should, and does not answer.
    Silence,
    /// Nobody can be: it is another machine's address.
    Elsewhere,
    /// The system does not let us know.
    Barred(io::Error),
}

/// Asks whoever listens there whether it is a gateway that is ready. `expected` is what is known of the certificate that it should
/// show: nothing, where the files cannot be used.
pub(super) async fn look(listen: SocketAddr, speaks: Speaks, expected: Option<&Certificate>, deadline: Instant) -> Check {
    let begun = Instant::now();
    let found = if listen.port() == 0 {
        Ok(Finding::well("not looked at: with port 0, a gateway takes a free port at each start"))
    } else {
        describe(listen, ask(listen, speaks, expected, deadline).await)
    };
    Check::of(ID, SERVICE, listen, &found).took(begun.elapsed())
}

/// Whether a gateway that is ready listens there; answers what it does without.
///
/// # Errors
/// What else is the case.
pub(super) async fn is_ready(listen: SocketAddr, speaks: Speaks, deadline: Instant) -> mosaic_core::Result<Vec<String>> {
    if listen.port() == 0 {
        return Err(Error::new(ErrorKind::Config, "with port 0, nobody knows which port the gateway has taken").hint("give listen a port"));
    }
    match ask(listen, speaks, None, deadline).await {
        There::Ready(without) => Ok(without),
        There::Nobody => Err(Error::new(ErrorKind::Unavailable, "no gateway runs here").with("listen", listen).hint("mosaic serve")),
        other => {
            let found = describe(listen, other)?;
            Err(Error::new(ErrorKind::Unavailable, found.message).with("listen", listen))
        }
    }
}

async fn ask(listen: SocketAddr, speaks: Speaks, expected: Option<&Certificate>, deadline: Instant) -> There {
    let address = reached(listen);
    if !is_of_this_machine(address) {
        return There::Elsewhere;
    }
    let asking = async {
        match exchange(address, speaks).await {
            // It may speak, but otherwise: as the config said when it was started.
            Err(Broken::Talking) => match exchange(address, speaks.other()).await {
                Ok(answer) if is_a_gateways(&answer) => There::Otherwise(speaks),
                _ => There::Stranger,
            },
            Ok(answer) => match understood(answer.status, &answer.body) {
                There::Stranger if speaks == Speaks::Plain && is_a_gateways(&answer) => There::Otherwise(speaks),
                There::Ready(_) if is_another(expected, answer.shown.as_deref()) => There::OfOldCertificate,
                there => there,
            },
            Err(Broken::Connecting(error)) if error.kind() == io::ErrorKind::ConnectionRefused => There::Nobody,
            Err(Broken::Connecting(error)) => There::Barred(error),
        }
    };
    timeout_at(deadline, asking).await.unwrap_or(There::Silence)
}

fn is_another(expected: Option<&Certificate>, shown: Option<&[u8]>) -> bool {
    expected.zip(shown).is_some_and(|(expected, shown)| !expected.is(shown))
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

/// What was answered.
struct Answer {
    status: StatusCode,
    body: Bytes,
    /// The certificate that was shown.
    shown: Option<Vec<u8>>,
}

async fn exchange(address: SocketAddr, speaks: Speaks) -> Result<Answer, Broken> {
    let stream = TcpStream::connect(address).await.map_err(Broken::Connecting)?;
    match speaks {
        Speaks::Plain => exchange_over(stream, address, None).await,
        Speaks::Tls => {
            let stream = Probe::connect(stream).await.map_err(|_| Broken::Talking)?;
            let shown = Probe::shown(&stream).map(|certificate| certificate.to_vec());
            exchange_over(stream, address, shown).await
        }
    }
}

async fn exchange_over<S>(stream: S, address: SocketAddr, shown: Option<Vec<u8>>) -> Result<Answer, Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
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
    Ok(Answer { status: head.status, body: body.to_bytes(), shown })
}

/// Whether an answer is a gateway's, also one that speaks TLS alone and was asked without.
fn is_a_gateways(answer: &Answer) -> bool {
    let wants_tls = || serde_json::from_slice::<Value>(&answer.body).is_ok_and(|problem| problem["code"] == TLS_REQUIRED_CODE);
    answer.status == StatusCode::BAD_REQUEST && wants_tls() || !matches!(understood(answer.status, &answer.body), There::Stranger)
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
        There::OfOldCertificate => Ok(Finding::but(
            "answers and is ready, and shows another certificate than tls.certificate_file holds",
            "look again in 10 s; if it stays so, at the gateway's log, which says why the new one is not used",
        )),
        There::Otherwise(speaks) => Ok(Finding::but(
            match speaks {
                Speaks::Tls => "a gateway answers, without TLS: the config was changed since it was started",
                Speaks::Plain => "a gateway answers, over TLS alone: the config was changed since it was started",
            },
            "stop it and start it again",
        )),
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
