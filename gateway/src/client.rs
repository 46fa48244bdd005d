//! A running gateway, over HTTP: what the commands use when they are given its URL. Problems that it answers become
//! errors like those of a storage in this process. What must not come in: terminals, files, where the token came from.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStream, TryStreamExt as _};
use mosaic_core::{Error, ErrorKind, Id, Kind, Record, Result, Tokens};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::secret::TokenSecret;
use crate::transfer::{JSON_LINES, Report};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take, where it is not a stream.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest page of a list.
const PAGE: usize = mosaic_core::PAGE_ITEMS;
/// How much of an answer that is no success is read, in bytes: more than an import's report takes.
const PROBLEM_BYTES: usize = 256 << 10;
/// The longest text of a gateway's problem that is shown, in characters.
const TEXT_CHARS: usize = 2_000;

/// An import that did not come to its end.
#[derive(Debug)]
pub struct BrokenImport {
    /// Why.
    pub error: Error,
    /// What it came to until then, where the gateway could say it.
    pub report: Option<Report>,
}

impl From<Error> for BrokenImport {
    fn from(error: Error) -> Self {
        Self { error, report: None }
    }
}

/// Speaks to one gateway, for one user.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: TokenSecret,
}

impl Client {
    /// A client for the gateway at `url` (`http://host:port`, with a path where it sits behind one). Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is no such URL, and when there are no certificate authorities to check an `https` one by.
    pub fn new(url: &str, token: TokenSecret) -> Result<Self> {
        let base = parse(url)?;
        // One provider for the process; a second client finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("mosaic/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if base.scheme() == "http" {
            // Without TLS none are needed, and a machine without any can still reach its own gateway.
            builder = builder.tls_certs_only(std::iter::empty());
        }
        if is_loopback(&base) {
            // A proxy that the environment names for the world outside would be shown the token, and cannot reach this host.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            Error::new(ErrorKind::Config, "the client cannot be set up")
                .with("reason", cause(&error))
                .hint("install the system's ca-certificates")
        })?;
        Ok(Self { http, base, token })
    }

    /// Reads all records of a kind that the token's user may see and whose fields have these values.
    ///
    /// # Errors
    /// As every call: what the gateway answers, and [`ErrorKind::Unavailable`] or [`ErrorKind::Timeout`] when it does not.
    pub async fn list(&self, kind: Kind, filters: &[(&str, &str)]) -> Result<Vec<Record>> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Record>,
            next_cursor: Option<String>,
        }
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut url = self.url(&[kind.plural()])?;
            url.query_pairs_mut().extend_pairs(filters).append_pair("limit", &PAGE.to_string());
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let page: Page = self.answer(self.request(Method::GET, url)).await?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], and as [`Self::list`].
    pub async fn get(&self, kind: Kind, id: Id) -> Result<Record> {
        self.answer(self.request(Method::GET, self.one(kind, id)?)).await
    }

    /// Makes a record from its fields.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], [`ErrorKind::Conflict`], [`ErrorKind::Forbidden`], and as [`Self::list`].
    pub async fn create(&self, kind: Kind, fields: &Map<String, Value>) -> Result<Record> {
        self.answer(self.request(Method::POST, self.url(&[kind.plural()])?).json(fields)).await
    }

    /// Makes a token. Its secret is in this answer and in no other.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_token(&self, fields: &Map<String, Value>) -> Result<(Record, TokenSecret)> {
        let request = self.request(Method::POST, self.url(&[Kind::Token.plural()])?).json(fields);
        let mut answer: Map<String, Value> = self.answer(request).await?;
        match answer.remove("secret") {
            Some(Value::String(secret)) => Ok((Record::from_json(answer)?, secret.into())),
            _ => Err(Error::new(ErrorKind::Internal, "the gateway's answer has no secret").with("url", &self.base)),
        }
    }

    /// Changes a record by a JSON merge patch (RFC 7396).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], and as [`Self::create`].
    pub async fn update(&self, kind: Kind, id: Id, patch: &Map<String, Value>) -> Result<Record> {
        self.answer(self.request(Method::PATCH, self.one(kind, id)?).json(patch)).await
    }

    /// Removes a record.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Conflict`] while others refer to it, and as [`Self::list`].
    pub async fn delete(&self, kind: Kind, id: Id) -> Result<()> {
        self.send(self.request(Method::DELETE, self.one(kind, id)?).timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// Imports JSON Lines, plain or gzip.
    ///
    /// # Errors
    /// As [`crate::transfer::import`] and [`Self::list`].
    pub async fn import<S>(&self, input: S) -> Result<Report, BrokenImport>
    where
        S: TryStream + Send + 'static,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
        Bytes: From<S::Ok>,
    {
        let request = || Ok::<_, Error>(self.request(Method::POST, self.url(&["import"])?).header(CONTENT_TYPE, JSON_LINES));
        // An import of nothing, first: whether this token may import is then answered as itself. In the middle of a large
        // body a refusal reaches the sender, more often than not, as a broken connection.
        self.send(request()?.body("").timeout(ANSWER_TIMEOUT)).await?;
        let request = request()?.body(Body::wrap_stream(input));
        let answer = request.send().await.map_err(|error| failed(&self.base, error))?;
        if answer.status().is_success() {
            return Ok(read(answer).await?);
        }
        let (error, report) = problem(answer).await;
        Err(BrokenImport { error, report })
    }

    /// Exports all records as JSON Lines: pieces of the text, as they come.
    ///
    /// # Errors
    /// As [`Self::list`]; an item is an error, and the last one, when the gateway breaks off: what came before is then not all.
    pub async fn export(&self, tokens: Tokens) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let mut url = self.url(&["export"])?;
        if tokens == Tokens::WithHashes {
            url.query_pairs_mut().append_pair("tokens", "true");
        }
        let base = self.base.clone();
        let answer = self.send(self.request(Method::GET, url)).await?;
        Ok(answer.bytes_stream().map_err(move |error| failed(&base, error)))
    }

    fn one(&self, kind: Kind, id: Id) -> Result<Url> {
        self.url(&[kind.plural(), &id.to_string()])
    }

    fn url(&self, path: &[&str]) -> Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::new(ErrorKind::Config, "the url cannot have a path").with("url", &self.base))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path);
        Ok(url)
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url).bearer_auth(self.token.expose())
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        read(self.send(request.header(ACCEPT, "application/json").timeout(ANSWER_TIMEOUT)).await?).await
    }

    /// Sends a request; an answer that is no success is an error.
    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let answer = request.send().await.map_err(|error| failed(&self.base, error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(problem(answer).await.0)
    }
}

fn parse(text: &str) -> Result<Url> {
    let refuse = |why: &'static str| Error::new(ErrorKind::Config, why).hint("give it as http://127.0.0.1:7420");
    let url: Url = text.parse().map_err(|_| refuse("the gateway's url is not one"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(refuse("the gateway's url begins with http:// or https:// and a host")
            .with("url", text.split('@').next_back().unwrap_or_default()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("the gateway's url holds a user or a password; the token goes into MOSAIC_TOKEN"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("the gateway's url ends with its path, without '?' or '#'"));
    }
    Ok(url)
}

/// Whether a URL is of this machine: by address, or by a name that means nothing else (RFC 6761, 6.3).
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = host.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

async fn read<T: DeserializeOwned>(answer: Response) -> Result<T> {
    let url = answer.url().clone();
    let body = answer.bytes().await.map_err(|error| failed(&url, error))?;
    serde_json::from_slice(&body).map_err(|error| {
        Error::new(ErrorKind::Internal, "the gateway's answer is not understood: it may be of another version")
            .with("url", &url)
            .with("reason", &error)
            .hint("compare `mosaic --version` on both sides")
            .source(error)
    })
}

/// An RFC 9457 problem, as far as it is shown.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    request_id: Option<String>,
    report: Option<Report>,
}

/// The error in an answer that is no success, and the report of an import.
async fn problem(mut answer: Response) -> (Error, Option<Report>) {
    let status = answer.status();
    let kind = kind_of(status);
    if status.is_redirection() {
        let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        return (Error::new(kind, "the gateway is elsewhere").with("location", to).hint("give that url"), None);
    }
    let mut body = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > PROBLEM_BYTES {
            break;
        }
    }
    let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
    let error = match problem.detail.or(problem.title) {
        Some(text) => Error::new(kind, clip(&text)),
        None => Error::new(kind, format!("the gateway answered {status}")).with("url", answer.url()),
    };
    let error = match problem.request_id {
        Some(id) if status.is_server_error() => error.with("request_id", clip(&id)),
        _ => error,
    };
    let error = match problem.hint {
        Some(hint) => error.hint(clip(&hint)),
        None => error,
    };
    (error, problem.report)
}

fn kind_of(status: StatusCode) -> ErrorKind {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::Forbidden,
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::CONFLICT => ErrorKind::Conflict,
        StatusCode::PRECONDITION_FAILED => ErrorKind::Stale,
        StatusCode::NOT_IMPLEMENTED => ErrorKind::Unsupported,
        StatusCode::GATEWAY_TIMEOUT => ErrorKind::Timeout,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => ErrorKind::Unavailable,
        StatusCode::INSUFFICIENT_STORAGE => ErrorKind::Full,
        status if status.is_client_error() => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    }
}

/// The error of a request that had no answer, or not all of it.
fn failed(url: &Url, error: reqwest::Error) -> Error {
    // What broke may be the body that was to be sent: then that is the error.
    let (kind, message) = if error.is_connect() {
        (ErrorKind::Unavailable, "no gateway answers")
    } else if error.is_timeout() {
        (ErrorKind::Timeout, "the gateway did not answer in time")
    } else {
        (ErrorKind::Unavailable, "the connection to the gateway broke")
    };
    let failure = Error::new(kind, message).with("url", url).with("reason", cause(&error));
    let failure = if error.is_connect() { failure.hint("start it with `mosaic serve`, or give its url with --url") } else { failure };
    failure.source(error.without_url())
}

/// What is at the bottom of an error.
fn cause(error: &dyn StdError) -> String {
    let mut bottom = error;
    while let Some(error) = bottom.source() {
        bottom = error;
    }
    bottom.to_string()
}

fn clip(text: &str) -> String {
    text.chars().take(TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_of_a_gateway() {
        for url in ["http://127.0.0.1:7420", "https://mosaic.example", "http://[::1]:7420/", "https://example.org/team/mosaic/"] {
            assert!(parse(url).is_ok(), "{url}");
        }
        for url in
            ["127.0.0.1:7420", "localhost:7420", "ftp://x", "http://", "http://ada:secret@host", "http://host/?a=b", "http://host/#a", ""]
        {
            let error = parse(url).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn this_machine_is_known_by_every_name() {
        for url in ["http://127.0.0.1:7420", "http://127.8.9.1", "https://[::1]:7420", "http://[::ffff:127.0.0.1]", "http://LOCALHOST.:1"] {
            assert!(is_loopback(&url.parse().unwrap()), "{url}");
        }
        for url in ["http://10.0.0.1", "http://localhost.example.org", "http://0.0.0.0", "http://[2001:db8::1]"] {
            assert!(!is_loopback(&url.parse().unwrap()), "{url}");
        }
    }

    #[test]
    fn paths_go_behind_the_urls_own() {
        for (base, expected) in [
            ("http://host", "http://host/api/v1/users"),
            ("http://host/", "http://host/api/v1/users"),
            ("http://host/team/mosaic/", "http://host/team/mosaic/api/v1/users"),
        ] {
            let client = Client::new(base, TokenSecret::from("mosaic_x".to_owned())).unwrap();
            assert_eq!(client.url(&["users"]).unwrap().as_str(), expected);
        }
    }

    #[tokio::test]
    async fn a_gateway_that_is_not_there_is_named_with_the_cure() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let client = Client::new(&format!("http://127.0.0.1:{port}"), TokenSecret::from("mosaic_x".to_owned())).unwrap();
        let error = client.list(Kind::User, &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.get("url"), Some(format!("http://127.0.0.1:{port}/").as_str()));
        assert!(error.hint_text().unwrap().contains("mosaic serve"));
        assert!(!format!("{error:?}").contains("mosaic_x"));
    }
}
