#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds and runs the tests: scripts/test.sh [--keep-going] [style | release | dev | tsan | fuzz]...
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
    cat <<'EOF'
Usage: scripts/test.sh [--keep-going] [STEP...]

Without a step, all of them run, in this order; while the tests of one run, the next is built:
  style     scripts/lint.sh: what can be said without building
  release   all tests, built as users get them; where dev follows, those that start what was built (ctest's label "outside").
            The voting page in Chromium, where that and npm's playwright-core can be had
  dev       all tests under AddressSanitizer and UndefinedBehaviorSanitizer, warnings being errors; behind release the programs
            of the tests that start what was built are release's, and look at what dev built
  tsan      the tests of the engine and of the HTTP server under ThreadSanitizer
  fuzz      scripts/fuzz.sh: requests and messages made up by libFuzzer for half a minute, where clang is there

The summary ends with what could not be tested on this machine, such as the page where there is no browser; that is no failure.

  --keep-going   go on after a step that failed; the exit status tells of it all the same

Variables:
  WEIR_TEST_JOBS       how many compilers and how many tests run at once (default: one a processor; fewer compilers where memory is short)
  WEIR_TEST_SELECTION  further arguments for ctest, such as "-R store"
EOF
}

keep_going=no
steps=()
for argument in "$@"; do
    case $argument in
        --keep-going) keep_going=yes ;;
        style | release | dev | tsan | fuzz) steps+=("$argument") ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "test.sh: unknown argument $argument" >&2
            usage >&2
            exit 2
            ;;
    esac
done
[ ${#steps[@]} -gt 0 ] || steps=(style release dev tsan fuzz)

# Settings of the caller's environment are no business of the tests'.
for variable in $(compgen -e | grep '^WEIR_' | grep -v '^WEIR_TEST_' || true); do
    unset "$variable"
done
umask 022
cd "$root"
WEIR_TEST_LEFT_OUT=$(mktemp)
export WEIR_TEST_LEFT_OUT # whatever leaves something out says so there
ahead=
ahead_of=
end() {
    rm -f "$WEIR_TEST_LEFT_OUT"
    [ -z "$ahead" ] || kill -- "-$ahead" 2>/dev/null || true
}
trap end EXIT

run_ctest() { # PRESET [ARGUMENT...]
    local preset=$1
    shift
    # shellcheck disable=SC2086 # the selection is several words
    ctest --preset "$preset" --parallel "${WEIR_TEST_JOBS:-$(nproc)}" "$@" ${WEIR_TEST_SELECTION:-}
}

# Whether release's programs look at dev's host as well, and dev runs what release then leaves out.
shares_tests() {
    [ -z "${WEIR_TEST_SELECTION:-}" ] || return 1
    case " ${steps[*]} " in *" release "*"dev "*) return 0 ;; esac
    return 1
}

# What each step builds, and then does.
build_style() { :; }
build_release() {
    local targets=()
    ! shares_tests || targets=(outside_tests)
    scripts/build.sh release "${targets[@]}"
    # Where it can't be had, ctest says that the test of the page is skipped.
    timeout --kill-after=10 300 scripts/browser.sh --prepare </dev/null || echo "test.sh: no browser; the page is not tried in one" >&2
}
build_dev() {
    local outside=
    ! shares_tests || outside=$root/build/release/tests
    WEIR_TEST_OUTSIDE=$outside scripts/build.sh dev
}
# Only what the preset's filter picks is built: the programs test_NAME of its tests.
build_tsan() {
    local targets
    scripts/install-dependencies.sh --test
    cmake --preset tsan -DWEIR_BUILD_TESTS=ON
    mapfile -t targets < <(ctest --preset tsan --show-only | sed -n 's/^ *Test *#[0-9]*: \([A-Za-z0-9_-]*\).*/test_\1/p')
    if [ ${#targets[@]} -eq 0 ]; then
        echo "test.sh: no test has a label that the preset tsan names" >&2
        return 1
    fi
    scripts/build.sh tsan "${targets[@]}"
}
build_fuzz() { :; }

step_style() { scripts/lint.sh; }
step_release() {
    if shares_tests; then
        run_ctest release --label-regex '^outside$'
    else
        run_ctest release
    fi
}
step_dev() {
    if shares_tests; then
        run_ctest dev --label-exclude '^once$' # what tells nothing new there
    else
        run_ctest dev
    fi
}
step_tsan() { run_ctest tsan; }
step_fuzz() { scripts/fuzz.sh --seconds 30; }

# Tests wait much of their time: the next step is built meanwhile, with what they leave of the processors; as a group of its own, to be ended
# as one where this ends before.
build_ahead() {
    ahead_of=$1
    mkdir -p build
    set -m
    (
        set -e
        renice -n 19 "$BASHPID" >/dev/null
        "build_$1"
    ) >"build/ahead-$1.log" 2>&1 </dev/null &
    ahead=$!
    set +m
}

summary=()
failed=no
for index in "${!steps[@]}"; do
    step=${steps[$index]}
    printf '\n==== %s\n' "$step"
    began=$SECONDS
    # In a shell of its own: `set -e` does not reach into what stands in a condition.
    set +e
    if [ "$ahead_of" = "$step" ]; then
        wait "$ahead"
        status=$?
        ahead=
        cat "build/ahead-$step.log"
    else
        (
            set -e
            "build_$step"
        )
        status=$?
    fi
    if [ $status -eq 0 ]; then
        next=${steps[$((index + 1))]:-}
        case $step,$next in
            release,dev | release,tsan | dev,tsan | dev,release | tsan,dev | tsan,release) build_ahead "$next" ;;
        esac
        (
            set -e
            "step_$step"
        )
        status=$?
    fi
    set -e
    took=$((SECONDS - began))
    if [ $status -eq 0 ]; then
        summary+=("$(printf '%-8s ok      %4d s' "$step" "$took")")
    else
        summary+=("$(printf '%-8s FAILED  %4d s' "$step" "$took")")
        failed=yes
        [ "$keep_going" = yes ] || break
    fi
done

printf '\n==== Summary\n'
printf '%s\n' "${summary[@]}"
if [ -s "$WEIR_TEST_LEFT_OUT" ]; then
    printf '\nNot tested here:\n'
    sort -u "$WEIR_TEST_LEFT_OUT" | sed 's/^/  /'
fi
if [ "$failed" = yes ]; then
    [ ${#summary[@]} -eq ${#steps[@]} ] || echo "The steps after it did not run; --keep-going runs them."
    exit 1
fi
