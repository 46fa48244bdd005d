//! Key `trusted_proxies`: whose word counts about where a request comes from. What must not come in: requests.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// The addresses of proxies that say truly, in `X-Forwarded-For`, for whom they ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
            "type": ["array", "string"],
            "items": { "type": "string" },
            "default": [],
            "description": "The addresses of reverse proxies in front of the gateway, each alone (127.0.0.1) or as a network (10.0.0.0/8): what they \
                            say in X-Forwarded-For about whom they ask for is believed. As a text, with commas between.",
        })
    }
}

fn is_one(network: &IpNet) -> bool {
    network.prefix_len() == network.max_prefix_len()
}

impl<'de> Deserialize<'de> for TrustedProxies {
    /// It is not repeated what was no address: it may be a secret in the wrong place.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let network = |text: &str| {
            let address = |address: IpAddr| IpNet::from(address.to_canonical());
            text.parse().map(|network: IpNet| network.trunc()).ok().or_else(|| text.parse().map(address).ok())
        };
        let networks = match Value::deserialize(deserializer)? {
            Value::String(text) => text.split(',').map(|text| network(text.trim())).collect(),
            Value::Array(texts) => texts.iter().map(|text| network(text.as_str()?)).collect(),
            _ => None,
        };
        let expected = "a trusted proxy is an address such as 127.0.0.1, or a network such as 10.0.0.0/8; several are a list";
        networks.map(Self).ok_or_else(|| D::Error::custom(expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(value: Value) -> Result<TrustedProxies, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_and_networks_are_trusted_and_nobody_else() {
        let trusted = proxies(json!(["127.0.0.1", "10.1.2.3/8", "::1", "2001:db8::/32"])).unwrap();
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "10.200.0.1", "::1", "2001:db8:7::1"] {
            assert!(trusted.has(address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.2", "11.0.0.1", "::2", "2001:db9::1"] {
            assert!(!trusted.has(address.parse().unwrap()), "{address}");
        }
        assert_eq!(proxies(json!("127.0.0.1, 10.1.2.3/8,::1,2001:db8::/32")), Ok(trusted.clone()));
        assert_eq!(trusted.shown(), json!(["127.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"]));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for value in
            [json!(["hunter2"]), json!("hunter2"), json!(["10.0.0.0/33"]), json!("127.0.0.1:7420"), json!(""), json!(1234), json!([1234])]
        {
            let refused = proxies(value.clone()).unwrap_err();
            assert!(
                refused.starts_with("a trusted proxy is an address") && !refused.contains("hunter2") && !refused.contains("1234"),
                "{value}"
            );
        }
    }
}
