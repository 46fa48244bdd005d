//! Bodies: read once, into one piece, bounded. What must not come in: what the fields mean.

use axum::body::{Body, Bytes, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, EXPECT};
use bytes::{BufMut, BytesMut};
use http_body_util::BodyExt;
use mosaic_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::{BODY_TOO_LARGE, INVALID_REQUEST, Problem, UNSUPPORTED_MEDIA_TYPE};
use crate::values::{self, VALUES};

/// What a record's body is sent as.
pub(super) const JSON: &[&str] = &["application/json"];

/// What a change of a record is sent as: a merge patch (RFC 7396).
pub(super) const PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// How far past the limit a body is read, as a multiple of it: a client that is still sending sees the answer only when
/// somebody takes what it sends.
const READ_ON: usize = 8;

/// Reads a JSON object from a body of one of these media types.
///
/// # Errors
/// A problem for another media type, a body over the limit, and what is not one JSON object in UTF-8.
pub(super) async fn object(headers: &HeaderMap, body: Body, types: &[&str], limit: usize) -> Result<Map<String, Value>, Problem> {
    check_type(headers, types)?;
    // Who asks before sending (RFC 9110, 10.1.1) is told before sending.
    let read_on = if headers.contains_key(EXPECT) { 0 } else { limit.saturating_mul(READ_ON) };
    parse(&read(body, limit, read_on).await?)
}

/// Reads what a request wants from the fields of its body.
///
/// # Errors
/// [`mosaic_core::ErrorKind::Invalid`], naming the field that is unknown, missing, or of another type.
pub(super) fn fields<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let place = error.path().to_string();
        let refusal = Error::invalid(format!("the body cannot be taken: {}", error.inner()));
        if place == "." { refusal } else { refusal.with("field", place) }
    })
}

fn check_type(headers: &HeaderMap, types: &[&str]) -> Result<(), Problem> {
    let given = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if types.iter().any(|ty| ty.eq_ignore_ascii_case(essence)) {
        return Ok(());
    }
    let detail = match given {
        Some(_) => format!("the body is sent as another type than {}", types.join(" or ")),
        None => "the request does not say the type of its body".to_owned(),
    };
    Err(Problem::new(UNSUPPORTED_MEDIA_TYPE, detail).hint(format!("send it with the header Content-Type: {}", types[0])))
}

async fn read(mut body: Body, limit: usize, read_on: usize) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(body, limit, read_on).await);
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::of(INVALID_REQUEST, Error::invalid("the body ended early").source(error)))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > limit {
            return Err(too_large(body, limit, read_on).await);
        }
        // A body that fits into one frame, as most do, is not copied.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.reserve(usize::try_from(body.size_hint().lower()).unwrap_or(0) + first.len() + data.len());
                all.put(std::mem::take(&mut first));
            }
            all.put(data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

async fn too_large(mut body: Body, limit: usize, mut left: usize) -> Problem {
    while left > 0
        && let Some(Ok(frame)) = body.frame().await
    {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
    }
    Problem::new(BODY_TOO_LARGE, format!("the body is larger than {limit} bytes")).member("limit", limit)
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let refuse = |error| Err(Problem::malformed(error));
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => return refuse(Error::invalid("the body is not UTF-8").with("byte", error.valid_up_to() + 1)),
    };
    if values::are_too_many(body) {
        return refuse(Error::invalid(format!("the body holds more than {VALUES} JSON values")).hint("send the fields of one record"));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => refuse(Error::invalid("the body is not a JSON object").hint("send the fields as {\"name\": value}")),
        Err(error) => {
            // The parser's text ends with the place, which is said in its own terms.
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or_default();
            refuse(Error::invalid(format!("the body is not JSON: {reason}")).with("line", error.line()).with("column", error.column()))
        }
    }
}
