//! Two who talk at once in one session. Unlike a note, a message has a place, takes a transaction, and gets its id from the gateway: one
//! that is written twice shows, and so does a gap.
//! What must not come in: what goes wrong meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::Method;
use serde_json::{Value, json};

use super::load::{PAUSE, Shared};

/// What was said, and at which place that was acknowledged, if it was.
#[derive(Default)]
pub(super) struct Talk {
    session: String,
    said: Mutex<BTreeMap<String, Option<u64>>>,
}

impl Talk {
    pub(super) fn of(session: &Value) -> Arc<Self> {
        Arc::new(Self { session: session["id"].as_str().unwrap().to_owned(), said: Mutex::default() })
    }

    fn path(&self) -> String {
        format!("/api/v1/sessions/{}/messages", self.session)
    }

    fn remember(&self, content: &str, place: Option<u64>) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(content.to_owned(), place);
    }

    /// Says one thing after the other.
    pub(super) async fn go_on(self: Arc<Self>, shared: Arc<Shared>, speaker: &'static str) {
        let mut count = 0;
        while shared.going_on() {
            tokio::time::sleep(PAUSE).await;
            count += 1;
            let content = format!("{speaker} {count}");
            self.remember(&content, None);
            let message = json!({ "role": "user", "content": content });
            if let Some(answer) = shared.ask(&shared.writes, Method::POST, &self.path(), Some(message)).await {
                let message = answer.expect(201).json();
                assert_eq!(message["content"], content);
                self.remember(&content, message["seq"].as_u64());
                shared.acknowledge();
            }
        }
    }

    /// What was acknowledged is at its place, nothing is there twice, and no place is empty.
    pub(super) async fn check(&self, shared: &Shared) -> usize {
        let messages = shared.list_all(&self.path()).await;
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut found = BTreeMap::new();
        for message in messages.values() {
            let (content, place) = (message["content"].as_str().unwrap().to_owned(), message["seq"].as_u64().unwrap());
            assert!(said.contains_key(&content), "nobody said {content:?}");
            let before = found.insert(content.clone(), place);
            assert_eq!(before, None, "{content:?} was said once, and is there twice");
        }
        for (content, place) in said.iter().filter(|(_, place)| place.is_some()) {
            assert_eq!(found.get(content), place.as_ref(), "{content:?} was acknowledged");
        }
        let mut places: Vec<_> = found.into_values().collect();
        places.sort_unstable();
        assert!(places.iter().copied().eq(1..=places.len() as u64), "places without gaps: {places:?}");
        places.len()
    }
}
