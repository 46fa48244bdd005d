//! Key `trusted_proxies`: whose word counts about where a request comes from. What must not come in: requests.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

/// The addresses of proxies that say truly, in `X-Forwarded-For`, for whom they ask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether a proxy at this address is trusted.
    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key for people to look at.
    pub(super) fn shown(&self) -> Value {
        self.0.iter().map(|network| if is_one(network) { network.addr().to_string() } else { network.to_string() }).collect()
    }

    /// The key's part of the config's schema.
    pub(super) fn schema() -> Value {
        json!({
            "type": "array",
            "items": { "type": "string" },
            "default": [],
            "description": "The addresses of reverse proxies in front of the gateway, each alone (127.0.0.1) or as a network (10.0.0.0/8): what they \
                            say in X-Forwarded-For about whom they ask for is believed.",
        })
    }
}

fn is_one(network: &IpNet) -> bool {
    network.prefix_len() == network.max_prefix_len()
}

impl TryFrom<Vec<String>> for TrustedProxies {
    type Error = &'static str;

    /// It is not repeated what was no address: it may be a secret in the wrong place.
    fn try_from(texts: Vec<String>) -> Result<Self, Self::Error> {
        let network = |text: &String| match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
            (Ok(network), _) => Ok(network.trunc()),
            (_, Ok(address)) => Ok(address.to_canonical().into()),
            _ => Err("a trusted proxy is an address such as 127.0.0.1, or a network such as 10.0.0.0/8"),
        };
        texts.iter().map(network).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(texts: &[&str]) -> Result<TrustedProxies, &'static str> {
        texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>().try_into()
    }

    #[test]
    fn addresses_and_networks_are_trusted_and_nobody_else() {
        let trusted = proxies(&["127.0.0.1", "10.1.2.3/8", "::1", "2001:db8::/32"]).unwrap();
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "10.200.0.1", "::1", "2001:db8:7::1"] {
            assert!(trusted.has(address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.2", "11.0.0.1", "::2", "2001:db9::1"] {
            assert!(!trusted.has(address.parse().unwrap()), "{address}");
        }
        assert_eq!(trusted.shown(), json!(["127.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"]));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for text in ["hunter2", "10.0.0.0/33", "127.0.0.1:7420", ""] {
            let refused = proxies(&[text]).unwrap_err();
            assert!(refused.starts_with("a trusted proxy is an address") && !refused.contains("hunter2"), "{text}");
        }
    }
}
