//! What section `models` says, what of it is refused, and that its secrets stay where they are.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use mosaic_core::{ErrorKind, Result};
use serde_json::json;

use super::*;
use crate::config::Config;

const SECRET: &str = "sk-hunter2";

/// Reads a config whose `models.embedding` has these fields besides the ones that it must have.
fn read(fields: &Value, variables: &[(&str, &str)]) -> (tempfile::TempDir, Result<Config>) {
    let mut section = json!({ "base_url": "http://127.0.0.1:11434/v1", "model": "nomic-embed-text" });
    for (key, value) in fields.as_object().unwrap() {
        section[key] = value.clone();
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.json");
    fs::write(&file, json!({ "models": { "embedding": section } }).to_string()).unwrap();
    let variables: Vec<(String, OsString)> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let config = Config::read(Some(&file), variables.into_iter());
    (directory, config)
}

fn embedding(fields: &Value, variables: &[(&str, &str)]) -> EmbeddingModel {
    read(fields, variables).1.unwrap().models.embedding.unwrap()
}

#[test]
fn what_is_left_out_has_its_default() {
    let model = embedding(&json!({}), &[]);
    assert_eq!(model.url().unwrap().as_str(), "http://127.0.0.1:11434/v1/embeddings");
    assert_eq!((model.dimensions, model.batch, model.max_chars), (None, 16, 8_000));
    assert_eq!((model.timeout().as_secs(), model.search_timeout().as_millis()), (60, 1_000));
    assert!(model.key(Path::new("")).unwrap().is_none());
    assert!(Config::read(None, std::iter::empty()).unwrap().models.embedding.is_none(), "no model is needed");
}

#[test]
fn the_environment_sets_what_is_in_an_optional_section_and_numbers_stay_numbers() {
    let variables = [
        ("MOSAIC_MODELS__EMBEDDING__API_KEY", "12345"),
        ("MOSAIC_MODELS__EMBEDDING__DIMENSIONS", "256"),
        ("MOSAIC_MODELS__EMBEDDING__BATCH", "4"),
        ("MOSAIC_MODELS__EMBEDDING__MODEL", "007"),
    ];
    let model = embedding(&json!({}), &variables);
    assert_eq!((model.dimensions, model.batch, model.model.as_str()), (Some(256), 4, "007"));
    assert_eq!(model.key(Path::new("")).unwrap().unwrap().expose(), "12345");
    let error = read(&json!({}), &[("MOSAIC_MODELS__EMBEDDING__BATCH", "many")]).1.unwrap_err();
    assert!(error.to_string().contains("variable=MOSAIC_MODELS__EMBEDDING__BATCH"), "{error}");
}

#[test]
fn what_cannot_be_used_is_refused_with_its_key_and_file() {
    for (fields, key) in [
        (json!({ "base_url": "127.0.0.1:11434" }), "base_url"),
        (json!({ "base_url": "ftp://host/v1" }), "base_url"),
        (json!({ "base_url": format!("http://ada:{SECRET}@host/v1") }), "base_url"),
        (json!({ "base_url": format!("http://host/v1?key={SECRET}") }), "base_url"),
        (json!({ "base_url": "" }), "base_url"),
        (json!({ "model": "" }), "model"),
        (json!({ "model": "x".repeat(151) }), "model"),
        (json!({ "dimensions": 0 }), "dimensions"),
        (json!({ "dimensions": 4001 }), "dimensions"),
        (json!({ "dimensions": "768" }), "dimensions"),
        (json!({ "batch": 0 }), "batch"),
        (json!({ "max_chars": 99 }), "max_chars"),
        (json!({ "timeout_seconds": 0 }), "timeout_seconds"),
        (json!({ "search_timeout_ms": 10_001 }), "search_timeout_ms"),
        (json!({ "query_prefix": "x".repeat(1001) }), "query_prefix"),
        (json!({ "api_key": "" }), "api_key"),
        (json!({ "api_key": format!("{SECRET}\n") }), "api_key"),
        (json!({ "api_key": 12345 }), "api_key"),
        (json!({ "apikey": SECRET }), "apikey"),
    ] {
        let error = read(&fields, &[]).1.unwrap_err();
        let said = format!("{error:?}");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(said.contains(key) && said.contains("models.embedding") && said.contains("gateway.json"), "{fields}: {said}");
        assert!(!said.contains(SECRET) && !said.contains("12345"), "{said}");
    }
    let both = read(&json!({ "api_key": SECRET, "api_key_file": "key" }), &[]).1.unwrap_err().to_string();
    assert!(both.contains("api_key and api_key_file") && !both.contains(SECRET), "{both}");
}

#[test]
fn a_key_in_a_file_starts_from_the_configs_directory() {
    let (directory, config) = read(&json!({ "api_key_file": "secrets/key" }), &[]);
    let config = config.unwrap();
    let model = config.models.embedding.clone().unwrap();
    let refused = model.key(&config.base_dir).unwrap_err();
    assert!(refused.to_string().contains("secrets/key") && refused.to_string().contains("models.embedding.api_key_file"), "{refused}");
    fs::create_dir(directory.path().join("secrets")).unwrap();
    let file = directory.path().join("secrets/key");
    for nothing in ["", "\n", "two words"] {
        fs::write(&file, nothing).unwrap();
        assert!(model.key(&config.base_dir).is_err(), "{nothing:?}");
    }
    fs::write(&file, format!("{SECRET}\n")).unwrap();
    assert_eq!(model.key(&config.base_dir).unwrap().unwrap().expose(), SECRET);
}

#[test]
fn the_key_is_not_shown() {
    let config = read(&json!({ "api_key": SECRET }), &[]).1.unwrap();
    let shown = config.shown();
    assert_eq!(shown["models"]["embedding"]["api_key"], "[hidden]");
    assert_eq!(shown["models"]["embedding"]["batch"], 16, "what is in effect");
    for text in [shown.to_string(), format!("{config:?}"), format!("{:?}", config.models)] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn a_chat_model_is_held_to_its_bounds_and_its_key_is_not_shown() {
    let read = |fields: Value| {
        let mut chat = json!({ "base_url": "http://127.0.0.1:11434/v1", "model": "qwen3" });
        chat.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gateway.json");
        fs::write(&file, json!({ "models": { "chat": chat } }).to_string()).unwrap();
        Config::read(Some(&file), std::iter::empty())
    };
    let config = read(json!({ "api_key": SECRET, "temperature": 0.7 })).unwrap();
    let chat = config.models.chat.as_ref().unwrap();
    assert_eq!(chat.url().unwrap().as_str(), "http://127.0.0.1:11434/v1/chat/completions");
    let shown = config.shown();
    assert_eq!(shown["models"]["chat"]["api_key"], "[hidden]");
    assert_eq!((&shown["models"]["chat"]["max_rounds"], &shown["models"]["chat"]["temperature"]), (&json!(16), &json!(0.7)));
    assert!(!format!("{shown} {config:?}").contains(SECRET));
    for (fields, key) in [
        (json!({ "base_url": "localhost" }), "base_url"),
        (json!({ "api_key": "two words" }), "api_key"),
        (json!({ "temperature": 2.5 }), "temperature"),
        (json!({ "instructions": "x".repeat(8_001) }), "instructions"),
        (json!({ "max_rounds": 0 }), "max_rounds"),
        (json!({ "turn_seconds": 4 }), "turn_seconds"),
        (json!({ "max_tokens": 63 }), "max_tokens"),
        (json!({ "silence_seconds": 601 }), "silence_seconds"),
        (json!({ "attempts": 11 }), "attempts"),
        (json!({ "tool_chars": 499 }), "tool_chars"),
        (json!({ "context_chars": 1_999 }), "context_chars"),
        (json!({ "turns": 0 }), "turns"),
    ] {
        let said = format!("{:?}", read(fields.clone()).unwrap_err());
        assert!(said.contains(&format!("models.chat.{key}")) && said.contains("gateway.json"), "{fields}: {said}");
    }
}
