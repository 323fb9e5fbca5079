#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# arguments_test.sh ROOT: ends with 1 where a script does otherwise than tests/scripts/README.md says.
set -euo pipefail
scripts=$1/scripts
failed=no
# expect STATUS COMMAND...
expect() {
    local wanted=$1 status=0
    shift
    "$@" >/dev/null 2>&1 </dev/null || status=$?
    if [ "$status" -ne "$wanted" ]; then
        echo "$* ended with $status instead of $wanted" >&2
        failed=yes
    fi
}
expect 0 "$scripts/demo.sh" --help
expect 0 "$scripts/test.sh" --help
expect 0 "$scripts/fuzz.sh" --help
expect 2 "$scripts/fuzz.sh" --seconds many
expect 0 "$scripts/bench.sh" --help
expect 0 "$scripts/install-dependencies.sh" --help
expect 0 "$scripts/services.sh" --help
expect 2 "$scripts/services.sh"
expect 2 "$scripts/services.sh" up down
expect 2 "$scripts/services.sh" up --remove
expect 2 "$scripts/services.sh" up --redis-port 65536
expect 2 "$scripts/services.sh" up --directory
expect 0 "$scripts/chaos.sh" --help
expect 2 "$scripts/chaos.sh" --kills many
expect 0 "$scripts/votes.sh" --help
expect 2 "$scripts/votes.sh" --votes many
expect 2 "$scripts/votes.sh" --hosts 0
expect 0 "$scripts/browser.sh" --help
for script in demo browser services chaos votes fuzz test bench build format lint install-dependencies; do
    expect 2 "$scripts/$script.sh" --no-such-argument
done
expect 2 "$scripts/test.sh" no-such-step
expect 0 "$scripts/build.sh" --help
expect 2 "$scripts/build.sh" no-such-preset
expect 1 "$scripts/demo.sh" --no-build /usr

# Every list contains the smaller ones, and no package stands twice.
build=$("$scripts/install-dependencies.sh" --build --list | sort)
test=$("$scripts/install-dependencies.sh" --test --list | sort)
lint=$("$scripts/install-dependencies.sh" --lint --list | sort)
bench=$("$scripts/install-dependencies.sh" --bench --list | sort)
for pair in "$build|$test" "$test|$bench" "$test|$lint"; do
    if [ -n "$(comm -23 <(printf '%s\n' "${pair%%|*}") <(printf '%s\n' "${pair##*|}"))" ]; then
        echo "install-dependencies.sh: a larger list lacks packages of a smaller one" >&2
        failed=yes
    fi
done
if [ -n "$(printf '%s\n' "$lint" | uniq -d)$(printf '%s\n' "$bench" | uniq -d)" ]; then
    echo "install-dependencies.sh: a package is listed twice" >&2
    failed=yes
fi
[ "$failed" = no ]
