//! What a move is shown as: tables for people, and JSON for programs. What must not come in: deciding anything.

use std::time::Duration;

use indicatif::HumanBytes;
use mosaic_core::{Error, ErrorKind};
use serde::Serialize;

use super::number;
use crate::cli::output;
use crate::cli::table::{Column, layout};
use crate::cli::terminal::{Screen, visible};
use crate::migration::{Difference, End, Expected, Fingerprint, JournalState, Moved, Plan, Subject};

/// The version of what `--json` writes.
const SCHEMA: &str = "mosaic.migration/1";

/// What `--json` writes.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    schema: &'static str,
    /// `planned`, `blocked`, `moved`, `different`, `aborted`, `returned` or `nothing`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a End>,
    /// How far an earlier run has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<JournalState>,
    /// The administrator of a first start that makes room.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_config: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blockers: Vec<Blocker>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    differences: &'a [Difference],
}

#[derive(Serialize)]
struct Kind {
    kind: Subject,
    records: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

#[derive(Serialize)]
struct Blocker {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl<'a> Answer<'a> {
    fn new(outcome: &'static str) -> Self {
        Self {
            schema: SCHEMA,
            outcome,
            from: None,
            to: None,
            reached: None,
            replaces: None,
            new_config: None,
            kinds: Vec::new(),
            seconds: None,
            blockers: Vec::new(),
            differences: &[],
        }
    }

    pub(super) fn plan(plan: &'a Plan) -> Self {
        let kind = |expected: &Expected| Kind {
            kind: expected.subject,
            records: expected.records,
            bytes: expected.bytes,
            expected_seconds: Some(rounded(expected.time)),
            hash: None,
        };
        let blocker =
            |error: &Error| Blocker { code: error.kind().code(), message: error.to_string(), hint: error.hint_text().map(str::to_owned) };
        Self {
            from: Some(&plan.from),
            to: Some(&plan.to),
            reached: plan.reached,
            replaces: plan.replaces.as_deref(),
            new_config: Some(plan.new_config.display().to_string()),
            kinds: plan.expected.iter().map(kind).collect(),
            seconds: Some(rounded(plan.expected.iter().map(|expected| expected.time).sum())),
            blockers: plan.blockers.iter().map(blocker).collect(),
            ..Self::new(if plan.blockers.is_empty() { "planned" } else { "blocked" })
        }
    }

    pub(super) fn moved(moved: &'a Moved) -> Self {
        let kind = |(subject, print): &(Subject, Fingerprint)| Kind {
            kind: *subject,
            records: print.records,
            bytes: print.bytes,
            expected_seconds: None,
            hash: Some(print.hash.to_hex()),
        };
        Self {
            from: Some(&moved.from),
            to: Some(&moved.to),
            new_config: Some(moved.new_config.display().to_string()),
            kinds: moved.moved.iter().map(kind).collect(),
            seconds: moved.took.map(rounded),
            ..Self::new("moved")
        }
    }

    pub(super) fn different(plan: &'a Plan, differences: &'a [Difference]) -> Self {
        Self { from: Some(&plan.from), to: Some(&plan.to), differences, ..Self::new("different") }
    }

    /// What was undone of a move to there.
    pub(super) fn undone(outcome: &'static str, to: Option<&'a End>) -> Self {
        Self { to, ..Self::new(outcome) }
    }
}

/// The plan for people.
pub(super) fn plan(plan: &Plan) -> String {
    let mut lines = vec![format!("from  {}", end(&plan.from)), format!("to    {}", end(&plan.to))];
    lines.extend(plan.reached.map(|reached| format!("an earlier run has come to: {}", reached.name())));
    lines.extend(plan.replaces.as_ref().map(|login| format!("the administrator {login:?} that a first start made there is replaced")));
    lines.push(format!("the new config goes to {}", plan.new_config.display()));
    let head = lines.iter().map(|line| visible(line)).collect::<Vec<_>>().join("\n");
    if plan.expected.is_empty() {
        return head;
    }
    let row =
        |name: String, records: u64, bytes: u64, time: Duration| vec![name, number(records), HumanBytes(bytes).to_string(), about(time)];
    let rows = plan.expected.iter().map(|one| row(one.subject.to_string(), one.records, one.bytes, one.time));
    let all = &plan.expected;
    let total = row(
        "total".into(),
        all.iter().map(|one| one.records).sum(),
        all.iter().map(|one| one.bytes).sum(),
        all.iter().map(|one| one.time).sum(),
    );
    let columns = [Column::Text("KIND"), Column::Number("RECORDS"), Column::Number("BYTES"), Column::Number("EXPECTED")];
    format!("{head}\n\n{}", layout(&columns, rows.chain([total]), Screen::of_stdout()))
}

/// What was moved, for people.
pub(super) fn moved(moved: &Moved) -> String {
    let short = |hash: String| hash.chars().take(16).collect::<String>();
    let rows = moved.moved.iter().map(|(subject, print)| {
        vec![subject.to_string(), number(print.records), HumanBytes(print.bytes).to_string(), short(print.hash.to_hex())]
    });
    let columns = [Column::Text("KIND"), Column::Number("RECORDS"), Column::Number("BYTES"), Column::Text("HASH")];
    layout(&columns, rows, Screen::of_stdout())
}

/// How much was moved, in words.
pub(super) fn counted(moved: &Moved) -> String {
    let (embeddings, records): (Vec<_>, Vec<_>) = moved.moved.iter().partition(|(subject, _)| *subject == Subject::Embeddings);
    let sum = |some: Vec<&(Subject, Fingerprint)>| some.iter().map(|(_, print)| print.records).sum::<u64>();
    let (records, embeddings) = (sum(records), sum(embeddings));
    let s = |count| if count == 1 { "" } else { "s" };
    format!("{} record{}, {} embedding{}", number(records), s(records), number(embeddings), s(embeddings))
}

/// That both sides do not hold the same.
pub(super) fn different(abort: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "the target does not hold what the source holds: nothing was cut over")
        .hint(format!("undo the move, and begin anew: {abort}"))
}

fn end(end: &End) -> String {
    format!("{:<10}  {}", end.tier, if end.place.is_empty() { "(not opened)" } else { &end.place })
}

fn about(time: Duration) -> String {
    if time < Duration::from_secs(1) { "< 1 s".into() } else { output::span(Duration::from_secs(time.as_secs())) }
}

fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000.0).round() / 1_000.0
}
