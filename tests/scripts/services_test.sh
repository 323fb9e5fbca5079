#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# services_test.sh ROOT: ends with 1 where scripts/services.sh does otherwise than its --help says.
set -euo pipefail
services=$1/scripts/services.sh
work=$(mktemp -d)
chmod 711 "$work" # root's PostgreSQL runs as another user, who has to get in
one=$work/one
two=$work/two
cleanup() {
    "$services" down --directory "$one" --remove || true
    "$services" down --directory "$two" --remove || true
    rm -rf "$work"
}
trap cleanup EXIT
fail() {
    echo "services_test.sh: $*" >&2
    exit 1
}
# expect WANTED GOT WHAT
expect() { [ "$1" = "$2" ] || fail "$3: $2 instead of $1"; }
redis() { redis-cli --no-auth-warning -u "$WEIR_BROKER_URL" "$@"; }
postgres() { psql --no-psqlrc --tuples-only --no-align "$WEIR_STORE_URL" --command "$1"; }
status_of() {
    local status=0
    "$@" >/dev/null 2>&1 || status=$?
    echo "$status"
}

expect 3 "$(status_of "$services" status --directory "$one")" "the status before the first start"
first=$("$services" up --directory "$one")
expect 2 "$(wc -l <<<"$first")" "lines that up prints"
eval "$first"
expect PONG "$(redis ping)" "Redis"
expect yes "$(redis config get appendonly | tail -n 1)" "appendonly"
expect OK "$(redis set key value)" "a write to Redis"
expect weir "$(postgres 'CREATE TABLE kept AS SELECT 7 AS n; SELECT current_user' | tail -n 1)" "the role"
expect 0 "$(status_of "$services" status --directory "$one")" "the status"
expect 1 "$(status_of psql "${WEIR_STORE_URL/weir:/weir:wrong}" --command 'SELECT 1' | sed 's/[^0]/1/')" "a wrong password"
pid=$(cat "$one/redis/redis.pid")
expect "$first" "$("$services" up --directory "$one")" "a second up"
expect "$pid" "$(cat "$one/redis/redis.pid")" "Redis' process after a second up"

# Another directory: another pair, beside the first.
eval "$("$services" up --directory "$two")"
expect "" "$(redis get key)" "the other pair's Redis"
expect 1 "$(status_of "$services" up --directory "$two" --redis-port 1)" "another port for a Redis that runs"
"$services" down --directory "$two" --remove
[ ! -e "$two" ] || fail "down --remove leaves $two"
eval "$first"
expect value "$(redis get key)" "the first pair's Redis"

# What has been killed is started again by up; data and urls stay.
kill -9 "$pid"
expect 3 "$(status_of "$services" status --directory "$one")" "the status after a kill"
expect "$first" "$("$services" up --directory "$one")" "up after a kill"
"$services" down --directory "$one"
expect 3 "$(status_of "$services" status --directory "$one")" "the status after down"
expect 2 "$(status_of redis ping | sed 's/[^0]/2/')" "Redis after down"
expect "$first" "$("$services" up --directory "$one")" "up after down"
expect 7 "$(postgres 'SELECT n FROM kept')" "the table after down and up"
expect value "$(redis get key)" "the key after down and up"
