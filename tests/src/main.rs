//! The gateway as a third party would build it, so that tests run a fresh one.

use std::process::ExitCode;

use mosaic_federated as _;
use mosaic_pglite as _;
use mosaic_postgres as _;
#[cfg(feature = "services")]
use mosaic_tests::services::supervisor;

#[cfg(feature = "services")]
mosaic_core::register_helper!(mosaic_core::HelperEntry { name: supervisor::HELPER, run: supervisor::main });

fn main() -> ExitCode {
    mosaic_gateway::main()
}
