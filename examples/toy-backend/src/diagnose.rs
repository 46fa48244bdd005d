//! What is told before opening: whether the tier could be opened. Nothing is opened or changed by looking.

use mosaic_core::{Check, Finding, Options};

use crate::config::Config;

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
