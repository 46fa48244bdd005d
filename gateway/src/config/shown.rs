//! The config without its secrets, for people to look at.

use serde_json::Value;

pub(super) const HIDDEN: &str = "[hidden]";

/// What is part of the names of secrets, in lower case and without what joins words.
const SECRETS: &[&str] = &["password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "privatekey", "accesskey"];

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

/// Whether a key names a secret, however it is spelt. A `_file` twin says where the secret is, and is none itself.
fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let letters: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    SECRETS.iter().any(|word| letters.contains(word)) && !key.ends_with("_file")
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
    without_pairs(&text)
}

/// Hides the value of each `key=value` whose key names a secret: in the query of a URL, and in a connection string, where
/// there may be spaces around the sign and quotes around the value (libpq, 34.1.1.1).
fn without_pairs(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        let named = before.trim_end();
        let key = named.rsplit(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c)).next().unwrap_or_default();
        shown.push_str(before);
        shown.push('=');
        rest = after;
        if names_a_secret(key) {
            let value = after.trim_start();
            shown.push_str(&after[..after.len() - value.len()]);
            shown.push_str(HIDDEN);
            rest = &value[value_length(value)..];
        }
    }
    shown + rest
}

/// The length in bytes of the value at the beginning of a text: to the closing quote, else to what ends a bare one.
fn value_length(text: &str) -> usize {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(usize::from(quote.is_some())) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if quote == Some(c) => return at + 1,
            c if quote.is_none() && (c == '&' || c.is_whitespace()) => return at,
            _ => {}
        }
    }
    text.len()
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

    #[test]
    fn every_key_that_names_a_secret_is_known_however_it_is_spelt() {
        for key in
            ["Password", "sslpassword", "private_key", "privateKey", "PASSPHRASE", "credentials", "client-secret", "token", "api.key"]
        {
            let shown = without_secrets(json!({ key: "p4ss" }));
            assert_eq!(shown, json!({ key: "[hidden]" }));
        }
        let named = json!({ "private_key_file": "a", "key": "c", "user": "d" });
        assert_eq!(without_secrets(named.clone()), named);
    }

    #[test]
    fn every_password_in_a_text_is_hidden() {
        for (text, expected) in [
            ("password=a sslpassword=b user=c", "password=[hidden] sslpassword=[hidden] user=c"),
            ("password = 'it\\'s a p4ss' host=db", "password = [hidden] host=db"),
            ("PASSWORD=\"p4 ss\" host=db", "PASSWORD=[hidden] host=db"),
            (r"password=p4\ ss host=db", "password=[hidden] host=db"),
            ("password='never closed host=db", "password=[hidden]"),
            ("password= host=db", "password= [hidden]"),
            (
                "postgres://db/x?sslmode=a&password=p4=ss&sslpassword=b&c=d",
                "postgres://db/x?sslmode=a&password=[hidden]&sslpassword=[hidden]&c=d",
            ),
            ("postgres://u:p4ss@db/x?password=p4ss", "postgres://u:[hidden]@db/x?password=[hidden]"),
            ("password_file=a passfile=b host=c", "password_file=a passfile=b host=c"),
            ("a=b==", "a=b=="),
            ("=", "="),
        ] {
            assert_eq!(without_passwords(text), expected, "{text}");
        }
    }
}
