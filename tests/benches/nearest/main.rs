//! The nearest of many vectors on tier federated, beside SQL by hand: see `run.rs`.
//!
//! `cargo bench --workspace --all-features --bench nearest -- [VECTORS] [DIMENSIONS]`: 100,000 of 768 unless it is said.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod run;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (count, dimensions) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(768));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut all = runtime.block_on(run::run(count, dimensions));
    all.sort_by(|one, other| one.recall.total_cmp(&other.recall));
    println!("the least is found by who sees {}: {:.3}", all[0].sees, all[0].recall);
    let worst = all.iter().map(|near| near.ours / near.by_hand).fold(0.0, f64::max);
    println!("the worst p95 is {worst:.2} times that of SQL by hand");
}
