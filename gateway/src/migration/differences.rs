//! Where two sides differ: both are read once more, side by side in the order of an export, up to the first few differences. What must not
//! come in: whether they do, which fingerprints tell sooner.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fmt;

use mosaic_core::{Embedding, Id, Kind, Record, Result};
use serde::Serialize;
use serde_json::Value;

use super::pages::{self, Pages};
use super::report::Subject;
use super::side::Side;

/// So many are named of each subject.
const NAMED: usize = 10;

/// What differs of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is a difference of.
    #[serde(rename = "kind")]
    pub subject: Subject,
    /// The record's kind.
    #[serde(rename = "of")]
    pub kind: Kind,
    /// The record's id.
    pub id: Id,
    /// What differs.
    #[serde(flatten)]
    pub what: What,
}

/// How two sides differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum What {
    /// The source has it, the target has not.
    Missing,
    /// The target has it, the source has not.
    Added,
    /// Both have it, and not the same.
    Changed {
        /// In what.
        fields: Vec<String>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject {
            Subject::Records(kind) => write!(f, "{kind} {}", self.id)?,
            Subject::Embeddings => write!(f, "embedding of the {} {}", self.kind, self.id)?,
        }
        match &self.what {
            What::Missing => f.write_str(" is missing in the target"),
            What::Added => f.write_str(" is in the target alone"),
            What::Changed { fields } => write!(f, " is not the same in {}", fields.join(", ")),
        }
    }
}

/// The first differences of each subject.
///
/// # Errors
/// Those of both storages.
pub(super) async fn differences(source: &Side, target: &Side) -> Result<Vec<Difference>> {
    let mut found = Found::default();
    let (left, right) = (pages::records(&source.storage, None), pages::records(&target.storage, None));
    compare(left, right, |record| (record.kind(), record.id()), |(kind, id), what| found.note(Subject::Records(kind), kind, id, what))
        .await?;
    if let (Some(left), Some(right)) = (&source.vectors, &target.vectors) {
        let (left, right) = (pages::embeddings(left, None), pages::embeddings(right, None));
        let key = |embedding: &Embedding| (embedding.vector.model.clone(), embedding.kind, embedding.id);
        compare(left, right, key, |(_, kind, id), what| found.note(Subject::Embeddings, kind, id, what)).await?;
    }
    Ok(found.differences)
}

#[derive(Default)]
struct Found {
    differences: Vec<Difference>,
}

impl Found {
    fn note(&mut self, subject: Subject, kind: Kind, id: Id, what: What) {
        if self.differences.iter().filter(|difference| difference.subject == subject).count() < NAMED {
            self.differences.push(Difference { subject, kind, id, what });
        }
    }
}

/// Something whose fields can be compared one by one.
trait Fields {
    /// The fields that differ from the other's.
    fn changed(&self, other: &Self) -> Vec<String>;
}

impl Fields for Record {
    fn changed(&self, other: &Self) -> Vec<String> {
        let fields = |record: &Self| serde_json::to_value(record).ok();
        let (Some(Value::Object(left)), Some(Value::Object(right))) = (fields(self), fields(other)) else { return Vec::new() };
        let mut names: Vec<_> = left.keys().chain(right.keys()).filter(|name| left.get(*name) != right.get(*name)).cloned().collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Fields for Embedding {
    fn changed(&self, other: &Self) -> Vec<String> {
        let bits = |embedding: &Self| embedding.vector.components.iter().map(|component| component.to_bits()).collect::<Vec<_>>();
        let parts = [("revision", self.revision != other.revision), ("vector", bits(self) != bits(other))];
        parts.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
    }
}

/// Reads both in the order of their keys, and tells what differs.
async fn compare<T: Fields, K: Ord>(
    mut left: Pages<T>,
    mut right: Pages<T>,
    key: impl Fn(&T) -> K,
    mut note: impl FnMut(K, What),
) -> Result<()> {
    let (mut lefts, mut rights) = (VecDeque::new(), VecDeque::new());
    loop {
        fill(&mut lefts, &mut left).await?;
        fill(&mut rights, &mut right).await?;
        let order = match (lefts.front(), rights.front()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => key(left).cmp(&key(right)),
        };
        let one = if order == Ordering::Greater { None } else { lefts.pop_front() };
        let other = if order == Ordering::Less { None } else { rights.pop_front() };
        match (one, other) {
            (Some(one), Some(other)) => {
                let fields = one.changed(&other);
                if !fields.is_empty() {
                    note(key(&one), What::Changed { fields });
                }
            }
            (Some(one), None) => note(key(&one), What::Missing),
            (None, Some(other)) => note(key(&other), What::Added),
            (None, None) => {}
        }
    }
}

async fn fill<T>(items: &mut VecDeque<T>, pages: &mut Pages<T>) -> Result<()> {
    if items.is_empty()
        && let Some(page) = pages.next().await?
    {
        items.extend(page.items);
    }
    Ok(())
}
