//! Secrets in the config: passwords, keys, and URLs that may hold one. Nothing shows them but [`Secret::expose`].
//! What must not come in: what they open.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{Result, refusal};

/// More than any password, key or URL takes, in bytes.
const FILE_BYTES: u64 = 64 << 10;

/// A secret as a text. Its Debug hides it, and so does the error about a value of another type in its place.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A secret of the config, from its key `key` or from the file that its twin `key_file` names: the first line of it, from
    /// `base_dir` if the path is relative. `None` when there is neither; an empty one counts as none. This blocks for as long as
    /// reading a small file takes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Config`], naming the key: both are given, or the file cannot be read, is too large or is not UTF-8.
    pub fn of_config(key: &str, given: Option<Self>, file: Option<&Path>, base_dir: &Path) -> Result<Option<Self>> {
        let given = given.filter(|secret| !secret.0.is_empty());
        let Some(file) = file else { return Ok(given) };
        let twin = format!("{key}_file");
        if given.is_some() {
            return Err(refusal::config_key(&twin, format!("{key} is given too")).hint(format!("remove {key} or {twin}")));
        }
        let text = read(&base_dir.join(file)).map_err(|reason| refusal::config_key(&twin, reason).with("path", file.display()))?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            return Err(refusal::config_key(&twin, "its first line is empty").with("path", file.display()));
        }
        Ok(Some(Self(line.to_owned())))
    }
}

fn read(path: &PathBuf) -> std::result::Result<String, Cow<'static, str>> {
    use std::io::Read as _;
    let unreadable = |error: std::io::Error| Cow::from(format!("the file cannot be read: {}", error.kind()));
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err("the file is too large for a secret".into());
    }
    // The error of the conversion holds the bytes.
    String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".into())
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            // Serde's own words would repeat it: a password of digits without quotes is one still.
            _ => Err(D::Error::custom("not a text: put it in quotes")),
        }
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn secret(text: &str) -> Secret {
        text.to_owned().into()
    }

    #[test]
    fn nothing_shows_it() {
        assert_eq!(format!("{:?}", Some(secret("p4ss"))), "Some([hidden])");
        for value in ["1234", "[\"p4ss\"]", "{\"p4ss\": 1}", "true"] {
            let error = serde_json::from_str::<Secret>(value).unwrap_err().to_string();
            assert_eq!(error, "not a text: put it in quotes");
        }
    }

    #[test]
    fn it_is_given_or_in_a_file() {
        let dir = std::env::temp_dir().join(format!("mosaic-secret-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let write = |name: &str, content: &[u8]| std::fs::write(dir.join(name), content).unwrap();
        write("good", b"p4 ss\r\nnext line");
        write("empty", b"\n");
        write("latin", b"p\xe4ss");
        write("large", &vec![b'x'; FILE_BYTES as usize + 1]);
        let of_file = |name: &str| Secret::of_config("acme.password", None, Some(Path::new(name)), &dir);

        assert_eq!(of_file("good").unwrap(), Some(secret("p4 ss")));
        assert_eq!(Secret::of_config("acme.password", Some(secret("p4ss")), None, &dir).unwrap(), Some(secret("p4ss")));
        assert_eq!(Secret::of_config("acme.password", Some(secret("")), None, &dir).unwrap(), None);
        for (name, reason) in
            [("absent", "cannot be read: entity not found"), ("empty", "line is empty"), ("latin", "not UTF-8"), ("large", "too large")]
        {
            let error = of_file(name).unwrap_err();
            assert_eq!((error.kind(), error.get("key"), error.get("path")), (ErrorKind::Config, Some("acme.password_file"), Some(name)));
            assert!(error.to_string().contains(reason), "{error}");
        }
        let both = Secret::of_config("acme.password", Some(secret("p4ss")), Some(Path::new("good")), &dir).unwrap_err();
        assert_eq!(both.hint_text(), Some("remove acme.password or acme.password_file"));
        assert!(!format!("{both:?}").contains("p4"), "{both:?}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
