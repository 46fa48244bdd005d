//! What a backup is shown as: tables for people, and JSON for programs. What must not come in: deciding anything.

use std::path::Path;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::backup::{Difference, Holdings, Manifest, Restored};
use crate::cli::table::{Column, layout};
use crate::cli::terminal::Screen;

/// The version of what `--json` writes.
const SCHEMA: &str = "mosaic.backup-answer/1";

/// What `--json` writes.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    schema: &'static str,
    /// `created`, `verified`, `restored`, `different`, `aborted` or `nothing`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<&'a Manifest>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(outcome: &'static str) -> Self {
        Self { schema: SCHEMA, outcome, file: None, bytes: None, manifest: None, differences: Vec::new(), seconds: None }
    }

    pub(super) fn created(file: &Path, bytes: u64, manifest: &'a Manifest) -> Self {
        Self { file: Some(file.display().to_string()), bytes: Some(bytes), manifest: Some(manifest), ..Self::new("created") }
    }

    /// What was found of a backup where it was restored: `outcome`, unless something differs.
    pub(super) fn restored(outcome: &'static str, file: &Path, restored: &'a Restored) -> Self {
        let differences = restored.differences();
        let outcome = if differences.is_empty() { outcome } else { "different" };
        let seconds = Some((restored.took.as_secs_f64() * 1_000.0).round() / 1_000.0);
        Self { file: Some(file.display().to_string()), manifest: Some(&restored.manifest), differences, seconds, ..Self::new(outcome) }
    }
}

/// What a backup holds.
pub(super) fn holdings(holds: &Holdings) -> String {
    let columns = [Column::Text("KIND"), Column::Number("RECORDS"), Column::Number("SIZE")];
    let rows = holds.compared(holds).into_iter();
    let rows = rows.map(|one| vec![one.of, number(one.expected.records), HumanBytes(one.expected.bytes).to_string()]);
    layout(&columns, rows, Screen::of_stdout())
}

/// What a backup says it holds, beside what was found.
pub(super) fn compared(restored: &Restored) -> String {
    let columns = [Column::Text("KIND"), Column::Number("IN THE BACKUP"), Column::Number("READ BACK"), Column::Text("HASH")];
    let rows = restored.manifest.holds.compared(&restored.found).into_iter().map(|one| {
        let hash = if one.expected.hash == one.found.hash { "the same" } else { "differs" };
        vec![one.of, number(one.expected.records), number(one.found.records), hash.to_owned()]
    });
    layout(&columns, rows, Screen::of_stdout())
}

/// How much there is, in a line.
pub(super) fn counted(holds: &Holdings) -> String {
    let (records, embeddings) = (holds.record_count(), holds.embedding_count());
    let many = |count: u64, one: &str| format!("{} {one}{}", number(count), if count == 1 { "" } else { "s" });
    format!("{} and {}", many(records, "record"), many(embeddings, "embedding"))
}

fn number(count: u64) -> String {
    HumanCount(count).to_string()
}
