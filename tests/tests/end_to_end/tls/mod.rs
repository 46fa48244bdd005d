//! TLS on the gateway's own listener, as those see it who run the gateway, and those who reach it.

mod handshakes;
mod refusals;
mod reloading;
mod serving;
mod world;
