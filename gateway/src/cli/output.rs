//! What commands write: results to standard output, everything said on the way to standard error. A reader that goes
//! away (`mosaic user list | head -1`) ends a command quietly.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use mosaic_core::{Error, ErrorKind, Result, Timestamp};
use serde::Serialize;

/// The source of an error which says that nobody reads standard output any more.
#[derive(Debug)]
struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// The error of a write to standard output.
pub(super) fn unwritable(error: io::Error) -> Error {
    let refused = Error::new(ErrorKind::Unavailable, "standard output cannot be written").with("reason", &error);
    if error.kind() == io::ErrorKind::BrokenPipe { refused.source(ReaderGone) } else { refused.source(error) }
}

/// Whether an error only says that nobody reads standard output any more.
pub(super) fn is_of_no_reader(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<ReaderGone>())
}

/// Writes a line to standard output.
pub(super) fn line(text: &str) -> Result<()> {
    write(&visible(text))
}

/// Writes a text as it is, and the end of its line, to standard output.
fn write(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(unwritable)
}

/// Writes a value as JSON, for scripts.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new(ErrorKind::Internal, "the result cannot be written as JSON").source(error))?;
    write(&harmless(&text))
}

/// JSON that says the same without characters that a terminal would obey: they stand inside of strings, escaped (RFC 8259, 7).
fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unseen(c) && c != '\n' {
            // All of them are in the basic plane, and so one escape each.
            let _ = fmt::Write::write_fmt(&mut text, format_args!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// Says something on the way, on standard error. Nobody being there to hear it is no failure.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", visible(text));
}

/// How the cells of a column are placed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Column {
    /// Text, from the left.
    Text(&'static str),
    /// A number, to the right.
    Number(&'static str),
}

/// Writes a table to standard output: a line of headings, then one line a row.
pub(super) fn table(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|column| match column {
        Column::Text(name) | Column::Number(name) => *name,
    }));
    for row in rows {
        table.add_row(row.iter().map(|cell| visible(cell)));
    }
    for (i, column) in columns.iter().enumerate() {
        if let Some(cells) = table.column_mut(i) {
            cells.set_padding((0, 2));
            if matches!(column, Column::Number(_)) {
                cells.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    write(&table.trim_fmt())
}

/// A time to the second; a dash for none.
pub(super) fn time(time: Option<Timestamp>) -> String {
    match time.and_then(|time| Timestamp::from_micros(time.as_micros().div_euclid(1_000_000) * 1_000_000)) {
        Some(time) => time.to_string(),
        None => "-".to_owned(),
    }
}

/// A span of time, to two or three digits.
pub(super) fn span(span: Duration) -> String {
    match span.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{} ms", span.as_millis()),
        seconds if seconds < 100.0 => format!("{seconds:.1} s"),
        seconds => format!("{seconds:.0} s"),
    }
}

/// Says on standard error why a command failed: one line, with the cure.
pub(super) fn failed(error: &Error) -> ExitCode {
    if is_of_no_reader(error) {
        return ExitCode::SUCCESS;
    }
    let hint = error.hint_text().map(|hint| format!("; {hint}")).unwrap_or_default();
    let (on, off) = if coloured() { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
    let _ = writeln!(io::stderr().lock(), "{on}error:{off} {}", visible(&format!("{error}{hint}")));
    ExitCode::FAILURE
}

/// Says on standard error that there is a fault in the program: one line, instead of a backtrace.
pub(super) fn panicked(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
    note(&format!("fault in mosaic {}: {what}{place}; please report it", env!("CARGO_PKG_VERSION")));
}

/// Whether standard error takes colours: it is a terminal that knows them, and nobody said no (no-color.org).
fn coloured() -> bool {
    let says_no = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !says_no && std::env::var_os("TERM").is_none_or(|term| term != "dumb") && io::stderr().is_terminal()
}

/// The text on one line, without characters that a terminal would obey: names and titles are other people's.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if is_unseen(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Whether a character moves, hides or turns what is around it: controls, line separators, and marks of direction (UAX #9, 2).
fn is_unseen(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_nothing_to_obey() {
        let text = "a\u{1b}[31mb\nc\u{202e}d\u{9b}\u{2028} é 漢";
        assert_eq!(visible(text), "a\u{fffd}[31mb c\u{fffd}d\u{fffd}\u{fffd} é 漢");
        let json = harmless(&serde_json::to_string_pretty(&[text]).unwrap());
        assert_eq!(json, "[\n  \"a\\u001b[31mb\\nc\\u202ed\\u009b\\u2028 é 漢\"\n]");
        assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap()[0], text, "it says the same");
    }

    #[test]
    fn times_are_cut_to_the_second() {
        assert_eq!(time(Some("2026-03-01T12:00:00.999999Z".parse().unwrap())), "2026-03-01T12:00:00Z");
        assert_eq!(time(None), "-");
    }
}
