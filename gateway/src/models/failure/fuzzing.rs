//! What a server says of when to ask again, a header a line: `Retry-After`, `Date`; and behind them what it says of an error.

use super::*;

const KEY: &str = "sk-7f3a91c0de";

/// Nobody waits longer than is granted, and no key is quoted.
pub(crate) fn wait(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in [RETRY_AFTER, DATE] {
        if let Some(value) = lines.next().and_then(|line| line.try_into().ok()) {
            headers.insert(name, value);
        }
    }
    assert!(super::wait(&headers).is_none_or(|wait| wait <= LONGEST_WAIT));
    if let Some(said) = quoted(lines.next().unwrap_or_default(), Some(KEY)) {
        assert!(!said.contains(KEY) && said.chars().count() <= QUOTED_CHARS, "{said}");
    }
}
