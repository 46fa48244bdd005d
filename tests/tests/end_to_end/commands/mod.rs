//! The command line, as an operator types it: offline on a stopped directory, and through a running gateway.

mod accounts;
mod chat;
mod config;
mod daily;
mod doctor;
mod shell;
mod transfer;
