//! `mosaic doctor`

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use mosaic_core::{Check, Result, Status};

use super::output;
use super::progress::waiting;
use super::terminal::{Screen, Style, visible, width, wrapped};
use crate::doctor::{self, Report};

const EXAMPLES: &str = "\
Examples:
  mosaic doctor
  mosaic doctor --config team.json
  mosaic doctor --strict && mosaic serve
  mosaic doctor --json | jq -r '.checks[] | select(.status != \"green\") | .id'

It looks at the config, at what the tier needs, and at who answers where the
gateway would, in less than 3 s. It changes and starts nothing, whether a gateway
runs or not.

Exit codes: 0 green or yellow, 1 red (with --strict also yellow), 2 wrong usage.";

/// Check what the tier needs, and how it is
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Doctor {
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// Fail when a check is yellow, too
    #[arg(long)]
    strict: bool,
    /// Write the JSON Schema of what --json writes, and look at nothing
    #[arg(long, conflicts_with_all = ["json", "strict"])]
    schema: bool,
}

impl Doctor {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<ExitCode> {
        if self.schema {
            output::json(&doctor::schema())?;
            return Ok(ExitCode::SUCCESS);
        }
        let report = waiting("looking at what the tier needs", doctor::run(config)).await;
        let written = if self.json { output::json(&report) } else { output::write(&text(&report, Screen::of_stdout())) };
        match written {
            // How it is counts also for who has seen enough.
            Err(error) if !output::is_of_no_reader(&error) => return Err(error),
            _ => {}
        }
        let tolerated = if self.strict { Status::Green } else { Status::Yellow };
        Ok(if report.status() <= tolerated { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Between two columns.
const GAP: usize = 2;
/// The least columns for what was found beside where it was looked for; with less, it has lines of its own below.
const ROOM: usize = 40;
/// The least columns that a line of text gets, however narrow the terminal is.
const LEAST: usize = 20;

fn mark(status: Status) -> (&'static str, Style) {
    match status {
        Status::Green => ("✓ green", Style::Good),
        Status::Yellow => ("! yellow", Style::Warning),
        Status::Red => ("✗ red", Style::Bad),
    }
}

/// What is shown of a check.
struct Line {
    mark: &'static str,
    style: Style,
    id: String,
    latency: String,
    place: String,
    message: String,
    remediation: Option<String>,
}

impl Line {
    fn of(check: &Check) -> Self {
        let (mark, style) = mark(check.status);
        Self {
            mark,
            style,
            id: visible(&check.id),
            latency: format!("{} ms", check.latency_ms),
            place: visible(&format!("{} {}", check.service, check.target)),
            message: visible(&check.message),
            remediation: check.remediation.as_deref().map(visible),
        }
    }
}

/// The report for people: a line a check, what to do about it below, and last of all what it comes to. Nothing is cut. On a terminal
/// that is too narrow, what was found is below too, broken between words.
fn text(report: &Report, screen: Screen) -> String {
    let lines: Vec<_> = report.checks().iter().map(Line::of).collect();
    let widest = |of: fn(&Line) -> &str| lines.iter().map(|line| width(of(line))).max().unwrap_or(0);
    let (marks, id, latency) = (widest(|line| line.mark), widest(|line| &line.id), widest(|line| &line.latency));
    let (place, message) = (widest(|line| &line.place), widest(|line| &line.message));
    // Where the id begins, the place, and what was found when it is beside it.
    let (second, fourth) = (marks + GAP, marks + GAP + id + GAP + latency + GAP);
    let fifth = fourth + place + GAP;
    let columns = |begin: usize| screen.width.map_or(usize::MAX, |width| width.saturating_sub(begin).max(LEAST));
    let beside = screen.width.is_none_or(|width| width >= fifth + ROOM.min(message));

    let mut text = String::new();
    for line in &lines {
        let painted = screen.paint(line.mark, line.style);
        let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(width(text)));
        let head = [painted, pad(line.mark, second), line.id.clone(), pad(&line.id, id + GAP), pad(&line.latency, latency)];
        text.extend(head);
        text.push_str(&screen.paint(&line.latency, Style::Faint));
        text.push_str(&" ".repeat(GAP));
        if beside {
            text.extend([screen.paint(&line.place, Style::Faint), pad(&line.place, place + GAP)]);
            hang(&mut text, &line.message, fifth, columns(fifth), |text| text.to_owned());
        } else {
            hang(&mut text, &line.place, fourth, columns(fourth), |text| screen.paint(text, Style::Faint));
            text.push_str(&" ".repeat(second));
            hang(&mut text, &line.message, second, columns(second), |text| text.to_owned());
        }
        if let Some(remediation) = &line.remediation {
            // A command that is copied has to be one line. Where it is too long for the screen, the screen breaks it.
            text.extend([&" ".repeat(second), "→ ", remediation, "\n"]);
        }
    }
    text.push('\n');
    text.push_str(&screen.paint(&visible(report.summary()), mark(report.status()).1));
    text
}

/// Adds a text at column `begin`, where the line at hand has got to, in lines of so many columns below each other.
fn hang(to: &mut String, text: &str, begin: usize, columns: usize, paint: impl Fn(&str) -> String) {
    for (n, line) in wrapped(text, columns).iter().enumerate() {
        if n > 0 {
            to.push_str(&" ".repeat(begin));
        }
        to.push_str(&paint(line));
        to.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, status: Status, target: &str, message: &str, remediation: Option<&str>) -> Check {
        Check {
            id: id.to_owned(),
            service: "disk".to_owned(),
            target: target.to_owned(),
            status,
            latency_ms: if status == Status::Red { 2004 } else { 3 },
            message: message.to_owned(),
            remediation: remediation.map(str::to_owned),
        }
    }

    fn report() -> Report {
        let cure = "free some space there, or choose another directory with MOSAIC_LOCAL__DATA_DIR";
        Report::new(
            Some("local".to_owned()),
            vec![
                check("local.directory", Status::Green, "/srv/data", "a mosaic data directory", None),
                check("local.space", Status::Yellow, "/srv/data", "62 MiB free", Some("free some space")),
                check("local.writable", Status::Red, "/srv/other/data", "no room (dir=/srv/data, free_mib=2, needed_mib=200)", Some(cure)),
            ],
        )
    }

    fn on(width: Option<usize>) -> String {
        text(&report(), Screen { width, colours: false })
    }

    #[test]
    fn elsewhere_than_on_a_terminal_a_check_is_a_line() {
        let expected = "\
✓ green   local.directory     3 ms  disk /srv/data        a mosaic data directory
! yellow  local.space         3 ms  disk /srv/data        62 MiB free
          → free some space
✗ red     local.writable   2004 ms  disk /srv/other/data  no room (dir=/srv/data, free_mib=2, needed_mib=200)
          → free some space there, or choose another directory with MOSAIC_LOCAL__DATA_DIR

tier local is not well, 1 of 3 checks is red: local.writable; 1 is yellow: local.space";
        assert_eq!(on(None), expected);
        assert_eq!(on(Some(110)), expected);
    }

    #[test]
    fn a_terminal_breaks_what_was_found_between_words() {
        let expected = "\
✗ red     local.writable   2004 ms  disk /srv/other/data  no room (dir=/srv/data, free_mib=2,
                                                          needed_mib=200)
          → free some space there, or choose another directory with MOSAIC_LOCAL__DATA_DIR";
        assert!(on(Some(100)).contains(expected), "{}", on(Some(100)));
    }

    #[test]
    fn a_narrow_terminal_has_what_was_found_below() {
        let expected = "\
✓ green   local.directory     3 ms  disk /srv/data
          a mosaic data directory
! yellow  local.space         3 ms  disk /srv/data
          62 MiB free
          → free some space
✗ red     local.writable   2004 ms  disk /srv/other/data
          no room (dir=/srv/data, free_mib=2, needed_mib=200)
          → free some space there, or choose another directory with MOSAIC_LOCAL__DATA_DIR

tier local is not well, 1 of 3 checks is red: local.writable; 1 is yellow: local.space";
        assert_eq!(on(Some(80)), expected);
        assert!(on(Some(1)).contains("\n✗ red     local.writable   2004 ms  disk /srv/other/data\n"), "nothing is cut: {}", on(Some(1)));
    }

    #[test]
    fn colours_are_for_screens_and_take_no_room() {
        let coloured = text(&report(), Screen { width: Some(80), colours: true });
        assert!(coloured.contains("\u{1b}[33m! yellow\u{1b}[0m  local.space  "), "{coloured}");
        assert!(
            coloured
                .ends_with("\u{1b}[1;31mtier local is not well, 1 of 3 checks is red: local.writable; 1 is yellow: local.space\u{1b}[0m")
        );
        let mut plain = coloured;
        for code in ["33", "32", "1;31", "2", "0"] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(plain, on(Some(80)));
    }

    #[test]
    fn a_terminal_obeys_nothing_that_was_found() {
        let checks = vec![check("a\u{1b}[2J", Status::Red, "b\u{9b}", "c\nd\u{202e}", Some("e\u{7}"))];
        let shown = text(&Report::new(Some("f\u{1b}".to_owned()), checks), Screen::default());
        assert!(shown.lines().count() == 4 && !shown.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{shown:?}");
    }
}
