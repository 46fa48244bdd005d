//! How much of a list is shown: as much as a terminal takes, unless more is asked for; and a word on what is not shown.

use clap::Args;
use futures::future::try_join_all;
use mosaic_core::{Kind, Record, Result};

use super::View;
use crate::cli::output;
use crate::client::{Client, First};

/// How many records are shown.
#[derive(Args)]
pub(super) struct Range {
    /// Show so many: those that were changed last
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Show all
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Range {
    /// Reads the records of several lists as if they were one, the last changed first.
    pub(super) async fn read(&self, client: &Client, kind: Kind, lists: &[Vec<(&str, &str)>]) -> Result<First> {
        let most = if self.all { usize::MAX } else { usize::try_from(self.limit).unwrap_or(usize::MAX) };
        let lists = lists.iter().map(|filters| {
            let params = [filters.as_slice(), &[("order", "-updated_at")]].concat();
            async move { client.first(kind, &params, most).await }
        });
        Ok(merged(try_join_all(lists).await?, most))
    }

    /// Says what is not shown, and how it is.
    pub(super) fn say_more(&self, kind: Kind, shown: &First, view: &View) {
        if shown.more {
            let limit = self.limit.saturating_mul(5);
            output::note(&format!("there are more {} than these: --limit {limit} shows more, --all shows all", kind.plural()));
        } else if shown.records.is_empty() {
            output::note(&format!("there are no such {} that you may see{}", kind.plural(), view.elsewhere()));
        }
    }
}

fn merged(lists: Vec<First>, most: usize) -> First {
    let mut more = lists.iter().any(|list| list.more);
    let mut records: Vec<Record> = lists.into_iter().flat_map(|list| list.records).collect();
    // Each list is of its own moment: a record that went from one to another meanwhile is in both.
    records.sort_by_key(|record| (record.id(), std::cmp::Reverse(record.revision())));
    records.dedup_by_key(|record| record.id());
    records.sort_by_key(|record| std::cmp::Reverse((record.updated_at(), record.id())));
    more |= records.len() > most;
    records.truncate(most);
    First { records, more }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(days: &[u32], more: bool) -> First {
        let record = |day: &u32| {
            let id = uuid(*day);
            let text = format!(r#"{{"kind":"note","id":"{id}","owner_id":"{id}","title":"t","created_at":"2026-01-{day:02}T00:00:00Z"}}"#);
            Record::from_json_bytes(text.as_bytes()).unwrap()
        };
        First { records: days.iter().map(record).collect(), more }
    }

    fn uuid(n: u32) -> mosaic_core::Id {
        mosaic_core::Id::from_u128(n.into())
    }

    #[test]
    fn lists_are_merged_by_their_order_and_cut() {
        let days = |first: &First| first.records.iter().map(|record| record.id().as_u128()).collect::<Vec<_>>();
        let both = merged(vec![list(&[9, 3], false), list(&[5, 1], false)], 3);
        assert_eq!((days(&both), both.more), (vec![9, 5, 3], true));
        let both = merged(vec![list(&[9], false), list(&[5, 1], false)], 3);
        assert_eq!((days(&both), both.more), (vec![9, 5, 1], false));
        assert!(merged(vec![list(&[9], true)], 1).more);
    }

    #[test]
    fn a_record_that_went_from_one_list_to_another_is_shown_once_as_it_became() {
        let at = |revision: u64| {
            let text = serde_json::json!({
                "kind": "note", "id": uuid(7), "owner_id": uuid(7), "title": "t", "created_at": "2026-01-01T00:00:00Z",
                "updated_at": format!("2026-01-0{revision}T00:00:00Z"), "revision": revision,
            });
            First { records: vec![Record::from_json_bytes(text.to_string().as_bytes()).unwrap()], more: false }
        };
        for lists in [vec![at(2), list(&[5], false), at(3)], vec![at(3), list(&[5], false), at(2)]] {
            let both = merged(lists, 2);
            assert_eq!(both.records.iter().map(Record::revision).collect::<Vec<_>>(), [1, 3]);
            assert!(!both.more, "none is left out");
        }
    }
}
