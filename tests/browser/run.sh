#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The voting page in Chromium: run.sh BUILD_DIRECTORY MODULES_DIRECTORY. Ends with 77, and says what is missing, where it can't be run.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
skip() {
    echo "skipped: $1; scripts/browser.sh installs it"
    [ -z "${WEIR_TEST_LEFT_OUT:-}" ] || echo "the voting page in a browser: $1; scripts/browser.sh installs it" >>"$WEIR_TEST_LEFT_OUT"
    exit 77
}
command -v node >/dev/null || skip "there is no node"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || skip "node is older than 18"
chromium=$(command -v chromium || command -v chromium-browser || true)
[ -n "$chromium" ] || skip "there is no chromium"
[ -d "$2/node_modules/playwright-core" ] || skip "there is no playwright-core in $2"
timeout 60 "$chromium" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --dump-dom about:blank >/dev/null 2>&1 ||
    skip "chromium does not start here"
export WEIR_TEST_BUILD_DIR=$1 WEIR_TEST_BROWSER_MODULES=$2 WEIR_TEST_CHROMIUM=$chromium
exec node "$here/page_test.mjs"
