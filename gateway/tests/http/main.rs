//! The HTTP API over the in-memory backend, request by request, in process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod bad_requests;
mod counting;
mod gateway;
mod lists;
mod records;
mod sessions;
mod sign_in;
mod transfer;
mod vectors;
mod world;
