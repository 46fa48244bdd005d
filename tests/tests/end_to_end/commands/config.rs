//! The config and what this build holds: what is accepted, what is refused with the cure, what is shown.

use std::os::unix::ffi::OsStringExt as _;

use serde_json::{Value, json};

use crate::harness::Place;

#[tokio::test]
async fn tiers_that_are_not_there_say_what_is() {
    let place = Place::new();
    for command in [&["serve"][..], &["export", "-"], &["import", "-"], &["config", "check"]] {
        let nonsense = place.clone().with_env("MOSAIC_TIER", "nonsense").run(command).await;
        nonsense.fails_with(&["there is no tier \"nonsense\" (built in=federated, local, standalone)", "mosaic backends"]);
    }
    let listed = place.run(&["backends"]).await.exit(0).text();
    assert!(listed.lines().any(|line| line.starts_with("local")), "{listed}");
    let listed: Value = serde_json::from_slice(&place.run(&["backends", "--json"]).await.exit(0).stdout).unwrap();
    let tiers: Vec<_> = listed["built_in"].as_array().unwrap().iter().map(|tier| tier["tier"].as_str().unwrap()).collect();
    assert_eq!(tiers, ["federated", "local", "standalone"]);
}

#[tokio::test]
async fn a_config_that_cannot_be_used_is_named() {
    let place = Place::new();
    for (content, names) in [
        ("{", "mosaic.config.json"),
        ("[]", "mosaic.config.json"),
        (r#"{"teir": "local"}"#, "teir"),
        (r#"{"tier": 5}"#, "tier"),
        (r#"{"listen": "here"}"#, "listen"),
        (r#"{"limits": {"bodies": 7}}"#, "bodies"),
        (r#"{"limits": {"body_bytes": "many"}}"#, "body_bytes"),
        (r#"{"limits": {"body_bytes": 0}}"#, "body_bytes"),
        (r#"{"local": {"dir": "x"}}"#, "dir"),
        (r#"{"local": 7}"#, "local"),
        (r#"{"log": {"filter": "mosaic=loudly"}}"#, "filter"),
    ] {
        place.write("mosaic.config.json", content);
        println!("{content}");
        // The environment's own value would hide the file's.
        let place = place.clone().with_env("MOSAIC_LISTEN", "");
        for command in [&["config", "check"][..], &["serve"]] {
            place.run(command).await.fails_with(&["mosaic.config.json", names]);
        }
    }
    std::fs::remove_file(place.path("mosaic.config.json")).unwrap();
    place.run(&["--config", "absent.json", "config", "check"]).await.fails_with(&["absent.json"]);
    place.clone().with_env("MOSAIC_CONFIG", "absent.json").run(&["serve"]).await.fails_with(&["absent.json"]);
    place.clone().with_env("MOSAIC_LISTEN", "here").run(&["config", "check"]).await.fails_with(&["MOSAIC_LISTEN"]);
    let bad = place.clone().with_env("MOSAIC_LIMITS__REQUESTS", "none");
    bad.run(&["config", "check"]).await.fails_with(&["MOSAIC_LIMITS__REQUESTS"]);
    assert!(!place.data_dir().exists());
}

#[test]
fn a_variable_that_is_not_utf8_is_named() {
    let place = Place::new();
    let value = std::ffi::OsString::from_vec(b"caf\xe9".to_vec());
    for (name, command, code) in [
        ("MOSAIC_LOCAL__DATA_DIR", &["config", "show"][..], 1),
        ("MOSAIC_LISTEN", &["config", "check"], 1),
        ("MOSAIC_URL", &["user", "list"], 2),
    ] {
        let output = place.command(command).env(name, &value).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(name) && said.contains("not UTF-8"), "{said}");
    }
    assert!(!place.data_dir().exists());
}

#[tokio::test]
async fn sources_are_taken_in_order_and_secrets_are_not_shown() {
    let place = Place::new().with_env("MOSAIC_LISTEN", "");
    place.run(&["config", "check"]).await.exit(0);
    let config = json!({
        "tier": "local", "listen": "127.0.0.1:7001", "local": { "data_dir": "from-file" },
        "standalone": { "postgres": { "url": "postgres://mosaic:hunter2@db/mosaic", "password": "hunter2" } },
    });
    place.write("mosaic.config.json", config.to_string());
    let shown = async |place: &Place| -> Value {
        let outcome = place.run(&["config", "show"]).await.exit(0);
        assert!(!outcome.text().contains("hunter2") && !outcome.stderr.contains("hunter2"), "{}", outcome.text());
        serde_json::from_slice(&outcome.stdout).unwrap()
    };
    let file = shown(&place).await;
    assert_eq!((&file["listen"], &file["local"]["data_dir"]), (&json!("127.0.0.1:7001"), &json!("from-file")));
    let both = place.clone().with_env("MOSAIC_LISTEN", "127.0.0.1:7002").with_env("MOSAIC_LOCAL__DATA_DIR", "from-env");
    let both = both.with_env("MOSAIC_STANDALONE__POSTGRES__PASSWORD", "hunter2").with_env("MOSAIC_UNRELATED", "left alone");
    let env = shown(&both).await;
    assert_eq!((&env["listen"], &env["local"]["data_dir"]), (&json!("127.0.0.1:7002"), &json!("from-env")));
}

#[tokio::test]
async fn exit_codes_tell_usage_from_failure() {
    let place = Place::new();
    place.run(&["--help"]).await.exit(0);
    let version = place.run(&["--version"]).await.exit(0).text();
    assert!(version.starts_with("mosaic "), "{version}");
    for wrong in [&[][..], &["frobnicate"], &["serve", "--port", "1"], &["config"], &["config", "frob"], &["doctor", "local"]] {
        place.run(wrong).await.exit(2);
    }
    assert!(!place.data_dir().exists());
}
