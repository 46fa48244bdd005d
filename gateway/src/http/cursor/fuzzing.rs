//! A list's query, and behind a line break what is made a cursor of, or is one.

use super::super::fuzzing::query_of;
use super::*;

/// What is no cursor of a list is refused, one that was made is read back, and what a position is made of is never trusted.
pub(crate) fn cursor(data: &[u8]) {
    let place = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (first, rest) = data.split_at(place);
    let rest = rest.get(1..).unwrap_or_default();
    let Some(query) = std::str::from_utf8(first).ok().and_then(query_of) else { return };
    let key = CursorKey(SecretBox::new(Box::new([7; KEY_BYTES])));
    if let Ok(text) = std::str::from_utf8(rest) {
        assert!(key.decode(&query, text).is_err(), "nobody guesses a tag");
    }
    // As one who has the key would make it, of any bytes.
    let tag = key.mac(&query, rest).finalize().into_bytes();
    let made = URL_SAFE_NO_PAD.encode([&tag[..TAG_BYTES], rest].concat());
    if let Ok(position) = key.decode(&query, &made) {
        assert_eq!(key.encode(&query, &position), made);
        let other = Query { descending: !query.descending, ..query };
        assert!(key.decode(&other, &made).is_err(), "it is another list's");
    }
}
