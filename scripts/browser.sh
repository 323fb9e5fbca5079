#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tries the voting page in Chromium: installs what is missing, builds, and runs tests/browser.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
modules=$root/build/browser

usage() {
    cat <<'USAGE'
Usage: scripts/browser.sh [--prepare]

Installs Debian's chromium, Node and npm where they are missing, fetches playwright-core by npm into build/browser, builds the release preset's host and runs
the test of the page. Nothing else of Weir needs any of these.

  --prepare   only install and fetch; ctest's test "browser" runs from then on
USAGE
}

prepare_only=no
case ${1:-} in
    '') ;;
    --prepare) prepare_only=yes ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "browser.sh: unknown argument $1" >&2
        usage >&2
        exit 2
        ;;
esac

"$root/scripts/install-dependencies.sh" --browser
mkdir -p "$modules"
if ! cmp --silent "$root/tests/browser/package-lock.json" "$modules/package-lock.json" || [ ! -d "$modules/node_modules/playwright-core" ]; then
    # What was fetched by halves doesn't look like the whole: the lock file comes last.
    rm -rf "$modules/node_modules" "$modules/package-lock.json" "$modules/fetch"
    mkdir "$modules/fetch"
    cp "$root/tests/browser/package.json" "$root/tests/browser/package-lock.json" "$modules/fetch/"
    (cd "$modules/fetch" && timeout --kill-after=10 120 npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000) || {
        echo "browser.sh: npm could not fetch playwright-core" >&2
        exit 1
    }
    mv "$modules/fetch/node_modules" "$modules/node_modules"
    mv "$modules/fetch/package-lock.json" "$modules/package-lock.json"
    rm -rf "$modules/fetch"
fi
[ "$prepare_only" = no ] || exit 0
"$root/scripts/build.sh" release weir votes
exec "$root/tests/browser/run.sh" "$root/build/release" "$modules"
