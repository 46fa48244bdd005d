//! The signals that end a gateway: SIGINT and SIGTERM.

use mosaic_core::{Error, ErrorKind, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, as one stream.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the system does not let us.
    pub(super) fn new() -> Result<Self> {
        let catch = |kind| signal(kind).map_err(|error| Error::new(ErrorKind::Internal, "signals cannot be caught").source(error));
        Ok(Self { interrupt: catch(SignalKind::interrupt())?, terminate: catch(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
