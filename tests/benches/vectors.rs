//! How long the nearest neighbours take on tier local, beside a bare loop over the same vectors in the same run.
//!
//! `cargo bench -p mosaic-tests --bench vectors -- [VECTORS] [DIMENSIONS]`: 100,000 of 768 unless it is said.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use mosaic_core::vectors::dot;
use mosaic_core::{Backend, Embedding, Id, Kind, Nearby, Options, Record, Scope, Vector, registry};
use mosaic_pglite as _;
use serde_json::{Value, json};

const MODEL: &str = "bench";
const OWNER: u128 = 1;
/// Who sees one of every so many: of 100,000, twenty and a thousand.
const FEW: [(u128, usize); 2] = [(3, 5_000), (2, 100)];
const ROUNDS: usize = 25;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (count, dimensions) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(768));
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run(count, dimensions));
}

async fn run(count: usize, dimensions: usize) {
    let dir = tempfile::tempdir().unwrap();
    let section = json!({ "data_dir": dir.path().join("data"), "engine_executable": env!("CARGO_BIN_EXE_mosaic-tests"), "vector_memory_mib": 65_536 });
    let options = Options::new(section, "/", "bench");
    let backend = (registry::backend("local").unwrap().open)(options).await.unwrap();
    println!("{count} vectors of {dimensions} dimensions");

    let vectors: Vec<Vec<f32>> = (0..count).map(|seed| chance(seed as u64, dimensions)).collect();
    let begun = Instant::now();
    fill(&backend, &vectors).await;
    println!("stored in {:.1} s, records and all", begun.elapsed().as_secs_f64());

    let index = backend.vectors.as_ref().unwrap();
    let before = resident();
    let begun = Instant::now();
    index.nearest(Scope::System, &query(0, dimensions), 10, &Nearby::default()).await.unwrap();
    println!(
        "first search, which reads them: {:.2} s; memory grows by {} MiB",
        begun.elapsed().as_secs_f64(),
        resident().saturating_sub(before)
    );

    let mut looks = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        assert!(index.pending(MODEL, None, 256).await.unwrap().is_empty());
        looks.push(begun.elapsed());
    }
    println!("a look for what is not embedded, which finds nothing: {:.1} ms", ms(median(looks)));

    let mut bare = Vec::new();
    for round in 0..ROUNDS {
        let query = query(round, dimensions);
        let begun = Instant::now();
        let best = vectors.iter().map(|vector| dot(vector, &query.components)).fold(f64::MIN, f64::max);
        black_box(best);
        bare.push(begun.elapsed());
    }
    let bare = median(bare);
    println!("bare loop: {:.1} ms", ms(bare));
    for (name, scope) in [("everything", Scope::System), ("a hundredth", Scope::User(id(2))), ("twenty", Scope::User(id(3)))] {
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            let query = query(round, dimensions);
            let begun = Instant::now();
            let found = index.nearest(scope, &query, 10, &Nearby::default()).await.unwrap();
            times.push(begun.elapsed());
            assert_eq!(found.len(), 10);
        }
        let time = median(times);
        println!("10 nearest for one who sees {name}: {:.1} ms, {:.2} x the loop", ms(time), time.as_secs_f64() / bare.as_secs_f64());
    }
    backend.storage.close().await.unwrap();
}

fn id(number: u128) -> Id {
    Id::from_u128(number)
}

fn record(fields: Value) -> Record {
    let mut all = json!({ "created_at": "2026-03-01T12:00:00Z" });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Record::from_json_bytes(all.to_string().as_bytes()).unwrap()
}

async fn fill(backend: &Backend, vectors: &[Vec<f32>]) {
    let users = (1..=3).map(|user| record(json!({ "kind": "user", "id": id(user), "login": format!("user-{user}"), "name": "User" })));
    backend.storage.load(&users.collect::<Vec<_>>(), None).await.unwrap();
    let owner = |place: usize| FEW.iter().find(|(_, every)| place % every == 1).map_or(OWNER, |(user, _)| *user);
    for (batch, vectors) in vectors.chunks(1_000).enumerate() {
        let places = || (0..vectors.len()).map(|place| batch * 1_000 + place);
        let notes: Vec<_> = places()
            .map(|place| record(json!({ "kind": "note", "id": id(1_000 + place as u128), "owner_id": id(owner(place)), "title": "note" })))
            .collect();
        backend.storage.load(&notes, None).await.unwrap();
        let embed = |(place, components): (usize, &Vec<f32>)| Embedding {
            kind: Kind::Note,
            id: id(1_000 + place as u128),
            revision: 1,
            vector: Vector { model: MODEL.into(), components: components.clone() },
        };
        let embeddings: Vec<_> = places().zip(vectors).map(embed).collect();
        backend.vectors.as_ref().unwrap().load(&embeddings, None).await.unwrap();
    }
}

fn query(round: usize, dimensions: usize) -> Vector {
    Vector { model: MODEL.into(), components: chance(u64::MAX - round as u64, dimensions) }
}

/// Components between -1 and 1 that look like chance (Steele, Lea and Flood 2014: SplitMix64).
fn chance(seed: u64, dimensions: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..dimensions).map(|_| next()).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What this process holds in memory, in MiB (Linux, proc(5)).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}
