//! `/`: the page to work with, one of HTML, style and scripts that are served as they lie here, and that speak to this gateway alone. What must
//! not come in: anything that the API does not offer to every client.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::app::App;
use super::problem::{NOT_FOUND, Problem};

/// The page runs and loads what is here, talks to where it came from, and is framed by nobody. Trusted types forbid what makes text into
/// markup or into a script, so that records cannot become either, whatever a fault in the page does with them.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// Whoever opened the page keeps no hold of its window, to lead it to a likeness of it that asks for the token.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const STYLE: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const IMAGE: HeaderValue = HeaderValue::from_static("image/svg+xml");

/// A file of the page.
struct File {
    name: &'static str,
    text: &'static str,
    media: HeaderValue,
    tag: HeaderValue,
}

macro_rules! files {
    ($media:ident: $($name:literal)*) => { [$(File::new($name, include_str!($name), $media)),*] };
}

static INDEX: LazyLock<File> = LazyLock::new(|| File::new("index.html", include_str!("index.html"), HTML));

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let scripts = files!(SCRIPT:
        "api.js" "app.js" "composer.js" "confirm.js" "conflict.js" "dom.js" "events.js" "first.js" "follow.js" "form.js"
        "health.js" "icons.js" "inline.js" "kinds.js" "leave.js" "markdown.js" "notice.js" "paged.js" "people.js" "record.js"
        "records.js" "route.js" "search.js" "session.js" "sessions.js" "shell.js" "signin.js" "tags.js" "time.js" "token.js"
        "tools.js" "transcript.js"
    );
    scripts.into_iter().chain(files!(STYLE: "base.css" "parts.css")).chain(files!(IMAGE: "icon.svg")).collect()
});

/// The routes of the page.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/", get(async |headers: HeaderMap| INDEX.answer(&headers))).route("/page/{file}", get(file))
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => file.answer(&headers),
        None => Problem::new(NOT_FOUND, "the page has no such part").hint("load / again").into_response(),
    }
}

impl File {
    fn new(name: &'static str, text: &'static str, media: HeaderValue) -> Self {
        let tag = format!("\"{}\"", STANDARD.encode(&Sha256::digest(text)[..12]));
        // What base64 is made of, and quotes, are always a header's value.
        Self { name, text, media, tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")) }
    }

    /// A browser asks each time, and is sent what has changed: a gateway that was brought up to date serves no page that is half old.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let common: [(HeaderName, HeaderValue); 5] = [
            (ETAG, self.tag.clone()),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (CONTENT_SECURITY_POLICY, POLICY),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (OPENER_POLICY, HeaderValue::from_static("same-origin")),
        ];
        if self.is_known(headers) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        (common, [(CONTENT_TYPE, self.media.clone())], self.text).into_response()
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        given.map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || tag.as_bytes() == self.tag.as_bytes())
    }
}
