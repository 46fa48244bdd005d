//! Vectors that pgvector compares: that they get their directions whoever stored them, and that approximate indexes come, are used,
//! are replaced and go, while what is found is what comparing with everything finds.

use std::collections::HashSet;

use mosaic_core::vectors::{cosine_distance, dot};
use mosaic_core::{Embedding, Id, Kind, Nearby, Neighbour, Record, Scope, Vector, VectorIndex};
use mosaic_sql::PgVectors;
use serde_json::json;

use crate::place::{Place, Plain, Process, Tier, deletion, embedding, id, note, record, user, vector};

/// Indexes are made of so many, and more.
const MANY: u128 = 5_000;
const COUNT: u128 = MANY + 1_000;
const DIMENSIONS: usize = 16;
/// The ids of notes begin here.
const FIRST: u128 = 100_000;

/// Who sees everything, a hundredth, and twenty.
const USERS: [u128; 3] = [1, 2, 3];
/// The teams with most notes, a hundredth, and twenty; of these, the users from 1 on are members so far.
const TEAMS: [(u128, usize); 3] = [(11, 1), (12, 2), (13, 3)];

const WHOLE: &str = "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname LIKE '%\\_hnsw\\_%' AND indisvalid";
const BROKEN: &str = "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname LIKE '%\\_hnsw\\_%' AND NOT indisvalid";

/// A database with notes of which a vector each is known.
struct World {
    place: Place,
    process: Process,
    watcher: Plain,
    given: Vec<(u128, Vec<f32>)>,
}

/// The team that a note lives in.
fn team_of(number: u128) -> u128 {
    match number - FIRST {
        n if n < 20 => TEAMS[2].0,
        n if n % 100 == 1 => TEAMS[1].0,
        _ => TEAMS[0].0,
    }
}

impl World {
    /// With many vectors that are stored, and no index as yet.
    async fn new() -> Self {
        let place = Place::new(Tier::Federated).await;
        let process = place.process().await;
        let mut records: Vec<Record> = USERS.map(|number| user(number, &format!("user-{number}"))).into();
        records.extend(TEAMS.map(|(team, _)| record("team", team, json!({ "slug": format!("team-{team}"), "name": "Team" }))));
        for (team, members) in TEAMS {
            let member = |user: &u128| json!({ "team_id": id(team), "user_id": id(*user), "role": "member" });
            records.extend(USERS[..members].iter().map(|user| record("membership", team * 100 + user, member(user))));
        }
        records.extend((FIRST..FIRST + COUNT).map(|number| note(number, USERS[0], Some(team_of(number)))));
        for page in records.chunks(1_000) {
            process.load(page).await;
        }
        let mut random = fastrand::Rng::with_seed(7);
        let given: Vec<_> = (FIRST..FIRST + COUNT).map(|number| (number, components(&mut random))).collect();
        let watcher = place.plain().await;
        let world = Self { place, process, watcher, given };
        for page in world.given.chunks(1_000) {
            let page: Vec<_> = page.iter().map(|(number, components)| embedding(*number, components)).collect();
            world.process.vectors.load(&page, None).await.unwrap();
        }
        world
    }

    /// Lets a gateway look after the indexes until so many are whole, and none is broken.
    async fn keep(&mut self, whole: i64) {
        let (_, keeping) = self.process.storage.pgvector();
        let keeping = tokio::spawn(keeping.run);
        self.watcher.until(WHOLE, whole).await;
        self.watcher.until(BROKEN, 0).await;
        keeping.abort();
    }

    /// A gateway that has asked nothing yet, and so remembers nothing.
    async fn fresh(&self) -> PgVectors {
        self.process.storage.pgvector().0
    }

    async fn is_exact(&self) -> bool {
        self.process.vectors.describe().await.unwrap()[0].exact
    }

    /// What comparing with everything finds, that lives in these teams.
    fn exact(&self, query: &[f32], k: usize, teams: &[u128]) -> Vec<Neighbour> {
        let seen = self.given.iter().filter(|(number, _)| teams.contains(&team_of(*number)));
        let distance = |components: &[f32]| cosine_distance(dot(query, components), dot(query, query), dot(components, components));
        let neighbour =
            |(number, components): &(u128, Vec<f32>)| Neighbour { kind: Kind::Note, id: id(*number), distance: distance(components) };
        let mut all: Vec<_> = seen.map(neighbour).collect();
        all.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id)));
        all.truncate(k);
        all
    }
}

fn components(random: &mut fastrand::Rng) -> Vec<f32> {
    (0..DIMENSIONS).map(|_| random.f32() - 0.5).collect()
}

async fn nearest(vectors: &dyn VectorIndex, scope: Scope, query: &[f32], k: usize) -> Vec<Neighbour> {
    vectors.nearest(scope, &vector(query), k, &Nearby::default()).await.unwrap()
}

fn ids(neighbours: &[Neighbour]) -> Vec<Id> {
    neighbours.iter().map(|neighbour| neighbour.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_of_another_tier_get_their_directions() {
    const NOTES: u128 = 5;
    let place = Place::new(Tier::Federated).await;
    let standalone = Place { database: place.database.clone(), tier: Tier::Standalone };
    let before = standalone.process().await;
    let mut records = vec![user(1, "ada")];
    records.extend((10..10 + NOTES).map(|number| note(number, 1, None)));
    before.load(&records).await;
    let given: Vec<_> = (0..NOTES).map(|n| embedding(10 + n, &[1.0, n as f32])).chain([embedding(10 + NOTES - 1, &[0.0, 0.0])]).collect();
    before.vectors.load(&given, None).await.unwrap();

    let mut watcher = place.plain().await;
    let found = async |vectors: &dyn VectorIndex| {
        let found = nearest(vectors, Scope::System, &[1.0, 0.0], 10).await;
        found.iter().map(|neighbour| neighbour.id.as_u128() - 10).collect::<Vec<_>>()
    };
    // The one without a direction is as far as what stands at a right angle.
    assert_eq!(found(&*place.process().await.vectors).await, [0, 1, 2, 3, 4]);
    const UNDIRECTED: &str = "SELECT count(*) FROM note_embeddings WHERE directed IS DISTINCT FROM change \
        OR (direction IS NULL) <> (vector = decode(repeat('00', length(vector)), 'hex'))";
    assert_eq!(watcher.number(UNDIRECTED).await, 0);

    // In place of one that has a direction by now, and one more; and while a gateway of this tier is at work.
    let (vectors, keeping) = before.storage.pgvector();
    before.vectors.upsert(Scope::System, &[embedding(10, &[1.0, 9.0])]).await.unwrap();
    before.load(&[note(10 + NOTES, 1, None)]).await;
    before.vectors.upsert(Scope::System, &[embedding(10 + NOTES, &[1.0, 0.5])]).await.unwrap();
    assert_eq!(watcher.number(UNDIRECTED).await, 2);
    let keeping = tokio::spawn(keeping.run);
    watcher.until(UNDIRECTED, 0).await;
    keeping.abort();
    assert_eq!(found(&vectors).await, [5, 1, 2, 3, 0, 4]);
    assert_eq!(found(&*before.vectors).await, [5, 1, 2, 3, 0, 4], "and both tiers find the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_index_in_place_everybody_finds_what_is_nearest() {
    const K: usize = 10;
    let mut world = World::new().await;
    assert!(world.is_exact().await);
    let index = world.fresh().await;
    let query = world.given[42].1.clone();
    assert_eq!(nearest(&index, Scope::System, &query, K).await, world.exact(&query, K, &[11, 12, 13]), "before there is an index");
    world.keep(1).await;
    assert!(!world.is_exact().await);

    let mut random = fastrand::Rng::with_seed(8);
    let (mut hits, mut rounds) = (0, 0);
    for _ in 0..20 {
        let query = components(&mut random);
        for (user, teams) in [(USERS[0], &[11, 12, 13][..]), (USERS[1], &[12, 13]), (USERS[2], &[13])] {
            let found = nearest(&index, Scope::User(id(user)), &query, K).await;
            let wanted = world.exact(&query, K, teams);
            if user == USERS[0] {
                assert_eq!(found.len(), K);
                let wanted: HashSet<_> = ids(&wanted).into_iter().collect();
                hits += found.iter().filter(|neighbour| wanted.contains(&neighbour.id)).count();
                rounds += 1;
            } else {
                assert_eq!(found, wanted, "user {user}");
            }
        }
    }
    // The database counts what it reads when a session has been idle for a while.
    world.watcher.until("SELECT count(*) FROM pg_stat_user_indexes WHERE indexrelname LIKE '%\\_hnsw\\_%' AND idx_scan >= 20", 1).await;
    assert!(hits * 10 >= rounds * K * 9, "{hits} of {} were found", rounds * K);

    // Whoever was seen to see much, and sees little since, finds it all the same, and nothing else.
    world.process.apply(Scope::System, deletion(Kind::Membership, 11 * 100 + USERS[0])).await.unwrap();
    for k in [1, K, 20, 200] {
        let found = nearest(&index, Scope::User(id(USERS[0])), &query, k).await;
        assert_eq!(found, world.exact(&query, k, &[12, 13]), "{k}");
    }
    // All that there are, and more than there are.
    for k in [COUNT as usize, COUNT as usize + 1] {
        assert_eq!(ids(&nearest(&index, Scope::System, &query, k).await), ids(&world.exact(&query, k, &[11, 12, 13])), "{k}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_of_any_length_are_compared_by_an_index() {
    let mut world = World::new().await;
    world.keep(1).await;
    let index = world.fresh().await;
    let query = components(&mut fastrand::Rng::with_seed(9));
    // The same direction in the greatest and the smallest numbers, the opposite one, and none.
    let scaled = |factor: f32| query.iter().map(|component| component * factor).collect::<Vec<_>>();
    let special = [scaled(3.4e38), scaled(1e-30), scaled(-3.4e38), vec![0.0; DIMENSIONS]];
    assert!(special.iter().flatten().all(|component| component.is_finite()));
    let numbers = [FIRST + 500, FIRST + 501, FIRST + 502, FIRST + 503];
    for (number, components) in numbers.iter().zip(special) {
        index.upsert(Scope::System, &[embedding(*number, &components)]).await.unwrap();
        world.given[(number - FIRST) as usize].1 = components;
    }
    let all = [11, 12, 13];
    let found = nearest(&index, Scope::System, &query, 10).await;
    assert_eq!(ids(&found)[..2], [id(numbers[0]), id(numbers[1])]);
    assert!(found[1].distance < 1e-6, "{found:?}");
    // A question in great numbers is the same question; what is nearest to the opposite is the opposite.
    assert_eq!(ids(&nearest(&index, Scope::System, &scaled(3.4e38), 10).await), ids(&found));
    assert_eq!(nearest(&index, Scope::System, &scaled(-1.0), 1).await[0].id, id(numbers[2]));
    // To what has no direction, everything is equally near.
    assert_eq!(nearest(&index, Scope::System, &[0.0; DIMENSIONS], 10).await, world.exact(&[0.0; DIMENSIONS], 10, &all));
    // So many that what has no direction is among them: it has its place, at a distance of 1.
    let half = world.exact(&query, COUNT as usize, &all).iter().position(|neighbour| neighbour.id == id(numbers[3])).unwrap();
    let found = nearest(&index, Scope::System, &query, half + 10).await;
    assert_eq!((found.len(), found[half].id), (half + 10, id(numbers[3])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_left_half_made_is_made_anew() {
    let mut world = World::new().await;
    // Whoever makes one waits for all who were writing when it began.
    let mut holder = world.place.plain().await;
    holder.hold("LOCK TABLE note_embeddings IN ROW EXCLUSIVE MODE").await;
    let (vectors, keeping) = world.process.storage.pgvector();
    let keeping = tokio::spawn(keeping.run);
    world.watcher.until_waiting(1).await;
    assert_eq!(world.watcher.number(BROKEN).await, 1);
    assert!(world.is_exact().await, "it is not in use yet");
    // Another gateway leaves it to who is at it.
    let (_, other) = world.process.storage.pgvector();
    let other = tokio::spawn(other.run);

    let making = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
        WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'";
    assert_eq!(world.watcher.number(making).await, 1);
    assert_eq!(world.watcher.number(BROKEN).await, 1, "it is left behind");
    holder.commit().await;
    let query = world.given[42].1.clone();
    assert_eq!(nearest(&vectors, Scope::System, &query, 10).await, world.exact(&query, 10, &[11, 12, 13]));
    keeping.abort();
    other.abort();
    world.keep(1).await;
    assert!(!world.is_exact().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_of_a_model_that_is_forgotten_goes() {
    let mut world = World::new().await;
    world.keep(1).await;
    while world.process.vectors.forget("model", 1_000).await.unwrap() == 1_000 {}
    assert!(world.process.vectors.describe().await.unwrap().is_empty());

    // The model begins anew, with other dimensions, before anybody has looked.
    let anew = |number: u128, components: &[f32]| Embedding {
        vector: Vector { model: "model".into(), components: components.to_vec() },
        ..embedding(number, &[])
    };
    let given = [anew(FIRST, &[1.0, 0.0]), anew(FIRST + 1, &[1.0, 1.0])];
    assert_eq!(world.process.vectors.upsert(Scope::System, &given).await.unwrap(), [true, true]);
    let index = world.fresh().await;
    assert_eq!(ids(&nearest(&index, Scope::System, &[1.0, 0.0], 10).await), [id(FIRST), id(FIRST + 1)]);
    world.keep(0).await;
    assert_eq!(ids(&nearest(&index, Scope::System, &[1.0, 0.0], 10).await), [id(FIRST), id(FIRST + 1)]);
    assert!(world.is_exact().await);
}
