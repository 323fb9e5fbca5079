#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kills, cuts, freezes and restarts everything under load, and compares with a model; then measures what faults cost others:
# scripts/chaos.sh [--seed N] [--events N] [--kills N] [--minutes M] [--no-cost]
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release

usage() {
    cat <<'USAGE'
Usage: scripts/chaos.sh [--seed N] [--events N] [--kills N] [--minutes M] [--no-cost] [--no-build [DIRECTORY]]

Two hosts on one group, Redis (appendfsync always) and PostgreSQL of their own, started here. tests/chaos/README.md says what is done to them.

  --seed N       repeats the events and the harm of another run, as far as timing allows (default: from the clock; it is printed)
  --events N     how many events at least (default: 200000)
  --kills N      how often a host is killed at least (default: 110)
  --minutes M    goes on for at least so long (default: 0)
  --no-cost      leave out what follows: how much slower other keys and domains are while handlers fail or take 30 s, and beside poison
  --no-build     use what is built already, in build/release or in DIRECTORY
USAGE
}

refuse() {
    echo "chaos.sh: $*" >&2
    usage >&2
    exit 2
}

events=200000
kills=110
minutes=0
seed=''
cost=yes
build_first=yes
while [ $# -gt 0 ]; do
    case $1 in
        --seed | --events | --kills | --minutes)
            [[ ${2:-} =~ ^[0-9]+$ ]] || refuse "$1 needs a whole number"
            case $1 in
                --seed) seed=$2 ;;
                --events) events=$2 ;;
                --kills) kills=$2 ;;
                --minutes) minutes=$2 ;;
            esac
            shift
            ;;
        --no-cost) cost=no ;;
        --no-build)
            build_first=no
            if [ -n "${2:-}" ] && [ "${2#-}" = "$2" ]; then
                build=$(cd -- "$2" && pwd)
                shift
            fi
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) refuse "unknown argument $1" ;;
    esac
    shift
done

[ "$build_first" = no ] || "$root/scripts/build.sh" release weir linting chaos_plugin chaos_unique_plugin test_chaos test_chaos_hold_up
for program in test_chaos test_chaos_hold_up; do
    [ -x "$build/tests/$program" ] || {
        echo "chaos.sh: $build holds no $program; leave out --no-build" >&2
        exit 1
    }
done
# Settings of the caller's environment are no business of the hosts'.
for variable in $(compgen -e | grep '^WEIR_' || true); do
    unset "$variable"
done
[ -z "$seed" ] || export WEIR_TEST_SEED=$seed
export WEIR_TEST_SOURCE_DIR=$root WEIR_TEST_BUILD_DIR=$build
export WEIR_TEST_CHAOS_EVENTS=$events WEIR_TEST_CHAOS_KILLS=$kills WEIR_TEST_CHAOS_MINUTES=$minutes
"$build/tests/test_chaos" 'Whatever is killed*'
[ "$cost" = no ] || "$build/tests/test_chaos_hold_up" 'What faults cost*'
