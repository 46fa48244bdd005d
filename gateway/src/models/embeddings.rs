//! The OpenAI embeddings protocol, as Ollama, vLLM, llama.cpp and OpenAI speak it: `POST {base_url}/embeddings`. It is one call, so it
//! is made here rather than by a crate that knows fifty. What must not come in: what is embedded, and when.

use std::path::Path;
use std::time::Duration;

use mosaic_core::vectors::MAX_DIMENSIONS;
use mosaic_core::{Error, ErrorKind, Result, Secret, Vector};
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Failure;
use crate::client::http_client;
use crate::config::EmbeddingModel;

/// What the names begin with under which the gateway keeps embeddings of its own making. Clients give theirs other names, so that neither
/// takes the place of the other.
pub const OURS: &str = "mosaic:";

/// The section of the config that names the server.
const SECTION: &str = "models.embedding";
/// How many bytes of the fingerprint are in a name.
const FINGERPRINT_BYTES: usize = 4;
/// How large an answer may be, in bytes: for each component of each vector, and beside them.
const COMPONENT_BYTES: usize = 32;
const ANSWER_BYTES: usize = 64 << 10;

/// A model that makes embeddings, on its server.
pub struct Embeddings {
    http: Client,
    url: Url,
    key: Option<Secret>,
    name: String,
    section: EmbeddingModel,
}

#[derive(Serialize)]
struct Request<'r> {
    model: &'r str,
    input: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl Embeddings {
    /// The model of the config's section. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what of the section cannot be used, such as a file of the key that cannot be read.
    pub fn new(section: &EmbeddingModel, base_dir: &Path) -> Result<Self> {
        let url = section.url()?;
        let http = http_client(&url, None)?;
        Ok(Self { http, url, key: section.key(base_dir)?, name: stored_name(section), section: section.clone() })
    }

    /// The name under which its embeddings are kept.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the config says of it.
    pub fn section(&self) -> &EmbeddingModel {
        &self.section
    }

    /// Where it is asked.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Makes texts into vectors, one each, in their order.
    ///
    /// # Errors
    /// What went wrong; nothing of the answer can be used then.
    pub async fn embed(&self, texts: &[String], time: Duration) -> Result<Vec<Vec<f32>>, Failure> {
        let EmbeddingModel { model, dimensions, .. } = &self.section;
        let wanted = Request { model, input: texts, dimensions: *dimensions, encoding_format: "float" };
        let mut request = self.http.post(self.url.clone()).timeout(time).json(&wanted);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        let mut answer = request.send().await.map_err(|error| Failure::unanswered(&self.url, error, SECTION))?;
        if !answer.status().is_success() {
            return Err(Failure::refused(answer, self.key.as_ref().map(|key| key.expose()), SECTION).await);
        }
        let most = ANSWER_BYTES + texts.len() * MAX_DIMENSIONS * COMPONENT_BYTES;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| Failure::unanswered(&self.url, error, SECTION))? {
            if body.len() + piece.len() > most {
                return Err(self.useless(&format!("its answer is larger than {most} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|error| self.useless(&format!("its answer is not understood: {error}")))?;
        self.check(answer, texts.len())
    }

    /// The vectors of an answer, if it is one to `count` texts.
    fn check(&self, answer: Answer, count: usize) -> Result<Vec<Vec<f32>>, Failure> {
        let given = answer.data.len();
        if given != count {
            return Err(self.useless(&format!("it answers {given} vectors for {count} texts")));
        }
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; count];
        for (place, item) in answer.data.into_iter().enumerate() {
            match vectors.get_mut(item.index.unwrap_or(place)) {
                Some(vector @ None) => *vector = Some(item.embedding),
                _ => return Err(self.useless("its answer does not have one vector for each text")),
            }
        }
        let vectors: Vec<_> = vectors.into_iter().flatten().collect();
        let expected = self.section.dimensions.or_else(|| vectors.first().map(Vec::len));
        for vector in &vectors {
            if Some(vector.len()) != expected {
                let expected = expected.unwrap_or(0);
                return Err(self.useless(&format!("its vectors have {} components, and not {expected}", vector.len())));
            }
            let vector = Vector { model: self.name.clone(), components: vector.clone() };
            vector.check(None).map_err(|error| self.useless(&format!("its vectors cannot be taken: {}", error.message())))?;
        }
        Ok(vectors)
    }

    /// The failure of an answer that is of no use.
    fn useless(&self, why: &str) -> Failure {
        let error = Error::new(ErrorKind::Invalid, format!("the model server is of no use: {why}")).with("url", &self.url);
        Failure::unclear(error.with("model", &self.section.model))
    }
}

/// The name under which a model's embeddings are kept: the model's own, and a fingerprint of all that decides what its vectors of a record
/// are like, so that what must not be compared has different names. What a record is cut to does not count: a vector of less of the text
/// is still one of the same sort.
fn stored_name(section: &EmbeddingModel) -> String {
    let EmbeddingModel { model, dimensions, document_prefix, .. } = section;
    let decisive = serde_json::json!([model, dimensions, document_prefix]).to_string();
    let fingerprint: String = Sha256::digest(decisive).iter().take(FINGERPRINT_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("{OURS}{model}:{fingerprint}")
}

#[cfg(test)]
mod tests {
    use mosaic_core::vectors::MODEL_CHARS;
    use serde_json::{Value, json};

    use super::*;

    fn model(fields: Value) -> Embeddings {
        let mut section = json!({ "base_url": "http://127.0.0.1:9/v1", "model": "tiny" });
        section.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Embeddings::new(&serde_json::from_value(section).unwrap(), Path::new("")).unwrap()
    }

    fn checked(model: &Embeddings, answer: Value, count: usize) -> Result<Vec<Vec<f32>>, String> {
        let answer = serde_json::from_value(answer).map_err(|error| error.to_string())?;
        model.check(answer, count).map_err(|failure| failure.error.to_string())
    }

    #[test]
    fn vectors_come_in_the_order_of_the_texts() {
        let answer =
            json!({ "object": "list", "data": [{ "index": 1, "embedding": [0.5, 1] }, { "index": 0, "embedding": [2, 3] }], "usage": {} });
        assert_eq!(checked(&model(json!({})), answer, 2).unwrap(), [[2.0, 3.0], [0.5, 1.0]]);
        let unnumbered = json!({ "data": [{ "embedding": [1] }, { "embedding": [2] }] });
        assert_eq!(checked(&model(json!({})), unnumbered, 2).unwrap(), [[1.0], [2.0]]);
    }

    #[test]
    fn an_answer_that_is_not_one_to_the_question_is_refused() {
        for (answer, said) in [
            (json!({ "data": [{ "index": 0, "embedding": [1] }] }), "1 vectors for 2 texts"),
            (json!({ "data": [] }), "0 vectors"),
            (json!({ "data": [{ "index": 0, "embedding": [1] }, { "index": 0, "embedding": [1] }] }), "one vector for each"),
            (json!({ "data": [{ "index": 0, "embedding": [1] }, { "index": 2, "embedding": [1] }] }), "one vector for each"),
            (json!({ "data": [{ "index": 0, "embedding": [1] }, { "index": 1, "embedding": [1, 2] }] }), "2 components, and not 1"),
            (json!({ "data": [{ "index": 0, "embedding": [] }, { "index": 1, "embedding": [] }] }), "components"),
            (json!({ "data": [{ "index": 0, "embedding": [1] }, { "index": 1, "embedding": [1e39] }] }), "finite"),
        ] {
            let error = checked(&model(json!({})), answer, 2).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let error = checked(&model(json!({ "dimensions": 3 })), json!({ "data": [{ "embedding": [1, 2] }] }), 1).unwrap_err();
        assert!(error.contains("2 components, and not 3"), "{error}");
    }

    #[test]
    fn what_must_not_be_compared_has_different_names() {
        let name = |fields| model(fields).name().to_owned();
        let plain = name(json!({}));
        assert!(plain.starts_with("mosaic:tiny:"), "{plain}");
        let others = [json!({ "dimensions": 3 }), json!({ "document_prefix": "passage: " }), json!({ "model": "other" })];
        assert!(others.into_iter().all(|other| name(other) != plain));
        let same = json!({ "query_prefix": "query: ", "batch": 3, "base_url": "https://elsewhere/v1", "api_key": "x", "max_chars": 500 });
        assert_eq!(name(same), plain);
        assert!(name(json!({ "model": "x".repeat(150) })).chars().count() <= MODEL_CHARS);
    }
}
