//! Restoring: the entries of an archive go into an empty tier, each in one transaction with the number up to which they went. Cut off, it goes on
//! there; until it has come to its end, and all was read back, no gateway starts on it. What must not come in: files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mosaic_core::{Clock as _, Error, ErrorKind, Loaded, Opening, Record, Result, Snapshot, StateWrite, SystemClock};

use super::archive::Document as Kept;
use super::manifest::{Difference, Holdings, Manifest, Origin};
use super::read::{Archive, Item};
use super::still::Still;
use crate::config::Config;
use crate::documents;
use crate::migration::{Contents, Document, Restoring, Side, remove_first_start};

/// How many records are read back at a time, and how many embeddings.
const PAGE: usize = 1_000;

/// A place that a backup goes into.
pub struct Restore {
    side: Side,
    config: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// What was read back.
    pub found: Holdings,
    /// How long this run took.
    pub took: Duration,
    /// What makes searches quick and is still to be made, by the gateway there, and why.
    pub without_index: Option<Error>,
}

impl Restored {
    /// What is not as the backup says.
    pub fn differences(&self) -> Vec<Difference> {
        self.manifest.holds.differences(&self.found)
    }
}

impl Restore {
    /// Opens the tier of a config; it is made, and brought up to date.
    ///
    /// # Errors
    /// [`ErrorKind::InUse`] while a gateway works on it; whatever stands in the way of opening it.
    pub async fn open(config: &Config) -> Result<Self> {
        let file = config.source.as_deref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        Ok(Self { side: Side::restored(config, Opening::Prepare).await?, config: file })
    }

    /// Into a place that is open, which is nobody else's.
    pub(super) fn into_side(side: Side) -> Self {
        Self { side, config: None }
    }

    /// Restores a backup of this origin; `told` is told how many records and embeddings are in, and then how many were read back.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] where there is data already, or a part of another backup; [`ErrorKind::InUse`] when somebody works there;
    /// [`ErrorKind::Config`] for a side of a move. Nothing is changed by those. As [`Archive::next`], and those of the storage: run again, it goes on.
    pub async fn run(&mut self, origin: &Origin, file: &Path, archive: Archive, told: &(dyn Fn(Step, u64) + Sync)) -> Result<Restored> {
        self.advance(origin, file, archive, told).await.map_err(overtaken)
    }

    async fn advance(&mut self, origin: &Origin, file: &Path, mut archive: Archive, told: &(dyn Fn(Step, u64) + Sync)) -> Result<Restored> {
        let begun = Instant::now();
        let mut restoring = self.take(origin, file).await?;
        let manifest = self.fill(&mut restoring, &mut archive, told).await?;
        let found = self.read_back(told).await?;
        let mut restored = Restored { manifest, found, took: Duration::ZERO, without_index: None };
        if restored.differences().is_empty() {
            if let Some(vectors) = &self.side.vectors {
                // Without it, searches are answered all the same, and the gateway there makes it when it can.
                restored.without_index = vectors.settle().await.err();
            }
            self.side.slot.remove().await?;
        }
        restored.took = begun.elapsed();
        Ok(restored)
    }

    /// Lets go of the place.
    pub async fn close(self) {
        self.side.close().await;
    }

    /// Takes the place, or finds it taken by an earlier run. In this order: of a gateway and a restore that come at once, one sees the other.
    async fn take(&mut self, origin: &Origin, file: &Path) -> Result<Restoring> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let new = Restoring {
            id: origin.id,
            created_at: origin.created_at,
            file: file.clone(),
            config: self.config.clone(),
            entries: 0,
            at: SystemClock.now(),
        };
        let (restoring, is_new) = match self.side.slot.document() {
            None => (new, true),
            // With where the file is by now.
            Some(Document::Restore(old)) if old.id == origin.id => (Restoring { file, config: self.config.clone(), ..old.clone() }, false),
            Some(Document::Restore(old)) => return Err(old.refusal().with("given", origin.created_at)),
            Some(Document::Source(_) | Document::Target(_)) => return Err(self.occupied("what a move of tiers has left")),
        };
        if restoring.entries > 0 {
            return Ok(restoring);
        }
        if is_new {
            if let Contents::Data(held) = Contents::of(&self.side).await? {
                return Err(self.occupied(&held));
            }
            self.side.slot.put(Document::Restore(restoring.clone())).await?;
        }
        if let Some(gateway) = self.side.somebody().await? {
            self.side.slot.remove().await?;
            return Err(self.side.in_use(&gateway));
        }
        // Looked at once more: somebody may have been there, and gone.
        match Contents::of(&self.side).await? {
            Contents::Nothing => {}
            Contents::FirstStart { user_id, removal, .. } => {
                remove_first_start(&mut self.side, user_id, removal, Document::Restore(restoring.clone())).await?;
            }
            Contents::Data(held) => {
                self.side.slot.remove().await?;
                return Err(self.occupied(&held));
            }
        }
        Ok(restoring)
    }

    fn occupied(&self, held: &str) -> Error {
        Error::new(ErrorKind::Conflict, "there is data already where the backup is to go")
            .with("tier", &self.side.end.tier)
            .with("place", &self.side.end.place)
            .with("holds", held)
            .hint(format!(
                "a backup goes into an empty database, or another data directory: in the section `{}` of the config",
                self.side.end.tier
            ))
    }

    async fn fill(&mut self, restoring: &mut Restoring, archive: &mut Archive, told: &(dyn Fn(Step, u64) + Sync)) -> Result<Manifest> {
        let mut done = 0;
        while let Some(entry) = archive.next().await? {
            let is_new = entry.number > restoring.entries;
            let next = Restoring { entries: entry.number, at: SystemClock.now(), ..restoring.clone() };
            match entry.item {
                Item::Origin(_) => {}
                Item::Records(records) => {
                    done += records.len() as u64;
                    if is_new {
                        self.load(&records, next.clone()).await?;
                        *restoring = next;
                    }
                }
                Item::Embeddings(embeddings) => {
                    done += embeddings.len() as u64;
                    if is_new {
                        let Some(vectors) = &self.side.vectors else {
                            return Err(Error::new(ErrorKind::Unsupported, "this tier keeps no embeddings, and the backup holds some"));
                        };
                        let document = Document::Restore(next.clone());
                        vectors.load(&embeddings, Some(&self.side.slot.write_of(&document))).await?;
                        self.side.slot.written(document);
                        *restoring = next;
                    }
                }
                Item::Documents(documents) => self.put(&documents).await?,
                Item::Manifest(manifest) => return Ok(manifest),
            }
            told(Step::Restoring, done);
        }
        Err(Error::new(ErrorKind::Internal, "an archive without a manifest"))
    }

    async fn load(&mut self, records: &[Record], next: Restoring) -> Result<()> {
        let document = Document::Restore(next);
        let loaded = self.side.storage.load(records, Some(&self.side.slot.write_of(&document))).await?;
        self.side.slot.written(document);
        for (record, loaded) in records.iter().zip(loaded) {
            if let Loaded::Refused(reason) = loaded {
                let message = format!("a {} of the backup is not taken: {}", record.kind(), reason.message());
                return Err(Error::new(ErrorKind::Invalid, message)
                    .with("id", record.id())
                    .hint("remove what is here: mosaic backup restore --abort; and report it, with the versions of Mosaic")
                    .source(reason));
            }
        }
        Ok(())
    }

    /// Puts the documents in their places, and removes those that a first start made.
    async fn put(&self, documents: &[Kept]) -> Result<()> {
        for name in documents::MOVED {
            let value = documents.iter().find(|document| document.name == *name).map(|document| document.value.clone());
            let there = self.side.storage.state(name).await?;
            if there.as_ref().map(|state| &state.value) != value.as_ref() {
                let expect = there.map_or(0, |state| state.version);
                self.side.storage.put_state(&StateWrite { name: (*name).to_owned(), value, expect }).await?;
            }
        }
        Ok(())
    }

    /// What is there, by reading all of it.
    async fn read_back(&self, told: &(dyn Fn(Step, u64) + Sync)) -> Result<Holdings> {
        let still = Still::new(Arc::clone(&self.side.storage), self.side.vectors.clone());
        let (mut found, mut done) = (Holdings::default(), 0);
        let mut after = None;
        loop {
            let page = still.records(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.kind(), last.id()));
            done += page.len() as u64;
            found.merge(&hashed(page, |found, page| found.add_records(page)).await?);
            told(Step::Verifying, done);
        }
        let mut after: Option<(String, _, _)> = None;
        loop {
            let behind = after.as_ref().map(|(model, kind, id)| (model.as_str(), *kind, *id));
            let page = still.embeddings(behind, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.vector.model.clone(), last.kind, last.id));
            done += page.len() as u64;
            found.merge(
                &hashed(page, |found, page| {
                    found.add_embeddings(page);
                    Ok(())
                })
                .await?,
            );
            told(Step::Verifying, done);
        }
        for name in documents::MOVED {
            if let Some(state) = still.state(name).await? {
                found.add_document(name, &state.value);
            }
        }
        Ok(found)
    }
}

/// What takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The file is read, and found to be whole.
    Reading,
    /// Records and embeddings go in.
    Restoring,
    /// They are read back.
    Verifying,
}

/// Hashing a page takes a while, and so is none of the runtime's work.
async fn hashed<T: Send + 'static>(page: Vec<T>, add: impl FnOnce(&mut Holdings, &[T]) -> Result<()> + Send + 'static) -> Result<Holdings> {
    let hash = move || {
        let mut found = Holdings::default();
        add(&mut found, &page).map(|()| found)
    };
    let broke_off = |error| Error::new(ErrorKind::Internal, "hashing broke off").source(error);
    tokio::task::spawn_blocking(hash).await.map_err(broke_off)?
}

/// Removes what a restore that has not come to its end has made. Answers where that was; `None` where there was none.
///
/// # Errors
/// [`ErrorKind::Conflict`] when that restore goes on meanwhile; whatever stands in the way of opening the tier.
pub async fn abort(config: &Config) -> Result<Option<String>> {
    let side = match Side::restored(config, Opening::AsItIs).await {
        Ok(side) => side,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let outcome = match side.slot.document() {
        Some(Document::Restore(_)) => {
            side.storage.erase(&side.slot.removal()).await.map_err(overtaken).map(|()| Some(side.end.place.clone()))
        }
        _ => Ok(None),
    };
    side.close().await;
    outcome
}

/// Somebody else has written the document since it was read.
fn overtaken(error: Error) -> Error {
    if error.kind() != ErrorKind::Stale {
        return error;
    }
    Error::new(ErrorKind::Conflict, "another restore goes into the same place, or was undone meanwhile")
        .hint("let that one come to its end, or run this again")
        .source(error)
}
