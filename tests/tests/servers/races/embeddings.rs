//! Embeddings against the end of the membership that lets their writer see the record, against the end of the record, and
//! against each other, as another process catches up with them.

use std::sync::Arc;

use mosaic_core::{Applied, Batch, Kind, Nearby, Scope, Storage as _};

use super::{BOB, HOLD_NOTES, HOLD_TASK, MEMBERSHIP, NOTE, NOTES, TEAM, Team, ada};
use crate::place::{Process, Tier, deletion, embedding, id, note, now, vector};

const TIERS: [Tier; 2] = [Tier::Standalone, Tier::Federated];

#[tokio::test(flavor = "multi_thread")]
async fn an_embedding_that_comes_first_is_waited_for_by_the_end_of_the_membership() {
    for tier in TIERS {
        let mut team = Team::new(tier).await;
        team.holder.hold(HOLD_NOTES).await;
        let stored = team.here.begin_upsert(ada(), vec![embedding(NOTE, &[1.0])]);
        team.watcher.until_waiting(1).await;
        let ended = team.there.begin(Scope::System, deletion(Kind::Membership, MEMBERSHIP));
        team.watcher.until_waiting(2).await;
        assert!(!ended.is_finished());
        team.holder.commit().await;
        assert_eq!(stored.await.unwrap().unwrap(), [true], "{tier:?}");
        assert_eq!(ended.await.unwrap().unwrap(), Applied::Deleted);
        assert_eq!(team.embeddings().await, 1, "what was a member's stays");
        assert_eq!(team.here.vectors.upsert(ada(), &[embedding(NOTE + 1, &[1.0])]).await.unwrap(), [false]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_embedding_is_stored_by_one_who_is_a_member_no_more() {
    for tier in TIERS {
        let mut team = Team::new(tier).await;
        // One in place of another goes another way than a new one.
        team.here.vectors.upsert(Scope::System, &[embedding(NOTE, &[1.0])]).await.unwrap();
        team.holder.hold(HOLD_TASK).await;
        let ended = team.there.begin(Scope::System, deletion(Kind::Membership, MEMBERSHIP));
        team.watcher.until_waiting(1).await;
        let stored = team.here.begin_upsert(ada(), vec![embedding(NOTE, &[2.0]), embedding(NOTE + 1, &[2.0])]);
        team.watcher.until_waiting(2).await;
        team.holder.commit().await;
        assert_eq!(ended.await.unwrap().unwrap(), Applied::Deleted);
        assert_eq!(stored.await.unwrap().unwrap(), [false, false], "{tier:?}");
        assert_eq!(team.embeddings().await, 1);
        let kept = team.here.vectors.export(None, 10).await.unwrap();
        assert_eq!(kept[0].vector.components, [1.0]);
    }
}

fn begin_removal(process: &Process, number: u128) -> tokio::task::JoinHandle<mosaic_core::Result<bool>> {
    let vectors = Arc::clone(&process.vectors);
    tokio::spawn(async move { vectors.remove(ada(), Kind::Note, id(number)).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedding_is_removed_by_a_member_or_not_at_all() {
    for tier in TIERS {
        let mut team = Team::new(tier).await;
        let given = [embedding(NOTE, &[1.0]), embedding(NOTE + 1, &[1.0])];
        team.here.vectors.upsert(Scope::System, &given).await.unwrap();

        // The removal first: the end of the membership waits for it.
        team.holder.hold(&format!("SELECT FROM note_embeddings WHERE id = '{}' FOR UPDATE", id(NOTE))).await;
        let removed = begin_removal(&team.here, NOTE);
        team.watcher.until_waiting(1).await;
        let mut task = team.place.plain().await;
        task.hold(HOLD_TASK).await;
        let ended = team.there.begin(Scope::System, deletion(Kind::Membership, MEMBERSHIP));
        team.watcher.until_waiting(2).await;
        team.holder.commit().await;
        assert!(removed.await.unwrap().unwrap(), "{tier:?}");

        // Then the end of the membership, which by now waits for the task alone: a removal waits for it.
        team.watcher.until_blocked_by(&task, 1).await;
        let removed = begin_removal(&team.here, NOTE + 1);
        team.watcher.until_waiting(2).await;
        task.commit().await;
        assert_eq!(ended.await.unwrap().unwrap(), Applied::Deleted);
        assert!(!removed.await.unwrap().unwrap(), "{tier:?}");
        assert_eq!(team.embeddings().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_while_a_batch_of_embeddings_is_stored_is_left_out() {
    for tier in TIERS {
        let mut team = Team::new(tier).await;
        // Several go, one after the other, each while the batch is at it.
        let mut others = Vec::new();
        for number in [NOTE, NOTE + 1, NOTE + 2] {
            let mut other = team.place.plain().await;
            other.hold(&format!("DELETE FROM notes WHERE id = '{}'", id(number))).await;
            others.push(other);
        }
        let stored = team.here.begin_upsert(ada(), NOTES.map(|number| embedding(number, &[1.0])).collect());
        for other in &mut others {
            team.watcher.until_blocked_by(other, 1).await;
            other.commit().await;
        }
        assert_eq!(stored.await.unwrap().unwrap(), [false, false, false, true], "{tier:?}");
        assert_eq!(team.embeddings().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_embedding_outlives_its_record_whoever_is_first() {
    for tier in TIERS {
        let mut team = Team::new(tier).await;
        let given: Vec<_> = NOTES.map(|number| embedding(number, &[1.0])).collect();
        let batch = |numbers: &[u128]| Batch {
            at: now(),
            changes: numbers.iter().map(|number| deletion(Kind::Note, *number)).collect(),
            state: None,
        };
        // Both take the notes in another order, so that each may wait for the other.
        let deletions = batch(&[NOTE + 1, NOTE]);
        team.holder.hold(&format!("SELECT FROM notes WHERE id = '{}' FOR UPDATE", id(NOTE + 1))).await;
        let storage = Arc::clone(&team.there.storage);
        let gone = tokio::spawn(async move { storage.apply(Scope::System, &deletions).await });
        team.watcher.until_waiting(1).await;
        let stored = team.here.begin_upsert(ada(), given.clone());
        team.watcher.until_waiting(2).await;
        team.holder.commit().await;
        assert_eq!(gone.await.unwrap().unwrap(), [Applied::Deleted, Applied::Deleted], "{tier:?}");
        let stored = stored.await.unwrap().unwrap();
        assert_eq!(stored[2..], [true, true], "{tier:?}: {stored:?}");
        assert_eq!(team.embeddings().await, 2);

        // One in place of another, of a record whose removal waits for it.
        team.holder.hold(&format!("SELECT FROM note_embeddings WHERE id = '{}' FOR UPDATE", id(NOTE + 2))).await;
        let stored = team.here.begin_upsert(ada(), given[2..].to_vec());
        team.watcher.until_waiting(1).await;
        let gone = team.there.begin(Scope::System, deletion(Kind::Note, NOTE + 2));
        team.watcher.until_waiting(2).await;
        team.holder.commit().await;
        assert_eq!(stored.await.unwrap().unwrap(), [true, true], "{tier:?}");
        assert_eq!(gone.await.unwrap().unwrap(), Applied::Deleted);
        assert_eq!(team.embeddings().await, 1);
    }
}

async fn nearest(process: &Process) -> Vec<u128> {
    let found = process.vectors.nearest(Scope::System, &vector(&[1.0, 0.0]), 10, &Nearby::default()).await.unwrap();
    found.into_iter().map(|neighbour| neighbour.id.as_u128()).collect()
}

fn away(number: u128) -> mosaic_core::Embedding {
    embedding(number, &[1.0, (number - NOTE) as f32])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_late_is_not_missed_by_who_has_caught_up_meanwhile() {
    for tier in TIERS {
        let mut team = Team::new(tier).await;
        let reader = team.place.process().await;
        team.here.vectors.upsert(Scope::System, &[away(NOTE + 3)]).await.unwrap();
        assert_eq!(nearest(&reader).await, [NOTE + 3]);
        // The first has its numbers, and does not commit.
        team.holder.hold(&format!("SELECT FROM notes WHERE id = '{}' FOR UPDATE", id(NOTE))).await;
        let first = team.here.begin_upsert(Scope::System, vec![away(NOTE)]);
        team.watcher.until_waiting(1).await;
        let second = team.there.begin_upsert(Scope::System, vec![away(NOTE + 1)]);
        // The second comes behind it, whichever way, and the reader never stands between the two.
        tokio::select! {
            () = team.watcher.until_waiting(2) => {}
            outcome = async { while !second.is_finished() { tokio::task::yield_now().await } } => outcome,
        }
        nearest(&reader).await;
        team.holder.commit().await;
        assert_eq!(first.await.unwrap().unwrap(), [true]);
        assert_eq!(second.await.unwrap().unwrap(), [true]);
        assert_eq!(nearest(&reader).await, [NOTE, NOTE + 1, NOTE + 3], "{tier:?}");

        // One that takes numbers and is gone holds nobody up.
        team.holder.hold(&format!("SELECT FROM notes WHERE id = '{}' FOR UPDATE", id(NOTE + 2))).await;
        let broken = team.here.begin_upsert(Scope::System, vec![away(NOTE + 2)]);
        team.watcher.until_waiting(1).await;
        broken.abort();
        team.holder.commit().await;
        assert_eq!(team.there.vectors.upsert(Scope::System, &[away(NOTE + 1)]).await.unwrap(), [true]);
        let found = nearest(&reader).await;
        assert_eq!(found.iter().filter(|number| **number != NOTE + 2).copied().collect::<Vec<_>>(), [NOTE, NOTE + 1, NOTE + 3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_while_many_write_one_model() {
    const EACH: u128 = 25;
    let team = Team::new(Tier::Standalone).await;
    let writers = [&team.here, &team.there, &team.place.process().await].map(Clone::clone);
    let notes: Vec<_> = (0..3 * EACH).map(|n| note(100 + n, BOB, Some(TEAM))).collect();
    team.here.load(&notes).await;
    let mut writing = tokio::task::JoinSet::new();
    for (place, writer) in writers.into_iter().enumerate() {
        writing.spawn(async move {
            for n in 0..EACH {
                let number = 100 + place as u128 * EACH + n;
                assert_eq!(writer.vectors.upsert(Scope::System, &[embedding(number, &[1.0, n as f32])]).await.unwrap(), [true]);
            }
        });
    }
    let reader = team.place.process().await;
    let all = async || {
        let found = reader.vectors.nearest(Scope::System, &vector(&[1.0, 0.0]), 1_000, &Nearby::default()).await.unwrap();
        found.len() as u128
    };
    // It catches up in every moment there is.
    while !writing.is_empty() {
        all().await;
        while let Some(done) = writing.try_join_next() {
            done.unwrap();
        }
    }
    assert_eq!(all().await, 3 * EACH);
    team.here.apply(Scope::System, deletion(Kind::Note, 100)).await.unwrap();
    assert_eq!(all().await, 3 * EACH - 1);
}
