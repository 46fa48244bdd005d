//! Records as JSON Lines, into a storage and out of it: the same code for the command line, for a running gateway's
//! API and for moving tiers. What must not come in: files, requests, progress bars.

mod export;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod import;
mod lines;
mod report;

pub use export::export;
pub use import::{Powers, import};
pub use lines::LINE_BYTES;
pub use report::{Counts, REFUSALS, Refusal, Report};

/// The media type of JSON Lines (jsonlines.org), as the API gives them and takes them.
pub const JSON_LINES: &str = "application/jsonl";

#[cfg(test)]
mod tests;
