//! The config of a gateway whose data has moved to another tier: the same, but for the tier, in a file beside it. What is there by reference
//! stays so, and what the environment says is not written down.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use mosaic_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::{Config, FILE};

/// A config that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// Its file: beside the config that it comes from, with the tier in its name.
    pub path: PathBuf,
    text: String,
}

impl Successor {
    /// The successor of a config on another tier.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the file that it was read from cannot be read any more.
    pub async fn of(config: &Config, tier: &str) -> Result<Self> {
        let (config, tier) = (config.clone(), tier.to_owned());
        blocking(move || {
            let path = config.source.clone().unwrap_or_else(|| FILE.into());
            let mut all = match &config.source {
                Some(file) => read(file)?,
                None => Map::new(),
            };
            all.insert("tier".to_owned(), tier.clone().into());
            let text = serde_json::to_string_pretty(&Value::Object(all))
                .map_err(|error| Error::new(ErrorKind::Internal, "the new config cannot be written as JSON").source(error))?;
            let path = std::path::absolute(named(&path, &tier)).map_err(|error| unwritable(&path, error))?;
            Ok(Self { path, text: text + "\n" })
        })
        .await
    }

    /// What stands in its way: another file in its place, or a directory that cannot be written to.
    pub async fn obstacle(&self) -> Option<Error> {
        let this = self.clone();
        blocking(move || {
            if this.is_there()? {
                return Ok(());
            }
            let directory = this.path.parent().unwrap_or(Path::new("."));
            match rustix::fs::access(directory, rustix::fs::Access::WRITE_OK) {
                Ok(()) => Ok(()),
                Err(error) => Err(unwritable(&this.path, error.into())),
            }
        })
        .await
        .err()
    }

    /// Writes it, readable by its owner alone, unless it is there already. There is no draft to be left behind: one that was cut off is
    /// the beginning of the whole, and is finished by whoever comes next.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when another file is in its place, [`ErrorKind::Full`], and what else keeps it from being written.
    pub async fn write(&self) -> Result<()> {
        let this = self.clone();
        blocking(move || {
            if this.is_there()? {
                return Ok(());
            }
            let write = || -> io::Result<()> {
                let mut options = std::fs::OpenOptions::new();
                std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create(true).truncate(true), 0o600);
                let mut file = options.open(&this.path)?;
                // It may have been there, empty, and others' to read.
                file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
                file.write_all(this.text.as_bytes())?;
                file.sync_all()?;
                // The name is on disk when the directory is.
                std::fs::File::open(this.path.parent().unwrap_or(Path::new(".")))?.sync_all()
            };
            write().map_err(|error| unwritable(&this.path, error))
        })
        .await
    }

    /// Removes it again, if it is there as it was written.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn take_back(&self) -> Result<()> {
        let this = self.clone();
        blocking(move || match this.is_there() {
            Ok(true) => std::fs::remove_file(&this.path).map_err(|error| unwritable(&this.path, error)),
            _ => Ok(()),
        })
        .await
    }

    /// Whether it is there, whole.
    fn is_there(&self) -> Result<bool> {
        match std::fs::read(&self.path) {
            Ok(found) if found == self.text.as_bytes() => Ok(true),
            Ok(found) if self.text.as_bytes().starts_with(&found) => Ok(false),
            Ok(_) => Err(Error::new(ErrorKind::Conflict, "another file is where the new config is to go")
                .with("file", self.path.display())
                .hint("move it away")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unwritable(&self.path, error)),
        }
    }
}

fn read(file: &Path) -> Result<Map<String, Value>> {
    let refused =
        |reason: String| Error::new(ErrorKind::Config, "the config cannot be read").with("file", file.display()).with("reason", reason);
    let text = std::fs::read(file).map_err(|error| refused(error.kind().to_string()))?;
    // Its words say where, and nothing of what is there.
    serde_json::from_slice(&text).map_err(|error| refused(format!("line {}, column {}", error.line(), error.column())))
}

/// `mosaic.config.json` on tier federated is `mosaic.config.federated.json`.
fn named(path: &Path, tier: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map_or_else(|| "json".into(), |extension| extension.to_string_lossy());
    path.with_file_name(format!("{stem}.{tier}.{extension}"))
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        _ => ErrorKind::Config,
    };
    Error::new(kind, "the new config cannot be written")
        .with("file", path.display())
        .with("reason", error.kind())
        .hint("make its directory writable, and room in it")
        .source(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let broke_off = |error| Error::new(ErrorKind::Internal, "work on the config broke off").source(error);
    tokio::task::spawn_blocking(work).await.map_err(broke_off)?
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn config(file: &Path) -> Config {
        Config::load(Some(file)).unwrap()
    }

    #[tokio::test]
    async fn it_is_the_same_but_for_the_tier_and_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("team.json");
        let text = r#"{"listen":"127.0.0.1:1","tier":"local","local":{"data_dir":"d"},"log":{"filter":"info"}}"#;
        std::fs::write(&file, text).unwrap();
        let successor = Successor::of(&config(&file), "federated").await.unwrap();
        assert_eq!(successor.path, directory.path().join("team.federated.json"));
        successor.write().await.unwrap();
        let written: Value = serde_json::from_slice(&std::fs::read(&successor.path).unwrap()).unwrap();
        let expected: Value = serde_json::from_str(&text.replace("\"tier\":\"local\"", "\"tier\":\"federated\"")).unwrap();
        assert_eq!(written, expected);
        assert_eq!(successor.path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "the old one stays as it is");
        // Once more, it is no other; cut off, it is finished.
        successor.write().await.unwrap();
        std::fs::write(&successor.path, &successor.text[..10]).unwrap();
        assert!(successor.obstacle().await.is_none());
        successor.write().await.unwrap();
        assert_eq!(std::fs::read_to_string(&successor.path).unwrap(), successor.text);
    }

    #[tokio::test]
    async fn another_file_in_its_place_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mosaic.config.json");
        std::fs::write(&file, "{}").unwrap();
        let successor = Successor::of(&config(&file), "federated").await.unwrap();
        std::fs::write(&successor.path, "mine").unwrap();
        for refusal in [successor.obstacle().await.unwrap(), successor.write().await.unwrap_err()] {
            assert_eq!(refusal.kind(), ErrorKind::Conflict);
        }
        assert_eq!(std::fs::read_to_string(&successor.path).unwrap(), "mine");
    }
}
