//! The config without its secrets, for people to look at.

use serde_json::Value;
use url::{Position, Url};

pub(super) const HIDDEN: &str = "[hidden]";

/// What is part of the names of secrets, in lower case and without what joins words.
const SECRETS: &[&str] = &["password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "privatekey", "accesskey"];

/// The parameters of a URL whose values are shown; of others, nobody knows what they are.
const PARAMETERS: &[&str] = &["sslmode", "sslrootcert", "sslcert", "sslkey", "host"];

/// Hides what is no key of the schema or not of its type, the values under keys that name a secret, and passwords inside of URLs and
/// connection strings. Of what the schema says is written only, as a URL with a password in it, it shows what is known to be none.
pub(super) fn without_secrets(value: Value, schema: &Value) -> Value {
    shown(value, Some(schema), schema)
}

/// `here` is the schema of the value, if there is one; `root` is where its references lead.
fn shown(value: Value, here: Option<&Value>, root: &Value) -> Value {
    let here = here.map(|here| match here.get("$ref").and_then(Value::as_str) {
        Some(reference) => reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).unwrap_or(here),
        None => here,
    });
    // Somebody may have put a secret there by mistake, under a key that is misspelt.
    if here.and_then(|here| here.get("type")).is_some_and(|types| !is_of(&value, types)) {
        return HIDDEN.into();
    }
    let inner = |name: &str| here.and_then(|here| here.get(name));
    match value {
        Value::Object(fields) => {
            let field = |(key, value): (String, Value)| {
                let value = match inner("properties").map(|known| known.get(&key)) {
                    _ if names_a_secret(&key) => HIDDEN.into(),
                    Some(None) => HIDDEN.into(),
                    Some(known) => shown(value, known, root),
                    None => shown(value, None, root),
                };
                (key, value)
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        Value::Array(items) => items.into_iter().map(|item| shown(item, inner("items"), root)).collect(),
        Value::String(text) if inner("writeOnly") == Some(&Value::Bool(true)) => {
            if text.is_empty() {
                text.into()
            } else {
                url(&text).unwrap_or_else(|| HIDDEN.to_owned()).into()
            }
        }
        Value::String(text) => without_passwords(&text).into(),
        other => other,
    }
}

/// Whether a value is of one of the types that a schema names.
fn is_of(value: &Value, types: &Value) -> bool {
    let name = |ty: &Value| match (ty.as_str(), value) {
        (Some("object"), Value::Object(_)) | (Some("array"), Value::Array(_)) | (Some("string"), Value::String(_)) => true,
        (Some("null"), Value::Null) | (Some("boolean"), Value::Bool(_)) | (Some("number"), Value::Number(_)) => true,
        (Some("integer"), Value::Number(number)) => !number.is_f64(),
        _ => false,
    };
    types.as_array().map_or_else(|| name(types), |several| several.iter().any(name))
}

/// Whether a key names a secret, however it is spelt. A `_file` twin says where the secret is, and is none itself.
fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let letters: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    SECRETS.iter().any(|word| letters.contains(word)) && !key.ends_with("_file")
}

/// A URL without its secrets; `None` where it is not certain which part is one.
fn url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let parsed = Url::parse(text).ok().filter(|url| url.has_host() && !url.path().contains('@'));
    let Some(url) = parsed else {
        // A password that is not escaped. It ends at the last `@`, unless that is a part of something else.
        let (sign_in, rest) = rest.rsplit_once('@').filter(|_| !rest.contains(['?', '#']))?;
        let (user, _) = sign_in.split_once(':')?;
        return Some(format!("{scheme}://{user}:{HIDDEN}@{rest}"));
    };
    let (query, fragment) = (url.query().unwrap_or_default(), url.fragment());
    if query.contains('@') || fragment.is_some_and(|fragment| fragment.contains('@')) {
        return None;
    }
    let mut shown = format!("{scheme}://");
    match (url.username(), url.password()) {
        ("", None) => {}
        (user, Some(_)) => shown.extend([user, ":", HIDDEN, "@"]),
        // Elsewhere than with Postgres, a password alone is easily put in the place of the user.
        (user, None) => shown.extend([if scheme.starts_with("postgres") { user } else { HIDDEN }, "@"]),
    }
    shown.push_str(&url[Position::BeforeHost..Position::AfterPath]);
    let parameters: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).map(parameter).collect();
    if !parameters.is_empty() {
        shown.extend(["?", &parameters.join("&")]);
    }
    if fragment.is_some() {
        shown.extend(["#", HIDDEN]);
    }
    Some(shown)
}

/// A parameter of a URL: its name, if it can be one, and its value, if it is known to be none to hide.
fn parameter(pair: &str) -> String {
    let is_word = |text: &str| text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte));
    match pair.split_once('=').filter(|(name, _)| is_word(name)) {
        Some((name, value)) if PARAMETERS.contains(&name) && (name != "sslmode" || is_word(value)) => format!("{name}={value}"),
        Some((name, _)) => format!("{name}={HIDDEN}"),
        None => HIDDEN.to_owned(),
    }
}

fn without_passwords(text: &str) -> String {
    match url(text) {
        Some(url) => url,
        None => without_pairs(&without_sign_in(text)),
    }
}

/// Hides the password before the `@` of a text that is nearly a URL.
fn without_sign_in(text: &str) -> String {
    match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (sign_in, rest))) => match sign_in.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}@{rest}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
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

    /// What is shown where no schema says what is what.
    fn shown_by_itself(value: Value) -> Value {
        without_secrets(value, &json!({}))
    }

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let shown = shown_by_itself(json!({
            "postgres": { "url": "postgres://mosaic:p4ss@db:5432/mosaic?sslmode=require", "password": "p4ss", "password_file": "secrets/pg" },
            "valkey": [{ "url": "redis://:p4ss/w@rd@cache:6380" }, { "url": "redis://cache:6380" }, { "url": "postgres://db/x?password=p4ss&a=b" }],
            "chat": { "api_key": "p4ss", "Token": 5, "dsn": "host=db password=p4ss user=mosaic" },
        }));
        assert_eq!(
            shown,
            json!({
                "postgres": { "url": "postgres://mosaic:[hidden]@db:5432/mosaic?sslmode=require", "password": "[hidden]", "password_file": "secrets/pg" },
                "valkey": [{ "url": "redis://:[hidden]@cache:6380" }, { "url": "redis://cache:6380" }, { "url": "postgres://db/x?password=[hidden]&a=[hidden]" }],
                "chat": { "api_key": "[hidden]", "Token": "[hidden]", "dsn": "host=db password=[hidden] user=mosaic" },
            })
        );
    }

    #[test]
    fn what_the_schema_does_not_know_is_hidden() {
        let schema = json!({
            "properties": { "acme": { "$ref": "#/$defs/Acme" }, "other": { "type": "object" } },
            "$defs": { "Acme": { "type": "object", "properties": {
                "url": { "type": "string", "writeOnly": true },
                "room": { "type": "integer" },
                "file": { "type": ["string", "null"] },
                "names": { "type": "array", "items": { "type": "string" } },
            } } },
        });
        let check = |value: Value, expected: Value| assert_eq!(without_secrets(value, &schema), expected);
        let right = json!({ "acme": { "url": "redis://cache:6380", "room": 7, "file": null, "names": ["a"] }, "other": { "any": "b", "url": "c" } });
        check(right.clone(), right);
        check(json!({ "acme": "p4ss", "other": ["p4ss"] }), json!({ "acme": "[hidden]", "other": "[hidden]" }));
        check(json!({ "acme": { "pass": "p4ss", "pwd": 4711 } }), json!({ "acme": { "pass": "[hidden]", "pwd": "[hidden]" } }));
        check(
            json!({ "acme": { "url": 4711, "room": "p4ss", "file": ["p4ss"], "names": [4711] } }),
            json!({ "acme": { "url": "[hidden]", "room": "[hidden]", "file": "[hidden]", "names": ["[hidden]"] } }),
        );
        for text in ["p4ss", "m:p4ss@db/d", "postgres:/m:p4ss@db/d", "P4ss://p4ss", "host=db password=p4ss"] {
            check(json!({ "acme": { "url": text } }), json!({ "acme": { "url": "[hidden]" } }));
        }
    }

    #[test]
    fn a_url_shows_what_is_certainly_no_secret() {
        for (text, expected) in [
            (
                "postgres://m@db/d?sslmode=verify-full&sslrootcert=/a/b.pem",
                Some("postgres://m@db/d?sslmode=verify-full&sslrootcert=/a/b.pem"),
            ),
            ("postgres://m:p4ss@%2Frun%2Fpg:5433/d", Some("postgres://m:[hidden]@%2Frun%2Fpg:5433/d")),
            ("redis://p4ss@[::1]:6379/3", Some("redis://[hidden]@[::1]:6379/3")),
            ("redis://u:p4ss@cache", Some("redis://u:[hidden]@cache")),
            ("postgres://m@db/d?sslmode=P4SS&p4ss&x=p4ss#p4ss", Some("postgres://m@db/d?sslmode=[hidden]&[hidden]&x=[hidden]#[hidden]")),
            ("postgres://m:p4ss@p4ss/p4ss@db/d", Some("postgres://m:[hidden]@db/d")),
            ("postgres://m:47/p4ss@db/d", Some("postgres://m:[hidden]@db/d")),
            ("postgres://m:47?p4ss@db/d", None),
            ("postgres://m:47#p4ss@db/d", None),
            ("postgres://m:p4ss@db/d?password=p4@ss", None),
            ("redis://p4/ss@cache", None),
            ("p4ss", None),
        ] {
            assert_eq!(url(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn every_key_that_names_a_secret_is_known_however_it_is_spelt() {
        for key in
            ["Password", "sslpassword", "private_key", "privateKey", "PASSPHRASE", "credentials", "client-secret", "token", "api.key"]
        {
            let shown = shown_by_itself(json!({ key: "p4ss" }));
            assert_eq!(shown, json!({ key: "[hidden]" }));
        }
        let named = json!({ "private_key_file": "a", "key": "c", "user": "d" });
        assert_eq!(shown_by_itself(named.clone()), named);
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
                "postgres://db/x?sslmode=a&password=[hidden]&sslpassword=[hidden]&c=[hidden]",
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
