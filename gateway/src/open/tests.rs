//! Which backend is opened, and how often it is tried.

use std::sync::atomic::{AtomicUsize, Ordering};

use mosaic_core::{BackendEntry, memory};

use super::*;

static TRIES: AtomicUsize = AtomicUsize::new(0);

mosaic_core::register_backend!(BackendEntry {
    tier: "test-slow",
    summary: "comes up at the third try",
    open: |_| Box::pin(async {
        match TRIES.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Err(Error::new(ErrorKind::Unavailable, "the service does not answer")),
            _ => Ok(memory::open()),
        }
    }),
    diagnose: |_| Box::pin(async { Vec::new() }),
    schema: mosaic_core::schemars::Schema::default,
});

mosaic_core::register_backend!(BackendEntry {
    tier: "test-refusing",
    summary: "says what it was given, and refuses it",
    open: |options| Box::pin(async move {
        let kind = if options.section == serde_json::json!({}) { ErrorKind::InUse } else { ErrorKind::Config };
        Err(Error::new(kind, "refused").with("command", options.command).with("url", options.url.unwrap_or_default()))
    }),
    diagnose: |_| Box::pin(async { Vec::new() }),
    schema: mosaic_core::schemars::Schema::default,
});

fn config(text: &str) -> (tempfile::TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mosaic.config.json");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(Some(&file)).unwrap();
    (directory, config)
}

#[tokio::test]
async fn a_service_that_is_coming_up_is_waited_for() {
    backend(&config(r#"{ "tier": "test-slow" }"#).1, "serve", None).await.unwrap();
    assert_eq!(TRIES.load(Ordering::SeqCst), 3);
    TRIES.store(0, Ordering::SeqCst);
    let impatient = config(r#"{ "tier": "test-slow", "startup": { "wait_seconds": 0 } }"#).1;
    let error = backend(&impatient, "serve", None).await.map(|_| ()).unwrap_err();
    assert_eq!((error.kind(), TRIES.load(Ordering::SeqCst)), (ErrorKind::Unavailable, 1));
}

#[tokio::test]
async fn what_waiting_does_not_mend_is_said_at_once() {
    let error = backend(&config(r#"{ "tier": "test-refusing" }"#).1, "import", None).await.map(|_| ()).unwrap_err();
    assert_eq!((error.kind(), error.get("command")), (ErrorKind::InUse, Some("import")));

    let (directory, config) = config(r#"{ "tier": "test-refusing", "test-refusing": { "colour": "red" } }"#);
    let error = backend(&config, "serve", Some("http://here".into())).await.map(|_| ()).unwrap_err();
    assert_eq!(error.get("url"), Some("http://here"));
    assert!(error.get("file").unwrap().starts_with(directory.path().to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_tier_that_is_not_there_is_refused() {
    let error = backend(&config(r#"{ "tier": "nonsense" }"#).1, "serve", None).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("built in="), "{error}");
}
