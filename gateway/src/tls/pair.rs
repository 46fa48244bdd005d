//! A certificate and its key, read from their files and found to belong together. What must not come in: showing any of the key.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mosaic_core::{Error, ErrorKind, Result};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use super::Certificate;
use crate::config::Config;

/// More than any chain or key takes, in bytes.
const FILE_BYTES: u64 = 1 << 20;

const CERTIFICATE: &str = "tls.certificate_file";
const KEY: &str = "tls.key_file";

/// Where the certificate and its key are.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What both files hold. It has no Debug: one of them is a secret.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    is_exposed: bool,
}

/// What contents are told from others by.
pub(super) type Fingerprint = [u8; 32];

/// A certificate with its key, as a server uses them.
pub(crate) struct Pair {
    pub(crate) certificate: Certificate,
    /// Whether every user of this machine can read the key.
    pub(crate) is_exposed: bool,
    pub(super) server: Arc<ServerConfig>,
    pub(super) fingerprint: Fingerprint,
}

impl Files {
    /// Those that the config names; none for a gateway that speaks plain HTTP.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let (certificate, key) = config.tls.certificate_file.as_ref().zip(config.tls.key_file.as_ref())?;
        Some(Self { certificate: config.base_dir.join(certificate), key: config.base_dir.join(key) })
    }

    /// Reads and checks both.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the key of the config and the file: it cannot be read, is no PEM of its sort, is encrypted, or does not
    /// belong to the other.
    pub(crate) async fn pair(&self) -> Result<Pair> {
        self.clone().blocking(|files| files.pair_now()).await
    }

    /// The same, on a thread that may wait for a disk.
    pub(crate) fn pair_now(&self) -> Result<Pair> {
        self.pair_of(&self.contents_now()?)
    }

    /// Reads both.
    pub(super) async fn contents(&self) -> Result<Contents> {
        self.clone().blocking(|files| files.contents_now()).await
    }

    async fn blocking<T: Send + 'static>(self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let done = spawn_blocking(move || work(&self)).await;
        done.unwrap_or_else(|broken| Err(Error::new(ErrorKind::Internal, "the certificate was not read to its end").source(broken)))
    }

    fn contents_now(&self) -> Result<Contents> {
        let certificate = read(&self.certificate).map_err(|error| unreadable("certificate", CERTIFICATE, &self.certificate, error))?;
        let key = read(&self.key).map_err(|error| unreadable("key", KEY, &self.key, error))?;
        // One that is gone by now is no longer to be read.
        let mode = std::fs::metadata(&self.key).map_or(0, |metadata| metadata.permissions().mode());
        Ok(Contents { certificate, key, is_exposed: mode & 0o004 != 0 })
    }

    /// What the contents of these files are.
    pub(super) fn pair_of(&self, contents: &Contents) -> Result<Pair> {
        let refuse = |key, path: &Path, why: &'static str| Error::new(ErrorKind::Config, why).with("key", key).with("path", path.display());
        let of_certificate = |why: &'static str| refuse(CERTIFICATE, &self.certificate, why);
        let of_key = |why: &'static str| refuse(KEY, &self.key, why);
        let no_certificate = || {
            of_certificate("the file holds no certificate in PEM")
                .hint("it holds -----BEGIN CERTIFICATE-----, the gateway's own certificate first")
        };
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&contents.certificate).collect::<Result<_, _>>().map_err(|_| no_certificate())?;
        let certificate = Certificate::of(&chain).ok_or_else(no_certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| {
            if is_encrypted(&contents.key) {
                of_key("the key is encrypted, and there is nobody to ask for its passphrase")
                    .hint("openssl pkey -in ENCRYPTED.key -out PLAIN.key")
            } else {
                of_key("the file holds no private key in PEM").hint("it holds -----BEGIN PRIVATE KEY-----, or the like")
            }
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        let mut server = server.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => of_key("the key is not that of the certificate")
                .with("certificate", self.certificate.display())
                .hint("give the key that the certificate was made for; of a chain, the gateway's own certificate comes first"),
            rustls::Error::InvalidCertificate(_) => of_certificate("the certificate cannot be used").with("reason", error),
            // The words of the library are about the key, and never from it.
            _ => of_key("the key cannot be used")
                .with("reason", error)
                .hint("keys are RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519"),
        })?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Pair { certificate, is_exposed: contents.is_exposed, server: Arc::new(server), fingerprint: contents.fingerprint() })
    }
}

impl Contents {
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let parts = [&self.certificate, &self.key].map(Sha256::digest);
        Sha256::digest(parts.concat()).into()
    }
}

/// The two forms of a key with a passphrase: of PKCS #8 (RFC 7468, 11), and OpenSSL's older one (RFC 1421, 4.6).
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.lines().any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn unreadable(what: &str, key: &str, path: &Path, error: io::Error) -> Error {
    let refused = Error::new(ErrorKind::Config, format!("the file of the {what} cannot be read"))
        .with("key", key)
        .with("path", path.display())
        .with("reason", error.kind());
    let refused = match error.kind() {
        io::ErrorKind::PermissionDenied => refused.hint("let the user that the gateway runs as read it"),
        _ => refused.hint(format!("put it there, or change {key}")),
    };
    refused.source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::made::Made;

    fn refusal(certificate: Option<&str>, key: Option<&str>) -> Error {
        let dir = tempfile::tempdir().unwrap();
        let files = Files { certificate: dir.path().join("tls.crt"), key: dir.path().join("tls.key") };
        for (path, text) in [(&files.certificate, certificate), (&files.key, key)] {
            text.into_iter().for_each(|text| std::fs::write(path, text).unwrap());
        }
        files.pair_now().map(|_| ()).unwrap_err()
    }

    #[test]
    fn what_cannot_be_used_is_named_with_the_cure() {
        let (made, other) = (Made::for_names(&["a.example"], -1, 30), Made::for_names(&["a.example"], -1, 30));
        let (certificate, key) = (Some(made.certificate.as_str()), Some(made.key.as_str()));
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let older =
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIB\n-----END RSA PRIVATE KEY-----\n";
        let broken = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        for (certificate, key, about, said) in [
            (None, key, CERTIFICATE, "the file of the certificate cannot be read"),
            (certificate, None, KEY, "the file of the key cannot be read"),
            (key, key, CERTIFICATE, "the file holds no certificate"),
            (Some(""), key, CERTIFICATE, "the file holds no certificate"),
            (Some(broken), key, CERTIFICATE, "the file holds no certificate"),
            (certificate, certificate, KEY, "the file holds no private key"),
            (certificate, Some(encrypted), KEY, "the key is encrypted"),
            (certificate, Some(older), KEY, "the key is encrypted"),
            (certificate, Some(other.key.as_str()), KEY, "the key is not that of the certificate"),
        ] {
            let error = refusal(certificate, key);
            assert_eq!((error.kind(), error.get("key")), (ErrorKind::Config, Some(about)), "{error}");
            assert!(error.to_string().starts_with(said) && error.hint_text().is_some(), "{error} does not say {said}");
            let secret = made.key.lines().nth(1).unwrap();
            assert!(!format!("{error:?}").contains(secret), "{error:?}");
        }
    }

    #[test]
    fn a_pair_is_told_from_another() {
        let of = |made: &Made| {
            Contents { certificate: made.certificate.clone().into(), key: made.key.clone().into(), is_exposed: false }.fingerprint()
        };
        let (one, other) = (Made::for_names(&["a.example"], -1, 30), Made::for_names(&["a.example"], -1, 30));
        assert_eq!(of(&one), of(&one));
        assert_ne!(of(&one), of(&other));
    }
}
