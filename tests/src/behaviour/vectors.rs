//! The vector index: neighbours that may be seen, nearest first. Skipped on a backend that does not claim one.

use std::sync::Arc;

use mosaic_core::{Embedding, ErrorKind, Id, Kind, MembershipRole, Nearby, Record, Scope, User, Vector, VectorIndex, VectorModel};

use super::Env;
use super::check::refused;
use super::records::{as_admin, as_user, renamed};

/// An index, and a model of the case's own.
struct Index {
    vectors: Arc<dyn VectorIndex>,
    model: String,
}

impl Index {
    fn of(env: &Env) -> Self {
        let Some(vectors) = &env.vectors else { panic!("the backend claims vectors and has none") };
        Self { vectors: Arc::clone(vectors), model: env.name() }
    }

    fn vector(&self, components: &[f32]) -> Vector {
        Vector { model: self.model.clone(), components: components.to_vec() }
    }

    fn embedding(&self, record: &Record, components: &[f32]) -> Embedding {
        Embedding { kind: record.kind(), id: record.id(), revision: record.revision(), vector: self.vector(components) }
    }

    async fn upsert(&self, record: &Record, components: &[f32]) {
        self.vectors.upsert(&[self.embedding(record, components)]).await.unwrap();
    }

    /// The ids of the nearest, after a check that they come in order.
    async fn nearest(&self, scope: Scope, components: &[f32], k: usize, filter: &Nearby) -> Vec<Id> {
        let found = self.vectors.nearest(scope, &self.vector(components), k, filter).await.unwrap();
        assert!(found.len() <= k);
        assert!(found.is_sorted_by(|a, b| (a.distance, a.id) < (b.distance, b.id)), "nearest first, ties by id: {found:?}");
        found.iter().map(|neighbour| neighbour.id).collect()
    }
}

/// Notes around a circle of directions, the first one pointing to (1, 0).
async fn circle(env: &Env, index: &Index, user: &User, count: u8) -> Vec<Record> {
    let mut notes = Vec::new();
    for i in 0..count {
        let note = Record::Note(env.stored(env.new_note(user)).await);
        let angle = f32::from(i) * 0.1;
        index.upsert(&note, &[3.0 * angle.cos(), 3.0 * angle.sin()]).await;
        notes.push(note);
    }
    notes
}

fn ids(records: &[Record]) -> Vec<Id> {
    records.iter().map(Record::id).collect()
}

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

pub async fn a_vector_of_other_dimensions_is_refused(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let notes = circle(env, &index, &user, 2).await;
    let fresh = Record::Note(env.stored(env.new_note(&user)).await);
    for bad in [&[1.0, 2.0, 3.0][..], &[1.0], &[]] {
        refused(index.vectors.upsert(&[index.embedding(&fresh, bad)]).await, ErrorKind::Invalid);
        let search = index.vectors.nearest(as_user(&user), &index.vector(bad), 1, &Nearby::default()).await;
        refused(search, ErrorKind::Invalid);
    }
    // One bad vector keeps the others out.
    let mixed = [index.embedding(&fresh, &[1.0, 0.0]), index.embedding(&notes[0], &[1.0])];
    refused(index.vectors.upsert(&mixed).await, ErrorKind::Invalid);
    assert_eq!(index.nearest(as_user(&user), &[1.0, 0.0], 9, &Nearby::default()).await, ids(&notes));
}

pub async fn a_component_that_is_not_finite_is_refused(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    let note = Record::Note(env.stored(env.new_note(&user)).await);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        refused(index.vectors.upsert(&[index.embedding(&note, &[1.0, bad])]).await, ErrorKind::Invalid);
        refused(index.vectors.load(&[index.embedding(&note, &[1.0, bad])]).await, ErrorKind::Invalid);
    }
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
    index.vectors.remove(Kind::Note, notes[0].id()).await.unwrap();
    index.vectors.remove(Kind::Note, env.id()).await.unwrap();
    env.delete(as_user(&user), Kind::Note, notes[1].id()).await.unwrap();
    for scope in [as_user(&user), Scope::System] {
        assert_eq!(index.nearest(scope, &[1.0, 0.0], 9, &Nearby::default()).await, [notes[2].id()]);
    }
}

/// All that is pending for a model, whatever other cases left.
async fn pending(index: &Index) -> Vec<(Kind, Id)> {
    index.vectors.pending(&index.model, 1_000_000).await.unwrap()
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
    index.vectors.remove(all[0].kind(), all[0].id()).await.unwrap();
    assert_eq!(is_pending().await, [false, false]);
    assert!(index.vectors.pending(&index.model, 1).await.unwrap().len() <= 1);
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

    // Removed and made anew in one batch, it is another record as well; one at a lower revision than was embedded is behind too.
    let batch = vec![mosaic_core::Change::Delete { kind, id, revision: None }, mosaic_core::Change::Create(record.clone())];
    env.apply(scope, batch).await.unwrap();
    assert_eq!(held().await, (false, false, 1, true));
    index.upsert(&super::records::at_revision(&record, 7), &[1.0, 0.0]).await;
    assert_eq!(held().await, (true, true, 2, true));
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

    index.vectors.remove(Kind::Note, notes[0].id()).await.unwrap();
    index.vectors.load(&exported).await.unwrap();
    assert_eq!(read(3).await, exported);
}

pub async fn an_index_describes_its_models(env: &Env) {
    let index = Index::of(env);
    let user = env.user().await;
    circle(env, &index, &user, 4).await;
    let models = index.vectors.describe().await.unwrap();
    let own: Vec<&VectorModel> = models.iter().filter(|model| model.model == index.model).collect();
    assert!(matches!(own.as_slice(), [VectorModel { dimensions: 2, count: 4, .. }]), "{own:?}");
}
