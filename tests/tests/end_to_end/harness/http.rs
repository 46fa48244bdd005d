//! A small HTTP/1.1 client: one connection for each request, so that a call that is dropped drops its connection.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Answer, PATIENCE};

/// A client with one token, or none.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    token: Option<String>,
}

impl Client {
    /// A client without a token.
    pub(crate) fn anonymous(address: SocketAddr) -> Self {
        Self { address, token: None }
    }

    /// The same client with another token.
    pub(crate) fn with_token(&self, token: impl Into<String>) -> Self {
        Self { address: self.address, token: Some(token.into()) }
    }

    /// The token's secret.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("this client has a token")
    }

    /// Where it connects to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks for something and reads the whole answer; an error when the connection breaks.
    pub(crate) async fn try_request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> io::Result<Answer> {
        let exchange = async {
            let (answer, _connection) = self.open(&method, path, headers, body).await?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            Ok(Answer { request: format!("{method} {path}"), status: head.status.as_u16(), headers: head.headers, body })
        };
        tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Asks for something; answers the head of the answer, and its connection, which is closed when that is dropped.
    pub(super) async fn open(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> io::Result<(Response<Incoming>, JoinSet<()>)> {
        let mut request =
            Request::builder().method(method).uri(path).header("host", self.address.to_string()).header("connection", "close");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a test's request is well formed");
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, exchange) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let mut connection = JoinSet::new();
        // How it ends is seen by who reads the answer.
        connection.spawn(async move { _ = exchange.await });
        Ok((sender.send_request(request).await.map_err(io::Error::other)?, connection))
    }

    /// Asks for something; the connection must hold.
    pub(crate) async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let asked = format!("{method} {path}");
        self.try_request(method, path, headers, body).await.unwrap_or_else(|error| panic!("{asked}: {error:?}"))
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[], "").await
    }

    /// Makes a record.
    pub(crate) async fn post(&self, path: &str, record: &Value) -> Answer {
        self.request(Method::POST, path, JSON, record.to_string()).await
    }

    /// Changes a record.
    pub(crate) async fn patch(&self, path: &str, patch: &Value) -> Answer {
        self.request(Method::PATCH, path, JSON, patch.to_string()).await
    }

    /// Removes a record.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path, &[], "").await
    }

    /// Makes a record that must be taken; answers it.
    #[track_caller]
    pub(crate) fn create(&self, plural: &str, record: Value) -> impl Future<Output = Value> {
        let path = format!("/api/v1/{plural}");
        async move { self.post(&path, &record).await.expect(201).json() }
    }
}

/// The header of a request with a JSON body.
pub(crate) const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
