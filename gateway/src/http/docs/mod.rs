//! `/docs`: the API's description as a page to read, made once from the same document as `/openapi.json`. One file, without
//! scripts and without a request to anywhere else, which its Content-Security-Policy holds it to.

mod page;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::app::App;
use super::openapi;

const STYLE: &str = include_str!("style.css");

/// The routes that describe the API.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/docs", get(docs)).route("/openapi.json", get(openapi::openapi))
}

async fn docs() -> Response {
    static PAGE: LazyLock<Bytes> = LazyLock::new(|| page::page(&openapi::DOCUMENT, STYLE).into());
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        // The one style sheet is named by its hash (CSP 3, 2.3.1); nothing else may be loaded, run or framed.
        let style = STANDARD.encode(Sha256::digest(STYLE));
        format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    });
    let headers: [(HeaderName, HeaderValue); 2] = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_str(&POLICY).unwrap_or(HeaderValue::from_static("default-src 'none'"))),
    ];
    (headers, PAGE.clone()).into_response()
}
