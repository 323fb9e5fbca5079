#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Redis and a PostgreSQL to try Weir with: scripts/services.sh up|down|status [--directory DIR] [--redis-port N] [--postgres-port N] [--remove]
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
    cat <<'EOF'
Usage: scripts/services.sh up|down|status [OPTION...]

  up       starts a Redis (appendonly yes) and a PostgreSQL with a role and a database "weir", and prints the two lines that point Weir to them:
             eval "$(scripts/services.sh up)"
           What runs already is left alone, and the lines are printed again.
  down     stops them and keeps their data
  status   says what runs; ends with 3 where one of them doesn't

  --directory DIR      where data, logs and the password are kept (default: build/services); two directories are two independent pairs
  --redis-port N       default: the one of the last time, else a free one from 16379 on
  --postgres-port N    default: the one of the last time, else a free one from 15432 on
  --remove             with down: delete the directory's data too

Both listen on 127.0.0.1 only and ask for the password. PostgreSQL refuses to run as root: for root it runs as the user postgres, or nobody, who must be
able to enter the directory.
EOF
}

die() {
    echo "services.sh: $*" >&2
    exit 1
}
refuse() {
    echo "services.sh: $*" >&2
    usage >&2
    exit 2
}
say() { echo "services.sh: $*" >&2; }

command=''
directory=$root/build/services
redis_port=''
postgres_port=''
remove=no
while [ $# -gt 0 ]; do
    case $1 in
        up | down | status)
            [ -z "$command" ] || refuse "both $command and $1 are asked for"
            command=$1
            ;;
        --directory | --redis-port | --postgres-port)
            [ $# -ge 2 ] || refuse "$1 needs a value"
            case $1 in
                --directory) directory=$2 ;;
                --redis-port) redis_port=$2 ;;
                --postgres-port) postgres_port=$2 ;;
            esac
            shift
            ;;
        --remove) remove=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) refuse "unknown argument $1" ;;
    esac
    shift
done
[ -n "$command" ] || refuse "up, down or status?"
[ "$remove" = no ] || [ "$command" = down ] || refuse "--remove goes with down"
for port in "$redis_port" "$postgres_port"; do
    if [[ ! $port =~ ^([1-9][0-9]{0,4})?$ ]] || [ "${port:-1}" -gt 65535 ]; then
        refuse "$port is not a port"
    fi
done
directory=$(realpath --canonicalize-missing -- "$directory")
case $directory in
    *[[:space:]\'\"\\]*) die "--directory $directory: choose one without blanks and quotes" ;;
esac

# Found in Debian's place, the newest first.
postgres_bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort --version-sort | tail -n 1)
as_postgres=()
if [ "$(id -u)" -eq 0 ]; then
    user=nobody
    ! id postgres >/dev/null 2>&1 || user=postgres
    as_postgres=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups)
fi
postgres_tool() {
    local tool=$1
    shift
    (cd / && ${as_postgres[@]+"${as_postgres[@]}"} "$postgres_bin/$tool" "$@")
}

# A pid file is believed only where the process is what it should be.
redis_pid() {
    local pid
    pid=$(cat "$directory/redis/redis.pid" 2>/dev/null) || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = redis-server ] && [ "$(readlink "/proc/$pid/cwd")" = "$directory/redis" ] && echo "$pid"
}
postgres_runs() { [ -n "$postgres_bin" ] && [ -d "$directory/postgres" ] && postgres_tool pg_ctl status -D "$directory/postgres" >/dev/null 2>&1; }
is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
stored() { cat "$directory/$1" 2>/dev/null || true; }

# choose_port NAME WANTED FIRST: prints it, and keeps it for the next time
choose_port() {
    local name=$1 port=${2:-$(stored "$1")} next=$3
    if [ -n "$port" ]; then
        ! is_taken "$port" || die "port $port is in use by another program; choose one with --${name/_/-}"
    else
        while is_taken "$next"; do
            next=$((next + 1))
        done
        port=$next
    fi
    echo "$port" >"$directory/$name"
    echo "$port"
}

start_redis() {
    if redis_pid >/dev/null; then
        [ -z "$redis_port" ] || [ "$redis_port" = "$(stored redis_port)" ] || die "Redis runs on port $(stored redis_port); stop it first (down)"
        return
    fi
    local port
    port=$(choose_port redis_port "$redis_port" 16379)
    mkdir -p "$directory/redis"
    (
        umask 077
        cat >"$directory/redis.conf" <<EOF
port $port
bind 127.0.0.1
dir $directory/redis
pidfile $directory/redis/redis.pid
logfile $directory/redis/redis.log
daemonize yes
appendonly yes
maxmemory-policy noeviction
requirepass $(stored password)
EOF
    )
    redis-server "$directory/redis.conf" >/dev/null || die "Redis does not start: $(tail -n 3 "$directory/redis/redis.log" 2>/dev/null)"
    for _ in $(seq 600); do
        [ "$(REDISCLI_AUTH=$(stored password) redis-cli -p "$port" ping 2>/dev/null)" != PONG ] || return 0
        sleep 0.1
    done
    die "Redis does not start: $(tail -n 3 "$directory/redis/redis.log" 2>/dev/null)"
}

start_postgres() {
    if postgres_runs; then
        [ -z "$postgres_port" ] || [ "$postgres_port" = "$(stored postgres_port)" ] || die "PostgreSQL runs on port $(stored postgres_port); stop it first (down)"
        return
    fi
    local port data=$directory/postgres
    port=$(choose_port postgres_port "$postgres_port" 15432)
    if [ ! -e "$data/PG_VERSION" ]; then
        rm -rf "$data"
        mkdir -m 700 "$data"
        [ -z "${user:-}" ] || chown "$user:" "$data"
        if ! ${as_postgres[@]+"${as_postgres[@]}"} test -w "$data"; then
            rmdir "$data"
            die "the user ${user:-$(id -un)}, as whom PostgreSQL runs, can't enter $directory; choose a place with --directory"
        fi
        # The role and the database are made before the server listens. What is half made is made again the next time.
        if ! {
            postgres_tool initdb --pgdata "$data" --username postgres --auth-host scram-sha-256 --auth-local trust --encoding UTF8 --locale C &&
                printf '%s;\n\n' "ALTER ROLE postgres PASSWORD '$(stored password)'" "CREATE ROLE weir LOGIN CREATEROLE PASSWORD '$(stored password)'" 'CREATE DATABASE weir OWNER weir' |
                postgres_tool postgres --single -j -D "$data" postgres
        } >"$directory/initdb.log" 2>&1; then
            rm -rf "$data"
            die "PostgreSQL's data can't be made: $(tail -n 3 "$directory/initdb.log")"
        fi
    fi
    postgres_tool pg_ctl start --wait --silent -D "$data" --log "$data/server.log" \
        --options "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=''" >/dev/null ||
        die "PostgreSQL does not start: $(tail -n 3 "$data/server.log" 2>/dev/null)"
}

print_urls() {
    # With a user's name: redis-cli 7.0 takes no url without one.
    echo "export WEIR_BROKER_URL='redis://default:$(stored password)@127.0.0.1:$(stored redis_port)/0'"
    echo "export WEIR_STORE_URL='postgresql://weir:$(stored password)@127.0.0.1:$(stored postgres_port)/weir'"
}

up() {
    command -v redis-server >/dev/null || die "redis-server is not installed; run scripts/install-dependencies.sh"
    [ -n "$postgres_bin" ] || die "PostgreSQL is not installed; run scripts/install-dependencies.sh"
    if [ ! -s "$directory/password" ]; then
        (
            umask 077
            od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$directory/password"
        )
    fi
    start_redis
    start_postgres
    say "Redis on port $(stored redis_port), PostgreSQL on port $(stored postgres_port), data in $directory"
    print_urls
}

down() {
    local pid
    if pid=$(redis_pid); then
        kill -TERM "$pid"
        for _ in $(seq 600); do
            redis_pid >/dev/null || break
            sleep 0.1
        done
        ! redis_pid >/dev/null || die "Redis (process $pid) does not end"
    fi
    if postgres_runs; then
        postgres_tool pg_ctl stop --wait --silent --mode fast -D "$directory/postgres" >/dev/null || die "PostgreSQL does not end"
    fi
    if [ "$remove" = yes ]; then
        # Only what `up` has made: the directory may hold other things.
        (cd "$directory" && rm -rf redis postgres redis.conf password redis_port postgres_port initdb.log lock)
        rmdir --ignore-fail-on-non-empty "$directory"
    fi
}

status() {
    local result=0
    if redis_pid >/dev/null; then echo "Redis runs on port $(stored redis_port)"; else
        echo "Redis does not run"
        result=3
    fi
    if postgres_runs; then echo "PostgreSQL runs on port $(stored postgres_port)"; else
        echo "PostgreSQL does not run"
        result=3
    fi
    return $result
}

if [ "$command" != up ] && [ ! -d "$directory" ]; then
    [ "$command" = status ] || exit 0
    status
    exit
fi
mkdir -p "$directory"
exec 9>"$directory/lock" # two at once, one after the other
flock 9
case $command in
    # The servers must not inherit the lock.
    up) up 9>&- ;;
    down) down 9>&- ;;
    status) status 9>&- ;;
esac
