//! Section `log`: what is logged, and how.

use std::fmt::Display;

use mosaic_core::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

use crate::telemetry::AUDIT;

/// What is logged, and how. The log goes to the standard error stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A level (error, warn, info, debug, trace) or several by target, as in `info,mosaic_pglite=debug`.
    pub filter: String,
    /// One line of text or one JSON object for each event.
    pub format: LogFormat,
}

/// How an event looks in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// A line for people; coloured on a terminal.
    #[default]
    Text,
    /// A JSON object on a line, for machines.
    Json,
}

impl Log {
    /// The filter, read. It lets [`AUDIT`] through in any case.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it is none.
    pub fn env_filter(&self) -> Result<EnvFilter> {
        let refused = |error: &dyn Display| {
            Error::new(ErrorKind::Config, format!("not a log filter: {error}")).hint("use a level such as info or debug")
        };
        let filter = EnvFilter::try_new(&self.filter).map_err(|error| refused(&error))?;
        let audit = format!("{AUDIT}=info").parse::<Directive>().map_err(|error| refused(&error))?;
        Ok(filter.add_directive(audit))
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Text }
    }
}
