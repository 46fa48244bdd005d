//! Schemathesis, which makes requests from an OpenAPI document and holds the answers to it: unpacked from `PyPI` into a directory that later
//! runs find. What must not come in: what is asked of it.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::commands::{self, DOWNLOAD, SHORT};
use super::place::{self, Lock};

/// What is unpacked, each with the hashes of its files.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contract/requirements.txt");

/// A Python with schemathesis.
#[derive(Debug, Clone)]
pub struct Schemathesis(PathBuf);

impl Schemathesis {
    /// The one of this machine, made by the first who asks. Fails the test, with what was tried, when it cannot be had.
    pub async fn get() -> Self {
        match install().await {
            Ok(installed) => Self(installed),
            Err(why) => panic!("the test of the contract needs python3 and its pip, and packages from PyPI: {why}"),
        }
    }

    /// The program, without arguments. What is installed on the machine besides is not seen by it.
    pub fn command(&self) -> Command {
        let mut command = Command::new("python3");
        command.args(["-s", "-m", "schemathesis.cli"]).env("PYTHONPATH", &self.0).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

async fn install() -> Result<PathBuf, String> {
    let requirements = fs::read(REQUIREMENTS).map_err(|error| format!("{REQUIREMENTS}: {error}"))?;
    // Wheels are of one version of Python.
    let python = commands::run("python3", ["--version"], Path::new("/"), SHORT).await?;
    let name = hex::encode(Sha256::digest([requirements.as_slice(), python.as_bytes()].concat()));
    let place = place::place()?;
    let finished = place.join(format!("schemathesis-{}", name.get(..16).unwrap_or(&name)));
    let lock = place.join("schemathesis.lock");
    let _lock = tokio::task::spawn_blocking(move || Lock::wait(&lock)).await.map_err(|error| error.to_string())??;
    if !finished.exists() {
        let unfinished = place.join("schemathesis-installing");
        let _ = fs::remove_dir_all(&unfinished);
        let to = unfinished.to_str().ok_or("a path that is not UTF-8")?;
        let arguments = ["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:", "--target", to, "-r", REQUIREMENTS];
        commands::run("python3", arguments, &place, DOWNLOAD).await?;
        fs::rename(&unfinished, &finished).map_err(|error| format!("{}: {error}", finished.display()))?;
    }
    Ok(finished)
}
