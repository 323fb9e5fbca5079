#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Formats every C and C++ file of the repository by .clang-format; with --check, says which aren't and ends with 1.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
if ! command -v clang-format >/dev/null; then
    echo "format.sh: clang-format is not installed: scripts/install-dependencies.sh --lint" >&2
    exit 1
fi
# Not these: headers of an ABI that is released are kept as they were, down to the byte; and lines of some early headers are longer
# than the rest. Formatting those compiles nearly everything anew, so each is taken off this list when it changes for another reason.
left_out='^(tests/abi/|host/event/(event|message|uuid)\.hpp|host/store/schema\.hpp|host/store/sqlite/ledger\.cpp)'
mapfile -t files < <(find benchmarks docs host plugins sdk tests -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cpp' | grep -Ev "$left_out" | sort)
case ${1:-} in
    --check) clang-format --dry-run --Werror "${files[@]}" ;;
    '') clang-format -i "${files[@]}" ;;
    *)
        echo "format.sh: unknown argument $1: --check or nothing" >&2
        exit 2
        ;;
esac
