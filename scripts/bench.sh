#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures Weir on its embedded default: scripts/bench.sh [--events N] [--rounds N]. docs/benchmarks.md says how and why.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
events=200000
rounds=5
while [ $# -gt 0 ]; do
    case $1 in
        --events) events=$2; shift 2 ;;
        --rounds) rounds=$2; shift 2 ;;
        -h | --help) echo "Usage: scripts/bench.sh [--events N] [--rounds N]"; exit 0 ;;
        *) echo "bench.sh: unknown argument $1; see --help" >&2; exit 2 ;;
    esac
done

for variable in $(compgen -e | grep '^WEIR_' || true); do unset "$variable"; done
"$root/scripts/build.sh" release weir plugins/all bench_abi_crossing >&2
weir=$root/build/release/bin/weir
work=$(mktemp -d)
host=
cleanup() {
    [ -z "$host" ] || kill "$host" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

# What a line of the log says under a name.
field() { sed -n "s/.*\"event\":\"$2\".*\"$3\":\([0-9.]*\).*/\1/p" "$1" | tail -n 1; }
median() { sort -n | awk '{v[NR]=$1} END {print (NR % 2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }

configure() { # NAME PLUGIN...
    local name=$1 plugin
    shift
    mkdir -m 755 "$work/$name"
    mkdir -m 755 "$work/$name/plugins"
    for plugin in "$@"; do install -m 644 "$root/build/release/plugins/$plugin.so" "$work/$name/plugins/"; done
    cat >"$work/$name/host.json" <<EOF
{"data_directory": "data", "broker": {"url": "embedded://"}, "store": {"url": "sqlite://"}, "plugins": {"directory": "plugins"}, "log": {"format": "json"}}
EOF
}

# Serves everything that was published, $rounds times from the same start; prints "events/s CPU-µs/event peak-KiB" a round.
serve_rounds() { # NAME DOMAINS
    local name=$1 domains=$2 round elapsed cpu peak
    for ((round = 0; round < rounds; round++)); do
        rm -rf "$work/$name/data"
        mkdir -m 755 "$work/$name/data"
        cp "$work/template/data/broker.db" "$work/$name/data/"
        sync
        "$weir" run -c "$work/$name/host.json" --until-drained --drain-timeout 600 --json >"$work/counts.json" 2>"$work/log"
        grep -q "\"messages\":$events," "$work/counts.json" || { echo "bench.sh: not every event was served: $(cat "$work/counts.json")" >&2; exit 1; }
        elapsed=$(field "$work/log" host.stopped elapsed_ms)
        cpu=$(field "$work/log" host.stopped cpu_ms)
        peak=$(field "$work/log" host.stopped peak_resident_kib)
        awk -v n="$events" -v d="$domains" -v e="$elapsed" -v c="$cpu" -v p="$peak" 'BEGIN {printf "%.0f %.1f %d\n", n*d*1000/e, c*1000/(n*d), p}'
    done
}

echo "machine: $(nproc) processors, $(awk '/MemTotal/ {printf "%.0f GiB", $2/1048576}' /proc/meminfo), load $(cut -d' ' -f1 /proc/loadavg) at the start"
echo "events: $events of identity.user.v1 over $((events / 10)) users, $rounds rounds; every commit and publish waits for the disk (synchronous=full)"

configure template
"$weir" generate identity --count "$events" --seed 7 >"$work/events.jsonl"
began=$(date +%s%N)
"$weir" publish -c "$work/template/host.json" --topic identity.user.v1 --raw "$work/events.jsonl" >/dev/null
published=$(( ($(date +%s%N) - began) / 1000000 ))
echo "publish (weir publish --raw, one process): $(awk -v n="$events" -v e="$published" 'BEGIN {printf "%.0f", n*1000/e}') events/s"
sqlite3 "$work/template/data/broker.db" 'pragma wal_checkpoint(truncate)' >/dev/null

report() { # TITLE FILE
    printf '%s: median %s events/s (rounds: %s), %s µs processor time an event, peak resident %s MiB\n' "$1" "$(cut -d' ' -f1 "$2" | median)" \
        "$(cut -d' ' -f1 "$2" | tr '\n' ' ' | sed 's/ $//')" "$(cut -d' ' -f2 "$2" | median)" "$(cut -d' ' -f3 "$2" | median | awk '{printf "%.1f", $1/1024}')"
}
configure one linting
serve_rounds one 1 >"$work/one.txt"
report "one domain (linting)" "$work/one.txt"
configure two linting spellcheck
serve_rounds two 2 >"$work/two.txt"
report "two domains (linting, spell-check), both together" "$work/two.txt"

# Three domains at rest: start to ready, and memory.
configure three linting spellcheck projection
mkdir -m 755 "$work/three/domains"
echo '{"service": {"domain": "accounts"}, "consumer_group": "accounts_group", "topics": ["identity.user.v1"]}' >"$work/three/domains/accounts.json"
sed -i 's/^{/{"domains_directory": "domains", /' "$work/three/host.json"
for ((round = 0; round < rounds; round++)); do
    "$weir" run -c "$work/three/host.json" >/dev/null 2>"$work/log" &
    host=$!
    for ((i = 0; i < 500; i++)); do
        grep -q '"event":"host.ready"' "$work/log" && break
        kill -0 $host 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.02
    done
    field "$work/log" host.ready start_to_ready_ms >>"$work/ready.txt"
    awk '/VmRSS/ {print $2}' /proc/$host/status >>"$work/rss.txt"
    kill -TERM $host
    wait $host
    host=
done
echo "three domains at rest: start to ready median $(median <"$work/ready.txt") ms, resident median $(median <"$work/rss.txt" | awk '{printf "%.1f", $1/1024}') MiB"

"$root/build/release/bin/bench_abi_crossing" | sed 's/.*"handler_call_ns":\([0-9.]*\),"accessor_ns":\([0-9.]*\),"text_accessor_ns":\([0-9.]*\),"change_ns":\([0-9.]*\).*/ABI crossing: \2 ns an accessor, \3 ns reading a text by JSON pointer, \1 ns a whole handler call, \4 ns stating a change (copied and checked)/'
