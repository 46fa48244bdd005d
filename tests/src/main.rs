//! The gateway as a third party would build it, so that tests run a fresh one.

use std::process::ExitCode;

#[cfg(feature = "federated")]
use mosaic_federated as _;
#[cfg(feature = "local")]
use mosaic_pglite as _;
#[cfg(feature = "standalone")]
use mosaic_postgres as _;
#[cfg(feature = "services")]
use mosaic_tests::services::supervisor;

#[cfg(feature = "services")]
mosaic_core::register_helper!(mosaic_core::HelperEntry { name: supervisor::HELPER, run: supervisor::main });

fn main() -> ExitCode {
    mosaic_gateway::main()
}
