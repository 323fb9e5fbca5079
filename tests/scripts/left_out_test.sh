#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# left_out_test.sh ROOT: ends with 1 where the summary of scripts/test.sh doesn't name what this machine can't test, or takes it for a failure.
set -euo pipefail
bare=$(mktemp -d)
trap 'rm -rf "$bare"' EXIT
printf '#!/bin/sh\nexit 1\n' >"$bare/clang++"
chmod +x "$bare/clang++"
summary=$(PATH="$bare:$PATH" "$1/scripts/test.sh" fuzz </dev/null) || {
    echo "test.sh failed where clang is missing: $summary" >&2
    exit 1
}
if ! grep -qE '^fuzz +ok ' <<<"$summary" || ! grep -A 1 '^Not tested here:' <<<"$summary" | grep -q '^  fuzzing: it needs clang'; then
    echo "test.sh doesn't say that nothing was fuzzed: $summary" >&2
    exit 1
fi
