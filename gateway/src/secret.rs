//! Token secrets: made here, shown once, kept nowhere; the store has their SHA-256. A secret is 256 random bits, so a
//! plain hash is as good as a slow one: there is nothing to guess.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mosaic_core::{Error, ErrorKind, Result, TokenHash};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What every secret begins with, so that people and secret scanners know one when they see it.
pub const PREFIX: &str = "mosaic_";

/// How many random bytes a secret is made from …
const BYTES: usize = 32;
/// … and how many characters of URL-safe base64 they are behind the prefix (RFC 4648, 5).
const CHARS: usize = (BYTES * 8).div_ceil(6);

/// The secret of a bearer token. Its Debug does not show it.
#[derive(Clone)]
pub struct TokenSecret(SecretString);

impl TokenSecret {
    /// A new one, from the operating system's entropy.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the system has no entropy to give.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::new(ErrorKind::Internal, "the operating system gives no random bytes").source(error))?;
        Ok(Self::from(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Whether a text looks like one that [`Self::generate`] made. What does not is no token's, and need not be looked for.
    pub fn has_shape(text: &str) -> bool {
        text.strip_prefix(PREFIX)
            .is_some_and(|rest| rest.len() == CHARS && rest.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_')))
    }

    /// What the store keeps of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose().as_bytes()).into())
    }

    /// The secret itself, for the one place that shows or sends it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for TokenSecret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_has_its_shape_and_its_hash_is_stable() {
        let secret = TokenSecret::from("mosaic_abc".to_owned());
        assert_eq!(format!("{secret:?}"), "[hidden]");
        assert_eq!(secret.hash().to_hex(), "04544ee19d3b2d68b7afe3df5c56d3a60843fea59320c81e13e9defd28af5d55");
        for _ in 0..100 {
            assert!(TokenSecret::has_shape(TokenSecret::generate().unwrap().expose()));
        }
        let made = TokenSecret::generate().unwrap().expose().to_owned();
        for other in ["", PREFIX, &made[1..], &made[..made.len() - 1], &format!("{made}A"), &made.replace("mosaic_", "Mosaic_")] {
            assert!(!TokenSecret::has_shape(other), "{other}");
        }
        assert!(!TokenSecret::has_shape(&format!("{}=", &made[..made.len() - 1])));
        assert_ne!(TokenSecret::generate().unwrap().expose(), TokenSecret::generate().unwrap().expose());
    }
}
