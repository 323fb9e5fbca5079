#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Votes over HTTP, each under its own key and repeated until it is taken, while hosts are killed: scripts/votes.sh [--votes N] [--kills N] [--hosts N]
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release

usage() {
    cat <<'USAGE'
Usage: scripts/votes.sh [--votes N] [--kills N] [--hosts N] [--no-build [DIRECTORY]]

Once with one host on the embedded broker and SQLite, once with several hosts of one group on a Redis and a PostgreSQL started here: clients take each
vote to whichever host answers, until one has taken it, and results equal the number of distinct keys. WEIR_TEST_SEED repeats the same moments.

  --votes N      how many votes (default: 100000)
  --kills N      how often a host, or all of them, are killed with -9 and started again (default: 40)
  --hosts N      how many hosts on Redis and PostgreSQL (default: 3)
  --no-build     use what is built already, in build/release or in DIRECTORY
USAGE
}

refuse() {
    echo "votes.sh: $*" >&2
    usage >&2
    exit 2
}

votes=100000
kills=40
hosts=3
build_first=yes
while [ $# -gt 0 ]; do
    case $1 in
        --votes | --kills | --hosts)
            [[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]] || refuse "$1 needs a whole number from 1 to 999999"
            case $1 in
                --votes) votes=$2 ;;
                --kills) kills=$2 ;;
                --hosts) hosts=$2 ;;
            esac
            shift
            ;;
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

if [ "$build_first" = yes ]; then
    "$root/scripts/build.sh" release weir votes test_e2e_votes_http
fi
export WEIR_TEST_SOURCE_DIR=$root WEIR_TEST_BUILD_DIR=$build WEIR_TEST_HTTP_VOTES=$votes WEIR_TEST_HTTP_KILLS=$kills WEIR_TEST_HTTP_HOSTS=$hosts
exec "$build/tests/test_e2e_votes_http" 'votes that are each repeated*' --durations yes
