//! A gateway with tier `scratch`.

use toy_backend as _;

fn main() -> std::process::ExitCode {
    mosaic_gateway::main()
}
