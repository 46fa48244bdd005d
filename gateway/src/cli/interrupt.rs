//! Ctrl-C and termination while a command works: what it holds is let go of in order, and it fails.

use std::future::Future;

use mosaic_core::{Error, ErrorKind, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Does the work unless the user ends it before; it is then dropped.
pub(super) async fn interruptible<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let handler = |kind| {
        signal(kind).map_err(|error| Error::new(ErrorKind::Internal, "signals cannot be handled").with("reason", &error).source(error))
    };
    let (mut interrupt, mut terminate) = (handler(SignalKind::interrupt())?, handler(SignalKind::terminate())?);
    tokio::select! {
        outcome = work => outcome,
        _ = interrupt.recv() => Err(ended()),
        _ = terminate.recv() => Err(ended()),
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Unavailable, "interrupted")
}
