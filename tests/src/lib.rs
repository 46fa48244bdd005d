//! Mosaic's tests that need more than one crate: the behaviour suite, which shows that a backend keeps the
//! contracts of `mosaic-core`, data to fill one with, and what end-to-end tests share. What must not come in: anything that a product crate uses.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(missing_docs, reason = "the name of a case says what it shows")]

pub mod behaviour;
#[cfg(feature = "services")]
pub mod chat_model;
pub mod generator;
#[cfg(feature = "services")]
pub mod measure;
#[cfg(feature = "services")]
pub mod services;
pub mod visibility;
