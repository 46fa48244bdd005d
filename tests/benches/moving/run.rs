//! How fast everything is moved from a Postgres to tier federated, read back and compared, beside `psql COPY | psql COPY` between the same
//! servers, into the same tables with the same indexes, in the same run; and how much memory that takes.
//!
//! The pipe copies embeddings from where they were moved to, since their directions, which pgvector compares, are not in the source.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mosaic_core::{Backend, Options, registry};
use mosaic_federated as _;
use mosaic_postgres as _;
use mosaic_tests::generator::{Generator, Size, fill};
use mosaic_tests::services::{self, Database, Services};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

const RECORDS: &[&str] = &["users", "teams", "memberships", "tokens", "tasks", "notes", "sessions", "messages"];
const EMBEDDINGS: &[&str] = &["embedding_models", "task_embeddings", "note_embeddings", "message_embeddings"];

/// Records and embeddings in a second.
pub(crate) struct Speeds {
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
}

pub(crate) async fn run(size: Size) -> Speeds {
    let services = services::shared(env!("CARGO_BIN_EXE_mosaic-tests")).await;
    let source = services.postgres.database().await;
    let begun = Instant::now();
    let backend = open("standalone", json!({ "postgres": { "url": source.url() }, "vector_memory_mib": 65_536 })).await;
    let generator = Generator::new(7, size);
    fill(&backend, generator.records(), generator.embeddings()).await;
    backend.storage.close().await.unwrap();
    source.execute("VACUUM ANALYZE").await;
    println!("{} records and {} embeddings made in {:.0} s", size.records(), size.embeddings, begun.elapsed().as_secs_f64());

    let moved = target(services).await;
    let ours = move_tier(services, &source, &moved).await;
    let piped = target(services).await;
    let section = json!({ "postgres": { "url": piped.url() }, "valkey": { "url": services.valkey.database() } });
    open("federated", section).await.storage.close().await.unwrap();
    let theirs = pipe(services, &source, &moved, &piped).await;

    let bytes = ours.answer["kinds"].as_array().unwrap().iter().map(|kind| kind["bytes"].as_u64().unwrap()).sum::<u64>();
    let (seconds, items) = (ours.took.as_secs_f64(), (size.records() + size.embeddings) as f64);
    println!(
        "moved:  {seconds:.1} s, {:.0} items/s, {:.1} MB/s, peak memory {} MiB",
        items / seconds,
        bytes as f64 / seconds / 1e6,
        ours.peak_kib >> 10
    );
    let all = theirs.records + theirs.embeddings + theirs.indexes;
    println!(
        "psql:   {:.1} s: records {:.1}, embeddings {:.1}, their indexes {:.1}",
        all.as_secs_f64(),
        theirs.records.as_secs_f64(),
        theirs.embeddings.as_secs_f64(),
        theirs.indexes.as_secs_f64()
    );
    Speeds { ours: items / seconds, theirs: items / all.as_secs_f64() }
}

async fn target(services: &Services) -> Database {
    let database = services.pgvector.database().await;
    database.execute("CREATE EXTENSION vector").await;
    database
}

async fn open(tier: &str, section: Value) -> Backend {
    let options = Options::new(section, "/", "bench");
    (registry::backend(tier).unwrap().open)(options).await.unwrap()
}

struct Ours {
    took: Duration,
    peak_kib: u64,
    answer: Value,
}

/// The command, as an operator runs it.
async fn move_tier(services: &Services, source: &Database, target: &Database) -> Ours {
    let place = std::env::temp_dir().join(format!("mosaic-bench-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mosaic-tests"));
    command.args(["migrate", "tier", "--to", "federated", "--yes", "--json"]).current_dir(&place).stdout(Stdio::piped());
    command.env("MOSAIC_TIER", "standalone").env("MOSAIC_STANDALONE__POSTGRES__URL", source.url());
    command.env("MOSAIC_FEDERATED__POSTGRES__URL", target.url()).env("MOSAIC_FEDERATED__VALKEY__URL", services.valkey.database());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak_kib = peak.unwrap_or(peak_kib).max(peak_kib);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = begun.elapsed();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the move fails");
    std::fs::remove_dir_all(&place).unwrap();
    Ours { took, peak_kib, answer: serde_json::from_slice(&output.stdout).unwrap() }
}

struct Theirs {
    records: Duration,
    embeddings: Duration,
    indexes: Duration,
}

async fn pipe(services: &Services, source: &Database, moved: &Database, piped: &Database) -> Theirs {
    let copy = async |from: &Database, tables: &[&str]| {
        let begun = Instant::now();
        for table in tables {
            copy_table(services, from, piped, table).await;
        }
        begun.elapsed()
    };
    let records = copy(source, RECORDS).await;
    let embeddings = copy(moved, EMBEDDINGS).await;
    let begun = Instant::now();
    let mut connection = PgConnection::connect(&moved.url()).await.unwrap();
    const APPROXIMATE: &str = "SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%' ORDER BY indexname";
    let indexes: Vec<String> = sqlx::query_scalar(APPROXIMATE).fetch_all(&mut connection).await.unwrap();
    for index in indexes {
        piped.execute(&format!("SET maintenance_work_mem = '512MB'; {index}")).await;
    }
    Theirs { records, embeddings, indexes: begun.elapsed() }
}

async fn copy_table(services: &Services, from: &Database, to: &Database, table: &str) {
    const COLUMNS: &str = "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute \
        WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''";
    let mut connection = PgConnection::connect(&from.url()).await.unwrap();
    let columns: String = sqlx::query_scalar(COLUMNS).bind(table).fetch_one(&mut connection).await.unwrap();
    let psql = services.bin.as_ref().unwrap().join("psql");
    let psql = |database: &Database, sql: &str| format!("'{}' -q '{}' -c '{sql}'", psql.display(), database.url());
    let pipe = format!(
        "{} | {}",
        psql(from, &format!("COPY {table} ({columns}) TO STDOUT")),
        psql(to, &format!("COPY {table} ({columns}) FROM STDIN"))
    );
    assert!(Command::new("sh").args(["-c", &pipe]).status().unwrap().success(), "{table}");
}
