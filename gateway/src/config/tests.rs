//! Where the config is found, what it says, and what is refused.

use std::fs;
use std::os::unix::ffi::OsStringExt as _;

use serde_json::json;
use tempfile::TempDir;

use super::*;

/// Reads a config file of this text, with these variables.
fn read(text: &str, variables: &[(&str, &str)]) -> (TempDir, Result<Config>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.json");
    fs::write(&file, text).unwrap();
    let config = Config::read(Some(&file), owned(variables));
    (directory, config)
}

fn owned(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, OsString)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect::<Vec<_>>().into_iter()
}

fn refusal(text: &str, variables: &[(&str, &str)]) -> Error {
    let error = read(text, variables).1.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

#[test]
fn without_anything_it_is_the_local_tier() {
    let config = Config::read(None, owned(&[])).unwrap();
    assert_eq!(config.tier, "local");
    assert_eq!(config.listen.to_string(), "127.0.0.1:7420");
    assert_eq!(config.section(), json!({}));
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.startup.wait().as_secs(), 30);
    assert_eq!((config.source, config.base_dir), (None, PathBuf::new()));
}

#[test]
fn the_file_wins_over_the_defaults_and_the_environment_over_the_file() {
    let (directory, config) = read(
        r#"{ "$schema": "x", "tier": "federated", "limits": { "requests": 7 },
             "local": { "data_dir": "a" }, "federated": { "postgres": { "url": "postgres://db" } } }"#,
        &[
            ("MOSAIC_LISTEN", "0.0.0.0:80"),
            ("MOSAIC_LIMITS__BODY_BYTES", "2048"),
            ("MOSAIC_FEDERATED__POSTGRES__PASSWORD", "0123"),
            ("MOSAIC_TOKEN", "left alone"),
            ("MOSAIC_URL", "left alone"),
            ("MOSAIC_TIER", ""),
            ("PATH", "/bin"),
        ],
    );
    let config = config.unwrap();
    assert_eq!((config.tier.as_str(), config.limits.requests, config.limits.body_bytes), ("federated", 7, 2048));
    assert_eq!(config.limits.connections, Limits::default().connections);
    assert_eq!(config.listen.to_string(), "0.0.0.0:80");
    assert_eq!(config.section(), json!({ "postgres": { "url": "postgres://db", "password": "0123" } }), "digits stay a text");
    assert_eq!(config.base_dir, directory.path());
    let local = read(r#"{ "local": { "data_dir": "a" } }"#, &[("MOSAIC_TIER", "local"), ("MOSAIC_LOCAL__DATA_DIR", "007")]).1.unwrap();
    assert_eq!(local.section(), json!({ "data_dir": "007" }));
}

#[test]
fn what_cannot_be_used_names_the_key_and_where_it_stands() {
    type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);
    let cases: &[Case] = &[
        (r#"{ "teir": "local" }"#, &[], &["key=teir", "gateway.json"]),
        (r#"{ "limits": { "request": 5 } }"#, &[], &["`request`", "gateway.json"]),
        (r#"{ "limits": { "requests": "many" } }"#, &[], &["key=limits.requests", "gateway.json"]),
        (r#"{ "limits": { "requests": 0 } }"#, &[], &["key=limits.requests", "1 to 1000000", "gateway.json"]),
        (r#"{ "limits": null }"#, &[], &["key=limits", "gateway.json"]),
        (r#"{ "listen": "here" }"#, &[], &["key=listen", "gateway.json"]),
        (r#"{ "tier": 5 }"#, &[], &["key=tier", "gateway.json"]),
        (r#"{ "local": "mosaic-data" }"#, &[], &["key=local", "gateway.json"]),
        (r#"{ "tier": "local" "#, &[], &["line 1", "gateway.json"]),
        ("[]", &[], &["gateway.json"]),
        ("{}", &[("MOSAIC_LISTEN", "7420")], &["key=listen", "variable=MOSAIC_LISTEN"]),
        ("{}", &[("MOSAIC_LOCL__DATA_DIR", "x")], &["key=locl", "variable=MOSAIC_LOCL__DATA_DIR"]),
        ("{}", &[("MOSAIC_LIMITS__REQUESTS", "many")], &["key=limits.requests", "variable=MOSAIC_LIMITS__REQUESTS"]),
        ("{}", &[("MOSAIC_STARTUP__WAIT_SECONDS", "-1")], &["key=startup.wait_seconds", "variable=MOSAIC_STARTUP__WAIT_SECONDS"]),
    ];
    for (text, variables, expected) in cases {
        let error = refusal(text, variables);
        for part in *expected {
            assert!(error.to_string().contains(part), "{error} does not say {part}");
        }
        assert_eq!(error.hint_text(), Some("mosaic config schema"));
    }
}

#[test]
fn a_variable_whose_name_has_an_empty_part_is_no_shorter_one() {
    for name in ["MOSAIC_FEDERATED__POSTGRES____PASSWORD", "MOSAIC___PASSWORD", "MOSAIC_LOCAL__"] {
        let error = refusal("{}", &[(name, "p4ssw0rd")]);
        assert!(error.to_string().ends_with(&format!("has an empty part (variable={name})")), "{error}");
        assert!(error.hint_text().unwrap().contains("two underscores"));
    }
}

#[test]
fn a_variable_that_is_not_utf8_is_named() {
    let value = OsString::from_vec(b"caf\xe9".to_vec());
    for name in ["MOSAIC_TIER", "MOSAIC_LISTEN", "MOSAIC_LOCAL__DATA_DIR"] {
        let error = Config::read(None, std::iter::once((name.to_owned(), value.clone()))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(&format!("variable={name}")), "{error}");
        assert!(error.hint_text().unwrap().contains(name));
    }
    for name in ["MOSAIC_TOKEN_FILE", "PATH"] {
        assert!(Config::read(None, std::iter::once((name.to_owned(), value.clone()))).is_ok(), "{name} is no part of the config");
    }
    // A path may be anything.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(&value);
    fs::write(&file, r#"{ "listen": "0.0.0.0:80" }"#).unwrap();
    let config = Config::read(None, std::iter::once(("MOSAIC_CONFIG".to_owned(), file.clone().into()))).unwrap();
    assert_eq!((config.listen.port(), config.source), (80, Some(file)));
}

#[test]
fn a_file_that_was_named_must_be_there() {
    for config in [
        Config::read(Some(Path::new("/nonexistent/a.json")), owned(&[("MOSAIC_CONFIG", "/nonexistent/b.json")])),
        Config::read(None, owned(&[("MOSAIC_CONFIG", "/nonexistent/a.json")])),
    ] {
        let error = config.unwrap_err();
        assert!(error.to_string().contains("file=/nonexistent/a.json"), "{error}");
        assert!(error.hint_text().unwrap().contains("--config"));
    }
}

#[test]
fn what_is_shown_is_in_effect_and_holds_no_secret() {
    let (_, config) =
        read(r#"{ "federated": { "postgres": { "url": "postgres://mosaic:hunter2@db/mosaic", "password": "hunter2" } } }"#, &[]);
    let config = config.unwrap();
    for shown in [config.shown().to_string(), format!("{config:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains(r#""listen":"127.0.0.1:7420""#) && shown.contains("postgres://mosaic:[hidden]@db/mosaic"), "{shown}");
    }
}

#[test]
fn the_schema_knows_every_key() {
    let schema = schema();
    for key in defaults().keys() {
        assert!(schema["properties"].get(key).is_some(), "{key}");
    }
    assert!(schema["properties"]["federated"].is_object(), "a file may hold the section of another build's tier");
    assert_eq!(schema["properties"]["log"]["properties"]["format"]["$ref"], "#/$defs/LogFormat");
    assert!(schema["$defs"]["LogFormat"].is_object());
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn the_schema_names_no_default_that_the_build_lacks() {
    assert_eq!(schema::tier(&["acme", "local"])["default"], "local");
    assert_eq!(schema::tier(&["acme"]).get("default"), None);
}
