//! Ctrl-C and termination while a command works: what it holds is let go of in order, and it fails.

use std::future::Future;

use futures::FutureExt as _;
use mosaic_core::{Error, ErrorKind, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Does the work unless the user ends it before; it is then dropped.
pub(super) async fn interruptible<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let (mut interrupt, mut terminate) = (handler(SignalKind::interrupt())?, handler(SignalKind::terminate())?);
    tokio::select! {
        outcome = work => outcome,
        _ = interrupt.recv() => Err(ended()),
        _ = terminate.recv() => Err(ended()),
    }
}

/// The same, for work in the foreground that an interrupt is meant for: only termination ends it.
pub(super) async fn terminable<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut terminate = handler(SignalKind::terminate())?;
    tokio::select! {
        outcome = work => outcome,
        _ = terminate.recv() => Err(ended()),
    }
}

/// Ctrl-C, for a command that it does not end. It is heard from the beginning, and not only while somebody waits for it.
pub(super) struct Interrupts(Signal);

impl Interrupts {
    /// From now on they come here.
    pub(super) fn new() -> Result<Self> {
        Ok(Self(handler(SignalKind::interrupt())?))
    }

    /// Waits for the next one.
    pub(super) async fn pressed(&mut self) {
        self.0.recv().await;
    }

    /// Forgets one that nobody waited for: it was meant for what has ended meanwhile.
    pub(super) fn forget(&mut self) {
        while self.0.recv().now_or_never().is_some() {}
    }
}

fn handler(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|error| Error::new(ErrorKind::Internal, "signals cannot be handled").with("reason", &error).source(error))
}

fn ended() -> Error {
    Error::new(ErrorKind::Unavailable, "interrupted")
}
