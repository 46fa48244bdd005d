//! The HTTP API: uniform over kinds, so that a new kind needs nothing here. `app` holds what requests share, `front` is
//! what each passes through, `sign_in` the door to `/api/v1`. What must not come in: how anything is stored, and who
//! may see it.

mod app;
mod backup;
mod body;
mod cursor;
mod docs;
mod doctor;
mod embeddings;
mod etag;
mod following;
mod forwarded;
mod front;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod health;
mod held;
mod list;
mod me;
mod measure;
mod openapi;
mod page;
mod params;
mod paths;
mod problem;
mod records;
mod search;
mod sign_in;
mod transfer;
mod turns;

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use mosaic_core::Kind;

pub use app::{App, Look, Parts, Peer};

use problem::{NOT_FOUND, Problem, TLS_REQUIRED};

/// Every sort of problem, for the reference: its code, its status, what it means, and what to do.
pub(crate) fn problems() -> impl Iterator<Item = [String; 4]> {
    problem::CODES.iter().map(|code| [code.name.to_owned(), code.status.as_u16().to_string(), code.title.to_owned(), code.cure.to_owned()])
}

/// The paths that carry streams: without a limit on their bodies and on their time.
const IMPORT: &str = "/api/v1/import";
const EXPORT: &str = "/api/v1/export";
const BACKUP: &str = "/api/v1/backup";

/// The paths that machines ask how the gateway is.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// The code of the problem that says so.
pub(crate) const TLS_REQUIRED_CODE: &str = TLS_REQUIRED.name;

/// How much is read, in bytes, of a body that comes without TLS where it should not.
const PLAIN_BODY_BYTES: usize = 1 << 20;

/// The whole API. Requests should carry a [`Peer`] as an extension, as the server's do.
pub fn router(app: Arc<App>) -> Router {
    let mut api = Router::new();
    for kind in Kind::ALL {
        api = api.merge(records::routes(*kind));
        if kind.is_searched() {
            api = api.route(&paths::embedding(*kind), embeddings::methods(*kind));
        }
    }
    api = api.route(turns::EVENTS, get(turns::events)).route(turns::STOP, post(turns::stop));
    api = api.route("/api/v1/me", get(me::me)).route("/api/v1/doctor", get(doctor::doctor));
    api = api.route("/api/v1/search", get(search::by_text).post(search::by_any));
    api = api.route(IMPORT, post(transfer::import)).route(EXPORT, get(transfer::export)).route(BACKUP, get(backup::backup));
    Router::new()
        .merge(api.route_layer(from_fn_with_state(Arc::clone(&app), sign_in::sign_in)))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(measure::metrics))
        .merge(docs::routes())
        .merge(page::routes())
        .fallback(async || Problem::new(NOT_FOUND, "there is no such path").hint("/docs lists the paths"))
        .layer(from_fn_with_state(Arc::clone(&app), front::front))
        .with_state(app)
}

/// What answers requests that come without TLS to a listener that speaks it: the same to all of them.
pub(crate) fn refusal_of_plain(app: Arc<App>) -> Router {
    let refuse = async |request: Request| {
        // Who is still sending would not see the answer.
        let _ = to_bytes(request.into_body(), PLAIN_BODY_BYTES).await;
        Problem::new(TLS_REQUIRED, "this gateway speaks TLS, and the request came without").hint(
            "give its url with https://; a token that was sent without may have been read on the way: make another, and revoke that one",
        )
    };
    Router::new().fallback(refuse).layer(from_fn_with_state(app, front::front))
}
