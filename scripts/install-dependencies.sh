#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that Weir needs and that are missing. This is the one place where they are listed.
set -euo pipefail

build_packages=(
    g++ cmake ninja-build ccache pkg-config
    libsoci-dev libboost-dev libboost-filesystem-dev libboost-system-dev
    nlohmann-json3-dev libspdlog-dev libfmt-dev libcli11-dev libvalijson-dev libsqlite3-dev libjemalloc-dev prometheus-cpp-dev
    libhiredis-dev libpq-dev libssl-dev
    sqlite3 ca-certificates
)
# With the tests come servers, which the tests start themselves on ports of their own (Debian's, which may start at installation, are left alone),
# the documentation's tools, a compiler for another machine, whose files must be refused,
# and clang with its fuzzer.
test_packages=(
    redis-server postgresql openssl
    catch2 jq doxygen abigail-tools man-db python3 make
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    clang libclang-rt-14-dev
)
# The Python consumer and the Python web service that scripts/bench.sh compares with.
bench_packages=(
    python3-redis python3-sqlalchemy python3-psycopg2
    python3-fastapi python3-uvicorn python3-uvloop python3-httptools python3-hiredis python3-asyncpg
)
# What the page is tried with in a browser. Node and npm only where no others are installed: Debian's conflict with some of these.
browser_packages=(chromium)
command -v node >/dev/null || browser_packages+=(nodejs)
command -v npm >/dev/null || browser_packages+=(npm)
# Style checks that are used where they are there; of prometheus its promtool, which looks at metrics.
lint_packages=(shellcheck clang-format clang-tidy prometheus)

usage() {
    cat <<'EOF'
Usage: scripts/install-dependencies.sh [--build | --test | --bench | --browser | --lint] [--list]

Installs what is missing, as root or through sudo. Where nothing is missing, apt is not asked and no network is needed.

  --build   what building and the demo need
  --test    that, and what the tests need (the default)
  --bench   that, and what scripts/bench.sh compares with
  --browser what scripts/browser.sh tries the page with
  --lint    what --test installs, and what all style checks need
  --list    print the packages, one a line, and install nothing
EOF
}

packages=("${build_packages[@]}" "${test_packages[@]}")
list=no
for argument in "$@"; do
    case $argument in
        --build) packages=("${build_packages[@]}") ;;
        --test) packages=("${build_packages[@]}" "${test_packages[@]}") ;;
        --bench) packages=("${build_packages[@]}" "${test_packages[@]}" "${bench_packages[@]}") ;;
        --browser) packages=("${browser_packages[@]}") ;;
        --lint) packages=("${build_packages[@]}" "${test_packages[@]}" "${lint_packages[@]}") ;;
        --list) list=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "install-dependencies.sh: unknown argument $argument" >&2
            usage >&2
            exit 2
            ;;
    esac
done

if [ "$list" = yes ]; then
    printf '%s\n' "${packages[@]}"
    exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "install-dependencies.sh: there is no apt-get here; Weir is built with the packages of Debian 12: ${packages[*]}" >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
# The cross compiler exists for the machine that it runs on; the tests do without it.
if [ "$(dpkg --print-architecture)" = arm64 ]; then
    kept=()
    for package in ${missing[@]+"${missing[@]}"}; do
        case $package in
            gcc-aarch64-linux-gnu | libc6-dev-arm64-cross) ;;
            *) kept+=("$package") ;;
        esac
    done
    missing=(${kept[@]+"${kept[@]}"})
fi
if [ ${#missing[@]} -eq 0 ]; then
    echo "All ${#packages[@]} packages are installed."
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install-dependencies.sh: run it as root, or install sudo; missing: ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "Installing ${missing[*]}"
${as_root[@]+"${as_root[@]}"} apt-get update --quiet
${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "${missing[@]}"
