//! Certificates that a start is refused for, and those that it is warned of.

use super::world::{Authority, place, start};
use crate::harness::Place;

#[tokio::test]
async fn a_pair_that_cannot_be_used_is_refused_in_one_line_with_the_cure() {
    let authority = Authority::new();
    let place = place(&authority);
    let [signed, other] = [(); 2].map(|()| authority.sign());
    place.run(&["serve"]).await.fails_with(&["the file of the certificate cannot be read", "key=tls.certificate_file", "tls.crt"]);
    place.write("tls.crt", &signed.certificate);
    place.run(&["serve"]).await.fails_with(&["the file of the key cannot be read", "key=tls.key_file", "tls.key"]);
    place.write("tls.key", &other.key);
    for command in [&["serve"][..], &["config", "check"]] {
        place.run(command).await.fails_with(&["the key is not that of the certificate", "tls.key", "tls.crt"]);
    }
    place.write("tls.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
    place.run(&["serve"]).await.fails_with(&["the key is encrypted", "openssl pkey"]);
    place.write("tls.key", &signed.key);
    place.write("tls.crt", &signed.key);
    let refused = place.run(&["serve"]).await.fails_with(&["the file holds no certificate in PEM"]);
    assert!(!refused.stderr.contains(signed.key.lines().nth(1).unwrap()), "{}", refused.stderr);
    assert!(!place.data_dir().exists(), "nothing was opened");

    let half = Place::new().with_env("MOSAIC_TLS__CERTIFICATE_FILE", "tls.crt");
    half.run(&["serve"]).await.fails_with(&["certificate_file is given without key_file", "key=tls.key_file"]);
}

#[tokio::test]
async fn an_expired_certificate_is_shown_and_told_of() {
    let authority = Authority::new();
    let place = place(&authority);
    authority.sign_expired().put(&place);
    let gateway = start(&place).await;
    let log = gateway.log();
    assert!(log.contains("the certificate has expired") && log.contains("until=2021-01-01T00:00:00Z"), "{log}");
}

#[tokio::test]
async fn tokens_that_travel_in_the_clear_are_warned_of() {
    let everywhere = |place: Place| {
        let port = place.address().port();
        place.with_env("MOSAIC_LISTEN", format!("0.0.0.0:{port}"))
    };
    let place = everywhere(Place::new());
    let gateway = start(&place).await;
    assert!(gateway.log().contains("others reach this address without TLS"), "{}", gateway.log());
    gateway.stop().await;
    for place in [place.clone().with_env("MOSAIC_TRUSTED_PROXIES", "192.0.2.0/24, 127.0.0.1"), Place::new()] {
        let gateway = start(&place).await;
        assert!(!gateway.log().contains("without TLS"), "{}", gateway.log());
    }
}
