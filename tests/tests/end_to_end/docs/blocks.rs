//! What a page consists of: its fenced blocks with the comments above them, its prose, and what is set as code in that.

/// A fenced block.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    /// The line that it begins on, from 1.
    pub(super) line: usize,
    /// What stands behind the fence.
    pub(super) language: String,
    pub(super) text: String,
    /// The comments that stand above it and nothing between.
    comments: Vec<String>,
}

impl Block {
    pub(super) fn is_shell(&self) -> bool {
        ["sh", "bash", "shell", "console"].contains(&self.language.as_str())
    }

    /// What the comments above it say behind this word.
    pub(super) fn said(&self, word: &str) -> Option<&str> {
        self.comments.iter().find_map(|comment| comment.strip_prefix(word)?.strip_prefix(':').map(str::trim))
    }

    /// What is typed of it: all of it, or of a session on a console what stands behind the prompt.
    pub(super) fn typed(&self) -> String {
        if self.language != "console" {
            return self.text.clone();
        }
        let mut typed = String::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            let Some(line) = line.strip_prefix("$ ").or(goes_on.then_some(line)) else { continue };
            typed.push_str(line);
            typed.push('\n');
            goes_on = line.ends_with('\\');
        }
        typed
    }
}

/// The blocks of a page.
pub(super) fn of(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut comments = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            let indent = page.lines().nth(at).map_or(0, |line| line.len() - line.trim_start().len());
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| !line.trim().starts_with("```"));
            let text = inside.map(|line| format!("{}\n", line.get(indent..).unwrap_or(line.trim_start()))).collect();
            blocks.push(Block { line: at + 1, language: language.trim().to_owned(), text, comments: std::mem::take(&mut comments) });
        } else if let Some(comment) = line.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")) {
            comments.push(comment.trim().to_owned());
        } else if !line.is_empty() {
            comments.clear();
        }
    }
    blocks
}

/// A page without its blocks and comments.
pub(super) fn prose(page: &str) -> String {
    let mut is_inside = false;
    let mut text = String::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_inside = !is_inside;
        } else if !is_inside && !line.trim_start().starts_with("<!--") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// What is set as code in a page's prose, each on one line.
pub(super) fn spans(page: &str) -> Vec<String> {
    let mut spans = Vec::new();
    for paragraph in prose(page).split("\n\n") {
        spans.extend(paragraph.split('`').skip(1).step_by(2).map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    spans
}

#[test]
fn a_block_has_its_comments_and_what_is_typed() {
    let page = "One `a\nb`.\n\n<!-- not run: why -->\n<!-- before: x -->\n```console\n$ one \\\n    two\nanswer\n$ three\n```\n\
                <!-- not run: of nothing -->\nText.\n```sh\n# four\n```\n";
    let found = of(page);
    assert_eq!(found.iter().map(|block| block.line).collect::<Vec<_>>(), [6, 14]);
    assert_eq!(found[0].typed(), "one \\\n    two\nthree\n");
    assert_eq!((found[0].said("not run"), found[0].said("before")), (Some("why"), Some("x")));
    assert_eq!((found[1].said("not run"), found[1].typed().as_str()), (None, "# four\n"));
    assert_eq!((spans(page), prose(page).trim()), (vec!["a b".to_owned()], "One `a\nb`.\n\nText."));
}
