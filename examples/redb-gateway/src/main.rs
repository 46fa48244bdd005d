//! A gateway with tier `redb`.

use redb_backend as _;

fn main() -> std::process::ExitCode {
    mosaic_gateway::main()
}
