#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the reference of the SDK's public API as HTML: scripts/api-docs.sh [DIRECTORY]. Any warning is an error.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
output=${1:-"$root/build/api-docs"}
command -v doxygen >/dev/null || { echo "api-docs.sh: doxygen is not installed: apt-get install doxygen" >&2; exit 1; }
mkdir -p "$output"
sed -e "s|@OUTPUT@|$output|g" -e "s|@SDK@|$root/sdk|g" "$root/sdk/Doxyfile.in" | doxygen -
echo "$output/html/index.html"
