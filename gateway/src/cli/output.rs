//! What commands write: results to standard output, everything said on the way to standard error. A reader that goes
//! away (`mosaic user list | head -1`) ends a command quietly.

use std::fmt;
use std::io::{self, Write as _};
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Result, Timestamp};
use serde::Serialize;

use super::table::{Cell, Column, layout};
use super::terminal::{Screen, Style, is_unseen, visible};

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

/// Writes a text as it is, colours and all, and the end of its line, to standard output.
pub(super) fn write(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(unwritable)
}

/// Writes a value as JSON, for scripts.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new(ErrorKind::Internal, "the result cannot be written as JSON").source(error))?;
    write(&harmless(&text))
}

/// Writes a value as JSON on one line, for programs that read as it comes.
pub(super) fn json_line(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::Internal, "the result cannot be written as JSON").source(error))?;
    write(&harmless(&text))
}

/// Writes a text as it is, and no end of a line, to standard output.
pub(super) fn piece(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(unwritable)
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

/// Writes a table to standard output: a line of headings, then one line a row.
pub(super) fn table<C: Into<Cell>>(columns: &[Column], rows: impl IntoIterator<Item = Vec<C>>) -> Result<()> {
    write(&layout(columns, rows, Screen::of_stdout()))
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
    let mark = Screen::of_stderr().paint("error:", Style::Bad);
    let _ = writeln!(io::stderr().lock(), "{mark} {}", visible(&format!("{error}{hint}")));
    ExitCode::FAILURE
}

/// Says on standard error that there is a fault in the program: one line, instead of a backtrace.
pub(super) fn panicked(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
    note(&format!("fault in mosaic {}: {what}{place}; please report it", env!("CARGO_PKG_VERSION")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_all_and_a_terminal_obeys_none_of_it() {
        let text = "a\u{1b}[31mb\nc\u{202e}d\u{9b}\u{2028} é 漢";
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
