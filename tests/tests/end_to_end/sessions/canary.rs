//! A gateway that was built with tier standalone alone: nothing of another tier was even compiled for it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tokio::sync::OnceCell;

/// What cargo is asked for; `.ci/run` asks for the same before, and there it is built once.
const BUILD: &[&str] =
    &["build", "-p", "mosaic-gateway", "--no-default-features", "--features", "standalone", "--locked", "--target-dir", "target/canary"];

/// Crates of other tiers, as cargo names their files.
const OTHERS: &[&str] = &["mosaic_federated", "pgvector", "redis", "mosaic_pglite", "oliphaunt", "wasmer"];

/// The binary, built if it is not fresh.
pub(super) async fn built() -> PathBuf {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || async {
        let built = tokio::task::spawn_blocking(|| cargo(BUILD)).await.unwrap();
        assert!(built.status.success(), "cargo {BUILD:?}:\n{}", String::from_utf8_lossy(&built.stderr));
        root().join("target/canary/debug/mosaic")
    };
    BUILT.get_or_init(build).await.clone()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Runs cargo as whoever started these tests would: what it tells tests of the package that they are of would make a build look stale.
fn cargo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let is_ours = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_", "CARGO_TARGET_TMPDIR"].iter().any(|ours| name.starts_with(ours))
                || ["CARGO", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR", "LD_LIBRARY_PATH"].contains(&name)
        });
        if is_ours {
            command.env_remove(name);
        }
    }
    command.output().unwrap()
}

#[tokio::test]
async fn nothing_of_another_tier_is_compiled_for_it() {
    let binary = built().await;
    let built: BTreeSet<String> = ["deps", "build", ".fingerprint"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root().join("target/canary/debug").join(folder)).unwrap())
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().replace('-', "_"))
        .collect();
    let of = |name: &str| built.iter().filter(|file| file.trim_start_matches("lib").starts_with(name)).collect::<Vec<_>>();
    assert!(!of("mosaic_postgres").is_empty(), "this is where crates are: {built:?}");
    for other in OTHERS {
        assert!(of(other).is_empty(), "{:?}", of(other));
    }

    // Its binary names the files that it was made of.
    let bytes = std::fs::read(binary).unwrap();
    let names = |path: &str| bytes.windows(path.len()).any(|window| window == path.as_bytes());
    assert!(names("backends/postgres"));
    assert!(!names("backends/federated") && !names("backends/pglite"));
}
