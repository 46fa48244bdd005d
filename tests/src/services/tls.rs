//! Certificates of one run: an authority of its own, and what it signs for the servers. What must not come in: whom they are for.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::place;

/// A certificate authority that is gone with its process; the certificates stay.
pub(super) struct Authority {
    /// Its certificate, PEM.
    pub(super) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Result<Self, String> {
        make_authority().map_err(|error| format!("a certificate authority: {error}"))
    }

    /// Writes `server.crt` and `server.key` for a server on this machine into `dir`, and the authority's own as `ca.pem`.
    pub(super) fn sign_into(&self, dir: &Path) -> Result<(), String> {
        let (certificate, key) = self.sign().map_err(|error| format!("a certificate: {error}"))?;
        place::secret_file(&dir.join("ca.pem"), &self.certificate)?;
        place::secret_file(&dir.join("server.crt"), &certificate)?;
        place::secret_file(&dir.join("server.key"), &key)
    }

    fn sign(&self) -> Result<(String, String), rcgen::Error> {
        let mut params = CertificateParams::new(["localhost", "127.0.0.1", "::1"].map(str::to_owned))?;
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

fn make_authority() -> Result<Authority, rcgen::Error> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name.push(DnType::CommonName, "Mosaic's tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?.pem();
    Ok(Authority { certificate, issuer: Issuer::new(params, key) })
}
