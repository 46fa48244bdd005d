//! The report: the checks, what they come to, and that in one line.

use mosaic_core::{Check, Status};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

/// Which shape a report has as JSON. It gains fields; what changes otherwise is another one.
const SCHEMA: &str = "mosaic.doctor/1";

/// What a tier needs, and how it is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "mosaic doctor --json")]
pub struct Report {
    /// Which shape this has. It may gain fields; anything else is another schema.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    /// The tier that the config chooses; null when the config cannot be used.
    tier: Option<String>,
    /// How it is: as its worst check.
    status: Status,
    /// All of it in one line, for people.
    summary: String,
    /// What was looked at: the config, what the tier needs, the address of the gateway.
    checks: Vec<Check>,
}

impl Report {
    /// What these checks come to.
    pub fn new(tier: Option<String>, checks: Vec<Check>) -> Self {
        let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Green);
        let summary = summary(tier.as_deref(), status, &checks);
        Self { schema: SCHEMA, tier, status, summary, checks }
    }

    /// How it is: as its worst check.
    pub fn status(&self) -> Status {
        self.status
    }

    /// All of it in one line.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What was looked at.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

/// The JSON Schema (2020-12) of a report.
pub fn schema() -> Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Report>().to_value()
}

fn summary(tier: Option<&str>, status: Status, checks: &[Check]) -> String {
    let what = tier.map_or("the config".to_owned(), |tier| format!("tier {tier}"));
    let ids = |status| checks.iter().filter(move |check| check.status == status).map(|check| check.id.as_str()).collect::<Vec<_>>();
    let (red, yellow) = (ids(Status::Red), ids(Status::Yellow));
    let verb = |ids: &[&str]| if ids.len() == 1 { "is" } else { "are" };
    let of_all = |ids: &[&str], colour| {
        let plural = if checks.len() == 1 { "" } else { "s" };
        format!("{} of {} check{plural} {} {colour}: {}", ids.len(), checks.len(), verb(ids), ids.join(", "))
    };
    match status {
        Status::Green if checks.len() == 1 => format!("{what} is well: 1 check green"),
        Status::Green => format!("{what} is well: {} checks green", checks.len()),
        Status::Yellow => format!("{what} works, but {}", of_all(&yellow, "yellow")),
        Status::Red if yellow.is_empty() => format!("{what} is not well, {}", of_all(&red, "red")),
        Status::Red => {
            format!("{what} is not well, {}; {} {} yellow: {}", of_all(&red, "red"), yellow.len(), verb(&yellow), yellow.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, status: Status) -> Check {
        Check {
            id: id.to_owned(),
            service: "disk".to_owned(),
            target: "/srv".to_owned(),
            status,
            latency_ms: 1,
            message: "found".to_owned(),
            remediation: None,
        }
    }

    #[test]
    fn a_report_is_as_its_worst_check_and_says_which_that_is() {
        use Status::{Green, Red, Yellow};
        for (checks, status, summary) in [
            (&[("a", Green)][..], Green, "tier local is well: 1 check green"),
            (&[("a", Green), ("b", Green)], Green, "tier local is well: 2 checks green"),
            (&[("a", Green), ("b", Yellow)], Yellow, "tier local works, but 1 of 2 checks is yellow: b"),
            (&[("a", Red)], Red, "tier local is not well, 1 of 1 check is red: a"),
            (&[("a", Red), ("b", Green), ("c", Red)], Red, "tier local is not well, 2 of 3 checks are red: a, c"),
            (&[("a", Yellow), ("b", Red), ("c", Green)], Red, "tier local is not well, 1 of 3 checks is red: b; 1 is yellow: a"),
            (&[("a", Yellow), ("b", Red), ("c", Yellow)], Red, "tier local is not well, 1 of 3 checks is red: b; 2 are yellow: a, c"),
        ] {
            let report = Report::new(Some("local".to_owned()), checks.iter().map(|(id, status)| check(id, *status)).collect());
            assert_eq!((report.status(), report.summary()), (status, summary));
        }
        let unread = Report::new(None, vec![check("gateway.config", Red)]);
        assert_eq!(unread.summary(), "the config is not well, 1 of 1 check is red: gateway.config");
    }

    #[test]
    fn as_json_it_has_the_documented_shape() {
        let report = Report::new(Some("local".to_owned()), vec![check("local.disk", Status::Yellow)]);
        assert_eq!(
            serde_json::to_value(&report).unwrap(),
            serde_json::json!({
                "schema": "mosaic.doctor/1",
                "tier": "local",
                "status": "yellow",
                "summary": "tier local works, but 1 of 1 check is yellow: local.disk",
                "checks": [
                    { "id": "local.disk", "service": "disk", "target": "/srv", "status": "yellow", "latency_ms": 1, "message": "found" }
                ],
            })
        );
        let schema = schema();
        assert_eq!(schema["required"], serde_json::json!(["schema", "tier", "status", "summary", "checks"]));
        assert_eq!(schema["properties"]["schema"]["const"], "mosaic.doctor/1");
    }
}
