//! The gateway as a third party would build it, so that tests run a fresh one.

use std::process::ExitCode;

use mosaic_pglite as _;

fn main() -> ExitCode {
    mosaic_gateway::main()
}
