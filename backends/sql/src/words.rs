//! A record's words as Postgres keeps them (manual, section 8.11.1): each lexeme with where it stands and how much it says. What
//! must not come in: how a text is cut into words, which is core's.

use std::collections::BTreeMap;

use mosaic_core::Passages;
use mosaic_core::words::lexemes;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{Postgres, Type};

/// So many places of a lexeme are kept. Postgres takes 255 (manual, section 12.11), but what ranks must read them all: of the words that
/// stand everywhere, the first places say enough.
const PLACES: usize = 32;
/// Postgres keeps no place larger than this (manual, section 12.11).
const LAST: u16 = 16_383;
/// Once the lexemes of a record and their places take so many bytes, further lexemes are left out: Postgres takes 1 MiB.
const BYTES: usize = 900 << 10;
/// Between two passages: words of both are not near to each other.
const GAP: u16 = 10;

/// Of `tsvector` and `tsvector[]` (Postgres, `pg_type.dat`).
const TSVECTOR: PgTypeInfo = PgTypeInfo::with_oid(Oid(3614));
const TSVECTORS: PgTypeInfo = PgTypeInfo::with_oid(Oid(3643));

/// A `tsvector`, in binary: reading it as text was 7 % of what an import costs.
#[derive(Debug, PartialEq)]
pub(crate) struct Words(Vec<u8>);

impl Type<Postgres> for Words {
    fn type_info() -> PgTypeInfo {
        TSVECTOR
    }
}

impl PgHasArrayType for Words {
    fn array_type_info() -> PgTypeInfo {
        TSVECTORS
    }
}

impl Encode<'_, Postgres> for Words {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}

/// The words of a record.
pub(crate) fn words(passages: &Passages<'_>) -> Words {
    let mut found = Found::default();
    found.add(passages.title, Weight::A);
    for tag in passages.tags {
        found.add(tag, Weight::B);
    }
    found.add(passages.body, Weight::D);
    found.encoded()
}

/// How much a place says, as the highest two bits of it.
#[derive(Clone, Copy)]
enum Weight {
    A = 3 << 14,
    B = 2 << 14,
    D = 0,
}

#[derive(Default)]
struct Found {
    /// Each is behind the one before.
    places: BTreeMap<String, Vec<(u16, Weight)>>,
    bytes: usize,
    last: u16,
}

impl Found {
    fn add(&mut self, text: &str, weight: Weight) {
        for (lexeme, _) in lexemes(text) {
            self.last = (self.last + 1).min(LAST);
            let place = (self.last, weight);
            match self.places.get_mut(&lexeme) {
                Some(places) if places.len() < PLACES && places.last().is_none_or(|(last, _)| *last < self.last) => {
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
        self.last = (self.last + GAP).min(LAST);
    }

    /// The number of lexemes, then each, ended by a zero, with the number of its places and these (`tsvectorrecv` in Postgres' `tsvector.c`).
    /// In the order of their bytes, as Postgres has them, it need not sort them.
    fn encoded(&self) -> Words {
        let mut encoded = Vec::with_capacity(4 + self.bytes);
        encoded.extend((self.places.len() as u32).to_be_bytes());
        for (lexeme, places) in &self.places {
            // Words have no zeros in them.
            encoded.extend(lexeme.as_bytes());
            encoded.push(0);
            encoded.extend((places.len() as u16).to_be_bytes());
            for (place, weight) in places {
                encoded.extend((place | *weight as u16).to_be_bytes());
            }
        }
        Words(encoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lexeme_says_where_it_stands_and_how_much_it_says() {
        let tags = ["pods".to_owned()];
        let Words(encoded) = words(&Passages { title: "In-place", tags: &tags, body: "Place, and pods" });
        let lexemes = [("and", &[25][..]), ("in", &[0xc001]), ("place", &[0xc002, 24]), ("pod", &[0x800d, 26])];
        let mut expected = vec![0, 0, 0, 4];
        for (lexeme, places) in lexemes {
            expected.extend([lexeme.as_bytes(), &[0, 0, places.len() as u8]].concat());
            expected.extend(places.iter().flat_map(|place: &u16| place.to_be_bytes()));
        }
        assert_eq!(encoded, expected);
        assert_eq!(words(&Passages::default()), Words(vec![0; 4]));
    }

    #[test]
    fn no_text_has_more_words_than_postgres_takes() {
        let body: String = (0..300_000).map(|n| format!("{n:x} ")).collect();
        let Words(encoded) = words(&Passages { body: &body, ..Passages::default() });
        let count = u32::from_be_bytes(encoded[..4].try_into().unwrap());
        assert!(encoded.len() < 2 << 20 && count > 50_000, "{count} words in {} bytes", encoded.len());
        let body = "same ".repeat(400_000);
        let Words(encoded) = words(&Passages { body: &body, ..Passages::default() });
        assert_eq!(encoded.len(), 4 + "same".len() + 3 + 2 * PLACES);
        // Postgres refuses a lexeme that stands twice in one place: the last is that of all behind it.
        let body: String = (0..17_000).map(|n| format!("{n:x} ")).collect();
        let Words(encoded) = words(&Passages { body: &(body + "zz zz"), ..Passages::default() });
        assert!(encoded.ends_with(&[b'z', b'z', 0, 0, 1, 0x3f, 0xff]), "{:?}", &encoded[encoded.len() - 9..]);
    }
}
