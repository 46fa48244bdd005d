//! What moving data to another tier asks of a storage besides exports and loads: counting what there is, and removing all of it.

use mosaic_core::{ErrorKind, Kind, Query, Result, Scope, StateWrite, Tally, TokenHash, Tokens};
use serde_json::json;

use super::Env;
use crate::generator::{Generator, Size, fill, read_back};

/// Checks that a tally has each kind once, in order, with as many records as are read.
async fn assert_counts(env: &Env) -> Vec<Tally> {
    let tallies = env.storage.tally().await.unwrap();
    let (records, _) = read_back(&env.backend()).await;
    let count = |kind: Kind| records.iter().filter(|record| record.kind() == kind).count() as u64;
    let expected: Vec<_> = Kind::ALL.iter().map(|kind| (*kind, count(*kind))).collect();
    assert_eq!(tallies.iter().map(|tally| (tally.kind, tally.records)).collect::<Vec<_>>(), expected);
    for tally in &tallies {
        assert_eq!(tally.bytes > 0, tally.records > 0, "{tally:?}");
    }
    tallies
}

pub async fn a_tally_counts_each_kind_exactly(env: &Env) {
    let env = env.another().await;
    assert!(assert_counts(&env).await.iter().all(|tally| tally.records == 0), "nothing is there yet");
    let data = Generator::new(5, Size::small());
    fill(&env.backend(), data.records(), []).await;
    for tally in assert_counts(&env).await {
        assert_eq!(tally.records, data.size().count(tally.kind) as u64, "{tally:?}");
    }

    // What was removed is not counted, nor is what went with it.
    for number in [0, 7, 20] {
        env.delete(Scope::System, Kind::Task, data.record(Kind::Task, number).id()).await.unwrap();
    }
    env.delete(Scope::System, Kind::Note, data.record(Kind::Note, 3).id()).await.unwrap();
    env.delete(Scope::System, Kind::Session, data.record(Kind::Session, 2).id()).await.unwrap();
    let user = env.user().await;
    env.stored(env.new_token(&user)).await;
    env.delete(Scope::System, Kind::User, user.id).await.unwrap();
    let tallies = assert_counts(&env).await;
    let of = |kind: Kind| tallies.iter().find(|tally| tally.kind == kind).unwrap().records;
    let size = data.size();
    assert_eq!((of(Kind::Task), of(Kind::Note)), (size.tasks as u64 - 3, size.notes as u64 - 1));
    assert_eq!((of(Kind::Session), of(Kind::Token)), (size.sessions as u64 - 1, size.count(Kind::Token) as u64));
}

pub async fn a_storage_that_was_erased_refuses_every_call(env: &Env) {
    let env = env.another().await;
    let data = Generator::new(6, Size::small());
    let embeddings: Vec<_> = if env.vectors.is_some() { data.embeddings().collect() } else { Vec::new() };
    fill(&env.backend(), data.records(), embeddings).await;
    let write = StateWrite { name: "note".into(), value: Some(json!(1)), expect: 0 };
    env.storage.put_state(&write).await.unwrap();
    let marked = StateWrite { name: "note".into(), value: None, expect: 1 };
    let outdated = StateWrite { expect: 7, ..marked.clone() };
    let refusal = env.storage.erase(&outdated).await.unwrap_err();
    assert!(matches!(refusal.kind(), ErrorKind::Stale | ErrorKind::Unsupported), "{refusal:?}");
    assert_eq!(read_back(&env.backend()).await.0.len(), data.size().records(), "nothing is gone");
    match env.storage.erase(&marked).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            assert_eq!(read_back(&env.backend()).await.0.len(), data.size().records());
            return;
        }
        outcome => outcome.unwrap(),
    }
    let user = data.record(Kind::User, 0);
    let refused = |what: &str, outcome: Result<()>| assert!(outcome.is_err(), "{what} is answered after all is gone");
    refused("get", env.storage.get(Scope::System, Kind::User, user.id()).await.map(drop));
    refused("list", env.storage.list(Scope::System, &Query::new(Kind::Task)).await.map(drop));
    refused("export", env.storage.export(None, 1, Tokens::Omit).await.map(drop));
    refused("tally", env.storage.tally().await.map(drop));
    refused("load", env.storage.load(std::slice::from_ref(&user), None).await.map(drop));
    refused("apply", env.create(Scope::System, env.new_user()).await.map(drop));
    refused("authenticate", env.storage.authenticate(&TokenHash([0; 32])).await.map(drop));
    refused("state", env.storage.state("note").await.map(drop));
    refused("put_state", env.storage.put_state(&write).await.map(drop));
    if let Some(vectors) = &env.vectors {
        refused("export of embeddings", vectors.export(None, 1).await.map(drop));
        refused("describe", vectors.describe().await.map(drop));
    }
}
