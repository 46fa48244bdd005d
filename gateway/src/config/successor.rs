//! The config of a gateway whose data has moved to another tier: the same, but for the tier, in a file beside it. What is there by reference
//! stays so, and what the environment says is not written down.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
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
            if this.found()? == Found::Whole {
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
            if this.found()? == Found::Whole {
                return Ok(());
            }
            let write = || -> io::Result<bool> {
                let mut file = open(&this.path, true)?;
                // Looked at once more, by what is written to: since then, somebody may have put another in its place.
                let begun = text_of(&mut file, this.text.len())?;
                if !is_ours(&file)? || !this.text.as_bytes().starts_with(&begun) {
                    return Ok(false);
                }
                // It may have been there, empty, and others' to read.
                file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
                file.write_all(&this.text.as_bytes()[begun.len()..])?;
                file.sync_all()?;
                // The name is on disk when the directory is.
                File::open(this.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
                Ok(true)
            };
            match write() {
                Ok(true) => Ok(()),
                Ok(false) => Err(this.another()),
                Err(error) if leads_elsewhere(&error) => Err(this.another()),
                Err(error) => Err(unwritable(&this.path, error)),
            }
        })
        .await
    }

    /// Removes it again, if it is there as it was written.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn take_back(&self) -> Result<()> {
        let this = self.clone();
        blocking(move || match this.found() {
            Ok(Found::Whole) => std::fs::remove_file(&this.path).map_err(|error| unwritable(&this.path, error)),
            _ => Ok(()),
        })
        .await
    }

    /// What is in its place.
    fn found(&self) -> Result<Found> {
        let look = || -> io::Result<Option<Vec<u8>>> {
            let mut file = open(&self.path, false)?;
            if is_ours(&file)? { text_of(&mut file, self.text.len()).map(Some) } else { Ok(None) }
        };
        match look() {
            Ok(Some(found)) if found == self.text.as_bytes() => Ok(Found::Whole),
            Ok(Some(found)) if self.text.as_bytes().starts_with(&found) => Ok(Found::Beginning),
            Ok(_) => Err(self.another()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) if leads_elsewhere(&error) => Err(self.another()),
            Err(error) => Err(unwritable(&self.path, error)),
        }
    }

    fn another(&self) -> Error {
        Error::new(ErrorKind::Conflict, "another file is where the new config is to go")
            .with("file", self.path.display())
            .hint("move it away")
    }
}

/// What is in the place of a config that is to be written.
#[derive(PartialEq)]
enum Found {
    Nothing,
    /// What a run that was cut off has written.
    Beginning,
    Whole,
}

/// Opens what is in that place itself, and not what a link there leads to: secrets that the config holds would go wherever somebody wants.
/// A pipe that nobody reads is not waited for.
fn open(path: &Path, to_write: bool) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(to_write).create(to_write).truncate(false).mode(0o600).custom_flags(flags.bits().cast_signed());
    options.open(path)
}

/// Whether a file is one that a run of this user's may have begun: whose it is reads it.
fn is_ours(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    Ok(metadata.is_file() && metadata.nlink() == 1 && metadata.uid() == rustix::process::geteuid().as_raw())
}

/// Whether a link is in the place.
fn leads_elsewhere(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// The text of a file, up to one byte more than `most`.
fn text_of(file: &mut File, most: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
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
    async fn what_somebody_put_in_its_place_is_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mosaic.config.json");
        std::fs::write(&file, "{}").unwrap();
        let successor = Successor::of(&config(&file), "federated").await.unwrap();
        let refused = async || {
            for refusal in [successor.obstacle().await.expect("an obstacle"), successor.write().await.unwrap_err()] {
                assert_eq!(refusal.kind(), ErrorKind::Conflict, "{refusal}");
            }
            successor.take_back().await.unwrap();
            assert!(successor.path.symlink_metadata().is_ok(), "what is another's is not removed");
        };
        let elsewhere = directory.path().join("elsewhere");
        // A link that leads nowhere, to an empty file, and to one that holds the same.
        std::os::unix::fs::symlink(&elsewhere, &successor.path).unwrap();
        refused().await;
        assert!(!elsewhere.exists(), "nothing is made where a link leads");
        for text in ["", &successor.text] {
            std::fs::write(&elsewhere, text).unwrap();
            refused().await;
            assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), text);
            assert_ne!(elsewhere.metadata().unwrap().permissions().mode() & 0o777, 0o600, "its rights stay too");
        }
        std::fs::remove_file(&successor.path).unwrap();
        // An empty file of another user's, who would read what is written into it. Who is not root cannot make one.
        std::fs::write(&successor.path, "").unwrap();
        if std::os::unix::fs::chown(&successor.path, Some(65_534), None).is_ok() {
            refused().await;
            assert_eq!(successor.path.metadata().unwrap().len(), 0);
        }
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
