//! The documentation against the product: what a reader copies from it works, what it names exists, and where it points there is
//! something. Every page below `docs/` is walked, and those at the top; a page that is added is walked without being named here.
//!
//! Blocks of shell are run as they stand, unless a comment above one says why not; a reader sees neither comment:
//!
//! ```text
//! <!-- not run: it takes a Docker engine -->     the block below is not run
//! <!-- before: echo text > lighting.md -->       run before the block below, for what the reader has and the test has not
//! <!-- world: federated -->                      the page is walked beside the servers of that tier, by libpq's variables
//! ```

mod blocks;
mod commands;
mod examples;
mod links;
mod names;
mod run;

use std::fs;
use std::path::{Path, PathBuf};

use blocks::Block;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A Markdown file for readers.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    /// Its path from the root, for failures.
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }

    fn blocks(&self) -> Vec<Block> {
        blocks::of(&self.text)
    }
}

/// Every Markdown file for readers.
fn pages() -> Vec<Page> {
    let mut pages = files(&root().join("docs"), "md");
    pages.extend(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root().join(name)));
    let read = |path: PathBuf| Page { text: fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())), path };
    pages.into_iter().map(read).collect()
}
