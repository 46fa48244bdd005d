//! Whom a request comes from, behind proxies. What must not come in: what follows from that.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

use crate::config::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client. Each proxy adds, at the end of the header, who asked it; what is there beyond those that are trusted was
/// written by whoever wanted to. So it is read from its end, for as long as who says it is trusted.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let mut client = peer;
    if !trusted.has(client) {
        return client;
    }
    let values: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    for said in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        match address(said.trim()) {
            Some(address) => client = address,
            None => break,
        }
        if !trusted.has(client) {
            break;
        }
    }
    client
}

/// An address, as some proxies write it with its port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn who_is_trusted_is_believed_and_nobody_else() {
        let trusted: TrustedProxies = serde_json::from_value(serde_json::json!(["127.0.0.1", "10.0.0.0/8"])).unwrap();
        for (peer, headers, expected) in [
            ("192.0.2.9", &["198.51.100.1"][..], "192.0.2.9"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["203.0.113.66, 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["203.0.113.66, 198.51.100.1, 10.1.2.3"], "198.51.100.1"),
            ("127.0.0.1", &["203.0.113.66", "198.51.100.1", "10.1.2.3"], "198.51.100.1"),
            ("127.0.0.1", &["10.1.2.3,10.1.2.4"], "10.1.2.3"),
            ("127.0.0.1", &["203.0.113.66, nonsense"], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.66, nonsense, 10.1.2.3"], "10.1.2.3"),
            ("127.0.0.1", &["198.51.100.1:5678"], "198.51.100.1"),
            ("127.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("127.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("127.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("127.0.0.1", &[""], "127.0.0.1"),
        ] {
            let all = headers.iter().map(|value| (X_FORWARDED_FOR, HeaderValue::from_static(value))).collect();
            assert_eq!(client(peer.parse().unwrap(), &all, &trusted).to_string(), expected, "{peer} says {headers:?}");
        }
    }
}
