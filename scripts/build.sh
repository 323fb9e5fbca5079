#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, configures and builds: scripts/build.sh [--no-tests] [PRESET [TARGET...]], PRESET being release, dev or tsan.
# WEIR_TEST_JOBS says how many compilers run at once; without it, one for each processor and for each 1.5 GB of free memory.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
packages=--test
tests=ON
if [ "${1:-}" = --no-tests ]; then
    packages=--build
    tests=OFF
    shift
fi
preset=${1:-release}
case $preset in
    -h | --help)
        sed -n 's/^# //p' "${BASH_SOURCE[0]}" | sed -n '2,$p'
        exit 0
        ;;
esac
[ $# -eq 0 ] || shift
case $preset in
    release | dev | tsan) ;;
    *)
        echo "build.sh: no preset $preset: name release, dev or tsan" >&2
        exit 2
        ;;
esac

"$root/scripts/install-dependencies.sh" "$packages"
cd "$root"

processors=$(nproc)
by_memory=$(($(awk '/^MemAvailable:/ {print $2}' /proc/meminfo) / 1500000))
jobs=${WEIR_TEST_JOBS:-$((by_memory < 1 ? 1 : by_memory < processors ? by_memory : processors))}

# test.sh sets WEIR_TEST_OUTSIDE; afterwards everything is compiled here again.
cmake --preset "$preset" -DWEIR_BUILD_TESTS=$tests -DWEIR_OUTSIDE_TESTS="${WEIR_TEST_OUTSIDE:-}"
if [ $# -eq 0 ]; then
    cmake --build --preset "$preset" --parallel "$jobs"
else
    cmake --build --preset "$preset" --parallel "$jobs" --target "$@"
fi
