//! Secrets, and every form in which one could be seen. What must not come in: where they are put.

use std::fmt::Write as _;

use crate::harness::Random;

/// What is special somewhere: in URLs, in JSON, in a shell, in a log; and what looks as if it were escaped already.
const JOINTS: &[&str] = &[
    "%", "@", ":", "/", "#", "?", "'", "\"", " ", "&", "=", "+", "\\", ";", "$", "{", "]", "<", "|", "^", "`", ",", "!", "*", "~", "ü",
    "漢", "%40", "%2F", "%3A", "%25", "://", "@@", "%s", "$$", "\\n", "a@b:c",
];
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
const DIGITS: &[u8] = b"123456789";
/// What is shorter may be seen by chance.
const PIECE: usize = 8;

/// Makes secrets, and remembers them.
pub(super) struct Secrets {
    random: Random,
    joint: usize,
    made: Vec<String>,
}

impl Secrets {
    pub(super) fn new(mut random: Random) -> Self {
        let joint = usize::try_from(random.below(JOINTS.len() as u64)).unwrap();
        Self { random, joint, made: Vec::new() }
    }

    /// One for a single place, with secrets of its own.
    pub(super) fn fork(&mut self) -> Self {
        Self::new(Random::seeded(self.random.next()))
    }

    /// Pieces that are met by no chance, with something special between them.
    pub(super) fn next(&mut self) -> String {
        let mut secret = self.piece(LETTERS);
        for _ in 0..=self.random.below(2) {
            self.joint += 1;
            secret += JOINTS[self.joint % JOINTS.len()];
            secret += &self.piece(LETTERS);
        }
        self.remember(secret)
    }

    /// One of letters and digits.
    pub(super) fn plain(&mut self) -> String {
        let secret = self.piece(LETTERS) + self.piece(LETTERS).as_str();
        self.remember(secret)
    }

    /// A password of digits, as one forgets to put in quotes.
    pub(super) fn digits(&mut self) -> String {
        let secret = self.piece(DIGITS) + self.piece(DIGITS).as_str();
        self.remember(secret)
    }

    /// What somebody else has made.
    pub(super) fn remember(&mut self, secret: String) -> String {
        self.made.push(secret.clone());
        secret
    }

    /// What is no secret, but met only once.
    pub(super) fn name(&mut self) -> String {
        self.piece(DIGITS)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap()
    }

    fn piece(&mut self, of: &[u8]) -> String {
        (0..PIECE).map(|_| char::from(of[usize::try_from(self.random.below(of.len() as u64)).unwrap()])).collect()
    }

    /// Every form of every secret, and every piece of it: half a password is too much.
    pub(super) fn forms(&self) -> Vec<String> {
        let mut forms: Vec<_> = self.made.iter().flat_map(|secret| forms(secret)).collect();
        forms.sort();
        forms.dedup();
        forms
    }
}

fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), encoded(secret), encoded(secret).to_ascii_lowercase(), format!("{secret:?}")];
    forms.push(serde_json::Value::from(secret).to_string());
    forms.extend(secret.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned));
    // Behind whatever else was encoded with it.
    for before in ["", "x", "xx"] {
        let text = base64(&format!("{before}{secret}"));
        // What is of the neighbours too is left out.
        let own = text.get(if before.is_empty() { 0 } else { 4 }..text.len().saturating_sub(4)).unwrap_or_default();
        forms.extend([own.to_owned(), own.replace('+', "-").replace('/', "_")]);
    }
    // Without the quotes around.
    let bare = forms.iter().map(|form| form.trim_matches('"').to_owned()).collect::<Vec<_>>();
    bare.into_iter().filter(|form| form.len() >= PIECE).collect()
}

/// A part of a URL, percent-encoded where it must be.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() {
            all.push(byte.into());
        } else {
            let _ = write!(all, "%{byte:02X}");
        }
        all
    })
}

/// RFC 4648, 4, without padding.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = text.bytes().fold(String::new(), |all, byte| format!("{all}{byte:08b}"));
    let sextets = bits.as_bytes().chunks(6).map(|sextet| {
        let value = sextet.iter().fold(0, |value, bit| value * 2 + usize::from(bit - b'0')) << (6 - sextet.len());
        char::from(ALPHABET[value])
    });
    sextets.collect()
}

#[test]
fn every_form_is_known() {
    let forms = forms("Pa55word1@Ünd/zweites9");
    for form in ["Pa55word1%40%C3%9Cnd%2Fzweites9", "Pa55word1", "zweites9"] {
        assert!(forms.iter().any(|known| form.contains(known.as_str())), "{form} in {forms:?}");
    }
    // `printf 'user:Pa55word1@Ünd/zweites9' | base64`, with three lengths of the user.
    for before in ["u:", "us:", "use:"] {
        let seen = base64(&format!("{before}Pa55word1@Ünd/zweites9"));
        assert!(forms.iter().any(|known| seen.contains(known.as_str())), "{seen} in {forms:?}");
    }
    assert_eq!(base64("Man"), "TWFu");
    assert_eq!(base64("Ma"), "TWE");
    assert_eq!(base64("M"), "TQ");
}
