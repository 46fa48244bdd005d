//! The vector of what is searched for. It is an addition to the words: when the model does not answer soon, the search goes on without.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use mosaic_core::{Cache, Vector};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::models::{Breaker, Embeddings, Turn};

/// How long the vector of a search is kept: people search for the same again, with other filters, within minutes.
const KEPT: Duration = Duration::from_secs(600);

/// How many searches ask the model at the same time; further ones wait, within their time.
const AT_ONCE: usize = 4;

/// Makes what is searched for into vectors.
pub struct QueryVectors {
    model: Arc<Embeddings>,
    cache: Arc<dyn Cache>,
    breaker: Breaker,
    room: Semaphore,
}

impl QueryVectors {
    /// By this model, keeping them for a while in this cache.
    pub fn new(model: Arc<Embeddings>, cache: Arc<dyn Cache>) -> Arc<Self> {
        Arc::new(Self { model, cache, breaker: Breaker::default(), room: Semaphore::new(AT_ONCE) })
    }

    /// The vector of a text; `None` when the model does not make one within the time that a search grants it. Asking goes on then, so that
    /// the vector is there for the next search for the same: a server that loads a model at the first request takes its time once.
    pub async fn of(self: &Arc<Self>, text: &str) -> Option<Vector> {
        let text = self.whole(text);
        let key = self.key(&text);
        if let Ok(Some(kept)) = self.cache.get(&key).await
            && let Some(components) = from_bytes(&kept)
        {
            counted("cached");
            return Some(self.vector(components));
        }
        let time = self.model.section().search_timeout();
        if !self.breaker.lets_through(time) {
            counted("not_asked");
            return None;
        }
        let this = Arc::clone(self);
        let asking = tokio::spawn(async move { this.ask(text, &key).await });
        match timeout(time, asking).await {
            Ok(Ok(Some(components))) => {
                counted("made");
                Some(self.vector(components))
            }
            Ok(_) => {
                counted("failed");
                None
            }
            Err(_) => {
                counted("too_late");
                self.turned(self.breaker.failed(), "it takes longer than models.embedding.search_timeout_ms");
                None
            }
        }
    }

    /// Forgets the vector of a text, which is of no use: the server may have had another model behind the same name when it made it.
    pub async fn forget(&self, text: &str) {
        let _ = self.cache.remove(&self.key(&self.whole(text))).await;
    }

    /// What the model is asked to make into a vector.
    fn whole(&self, text: &str) -> String {
        format!("{}{}", self.model.section().query_prefix, text.trim())
    }

    fn key(&self, whole: &str) -> String {
        format!("query:{}:{}", self.model.name(), hex(&Sha256::digest(whole)))
    }

    /// Asks the model, and keeps the answer. What comes too late for the search that asked was counted as that already, and is no reason to
    /// have the next one wait.
    async fn ask(&self, text: String, key: &str) -> Option<Vec<f32>> {
        let (begun, time) = (Instant::now(), self.model.section().search_timeout());
        let _place = timeout(time, self.room.acquire()).await.ok()?.ok()?;
        let answer = self.model.embed(&[text], self.model.section().timeout()).await;
        let in_time = begun.elapsed() < time;
        histogram!("mosaic_embedding_request_duration_seconds", "for" => "search").record(begun.elapsed());
        match answer.map(|mut vectors| vectors.pop()) {
            Ok(Some(components)) => {
                if in_time {
                    self.turned(self.breaker.succeeded(), "");
                }
                // A cache that fails costs the next search its time, and nothing else.
                let _ = self.cache.set(key, &to_bytes(&components), KEPT).await;
                Some(components)
            }
            Err(failure) if in_time => {
                self.turned(self.breaker.failed(), &failure.error.to_string());
                None
            }
            _ => None,
        }
    }

    /// Says when searches begin to go by words alone, and when they no longer do; in between, nothing.
    fn turned(&self, turn: Turn, why: &str) {
        let (model, url) = (&self.model.section().model, self.model.url());
        match turn {
            Turn::Opened => tracing::warn!(model, %url, why, "searches go by words alone until the embedding model answers"),
            Turn::Closed => tracing::info!(model, %url, "the embedding model answers: searches go by meaning too"),
            Turn::None => {}
        }
    }

    fn vector(&self, components: Vec<f32>) -> Vector {
        Vector { model: self.model.name().to_owned(), components }
    }
}

fn counted(outcome: &'static str) {
    counter!("mosaic_search_vectors_total", "outcome" => outcome).increment(1);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn to_bytes(components: &[f32]) -> Vec<u8> {
    components.iter().flat_map(|component| component.to_le_bytes()).collect()
}

/// The components in bytes, if they are some.
fn from_bytes(bytes: &[u8]) -> Option<Vec<f32>> {
    let (components, rest) = bytes.as_chunks::<4>();
    let components: Vec<_> = components.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (rest.is_empty() && !components.is_empty() && components.iter().all(|component| component.is_finite())).then_some(components)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_kept_as_it_is() {
        let components = [0.1, -2.5e-30, 3.0e38, 0.0];
        assert_eq!(from_bytes(&to_bytes(&components)).unwrap(), components);
        for odd in [&b""[..], b"abc", b"abcde", &f32::NAN.to_le_bytes()] {
            assert_eq!(from_bytes(odd), None, "{odd:?}");
        }
    }
}
