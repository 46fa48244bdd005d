//! Section `limits`: what the gateway bears, so that no client can bring it down.

use std::time::Duration;

use mosaic_core::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the gateway bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How many connections may be open; further ones wait to be accepted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: usize,
    /// How many requests may be under way; further ones are answered with 503 at once. Those that follow a turn of an agent are counted by
    /// themselves, to the same bound, and those of one person to a quarter of it.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests: usize,
    /// How long a request may take, in seconds. Import, export and turns of agents are exempt.
    #[schemars(range(min = 1, max = 3600))]
    pub request_seconds: u64,
    /// How large a request's body may be, in bytes. Import is exempt.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 4096, requests: 512, request_seconds: 30, body_bytes: 4 << 20 }
    }
}

impl Limits {
    /// How long a request may take.
    pub fn request_time(&self) -> Duration {
        Duration::from_secs(self.request_seconds)
    }

    /// Checks the bounds; answers the key that is out of them.
    pub(super) fn validate(&self) -> Result<(), (&'static str, Error)> {
        let within = |key, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err((key, Error::new(ErrorKind::Config, format!("{key} is {least} to {most}")).with("value", value)))
        };
        within("connections", self.connections as u64, 1, 1_000_000)?;
        within("requests", self.requests as u64, 1, 1_000_000)?;
        within("request_seconds", self.request_seconds, 1, 3600)?;
        within("body_bytes", self.body_bytes as u64, 1024, 1 << 30)
    }
}
