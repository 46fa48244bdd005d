//! Entity tags: a record's is its revision in quotes. What a client says with `If-Match` and `If-None-Match` (RFC 9110, 13.1).

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use mosaic_core::{Error, Record, Result};

/// The tag of a revision.
pub(super) fn of(revision: u64) -> HeaderValue {
    // Digits and quotes are always a header's value.
    HeaderValue::from_str(&format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// What a client expects of the record that it is about to change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Nothing, or only that it is there.
    Any,
    /// To be at one of these revisions. None of them is when no tag was one of ours.
    OneOf(Vec<u64>),
}

/// Reads `If-Match`. A weak tag never matches.
///
/// # Errors
/// [`mosaic_core::ErrorKind::Invalid`] for what is no list of tags.
pub(super) fn expected(headers: &HeaderMap) -> Result<Expected> {
    Ok(match tags(headers, IF_MATCH)? {
        None | Some(Tags::Any) => Expected::Any,
        Some(Tags::Listed(tags)) => Expected::OneOf(tags.iter().filter_map(|tag| revision(tag)).collect()),
    })
}

/// Whether the client has this record already, by `If-None-Match`.
///
/// # Errors
/// [`mosaic_core::ErrorKind::Invalid`] for what is no list of tags.
pub(super) fn is_known(headers: &HeaderMap, record: &Record) -> Result<bool> {
    Ok(match tags(headers, IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::Listed(tags)) => tags.iter().any(|tag| revision(tag.trim_start_matches("W/")) == Some(record.revision())),
    })
}

enum Tags<'h> {
    Any,
    Listed(Vec<&'h str>),
}

fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Tags<'_>>> {
    let refuse = || {
        Error::invalid(format!("{name} is neither * nor a list of entity tags"))
            .hint(format!("{name}: \"3\", as the ETag of an answer has it"))
    };
    let mut listed = Vec::new();
    for value in headers.get_all(&name) {
        let text = value.to_str().map_err(|_| refuse())?.trim();
        if text == "*" {
            return Ok(Some(Tags::Any));
        }
        for tag in text.split(',').map(str::trim) {
            let opaque = tag.trim_start_matches("W/");
            if opaque.len() < 2 || !opaque.starts_with('"') || !opaque.ends_with('"') {
                return Err(refuse());
            }
            listed.push(tag);
        }
    }
    Ok(if listed.is_empty() { None } else { Some(Tags::Listed(listed)) })
}

fn revision(tag: &str) -> Option<u64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &'static str) -> Result<Expected> {
        expected(&[(IF_MATCH, HeaderValue::from_static(value))].into_iter().collect())
    }

    #[test]
    fn tags_are_revisions_in_quotes() {
        assert_eq!(expected(&HeaderMap::new()).unwrap(), Expected::Any);
        assert_eq!(with("*").unwrap(), Expected::Any);
        assert_eq!(with("\"3\"").unwrap(), Expected::OneOf(vec![3]));
        assert_eq!(with("\"3\", \"4\"").unwrap(), Expected::OneOf(vec![3, 4]));
        assert_eq!(with("W/\"3\"").unwrap(), Expected::OneOf(vec![]));
        assert_eq!(with("\"abc\"").unwrap(), Expected::OneOf(vec![]));
        for value in ["3", "\"3", "", "\"3\",", "\""] {
            assert!(with(value).is_err(), "{value}");
        }
    }
}
