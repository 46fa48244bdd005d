//! The guide for those who write a backend shows what is in the examples, word for word.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

/// The blocks of a page in these languages: the file that the first line names, and the rest.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut parts = page.split("\n```");
    parts.next();
    while let (Some(block), _) = (parts.next(), parts.next()) {
        let (language, code) = block.split_once('\n').unwrap();
        if ["rust", "toml"].contains(&language) {
            let (file, code) = code.split_once('\n').unwrap();
            found.push((file.trim_start_matches(['/', '#', ' ']).to_owned(), code.to_owned()));
        }
    }
    found
}

#[test]
fn what_the_guide_shows_is_in_the_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/guides/writing-a-backend.md")).unwrap();
    let blocks = blocks(&page);
    assert!(blocks.len() > 5, "the guide shows code");
    for (file, code) in blocks {
        let text = fs::read_to_string(root.join(&file)).unwrap_or_else(|error| panic!("{file:?} is the first line of a block: {error}"));
        // Parts may be left out between pieces, each of which is there as it is.
        for piece in code.split("\n…\n") {
            assert!(text.contains(piece), "{file} does not have what the guide shows of it:\n{piece}");
        }
    }
}

#[test]
fn blocks_are_found() {
    let page = "text\n```rust\n// a/b.rs\nlet x;\n```\nmore\n```sh\ncargo test\n```\n```toml\n# c.toml\nx = 1\n```\n";
    let expected = [("a/b.rs", "let x;"), ("c.toml", "x = 1")].map(|(file, code)| (file.to_owned(), code.to_owned()));
    assert_eq!(blocks(page), expected);
}
