//! The reference in `docs/reference/`, made from the code: each page is what the code says of itself. A test compares them, and writes
//! them anew when it is asked to; no binary holds this. What must not come in: explanations, which the other pages have.

mod cli;
mod config;
mod errors;

pub use cli::cli;
pub use config::config;
pub use errors::errors;

/// What a page begins with: its title, and what keeps it.
fn head(title: &str, about: &str) -> String {
    format!(
        "# {title}\n\n<!-- Made from the code; to write it anew: MOSAIC_UPDATE=1 cargo test --workspace --all-features --test invariants \
         reference -->\n\n{about}\n"
    )
}

/// A table in Markdown. A column that no row fills is left out.
fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let is_filled = |column: &usize| rows.iter().any(|row| row.get(*column).is_some_and(|cell| !cell.is_empty()));
    let columns: Vec<usize> = (0..headings.len()).filter(is_filled).collect();
    if columns.is_empty() {
        return String::new();
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.iter().filter_map(|&column| headings.get(column)).map(|heading| (*heading).to_owned()).collect());
    text.push_str(&"|---".repeat(columns.len()));
    text.push_str("|\n");
    for row in rows {
        text.push_str(&line(columns.iter().map(|&column| row.get(column).map(|cell| in_cell(cell)).unwrap_or_default()).collect()));
    }
    text
}

fn in_cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as code, wherever it ends up.
fn code(text: &str) -> String {
    format!("`{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_the_columns_that_are_filled_and_breaks_no_line() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["a|b", "", "one\n two"]), row(["", "", "three"])];
        assert_eq!(table(&["x", "y", "z"], &rows), "| x | z |\n|---|---|\n| a\\|b | one two |\n|  | three |\n");
        assert_eq!(table(&["x"], &[]), "");
    }
}
