//! What requests say: query strings, headers, bodies. The first line of an input says of what.

use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use mosaic_core::search::{SEARCH_HITS, SEARCH_WORDS};
use mosaic_core::words::{lexemes, lexemes_among};
use mosaic_core::{Kind, PAGE_ITEMS, Query};
use serde_json::Value;

use super::etag::{self, Expected};
use super::params::Params;
use super::{body, list, search, sign_in, turns};
use crate::fuzzing::check_error;

pub(crate) use super::cursor::fuzzing::cursor;

/// The list that a text asks for: a kind's plural, `?` and parameters.
pub(super) fn query_of(text: &str) -> Option<Query> {
    let (plural, params) = text.split_once('?').unwrap_or((text, ""));
    let kind = Kind::ALL.iter().copied().find(|kind| kind.plural() == plural)?;
    let mut params = Params::read(Some(params), &list::allowed(kind)).inspect_err(|error| check_error(error, text.len())).ok()?;
    params.take("view");
    params.take("cursor");
    list::query(kind, params).inspect_err(|error| check_error(error, text.len())).ok()
}

/// A list asks only for what lists have, and parameters are read as they were written.
pub(crate) fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(query) = query_of(text) {
        assert!((1..=PAGE_ITEMS).contains(&query.limit));
        assert!(query.kind.orders().contains(&query.order));
        for (place, (field, _)) in query.filters.iter().enumerate() {
            assert!(query.kind.filters().contains(field) && query.filters[..place].iter().all(|(other, _)| other != field));
        }
    }
    let allowed = ["a", "b", "ä"];
    let Ok(params) = Params::read(Some(text), &allowed) else { return };
    // As another reader has it.
    let expected: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).collect();
    assert!(params.rest().eq(expected.iter().map(|(name, value)| (&**name, &**value))), "{expected:?}");
    let written = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params.rest()).finish();
    let again = Params::read(Some(&written), &allowed);
    assert!(again.is_ok_and(|again| again.rest().eq(params.rest())), "{written}");
}

/// A search is bounded, and the words of a text are found in it.
pub(crate) fn search(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(mut params) = Params::read(Some(text), &search::PARAMS) {
        let asked = params.take("q");
        match search::read(asked.as_deref(), params) {
            Ok(search) => {
                assert!((1..=SEARCH_WORDS).contains(&search.words().count()) && (1..=SEARCH_HITS).contains(&search.limit));
                assert!(!search.kinds.is_empty() && search.kinds.iter().all(|kind| kind.is_searched()));
            }
            Err(error) => check_error(&error, text.len()),
        }
    }
    let found: Vec<_> = lexemes(text).collect();
    let wanted = found.iter().map(|(lexeme, _)| lexeme.clone()).collect();
    assert!(lexemes_among(text, &wanted).eq(found.iter().cloned()), "what is looked for by its first letter is found");
    let mut end = 0;
    for (lexeme, place) in &found {
        assert!(!lexeme.is_empty() && end <= place.start && place.start < place.end && text.get(place.clone()).is_some());
        end = place.end;
    }
}

/// Headers, a line each. Entity tags that are taken stay what they are when they are written anew.
pub(crate) fn headers(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(8) {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        for name in [IF_MATCH, IF_NONE_MATCH, ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static(turns::LAST_EVENT_ID)] {
            headers.append(name, value.clone());
        }
        if let Ok(text) = value.to_str() {
            let _ = turns::place(text).map(|place| assert!(i64::try_from(place).is_ok()));
        }
    }
    let _ = (turns::accepts_events(&headers), sign_in::secret(&headers), body::check_type(&headers, body::PATCH));
    match etag::expected(&headers) {
        Ok(Expected::OneOf(revisions)) if !revisions.is_empty() => {
            let tags: Vec<_> = revisions.iter().map(|revision| format!("\"{revision}\"")).collect();
            let again = HeaderValue::try_from(tags.join(", ")).map(|value| etag::expected(&HeaderMap::from_iter([(IF_MATCH, value)])));
            assert!(matches!(again, Ok(Ok(Expected::OneOf(again))) if again == revisions), "{tags:?}");
        }
        Ok(_) => {}
        Err(error) => check_error(&error, data.len()),
    }
}

/// The body of a request: what is taken is an object whose values are what they were.
pub(crate) fn body(data: &[u8]) {
    let Ok(fields) = body::parse(data) else { return };
    let given: Value = serde_json::from_slice(data).unwrap_or_default();
    let fields = Value::Object(fields);
    assert!(is_same(&given, &fields), "{given} {fields}");
    if let Value::Object(fields) = fields
        && let Err(error) = body::fields::<search::Wanted>(fields)
    {
        check_error(&error, data.len());
    }
}

/// Whether two values are the same, numbers by what they are.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b))),
        (a, b) => a == b,
    }
}
