//! Snapshots: what a storage held at one moment, read while others write.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Embedding, ErrorKind, Kind, Record, Scope, Snapshot, StateWrite};
use serde_json::json;

use super::Env;
use super::records::renamed;
use crate::generator::{Generator, Size, assert_same_embeddings, assert_same_records, fill, read_back};

/// A snapshot; none of a backend that cannot, which says so each time.
async fn snapshot(env: &Env) -> Option<Arc<dyn Snapshot>> {
    env.storage.snapshot().await.unwrap()
}

/// Reads it to its end, in pages of so many; between the pages, `meanwhile`.
async fn read(snapshot: &dyn Snapshot, limit: usize, mut meanwhile: impl AsyncFnMut()) -> (Vec<Record>, Vec<Embedding>) {
    let (mut records, mut embeddings): (Vec<Record>, Vec<Embedding>) = (Vec::new(), Vec::new());
    loop {
        let page = snapshot.records(records.last().map(|last| (last.kind(), last.id())), limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            break;
        }
        records.extend(page);
        meanwhile().await;
    }
    loop {
        let after = embeddings.last().map(|last| (last.vector.model.as_str(), last.kind, last.id));
        let page = snapshot.embeddings(after, limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            break;
        }
        embeddings.extend(page);
        meanwhile().await;
    }
    (records, embeddings)
}

pub async fn a_snapshot_stays_as_it_was_whatever_is_written(env: &Env) {
    let env = env.another().await;
    let data = Generator::new(21, Size::small());
    let embeddings: Vec<_> = if env.vectors.is_some() { data.embeddings().collect() } else { Vec::new() };
    fill(&env.backend(), data.records(), embeddings).await;
    let write = StateWrite { name: "note".into(), value: Some(json!({ "b": 1, "a": [2] })), expect: 0 };
    env.storage.put_state(&write).await.unwrap();
    let before = read_back(&env.backend()).await;
    let Some(snapshot) = snapshot(&env).await else { return };

    env.storage.put_state(&StateWrite { value: None, expect: 1, ..write.clone() }).await.unwrap();
    let mut number = 0;
    let meanwhile = async || {
        number += 1;
        let user = env.user().await;
        env.stored(env.new_token(&user)).await;
        env.stored(env.new_note(&user)).await;
        let session = env.stored(env.new_session(&user)).await;
        env.stored(env.new_message(&session)).await;
        if let Some(task) = (number < 20).then(|| data.record(Kind::Task, number)) {
            env.update(Scope::System, renamed(&task, "Changed")).await.unwrap();
        }
        if number == 2 {
            env.delete(Scope::System, Kind::Session, data.record(Kind::Session, 1).id()).await.unwrap();
            env.delete(Scope::System, Kind::Note, data.record(Kind::Note, 1).id()).await.unwrap();
        }
    };
    let (records, embeddings) = read(&*snapshot, 40, meanwhile).await;
    assert!(number > 3, "there are several pages");
    assert_same_records(before.0, records);
    assert_same_embeddings(before.1, embeddings);
    assert_eq!(snapshot.state("note").await.unwrap().map(|state| state.value), write.value);
    assert_eq!(snapshot.state("other").await.unwrap(), None);
    snapshot.close().await;

    // The next one sees what was written since.
    let now = read_back(&env.backend()).await;
    let next = self::snapshot(&env).await.unwrap();
    let (records, embeddings) = read(&*next, 1_000, async || ()).await;
    assert_same_records(now.0, records);
    assert_same_embeddings(now.1, embeddings);
    assert_eq!(next.state("note").await.unwrap(), None);
    next.close().await;
}

pub async fn a_snapshot_that_is_dropped_makes_room_for_the_next(env: &Env) {
    let env = env.another().await;
    let user = env.user().await;
    for _ in 0..3 {
        let Some(first) = snapshot(&env).await else { return };
        assert_eq!(first.records(None, 10).await.unwrap().len(), 1);
        if let Err(refusal) = env.storage.snapshot().await {
            assert_eq!(refusal.kind(), ErrorKind::Conflict, "{refusal:?}");
        }
        // In the middle of a page.
        let _ = tokio::time::timeout(Duration::ZERO, first.records(None, 10)).await;
        drop(first);
        let next = loop {
            match env.storage.snapshot().await {
                Ok(next) => break next.unwrap(),
                // What it was read from is removed in the background.
                Err(refusal) if refusal.kind() == ErrorKind::Conflict => tokio::task::yield_now().await,
                Err(error) => panic!("{error:?}"),
            }
        };
        let page = next.records(None, 10).await.unwrap();
        assert_eq!(page, [Record::from(user.clone())]);
        next.close().await;
    }
    env.storage.ping().await.unwrap();
}
