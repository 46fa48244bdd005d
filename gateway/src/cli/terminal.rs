//! What a terminal shows and what it must not be told: texts without characters that it would obey, how wide it is, and how
//! something stands out on it. What must not come in: what is written, and when.

use std::io::{self, IsTerminal};

use unicode_width::UnicodeWidthStr as _;

/// How a text stands out. Never the only thing that says something: not every reader sees colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Style {
    /// Not at all.
    #[default]
    Plain,
    /// What is looked for first: titles, headings.
    Strong,
    /// What is there for those who need it.
    Faint,
    /// A word that was searched for.
    Found,
    /// Done.
    Good,
    /// Under way.
    Active,
    /// To be seen to before it is bad.
    Warning,
    /// To be looked at: blocked, urgent, overdue, an error.
    Bad,
}

impl Style {
    /// Its parameters of the control sequence Select Graphic Rendition (ECMA-48, 8.3.117).
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Found => "1;33",
            Self::Good => "32",
            Self::Active => "36",
            Self::Warning => "33",
            Self::Bad => "1;31",
        }
    }
}

/// What a stream shows on: a terminal, or nothing that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Screen {
    /// How many columns it has; `None` when what is written goes elsewhere than to a terminal.
    pub(super) width: Option<usize>,
    /// Whether it takes colours.
    pub(super) colours: bool,
}

impl Screen {
    /// What standard output shows on.
    pub(super) fn of_stdout() -> Self {
        let stdout = io::stdout();
        let width = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
        Self { width, colours: takes_colours(&stdout) }
    }

    /// What standard error shows on. What is said there is never laid out.
    pub(super) fn of_stderr() -> Self {
        Self { width: None, colours: takes_colours(&io::stderr()) }
    }

    /// The text, standing out where that can be shown.
    pub(super) fn paint(self, text: &str, style: Style) -> String {
        if self.colours && style != Style::Plain { format!("\u{1b}[{}m{text}\u{1b}[0m", style.code()) } else { text.to_owned() }
    }
}

/// Whether a stream is a terminal that knows colours, and nobody said no (no-color.org).
fn takes_colours(stream: &impl IsTerminal) -> bool {
    let says_no = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !says_no && std::env::var_os("TERM").is_none_or(|term| term != "dumb") && stream.is_terminal()
}

/// The text on one line, without characters that a terminal would obey: names and titles are other people's.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if is_unseen(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The text with its lines and tabs, and otherwise without characters that a terminal would obey.
pub(super) fn visible_lines(text: &str) -> String {
    text.replace("\r\n", "\n").chars().map(|c| if is_unseen(c) && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

/// Whether a character moves, hides or turns what is around it: controls, line separators, and marks of direction (UAX #9, 2).
pub(super) fn is_unseen(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// How many columns a text takes (UAX #11).
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of a text that fits into so many columns, with a mark where it was cut.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let left = columns.saturating_sub(1);
    // A character may widen the one before it, so it is never measured alone.
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| width(&text[..*end]) <= left).last().unwrap_or(0);
    let mut kept = text[..end].trim_end().to_owned();
    kept.push('…');
    kept
}

/// The words of a text in lines of so many columns. A word that is wider has a line of its own, and is cut nowhere.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_nothing_to_obey() {
        let text = "a\u{1b}[31mb\nc\u{202e}d\u{9b}\u{2028} é 漢";
        assert_eq!(visible(text), "a\u{fffd}[31mb c\u{fffd}d\u{fffd}\u{fffd} é 漢");
        assert_eq!(visible_lines("a\r\n\tb\u{1b}c\r"), "a\n\tb\u{fffd}c\u{fffd}");
    }

    #[test]
    fn a_text_is_cut_by_the_columns_it_takes() {
        for (text, columns, expected) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("two words", 5, "two…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}", 5, "☺\u{fe0f}☺\u{fe0f}…"),
            ("☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}☺\u{fe0f}", 6, "☺\u{fe0f}☺\u{fe0f}☺…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
        ] {
            assert_eq!(cut(text, columns), expected, "{text} to {columns}");
            assert!(width(&cut(text, columns)) <= columns);
        }
    }

    #[test]
    fn lines_are_as_long_as_they_may_be_and_words_are_whole() {
        let text = "a dir=/a/long/path 日本 日本";
        assert_eq!(wrapped(text, 9), ["a", "dir=/a/long/path", "日本 日本"]);
        assert_eq!(wrapped(text, 8), ["a", "dir=/a/long/path", "日本", "日本"]);
        assert_eq!(wrapped(text, usize::MAX), [text]);
        assert_eq!(wrapped("", 9), [""]);
    }

    #[test]
    fn only_a_screen_with_colours_gets_them() {
        let colours = Screen { width: None, colours: true };
        assert_eq!(colours.paint("a", Style::Found), "\u{1b}[1;33ma\u{1b}[0m");
        assert_eq!(colours.paint("a", Style::Plain), "a");
        assert_eq!(Screen::default().paint("a", Style::Bad), "a");
    }
}
