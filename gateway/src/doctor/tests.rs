//! What is looked at, and that no backend can hold up or bring down those who look.

use mosaic_core::{Finding, Status};

use super::*;

mosaic_core::register_backend!(BackendEntry {
    tier: "test-hanging",
    summary: "looks for ever, and blocks the thread it does so on",
    open: |_| Box::pin(async { unreachable!("nothing is opened") }),
    diagnose: |_| Box::pin(async {
        std::thread::sleep(Duration::from_secs(3));
        std::future::pending().await
    }),
    schema: mosaic_core::schemars::Schema::default,
});

mosaic_core::register_backend!(BackendEntry {
    tier: "test-crashing",
    summary: "crashes when it looks",
    open: |_| Box::pin(async { unreachable!("nothing is opened") }),
    diagnose: |_| Box::pin(async { unreachable!("it does not look") }),
    schema: mosaic_core::schemars::Schema::default,
});

mosaic_core::register_backend!(BackendEntry {
    tier: "test-looking",
    summary: "says which command looks",
    open: |_| Box::pin(async { unreachable!("nothing is opened") }),
    diagnose: |options| Box::pin(async move {
        let found = Ok(Finding::but(format!("looked at for {}", options.command), "rest"));
        vec![Check::of("test-looking.thing", "thing", "here", &found)]
    }),
    schema: mosaic_core::schemars::Schema::default,
});

/// The report on a config of this text, of a gateway that is to listen at a port where nobody does.
async fn report(text: &str) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mosaic.config.json");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    run(Some(&file)).await
}

fn shown(report: &Report) -> Vec<(&str, Status, &str)> {
    report.checks().iter().map(|check| (check.id.as_str(), check.status, check.message.as_str())).collect()
}

#[tokio::test]
async fn the_config_the_tier_and_the_address_are_looked_at() {
    let report = report(r#"{ "tier": "test-looking", "listen": "127.0.0.1:0" }"#).await;
    assert_eq!(
        shown(&report),
        [
            ("gateway.config", Status::Green, "read: tier test-looking at 127.0.0.1:0"),
            ("test-looking.thing", Status::Yellow, "looked at for doctor"),
            ("gateway.listen", Status::Green, "not looked at: with port 0, a gateway takes a free port at each start"),
        ]
    );
    assert_eq!(report.summary(), "tier test-looking works, but 1 of 3 checks is yellow: test-looking.thing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_hangs_or_crashes_is_a_finding() {
    let begun = Instant::now();
    let hanging = report(r#"{ "tier": "test-hanging", "listen": "127.0.0.1:0" }"#).await;
    assert!(begun.elapsed() < 2 * DEADLINE, "{:?}", begun.elapsed());
    assert_eq!(shown(&hanging)[1], ("test-hanging.checks", Status::Red, "the checks of this tier do not come to an end"));
    let crashing = report(r#"{ "tier": "test-crashing", "listen": "127.0.0.1:0" }"#).await;
    assert_eq!(shown(&crashing)[1], ("test-crashing.checks", Status::Red, "the checks of this tier broke off, by a fault in its backend"));
    for report in [hanging, crashing] {
        assert_eq!((report.status(), report.checks().len()), (Status::Red, 3), "the others are there");
        assert!(report.checks()[1].remediation.is_some());
    }
}

#[tokio::test]
async fn a_config_that_cannot_be_used_is_a_finding_without_its_values() {
    for (text, message) in [
        (r#"{ "listen": 12345 }"#, "invalid type: integer, expected socket address (key=listen"),
        (r#""p4ss""#, "not a JSON object (file="),
        (r#"{ "log": { "format": "p4ss" } }"#, "unknown variant, expected one of text, json (key=log.format"),
        (r#"{ "limits": { "requests": "p4ss" } }"#, "invalid type: string, expected"),
    ] {
        let report = report(text).await;
        let [check] = report.checks() else { unreachable!("only the config is looked at: {report:?}") };
        assert_eq!((check.id.as_str(), check.service.as_str(), check.status), ("gateway.config", Check::CONFIG, Status::Red));
        assert!(check.message.contains(message), "{check:?} does not say {message}");
        assert!(check.target.ends_with("mosaic.config.json") && check.remediation.is_some(), "{check:?}");
        let all = serde_json::to_string(&report).unwrap();
        assert!(!all.contains("p4ss") && !all.contains("12345"), "{all}");
    }
}

#[tokio::test]
async fn a_secret_that_everybody_can_read_is_a_finding_with_its_cure() {
    let chat = r#"{ "base_url": "http://h/v1", "model": "m", "api_key": "p4ss" }"#;
    let report = report(&format!(r#"{{ "tier": "test-looking", "listen": "127.0.0.1:0", "models": {{ "chat": {chat} }} }}"#)).await;
    let check = &report.checks()[0];
    assert_eq!((check.id.as_str(), check.status), ("gateway.config", Status::Yellow));
    assert!(check.message.ends_with("it holds a secret, and every user of this machine can read it"), "{check:?}");
    assert_eq!(check.remediation.as_deref(), Some(format!("chmod o-r {}", check.target).as_str()));
    assert!(!serde_json::to_string(&report).unwrap().contains("p4ss"));
}

#[tokio::test]
async fn a_tier_that_this_build_lacks_is_a_finding_about_the_config() {
    let report = report(r#"{ "tier": "nonsense" }"#).await;
    let [check] = report.checks() else { unreachable!("{report:?}") };
    assert!(check.status == Status::Red && check.message.contains("there is no tier \"nonsense\""), "{check:?}");
    assert_eq!(report.summary(), "tier nonsense is not well, 1 of 1 check is red: gateway.config");
}

#[tokio::test]
async fn a_finding_stands_in_the_way_as_an_error() {
    let found = Err(Error::new(ErrorKind::Full, "no room").with("dir", "/srv").hint("make some"));
    let error = refusal(Check::of("a", "b", "c", &found));
    assert_eq!((error.to_string().as_str(), error.hint_text()), ("no room (dir=/srv)", Some("make some")));
}
