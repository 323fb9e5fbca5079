#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Votes over HTTP, each under its own key and repeated until it is taken, while the host is killed: scripts/votes.sh [--votes N] [--kills N]
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release

usage() {
    cat <<'USAGE'
Usage: scripts/votes.sh [--votes N] [--kills N] [--no-build [DIRECTORY]]

Once on the embedded broker and SQLite, once on a Redis and a PostgreSQL started here: results equal the number of distinct keys.

  --votes N      how many votes (default: 100000)
  --kills N      how often the host is killed and started again (default: 20)
  --no-build     use what is built already, in build/release or in DIRECTORY
USAGE
}

refuse() {
    echo "votes.sh: $*" >&2
    usage >&2
    exit 2
}

votes=100000
kills=20
build_first=yes
while [ $# -gt 0 ]; do
    case $1 in
        --votes | --kills)
            [[ ${2:-} =~ ^[0-9]{1,7}$ ]] || refuse "$1 needs a whole number of up to seven digits"
            case $1 in
                --votes) votes=$2 ;;
                --kills) kills=$2 ;;
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
export WEIR_TEST_SOURCE_DIR=$root WEIR_TEST_BUILD_DIR=$build WEIR_TEST_HTTP_VOTES=$votes WEIR_TEST_HTTP_KILLS=$kills
exec "$build/tests/test_e2e_votes_http" 'votes that are each repeated*'
