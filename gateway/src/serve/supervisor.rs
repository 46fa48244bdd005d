//! What a service manager is told (systemd's `Type=notify`): that the gateway is ready, and that it stops. Without one, it is told to nobody.

use sd_notify::NotifyState;
use tokio::task::spawn_blocking;

/// Requests are answered.
pub(super) async fn ready() {
    tell(&[NotifyState::Ready]).await;
}

/// Nothing new is accepted.
pub(super) async fn stopping() {
    tell(&[NotifyState::Stopping]).await;
}

async fn tell(state: &'static [NotifyState<'static>]) {
    // A datagram waits for room at its receiver.
    if let Ok(Err(error)) = spawn_blocking(|| sd_notify::notify(state)).await {
        tracing::warn!(%error, "the service manager cannot be told how the gateway is");
    }
}
