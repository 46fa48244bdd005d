//! A move from a Postgres to tier federated, beside `psql COPY | psql COPY`: see `run.rs`.
//!
//! `cargo bench --workspace --all-features --bench moving -- [RECORDS] [EMBEDDINGS] [DIMENSIONS]`: 500,000, 100,000 and 768 unless it is said.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod run;

use mosaic_tests::generator::Size;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let mut next = |otherwise| numbers.next().unwrap_or(otherwise);
    let (records, embeddings, dimensions) = (next(500_000), next(100_000), next(768));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let speeds = runtime.block_on(run::run(Size::of(records, embeddings, dimensions)));
    println!("ratio:  {:.2} of psql's speed", speeds.ours / speeds.theirs);
}
