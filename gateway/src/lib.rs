//! placeholder
mod backends;
pub mod records;
pub mod secret;
