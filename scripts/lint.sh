#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that can be said of the sources without building them. Tools that are not installed are left out and named.
# With --tidy, clang-tidy too, over the compile commands of build/release (slow).
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
tidy=no
case ${1:-} in
    --tidy) tidy=yes ;;
    '') ;;
    *)
        echo "lint.sh: unknown argument $1: --tidy or nothing" >&2
        exit 2
        ;;
esac

failed=no
left_out=()
# check NAME TOOL COMMAND...
check() {
    local name=$1 tool=$2
    shift 2
    if ! command -v "$tool" >/dev/null; then
        left_out+=("$name (needs $tool)")
    elif "$@"; then
        echo "ok      $name"
    else
        echo "FAILED  $name" >&2
        failed=yes
    fi
}
tidy_all() {
    [ -f build/release/compile_commands.json ] || { echo "lint.sh: --tidy needs a configured build/release: scripts/build.sh" >&2; return 1; }
    find host -name '*.cpp' -print0 | xargs --null --max-args=1 --max-procs="$(nproc)" clang-tidy --quiet -p build/release
}

shell_scripts=(scripts/*.sh tests/scripts/*.sh .ci/run)
for script in "${shell_scripts[@]}" deploy/*.sh; do
    [ ! -e "$script" ] || check "bash -n $script" bash bash -n "$script"
done
check "shellcheck" shellcheck shellcheck "${shell_scripts[@]}"
check "tests/style/style.py" python3 python3 tests/style/style.py "$root"
check "tests/style/docs.py" python3 python3 tests/style/docs.py "$root"
check "tests/style/deploy.py" python3 python3 tests/style/deploy.py "$root"
check "clang-format" clang-format scripts/format.sh --check
[ "$tidy" = no ] || check "clang-tidy" clang-tidy tidy_all

for name in ${left_out[@]+"${left_out[@]}"}; do
    echo "left out: $name; scripts/install-dependencies.sh --lint installs it"
    [ -z "${WEIR_TEST_LEFT_OUT:-}" ] || echo "$name's checks of style: scripts/install-dependencies.sh --lint installs it" >>"$WEIR_TEST_LEFT_OUT"
done
[ "$failed" = no ]
