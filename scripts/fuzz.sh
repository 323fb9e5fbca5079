#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the programs of tests/fuzz with clang, and lets libFuzzer feed them for a minute, beside each other.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
    cat <<'EOT'
Usage: scripts/fuzz.sh [--seconds N] [TARGET...]

Feeds what libFuzzer makes up to the targets http and envelope (both without a TARGET) at once, a processor each, for N seconds [60]. What breaks one is
kept below build/fuzz/found/, and the script ends with 1. Without clang and its fuzzer it says so and ends with 0.
EOT
}

seconds=60
targets=()
while [ $# -gt 0 ]; do
    case $1 in
        --seconds)
            seconds=${2:-}
            [[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || { echo "fuzz.sh: --seconds takes a number" >&2; exit 2; }
            shift
            ;;
        http | envelope) targets+=("$1") ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "fuzz.sh: unknown argument $1" >&2
            usage >&2
            exit 2
            ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || targets=(http envelope)

cd "$root"
probe=$(mktemp -d)
processes=()
cleanup() {
    rm -rf "$probe"
    [ ${#processes[@]} -eq 0 ] || kill "${processes[@]}" 2>/dev/null || true
}
trap cleanup EXIT
printf 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char *, unsigned long) { return 0; }\n' >"$probe/probe.cpp"
if ! clang++ -fsanitize=fuzzer "$probe/probe.cpp" -o "$probe/probe" 2>/dev/null; then
    reason="it needs clang and libclang-rt-14-dev (scripts/install-dependencies.sh --test)"
    echo "fuzz.sh: left out: $reason"
    [ -z "${WEIR_TEST_LEFT_OUT:-}" ] || echo "fuzzing: $reason" >>"$WEIR_TEST_LEFT_OUT"
    exit 0
fi

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --parallel "${WEIR_TEST_JOBS:-$(nproc)}" --target "${targets[@]/#/fuzz_}"
# What begins the corpus besides the folder's seeds: real messages, one a file.
mkdir -p build/fuzz/found build/fuzz/corpus/envelope
head -n 40 tests/samples/identity.user.v1.jsonl | split --lines=1 --suffix-length=3 - build/fuzz/corpus/envelope/sample-
for target in "${targets[@]}"; do
    mkdir -p "build/fuzz/corpus/$target"
    echo "fuzz.sh: $target for $seconds s"
    "build/fuzz/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="build/fuzz/found/$target-" "build/fuzz/corpus/$target" "tests/fuzz/$target" >"build/fuzz/$target.log" 2>&1 &
    processes+=($!)
done
status=0
for index in "${!targets[@]}"; do
    target=${targets[$index]}
    if wait "${processes[$index]}"; then
        sed -n "s/^stat::number_of_executed_units: */fuzz.sh: $target: inputs tried: /p" "build/fuzz/$target.log"
    else
        echo "fuzz.sh: $target is broken; the input is below build/fuzz/found/" >&2
        tail -n 60 "build/fuzz/$target.log" >&2
        status=1
    fi
done
processes=()
[ $status -eq 0 ]
