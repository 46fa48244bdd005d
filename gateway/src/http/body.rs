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

pub(super) fn check_type(headers: &HeaderMap, types: &[&str]) -> Result<(), Problem> {
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

/// Floating point numbers below this are those of an `i64`, if they are whole: 2^63.
const WHOLE: f64 = 9_223_372_036_854_775_808.0;

/// Writes integers as integers. 3.0 and 3e0 are: what a number is, is its value (JSON Schema, 4.2.1).
fn settle_integers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < WHOLE) {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(settle_integers),
        Value::Object(fields) => fields.values_mut().for_each(settle_integers),
        _ => {}
    }
}

pub(super) fn parse(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let refuse = |error| Err(Problem::malformed(error));
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => return refuse(Error::invalid("the body is not UTF-8").with("byte", error.valid_up_to() + 1)),
    };
    if values::are_too_many(body) {
        return refuse(Error::invalid(format!("the body holds more than {VALUES} JSON values")).hint("send the fields of one record"));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(mut fields)) => {
            fields.values_mut().for_each(settle_integers);
            Ok(fields)
        }
        Ok(_) => refuse(Error::invalid("the body is not a JSON object").hint("send the fields as {\"name\": value}")),
        Err(error) => {
            // The parser's text ends with the place, which is said in its own terms.
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or_default();
            refuse(Error::invalid(format!("the body is not JSON: {reason}")).with("line", error.line()).with("column", error.column()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_integer_is_one_however_it_is_written() {
        let fields = parse(br#"{"a":3.0,"b":[-2e2,1.5,{"c":0.0}],"d":1e300,"e":"3.0"}"#).unwrap();
        assert_eq!(Value::Object(fields), json!({ "a": 3, "b": [-200, 1.5, { "c": 0 }], "d": 1e300, "e": "3.0" }));
    }
}
