//! A running gateway, over HTTP: what the commands use when they are given its URL. Problems that it answers become
//! errors like those of a storage in this process. What must not come in: terminals, files, where the token came from.

mod events;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod http;
mod problem;
mod url;

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStream, TryStreamExt as _};
use mosaic_core::{Clock as _, Error, ErrorKind, Id, IdSource as _, Kind, Message, RandomIds, Record, Result, Retry, SystemClock, Tokens};
use reqwest::header::{ACCEPT, CONTENT_TYPE, IF_MATCH};
use reqwest::{Body, Method, RequestBuilder, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use events::{End, Event, Events};
pub use http::Authorities;
pub(crate) use http::http_client;
pub(crate) use problem::{cause, is_of_tls};
use problem::{failed, problem};
use url::parse;

use crate::secret::TokenSecret;
use crate::transfer::{JSON_LINES, Report};

/// How long an answer may take, where it is not a stream.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest page of a list.
const PAGE: usize = mosaic_core::PAGE_ITEMS;

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

/// The first records of a list.
#[derive(Debug)]
pub struct First {
    /// The records, in the list's order.
    pub records: Vec<Record>,
    /// Whether the list goes on.
    pub more: bool,
}

/// Speaks to one gateway, for one user.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: TokenSecret,
    view_all: bool,
}

impl Client {
    /// A client for the gateway at `url` (`http://host:port`, with a path where it sits behind one). Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is no such URL, and when there are no certificate authorities to check an `https` one by.
    pub fn new(url: &str, token: TokenSecret) -> Result<Self> {
        let base = parse(url)?;
        let http = http_client(&base, None)?;
        Ok(Self { http, base, token, view_all: false })
    }

    /// The same, which trusts these authorities and no others to say who an `https` gateway is.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn trusting(authorities: Authorities, url: &str, token: TokenSecret) -> Result<Self> {
        let base = parse(url)?;
        let http = http_client(&base, Some(authorities))?;
        Ok(Self { http, base, token, view_all: false })
    }

    /// The same client, which reads whatever there is, as an operator may.
    #[must_use]
    pub fn viewing_all(mut self) -> Self {
        self.view_all = true;
        self
    }

    /// Reads all records of a kind that the token's user may see and whose fields have these values.
    ///
    /// # Errors
    /// As every call: what the gateway answers, and [`ErrorKind::Unavailable`] or [`ErrorKind::Timeout`] when it does not.
    pub async fn list(&self, kind: Kind, filters: &[(&str, &str)]) -> Result<Vec<Record>> {
        Ok(self.first(kind, filters, usize::MAX).await?.records)
    }

    /// Reads the first records of a list, by its parameters (filters, `order`), and whether there are more.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn first(&self, kind: Kind, params: &[(&str, &str)], most: usize) -> Result<First> {
        self.pages(&[kind.plural()], params, most).await
    }

    /// The same, of the list at a path.
    async fn pages(&self, path: &[&str], params: &[(&str, &str)], most: usize) -> Result<First> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Record>,
            next_cursor: Option<String>,
        }
        let mut first = First { records: Vec::new(), more: true };
        let mut cursor: Option<String> = None;
        while first.more && first.records.len() < most {
            let mut url = self.reading(path)?;
            let limit = PAGE.min(most - first.records.len());
            url.query_pairs_mut().extend_pairs(params).append_pair("limit", &limit.to_string());
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let page: Page = self.answer(self.request(Method::GET, url)).await?;
            first.records.extend(page.items);
            first.more = page.next_cursor.is_some();
            cursor = page.next_cursor;
        }
        Ok(first)
    }

    /// The id of the user whom the token acts for.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn me(&self) -> Result<Id> {
        #[derive(Deserialize)]
        struct Me {
            user: Record,
        }
        let me: Me = self.answer(self.request(Method::GET, self.url(&["me"])?)).await?;
        Ok(me.user.id())
    }

    /// Searches, by the fields of the API; a [`Found`](crate::search::Found), or whatever else its answer is to be read as. It is sent
    /// as a body: what is too long for a search may be too long for a URL, which would be said instead.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], and as [`Self::list`].
    pub async fn search<T: DeserializeOwned>(&self, wanted: &Map<String, Value>) -> Result<T> {
        self.answer(self.request(Method::POST, self.reading(&["search"])?).json(wanted)).await
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], and as [`Self::list`].
    pub async fn get(&self, kind: Kind, id: Id) -> Result<Record> {
        self.answer(self.request(Method::GET, self.reading(&[kind.plural(), &id.to_string()])?)).await
    }

    /// Makes a record from its fields. Without an id among them it gets one here: when the answer is lost, the record can still be told.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], [`ErrorKind::Conflict`], [`ErrorKind::Forbidden`], and as [`Self::list`]. [`Retry::Unknown`], as of every
    /// write, where it may have been done; the error then has the id.
    pub async fn create(&self, kind: Kind, mut fields: Map<String, Value>) -> Result<Record> {
        let id = fields.entry("id").or_insert_with(|| RandomIds.next(SystemClock.now()).to_string().into());
        let id = id.as_str().unwrap_or_default().to_owned();
        let made = self.answer(self.request(Method::POST, self.url(&[kind.plural()])?).json(&fields)).await;
        made.map_err(|error| if error.retry_class() == Retry::Unknown { in_doubt(error.with("id", id)) } else { error })
    }

    /// Makes a token. Its secret is in this answer and in no other.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_token(&self, fields: &Map<String, Value>) -> Result<(Record, TokenSecret)> {
        let request = self.request(Method::POST, self.url(&[Kind::Token.plural()])?).json(fields);
        let mut answer: Map<String, Value> = self.answer(request).await.map_err(in_doubt)?;
        match answer.remove("secret") {
            Some(Value::String(secret)) => Ok((Record::from_json(answer)?, secret.into())),
            _ => Err(Error::new(ErrorKind::Internal, "the gateway's answer has no secret").with("url", &self.base)),
        }
    }

    /// Changes a record by a JSON merge patch (RFC 7396); with a revision, only while the record is at that one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Stale`], and as [`Self::create`].
    pub async fn update(&self, kind: Kind, id: Id, patch: &Map<String, Value>, revision: Option<u64>) -> Result<Record> {
        self.answer(at(revision, self.request(Method::PATCH, self.one(kind, id)?).json(patch))).await.map_err(in_doubt)
    }

    /// Removes a record; with a revision, only while it is at that one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Stale`], [`ErrorKind::Conflict`] while others refer to it, and as [`Self::list`].
    pub async fn delete(&self, kind: Kind, id: Id, revision: Option<u64>) -> Result<()> {
        let request = at(revision, self.request(Method::DELETE, self.one(kind, id)?));
        self.send(request.timeout(ANSWER_TIMEOUT)).await.map(drop).map_err(in_doubt)
    }

    /// Says something in a session, and is told its turn. The same id again begins no second turn, and is told the first one.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn say(&self, session: Id, id: Id, content: &str) -> Result<Events> {
        let url = self.below(session, Kind::Message.plural())?;
        let request = self.request(Method::POST, url).json(&serde_json::json!({ "id": id, "content": content }));
        self.events(request).await
    }

    /// Follows a session from behind a place (a message's `seq`), until no turn of it is running.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn follow(&self, session: Id, after: u64) -> Result<Events> {
        self.events(self.request(Method::GET, self.below(session, "events")?).header("last-event-id", after)).await
    }

    /// Stops a session's turn, and waits for its end.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn stop(&self, session: Id) -> Result<()> {
        let request = self.request(Method::POST, self.below(session, "stop")?);
        self.send(request.timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// The last messages of a session, in order, and whether there are earlier ones.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn last_said(&self, session: Id, most: usize) -> Result<(Vec<Message>, bool)> {
        let path = [Kind::Session.plural(), &session.to_string(), Kind::Message.plural()];
        let First { records, more } = self.pages(&path, &[("order", "-seq")], most).await?;
        let mut said = records.into_iter().map(Message::try_from).collect::<Result<Vec<_>>>()?;
        said.reverse();
        Ok((said, more))
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

    /// Reads a backup of everything: pieces of an archive, as they come.
    ///
    /// # Errors
    /// As [`Self::export`].
    pub async fn backup(&self) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let base = self.base.clone();
        let answer = self.send(self.request(Method::GET, self.url(&["backup"])?)).await?;
        Ok(answer.bytes_stream().map_err(move |error| failed(&base, error)))
    }

    /// The URL of something to read.
    fn reading(&self, path: &[&str]) -> Result<Url> {
        let mut url = self.url(path)?;
        if self.view_all {
            url.query_pairs_mut().append_pair("view", "all");
        }
        Ok(url)
    }

    fn one(&self, kind: Kind, id: Id) -> Result<Url> {
        self.url(&[kind.plural(), &id.to_string()])
    }

    /// The URL of what is below a session.
    fn below(&self, session: Id, what: &str) -> Result<Url> {
        self.url(&[Kind::Session.plural(), &session.to_string(), what])
    }

    /// The events that a request is answered with. They may take their time, and the first word of them may not.
    async fn events(&self, request: RequestBuilder) -> Result<Events> {
        let answer = self.send(request.header(ACCEPT, "text/event-stream"));
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(answer) => answer.map(Events::of),
            Err(_) => {
                Err(Error::new(ErrorKind::Timeout, "the gateway did not answer in time").with("url", &self.base).retry(Retry::Unknown))
            }
        }
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

/// The error of a write: says so when it may have been done.
fn in_doubt(error: Error) -> Error {
    if error.retry_class() == Retry::Unknown { error.hint("it may have been done: look before doing it again") } else { error }
}

/// A request for the record at this revision (RFC 9110, 13.1.1).
fn at(revision: Option<u64>, request: RequestBuilder) -> RequestBuilder {
    match revision {
        Some(revision) => request.header(IF_MATCH, format!("\"{revision}\"")),
        None => request,
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let error = client.create(Kind::Note, Map::new()).await.unwrap_err();
        assert!(error.hint_text().unwrap().contains("mosaic serve"), "nothing was sent");
    }

    /// A client of what reads the head of each request and goes away.
    async fn of_one_that_goes_away() -> Client {
        use tokio::io::AsyncReadExt as _;

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 64]).await;
            }
        });
        Client::new(&format!("http://{address}"), TokenSecret::from("mosaic_x".to_owned())).unwrap()
    }

    #[tokio::test]
    async fn a_write_whose_answer_is_lost_may_have_been_done() {
        let client = of_one_that_goes_away().await;
        let id = Id::from_u128(7);
        let fields = Map::from_iter([("id".to_owned(), Value::from(id.to_string()))]);
        let made = client.create(Kind::Note, fields).await.unwrap_err();
        assert_eq!(made.get("id"), Some(id.to_string().as_str()));
        let made_anew = client.create(Kind::Note, Map::new()).await.unwrap_err();
        assert!(made_anew.get("id").unwrap().parse::<Id>().is_ok(), "it can be looked for");
        let token = client.create_token(&Map::new()).await.unwrap_err();
        let changed = client.update(Kind::Note, id, &Map::new(), None).await.unwrap_err();
        let removed = client.delete(Kind::Note, id, None).await.unwrap_err();
        for error in [made, made_anew, token, changed, removed] {
            assert_eq!((error.kind(), error.retry_class()), (ErrorKind::Unavailable, Retry::Unknown));
            assert_eq!(error.hint_text(), Some("it may have been done: look before doing it again"));
        }
        assert_eq!(client.get(Kind::Note, id).await.unwrap_err().hint_text(), None, "a read does nothing");
    }
}
