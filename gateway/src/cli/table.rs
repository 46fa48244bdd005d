//! Tables: rows of cells below their headings, laid out for the screen that they are shown on. What goes elsewhere than to a
//! terminal is laid out in full, one line a row.

use super::terminal::{self, Screen, Style, visible};

/// The least columns that are left to a text that is cut, before the key gets a line of its own …
const ROOM: usize = 30;
/// … and after that.
const LEAST: usize = 10;
/// Between two columns.
const GAP: usize = 2;

/// How the cells of a column are placed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Column {
    /// Text, from the left.
    Text(&'static str),
    /// A number, to the right.
    Number(&'static str),
    /// Text that few rows have. Where none has, the column is left out.
    Spare(&'static str),
    /// Text that is cut where the terminal is too narrow for it; one a table.
    Cut(&'static str),
    /// What is copied, and so is there in full: the last of the columns, or on a line of its own where the terminal is too narrow.
    Key(&'static str),
}

impl Column {
    fn name(self) -> &'static str {
        let (Self::Text(name) | Self::Number(name) | Self::Spare(name) | Self::Cut(name) | Self::Key(name)) = self;
        name
    }
}

/// A cell.
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A text that stands out.
    pub(super) fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text, Style::Plain)
    }
}

/// One column with its cells, the heading first.
struct Laid {
    column: Column,
    cells: Vec<Cell>,
    width: usize,
}

/// The table as text, without the end of its last line. A cell without text is a dash.
pub(super) fn layout<C: Into<Cell>>(columns: &[Column], rows: impl IntoIterator<Item = Vec<C>>, screen: Screen) -> String {
    let heading = |column: &Column| vec![Cell::new(column.name(), Style::Strong)];
    let mut laid: Vec<Laid> = columns.iter().map(|column| Laid { column: *column, cells: heading(column), width: 0 }).collect();
    for row in rows {
        for (laid, cell) in laid.iter_mut().zip(row) {
            laid.cells.push(cell.into());
        }
    }
    laid.retain(|laid| !matches!(laid.column, Column::Spare(_)) || laid.cells.iter().skip(1).any(|cell| !cell.text.is_empty()));
    for laid in &mut laid {
        for cell in &mut laid.cells {
            cell.text = if cell.text.is_empty() { "-".to_owned() } else { visible(&cell.text) };
        }
        laid.width = laid.cells.iter().map(|cell| terminal::width(&cell.text)).max().unwrap_or(0);
    }
    let key = screen.width.and_then(|width| fit(&mut laid, width));
    let lines = laid.first().map_or(0, |laid| laid.cells.len());
    let mut text = Vec::with_capacity(lines);
    for line in 0..lines {
        text.push(row(&laid, line, screen));
        // The heading of a key on a line of its own would say nothing.
        if let Some(cell) = key.as_ref().and_then(|key| key.cells.get(line)).filter(|_| line > 0) {
            text.push(format!("{:GAP$}{}", "", screen.paint(&cell.text, Style::Faint)));
        }
    }
    text.join("\n")
}

/// Makes the columns fit into a terminal's, where one of them can be cut. Answers the key when it is to have a line of its own.
fn fit(laid: &mut Vec<Laid>, width: usize) -> Option<Laid> {
    let place = laid.iter().position(|laid| matches!(laid.column, Column::Cut(_)))?;
    let room = |laid: &[Laid]| (width + laid[place].width).saturating_sub(laid.iter().map(|laid| laid.width + GAP).sum::<usize>() - GAP);
    let is_key = laid.last().is_some_and(|laid| matches!(laid.column, Column::Key(_)));
    let key = if is_key && room(laid) < ROOM.min(laid[place].width) { laid.pop() } else { None };
    let room = room(laid).max(LEAST);
    let cut = &mut laid[place];
    if cut.width > room {
        cut.width = room;
        for cell in &mut cut.cells {
            cell.text = terminal::cut(&cell.text, room);
        }
    }
    key
}

fn row(laid: &[Laid], line: usize, screen: Screen) -> String {
    let mut text = String::new();
    for (i, laid) in laid.iter().enumerate() {
        let Some(cell) = laid.cells.get(line) else { continue };
        if i > 0 {
            text.push_str(&" ".repeat(GAP));
        }
        let padding = " ".repeat(laid.width.saturating_sub(terminal::width(&cell.text)));
        let painted = screen.paint(&cell.text, cell.style);
        let (left, right) = if matches!(laid.column, Column::Number(_)) { (&padding, &painted) } else { (&painted, &padding) };
        text.extend([left.as_str(), right]);
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 5] = [Column::Text("A"), Column::Spare("B"), Column::Number("COUNT"), Column::Cut("TITLE"), Column::Key("ID")];

    fn rows() -> Vec<Vec<String>> {
        let row = |a: &str, b: &str, count: &str, title: &str, id: &str| [a, b, count, title, id].map(str::to_owned).to_vec();
        vec![row("日本", "", "7", &"a word and ".repeat(5), "0198c5a2"), row("x", "", "1,000", "", "0298c5a2")]
    }

    fn on(width: usize) -> String {
        layout(&COLUMNS, rows(), Screen { width: Some(width), colours: false })
    }

    #[test]
    fn elsewhere_than_on_a_terminal_all_is_there() {
        let title = format!("{:55}", "a word and ".repeat(5));
        let expected = format!("A     COUNT  {:55}  ID\n日本      7  {title}  0198c5a2\nx     1,000  {:55}  0298c5a2", "TITLE", "-");
        assert_eq!(layout(&COLUMNS, rows(), Screen::default()), expected);
        assert_eq!(on(200), expected);
    }

    #[test]
    fn a_terminal_cuts_what_can_be_cut() {
        for line in on(60).lines() {
            assert!(terminal::width(line) <= 60, "{line:?}");
        }
        assert_eq!(on(60).lines().nth(1), Some("日本      7  a word and a word and a word and a w…  0198c5a2"));
    }

    #[test]
    fn a_narrow_terminal_gives_the_key_a_line_of_its_own() {
        let expected = "A     COUNT  TITLE\n日本      7  a word and a word and a…\n  0198c5a2\nx     1,000  -\n  0298c5a2";
        assert_eq!(on(38), expected);
        assert_eq!(on(1).lines().nth(1), Some("日本      7  a word an…"));
    }

    #[test]
    fn a_column_that_some_row_fills_is_there() {
        let mut rows = rows();
        rows[1][1] = "filled".into();
        assert!(layout(&COLUMNS, rows, Screen::default()).starts_with("A     B       COUNT"));
        assert_eq!(layout(&COLUMNS[..1], Vec::<Vec<String>>::new(), Screen::default()), "A");
    }

    #[test]
    fn colours_take_no_room() {
        let rows = || [vec![Cell::new("a", Style::Good), Cell::new("b", Style::Plain)]];
        let columns = [Column::Text("LONG"), Column::Text("B")];
        assert_eq!(
            layout(&columns, rows(), Screen { width: None, colours: true }),
            "\u{1b}[1mLONG\u{1b}[0m  \u{1b}[1mB\u{1b}[0m\n\u{1b}[32ma\u{1b}[0m     b"
        );
    }
}
