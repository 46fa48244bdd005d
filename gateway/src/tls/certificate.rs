//! What a certificate says of itself: whose it is, and from when until when it is valid. What must not come in: whether anybody trusts it.

use std::net::SocketAddr;
use std::time::Duration;

use mosaic_core::Timestamp;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::serve::reached;

/// For how many days before its end it is to be replaced: what renews certificates by itself does so a month before, or a third of their time.
pub(crate) const SOON_DAYS: i64 = 14;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Moments before and after the time of every certificate, in seconds: its last year is 9999 (RFC 5280, 4.1.2.5).
const BEFORE_ALL: u64 = 0;
const AFTER_ALL: u64 = 300_000_000_000;

/// What is known of a certificate and those behind it, which it is not valid without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    names: Vec<String>,
    from: Timestamp,
    until: Timestamp,
    own: CertificateDer<'static>,
}

/// How a certificate is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its time has yet to come.
    Early,
    /// It is valid.
    Valid,
    /// It is valid, and not for long.
    Ending,
    /// Its time is over.
    Expired,
}

impl Certificate {
    /// What a chain says, the gateway's own certificate first; `None` for what is none.
    pub(super) fn of(chain: &[CertificateDer<'static>]) -> Option<Self> {
        let own = chain.first()?;
        let names = EndEntityCert::try_from(own).ok()?.valid_dns_names().map(str::to_owned).collect();
        let mut times = chain.iter().map(|certificate| validity(&EndEntityCert::try_from(certificate).ok()?));
        let first = times.next()??;
        let (from, until) = times.try_fold(first, |(from, until), next| {
            let (begins, ends) = next?;
            Some((from.max(begins), until.min(ends)))
        })?;
        Some(Self { names, from, until, own: own.clone() })
    }

    /// How it is now.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        if now >= self.until {
            Standing::Expired
        } else if now < self.from {
            Standing::Early
        } else if now.plus_seconds(SOON_DAYS * DAY_SECONDS) >= self.until {
            Standing::Ending
        } else {
            Standing::Valid
        }
    }

    /// When its time begins.
    pub(crate) fn from(&self) -> Timestamp {
        self.from
    }

    /// When its time ends.
    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }

    /// Whom it is for, for people.
    pub(crate) fn subjects(&self) -> String {
        if self.names.is_empty() { "no name".to_owned() } else { self.names.join(", ") }
    }

    /// Whether this is its encoding.
    pub(crate) fn is(&self, encoded: &[u8]) -> bool {
        self.own.as_ref() == encoded
    }

    /// The host and port under which this machine reaches a gateway that listens at this address and shows this certificate, and finds it right.
    pub(crate) fn authority(&self, listen: SocketAddr) -> String {
        let address = reached(listen);
        let by_address = ServerName::IpAddress(address.ip().to_canonical().into());
        if EndEntityCert::try_from(&self.own).is_ok_and(|own| own.verify_is_valid_for_subject_name(&by_address).is_ok()) {
            return address.to_string();
        }
        let is_here = |name: &&String| name.eq_ignore_ascii_case("localhost");
        let here = self.names.iter().find(is_here).filter(|_| address.ip().is_loopback());
        match here.or_else(|| self.names.iter().find(|name| !name.starts_with('*') && !is_here(name))) {
            Some(name) => format!("{name}:{}", address.port()),
            None => address.to_string(),
        }
    }
}

/// From when until when a certificate is valid: what the one library that judges certificates here says when it is asked at the wrong time.
fn validity(certificate: &EndEntityCert<'_>) -> Option<(Timestamp, Timestamp)> {
    let judged = |seconds| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
    };
    let at = |time: UnixTime| Timestamp::from_micros(i64::try_from(time.as_secs()).ok()?.checked_mul(1_000_000)?);
    match (judged(BEFORE_ALL)?, judged(AFTER_ALL)?) {
        (webpki::Error::CertNotValidYet { not_before, .. }, webpki::Error::CertExpired { not_after, .. }) => {
            Some((at(not_before)?, at(not_after)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::made::{Made, days_from_now};

    fn at(days: i64) -> Timestamp {
        days_from_now(days)
    }

    fn certificate(made: &Made) -> Certificate {
        Certificate::of(std::slice::from_ref(&made.der)).unwrap()
    }

    #[test]
    fn its_time_has_two_ends() {
        let certificate = certificate(&Made::for_names(&["mosaic.example"], -1, 30));
        for (days, expected) in [
            (-2, Standing::Early),
            (0, Standing::Valid),
            (15, Standing::Valid),
            (17, Standing::Ending),
            (29, Standing::Ending),
            (31, Standing::Expired),
        ] {
            assert_eq!(certificate.standing(at(days)), expected, "in {days} days");
        }
    }

    #[test]
    fn it_is_no_longer_valid_than_those_behind_it() {
        let (own, behind) = (Made::for_names(&["a.example"], -1, 90), Made::for_names(&["b.example"], -1, 5));
        let chain = Certificate::of(&[own.der.clone(), behind.der]).unwrap();
        assert_eq!(chain.standing(at(0)), Standing::Ending);
        assert!(chain.is(&own.der) && chain.subjects() == "a.example");
        assert_eq!(Certificate::of(&[own.der, CertificateDer::from(vec![1, 2, 3])]), None);
    }

    #[test]
    fn a_gateway_is_named_as_its_certificate_names_it() {
        for (names, listen, expected) in [
            (&["mosaic.example", "127.0.0.1"][..], "127.0.0.1:7420", "127.0.0.1:7420"),
            (&["mosaic.example", "localhost"], "127.0.0.1:7420", "localhost:7420"),
            (&["localhost", "mosaic.example"], "10.0.0.7:443", "mosaic.example:443"),
            (&["*.example", "mosaic.example"], "0.0.0.0:7420", "mosaic.example:7420"),
            (&["10.0.0.7"], "10.0.0.7:7420", "10.0.0.7:7420"),
            (&["*.example"], "0.0.0.0:7420", "127.0.0.1:7420"),
            (&["::1"], "[::]:7420", "[::1]:7420"),
        ] {
            let certificate = certificate(&Made::for_names(names, -1, 30));
            assert_eq!(certificate.authority(listen.parse().unwrap()), expected, "{names:?} at {listen}");
        }
    }
}
