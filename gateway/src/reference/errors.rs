//! `docs/reference/errors.md`: the problems that the API answers with, the exit codes, and the doctor's checks.

use mosaic_core::{CheckEntry, registry};

use super::{code, head, table};
use crate::doctor::OF_ANY_TIER;
use crate::http::problems;

const ABOUT: &str = "What can go wrong, and what to do: what [the API](../http.md) answers, how [commands](../cli.md) end, and what \
    [`mosaic doctor`](../cli.md#how-it-is) finds.";
const PROBLEMS: &str = "An answer that is an error is a document of the type `application/problem+json`. Its `code` stays; its `detail` is for people; \
    its `hint` says what to do, and is the one below unless there is a better one. `request_id` finds it in the gateway's log.";
const CODES: &str = "A command that fails says why on standard error, in one line, with the cure behind a semicolon.";
const CHECKS: &str = "Green is well; yellow works, and something should be done; red does not work, and as a rule a start is refused for it. What a \
    check finds has a cure of its own, which is more to the point than the one here.";

/// The page.
pub fn errors() -> String {
    let mut text = head("Reference: errors and checks", ABOUT);
    text.push_str(&format!("\n## Problems of the API\n\n{PROBLEMS}\n\n"));
    let rows: Vec<_> = problems().map(|[name, status, title, cure]| vec![code(&name), status, title, cure]).collect();
    text.push_str(&table(&["code", "status", "meaning", "hint"], &rows));
    text.push_str(&format!("\n## Exit codes of commands\n\n{CODES}\n\n"));
    let codes: Vec<_> = crate::cli::EXIT_CODES.iter().map(|(code, meaning)| vec![code.to_string(), (*meaning).to_owned()]).collect();
    text.push_str(&table(&["code", "meaning"], &codes));
    text.push_str(&format!("\n## Checks of the doctor\n\n{CHECKS}\n"));
    checks(&mut text, "Of every gateway", registry::checks().into_iter().filter(|check| tier_of(check) == "gateway"));
    checks(&mut text, "Of any tier", OF_ANY_TIER.iter());
    for entry in registry::backends().unwrap_or_default() {
        checks(&mut text, &format!("Of tier {}", entry.tier), registry::checks().into_iter().filter(|check| tier_of(check) == entry.tier));
    }
    text
}

fn tier_of(check: &CheckEntry) -> &'static str {
    check.id.split_once('.').map_or("", |(tier, _)| tier)
}

fn checks<'c>(text: &mut String, title: &str, checks: impl Iterator<Item = &'c CheckEntry>) {
    let rows: Vec<_> =
        checks.map(|check| vec![code(check.id), check.looks_at.into(), check.yellow.into(), check.red.into(), check.cure.into()]).collect();
    if !rows.is_empty() {
        let headings = ["check", "what it looks at", "yellow", "red", "what to do"];
        text.push_str(&format!("\n### {title}\n\n{}", table(&headings, &rows)));
    }
}
