//! Searches: what is asked for, and what comes back: not the records, which may be large, but what a reader needs to choose one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::{lexemes, lexemes_among};
use crate::{Error, Id, Kind, Record, Result, Timestamp};

/// The most hits that a search answers.
pub const SEARCH_HITS: usize = 100;

/// As many hits as are answered where nobody says how many.
const DEFAULT_HITS: usize = 20;
/// The most words that a search looks for.
pub const SEARCH_WORDS: usize = 32;
/// The longest text of a search, in bytes.
pub const SEARCH_BYTES: usize = 2_000;
/// An excerpt is taken from so many bytes of a body's beginning: more would only take time.
pub const EXCERPT_FROM_BYTES: usize = 64 << 10;
/// About how long an excerpt is, in bytes.
const EXCERPT_BYTES: usize = 240;

/// A search for records in which every word occurs.
///
/// ```
/// use mosaic_core::{Kind, Search};
///
/// let search = Search::new("In-place updates")?.kinds(vec![Kind::Note])?.limit(10)?;
/// assert_eq!(search.words().collect::<Vec<_>>(), ["in", "place", "updat"]);
/// assert!(Search::new("--").is_err());
/// # Ok::<(), mosaic_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    words: BTreeSet<String>,
    /// The kinds of the records, each of them one that [is searched](Kind::is_searched).
    pub kinds: Vec<Kind>,
    /// Only records of this space.
    pub space_id: Option<Id>,
    /// The most hits to answer, 1 to [`SEARCH_HITS`].
    pub limit: usize,
}

impl Kind {
    /// Every kind that is searched.
    pub fn searched() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kind| kind.is_searched())
    }

    /// Refuses a kind that is not searched.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], naming those that are.
    pub fn check_searched(self) -> Result<()> {
        if self.is_searched() {
            return Ok(());
        }
        let names: Vec<_> = Self::searched().map(Self::singular).collect();
        Err(Error::invalid(format!("{} are not searched", self.plural())).hint(format!("use {}", names.join(", "))))
    }
}

impl Search {
    /// A search for the words of a text, in all that the caller may see, for up to 20 hits.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a text that is too long, or has too many words or none.
    pub fn new(text: &str) -> Result<Self> {
        if text.len() > SEARCH_BYTES {
            return Err(Error::invalid(format!("the search is too long: {} bytes, {SEARCH_BYTES} at most", text.len())));
        }
        let words: BTreeSet<_> = lexemes(text).map(|(lexeme, _)| lexeme).collect();
        match words.len() {
            0 => Err(Error::invalid("there is no word to search for").hint("search for letters, digits or emoji")),
            n if n > SEARCH_WORDS => Err(Error::invalid(format!("the search has too many words: {n}, {SEARCH_WORDS} at most"))),
            _ => Ok(Self { words, kinds: Kind::searched().collect(), space_id: None, limit: DEFAULT_HITS }),
        }
    }

    /// A search without words, for what is found otherwise: by a vector. A storage is not to be asked for it.
    pub fn wordless() -> Self {
        Self { words: BTreeSet::new(), kinds: Kind::searched().collect(), space_id: None, limit: DEFAULT_HITS }
    }

    /// Whether there are words.
    pub fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    /// Narrows the search to some kinds; none stands for all.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a kind that is not searched.
    pub fn kinds(mut self, kinds: Vec<Kind>) -> Result<Self> {
        kinds.iter().try_for_each(|kind| kind.check_searched())?;
        if !kinds.is_empty() {
            self.kinds = kinds.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        }
        Ok(self)
    }

    /// Sets the most hits to answer.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] outside of 1 to [`SEARCH_HITS`].
    pub fn limit(mut self, limit: usize) -> Result<Self> {
        if !(1..=SEARCH_HITS).contains(&limit) {
            return Err(Error::invalid(format!("limit is 1 to {SEARCH_HITS}")).with("limit", limit));
        }
        self.limit = limit;
        Ok(self)
    }

    /// The words, as they compare, in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// Whether every word occurs in the record.
    pub fn finds(&self, record: &Record) -> bool {
        let passages = record.passages();
        let tags = passages.tags.iter().map(String::as_str);
        let mut missing: BTreeSet<_> = self.words().collect();
        for text in std::iter::once(passages.title).chain(tags).chain([passages.body]) {
            for (lexeme, _) in lexemes_among(text, &self.words) {
                missing.remove(lexeme.as_str());
                if missing.is_empty() {
                    return true;
                }
            }
        }
        false
    }

    /// A record as a hit: with its place, and what of it shows the words. `session` is a message's.
    pub fn hit(&self, record: &Record, session: Option<&Record>, space_id: Id) -> Hit {
        let passages = record.passages();
        let (session_id, title) = match session {
            Some(Record::Session(session)) => (Some(session.id), session.title.as_str()),
            _ => (None, passages.title),
        };
        Hit {
            kind: record.kind(),
            id: record.id(),
            space_id,
            session_id,
            title: title.to_owned(),
            excerpt: self.excerpt(passages.body),
            created_at: record.created_at(),
            updated_at: record.updated_at(),
        }
    }

    /// What of a text shows the words: the shortest stretch of its first [`EXCERPT_FROM_BYTES`] with the most of them, in about a line or
    /// two. White space is one space each.
    pub fn excerpt(&self, text: &str) -> Vec<Piece> {
        let text = &text[..text.floor_char_boundary(EXCERPT_FROM_BYTES)];
        let found: Vec<_> = lexemes_among(text, &self.words).collect();
        let shown = best(&found).map_or(0..0, |best| best.clone());
        let places: Vec<_> = found.get(shown).into_iter().flatten().map(|(_, place)| place.clone()).collect();
        let span = around(text, places.first().map_or(0, |first| first.start), places.last().map_or(0, |last| last.end));
        // Words beyond the best ones that are in sight are shown as well.
        let seen = found.iter().map(|(_, place)| place.clone()).filter(|place| span.start <= place.start && place.end <= span.end);
        pieces(text, span.clone(), seen)
    }
}

/// The run of found words within an excerpt's length that has the most different ones; of several the first.
fn best(found: &[(String, Range<usize>)]) -> Option<Range<usize>> {
    let mut best: Option<(usize, Range<usize>)> = None;
    let mut within: BTreeMap<&str, usize> = BTreeMap::new();
    let mut from = 0;
    for (to, (lexeme, place)) in found.iter().enumerate() {
        *within.entry(lexeme).or_default() += 1;
        while place.end - found[from].1.start > EXCERPT_BYTES && from < to {
            let left = found[from].0.as_str();
            within.entry(left).and_modify(|count| *count -= 1);
            if within.get(left) == Some(&0) {
                within.remove(left);
            }
            from += 1;
        }
        if best.as_ref().is_none_or(|(most, _)| within.len() > *most) {
            best = Some((within.len(), from..to + 1));
        }
    }
    best.map(|(_, run)| run)
}

/// A stretch of about an excerpt's length that holds `start..end`, from and to the ends of words.
fn around(text: &str, start: usize, end: usize) -> Range<usize> {
    let room = EXCERPT_BYTES.saturating_sub(end - start);
    let from = text.floor_char_boundary(start.saturating_sub(room / 3));
    let from = if from == 0 { 0 } else { text[from..start].find(char::is_whitespace).map_or(start, |space| from + space) };
    let to = text.floor_char_boundary((end + room - (start - from).min(room)).min(text.len()));
    let to = if to == text.len() { to } else { text[end..to].rfind(char::is_whitespace).map_or(to, |space| end + space) };
    from..to
}

/// The stretch in pieces, those at `places` as found, with marks where the text goes on.
fn pieces(text: &str, span: Range<usize>, places: impl Iterator<Item = Range<usize>>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut done = span.start;
    let mut add = |range: Range<usize>, found: bool, before: &str, after: &str| {
        let text = format!("{before}{}{after}", one_line(&text[range]));
        if !text.is_empty() {
            pieces.push(Piece { text, found });
        }
    };
    let before = if text[..span.start].trim().is_empty() { "" } else { "…" };
    let after = if text[span.end..].trim().is_empty() { "" } else { "…" };
    let mut lead = before;
    for place in places {
        add(done..place.start, false, std::mem::take(&mut lead), "");
        add(place.clone(), true, "", "");
        done = place.end;
    }
    add(done..span.end, false, lead, after);
    pieces
}

/// The text with one space for each run of white space.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_whitespace() {
            line.push(c);
        } else if !line.ends_with(' ') {
            line.push(' ');
        }
    }
    line
}

/// What a search found: a record, by what one needs to choose it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    /// The record's kind.
    pub kind: Kind,
    /// The record's id.
    pub id: Id,
    /// The space it lives in: a team's id, or a user's.
    pub space_id: Id,
    /// Of a message: its session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Id>,
    /// The record's title; of a message, its session's.
    pub title: String,
    /// What of its body shows the words, in pieces; its beginning, where none does.
    pub excerpt: Vec<Piece>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A piece of an excerpt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether it is one of the words that were searched for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(search: &str, text: &str) -> String {
        let pieces = Search::new(search).unwrap().excerpt(text);
        pieces.iter().map(|piece| if piece.found { format!("[{}]", piece.text) } else { piece.text.clone() }).collect()
    }

    #[test]
    fn an_excerpt_shows_the_words() {
        assert_eq!(excerpt("updates pods", "An  update\nof pods"), "An [update] of [pods]");
        assert_eq!(excerpt("更新", "原地更新容器"), "原地[更][新]容器");
        assert_eq!(excerpt("absent", "A text\twithout it"), "A text without it");
        assert_eq!(excerpt("x", ""), "");
    }

    #[test]
    fn an_excerpt_is_where_most_words_are_together() {
        let filler = "nothing here is of interest ".repeat(20);
        let text = format!("pod {filler} the resources of a pod {filler}");
        let shown = excerpt("resources of pod", &text);
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains("the [resources] [of] a [pod]"), "{shown}");
        assert!(shown.len() < EXCERPT_BYTES + 40, "{shown}");
    }

    #[test]
    fn an_excerpt_of_any_text_is_short_and_cuts_no_character() {
        for text in ["é".repeat(200_000), "a ".repeat(200_000), "🚀".repeat(100_000), format!("{} é", "x".repeat(EXCERPT_FROM_BYTES - 2))]
        {
            for search in ["é", "a", "🚀", "x"] {
                assert!(excerpt(search, &text).len() < 3 * EXCERPT_BYTES, "{search}");
            }
        }
    }

    #[test]
    fn a_search_is_bounded() {
        assert!(Search::new(&"word ".repeat(10_000)).is_err());
        assert!(Search::new(&(0..33).map(|n| format!("w{n} ")).collect::<String>()).is_err());
        assert!(Search::new(&"same ".repeat(100)).is_ok());
        for nothing in ["", " ", "\"&|!:*()<->'", "\u{200b}"] {
            assert!(Search::new(nothing).is_err(), "{nothing:?}");
        }
        for odd in ["a", "& | ! 'x'", "更", "🚀", "a:*", "\0b"] {
            assert!(Search::new(odd).is_ok(), "{odd:?}");
        }
        assert!(Search::new("a").unwrap().kinds(vec![Kind::User]).is_err());
        assert!(Search::new("a").unwrap().limit(0).is_err() && Search::new("a").unwrap().limit(101).is_err());
    }
}
