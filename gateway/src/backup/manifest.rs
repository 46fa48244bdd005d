//! What a backup says of itself. What must not come in: how it is stored.

use std::collections::{BTreeMap, BTreeSet};

use mosaic_core::{Embedding, Error, ErrorKind, Id, Kind, Record, Result, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::migration::{Fingerprint, Fingerprints, Subject};

/// The version of the format.
pub(super) const FORMAT: &str = "mosaic.backup/1";
/// What every version of it begins with.
const FORMATS: &str = "mosaic.backup/";

/// Where a backup comes from: the first entry, by which it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The format, `mosaic.backup/1`.
    pub format: String,
    /// Of this backup alone.
    pub id: Id,
    /// When it was begun: what it holds is of this moment, or of one right after it.
    pub created_at: Timestamp,
    /// The version of Mosaic that made it.
    pub version: String,
    /// The tier that it was made of.
    pub tier: String,
}

impl Origin {
    /// That of a backup that is made now.
    pub fn new(id: Id, created_at: Timestamp, tier: &str) -> Self {
        Self { format: FORMAT.to_owned(), id, created_at, version: env!("CARGO_PKG_VERSION").to_owned(), tier: tier.to_owned() }
    }

    /// Reads it, of whichever version.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a format that this version does not know; [`ErrorKind::Invalid`] for what is none.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(json).map_err(|_| no_backup())?;
        let format = value["format"].as_str().unwrap_or_default();
        if !format.starts_with(FORMATS) {
            return Err(no_backup());
        }
        if format != FORMAT {
            return Err(Error::new(ErrorKind::Unsupported, "the backup is of a format that this version does not know")
                .with("format", format)
                .with("version", value["version"].as_str().unwrap_or_default())
                .hint("use the version of Mosaic that made it, or a later one"));
        }
        serde_json::from_value(value).map_err(|error| damaged().with("entry", "backup.json").source(error))
    }
}

/// What there is of everything, and the last entry of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The same as in the first entry.
    pub origin: Origin,
    /// What it holds.
    pub holds: Holdings,
}

/// How much there is of everything, and the fingerprint of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holdings {
    /// Of the records of each kind of which there are any.
    pub records: BTreeMap<Kind, Fingerprint>,
    /// Of the embeddings of each model.
    pub embeddings: BTreeMap<String, Fingerprint>,
    /// Of the documents of the state.
    pub documents: Fingerprint,
}

impl Holdings {
    /// Counts a record, by the line that an export has of it.
    pub(super) fn add_line(&mut self, kind: Kind, line: &[u8]) {
        self.records.entry(kind).or_default().add(line);
    }

    /// Counts records.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] for a record that cannot be written as JSON.
    pub(super) fn add_records(&mut self, records: &[Record]) -> Result<()> {
        for of_kind in records.chunk_by(|a, b| a.kind() == b.kind()) {
            let print = Fingerprints::of_records(of_kind)?.of(Subject::Records(of_kind[0].kind()));
            self.records.entry(of_kind[0].kind()).or_default().merge(&print);
        }
        Ok(())
    }

    /// Counts embeddings.
    pub(super) fn add_embeddings(&mut self, embeddings: &[Embedding]) {
        for of_model in embeddings.chunk_by(|a, b| a.vector.model == b.vector.model) {
            let print = Fingerprints::of_embeddings(of_model).of(Subject::Embeddings);
            self.embeddings.entry(of_model[0].vector.model.clone()).or_default().merge(&print);
        }
    }

    /// Counts a document, by its name and what is in it.
    pub(super) fn add_document(&mut self, name: &str, value: &Value) {
        self.documents.add(format!("{name}\0{value}").as_bytes());
    }

    /// Counts what others have counted.
    pub(super) fn merge(&mut self, others: &Self) {
        others.records.iter().for_each(|(kind, other)| self.records.entry(*kind).or_default().merge(other));
        others.embeddings.iter().for_each(|(model, other)| self.embeddings.entry(model.clone()).or_default().merge(other));
        self.documents.merge(&others.documents);
    }

    /// Makes sure that this is what was found.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] naming the first that differs.
    pub(super) fn check(&self, found: &Self) -> Result<()> {
        match self.differences(found).first() {
            None => Ok(()),
            Some(difference) => Err(damaged()
                .with("of", &difference.of)
                .with("manifest", difference.expected.records)
                .with("found", difference.found.records)
                .with("hash", if difference.expected.hash == difference.found.hash { "same" } else { "differs" })),
        }
    }

    /// What is not as here in what was found.
    pub fn differences(&self, found: &Self) -> Vec<Difference> {
        self.compared(found).into_iter().filter(|one| one.expected != one.found).collect()
    }

    /// Everything that is in either, side by side.
    pub fn compared(&self, found: &Self) -> Vec<Difference> {
        fn both<K: Ord + Clone>(
            expected: &BTreeMap<K, Fingerprint>,
            found: &BTreeMap<K, Fingerprint>,
            name: impl Fn(&K) -> String,
        ) -> Vec<Difference> {
            let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
            let of = |all: &BTreeMap<K, Fingerprint>, key: &K| all.get(key).copied().unwrap_or_default();
            keys.into_iter().map(|key| Difference { of: name(key), expected: of(expected, key), found: of(found, key) }).collect()
        }
        let mut all = both(&self.records, &found.records, Kind::to_string);
        all.extend(both(&self.embeddings, &found.embeddings, |model| format!("embedding by {model}")));
        all.push(Difference { of: "document".to_owned(), expected: self.documents, found: found.documents });
        all
    }

    /// All records, embeddings and documents together.
    pub fn total(&self) -> Fingerprint {
        let mut total = self.documents;
        self.records.values().chain(self.embeddings.values()).for_each(|one| total.merge(one));
        total
    }

    /// How many records there are, of all kinds.
    pub fn record_count(&self) -> u64 {
        self.records.values().map(|one| one.records).sum()
    }

    /// How many embeddings there are, of all models.
    pub fn embedding_count(&self) -> u64 {
        self.embeddings.values().map(|one| one.records).sum()
    }
}

/// How much there should be of something, and how much there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of what: a kind, the embeddings by a model, or documents.
    pub of: String,
    /// What the manifest says.
    pub expected: Fingerprint,
    /// What was found.
    pub found: Fingerprint,
}

/// Why something is refused that does not begin as a backup does.
pub(super) fn no_backup() -> Error {
    Error::invalid("this is no backup").hint("give a file that `mosaic backup create` made; `mosaic import` takes JSON Lines")
}

/// Why a backup is refused that is not as it was made.
pub(super) fn damaged() -> Error {
    Error::invalid("the backup is damaged").hint("use another copy of it, or another backup")
}
