//! Section `tls`: the files of the certificate that the gateway's own listener shows. What must not come in: reading them.

use std::path::PathBuf;

use mosaic_core::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS on the gateway's own listener. Without it, the gateway speaks plain HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The file of the certificate, PEM: the gateway's own first, behind it those between that one and an authority that clients trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// The file of the certificate's private key, PEM, without a passphrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// Checks that there are both files or none; answers the key that is missing.
    pub(super) fn validate(&self) -> Result<(), (&'static str, Error)> {
        let missing = |key, other| Err((key, Error::new(ErrorKind::Config, format!("{other} is given without {key}"))));
        match (&self.certificate_file, &self.key_file) {
            (Some(_), None) => missing("key_file", "certificate_file"),
            (None, Some(_)) => missing("certificate_file", "key_file"),
            _ => Ok(()),
        }
    }
}
