//! The nearest neighbours: of what may be seen, as many as there are, equal to those that comparing with every vector finds.

use std::sync::Arc;

use mosaic_core::{Kind, MembershipRole, Nearby, Record, Scope, Session, User};

use super::Env;
use super::index::{Index, circle, ids};
use super::records::{as_admin, as_user};

pub async fn the_nearest_come_first(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let notes = circle(env, &index, &user, 20).await;
    for k in [0, 1, 5, 20, 100] {
        let found = index.nearest(as_user(&user), &[1.0, 0.0], k, &Nearby::default()).await;
        assert_eq!(found, ids(&notes[..k.min(20)]));
    }
    let opposite = index.vectors.nearest(as_user(&user), &index.vector(&[-1.0, 0.0]), 20, &Nearby::default()).await.unwrap();
    assert!((opposite[19].distance - 2.0).abs() < 1e-5, "{opposite:?}");
}

pub async fn only_what_may_be_seen_is_near(env: &Env) {
    let index = Index::of(env);
    let (user, other, admin) = (env.user().await, env.user().await, env.admin().await);
    // The nearest ones are another's; k of one's own are found all the same.
    let theirs = circle(env, &index, &other, 30).await;
    let mine = circle(env, &index, &user, 10).await;
    assert_eq!(index.nearest(as_user(&user), &[1.0, 0.0], 10, &Nearby::default()).await, ids(&mine));
    assert_eq!(index.nearest(as_user(&other), &[1.0, 0.0], 30, &Nearby::default()).await, ids(&theirs));
    assert!(index.nearest(as_admin(&admin), &[1.0, 0.0], 30, &Nearby::default()).await.is_empty());
    assert_eq!(index.nearest(Scope::System, &[1.0, 0.0], 100, &Nearby::default()).await.len(), 40);
}

pub async fn neighbours_in_a_team_are_its_members(env: &Env) {
    let index = Index::of(env);
    let crew = env.crew().await;
    let note = Record::Note(env.stored(env.new_team_note(&crew.member, &crew.team)).await);
    index.upsert(&note, &[1.0, 1.0]).await;
    for (user, sees) in [(&crew.member, true), (&crew.colleague, true), (&crew.removed, false), (&crew.outsider, false)] {
        let found = index.nearest(as_user(user), &[1.0, 0.0], 10, &Nearby::default()).await;
        assert_eq!(found == ids(std::slice::from_ref(&note)), sees);
    }
}

pub async fn messages_are_near_to_who_sees_their_session(env: &Env) {
    let index = Index::of(env);
    let crew = env.crew().await;
    let session = env.stored(env.new_team_session(&crew.member, &crew.team)).await;
    let message = Record::Message(env.stored(env.new_message(&session)).await);
    index.upsert(&message, &[1.0, 1.0]).await;
    let near = async |user: &User, space_id| {
        let filter = Nearby { kinds: vec![Kind::Message], space_id };
        index.nearest(as_user(user), &[1.0, 0.0], 10, &filter).await == [message.id()]
    };
    assert!(near(&crew.colleague, None).await && near(&crew.colleague, Some(crew.team.id)).await);
    assert!(!near(&crew.removed, None).await && !near(&crew.colleague, Some(session.id)).await);
    env.update(as_user(&crew.member), Session { team_id: None, ..session }).await.unwrap();
    assert!(!near(&crew.colleague, None).await && near(&crew.member, Some(crew.member.id)).await);
}

/// Of four thousand records, scopes see all, a hundredth, twenty and none. Each gets the nearest that it sees, as found by comparing
/// with every vector.
pub async fn k_neighbours_are_found_under_any_scope(env: &Env) {
    const DIMENSIONS: usize = 12;
    let index = Index::of(env);
    let (team, hundredth) = (env.team().await, env.team().await);
    let (everything, some, twenty, nothing) = (env.user().await, env.user().await, env.user().await, env.user().await);
    for (team, user) in [(&team, &everything), (&hundredth, &everything), (&hundredth, &some)] {
        env.join(team, user, MembershipRole::Member).await;
    }
    let twentys_own = env.team().await;
    env.join(&twentys_own, &twenty, MembershipRole::Member).await;
    env.join(&twentys_own, &everything, MembershipRole::Member).await;
    let notes: Vec<_> = (0..4_000)
        .map(|i| match i % 200 {
            7 | 107 => env.new_team_note(&some, &hundredth),
            31 => env.new_team_note(&twenty, &twentys_own),
            _ => env.new_team_note(&everything, &team),
        })
        .collect();
    let records: Vec<_> = notes.iter().cloned().map(Record::from).collect();
    for batch in records.chunks(500) {
        env.storage.load(batch, None).await.unwrap();
    }
    // A fixed sequence that looks like chance (Knuth's multiplier), of coarse steps so that some distances are the same.
    let mut seed = 20_261_125_u64;
    let mut component = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 60) as f32) - 7.5
    };
    let embeddings: Vec<_> =
        records.iter().map(|record| index.embedding(record, &(0..DIMENSIONS).map(|_| component()).collect::<Vec<_>>())).collect();
    index.vectors.load(&embeddings, None).await.unwrap();

    for (user, spaces) in [
        (&everything, vec![team.id, hundredth.id, twentys_own.id]),
        (&some, vec![hundredth.id]),
        (&twenty, vec![twentys_own.id]),
        (&nothing, vec![]),
    ] {
        let query: Vec<_> = (0..DIMENSIONS).map(|_| component()).collect();
        let of_length = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let cosine = |v: &[f32]| {
            let product: f64 = v.iter().zip(&query).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            1.0 - product / (of_length(v) * of_length(&query))
        };
        let seen = notes.iter().zip(&embeddings).filter(|(note, _)| note.team_id.is_some_and(|team| spaces.contains(&team)));
        let mut expected: Vec<_> = seen.map(|(note, embedding)| (cosine(&embedding.vector.components) as f32, note.id)).collect();
        expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for k in [1, 10, 20, 50] {
            let found = index.nearest(as_user(user), &query, k, &Nearby::default()).await;
            assert_eq!(found, expected.iter().take(k).map(|(_, id)| *id).collect::<Vec<_>>(), "{k} of {}", expected.len());
        }
    }
}

pub async fn kinds_and_a_space_narrow_the_search(env: &Env) {
    let index = Index::of(env);
    let (user, team) = (env.user().await, env.team().await);
    env.join(&team, &user, MembershipRole::Member).await;
    let mut all = env.content(&user, None).await;
    all.extend(env.content(&user, Some(&team)).await);
    for (i, record) in (0_u8..).zip(&all) {
        index.upsert(record, &[1.0, f32::from(i)]).await;
    }
    let near =
        async |kinds: &[Kind], space_id| index.nearest(as_user(&user), &[1.0, 0.0], 10, &Nearby { kinds: kinds.to_vec(), space_id }).await;
    assert_eq!(near(&[], None).await, ids(&all));
    assert_eq!(near(&[Kind::Task], None).await, [all[0].id(), all[2].id()]);
    assert_eq!(near(&[Kind::Task, Kind::Note], None).await, ids(&all));
    assert_eq!(near(&[], Some(team.id)).await, ids(&all[2..]));
    assert_eq!(near(&[Kind::Note], Some(user.id)).await, [all[1].id()]);
    assert!(near(&[], Some(env.id())).await.is_empty());
}

pub async fn vectors_of_different_models_are_never_compared(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let notes = circle(env, &index, &user, 3).await;
    let other = Index { vectors: Arc::clone(&index.vectors), model: env.name() };
    other.upsert(&notes[2], &[1.0, 0.0, 0.0]).await;
    assert_eq!(other.nearest(as_user(&user), &[1.0, 0.0, 0.0], 9, &Nearby::default()).await, [notes[2].id()]);
    assert_eq!(index.nearest(as_user(&user), &[1.0, 0.0], 9, &Nearby::default()).await, ids(&notes));
    let unused = Index { vectors: Arc::clone(&index.vectors), model: env.name() };
    assert!(unused.nearest(as_user(&user), &[1.0], 9, &Nearby::default()).await.is_empty());
}

/// Lengths whose squares no `f32` holds, one that is zero, and no difference but the direction.
pub async fn vectors_of_any_length_are_compared(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let mut notes = Vec::new();
    for components in [[f32::MAX, 0.0], [f32::MIN_POSITIVE, f32::MIN_POSITIVE], [0.0, 0.0], [-1e-38, 0.0]] {
        let note = Record::Note(env.stored(env.new_note(&user)).await);
        index.upsert(&note, &components).await;
        notes.push(note);
    }
    for scale in [f32::MAX, 1.0, 1e-30] {
        let found = index.vectors.nearest(as_user(&user), &index.vector(&[scale, 0.0]), 9, &Nearby::default()).await.unwrap();
        assert_eq!(found.iter().map(|neighbour| neighbour.id).collect::<Vec<_>>(), ids(&notes));
        let distances: Vec<_> = found.iter().map(|neighbour| neighbour.distance).collect();
        let expected = [0.0, 1.0 - std::f32::consts::FRAC_1_SQRT_2, 1.0, 2.0];
        assert!(distances.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{distances:?}");
    }
}

pub async fn an_embedding_replaces_the_one_before(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let notes = circle(env, &index, &user, 3).await;
    index.upsert(&notes[0], &[-1.0, 0.0]).await;
    assert_eq!(index.nearest(as_user(&user), &[1.0, 0.0], 9, &Nearby::default()).await, [notes[1].id(), notes[2].id(), notes[0].id()]);
}

pub async fn what_is_removed_is_no_longer_near(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let notes = circle(env, &index, &user, 3).await;
    index.vectors.remove(Scope::System, Kind::Note, notes[0].id()).await.unwrap();
    index.vectors.remove(Scope::System, Kind::Note, env.id()).await.unwrap();
    env.delete(as_user(&user), Kind::Note, notes[1].id()).await.unwrap();
    for scope in [as_user(&user), Scope::System] {
        assert_eq!(index.nearest(scope, &[1.0, 0.0], 9, &Nearby::default()).await, [notes[2].id()]);
    }
}
