//! `mosaic backends`

use std::process::ExitCode;

use clap::Args;
use mosaic_core::{Result, registry};
use serde_json::json;

use super::output;
use super::table::Column;

/// List the tiers of this build, and those that another build could have
#[derive(Args)]
pub(super) struct Backends {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Backends {
    pub(super) fn run(self) -> Result<ExitCode> {
        let built_in = registry::backends()?;
        let missing: Vec<_> = registry::SHIPPED.iter().filter(|(tier, _)| built_in.iter().all(|entry| entry.tier != *tier)).collect();
        if self.json {
            let built_in: Vec<_> = built_in.iter().map(|entry| json!({ "tier": entry.tier, "summary": entry.summary })).collect();
            let missing: Vec<_> = missing.iter().map(|(tier, feature)| json!({ "tier": tier, "feature": feature })).collect();
            output::json(&json!({ "built_in": built_in, "missing": missing }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let built_in = built_in.iter().map(|entry| vec![entry.tier.to_owned(), entry.summary.to_owned()]);
        let missing = missing.iter().map(|(tier, feature)| {
            vec![(*tier).to_owned(), format!("not in this build: cargo build --release -p mosaic-gateway --features {feature}")]
        });
        output::table(&[Column::Text("TIER"), Column::Text("WHAT IT IS")], built_in.chain(missing))?;
        Ok(ExitCode::SUCCESS)
    }
}
