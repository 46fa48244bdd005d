#!/bin/sh
# Fuzzes targets of the gateway (gateway/src/fuzzing.rs), guided by coverage, on stable Rust:
#
#   fuzz/run.sh [SECONDS [TARGET…]]      each for so many seconds (60), of all targets if none is named
#   fuzz/run.sh keep [TARGET…]           then adds to fuzz/corpus the few inputs of what was found that cover more
#
# Needs a C++ compiler, for libFuzzer. What it finds is in target/fuzz/found/TARGET; an input that fails a target in target/fuzz/failed.
set -eu
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')

mode=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- $(ls fuzz/corpus)

# What cargo-fuzz does with a nightly Rust: counters at each edge, and comparisons told to the fuzzer.
flags="--cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    flags="$flags -Cllvm-args=-sanitizer-coverage-$option"
done
# With a target named, build scripts and macros are built without the flags.
RUSTFLAGS="$flags" cargo build --package mosaic-fuzz --profile fuzz --locked --target "$host" --target-dir target/fuzz
binary="target/fuzz/$host/fuzz/mosaic-fuzz"

mkdir -p target/fuzz/failed
for target in "$@"; do
    found="target/fuzz/found/$target" corpus="fuzz/corpus/$target"
    mkdir -p "$found"
    export MOSAIC_FUZZ_TARGET="$target"
    if [ "$mode" = keep ]; then
        "$binary" -set_cover_merge=1 -use_counters=0 -max_len=4096 -artifact_prefix=target/fuzz/failed/ "$corpus" "$found"
    else
        echo "== $target"
        "$binary" -max_total_time="$mode" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
            -artifact_prefix=target/fuzz/failed/ "$found" "$corpus"
    fi
done
