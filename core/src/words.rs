//! Words: how a text is cut into what is searched for, the same on every backend. What must not come in: how words are stored.
//!
//! A word is a run of letters, digits and combining marks; each ideograph, kana and emoji is a word of its own, since such texts
//! have no spaces. Words compare by their *lexeme*: compatibility forms and accents are folded (NFKD, UAX #15), case too, and English
//! endings are cut off by the Snowball stemmer, which leaves other languages alone, as good as.
//!
//! ```
//! use mosaic_core::words::lexemes;
//!
//! let found: Vec<_> = lexemes("In-place Updates, café 原地").map(|(lexeme, _)| lexeme).collect();
//! assert_eq!(found, ["in", "place", "updat", "cafe", "原", "地"]);
//! ```

use std::collections::BTreeSet;
use std::ops::Range;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Only so many characters of a word count; what is longer is no word of a language.
pub const WORD_CHARS: usize = 64;

/// The lexemes of a text, each with the place of its word, in bytes.
pub fn lexemes(text: &str) -> impl Iterator<Item = (String, Range<usize>)> {
    let stemmer = Stemmer::create(Algorithm::English);
    words(text).filter_map(move |place| Some((lexeme(&stemmer, text.get(place.clone())?)?, place)))
}

/// Those lexemes of a text that are wanted, each with the place of its word, in bytes.
pub fn lexemes_among(text: &str, wanted: &BTreeSet<String>) -> impl Iterator<Item = (String, Range<usize>)> {
    let stemmer = Stemmer::create(Algorithm::English);
    // A word of ASCII begins as its lexeme does: most words need no closer look.
    let first = |word: &str| word.bytes().next().filter(u8::is_ascii).map(|byte| byte.to_ascii_lowercase());
    let begin: BTreeSet<_> = wanted.iter().filter_map(|lexeme| first(lexeme)).collect();
    words(text).filter_map(move |place| {
        let word = text.get(place.clone())?;
        let may_be = !word.is_ascii() || first(word).is_some_and(|byte| begin.contains(&byte));
        let lexeme = may_be.then(|| lexeme(&stemmer, word)).flatten()?;
        wanted.contains(&lexeme).then_some((lexeme, place))
    })
}

/// The words of a text, by their places in bytes.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut characters = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = characters.find(|(_, c)| stands_alone(*c) || c.is_alphanumeric())?;
        let mut end = start + first.len_utf8();
        while let Some((at, c)) = characters.next_if(|(_, c)| !stands_alone(first) && continues(*c)) {
            end = at + c.len_utf8();
        }
        Some(start..end)
    })
}

fn continues(c: char) -> bool {
    !stands_alone(c) && (c.is_alphanumeric() || is_combining_mark(c))
}

/// Whether a character is a word of its own: kana, ideographs, pictographs (blocks of Unicode 16).
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{1f000}'..='\u{1faff}' | '\u{20000}'..='\u{3ffff}')
}

/// What a word compares by; `None` when nothing of it is left.
fn lexeme(stemmer: &Stemmer, word: &str) -> Option<String> {
    let folded: String = if word.is_ascii() {
        word.chars().take(WORD_CHARS).map(|c| c.to_ascii_lowercase()).collect()
    } else {
        // Taken apart, some characters have spaces and signs in them, which no word has.
        let is_part = |c: &char| c.is_alphanumeric() || is_combining_mark(*c) || stands_alone(*c);
        let plain = word.nfkd().filter(|c| !('\u{300}'..='\u{36f}').contains(c) && is_part(c));
        plain.flat_map(char::to_lowercase).take(WORD_CHARS).collect()
    };
    if folded.is_empty() {
        return None;
    }
    let is_english = folded.bytes().all(|byte| byte.is_ascii_lowercase());
    Some(if is_english { stemmer.stem(&folded).into_owned() } else { folded })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(lexemes(text).map(|(lexeme, _)| lexeme).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn texts_are_cut_into_words() {
        check("", &[]);
        check(" -- \u{201c}!\u{201d} \u{300} ", &[]);
        check("kube-apiserver's v1.2 foo_bar", &["kube", "apiserv", "s", "v1", "2", "foo", "bar"]);
        check("原地更新 コンテナ", &["原", "地", "更", "新", "コ", "ン", "テ", "ナ"]);
        check("ship🚀it ❤\u{fe0f}", &["ship", "🚀", "it", "❤"]);
        check("한국어 हिन्दी ελληνικά", &["\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}\u{110b}\u{1165}", "हिन्दी", "ελληνικα"]);
    }

    #[test]
    fn words_that_are_the_same_to_a_reader_have_one_lexeme() {
        for (one, other) in [("Updates", "update"), ("CAFÉ", "cafe\u{301}"), ("ＡＢＣ", "abc"), ("ﬁles", "file"), ("Policies", "policy")]
        {
            assert!(lexemes(one).map(|(l, _)| l).eq(lexemes(other).map(|(l, _)| l)), "{one} {other}");
        }
    }

    /// Backends put lexemes between quotes, and words of their own that begin with a space beside them.
    #[test]
    fn no_character_makes_a_lexeme_with_a_space_or_a_quote() {
        for c in '\0'..=char::MAX {
            for text in [c.to_string(), format!("{c}nowhere"), format!("no{c}where")] {
                for (lexeme, _) in lexemes(&text) {
                    assert!(lexeme.chars().all(|c| c.is_alphanumeric() || is_combining_mark(c) || stands_alone(c)), "{c:?}: {lexeme:?}");
                }
            }
        }
        check("⑴ \u{37a}nowhere \u{fdfa}", &["1", "nowher", "صلىاللهعليهوسلم"]);
    }

    #[test]
    fn wanted_lexemes_are_those_that_are_wanted() {
        let text = "Updates of ﬁles, Élan, elan; 更新 and Yes";
        let wanted = ["updat", "file", "elan", "更", "yes"].map(str::to_owned).into();
        let among: Vec<_> = lexemes_among(text, &wanted).collect();
        assert_eq!(among, lexemes(text).filter(|(lexeme, _)| wanted.contains(lexeme)).collect::<Vec<_>>());
        assert_eq!(among.len(), 6);
    }

    #[test]
    fn a_word_says_where_it_is_and_is_cut_when_it_is_no_word() {
        let text = "a — naïve idea";
        let places: Vec<_> = lexemes(text).map(|(_, place)| &text[place]).collect();
        assert_eq!(places, ["a", "naïve", "idea"]);
        check(&"9".repeat(100_000), &["9".repeat(WORD_CHARS).as_str()]);
    }
}
