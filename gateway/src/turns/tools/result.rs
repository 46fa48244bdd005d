//! What a model is told of a call: stored data as data, what went wrong as an error, and no more of either than the bound. What must not come in:
//! what only an operator may know of an error.

use mosaic_core::{Error, ErrorKind, Record};
use serde_json::{Value, json};

/// How much of each body a list shows, in characters.
const SHORT_CHARS: usize = 300;

/// A result: what was looked up or done, as data. Up to `most` characters of it, and what is left out is said.
pub(in crate::turns) fn result(data: &Value, most: usize) -> String {
    cut(json!({ "data": data }).to_string(), most)
}

/// What a model is told of a call that cannot be carried out; `None` for what is no fault of the call's: the turn ends then.
pub(in crate::turns) fn refusal(error: &Error, most: usize) -> Option<String> {
    let theirs = matches!(
        error.kind(),
        ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Conflict | ErrorKind::Stale | ErrorKind::Unsupported
    );
    // Which change of the batch it was is nothing to the model.
    let context = error.context().iter().filter(|(key, _)| *key != "change").map(|(key, value)| format!("{key}={value}"));
    let context = context.collect::<Vec<_>>().join(", ");
    let message = if context.is_empty() { error.message().to_owned() } else { format!("{} ({context})", error.message()) };
    let mut told = json!({ "error": message });
    if let Some(hint) = error.hint_text() {
        told["hint"] = hint.into();
    }
    theirs.then(|| cut(told.to_string(), most))
}

/// A record of a list, with the beginning of its body.
pub(super) fn in_short(record: &Record) -> Value {
    let mut fields = json!(record);
    if let Some(Value::String(body)) = fields.get_mut("body")
        && let Some((end, _)) = body.char_indices().nth(SHORT_CHARS)
    {
        body.truncate(end);
        body.push_str(" […]");
    }
    fields
}

fn cut(mut text: String, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else { return text };
    let chars = text.chars().count();
    text.truncate(end);
    text.push_str(&format!("\n[cut off here: these are the first {most} of {chars} characters]"));
    text
}
