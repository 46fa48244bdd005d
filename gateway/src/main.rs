//! The `mosaic` binary.

fn main() -> std::process::ExitCode {
    mosaic_gateway::main()
}
