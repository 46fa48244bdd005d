//! The config without its secrets, for people to look at.

use serde_json::Value;

const HIDDEN: &str = "[hidden]";

/// Hides the values under keys that name a secret, and passwords inside of URLs and connection strings.
pub(super) fn without_secrets(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| {
                let value = if names_a_secret(&key) { Value::from(HIDDEN) } else { without_secrets(value) };
                (key, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(without_secrets).collect(),
        Value::String(text) => without_passwords(&text).into(),
        other => other,
    }
}

/// A `_file` twin says where the secret is, and is none itself.
fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "secret", "token", "api_key"].iter().any(|word| key.contains(word)) && !key.ends_with("_file")
}

fn without_passwords(text: &str) -> String {
    // The last `@` is the safe place to cut: a password may hold an unescaped one, or a slash.
    let text = match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (sign_in, rest))) => match sign_in.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}@{rest}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    };
    match text.to_ascii_lowercase().find("password=") {
        Some(start) => {
            let value = start + "password=".len();
            let end = text[value..].find(['&', ' ']).map_or(text.len(), |length| value + length);
            format!("{}{HIDDEN}{}", &text[..value], &text[end..])
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let shown = without_secrets(json!({
            "postgres": { "url": "postgres://mosaic:p4ss@db:5432/mosaic?sslmode=require", "password": "p4ss", "password_file": "secrets/pg" },
            "valkey": [{ "url": "redis://:p4ss/w@rd@cache:6380" }, { "url": "redis://cache:6380" }, { "url": "postgres://db/x?password=p4ss&a=b" }],
            "chat": { "api_key": "p4ss", "Token": 5, "dsn": "host=db password=p4ss user=mosaic" },
        }));
        assert_eq!(
            shown,
            json!({
                "postgres": { "url": "postgres://mosaic:[hidden]@db:5432/mosaic?sslmode=require", "password": "[hidden]", "password_file": "secrets/pg" },
                "valkey": [{ "url": "redis://:[hidden]@cache:6380" }, { "url": "redis://cache:6380" }, { "url": "postgres://db/x?password=[hidden]&a=b" }],
                "chat": { "api_key": "[hidden]", "Token": "[hidden]", "dsn": "host=db password=[hidden] user=mosaic" },
            })
        );
    }
}
