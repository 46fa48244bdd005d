//! Embeddings: how they are given, kept with their records, and read. Skipped on a backend that does not claim an index of vectors.

use std::sync::Arc;

use mosaic_core::vectors::MAX_DIMENSIONS;
use mosaic_core::{Embedding, ErrorKind, Id, Kind, Nearby, Record, Scope, StateWrite, VectorModel};

use super::Env;
use super::check::refused;
use super::index::{Index, circle, ids};
use super::records::{as_admin, as_user, renamed};
use crate::generator::{HostileData, assert_same_embeddings, fill, hostile, read_back};

pub async fn embeddings_are_given_and_removed_by_who_sees_the_record(env: &Env) {
    let index = Index::of(env);
    let crew = env.crew().await;
    let note = Record::Note(env.stored(env.new_team_note(&crew.member, &crew.team)).await);
    for (scope, sees) in [
        (as_user(&crew.outsider), false),
        (as_user(&crew.removed), false),
        (as_admin(&crew.admin), false),
        (as_user(&crew.colleague), true),
        (Scope::System, true),
    ] {
        assert_eq!(index.upsert_as(scope, &note, &[1.0, 0.0]).await, sees, "{scope:?}");
        index.upsert(&note, &[1.0, 0.0]).await;
        assert_eq!(index.vectors.remove(scope, Kind::Note, note.id()).await.unwrap(), sees, "{scope:?}");
        assert_eq!(index.nearest(Scope::System, &[1.0, 0.0], 1, &Nearby::default()).await.is_empty(), sees, "{scope:?}");
    }
    // One that is left out does not keep out the others.
    let own = Record::Note(env.stored(env.new_note(&crew.outsider)).await);
    let both = [index.embedding(&note, &[1.0, 0.0]), index.embedding(&own, &[1.0, 0.0])];
    assert_eq!(index.vectors.upsert(as_user(&crew.outsider), &both).await.unwrap(), [false, true]);
}

pub async fn a_vector_of_other_dimensions_is_refused(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let notes = circle(env, &index, &user, 2).await;
    let fresh = Record::Note(env.stored(env.new_note(&user)).await);
    for bad in [&[1.0, 2.0, 3.0][..], &[1.0], &[]] {
        refused(index.vectors.upsert(Scope::System, &[index.embedding(&fresh, bad)]).await, ErrorKind::Invalid);
        let search = index.vectors.nearest(as_user(&user), &index.vector(bad), 1, &Nearby::default()).await;
        refused(search, ErrorKind::Invalid);
    }
    // One bad vector keeps the others out.
    let mixed = [index.embedding(&fresh, &[1.0, 0.0]), index.embedding(&notes[0], &[1.0])];
    refused(index.vectors.upsert(Scope::System, &mixed).await, ErrorKind::Invalid);
    assert_eq!(index.nearest(as_user(&user), &[1.0, 0.0], 9, &Nearby::default()).await, ids(&notes));
}

pub async fn a_vector_out_of_bounds_is_refused(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let note = Record::Note(env.stored(env.new_note(&user)).await);
    let most = vec![0.5; MAX_DIMENSIONS];
    refused(index.vectors.upsert(Scope::System, &[index.embedding(&note, &[&most[..], &[0.5]].concat())]).await, ErrorKind::Invalid);
    index.upsert(&note, &most).await;
    assert_eq!(index.nearest(as_user(&user), &most, 1, &Nearby::default()).await, [note.id()]);
    for name in ["".to_owned(), "two\nlines".into(), "x".repeat(201)] {
        let unnamed = Index { vectors: Arc::clone(&index.vectors), model: name };
        refused(unnamed.vectors.upsert(Scope::System, &[unnamed.embedding(&note, &[1.0])]).await, ErrorKind::Invalid);
    }
    for revision in [0, u64::MAX] {
        let odd = Embedding { revision, ..index.embedding(&note, &most) };
        refused(index.vectors.upsert(Scope::System, &[odd]).await, ErrorKind::Invalid);
    }
    // What is not searched has no embedding.
    refused(index.vectors.upsert(Scope::System, &[index.embedding(&Record::User(user), &most)]).await, ErrorKind::Invalid);
}

pub async fn a_component_that_is_not_finite_is_refused(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let note = Record::Note(env.stored(env.new_note(&user)).await);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        refused(index.vectors.upsert(Scope::System, &[index.embedding(&note, &[1.0, bad])]).await, ErrorKind::Invalid);
        refused(index.vectors.load(&[index.embedding(&note, &[1.0, bad])], None).await, ErrorKind::Invalid);
    }
}

pub async fn a_model_without_embeddings_takes_any_dimensions(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let notes = circle(env, &index, &user, 2).await;
    assert!(index.vectors.remove(as_user(&user), Kind::Note, notes[0].id()).await.unwrap());
    env.delete(as_user(&user), Kind::Note, notes[1].id()).await.unwrap();
    index.upsert(&notes[0], &[1.0, 0.0, 0.0]).await;
    assert_eq!(index.nearest(as_user(&user), &[1.0, 0.0, 0.0], 9, &Nearby::default()).await, [notes[0].id()]);
}

/// All that is pending for a model, whatever other cases left.
async fn pending(index: &Index) -> Vec<(Kind, Id)> {
    index.vectors.pending(&index.model, None, 1_000_000).await.unwrap()
}

pub async fn what_is_missing_or_of_another_revision_is_pending(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let mut all = env.content(&user, None).await;
    let places: Vec<_> = all.iter().map(|record| (record.kind(), record.id())).collect();
    let is_pending = async || {
        let pending = pending(&index).await;
        places.iter().map(|place| pending.contains(place)).collect::<Vec<_>>()
    };
    assert_eq!(is_pending().await, [true, true]);
    index.upsert(&all[0], &[1.0, 0.0]).await;
    index.upsert(&all[1], &[1.0, 0.0]).await;
    assert_eq!(is_pending().await, [false, false]);
    all[1] = env.update(as_user(&user), renamed(&all[1], "Changed")).await.unwrap();
    assert_eq!(is_pending().await, [false, true]);
    index.upsert(&all[1], &[1.0, 0.0]).await;
    env.delete(as_user(&user), all[0].kind(), all[0].id()).await.unwrap();
    index.vectors.remove(Scope::System, all[0].kind(), all[0].id()).await.unwrap();
    assert_eq!(is_pending().await, [false, false]);
}

pub async fn what_is_pending_is_read_page_by_page(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let mut notes = env.content(&user, None).await;
    notes.extend(env.content(&user, None).await);
    let mut places = Vec::new();
    let mut after = None;
    loop {
        let page = index.vectors.pending(&index.model, after, 7).await.unwrap();
        assert!(page.len() <= 7);
        let Some(last) = page.last() else { break };
        after = Some(*last);
        places.extend(page);
    }
    assert!(places.is_sorted(), "by kind and id, none twice");
    assert!(notes.iter().all(|note| places.contains(&(note.kind(), note.id()))));
}

pub async fn of_concurrent_embeddings_none_is_lost(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let notes = circle(env, &index, &user, 2).await;
    let mut rounds = Vec::new();
    for i in 0..16_u8 {
        let note = Record::Note(env.stored(env.new_note(&user)).await);
        let (index, scope) = (index.clone(), as_user(&user));
        rounds.push(tokio::spawn(async move {
            index.upsert(&note, &[f32::from(i) + 1.0, 1.0]).await;
            index.nearest(scope, &[1.0, 0.0], 100, &Nearby::default()).await.contains(&note.id())
        }));
    }
    for round in rounds {
        assert!(round.await.unwrap(), "one finds what one has just given");
    }
    assert_eq!(index.nearest(as_user(&user), &[1.0, 0.0], 100, &Nearby::default()).await.len(), notes.len() + 16);
}

/// A record made anew begins at revision 1, as the one before did: an embedding of the other text must not pass for its own.
pub async fn an_embedding_ends_with_its_record(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let scope = as_user(&user);
    let record = circle(env, &index, &user, 2).await.remove(0);
    let (kind, id) = (record.kind(), record.id());
    let held = async || {
        let near = index.nearest(Scope::System, &[1.0, 0.0], 9, &Nearby::default()).await.contains(&id);
        let after = Some((index.model.as_str(), Kind::User, Id::nil()));
        let exported = index.vectors.export(after, 2).await.unwrap().iter().any(|e| e.vector.model == index.model && e.id == id);
        let counted = index.vectors.describe().await.unwrap().into_iter().find(|model| model.model == index.model).unwrap().count;
        (near, exported, counted, pending(&index).await.contains(&(kind, id)))
    };
    assert_eq!(held().await, (true, true, 2, false));

    env.delete(scope, kind, id).await.unwrap();
    assert_eq!(held().await, (false, false, 1, false));
    // One that was being made meanwhile comes too late.
    index.upsert(&record, &[1.0, 0.0]).await;
    assert_eq!(held().await, (false, false, 1, false));

    let anew = env.create(scope, renamed(&record, "Anew")).await.unwrap();
    assert_eq!(held().await, (false, false, 1, true));
    index.upsert(&anew, &[1.0, 0.0]).await;
    assert_eq!(held().await, (true, true, 2, false));

    // Removed and made anew in one batch, it is another record as well; an embedding of a later revision than it is at is not its own.
    let batch = vec![mosaic_core::Change::Delete { kind, id, revision: None }, mosaic_core::Change::Create(record.clone())];
    env.apply(scope, batch).await.unwrap();
    assert_eq!(held().await, (false, false, 1, true));
    assert!(!index.upsert_as(Scope::System, &super::records::at_revision(&record, 7), &[1.0, 0.0]).await);
    assert_eq!(held().await, (false, false, 1, true));
}

pub async fn embeddings_are_exported_in_order_and_loaded(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let notes = circle(env, &index, &user, 7).await;
    let read = async |limit| {
        let mut own: Vec<Embedding> = Vec::new();
        let mut after = Some((index.model.clone(), Kind::User, Id::nil()));
        while let Some((model, kind, id)) = after {
            let page = index.vectors.export(Some((&model, kind, id)), limit).await.unwrap();
            assert!(page.len() <= limit);
            own.extend(page.iter().filter(|e| e.vector.model == index.model).cloned());
            // Behind the own model come those of other cases.
            after = page.last().filter(|last| last.vector.model == index.model).map(|last| (last.vector.model.clone(), last.kind, last.id));
        }
        own
    };
    let exported = read(100).await;
    let mut expected = ids(&notes);
    expected.sort_unstable();
    assert_eq!(exported.iter().map(|e| e.id).collect::<Vec<_>>(), expected);
    assert_eq!(read(2).await, exported);

    index.vectors.remove(Scope::System, Kind::Note, notes[0].id()).await.unwrap();
    index.vectors.load(&exported, None).await.unwrap();
    assert_eq!(read(3).await, exported);
}

/// Numbers at their bounds are kept to the bit and can be compared, whatever a model is called.
pub async fn what_is_awkward_is_exported_as_it_was_loaded(env: &Env) {
    let env = env.another().await;
    let HostileData { records, embeddings } = hostile(1);
    fill(&env.backend(), records, embeddings.clone()).await;
    assert_same_embeddings(embeddings.clone(), read_back(&env.backend()).await.1);
    let index = Index::of(&env);
    for models in embeddings.chunk_by(|a, b| a.vector.model == b.vector.model) {
        let index = Index { model: models[0].vector.model.clone(), ..index.clone() };
        for embedding in models.iter().take(20) {
            let found = index.nearest(Scope::System, &embedding.vector.components, 1_000, &Nearby::default()).await;
            assert_eq!(found.len(), models.len(), "{}", index.model);
        }
    }
}

pub async fn a_state_goes_with_loaded_embeddings(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let note = Record::Note(env.stored(env.new_note(&user)).await);
    let embeddings = [index.embedding(&note, &[1.0, 0.0])];
    let name = env.name();
    let write = |expect| StateWrite { name: name.clone(), value: Some(serde_json::json!({ "loaded": expect })), expect };
    refused(index.vectors.load(&embeddings, Some(&write(1))).await, ErrorKind::Stale);
    assert!(index.nearest(as_user(&user), &[1.0, 0.0], 1, &Nearby::default()).await.is_empty());
    index.vectors.load(&embeddings, Some(&write(0))).await.unwrap();
    assert_eq!(index.nearest(as_user(&user), &[1.0, 0.0], 1, &Nearby::default()).await, [note.id()]);
    assert_eq!(env.storage.state(&name).await.unwrap().unwrap().version, 1);
    let bad = [index.embedding(&note, &[1.0])];
    refused(index.vectors.load(&bad, Some(&write(1))).await, ErrorKind::Invalid);
    assert_eq!(env.storage.state(&name).await.unwrap().unwrap().version, 1);
}

pub async fn a_model_is_forgotten_piece_by_piece(env: &Env) {
    let index = Index::of(env);
    let other = Index::of(env);
    let user = env.user().await;
    let notes = circle(env, &index, &user, 5).await;
    other.upsert(&notes[0], &[1.0, 0.0]).await;
    assert_eq!(index.vectors.forget(&env.name(), 9).await.unwrap(), 0, "a model that is not there");
    assert_eq!(index.vectors.forget(&index.model, 0).await.unwrap(), 0);
    assert_eq!(index.vectors.forget(&index.model, 3).await.unwrap(), 3);
    let left = index.nearest(as_user(&user), &[1.0, 0.0], 9, &Nearby::default()).await;
    assert!(left.len() == 2 && left.iter().all(|id| ids(&notes).contains(id)), "{left:?}");
    assert_eq!(index.vectors.forget(&index.model, 3).await.unwrap(), 2);
    assert!(index.nearest(as_user(&user), &[1.0, 0.0], 9, &Nearby::default()).await.is_empty());
    assert!(index.vectors.describe().await.unwrap().iter().all(|model| model.model != index.model));
    let pending = pending(&index).await;
    assert!(notes.iter().all(|note| pending.contains(&(note.kind(), note.id()))));
    // It begins anew, with any dimensions; and another model's embeddings are not touched.
    index.upsert(&notes[1], &[1.0, 0.0, 0.0]).await;
    assert_eq!(index.nearest(as_user(&user), &[1.0, 0.0, 0.0], 9, &Nearby::default()).await, [notes[1].id()]);
    assert_eq!(other.nearest(as_user(&user), &[1.0, 0.0], 9, &Nearby::default()).await, [notes[0].id()]);
}

pub async fn an_index_describes_its_models(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    circle(env, &index, &user, 4).await;
    let models = index.vectors.describe().await.unwrap();
    let own: Vec<&VectorModel> = models.iter().filter(|model| model.model == index.model).collect();
    assert!(matches!(own.as_slice(), [VectorModel { dimensions: 2, count: 4, .. }]), "{own:?}");
}
