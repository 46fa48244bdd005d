//! `docs/reference/` against the code: each page is what the code says of itself. With `MOSAIC_UPDATE=1`, the pages are written anew.
//! What must not come in: what other pages say, which `end_to_end/docs` walks.

use mosaic_gateway::reference;

use super::root;

fn check(page: &str, made: &str) {
    let path = root().join("docs/reference").join(page);
    if std::env::var_os("MOSAIC_UPDATE").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(kept.lines()).find(|(made, kept)| made != kept);
    assert!(
        made == kept,
        "docs/reference/{page} is out of date; write it anew: \
         MOSAIC_UPDATE=1 cargo test --workspace --all-features --test invariants reference\n{differs:?}"
    );
}

#[test]
fn the_reference_of_the_command_line_is_that_of_the_code() {
    check("cli.md", &reference::cli());
}

#[test]
fn the_reference_of_the_config_is_that_of_the_code() {
    check("config.md", &reference::config());
}

#[test]
fn the_reference_of_errors_is_that_of_the_code() {
    check("errors.md", &reference::errors());
}
