//! How this program connects to a server over HTTP, whichever server it is.

use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Result};
use reqwest::{Certificate, Url};

use super::problem::cause;
use super::url::is_loopback;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Whom a client trusts to say who a server is: these certificates alone, PEM.
#[derive(Clone)]
pub struct Authorities(Vec<Certificate>);

impl Authorities {
    /// Reads certificates.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what holds none.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        match Certificate::from_pem_bundle(pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(Self(certificates)),
            _ => Err(Error::new(ErrorKind::Config, "there is no certificate in PEM in it").hint("it holds -----BEGIN CERTIFICATE-----")),
        }
    }
}

/// A client for the server at `base`, which is sent secrets, and has to show a certificate of one of `authorities`, or else of the
/// system's. Nothing is sent yet.
///
/// # Errors
/// [`ErrorKind::Config`] when there are no certificate authorities to check an `https` server by.
pub(crate) fn http_client(base: &Url, authorities: Option<Authorities>) -> Result<reqwest::Client> {
    // One provider for the process; a second client finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("mosaic/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    if base.scheme() == "http" {
        // Without TLS none are needed, and a machine without any can still reach its own server.
        builder = builder.tls_certs_only(std::iter::empty());
    } else if let Some(Authorities(certificates)) = authorities {
        builder = builder.tls_certs_only(certificates);
    }
    if is_loopback(base) {
        // A proxy that the environment names for the world outside would be shown the secret, and cannot reach this host.
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Config, "the client cannot be set up")
            .with("reason", cause(&error))
            .hint("install the system's ca-certificates")
    })
}
