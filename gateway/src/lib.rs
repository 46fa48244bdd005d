//! placeholder
#![allow(missing_docs, reason = "x")]
mod backends;
pub mod records;
