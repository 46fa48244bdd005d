//! The text of a config, and variables behind it: `NAME=value`, a line each, behind an empty line.

use std::sync::LazyLock;

use super::*;
use crate::fuzzing::check_error;

/// A secret, where it stands in an input.
const MARK: &str = "sk-7f3a91c0de";

/// Whatever a config says, it is taken or refused, and neither shows a secret that is under a key of its own, or in place of a number.
pub(crate) fn config(data: &[u8]) {
    static SCHEMA: LazyLock<Value> = LazyLock::new(schema);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, lines) = text.split_once("\n\n").unwrap_or((text, ""));
    let variables: Vec<(String, OsString)> =
        lines.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.into())).collect();
    let is_hidden = hides(text, lines);
    let mut figment = Figment::from(Serialized::defaults(defaults())).merge(Json::string(text));
    let settings = environment::settings(variables, &SCHEMA);
    let read = settings.and_then(|settings| {
        for setting in settings {
            figment = std::mem::take(&mut figment).merge(setting);
        }
        Config::extract(&figment, None)
    });
    let said = match read {
        Ok(config) => {
            format!("{} {config:?}", config.shown())
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config);
            check_error(&error, data.len());
            format!("{error} {}", error.hint_text().unwrap_or_default())
        }
    };
    assert!(!is_hidden || !said.contains(MARK), "{said}");
}

/// Whether the mark stands only where a secret does, or where nobody takes it for something else.
fn hides(text: &str, lines: &str) -> bool {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return false };
    // Names are read in lower case.
    let in_lines = lines.lines().filter(|line| line.to_ascii_lowercase().contains(MARK)).all(|line| {
        let name = line.split('=').next().unwrap_or_default().to_ascii_lowercase();
        !name.contains(MARK) && (name.ends_with("__password") || name.ends_with("__api_key"))
    });
    in_lines && only_hidden(&value, "", "")
}

fn only_hidden(value: &Value, section: &str, key: &str) -> bool {
    match value {
        Value::String(text) => {
            !text.contains(MARK) || ["password", "api_key"].contains(&key) || (["limits", "startup"].contains(&section) && section != key)
        }
        Value::Array(items) => items.iter().all(|item| only_hidden(item, section, key)),
        Value::Object(fields) => fields
            .iter()
            .all(|(name, value)| !name.contains(MARK) && only_hidden(value, if section.is_empty() { name } else { section }, name)),
        _ => true,
    }
}
