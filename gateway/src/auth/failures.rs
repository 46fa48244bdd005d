//! Counting failed sign-ins, so that guessing is slow. Only failures are ever refused for it: a valid token works from
//! any address at any time.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use mosaic_core::Cache;

/// How many sign-ins from one address may fail within [`WINDOW`].
const MOST: u64 = 30;

/// The time after which failures are forgotten.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Failed sign-ins by the address they come from.
#[derive(Clone)]
pub struct Failures {
    cache: Arc<dyn Cache>,
}

impl Failures {
    /// Counts in a cache.
    pub fn new(cache: Arc<dyn Cache>) -> Self {
        Self { cache }
    }

    /// Counts a failure; answers whether there were too many. A cache that cannot be reached counts nothing.
    pub async fn too_many(&self, peer: IpAddr) -> bool {
        match self.cache.increment(&format!("sign-in:{}", network(peer)), WINDOW).await {
            Ok(count) => count > MOST,
            Err(error) => {
                tracing::warn!(%error, "failed sign-ins are not counted");
                false
            }
        }
    }
}

/// Whoever has one IPv6 address has all 2^64 of its network: those count as one.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_counts_as_one() {
        let cases = [("10.0.0.7", "10.0.0.7"), ("::ffff:10.0.0.7", "10.0.0.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")];
        for (peer, expected) in cases {
            assert_eq!(network(peer.parse().unwrap()).to_string(), expected);
        }
    }
}
