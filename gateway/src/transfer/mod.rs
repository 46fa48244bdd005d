//! Records as JSON Lines, into a storage and out of it: the same code for the command line, for a running gateway's
//! API and for moving tiers. What must not come in: files, requests, progress bars.

mod export;
mod import;
mod lines;
mod report;

pub use export::export;
pub use import::{Powers, import};
pub use lines::LINE_BYTES;
pub use report::{Counts, REFUSALS, Refusal, Report};

#[cfg(test)]
mod tests;
