//! Section `startup`: how long a start may take.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long a start may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Startup {
    /// How long to wait for services that are still coming up, in seconds; 0 to try once.
    pub wait_seconds: u32,
}

impl Default for Startup {
    fn default() -> Self {
        Self { wait_seconds: 30 }
    }
}

impl Startup {
    /// How long to wait for services that are still coming up.
    pub fn wait(&self) -> Duration {
        Duration::from_secs(self.wait_seconds.into())
    }
}
