//! Gives what libFuzzer makes up to the target that `MOSAIC_FUZZ_TARGET` names. Built by `fuzz/run.sh`; without `--cfg fuzzing`, as part of the
//! workspace, it only says so. What must not come in: what a target looks at, which is the gateway's.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod guided {
    use std::sync::LazyLock;

    use mosaic_gateway::fuzzing::{TARGETS, Target};

    #[expect(clippy::expect_used, reason = "there is nothing to fuzz without a target")]
    static TARGET: LazyLock<Target> = LazyLock::new(|| {
        let name = std::env::var("MOSAIC_FUZZ_TARGET").expect("MOSAIC_FUZZ_TARGET names a target");
        TARGETS.iter().find(|(known, _)| *known == name).expect("there is such a target").1
    });

    libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
}

#[cfg(not(fuzzing))]
#[expect(clippy::print_stderr, reason = "it says what to do instead")]
fn main() -> std::process::ExitCode {
    eprintln!("this is built with flags of its own: run fuzz/run.sh");
    std::process::ExitCode::FAILURE
}
