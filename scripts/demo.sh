#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds Weir and shows it at work: a host with one plugin, 3,000 messages, a second plugin dropped in while it runs, a third one with a page to
# vote on, and what came of all that beside what should have come of it. Ends with 0 where the two are the same.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release
topic=identity.user.v1
sample=$root/tests/samples/identity.user.v1.jsonl
expected=$root/tests/samples/identity.expected.json
limit_s=60

usage() {
    cat <<'EOF'
Usage: scripts/demo.sh [--no-build [DIRECTORY]] [--keep] [--stay]

  --no-build   use what is built already, in build/release or in DIRECTORY
  --keep       leave the demo's directory in place, and say where it is
  --stay       go on serving the voting page until Enter or ^C
EOF
}

build_first=yes
keep=no
stay=no
while [ $# -gt 0 ]; do
    case $1 in
        --no-build)
            build_first=no
            if [ -n "${2:-}" ] && [ "${2#-}" = "$2" ]; then
                build=$(cd -- "$2" && pwd)
                shift
            fi
            ;;
        --keep) keep=yes ;;
        --stay) stay=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "demo.sh: unknown argument $1" >&2
            usage >&2
            exit 2
            ;;
    esac
    shift
done

say() { printf '\n== %s\n' "$*"; }
fail() {
    printf 'demo.sh: %s\n' "$*" >&2
    if [ -n "${work:-}" ] && [ -s "$work/host.log" ]; then
        printf 'The last lines of the host'\''s log:\n' >&2
        tail -n 20 "$work/host.log" >&2
    fi
    exit 1
}

if [ "$build_first" = yes ]; then
    say "Building (build/release)"
    "$root/scripts/build.sh" --no-tests release weir linting spellcheck projection votes
fi
weir=$build/bin/weir
[ -x "$weir" ] || fail "there is no $weir: run scripts/demo.sh without --no-build"

# Settings of the caller's environment would change what is shown.
for variable in $(compgen -e | grep '^WEIR_' || true); do
    unset "$variable"
done
umask 022
work=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo.XXXXXX")
host=
cleanup() {
    if [ -n "$host" ] && kill -0 "$host" 2>/dev/null; then
        kill -TERM "$host" || true
        wait "$host" || true
    fi
    if [ "$keep" = yes ]; then
        echo "The demo's directory is kept: $work"
    else
        rm -rf -- "$work"
    fi
}
trap cleanup EXIT
mkdir -p "$work/plugins" "$work/data"
export WEIR_DATA_DIRECTORY=$work/data WEIR_PLUGINS_DIRECTORY=$work/plugins WEIR_HTTP_LISTEN=127.0.0.1:0
config=$root/configs/embedded.json
store=$work/data/store

now_ms() { echo $(($(date +%s%N) / 1000000)); }
# until_true WHAT COMMAND...: asks again and again, for as long as the host lives and limit_s hasn't passed.
until_true() {
    local what=$1 deadline
    shift
    deadline=$(($(now_ms) + limit_s * 1000))
    until "$@"; do
        kill -0 "$host" 2>/dev/null || fail "the host has ended while the demo waited until $what"
        [ "$(now_ms)" -lt "$deadline" ] || fail "waited $limit_s s in vain until $what"
        sleep 0.02
    done
}
ask() { sqlite3 -readonly -cmd '.timeout 2000' "$store/$1.db" "$2" 2>/dev/null; }
log_has() { grep -q "\"event\":\"$1\".*\"domain\":\"$2\"" "$work/host.log" 2>/dev/null; }
has_rows() { [ "$(ask "$1" 'select count(*) > 0 from identity_projection' || true)" = 1 ]; }
# Nothing left for a group: no backlog, nothing pending.
is_done() {
    "$weir" topics -c "$config" --json >"$work/topics.json" 2>/dev/null || return 1
    [ "$(sqlite3 :memory: "select count(*) from json_each(readfile('$work/topics.json')) t, json_each(t.value, '\$.groups') g
        where t.value ->> 'topic' = '$topic' and g.value ->> 'group' = '$1' and g.value ->> 'lag' = 0 and g.value ->> 'pending' = 0")" = 1 ]
}

say "Starting the host with one plugin, linting"
cp "$build/plugins/linting.so" "$work/plugins/linting.so"
"$weir" run -c "$config" --json >"$work/counts.json" 2>"$work/host.log" &
host=$!
until_true "linting is ready" log_has domain.ready linting
echo "linting is ready (process $host)"

say "Publishing the sample, broken lines included"
"$weir" publish -c "$config" --topic "$topic" --raw "$sample"
until_true "linting has taken everything" is_done lint_group
echo "linting has taken everything"

say "Dropping spellcheck.so into the plugin directory of the running host"
cp "$build/plugins/spellcheck.so" "$work/plugins/.spellcheck.so.half"
dropped=$(now_ms)
mv "$work/plugins/.spellcheck.so.half" "$work/plugins/spellcheck.so"
until_true "spell_checking has its first rows" has_rows spell_checking
echo "first rows in spell_checking.identity_projection after $(($(now_ms) - dropped)) ms"
until_true "spellcheck has taken everything" is_done spellcheck_group
echo "spellcheck has read the topic from its beginning after $(($(now_ms) - dropped)) ms"

say "Dropping votes.so, which has a page to vote on"
cp "$build/plugins/votes.so" "$work/plugins/.votes.so.half"
mv "$work/plugins/.votes.so.half" "$work/plugins/votes.so"
port=$(sed -n 's/.*"event":"http.listening".*"address":"[^"]*:\([0-9]*\)".*/\1/p' "$work/host.log" | head -n 1)
[ -n "$port" ] || fail "the host says nowhere on which port it listens"
# http METHOD PATH [BODY [KEY]]: the body of the answer; fails where the status is not 2xx.
http() {
    local answer
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf '%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s' \
        "$1" "$2" "${#3}" "${4:+Idempotency-Key: $4$'\r\n'}" "$3" >&3
    answer=$(tr -d '\r' <&3)
    exec 3<&- 3>&-
    case ${answer%%$'\n'*} in
        'HTTP/1.1 2'*) printf '%s\n' "${answer#*$'\n\n'}" ;;
        *) return 1 ;;
    esac
}
serves_results() { http GET /api/results "" >"$work/results.json" 2>/dev/null; }
has_votes() { serves_results && [ "$(sqlite3 :memory: "select readfile('$work/results.json') ->> '\$.total'")" = "$1" ]; }
until_true "votes serves its results" serves_results
echo "the page: http://127.0.0.1:$port/$([ "$stay" = yes ] || echo ' (for as long as this runs; --stay leaves it up to vote on)')"
for number in 1 2 3 4 5 6 7; do
    option=cats
    [ $((number % 3)) -ne 0 ] || option=dogs
    for repetition in 1 2 3; do # three times under one key: counted once
        http POST /api/vote "{\"vote\":\"$option\"}" "demo-$number" >/dev/null || fail "vote $number was not taken (repetition $repetition)"
    done
done
until_true "seven votes are counted" has_votes 7
echo "seven votes, each sent three times under its key: $(cat "$work/results.json")"
votes=$(cat "$work/results.json")
if [ "$stay" = yes ]; then
    echo "Vote on http://127.0.0.1:$port/ until you press Enter"
    read -r _ || true
fi

say "Stopping the host"
kill -TERM "$host"
status=0
wait "$host" || status=$?
host=
[ "$status" -eq 0 ] || fail "the host ended with $status"

say "What came of it, beside what should have"
different=no
expect() { sqlite3 :memory: "select json_extract(readfile('$expected'), '\$.$1')"; }
counted() { sqlite3 :memory: "select d.value ->> '\$.counts.$2' from json_each(readfile('$work/counts.json'), '\$.domains') d where d.value ->> 'domain' = '$1'"; }
line() { # WHAT LINTING SPELLCHECK EXPECTED
    local verdict=OK
    if [ "$2" != "$4" ] || [ "$3" != "$4" ]; then
        verdict=DIFFERENT
        different=yes
    fi
    printf '%-24s %10s %11s %10s  %s\n' "$1" "$2" "$3" "$4" "$verdict"
}
columns="tenant_id, user_id, email, display_name, status, updated_at"
# Rows that only one side has, counted on both.
rows_apart() {
    ask "$1" "with want as (select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
                from json_each(readfile('$expected'), '\$.identity_projection')),
            have as (select $columns from identity_projection)
        select (select count(*) from (select * from want except select * from have))
             + (select count(*) from (select * from have except select * from want))"
}

printf '%-24s %10s %11s %10s\n' "" linting spellcheck expected
for name in messages applied duplicates stale ignored dead_letters; do
    line "$name" "$(counted linting $name)" "$(counted spellcheck $name)" "$(expect $name)"
done
rows=$(sqlite3 :memory: "select json_array_length(readfile('$expected'), '\$.identity_projection')")
line "rows of the projection" "$(ask linting 'select count(*) from identity_projection')" \
    "$(ask spell_checking 'select count(*) from identity_projection')" "$rows"
line "rows that differ" "$(rows_apart linting)" "$(rows_apart spell_checking)" 0
line "rows of preferences" "$(ask linting 'select count(*) from user_prefs')" \
    "$(ask spell_checking 'select count(*) from user_dictionary_prefs')" "$(expect user_prefs)"
line "dead letters kept" "$(ask linting 'select count(*) from dead_letter_queue')" \
    "$(ask spell_checking 'select count(*) from dead_letter_queue')" "$(expect dead_letters)"
for option in cats:5 dogs:2; do
    has=$(sqlite3 :memory: "select '$votes' ->> '\$.counts.${option%:*}'")
    verdict=OK
    if [ "$has" != "${option#*:}" ]; then
        verdict=DIFFERENT
        different=yes
    fi
    printf '%-24s %10s %11s %10s  %s\n' "votes for ${option%:*}" "" "$has" "${option#*:}" "$verdict"
done

echo
if [ "$different" = yes ]; then
    keep=yes
    echo "DIFFERENT: see above"
    exit 1
fi
echo "OK: all as expected"
