//! Vectors that this process compares, and others write: two indexes on one database are two processes' copies.

use mosaic_core::{Batch, Change, Embedding, ErrorKind, Id, Kind, Nearby, Scope, Storage as _, Timestamp, Vector, VectorIndex as _};
use mosaic_sql::SqlVectors;
use serde_json::json;

use super::{Place, id, record};

fn vector(components: &[f32]) -> Vector {
    Vector { model: "model".into(), components: components.to_vec() }
}

fn embedding(number: u128, components: &[f32]) -> Embedding {
    Embedding { kind: Kind::Note, id: id(number), revision: 1, vector: vector(components) }
}

async fn give(index: &SqlVectors, number: u128, components: &[f32]) {
    assert_eq!(index.upsert(Scope::System, &[embedding(number, components)]).await.unwrap(), [true]);
}

async fn nearest(index: &SqlVectors, components: &[f32]) -> Vec<Id> {
    let found = index.nearest(Scope::System, &vector(components), 10, &Nearby::default()).await.unwrap();
    found.into_iter().map(|neighbour| neighbour.id).collect()
}

/// A place with the notes 1 to `count` of the user 1,000.
async fn with_notes(count: u128) -> Place {
    let place = Place::new().await;
    let mut records = vec![record("user", 1_000, 0, json!({ "login": "ada", "name": "Ada" })).unwrap()];
    records.extend((1..=count).map(|n| record("note", n, 0, json!({ "owner_id": id(1_000), "title": "note" })).unwrap()));
    place.storage.load(&records, None).await.unwrap();
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_writes_is_compared() {
    let place = with_notes(4).await;
    let (mine, theirs) = (place.storage.vectors(1 << 30), place.storage.vectors(1 << 30));
    for number in [1, 2, 3] {
        give(&mine, number, &[1.0, number as f32]).await;
    }
    assert_eq!(nearest(&mine, &[1.0, 0.0]).await, [1, 2, 3].map(id));
    assert_eq!(nearest(&theirs, &[1.0, 0.0]).await, [1, 2, 3].map(id));

    // A new one, one in place of another, one removed, one that goes with its record.
    give(&theirs, 4, &[1.0, 0.5]).await;
    give(&theirs, 1, &[1.0, 9.0]).await;
    assert!(theirs.remove(Scope::System, Kind::Note, id(2)).await.unwrap());
    assert_eq!(nearest(&mine, &[1.0, 0.0]).await, [4, 3, 1].map(id));
    let gone = Change::Delete { kind: Kind::Note, id: id(3), revision: None };
    place.storage.apply(Scope::System, &Batch::one(Timestamp::from_micros(0).unwrap(), gone)).await.unwrap();
    assert_eq!(nearest(&mine, &[1.0, 0.0]).await, [4, 1].map(id));

    // Made anew, it is another record, and its embedding another's.
    place.storage.load(&[record("note", 3, 0, json!({ "owner_id": id(1_000), "title": "anew" })).unwrap()], None).await.unwrap();
    assert_eq!(nearest(&mine, &[1.0, 0.0]).await, [4, 1].map(id));
    give(&theirs, 3, &[1.0, 0.0]).await;
    assert_eq!(nearest(&mine, &[1.0, 0.0]).await, [3, 4, 1].map(id));

    // The model begins anew with other dimensions, once nothing is left of it.
    for number in [1, 3, 4] {
        theirs.remove(Scope::System, Kind::Note, id(number)).await.unwrap();
    }
    give(&theirs, 2, &[1.0, 0.0, 0.0]).await;
    assert_eq!(nearest(&mine, &[1.0, 0.0, 0.0]).await, [id(2)]);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_taken_than_fits_into_memory() {
    let place = with_notes(4).await;
    // Room for three vectors of two dimensions, with what each takes beside.
    let index = place.storage.vectors(3 * (2 * 4 + 160));
    let notes = [1, 2, 3].map(|number| embedding(number, &[1.0, number as f32]));
    index.load(&notes, None).await.unwrap();
    let refused = index.upsert(Scope::System, &[embedding(4, &[1.0, 4.0])]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Full);
    assert!(refused.hint_text().unwrap().contains("vector_memory_mib"), "{refused:?}");
    let other = Embedding { vector: Vector { model: "other".into(), components: vec![1.0] }, ..embedding(4, &[]) };
    assert_eq!(index.upsert(Scope::System, &[other]).await.unwrap_err().kind(), ErrorKind::Full);
    assert_eq!(nearest(&index, &[1.0, 0.0]).await, [1, 2, 3].map(id), "what was refused is not there");

    // What is given again takes no more, however often, and what went leaves room.
    for _ in 0..3 {
        index.load(&notes, None).await.unwrap();
    }
    let gone = Change::Delete { kind: Kind::Note, id: id(1), revision: None };
    place.storage.apply(Scope::System, &Batch::one(Timestamp::from_micros(0).unwrap(), gone)).await.unwrap();
    give(&index, 4, &[1.0, 4.0]).await;
    assert_eq!(nearest(&index, &[1.0, 0.0]).await, [2, 3, 4].map(id));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_models_are_kept_than_can_be_looked_at() {
    let place = with_notes(1).await;
    let index = place.storage.vectors(1 << 30);
    let of_model = |number: usize| {
        let vector = Vector { model: format!("model {number}"), components: vec![1.0; number % 3 + 1] };
        [Embedding { vector, ..embedding(1, &[]) }]
    };
    for number in 0..64 {
        index.upsert(Scope::System, &of_model(number)).await.unwrap();
    }
    let refused = index.upsert(Scope::System, &of_model(64)).await.unwrap_err();
    assert_eq!((refused.kind(), refused.get("model")), (ErrorKind::Full, Some("model 64")));
    assert_eq!(index.describe().await.unwrap().len(), 64);

    // Those that have no embeddings any more make room, and one that begins anew is read anew.
    let near = async |number: usize| index.nearest(Scope::System, &of_model(number)[0].vector, 9, &Nearby::default()).await.unwrap().len();
    assert_eq!(near(7).await, 1);
    index.remove(Scope::System, Kind::Note, id(1)).await.unwrap();
    index.upsert(Scope::System, &of_model(64)).await.unwrap();
    index.upsert(Scope::System, &of_model(7)).await.unwrap();
    assert_eq!((near(64).await, near(7).await, near(8).await), (1, 1, 0));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_is_found_however_many_records_are_looked_through() {
    const COUNT: u128 = 20_001;
    let place = with_notes(COUNT).await;
    let index = place.storage.vectors(1 << 30);
    let pending = async |after: Option<u128>, limit| {
        let pending = index.pending("model", after.map(|after| (Kind::Note, id(after))), limit).await.unwrap();
        pending.into_iter().map(|(_, id)| id.as_u128()).collect::<Vec<_>>()
    };
    assert!(pending(None, 30_000).await.into_iter().eq(1..=COUNT), "all of them, over several looks");
    assert!(pending(Some(9_990), 20).await.into_iter().eq(9_991..=10_010));

    let missing = [10_000, 10_001, COUNT];
    let embeddings: Vec<_> = (1..=COUNT).filter(|n| !missing.contains(n)).map(|n| embedding(n, &[1.0])).collect();
    index.load(&embeddings, None).await.unwrap();
    for limit in [1, 2, 3, 100] {
        assert_eq!(pending(None, limit).await, missing[..limit.min(3)]);
    }
    assert_eq!(pending(Some(10_000), 100).await, missing[1..]);
    assert_eq!(pending(Some(COUNT), 100).await, [0; 0]);
    assert_eq!(pending(None, 0).await, [0; 0]);
    place.close().await;
}
