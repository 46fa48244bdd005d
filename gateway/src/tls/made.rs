//! Certificates for tests: signed by themselves, for any names and any time.

use std::time::Duration;

use mosaic_core::{Clock as _, SystemClock, Timestamp};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;

/// A certificate and its key.
pub(crate) struct Made {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
}

impl Made {
    /// One for these names or addresses, which is valid between these days, counted from now.
    pub(crate) fn for_names(names: &[&str], from: i64, until: i64) -> Self {
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        let at = |days| date_time_ymd(1970, 1, 1) + Duration::from_micros(days_from_now(days).as_micros().try_into().unwrap());
        (params.not_before, params.not_after) = (at(from), at(until));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
    }
}

/// That many days from now.
pub(crate) fn days_from_now(days: i64) -> Timestamp {
    SystemClock.now().plus_seconds(days * 24 * 60 * 60)
}
