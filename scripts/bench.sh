#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures Weir: builds the release preset and what measures it, and runs benchmarks/bench.py (--help lists the options).
# docs/benchmarks.md says how and why.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
for argument in "$@"; do
    case $argument in
        -h | --help) exec python3 "$root/benchmarks/bench.py" --help ;;
    esac
done
python3 "$root/benchmarks/bench.py" "$@" --check-arguments

# The Python consumer that Weir is compared with is left out where its packages can't be had; the servers are needed.
"$root/scripts/install-dependencies.sh" --bench >&2 || echo "bench.sh: not everything could be installed; what needs it is left out" >&2
"$root/scripts/build.sh" release weir plugins/all bench_abi_crossing bench_replay_statements bench_publish_latency bench_http_load bench_ledger_size >&2
exec python3 "$root/benchmarks/bench.py" "$@"
