//! A browser, and the program that drives it: those that the environment names (`MOSAIC_CHROMIUM` and `MOSAIC_CHROMEDRIVER`), those on PATH, or
//! Debian's packages, installed when root asks. What must not come in: what is looked at in it.

use std::env;
use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use super::commands::{self, DOWNLOAD};
use super::place::{self, Lock};

/// Debian's packages of them.
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// A Chromium and its driver.
#[derive(Debug, Clone)]
pub struct Chromium {
    pub browser: PathBuf,
    /// `chromedriver`, of the same version.
    pub driver: PathBuf,
}

/// The browser of this machine, installed if it has none. Fails the test, with what was tried, when it cannot be had.
pub async fn chromium() -> &'static Chromium {
    static CHROMIUM: OnceCell<Result<Chromium, String>> = OnceCell::const_new();
    match CHROMIUM.get_or_init(get).await {
        Ok(chromium) => chromium,
        Err(error) => panic!("{error}"),
    }
}

async fn get() -> Result<Chromium, String> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let lock = place::place()?.join("chromium.lock");
    let _lock = tokio::task::spawn_blocking(move || Lock::wait(&lock)).await.map_err(|error| error.to_string())??;
    if find().is_none() {
        install().await.map_err(|why| {
            format!(
                "the tests of the page need Chromium and its driver: install chromium and chromedriver, or name them by MOSAIC_CHROMIUM and \
                 MOSAIC_CHROMEDRIVER ({why})"
            )
        })?;
    }
    find().ok_or_else(|| format!("{} are installed, and not on PATH", PACKAGES.join(" and ")))
}

fn find() -> Option<Chromium> {
    let named = |variable, names: &[&str]| env::var_os(variable).map(PathBuf::from).or_else(|| names.iter().find_map(|name| on_path(name)));
    Some(Chromium {
        browser: named("MOSAIC_CHROMIUM", &["chromium", "chromium-browser", "google-chrome"])?,
        driver: named("MOSAIC_CHROMEDRIVER", &["chromedriver"])?,
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|file| file.is_file())
}

async fn install() -> Result<(), String> {
    if !Path::new("/etc/debian_version").exists() {
        return Err("they are taken from Debian's packages, and this is no Debian".to_owned());
    }
    if !rustix::process::geteuid().is_root() {
        return Err("only root can install Debian's packages".to_owned());
    }
    let root = Path::new("/");
    commands::run("apt-get", ["-qq", "update"], root, DOWNLOAD).await?;
    let words = ["-qq", "install", "--yes", "--no-install-recommends"].into_iter().chain(PACKAGES);
    commands::run("apt-get", words, root, DOWNLOAD).await.map(drop)
}
