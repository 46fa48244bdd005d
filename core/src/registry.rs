//! The registry: which tiers and helpers this build has, and what their checks mean. Crates submit; linking one is enough.
//!
//! A binary holds a crate's submissions only if it names the crate (`use acme_backend as _;`).

use crate::{BackendEntry, CheckEntry, Error, ErrorKind, HelperEntry, Result};

inventory::collect!(BackendEntry);
inventory::collect!(HelperEntry);
inventory::collect!(CheckEntry);

/// Offers a tier: `register_backend!(BackendEntry { … });`
#[macro_export]
macro_rules! register_backend {
    ($entry:expr) => {
        $crate::__private::inventory::submit! { $entry }
    };
}

/// Offers a helper program: `register_helper!(HelperEntry { … });`
#[macro_export]
macro_rules! register_helper {
    ($entry:expr) => {
        $crate::__private::inventory::submit! { $entry }
    };
}

/// Says what a check means: `register_check!(CheckEntry { … });`
#[macro_export]
macro_rules! register_check {
    ($entry:expr) => {
        $crate::__private::inventory::submit! { $entry }
    };
}

/// Tiers that Mosaic itself ships, each with the cargo feature that builds it in.
pub const SHIPPED: &[(&str, &str)] = &[("federated", "federated"), ("local", "local"), ("standalone", "standalone")];

/// The tiers of this build, by name.
///
/// # Errors
/// [`ErrorKind::Internal`] when two crates offer the same one.
pub fn backends() -> Result<Vec<&'static BackendEntry>> {
    sorted(inventory::iter::<BackendEntry>().collect())
}

/// The tier with this name.
///
/// # Errors
/// [`ErrorKind::Config`]: for a tier that Mosaic ships and this build lacks, how to build it in; for an unknown one, which there are.
pub fn backend(tier: &str) -> Result<&'static BackendEntry> {
    select(tier, backends()?)
}

/// Every tier that a config may hold a section for: those of this build, and those that Mosaic ships. Sorted.
///
/// # Errors
/// As [`backends`].
pub fn known_tiers() -> Result<Vec<&'static str>> {
    let mut tiers: Vec<_> = backends()?.iter().map(|entry| entry.tier).chain(SHIPPED.iter().map(|(tier, _)| *tier)).collect();
    tiers.sort_unstable();
    tiers.dedup();
    Ok(tiers)
}

/// The helper with this name, if this build has it.
pub fn helper(name: &str) -> Option<&'static HelperEntry> {
    inventory::iter::<HelperEntry>().find(|entry| entry.name == name)
}

/// What the checks of this build mean, by id.
pub fn checks() -> Vec<&'static CheckEntry> {
    let mut checks: Vec<_> = inventory::iter::<CheckEntry>().collect();
    checks.sort_unstable_by_key(|check| check.id);
    checks
}

fn sorted(mut entries: Vec<&'static BackendEntry>) -> Result<Vec<&'static BackendEntry>> {
    entries.sort_by_key(|entry| entry.tier);
    match entries.windows(2).find(|pair| pair[0].tier == pair[1].tier) {
        Some(pair) => Err(Error::new(ErrorKind::Internal, "two backends of this build offer the same tier").with("tier", pair[0].tier)),
        None => Ok(entries),
    }
}

fn select(tier: &str, entries: Vec<&'static BackendEntry>) -> Result<&'static BackendEntry> {
    if let Some(entry) = entries.iter().find(|entry| entry.tier == tier) {
        return Ok(entry);
    }
    let built_in = match entries.iter().map(|entry| entry.tier).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "none".to_owned(),
        names => names,
    };
    let tier: String = tier.chars().take(60).collect();
    Err(match SHIPPED.iter().find(|(name, _)| *name == tier) {
        Some((name, feature)) => {
            Error::new(ErrorKind::Config, format!("tier {name:?} is not in this build: it was compiled without the feature {feature:?}"))
                .with("built in", built_in)
                .hint(format!("cargo build --release -p mosaic-gateway --features {feature}"))
        }
        None => Error::new(ErrorKind::Config, format!("there is no tier {tier:?}"))
            .with("built in", built_in)
            .hint("set \"tier\" in the config, or MOSAIC_TIER, to one that `mosaic backends` lists"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(tier: &'static str) -> &'static BackendEntry {
        Box::leak(Box::new(BackendEntry {
            tier,
            summary: "",
            open: |_| Box::pin(async { Err(Error::new(ErrorKind::Unsupported, "not to be opened")) }),
            diagnose: |_| Box::pin(async { Vec::new() }),
            schema: schemars::Schema::default,
        }))
    }

    fn refusal(tier: &str, built_in: &[&'static str]) -> String {
        let error = select(tier, built_in.iter().map(|tier| entry(tier)).collect()).map(|found| found.tier).unwrap_err();
        format!("{error}: {}", error.hint_text().unwrap())
    }

    #[test]
    fn a_tier_that_is_not_compiled_in_names_its_feature() {
        assert_eq!(
            refusal("federated", &["local"]),
            "tier \"federated\" is not in this build: it was compiled without the feature \"federated\" (built in=local): \
             cargo build --release -p mosaic-gateway --features federated"
        );
    }

    #[test]
    fn an_unknown_tier_lists_what_there_is() {
        assert_eq!(
            refusal("nonsense", &["acme", "local"]),
            "there is no tier \"nonsense\" (built in=acme, local): set \"tier\" in the config, or MOSAIC_TIER, to one that `mosaic backends` lists"
        );
        assert!(refusal("nonsense", &[]).contains("built in=none"));
    }

    #[test]
    fn tiers_are_sorted_and_unique() {
        let tiers: Vec<_> = sorted(vec![entry("b"), entry("a")]).unwrap().iter().map(|e| e.tier).collect();
        assert_eq!(tiers, ["a", "b"]);
        let error = sorted(vec![entry("a"), entry("b"), entry("a")]).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "two backends of this build offer the same tier (tier=a)");
    }
}
