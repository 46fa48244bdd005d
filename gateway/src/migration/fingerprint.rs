//! What tells whether two sides hold the same, in whatever order they are read: the count, and the sum of the hashes of the canonical
//! form of each item. What must not come in: reading.

use std::collections::BTreeMap;

use mosaic_core::{Embedding, Error, ErrorKind, Kind, Record, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use super::report::Subject;

/// How many there are, how large they are, and the sum, modulo 2^256, of their SHA-256. A sum, and not an exclusive or: that would not
/// see what is there twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// How many.
    pub records: u64,
    /// The bytes of their canonical forms together.
    pub bytes: u64,
    /// The sum of the hashes.
    pub hash: Sum,
}

/// A number of 256 bits, the lowest part first. As text, 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum([u64; 4]);

impl Fingerprint {
    /// Counts one more, by its canonical form.
    pub(crate) fn add(&mut self, canonical: &[u8]) {
        self.merge(&Self { records: 1, bytes: canonical.len() as u64, hash: Sum::of(canonical) });
    }

    /// Counts what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.hash = self.hash.plus(other.hash);
    }
}

impl Sum {
    fn of(bytes: &[u8]) -> Self {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let mut parts = hash.chunks_exact(8).map(|part| part.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        Self(std::array::from_fn(|_| parts.next().unwrap_or_default()))
    }

    fn plus(self, other: Self) -> Self {
        let mut carry = false;
        Self(std::array::from_fn(|part| {
            let (sum, over) = self.0[part].overflowing_add(other.0[part]);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            carry = over || again;
            sum
        }))
    }

    /// 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        self.0.iter().rev().map(|part| format!("{part:016x}")).collect()
    }

    fn from_hex(text: &str) -> Option<Self> {
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let part = |part: usize| u64::from_str_radix(text.get(48 - part * 16..64 - part * 16)?, 16).ok();
        is_hex.then_some([part(0)?, part(1)?, part(2)?, part(3)?]).map(Self)
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_hex(&String::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("not 64 hexadecimal digits"))
    }
}

/// The fingerprints of everything, by what they are of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Fingerprints(BTreeMap<Subject, Fingerprint>);

impl Fingerprints {
    /// Those of these records: of each, the line that an export has of it.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] for a record that cannot be written as JSON.
    pub(crate) fn of_records(records: &[Record]) -> Result<Self> {
        let (mut all, mut line) = (Self::default(), Vec::new());
        for record in records {
            line.clear();
            serde_json::to_writer(&mut line, record).map_err(|error| {
                Error::new(ErrorKind::Internal, "a stored record cannot be written as JSON").with("id", record.id()).source(error)
            })?;
            all.0.entry(Subject::Records(record.kind())).or_default().add(&line);
        }
        Ok(all)
    }

    /// Those of these embeddings: of each its kind, its id, its revision, its model, and every bit of its components.
    pub(crate) fn of_embeddings(embeddings: &[Embedding]) -> Self {
        let (mut all, mut form) = (Self::default(), Vec::new());
        for embedding in embeddings {
            form.clear();
            form.extend_from_slice(embedding.kind.singular().as_bytes());
            form.push(0);
            form.extend_from_slice(embedding.id.as_bytes());
            form.extend_from_slice(&embedding.revision.to_le_bytes());
            // No control character is in a model's name.
            form.extend_from_slice(embedding.vector.model.as_bytes());
            form.push(0);
            embedding.vector.components.iter().for_each(|component| form.extend_from_slice(&component.to_bits().to_le_bytes()));
            all.0.entry(Subject::Embeddings).or_default().add(&form);
        }
        all
    }

    /// Counts what others have counted.
    pub(super) fn merge(&mut self, others: &Self) {
        others.0.iter().for_each(|(subject, other)| self.0.entry(*subject).or_default().merge(other));
    }

    /// The fingerprint of one subject.
    pub(crate) fn of(&self, subject: Subject) -> Fingerprint {
        self.0.get(&subject).copied().unwrap_or_default()
    }
}

/// Everything that is moved, in the order in which it is.
pub(super) fn subjects() -> impl Iterator<Item = Subject> {
    Kind::ALL.iter().copied().map(Subject::Records).chain([Subject::Embeddings])
}

#[cfg(test)]
mod tests {
    use mosaic_core::{Id, Vector};
    use serde_json::json;

    use super::*;

    fn of(items: &[&str]) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        items.iter().for_each(|item| fingerprint.add(item.as_bytes()));
        fingerprint
    }

    #[test]
    fn the_order_does_not_count_and_everything_else_does() {
        let abc = of(&["a", "b", "c"]);
        assert_eq!(abc, of(&["c", "a", "b"]));
        for other in [of(&["a", "b"]), of(&["a", "b", "c", "c"]), of(&["a", "b", "d"]), of(&["ab", "c", ""]), of(&["a", "a", "c"])] {
            assert_ne!(abc, other);
        }
        let mut merged = of(&["b"]);
        merged.merge(&of(&["c", "a"]));
        assert_eq!(merged, abc);
    }

    #[test]
    fn a_sum_carries_and_is_text_and_back() {
        let most = Sum([u64::MAX; 4]);
        assert_eq!(most.plus(Sum([1, 0, 0, 0])), Sum::default());
        assert_eq!(Sum([u64::MAX, 0, 0, 0]).plus(Sum([2, 0, 0, 0])), Sum([1, 1, 0, 0]));
        // FIPS 180-4: the SHA-256 of "abc".
        assert_eq!(Sum::of(b"abc").0[0].to_le_bytes(), [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea]);
        for sum in [most, Sum::default(), Sum::of(b"abc")] {
            assert_eq!(serde_json::from_value::<Sum>(json!(sum)).unwrap(), sum);
        }
        assert!(serde_json::from_value::<Sum>(json!("+".repeat(64))).is_err());
    }

    #[test]
    fn every_kind_is_counted_under_a_name_of_its_own() {
        let subjects: Vec<_> = subjects().collect();
        assert_eq!(subjects.len(), Kind::ALL.len() + 1);
        for (place, subject) in subjects.iter().enumerate() {
            assert!(!subjects[..place].contains(subject), "{subject} twice");
            assert_eq!(subject.to_string().parse::<Subject>().unwrap(), *subject);
        }
        assert!(Kind::ALL.iter().all(|kind| subjects.contains(&Subject::Records(*kind))));
    }

    #[test]
    fn every_part_of_an_embedding_counts() {
        let embedding = |components: &[f32]| Embedding {
            kind: Kind::Task,
            id: Id::from_u128(1),
            revision: 1,
            vector: Vector { model: "m".into(), components: components.to_vec() },
        };
        let one = Fingerprints::of_embeddings(&[embedding(&[0.0, 1.0])]);
        assert_eq!(one.of(Subject::Embeddings).records, 1);
        let others = [
            embedding(&[-0.0, 1.0]),
            embedding(&[0.0]),
            Embedding { kind: Kind::Note, ..embedding(&[0.0, 1.0]) },
            Embedding { id: Id::from_u128(2), ..embedding(&[0.0, 1.0]) },
            Embedding { revision: 2, ..embedding(&[0.0, 1.0]) },
            Embedding { vector: Vector { model: "n".into(), components: vec![0.0, 1.0] }, ..embedding(&[]) },
        ];
        for other in others {
            assert_ne!(Fingerprints::of_embeddings(&[other]), one);
        }
    }
}
