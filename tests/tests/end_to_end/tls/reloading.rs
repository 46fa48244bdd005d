//! Certificates that are replaced while the gateway runs.

use super::world::{Authority, Connection, place, start};
use crate::harness::{PATIENCE, eventually};

#[tokio::test]
async fn a_new_certificate_is_shown_from_then_on_and_a_broken_one_never() {
    let authority = Authority::new();
    let place = place(&authority);
    let [first, second, third] = [(); 3].map(|()| authority.sign());
    first.put(&place);
    let gateway = start(&place).await;
    let mut old = Connection::open(&place, &authority).await;
    assert_eq!(old.shown(), first.der);

    second.put(&place);
    let shown = async |what, expected: &[u8]| {
        eventually(what, PATIENCE, || async { (Connection::open(&place, &authority).await.shown() == expected).then_some(()) }).await;
    };
    shown("the second is shown", &second.der).await;
    assert!(old.get("/livez").await.starts_with("HTTP/1.1 200 OK"), "a connection that was there goes on");

    // The third one's certificate with the second one's key, then no certificate at all.
    place.write("tls.crt", &third.certificate);
    let log = |what, text: &'static str| {
        let gateway = &gateway;
        eventually(what, PATIENCE, move || async move { gateway.log().contains(text).then_some(()) })
    };
    log("a pair that is none is told", "stays in use: the key is not that of the certificate").await;
    assert_eq!(Connection::open(&place, &authority).await.shown(), second.der);
    std::fs::remove_file(place.path("tls.crt")).unwrap();
    log("a missing file is told", "stays in use: the file of the certificate cannot be read").await;
    assert_eq!(Connection::open(&place, &authority).await.shown(), second.der);
    let report = place.run(&["doctor"]).await.exit(1).text();
    assert!(report.contains("gateway.certificate") && report.contains("answers and is ready"), "{report}");

    // By a link, as Kubernetes and certbot replace them.
    std::fs::create_dir(place.path("live")).unwrap();
    place.write("live/tls.crt", &third.certificate);
    place.write("tls.key", &third.key);
    std::os::unix::fs::symlink(place.path("live/tls.crt"), place.path("tls.crt")).unwrap();
    shown("the third is shown", &third.der).await;
    let metrics = Connection::open(&place, &authority).await.get("/metrics").await;
    assert!(metrics.contains("\nmosaic_certificate_expires_timestamp_seconds 67090"), "{metrics}");
    let log = gateway.log();
    assert_eq!(log.matches("stays in use").count(), 2, "each trouble is told once: {log}");
    assert!(!log.contains("PRIVATE KEY"), "{log}");
    drop(old);
    gateway.stop().await;
}
