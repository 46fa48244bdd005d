//! How fast JSON Lines come in, by the command, into a tier that nobody serves. What must not come in: what is in the lines.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use mosaic_tests::services::OwnPostgres;

use super::report::{Figure, Report, Target};
use super::{BINARY, data};

const RECORDS: usize = 200_000;

pub(crate) async fn measure(report: &mut Report) {
    let server = OwnPostgres::start().await;
    let database = server.database().await;
    let place = std::env::temp_dir().join(format!("mosaic-import-{}", std::process::id()));
    std::fs::create_dir_all(&place).unwrap();
    let file = place.join("records.jsonl");
    std::fs::write(&file, data::lines(RECORDS)).unwrap();
    std::fs::File::open(&file).unwrap().sync_all().unwrap();
    for (tier, url, bound) in [("standalone", Some(database.url()), 50_000.0), ("local", None, 20_000.0)] {
        let dir = place.join(tier);
        std::fs::create_dir_all(&dir).unwrap();
        let mut command = Command::new(BINARY);
        command.arg("import").arg(&file).arg("--json").current_dir(&dir).env("MOSAIC_TIER", tier).stdin(Stdio::null());
        if let Some(url) = url {
            command.env("MOSAIC_STANDALONE__POSTGRES__URL", url);
        }
        // The start, which makes the schema, is not what is measured.
        assert!(empty(&command, &dir), "an import of nothing");
        let begun = Instant::now();
        let output = command.output().unwrap();
        let took = begun.elapsed().as_secs_f64();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let figure = Figure::new(format!("import of small records, {tier}"), "records/s", (RECORDS + 1) as f64 / took);
        report.add(figure.target(Target::AtLeast(bound)));
    }
    std::fs::remove_dir_all(&place).unwrap();
}

fn empty(like: &Command, dir: &Path) -> bool {
    let mut command = Command::new(BINARY);
    command.args(["import", "-"]).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.status().unwrap().success()
}
