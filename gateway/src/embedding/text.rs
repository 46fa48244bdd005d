//! What of a record is embedded.

use mosaic_core::Record;

/// The text of a record that is embedded, up to `max_chars` characters from its beginning: its title, its tags and its body, each as a
/// paragraph; of a message what it says, since who said it makes all of one role alike. `None` when it says nothing.
///
/// The title comes first, since it says most, and since what is cut off is the end.
pub fn text_of(record: &Record, max_chars: usize) -> Option<String> {
    let passages = record.passages();
    let tags = passages.tags.join(", ");
    let paragraphs: Vec<_> = [passages.title, &tags, passages.body].into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
    let text = cut(&paragraphs.join("\n\n"), max_chars).trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The first characters of a text.
pub(super) fn cut(text: &str, max_chars: usize) -> &str {
    text.char_indices().nth(max_chars).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "0198c5a2-7b1e-7c3d-9f00-1a2b3c4d5e6f";

    fn text(kind: &str, fields: Value, max_chars: usize) -> Option<String> {
        let mut all = json!({ "kind": kind, "id": ID, "created_at": "2026-01-01T00:00:00Z" });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        text_of(&serde_json::from_value(all).unwrap(), max_chars)
    }

    #[test]
    fn it_is_title_tags_and_body_or_what_was_said() {
        let note = json!({ "owner_id": ID, "title": "Masts", "tags": ["steel", "airships"], "body": "A mast.\n" });
        assert_eq!(text("note", note, 100).unwrap(), "Masts\n\nsteel, airships\n\nA mast.");
        assert_eq!(text("task", json!({ "owner_id": ID, "title": " Moor it " }), 100).unwrap(), "Moor it");
        let message = |content: &str| json!({ "session_id": ID, "seq": 1, "role": "user", "content": content });
        assert_eq!(text("message", message("How?"), 100).unwrap(), "How?");
        assert_eq!(text("message", message(" \n"), 100), None);
        assert_eq!(text("user", json!({ "login": "ada", "name": "Ada", "role": "member" }), 100), None);
    }

    #[test]
    fn it_is_cut_between_characters() {
        let note = json!({ "owner_id": ID, "title": "é", "body": "🚀".repeat(10) });
        assert_eq!(text("note", note.clone(), 5).unwrap(), "é\n\n🚀🚀");
        assert_eq!(text("note", note, 3).unwrap(), "é", "no white space at the end");
    }
}
