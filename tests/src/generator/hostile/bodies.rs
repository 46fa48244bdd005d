//! Long texts: of a megabyte, at the exact bound, and such that hold every character there is.

use mosaic_core::model::BODY_BYTES;

use super::texts;
use crate::generator::draw::Draw;

const MEGABYTE: usize = 1 << 20;

/// Every character of a plane, unassigned ones and those that are none among them; not U+0000, nor the halves of pairs.
fn plane(plane: u32) -> String {
    (plane << 16..(plane + 1) << 16).filter(|code| *code != 0).filter_map(char::from_u32).collect()
}

/// Printable ASCII at random, as words of which hardly one comes twice.
fn noise(draw: &mut Draw, bytes: usize) -> String {
    (0..bytes).map(|_| char::from(b' ' + draw.below(95) as u8)).collect()
}

/// The bodies that notes are given.
pub(super) fn of_notes(draw: &mut Draw) -> Vec<String> {
    let mut bodies: Vec<_> = (0..=16).map(plane).collect();
    bodies.push(String::new());
    bodies.push(texts::all().join("\n"));
    bodies.push(noise(draw, MEGABYTE));
    bodies.push(noise(draw, BODY_BYTES));
    bodies.push("\u{10ffff}".repeat(BODY_BYTES / 4));
    // JSON takes six characters for each.
    bodies.push("\u{1}".repeat(BODY_BYTES));
    bodies
}

/// The bodies that tasks are given, and what is said in messages.
pub(super) fn of_others(draw: &mut Draw) -> Vec<String> {
    vec![
        String::new(),
        " ".to_owned(),
        "\n".to_owned(),
        // One word, longer than an index takes.
        "x".repeat(MEGABYTE),
        "\r\n".repeat(MEGABYTE / 2),
        // Each is doubled in a literal.
        "\\'".repeat(BODY_BYTES / 2),
        noise(draw, BODY_BYTES - 3) + "日",
    ]
}
