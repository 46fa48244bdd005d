//! A record's words as Postgres keeps them (manual, section 8.11.1): each lexeme with where it stands and how much it says. What
//! must not come in: how a text is cut into words, which is core's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mosaic_core::Passages;
use mosaic_core::words::lexemes;

/// So many places of a lexeme are kept. Postgres takes 255 (manual, section 12.11), but what ranks must read them all: of the words that
/// stand everywhere, the first places say enough.
const PLACES: usize = 32;
/// Postgres keeps no place larger than this (manual, section 12.11).
const LAST: usize = 16_383;
/// Once the lexemes of a record and their places take so many bytes, further lexemes are left out: Postgres takes 1 MiB.
const BYTES: usize = 900 << 10;
/// Between two passages: words of both are not near to each other.
const GAP: usize = 10;

/// The literal of a `tsvector`.
pub(crate) fn words(passages: &Passages<'_>) -> String {
    let mut found = Found::default();
    found.add(passages.title, 'A');
    for tag in passages.tags {
        found.add(tag, 'B');
    }
    found.add(passages.body, 'D');
    found.literal()
}

#[derive(Default)]
struct Found {
    places: BTreeMap<String, Vec<(usize, char)>>,
    bytes: usize,
    last: usize,
}

impl Found {
    fn add(&mut self, text: &str, weight: char) {
        for (lexeme, _) in lexemes(text) {
            self.last += 1;
            let place = (self.last.min(LAST), weight);
            match self.places.get_mut(&lexeme) {
                Some(places) if places.len() < PLACES && places.last() != Some(&place) => {
                    self.bytes += 2;
                    places.push(place);
                }
                Some(_) => {}
                None if self.bytes < BYTES => {
                    // The lexeme, the room to align it, the number of its places, and the first of them.
                    self.bytes += lexeme.len() + 5;
                    self.places.insert(lexeme, vec![place]);
                }
                None => {}
            }
        }
        self.last += GAP;
    }

    fn literal(&self) -> String {
        let mut literal = String::new();
        for (lexeme, places) in &self.places {
            // Words have no quotes and no backslashes in them.
            let _ = write!(literal, "'{lexeme}'");
            for (i, (place, weight)) in places.iter().enumerate() {
                let separator = if i == 0 { ':' } else { ',' };
                let _ = write!(literal, "{separator}{place}");
                if *weight != 'D' {
                    literal.push(*weight);
                }
            }
            literal.push(' ');
        }
        literal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lexeme_says_where_it_stands_and_how_much_it_says() {
        let tags = ["pods".to_owned()];
        let literal = words(&Passages { title: "In-place update", tags: &tags, body: "Updates, and pods" });
        assert_eq!(literal, "'and':26 'in':1A 'place':2A 'pod':14B,27 'updat':3A,25 ");
        assert_eq!(words(&Passages::default()), "");
    }

    #[test]
    fn no_text_has_more_words_than_postgres_takes() {
        let body: String = (0..300_000).map(|n| format!("{n:x} ")).collect();
        let literal = words(&Passages { body: &body, ..Passages::default() });
        assert!(literal.len() < 3 << 20 && literal.split(' ').count() > 50_000);
        let body = "same ".repeat(400_000);
        assert!(words(&Passages { body: &body, ..Passages::default() }).len() < 4_000);
    }
}
