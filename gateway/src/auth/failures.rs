//! Counting failed sign-ins, so that guessing is slow and costs the storage little. Past the limit, an address asks the storage
//! about no token that has not worked lately; a token that has goes on working from there, whoever else is guessing.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Cache, Result};

/// How many sign-ins from one address may fail within [`WINDOW`].
const MOST: u64 = 30;

/// The time after which failures are forgotten, and for which an address that had too many is slowed down.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Failed sign-ins by the address they come from.
#[derive(Clone)]
pub(super) struct Failures {
    cache: Arc<dyn Cache>,
}

impl Failures {
    /// Counts in a cache.
    pub(super) fn new(cache: Arc<dyn Cache>) -> Self {
        Self { cache }
    }

    /// Counts a failure; answers whether there were too many. A cache that cannot be reached counts nothing.
    pub(super) async fn too_many(&self, peer: IpAddr) -> bool {
        uncounted(self.count(network(peer)).await)
    }

    /// Whether there were too many before this sign-in, which is not counted.
    pub(super) async fn were_too_many(&self, peer: IpAddr) -> bool {
        uncounted(self.cache.get(&slowed_key(network(peer))).await.map(|slowed| slowed.is_some()))
    }

    async fn count(&self, network: IpAddr) -> Result<bool> {
        let too_many = self.cache.increment(&format!("sign-in:{network}"), WINDOW).await? > MOST;
        if too_many {
            self.cache.set(&slowed_key(network), b"", WINDOW).await?;
        }
        Ok(too_many)
    }
}

fn uncounted(found: Result<bool>) -> bool {
    found.unwrap_or_else(|error| {
        // The cache itself tells once that it is away.
        tracing::debug!(%error, "failed sign-ins are not counted");
        false
    })
}

fn slowed_key(network: IpAddr) -> String {
    format!("sign-in-slowed:{network}")
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
