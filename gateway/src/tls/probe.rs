//! Asking who is there over TLS, whoever it is: for the doctor, who shows no secret and wants to know which certificate is shown. What must not
//! come in: anything that is sent a secret; for that there is [`crate::client`], which knows whom to trust.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Takes any certificate of whoever has its key.
#[derive(Debug)]
pub(crate) struct Probe {
    provider: Arc<CryptoProvider>,
}

impl Probe {
    /// Speaks TLS with whoever is there.
    ///
    /// # Errors
    /// When they do not.
    pub(crate) async fn connect(stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::IpAddress(stream.peer_addr()?.ip().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Self { provider }))
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// The certificate that was shown.
    pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> Option<CertificateDer<'static>> {
        let (_, connection) = stream.get_ref();
        connection.peer_certificates().and_then(<[_]>::first).map(|certificate| certificate.clone().into_owned())
    }
}

impl ServerCertVerifier for Probe {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
