//! What the tests of TLS have in common: an authority of one's own, what it signs, and connections that trust it alone.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto, version};

use crate::harness::{Gateway, PATIENCE, Place, eventually};

/// An authority, which signs for gateways on this machine.
pub(super) struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, PEM.
    pub(super) pem: String,
}

/// A certificate and its key.
pub(super) struct Signed {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) der: Vec<u8>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "an authority of one's own");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.der().clone(), pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for `localhost`, which is valid for as long as this program is of use.
    pub(super) fn sign(&self) -> Signed {
        self.sign_until(4096)
    }

    /// The same, which ended long ago.
    pub(super) fn sign_expired(&self) -> Signed {
        self.sign_until(2021)
    }

    fn sign_until(&self, year: i32) -> Signed {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(year, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Signed { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
    }

    /// How those connect who trust it alone, by one version of TLS.
    fn connector(&self, version: &'static SupportedProtocolVersion) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()));
        let client = client.with_protocol_versions(&[version]).unwrap().with_root_certificates(roots).with_no_client_auth();
        TlsConnector::from(Arc::new(client))
    }
}

impl Signed {
    /// Puts it where the gateway of this place reads it.
    pub(super) fn put(&self, place: &Place) {
        place.write("tls.key", &self.key);
        Self::expose(place, false);
        place.write("tls.crt", &self.certificate);
    }

    /// Whether every user of this machine can read the key that was put there.
    pub(super) fn expose(place: &Place, is_exposed: bool) {
        std::fs::set_permissions(place.path("tls.key"), Permissions::from_mode(if is_exposed { 0o644 } else { 0o600 })).unwrap();
    }
}

/// A place whose gateway shows what is in `tls.crt`, and where `ca.pem` is the authority's certificate.
pub(super) fn place(authority: &Authority) -> Place {
    let place = Place::new().with_env("MOSAIC_TLS__CERTIFICATE_FILE", "tls.crt").with_env("MOSAIC_TLS__KEY_FILE", "tls.key");
    place.write("ca.pem", &authority.pem);
    place
}

/// A gateway that is ready in such a place.
pub(super) async fn start(place: &Place) -> Gateway {
    let gateway = Gateway::spawn(place);
    // By its log: whoever asks it would have to know how it speaks.
    eventually("the gateway is ready", PATIENCE, || async {
        assert_eq!(gateway.exit_status(), None, "the gateway ended:\n{}", gateway.log());
        gateway.log().contains(" ready url=").then_some(())
    })
    .await;
    gateway
}

/// The URL by which its certificate names it.
pub(super) fn url(place: &Place) -> String {
    format!("https://localhost:{}", place.address().port())
}

/// A connection to a gateway whose certificate an authority has signed.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
}

impl Connection {
    /// Shakes hands, as of now.
    pub(super) async fn open(place: &Place, authority: &Authority) -> Self {
        Self::open_by(place, authority, &version::TLS13).await.unwrap()
    }

    /// The same, by this version of TLS.
    pub(super) async fn open_by(place: &Place, authority: &Authority, version: &'static SupportedProtocolVersion) -> io::Result<Self> {
        let open = async {
            let stream = TcpStream::connect(place.address()).await?;
            let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
            Ok(Self { stream: authority.connector(version).connect(name, stream).await? })
        };
        tokio::time::timeout(PATIENCE, open).await?
    }

    /// The certificate that was shown.
    pub(super) fn shown(&self) -> Vec<u8> {
        self.stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    /// Sends something as it is.
    pub(super) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Asks for something and leaves the connection open; answers what comes first.
    pub(super) async fn get(&mut self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        let mut answer = vec![0; 64 << 10];
        let length = tokio::time::timeout(PATIENCE, self.stream.read(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// All that comes, up to an end that was said: nobody has cut it off.
    pub(super) async fn rest(mut self) -> String {
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, self.stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    }
}
