//! JSON Lines, and a stream of them.

use std::sync::Arc;

use futures::FutureExt as _;
use mosaic_core::memory::MemoryStorage;
use mosaic_core::{Record, UserRole};
use tokio::io::BufReader;

use super::import::{self, Powers};
use super::lines::Chunks;
use crate::fuzzing::{check_error, run};

/// However an input comes in pieces, its lines are the same; each is a record that is written as it was read, or refused by its number.
pub(crate) fn lines(data: &[u8]) {
    let Some((first, text)) = data.split_first() else { return };
    let mut chunks = Chunks::new(BufReader::with_capacity(1 + usize::from(*first), text));
    let mut expected = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n').enumerate();
    while let Some(Ok(Some(chunk))) = chunks.next().now_or_never() {
        for (number, line) in chunk.lines() {
            let next = expected.next();
            assert_eq!(Some((number as usize - 1, line.unwrap_or_default())), next);
        }
        let granted = import::parse(&chunk, Powers::Granted);
        let withheld = import::parse(&chunk, Powers::Withheld);
        assert!(granted.records.len() + granted.refused.len() <= chunk.lines().count());
        for record in &granted.records {
            let written = serde_json::to_vec(record).unwrap_or_default();
            assert_eq!(Record::from_json_bytes(&written).ok().as_ref(), Some(record));
            record.validate().unwrap_or_else(|error| unreachable!("{error}"));
        }
        for record in &withheld.records {
            assert!(!matches!(record, Record::Token(_)) && granted.records.contains(record));
            assert!(!matches!(record, Record::User(user) if user.role == UserRole::Admin));
        }
        assert!(granted.refused.iter().all(|refused| refused.reason.chars().count() <= 401 && !refused.reason.contains('\n')));
    }
    assert!(text.is_empty() || expected.next().is_none());
}

/// A stream, plain or gzip, goes in once: again, it finds what it brought, and adds only what had to wait for what stands behind it.
pub(crate) fn import(data: &[u8]) {
    let imported = run(async {
        let storage: Arc<MemoryStorage> = Arc::default();
        let first = import::import(storage.clone(), Powers::Granted, data, |_| {}).await;
        let again = import::import(storage, Powers::Granted, data, |_| {}).await;
        (first, again)
    });
    match imported {
        Some((Ok(first), Ok(again))) => {
            let taken = first.total.added + first.total.unchanged;
            assert!(again.lines == first.lines && taken + first.total.refused <= first.lines, "{first:?} {again:?}");
            assert!(again.total.unchanged >= taken && again.total.added <= first.total.refused, "{first:?} {again:?}");
        }
        Some((Err(error), Err(_))) => check_error(&error, data.len()),
        other => assert!(other.is_none(), "it breaks off once and not again"),
    }
}
