//! Whether every user of the machine can read a secret that the config's file holds. What must not come in: what the config says besides.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::Config;
use super::shown::{HIDDEN, without_secrets};

impl Config {
    /// Whether its file holds a secret, of a tier or a model, and is readable by everybody on this machine. A file that cannot be looked at
    /// is not. This blocks for as long as reading a small file takes.
    pub fn is_exposed(&self) -> bool {
        let Some(file) = &self.source else { return false };
        let mode = std::fs::metadata(file).map_or(0, |metadata| metadata.permissions().mode());
        mode & 0o004 != 0 && std::fs::read(file).is_ok_and(|text| holds_a_secret(&text))
    }
}

fn holds_a_secret(text: &[u8]) -> bool {
    // By no schema: what is not known to be harmless is hidden from people, and is no secret for that.
    serde_json::from_slice::<Value>(text).is_ok_and(|all| without_secrets(all, &json!({})).to_string().contains(HIDDEN))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_secret_that_everybody_can_read_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mosaic.config.json");
        let exposed = |text: &str, mode: u32| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            Config::load(Some(&file)).unwrap().is_exposed()
        };
        let with = |postgres: &str| format!(r#"{{ "tier": "standalone", "standalone": {{ "postgres": {postgres} }} }}"#);
        let model = |key: &str| format!(r#"{{ "models": {{ "chat": {{ "base_url": "http://h/v1", "model": "m", {key} }} }} }}"#);
        for text in [
            with(r#"{ "url": "postgres://m:p4ss@db/d" }"#),
            with(r#"{ "url": "postgres://m@db/d", "password": "p4ss" }"#),
            model(r#""api_key": "p4ss""#),
            r#"{ "tier": "local", "standalone": { "postgres": { "url": "postgres://m:p4ss@db/d" } } }"#.to_owned(),
        ] {
            assert!(exposed(&text, 0o644), "{text}");
            // Its owner and a group may be who runs the gateway, and who looks after it.
            assert!(!exposed(&text, 0o640), "{text}");
        }
        for text in [
            "{}".to_owned(),
            with(r#"{ "url": "postgres://m@db/d?sslmode=verify-full", "password_file": "secrets/pg" }"#),
            model(r#""api_key_file": "secrets/key""#),
            r#"{ "local": { "dir": "misspelt" } }"#.to_owned(),
        ] {
            assert!(!exposed(&text, 0o644), "{text}");
        }
    }
}
