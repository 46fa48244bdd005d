//! Telemetry: the log of a running gateway, and the recorder of its metrics. What must not come in: what is logged or measured.

mod writer;

use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock, PoisonError};

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use mosaic_core::{Error, ErrorKind, Result};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};
pub use writer::Writer;

/// Where the latency histogram's buckets end, in seconds: 0.5 ms to 10 s.
const LATENCY_BUCKETS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The target of what operators and administrators do by their powers. The log always has it, whatever its filter says.
pub const AUDIT: &str = "mosaic_audit";

/// Sends the log to the standard error stream, and panics to the log. What is logged waits to be written: the end of the
/// process should come after [`Writer::flush`] of the answer.
///
/// # Errors
/// [`ErrorKind::Config`] for a filter that cannot be read, [`ErrorKind::Internal`] when the process has a log already.
pub fn start_log(log: &Log) -> Result<Writer> {
    let filter = log.env_filter()?;
    let writer = Writer::start(std::io::stderr());
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer.clone());
    let installed = match log.format {
        LogFormat::Text => events.with_ansi(std::io::stderr().is_terminal()).with_target(false).finish().try_init(),
        LogFormat::Json => events.json().flatten_event(true).finish().try_init(),
    };
    installed.map_err(|error| Error::new(ErrorKind::Internal, "the process has a log already").source(error))?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, message, "a part of the gateway panicked");
    }));
    Ok(writer)
}

/// The recorder of this process's metrics; the first call installs it.
///
/// # Errors
/// [`ErrorKind::Internal`] when something else records already.
pub fn metrics() -> Result<PrometheusHandle> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let handle = install().map_err(|error| Error::new(ErrorKind::Internal, "metrics cannot be recorded").source(error))?;
    Ok(HANDLE.get_or_init(|| handle).clone())
}

fn install() -> Result<PrometheusHandle, BuildError> {
    let recorder = PrometheusBuilder::new().set_buckets(LATENCY_BUCKETS)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    Ok(handle)
}
