//! Records into embeddings, batch by batch. A record that the model does not take keeps none of the others from being embedded: its batch
//! is split until it is alone, it is cut, and at last it is set aside. What must not come in: which records, and when.

use std::collections::HashMap;
use std::sync::Arc;

use metrics::{counter, gauge, histogram};
use mosaic_core::{Embedding, Error, ErrorKind, Id, Kind, Result, Scope, Storage, Vector, VectorIndex};
use tokio::time::Instant;

use super::text::{cut, text_of};
use super::trouble::Setback;
use crate::config::EmbeddingModel;
use crate::models::{Blame, Embeddings, Failure};

/// What is sent to see whether the server takes anything at all.
const PROBE: &str = "mosaic";
/// A text that is not taken is halved so often before its record is set aside: 8,000 characters become 500.
const HALVINGS: u32 = 4;
/// A text that is shorter is not halved, in characters.
const SHORTEST: usize = 100;
/// So many records are set aside, at most; past that, the first are tried anew.
const ASIDE: usize = 10_000;
/// So many of them are logged by name.
const NAMED: usize = 20;

/// Makes embeddings of records.
pub(super) struct Batches {
    model: Arc<Embeddings>,
    storage: Arc<dyn Storage>,
    vectors: Arc<dyn VectorIndex>,
    /// Records that the model does not take, at their revision. In memory alone: it is a few requests to find them anew, and the next start
    /// is often one with another config or model server, which is to have another try at them.
    aside: HashMap<(Kind, Id), u64>,
    /// How many go to the server at a time: fewer than the config says, where it takes too long for as many.
    size: usize,
    /// How many embeddings it has made.
    pub(super) made: u64,
}

/// A record that is to be embedded.
struct Item {
    kind: Kind,
    id: Id,
    revision: u64,
    text: String,
}

impl Batches {
    pub(super) fn new(model: Arc<Embeddings>, storage: Arc<dyn Storage>, vectors: Arc<dyn VectorIndex>) -> Self {
        Self { size: model.section().batch, model, storage, vectors, aside: HashMap::new(), made: 0 }
    }

    /// Embeds records, as they are now. Those that are gone, say nothing, or were set aside at their revision are passed over.
    ///
    /// # Errors
    /// What came in between; what was done until then stays.
    pub(super) async fn embed(&mut self, mut records: &[(Kind, Id)]) -> Result<(), Setback> {
        while !records.is_empty() {
            let (now, later) = records.split_at(self.size.min(records.len()));
            records = later;
            let mut items = Vec::new();
            for (kind, id) in now {
                items.extend(self.item(*kind, *id).await?);
            }
            self.embed_items(&items).await?;
        }
        Ok(())
    }

    async fn item(&self, kind: Kind, id: Id) -> Result<Option<Item>> {
        let Some(record) = self.storage.get(Scope::System, kind, id).await? else { return Ok(None) };
        let revision = record.revision();
        if self.aside.get(&(kind, id)) == Some(&revision) {
            return Ok(None);
        }
        let EmbeddingModel { max_chars, document_prefix, .. } = self.model.section();
        Ok(text_of(&record, *max_chars).map(|text| Item { kind, id, revision, text: format!("{document_prefix}{text}") }))
    }

    /// Embeds what fits into one request; in parts, when the server does not take all of it at once.
    async fn embed_items(&mut self, items: &[Item]) -> Result<(), Setback> {
        let mut runs = vec![items];
        let mut takes_something = false;
        while let Some(run) = runs.pop() {
            if run.is_empty() {
                continue;
            }
            let failure = match self.ask(run.iter().map(|item| item.text.clone()).collect()).await {
                Ok(vectors) => {
                    self.store(run, vectors).await?;
                    self.size = (self.size + 1).min(self.model.section().batch);
                    continue;
                }
                Err(failure) if failure.blame == Blame::Unclear => failure,
                Err(failure) => return Err(failure.into()),
            };
            // Only a server that takes something else shows that it is about these texts.
            if !takes_something {
                self.ask(vec![PROBE.to_owned()]).await?;
                takes_something = true;
            }
            if let [alone] = run {
                self.embed_alone(alone).await?;
                continue;
            }
            let (first, second) = run.split_at(run.len() / 2);
            if failure.error.kind() == ErrorKind::Timeout {
                // What takes too long at once does so the next time too.
                self.size = first.len();
            }
            runs.extend([second, first]);
        }
        Ok(())
    }

    /// Embeds a record that the server did not take: again, since it may have failed by chance, then its beginning alone, since most models
    /// do not take long texts; and sets it aside if that is of no use.
    async fn embed_alone(&mut self, item: &Item) -> Result<(), Setback> {
        let length = item.text.chars().count();
        let lengths = (0..=HALVINGS).map(|halvings| length >> halvings).take_while(|part| *part == length || *part >= SHORTEST);
        let mut reason = None;
        for part in lengths {
            match self.ask(vec![cut(&item.text, part).to_owned()]).await {
                Ok(vectors) => {
                    if part < length {
                        tracing::debug!(kind = %item.kind, id = %item.id, characters = part, "the model takes no more of a record than its beginning");
                    }
                    return self.store(std::slice::from_ref(item), vectors).await;
                }
                Err(failure) if failure.blame == Blame::Unclear => reason = Some(failure.error),
                Err(failure) => return Err(failure.into()),
            }
        }
        // The server may have ceased to take anything meanwhile.
        self.ask(vec![PROBE.to_owned()]).await?;
        self.set_aside(item, reason);
        Ok(())
    }

    fn set_aside(&mut self, item: &Item, reason: Option<Error>) {
        if self.aside.len() >= ASIDE {
            self.aside.clear();
        }
        self.aside.insert((item.kind, item.id), item.revision);
        counter!("mosaic_embeddings_total", "outcome" => "set_aside").increment(1);
        gauge!("mosaic_embeddings_set_aside").set(self.aside.len() as f64);
        let reason = reason.map(|error| error.to_string()).unwrap_or_default();
        let (kind, id, revision) = (item.kind, item.id, item.revision);
        if self.aside.len() <= NAMED {
            tracing::warn!(%kind, %id, revision, reason, "the model does not take a record: it is found by its words alone until it is changed");
        } else {
            tracing::debug!(%kind, %id, revision, reason, "the model does not take a record");
        }
    }

    async fn ask(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let begun = Instant::now();
        let answer = self.model.embed(&texts, self.model.section().timeout()).await;
        histogram!("mosaic_embedding_request_duration_seconds", "for" => "records").record(begun.elapsed());
        answer
    }

    async fn store(&mut self, run: &[Item], vectors: Vec<Vec<f32>>) -> Result<(), Setback> {
        let vector = |components| Vector { model: self.model.name().to_owned(), components };
        let embeddings = run.iter().zip(vectors).map(|(item, components)| Embedding {
            kind: item.kind,
            id: item.id,
            revision: item.revision,
            vector: vector(components),
        });
        let embeddings: Vec<_> = embeddings.collect();
        let stored = self.vectors.upsert(Scope::System, &embeddings).await.map_err(|error| match error.kind() {
            ErrorKind::Invalid => error.hint(
                "another model seems to answer to this name: set models.embedding.dimensions to what it gives, and everything is embedded anew",
            ),
            _ => error,
        })?;
        // One that is left out is of a record that went, or was made anew, meanwhile.
        let made = stored.into_iter().filter(|stored| *stored).count() as u64;
        self.made += made;
        counter!("mosaic_embeddings_total", "outcome" => "made").increment(made);
        Ok(())
    }
}
