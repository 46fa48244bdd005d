//! Servers in containers, where a Docker engine answers. What must not come in: what the servers are told.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::commands;
use super::place;

pub(super) const PGVECTOR: &str = "pgvector/pgvector:pg16";
pub(super) const POSTGRES: &str = "postgres:16";
pub(super) const VALKEY: &str = "valkey/valkey:8-alpine";

/// How long an engine may take for what it has, and how long to bring what it has not.
const ANSWER: Duration = Duration::from_secs(10);
const PULL: Duration = Duration::from_secs(120);

async fn docker(arguments: &[&str], deadline: Duration) -> Result<String, String> {
    commands::run("docker", arguments, Path::new("/"), deadline).await
}

/// Whether there is an engine, and the images are there or can be brought.
pub(super) async fn is_usable() -> Result<(), String> {
    docker(&["version", "--format", "{{.Server.Version}}"], ANSWER).await?;
    for image in [PGVECTOR, POSTGRES, VALKEY] {
        if docker(&["image", "inspect", "--format", "{{.Id}}", image], ANSWER).await.is_err() {
            docker(&["pull", "--quiet", image], PULL).await?;
        }
    }
    Ok(())
}

/// A container, and the directory of this machine that holds its files.
pub(super) struct Container {
    pub(super) name: String,
    pub(super) dir: PathBuf,
}

impl Container {
    /// Starts it: with a script if there is none yet, else as it was.
    pub(super) async fn run(&self, image: &str, ports: &[(u16, u16)], script: &str) -> Result<(), String> {
        if docker(&["start", &self.name], ANSWER).await.is_ok() {
            return Ok(());
        }
        place::secret_file(&self.dir.join("container"), &self.name)?;
        let volume = format!("{}:/mosaic:ro", self.dir.display());
        let mut arguments =
            vec!["run".to_owned(), "--detach".to_owned(), "--name".to_owned(), self.name.clone(), "--volume".to_owned(), volume];
        // An index of vectors is built in shared memory, by several processes.
        arguments.push("--shm-size=1g".to_owned());
        for (here, there) in ports {
            arguments.extend(["--publish".to_owned(), format!("127.0.0.1:{here}:{there}")]);
        }
        arguments.extend(["--entrypoint", "sh", image, "-c", script].map(str::to_owned));
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let started = docker(&arguments, PULL).await.map(drop);
        if started.is_err() {
            // Its name is to be had again, with other ports.
            let _ = docker(&["rm", "--force", "--volumes", &self.name], ANSWER).await;
        }
        started
    }

    /// The end of what it has said.
    pub(super) async fn log(&self) -> String {
        let both = format!("docker logs --tail 5 {} 2>&1", self.name);
        commands::run("sh", ["-c", &both], Path::new("/"), ANSWER).await.unwrap_or_default()
    }

    /// Has something done to it.
    pub(super) async fn docker(&self, words: &[&str]) -> Result<(), String> {
        docker(&[words, &[&self.name]].concat(), Duration::from_secs(40)).await.map(drop)
    }

    /// Ends the one whose files are in `dir`, if there is one.
    pub(super) async fn remove_from(dir: &Path) {
        if let Ok(name) = fs::read_to_string(dir.join("container")) {
            let _ = docker(&["rm", "--force", "--volumes", name.trim()], Duration::from_secs(40)).await;
        }
    }
}
