//! The behaviour suite and the visibility oracle on tier `redb`, from outside: a line each, and a function that opens an empty backend.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mosaic_core::{Opening, Options, Result, registry};
use mosaic_tests::behaviour::{Opened, TestClock};
use mosaic_tests::{behaviour_suite, visibility_oracle};
use redb_backend as _;
use serde_json::json;

behaviour_suite!(redb, Vectors);
visibility_oracle!(redb);

async fn redb() -> Result<Opened> {
    let clock = Arc::new(TestClock::default());
    let section = json!({ "data_dir": fresh_dir() });
    let options =
        Options { section, base_dir: PathBuf::new(), command: "serve", url: None, clock: clock.clone(), opening: Opening::Prepare };
    Ok(Opened { backend: (registry::backend("redb")?.open)(options).await?, clock: Some(clock) })
}

/// A directory of this process's own. It stays when the process ends, since backends live as long; the next run removes it.
fn fresh_dir() -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("behaviour-redb");
    for left in std::fs::read_dir(&base).into_iter().flatten().flatten() {
        let running = left.file_name().to_str().is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !running {
            let _ = std::fs::remove_dir_all(left.path());
        }
    }
    let own = base.join(std::process::id().to_string());
    std::fs::create_dir_all(&own).unwrap();
    tempfile::tempdir_in(own).unwrap().keep()
}
