//! Entity tags: a record's is its revision in quotes. What a client says with `If-Match` and `If-None-Match` (RFC 9110, 13.1).

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use mosaic_core::{Error, Record, Result};

/// What the headers may hold, as a pattern (ECMA-262).
pub(super) const TAGS_PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$"#;

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
        Some(Tags::Listed(tags)) => tags.iter().any(|tag| revision(tag.strip_prefix("W/").unwrap_or(tag)) == Some(record.revision())),
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
        let mut rest = text;
        loop {
            let (tag, behind) = first_tag(rest).ok_or_else(refuse)?;
            listed.push(tag);
            let behind = behind.trim_start_matches(OWS);
            if behind.is_empty() {
                break;
            }
            rest = behind.strip_prefix(',').ok_or_else(refuse)?.trim_start_matches(OWS);
        }
    }
    Ok(if listed.is_empty() { None } else { Some(Tags::Listed(listed)) })
}

/// Optional white space (RFC 9110, 5.6.3).
const OWS: [char; 2] = [' ', '\t'];

/// The entity tag that a text begins with (RFC 9110, 8.8.3; a comma may be a part of it), and what is behind.
fn first_tag(text: &str) -> Option<(&str, &str)> {
    let opaque = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"')?;
    let end = opaque.find('"')?;
    let is_legal = opaque[..end].bytes().all(|byte| byte.is_ascii_graphic());
    is_legal.then(|| text.split_at(text.len() - opaque.len() + end + 1))
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
        assert_eq!(with("\"a,b\" ,\"4\"").unwrap(), Expected::OneOf(vec![4]), "a comma may be a part of a tag");
        for value in ["3", "\"3", "", "\"3\",", "\"", "\"3\" \"4\"", "\"3\"4\"", "W/W/\"3\"", "\"3 \"", "*, \"3\""] {
            assert!(with(value).is_err(), "{value}");
        }
    }
}
