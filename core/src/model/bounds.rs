//! The bounds of the model's fields, and the checks that hold them. Characters are Unicode scalar values.

use crate::{Error, Result};

/// The longest title, in characters; the shortest is 1.
pub const TITLE_CHARS: usize = 500;
/// The longest name, in characters; the shortest is 1.
pub const NAME_CHARS: usize = 200;
/// The longest body of a task or note, and content of a message, in bytes of UTF-8: 2 MiB.
pub const BODY_BYTES: usize = 2 << 20;
/// The longest slug or login, in characters.
pub const SLUG_CHARS: usize = 64;
/// The longest email address, in characters (RFC 5321, 4.5.3.1.3, less the brackets).
pub const EMAIL_CHARS: usize = 254;
/// How many tags a record may have.
pub const TAGS: usize = 64;
/// The longest tag, in characters; the shortest is 1.
pub const TAG_CHARS: usize = 100;

/// The pattern (ECMA-262) of [`line`]: some character that is not white space (Unicode's White_Space), and none that is NUL.
pub(super) const LINE: &str = r"^[^\u0000]*[^\u0000\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000]*$";
/// The pattern of [`text`].
pub(super) const TEXT: &str = r"^[^\u0000]*$";
/// The pattern of [`slug`].
pub(super) const SLUG: &str = r"^[a-z0-9][a-z0-9._-]{0,63}$";
/// The pattern of [`email`].
pub(super) const EMAIL: &str = r"^[^@\u0000- \u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+@[^@\u0000- \u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$";

fn refuse(field: &'static str, why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid(why).with("field", field)
}

fn no_nul(field: &'static str, text: &str) -> Result<()> {
    match text.find('\0') {
        Some(byte) => Err(refuse(field, "a text cannot hold the NUL character (U+0000)").with("byte", byte)),
        None => Ok(()),
    }
}

/// A line of text: 1 to `most` characters, and not white space alone, which nobody sees.
pub(super) fn line(field: &'static str, text: &str, most: usize) -> Result<()> {
    no_nul(field, text)?;
    match text.chars().count() {
        0 => Err(refuse(field, format!("{field} is empty: it takes 1 to {most} characters"))),
        n if n > most => Err(refuse(field, format!("{field} is too long: {n} characters, {most} at most"))),
        _ if text.trim().is_empty() => Err(refuse(field, format!("{field} is white space alone"))),
        _ => Ok(()),
    }
}

/// A body: up to [`BODY_BYTES`].
pub(super) fn body(field: &'static str, text: &str) -> Result<()> {
    self::text(field, text, BODY_BYTES)
}

/// A text of up to so many bytes.
pub(super) fn text(field: &'static str, text: &str, most: usize) -> Result<()> {
    no_nul(field, text)?;
    if text.len() > most {
        return Err(refuse(field, format!("{field} is too long: {} bytes, {most} at most", text.len())));
    }
    Ok(())
}

/// A name for URLs and command lines: lowercase ASCII letters, digits, and `.`, `_`, `-` but not first.
pub(super) fn slug(field: &'static str, text: &str) -> Result<()> {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-');
    let bytes = text.as_bytes();
    let fits = (1..=SLUG_CHARS).contains(&bytes.len()) && bytes.iter().all(|c| inner(*c));
    if fits && bytes[0].is_ascii_alphanumeric() {
        return Ok(());
    }
    Err(refuse(field, format!("{field} takes 1 to {SLUG_CHARS} of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit")))
}

/// An email address: something on both sides of one `@`, nothing invisible.
pub(super) fn email(field: &'static str, text: &str) -> Result<()> {
    let parts: Vec<_> = text.split('@').collect();
    let visible = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if parts.len() == 2 && parts.iter().all(|part| !part.is_empty()) && visible && text.chars().count() <= EMAIL_CHARS {
        return Ok(());
    }
    Err(refuse(field, format!("{field} is not an email address of up to {EMAIL_CHARS} characters")))
}

/// Up to [`TAGS`] tags, each a line of up to [`TAG_CHARS`] characters, none twice.
pub(super) fn tags(field: &'static str, tags: &[String]) -> Result<()> {
    if tags.len() > TAGS {
        return Err(refuse(field, format!("too many tags: {}, {TAGS} at most", tags.len())));
    }
    for (i, tag) in tags.iter().enumerate() {
        line(field, tag, TAG_CHARS)?;
        if tags[..i].contains(tag) {
            return Err(refuse(field, "a tag stands there twice").with("tag", tag));
        }
    }
    Ok(())
}
