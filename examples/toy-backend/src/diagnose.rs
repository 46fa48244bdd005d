//! What is told before opening: whether the tier could be opened. Nothing is opened or changed by looking.

use mosaic_core::{Check, CheckEntry, Finding, Options, register_check};

use crate::config::Config;

// What the check means, whatever it finds; the section's own is described for every tier.
register_check!(CheckEntry { id: "scratch.memory", looks_at: "how many records the tier takes", yellow: "", red: "", cure: "" });

/// Looks at the section of the config, and at nothing else: there is no server that could fail to answer. A backend that has
/// one gives each of its looks 2 s, and says in `remediation` what to do about what it found.
pub(crate) async fn diagnose(options: Options) -> Vec<Check> {
    match Config::read(&options) {
        Ok(config) => {
            let message = format!("takes up to {} records, which are gone when the gateway stops", config.max_records);
            vec![Check::of("scratch.memory", "memory", "this process", &Ok(Finding::well(message)))]
        }
        Err(error) => vec![Check::config(crate::TIER, error)],
    }
}
