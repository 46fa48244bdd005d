//! The SQL that a gateway sends, run by pgbench as prepared statements over as many connections, from as few threads as there are cores. What
//! must not come in: SQL of its own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mosaic_tests::measure::Statement;
use mosaic_tests::services::Database;

/// What a gateway sets on its connections, so that the same plans are made.
const SETTINGS: &str =
    "-c enable_seqscan=off -c enable_bitmapscan=off -c jit=off -c max_parallel_workers_per_gather=0 -c plan_cache_mode=force_generic_plan";

/// How often any of the statements is run in a second.
pub(crate) fn per_second(programs: &Path, database: &Database, statements: &[Statement], clients: usize, time: Duration) -> f64 {
    let dir = std::env::temp_dir().join(format!("mosaic-pgbench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let mut command = Command::new(programs.join("pgbench"));
    command.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients.to_string(), "-T", &time.as_secs().to_string()]);
    for (number, statement) in statements.iter().enumerate() {
        let mut sql = statement.sql.clone();
        // From the last on: $1 is the beginning of $10.
        for (place, (value, ty)) in statement.values.iter().enumerate().rev() {
            let name = format!("v{number}_{place}");
            sql = sql.replace(&format!("${}", place + 1), &format!(":{name}::{ty}"));
            command.args(["-D", &format!("{name}={value}")]);
        }
        let file = dir.join(format!("{number}.sql"));
        std::fs::write(&file, sql.replace('\n', " ") + ";\n").unwrap();
        command.arg("-f").arg(file);
    }
    command.env("PGOPTIONS", SETTINGS).arg(database.url());
    let output = command.output().unwrap();
    _ = std::fs::remove_dir_all(&dir);
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "pgbench: {errors}");
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.unwrap_or_else(|| panic!("pgbench says no rate: {text}{errors}"))
}
