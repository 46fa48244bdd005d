//! The ways to run it that are checked in (an image, compose services, a unit of systemd), against the binary: what they tell it, it
//! takes. What their own tools make of them is not looked at here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tokio::net::UnixDatagram;

use crate::harness::{Gateway, PATIENCE, Place};

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The lines of a file that say something, without what stands before them.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// What stands behind a word at the beginning of lines.
fn values<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    lines(text).into_iter().filter_map(|line| line.strip_prefix(word)).map(str::trim).collect()
}

/// The config of a gateway with this environment.
async fn config(environment: &[(String, String)]) -> Value {
    let place = environment.iter().fold(Place::new(), |place, (name, value)| place.with_env(name, value));
    let shown = place.run(&["config", "show"]).await.exit(0);
    serde_json::from_slice(&shown.stdout).unwrap()
}

#[tokio::test]
async fn the_image_is_nobodys_and_runs_commands_that_there_are() {
    let text = file("Dockerfile");
    assert_eq!(values(&text, "FROM ").len(), 2, "what compiles is not what runs");
    let user: Vec<_> = values(&text, "USER ");
    assert!(user.len() == 1 && user[0].split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user:?}");
    assert_eq!(values(&text, "STOPSIGNAL "), ["SIGTERM"]);
    let health = text.split_once("HEALTHCHECK").unwrap().1.split_once("CMD ").unwrap().1.lines().next().unwrap();
    let words = |json: &str| serde_json::from_str::<Vec<String>>(json).unwrap();
    assert_eq!(words(values(&text, "ENTRYPOINT ")[0]), ["mosaic"]);
    for arguments in [words(values(&text, "CMD ")[0]), words(health)[1..].to_vec()] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(["--help"]).collect();
        Place::new().run(&arguments).await.exit(0);
    }
    assert_eq!(words(health)[0], "mosaic", "there is nothing else in the image to ask with");
    let environment: Vec<_> = values(&text, "ENV ").into_iter().map(pair).collect();
    assert_eq!(config(&environment).await["listen"], "0.0.0.0:7420");
    assert_eq!(values(&text, "VOLUME "), values(&text, "WORKDIR ")[1..], "the data is kept");
}

#[test]
fn an_image_is_made_of_the_crates_and_of_no_data() {
    let ignored = file(".dockerignore");
    let allowed: BTreeSet<_> = values(&ignored, "!").into_iter().collect();
    assert_eq!(lines(&ignored)[0], "*", "what is not named stays out");
    let manifest = file("Cargo.toml");
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    for member in members.split(',').map(|member| member.trim().trim_matches('"')) {
        assert!(allowed.contains(member.split('/').next().unwrap()), "{member} is needed to compile");
    }
    for secret in ["**/target", "**/mosaic-data", "**/*.token", "**/.env"] {
        assert!(lines(&ignored).contains(&secret), "{secret}");
    }
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or_else(|| panic!("{text} sets nothing"));
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn compose_runs_the_gateway_on_each_tier_for_this_machine_alone() {
    let text = file("docker-compose.gateway.yml");
    let ports = values(&text, "ports:");
    assert_eq!(ports, [r#"["127.0.0.1:7420:7420"]"#]);
    let mut tiers = Vec::new();
    let services = text.split_once("\nservices:\n").unwrap().1.split_once("\nsecrets:\n").unwrap().0;
    for service in services.split("  gateway-").skip(1) {
        let tier = service.split(':').next().unwrap();
        let settings = values(service, "MOSAIC_");
        let environment = settings.iter().map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (format!("MOSAIC_{name}"), value.to_owned())
        });
        let environment: Vec<_> = environment.collect();
        let shown = config(&environment).await;
        assert_eq!((shown["tier"].as_str(), values(service, "profiles:")), (Some(tier), vec![format!("[{tier}]").as_str()]));
        for (name, value) in &environment {
            if name.ends_with("PASSWORD_FILE") {
                let secret = value.strip_prefix("/run/secrets/").unwrap();
                assert!(values(service, "secrets:")[0].contains(secret), "{tier} is given {secret}");
            }
            assert!(!name.ends_with("PASSWORD"), "a password is no part of an environment: {name}");
        }
        tiers.push(tier.to_owned());
    }
    assert_eq!(tiers, ["local", "standalone", "federated"]);
    for secret in text.split_once("\nsecrets:\n").unwrap().1.split_once("\nvolumes:\n").unwrap().0.lines() {
        let variable = secret.split_once("environment: ").unwrap().1.trim_end_matches(" }");
        assert!(
            file("docker-compose.env.sh").contains(variable.trim_start_matches("MOSAIC_").trim_end_matches("__PASSWORD")),
            "{variable}"
        );
    }
}

#[tokio::test]
async fn the_unit_sets_what_the_gateway_takes_and_gives_it_nothing_else() {
    let text = file("deploy/mosaic.service");
    let place = Place::new();
    let example = place.write("mosaic.config.json", file("docs/examples/local.json"));
    let state = place.path("state");
    let told = |value: &str| {
        let value = value.replace("%E/mosaic/mosaic.config.json", example.to_str().unwrap());
        value.replace("%S/mosaic", state.to_str().unwrap())
    };
    let environment: Vec<_> = values(&text, "Environment=").into_iter().map(|setting| pair(&told(setting))).collect();
    let shown = config(&environment).await;
    assert_eq!(shown["local"]["data_dir"], state.join("mosaic-data").to_str().unwrap());
    let start = values(&text, "ExecStart=");
    let arguments: Vec<_> = start[0].split_whitespace().skip(1).chain(["--help"]).collect();
    place.run(&arguments).await.exit(0);

    let said: BTreeSet<_> = lines(&text).into_iter().collect();
    for bound in [
        "Type=notify",
        "User=mosaic",
        "UMask=0077",
        "StateDirectoryMode=0700",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        "RestrictNamespaces=yes",
        "SystemCallFilter=@system-service",
    ] {
        assert!(said.contains(bound), "{bound}");
    }
}

#[tokio::test]
async fn a_service_manager_is_told_when_it_is_ready_and_that_it_stops() {
    let place = Place::new();
    let socket = place.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let place = place.with_env("NOTIFY_SOCKET", socket.to_str().unwrap());
    let told = async || {
        let mut text = [0; 64];
        let length = tokio::time::timeout(PATIENCE, manager.recv(&mut text)).await.unwrap().unwrap();
        String::from_utf8_lossy(&text[..length]).trim().to_owned()
    };
    let gateway = Gateway::spawn(&place);
    assert_eq!(told().await, "READY=1");
    gateway.anonymous().get("/readyz").await.expect(200);
    gateway.stop().await;
    assert_eq!(told().await, "STOPPING=1");
}
