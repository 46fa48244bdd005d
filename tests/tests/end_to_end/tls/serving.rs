//! A gateway that speaks TLS: how it is reached, and by what else it is not.

use serde_json::Value;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::world::{Authority, Connection, Signed, place, start, url};
use crate::harness::Client;

#[tokio::test]
async fn it_is_reached_over_tls_by_those_who_trust_its_authority() {
    let authority = Authority::new();
    let place = place(&authority);
    let signed = authority.sign();
    signed.put(&place);
    let gateway = start(&place).await;
    let log = gateway.log();
    assert!(log.contains(&format!("url=\"{}\"", url(&place))), "{log}");
    assert!(!log.contains("the certificate") && !log.contains("PRIVATE KEY"), "all is well with it: {log}");

    for version in [&TLS12, &TLS13] {
        let mut connection = Connection::open_by(&place, &authority, version).await.unwrap();
        assert_eq!(connection.shown(), signed.der);
        for _ in 0..2 {
            assert!(connection.get("/livez").await.starts_with("HTTP/1.1 200 OK"), "{version:?}");
        }
    }
    let stranger = Connection::open_by(&place, &Authority::new(), &TLS13).await.map(|_| ()).unwrap_err();
    assert!(stranger.to_string().contains("invalid peer certificate"), "{stranger}");

    // A command by an option, by a variable, and not without either.
    let list = ["user", "list", "--json", "--url", &url(&place)];
    let users: Value = serde_json::from_str(&place.run(&[&list[..], &["--ca-file", "ca.pem"]].concat()).await.exit(0).text()).unwrap();
    assert_eq!(users[0]["login"], "admin");
    let daily = place.clone().with_env("MOSAIC_CA_FILE", "ca.pem").with_env("MOSAIC_URL", url(&place));
    daily.run(&["task", "add", "Sharpen", "the", "chisels"]).await.exit(0);
    assert!(daily.run(&["task", "list"]).await.exit(0).text().contains("Sharpen the chisels"));
    place.run(&list).await.fails_with(&["the gateway cannot be reached safely", "--ca-file"]);
    place.write("other.pem", Authority::new().pem);
    place.run(&[&list[..], &["--ca-file", "other.pem"]].concat()).await.fails_with(&["cannot be reached safely"]);
    place.run(&[&list[..], &["--ca-file", "tls.key"]].concat()).await.fails_with(&["no certificate in PEM", "tls.key"]);
    place.run(&[&list[..], &["--ca-file", "none.pem"]].concat()).await.fails_with(&["none.pem", "No such file"]);

    // Without a URL, the hint names the one that would do.
    let hint = place.run(&["task", "list"]).await.exit(2).stderr;
    assert!(hint.contains(&format!("export MOSAIC_URL={}", url(&place))), "{hint}");
}

#[tokio::test]
async fn who_comes_without_tls_is_told_and_nothing_is_done() {
    let authority = Authority::new();
    let place = place(&authority);
    authority.sign().put(&place);
    let gateway = start(&place).await;

    let anonymous = Client::anonymous(place.address());
    let problem = anonymous.get("/readyz").await.problem(400, "tls_required");
    assert!(problem["hint"].as_str().unwrap().contains("https://"), "{problem}");
    gateway.admin().post("/api/v1/notes", &serde_json::json!({ "title": "in the clear" })).await.problem(400, "tls_required");
    let plain = format!("http://{}", place.address());
    place.run(&["user", "list", "--url", &plain]).await.fails_with(&["this gateway speaks TLS", "https://"]);

    let daily = place.clone().with_env("MOSAIC_CA_FILE", "ca.pem").with_env("MOSAIC_URL", url(&place));
    assert_eq!(daily.run(&["note", "list", "--json"]).await.exit(0).text().trim(), "[]");
}

#[tokio::test]
async fn the_doctor_looks_at_the_certificate_and_at_who_answers() {
    let authority = Authority::new();
    let place = place(&authority);
    let look = async |place: &crate::harness::Place| -> Vec<(String, String, String)> {
        let report: Value = serde_json::from_slice(&place.run(&["doctor", "--json"]).await.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let own = report["checks"].as_array().unwrap().iter().filter(|check| text(&check["id"]).starts_with("gateway."));
        own.skip(1).map(|check| (text(&check["id"]), text(&check["status"]), text(&check["message"]))).collect()
    };
    let is = |found: &[(String, String, String)], n: usize, id: &str, status: &str, said: &str| {
        let (found_id, found_status, message) = &found[n];
        assert_eq!((found_id.as_str(), found_status.as_str()), (id, status), "{found:?}");
        assert!(message.contains(said), "{message} does not say {said}");
    };
    is(&look(&place).await, 0, "gateway.certificate", "red", "the file of the certificate cannot be read");
    authority.sign_expired().put(&place);
    is(&look(&place).await, 0, "gateway.certificate", "red", "expired since 2021-01-01");
    authority.sign().put(&place);
    Signed::expose(&place, true);
    is(&look(&place).await, 0, "gateway.certificate", "yellow", "every user of this machine can read its key");
    Signed::expose(&place, false);
    let found = look(&place).await;
    is(&found, 0, "gateway.certificate", "green", "for localhost, until 4096-01-01");
    is(&found, 1, "gateway.listen", "green", "no gateway runs here");
    place.run(&["ready"]).await.fails_with(&["no gateway runs here", "mosaic serve"]);

    let gateway = start(&place).await;
    is(&look(&place).await, 1, "gateway.listen", "green", "answers and is ready");
    assert_eq!(place.run(&["ready"]).await.exit(0).text(), "ready\n");
    // As of a config that was changed since.
    let plain = place.clone().with_env("MOSAIC_TLS__CERTIFICATE_FILE", "").with_env("MOSAIC_TLS__KEY_FILE", "");
    is(&look(&plain).await, 0, "gateway.listen", "yellow", "over TLS alone");
    gateway.stop().await;

    let _gateway = crate::harness::Gateway::start_in(&plain).await;
    assert_eq!(plain.run(&["ready"]).await.exit(0).text(), "ready\n");
    is(&look(&place).await, 1, "gateway.listen", "yellow", "without TLS");
    place.run(&["ready"]).await.fails_with(&["without TLS"]);
}
