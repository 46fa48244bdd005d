//! How well and how fast tier federated finds the nearest, under scopes that see everything, a hundredth and twenty records, beside SQL
//! written by hand on the same server in the same run.
//!
//! The vectors are as those of texts: they lie about topics, and in fewer directions than they have components.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use mosaic_core::vectors::dot;
use mosaic_core::{Backend, Embedding, Id, Kind, Nearby, Options, Record, Scope, Vector, registry};
use mosaic_federated as _;
use mosaic_tests::services;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const MODEL: &str = "bench";
const K: usize = 10;
const QUERIES: usize = 200;
/// The teams, and whose notes are one of every so many.
const TEAMS: [(u128, usize); 2] = [(12, 5_000), (11, 100)];
const TEAM: u128 = 10;
/// Who is a member of every team, of that of a hundredth, and of that of twenty notes.
const USERS: [u128; 3] = [1, 2, 3];
/// So many directions, about which texts differ.
const LATENT: usize = 48;
const TOPICS: usize = 400;

/// How it went under one scope.
pub(crate) struct Near {
    pub(crate) sees: &'static str,
    pub(crate) recall: f64,
    /// The 95th of a hundred, in milliseconds.
    pub(crate) ours: f64,
    pub(crate) by_hand: f64,
}

pub(crate) async fn run(count: usize, dimensions: usize) -> Vec<Near> {
    let services = services::shared(env!("CARGO_BIN_EXE_mosaic-tests")).await;
    let database = services.pgvector.database().await;
    database.execute("CREATE EXTENSION vector").await;
    let section = json!({ "postgres": { "url": database.url() }, "valkey": { "url": services.valkey.database() } });
    let options = Options::new(section, "/", "bench");
    let mut backend = (registry::backend("federated").unwrap().open)(options).await.unwrap();
    for service in backend.services.drain(..) {
        tokio::spawn(service.run);
    }
    println!("{count} vectors of {dimensions} dimensions");

    let texts = Texts::new(dimensions);
    let vectors: Vec<Vec<f32>> = (0..count).map(|seed| texts.vector(seed as u64)).collect();
    let begun = Instant::now();
    fill(&backend, &vectors).await;
    println!("stored in {:.1} s, records and all", begun.elapsed().as_secs_f64());
    let index = backend.vectors.as_ref().unwrap();
    let begun = Instant::now();
    while index.describe().await.unwrap()[0].exact {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("the index is in use after {:.1} s", begun.elapsed().as_secs_f64());

    let mut by_hand = PgConnection::connect(&database.url()).await.unwrap();
    for sql in ["VACUUM ANALYZE", "SELECT '[1]'::vector; SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 200"] {
        sqlx::raw_sql(sql).execute(&mut by_hand).await.unwrap();
    }
    println!("{:<12} {:>9} {:>10} {:>10} {:>10} {:>10} {:>7}", "sees", "recall@10", "p50 ms", "p95 ms", "hand p50", "hand p95", "p95 x");
    let mut all = Vec::new();
    for (name, user, every) in [("everything", USERS[0], 1), ("a hundredth", USERS[1], 100), ("twenty", USERS[2], 5_000)] {
        let (mut found, mut wanted) = (0, 0);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..QUERIES {
            let query = Vector { model: MODEL.into(), components: texts.vector((1 << 40) + round as u64) };
            let begun = Instant::now();
            let near = index.nearest(Scope::User(id(user)), &query, K, &Nearby::default()).await.unwrap();
            ours.push(begun.elapsed());
            let begun = Instant::now();
            hand_written(&mut by_hand, user, &query, every > 10).await;
            theirs.push(begun.elapsed());
            if round % 4 == 0 {
                let true_ones = nearest(&vectors, &query.components, every);
                wanted += true_ones.len();
                found += near.iter().filter(|near| true_ones.contains(&near.id)).count();
            }
        }
        let (ours, theirs) = (Times::of(ours), Times::of(theirs));
        println!(
            "{name:<12} {:>9.3} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>7.2}",
            found as f64 / wanted as f64,
            ours.p50,
            ours.p95,
            theirs.p50,
            theirs.p95,
            ours.p95 / theirs.p95
        );
        all.push(Near { sees: name, recall: found as f64 / wanted as f64, ours: ours.p95, by_hand: theirs.p95 });
    }
    backend.storage.close().await.unwrap();
    all
}

/// What somebody would write who has a table with pgvector and teams: a walk through the index, or a comparison with all that is seen.
async fn hand_written(connection: &mut PgConnection, user: u128, query: &Vector, few: bool) {
    const NOTES: &str = "SELECT note.id FROM note_embeddings AS held JOIN notes AS note ON note.id = held.id WHERE held.model = 'bench'";
    let dimensions = query.components.len();
    let sql = if few {
        format!(
            "{NOTES} AND note.space_id IN (SELECT $1 UNION ALL SELECT team_id FROM memberships WHERE user_id = $1) \
             ORDER BY held.direction <#> $2::real[]::halfvec LIMIT 10"
        )
    } else {
        format!(
            "{NOTES} AND (note.space_id = $1 OR EXISTS (SELECT FROM memberships WHERE team_id = note.space_id AND user_id = $1)) \
             AND vector_dims(held.direction) = {dimensions} ORDER BY (held.direction::halfvec({dimensions})) <#> $2::real[]::halfvec LIMIT 10"
        )
    };
    let rows =
        sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(id(user)).bind(&query.components).fetch_all(connection).await.unwrap();
    assert_eq!(rows.len(), K);
}

/// The true ones, among one of every so many.
fn nearest(vectors: &[Vec<f32>], query: &[f32], every: usize) -> HashSet<Id> {
    // What is one of twenty is not one of the hundredth.
    let sees = |place: usize| every == 1 || place % every == 1 && (every == TEAMS[0].1 || place % TEAMS[0].1 != 1);
    let of_scope = vectors.iter().enumerate().filter(|(place, _)| sees(*place));
    let mut ranked: Vec<_> = of_scope.map(|(place, vector)| (dot(vector, query) / dot(vector, vector).sqrt(), place)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.iter().take(K).map(|(_, place)| note(*place)).collect()
}

fn id(number: u128) -> Id {
    Id::from_u128(number)
}

fn note(place: usize) -> Id {
    id(1_000 + place as u128)
}

fn record(fields: Value) -> Record {
    let mut all = json!({ "created_at": "2026-03-01T12:00:00Z" });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Record::from_json_bytes(all.to_string().as_bytes()).unwrap()
}

async fn fill(backend: &Backend, vectors: &[Vec<f32>]) {
    let users = USERS.map(|user| record(json!({ "kind": "user", "id": id(user), "login": format!("user-{user}"), "name": "User" })));
    let teams = [10, 11, 12].map(|team| record(json!({ "kind": "team", "id": id(team), "slug": format!("team-{team}"), "name": "Team" })));
    let member = |number: u128, user: u128, team: u128| {
        record(json!({ "kind": "membership", "id": id(number), "user_id": id(user), "team_id": id(team), "role": "member" }))
    };
    let members = [(1, TEAM), (1, 11), (1, 12), (2, 11), (3, 12)];
    let members: Vec<_> = members.iter().enumerate().map(|(number, (user, team))| member(100 + number as u128, *user, *team)).collect();
    backend.storage.load(&[&users[..], &teams[..], &members[..]].concat(), None).await.unwrap();
    let team = |place: usize| TEAMS.iter().find(|(_, every)| place % every == 1).map_or(TEAM, |(team, _)| *team);
    for (batch, vectors) in vectors.chunks(1_000).enumerate() {
        let places = || (0..vectors.len()).map(|place| batch * 1_000 + place);
        let notes: Vec<_> = places()
            .map(|place| {
                record(json!({ "kind": "note", "id": note(place), "owner_id": id(1), "team_id": id(team(place)), "title": "note" }))
            })
            .collect();
        backend.storage.load(&notes, None).await.unwrap();
        let embed = |(place, components): (usize, &Vec<f32>)| Embedding {
            kind: Kind::Note,
            id: note(place),
            revision: 1,
            vector: Vector { model: MODEL.into(), components: components.clone() },
        };
        let embeddings: Vec<_> = places().zip(vectors).map(embed).collect();
        backend.vectors.as_ref().unwrap().load(&embeddings, None).await.unwrap();
    }
}

/// Where texts come from.
struct Texts {
    dimensions: usize,
    /// What each latent direction is in components.
    directions: Vec<Vec<f32>>,
    topics: Vec<Vec<f32>>,
}

impl Texts {
    fn new(dimensions: usize) -> Self {
        let directions = (0..LATENT).map(|seed| Chance::new(seed as u64).take(dimensions)).collect();
        let topics = (0..TOPICS).map(|seed| Chance::new(10_000 + seed as u64).take(LATENT)).collect();
        Self { dimensions, directions, topics }
    }

    fn vector(&self, seed: u64) -> Vec<f32> {
        let mut chance = Chance::new(seed.wrapping_add(1 << 20));
        let topic = &self.topics[(chance.next().abs() * 1e6) as usize % TOPICS];
        let latent: Vec<f32> = topic.iter().map(|about| about + 0.7 * chance.next()).collect();
        let mut components: Vec<f32> = (0..self.dimensions).map(|_| 0.3 * chance.next()).collect();
        for (share, direction) in latent.iter().zip(&self.directions) {
            components.iter_mut().zip(direction).for_each(|(component, along)| *component += share * along);
        }
        components
    }
}

/// Numbers that look like chance (Steele, Lea and Flood 2014: SplitMix64), about normal: each is the sum of four even ones.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn even(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn next(&mut self) -> f32 {
        (0..4).map(|_| self.even()).sum::<f32>() * 0.866
    }

    fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// In milliseconds.
struct Times {
    p50: f64,
    p95: f64,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e3;
        Self { p50: at(50), p95: at(95) }
    }
}
