//! One error type for the whole product. It says what went wrong, whether trying again can help,
//! what it concerns, and what to do about it. What must not come in: anything secret, since every
//! part of an error but its source may reach a terminal, a log or a client.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// The result of everything fallible in Mosaic.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What sort of failure this is. Front ends map it to a status or an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's input cannot be taken: malformed, out of bounds, or breaking a rule of the model.
    Invalid,
    /// The record does not exist, or the caller may not know that it does.
    NotFound,
    /// The caller may read the record, and may not do this to it.
    Forbidden,
    /// The id, or a name that must be unique, is taken by another record; or records still refer to this one.
    Conflict,
    /// The record has moved on: its revision is not the one the caller expected.
    Stale,
    /// The configuration cannot be used.
    Config,
    /// Another process owns the resource.
    InUse,
    /// The stored data is not ours, damaged, or of a version this build does not know.
    Corrupt,
    /// No space left where the data is kept.
    Full,
    /// A service does not answer, or went away.
    Unavailable,
    /// A deadline passed.
    Timeout,
    /// This backend or build does not offer it.
    Unsupported,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// The stable name used in API answers, in `snake_case`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Conflict => "conflict",
            Self::Stale => "stale",
            Self::Config => "config",
            Self::InUse => "in_use",
            Self::Corrupt => "corrupt",
            Self::Full => "full",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }
}

/// Whether the same call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Trying again gives the same answer.
    Never,
    /// Nothing was done; trying again is safe and may help.
    Safe,
    /// It may or may not have been done: look before trying again.
    Unknown,
}

/// An error with its cure. Display is one line, lowercase and without a full stop; Debug is the report for the log.
///
/// ```
/// use mosaic_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::InUse, "the data directory is owned by a running gateway")
///     .with("dir", "mosaic-data")
///     .with("pid", 4711)
///     .hint("mosaic import --url http://127.0.0.1:7420 FILE");
/// assert_eq!(
///     error.to_string(),
///     "the data directory is owned by a running gateway (dir=mosaic-data, pid=4711)"
/// );
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    hint: Option<Cow<'static, str>>,
    source: Option<Source>,
}

impl Error {
    /// An error that is not worth retrying, unless its kind says otherwise
    /// ([`ErrorKind::Unavailable`] and [`ErrorKind::InUse`] start as [`Retry::Safe`]).
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let retry = match kind {
            ErrorKind::Unavailable | ErrorKind::InUse => Retry::Safe,
            ErrorKind::Timeout => Retry::Unknown,
            _ => Retry::Never,
        };
        Self(Box::new(Inner { kind, retry, message: message.into(), context: Vec::new(), hint: None, source: None }))
    }

    /// Shorthand for [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Shorthand for [`ErrorKind::NotFound`]: the one answer for what is absent and for what may not be seen.
    pub fn not_found(kind: crate::Kind, id: crate::Id) -> Self {
        Self::new(ErrorKind::NotFound, format!("no {kind} with this id")).with("id", id)
    }

    /// Shorthand for [`ErrorKind::Stale`]: the record is at `current`, the caller expected another revision.
    pub fn stale(kind: crate::Kind, id: crate::Id, current: u64) -> Self {
        Self::new(ErrorKind::Stale, format!("the {kind} has changed since it was read"))
            .with("id", id)
            .with("revision", current)
            .hint("read it again, and repeat the change with its present revision")
    }

    /// Adds a fact: what the error concerns. Never a secret.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Says what to do about it, as a command that can be run wherever there is one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Attaches the cause. It goes to the log, never to a client.
    #[must_use]
    pub fn source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same once more, without its cause, for somebody else whom it concerns as well.
    #[must_use]
    pub fn repeated(&self) -> Self {
        let Inner { kind, retry, message, context, hint, source: _ } = &*self.0;
        let (message, context, hint) = (message.clone(), context.clone(), hint.clone());
        Self(Box::new(Inner { kind: *kind, retry: *retry, message, context, hint, source: None }))
    }

    /// Overrides the retry class.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may be made again.
    pub fn retry_class(&self) -> Retry {
        self.0.retry
    }

    /// The message alone, without context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the error concerns, in the order it was added.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// The value of one fact.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.context.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str())
    }

    /// What to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.without(&[]))
    }
}

/// An error on its line, without some of its facts, for whoever shows these in another place.
pub(crate) struct Without<'a> {
    error: &'a Error,
    facts: &'a [&'a str],
}

impl Error {
    pub(crate) fn without<'a>(&'a self, facts: &'a [&'a str]) -> Without<'a> {
        Without { error: self, facts }
    }
}

impl fmt::Display for Without<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        one_line(f, &self.error.0.message)?;
        let mut before = " (";
        for (key, value) in self.error.context().iter().filter(|(key, _)| !self.facts.contains(key)) {
            write!(f, "{before}{key}=")?;
            one_line(f, value)?;
            before = ", ";
        }
        f.write_str(if before == ", " { ")" } else { "" })
    }
}

/// Writes a text so that it stays on its line and shows what it holds: it may be somebody's input. Escaped are control characters, what
/// ends a line, and what turns the direction of writing (Unicode Standard Annex 9, table 1).
fn one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        match character {
            '\u{2028}' | '\u{2029}' | '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
                write!(f, "{}", character.escape_default())?;
            }
            _ if character.is_control() => write!(f, "{}", character.escape_default())?,
            _ => f.write_char(character)?,
        }
    }
    Ok(())
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}, retry {:?}]", self, self.0.kind.code(), self.0.retry)?;
        if let Some(hint) = &self.0.hint {
            f.write_str("\n  hint: ")?;
            one_line(f, hint)?;
        }
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, "\n  caused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|s| s as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_neither_breaks_the_line_nor_turns_it() {
        let input = "a\nb\r\u{1b}[31m\u{7f}\u{85}\u{9b}\u{202e}\u{2066}\u{61c}\u{2028} é\u{1F600} \"\\";
        let shown = "a\\nb\\r\\u{1b}[31m\\u{7f}\\u{85}\\u{9b}\\u{202e}\\u{2066}\\u{61c}\\u{2028} é\u{1F600} \"\\";
        let error = Error::invalid(format!("no such {input}")).with("tag", input).hint(format!("not {input}"));
        assert_eq!(error.to_string(), format!("no such {shown} (tag={shown})"));
        assert!(format!("{error:?}").ends_with(&format!("\n  hint: not {shown}")), "{error:?}");
        assert_eq!((error.get("tag"), error.hint_text()), (Some(input), Some(format!("not {input}").as_str())), "as it came, for programs");
    }

    #[test]
    fn the_source_is_in_the_report_and_not_on_the_line() {
        let error = Error::new(ErrorKind::Unavailable, "postgres does not answer")
            .with("target", "127.0.0.1:5432")
            .hint("docker compose up -d")
            .source(std::io::Error::other("connection refused"));
        assert_eq!(error.to_string(), "postgres does not answer (target=127.0.0.1:5432)");
        let report = format!("{error:?}");
        assert!(report.contains("caused by: connection refused"), "{report}");
        assert!(report.contains("hint: docker compose up -d"), "{report}");
        assert_eq!(error.retry_class(), Retry::Safe);
    }
}
