# SPDX-License-Identifier: Apache-2.0
"""Votes over HTTP and out of the stream: Weir beside a service written with FastAPI, in turns, both on Redis and PostgreSQL."""
import contextlib
import json
import os
import signal
import subprocess
import time

import servers
from host import Failed, Host

CONNECTIONS = 64
VOTE = '{"vote":"cats"}'
POST = ("POST", "/api/vote", "202", VOTE)
GET = ("GET", "/api/results", "200")
START_SECONDS_MAX = 60
PEER_PACKAGES = "fastapi, uvicorn, uvloop, httptools, redis, hiredis, asyncpg"


def measure(bench):
    redis, postgres = bench.servers()
    consume(bench, redis, postgres)
    found = subprocess.run([bench.python, "-c", f"import {PEER_PACKAGES}"], capture_output=True, text=True, check=False)
    peer = found.returncode == 0
    weir = Host(bench, "votes_http", domains=("votes",), broker=redis.url, store=postgres.url("votes_http"), http="127.0.0.1:0")
    rounds = {"weir": [], "python": []}
    for number in range(bench.rounds):
        bench.say(f"round {number + 1} of {bench.rounds}")
        fresh(redis, postgres)
        with weir.serving():
            address = weir.log.field("http.listening", "address")
            rounds["weir"].append(one_round(bench, redis, int(address.rsplit(":", 1)[1]), number, keys=True))
        if peer:
            with python_service(bench, redis, postgres) as port:  # on the tables that Weir has made
                rounds["python"].append(one_round(bench, redis, port, number))
    report(bench, rounds)
    if not peer:
        bench.skip("votes over HTTP, Weir / Python", f"{found.stderr.strip().splitlines()[-1:]}: scripts/install-dependencies.sh --bench")


def fresh(redis, postgres):
    redis.command("flushall")
    postgres.fresh_database("votes_http")


def one_round(bench, redis, port, number, keys=False):
    """Full load first, which says what half of it is."""
    def load(request, rate=0, with_keys=False):
        arguments = [port, CONNECTIONS, bench.http_seconds, rate, number + 1, int(with_keys), *request]
        before = int(redis.command("xlen", "votes"))
        done = subprocess.run([bench.build / "bin" / "bench_http_load", *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"bench_http_load failed: {done.stderr.strip()}")
        answer = json.loads(done.stdout)
        if request is POST and int(redis.command("xlen", "votes")) - before != answer["sent"]:
            raise Failed("not every vote that was answered with 202 is in the stream")
        return answer

    full = load(POST)
    run = {"full": full, "half": load(POST, full["rate"] / 2), "results": load(GET)}
    if keys:
        run["keys"] = load(POST, with_keys=True)
    return run


@contextlib.contextmanager
def python_service(bench, redis, postgres):
    """A process for each processor, which is more than one by itself does."""
    port = servers.free_port()
    environment = {**os.environ, "REDIS_URL": redis.url, "DATABASE_URL": postgres.url("votes_http", "postgres")}
    with open(bench.work / "uvicorn.log", "wb") as log:
        process = subprocess.Popen([bench.python, "-m", "uvicorn", "votes_service:app", "--app-dir", bench.root / "benchmarks" / "peers", "--host", "127.0.0.1",
                                    "--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
                                    "--workers", str(bench.peer_workers)],
                                   stdout=log, stderr=log, env=environment, preexec_fn=servers.ends_with_parent(signal.SIGTERM))
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while subprocess.run([bench.build / "bin" / "bench_http_load", str(port), "1", "0.1", "0", "1", "0", *GET], capture_output=True, check=False).returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"the Python service did not start: {(bench.work / 'uvicorn.log').read_text()[-3000:]}")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def consume(bench, redis, postgres):
    """Votes as another client writes them, in flat fields, from the stream into the counts."""
    rates, processor = [], []
    entry = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in (b"XADD", b"votes", b"*", b"vote", b"cats"))
    host = Host(bench, "votes_counted", domains=("votes",), broker=redis.url, store=postgres.url("votes_counted"))
    for _ in range(bench.rounds):
        redis.command("flushall")
        subprocess.run([redis.cli, "-p", str(redis.port), "--pipe"], input=(b"*5\r\n" + entry) * bench.count, capture_output=True, check=True)
        postgres.fresh_database("votes_counted")
        run = host.drain(bench.count)
        if postgres.sql("select option, count from votes.vote_counts", "votes_counted") != f"cats|{bench.count}":
            raise Failed("the counts are not those of the stream")
        rates.append(bench.count / run["serving_seconds"])
        processor.append(run["cpu_seconds"] * 1e6 / bench.count)
    bench.result("votes_counted", rates, "votes counted from the stream", "votes/s", at_least=80000)
    bench.result("votes_counted_cpu", processor, "processor time a million votes, weir", "s")


def report(bench, rounds):
    def of(contender, kind, figure):
        return [run[kind][figure] for run in rounds[contender]]

    for contender, title in (("weir", "weir"), ("python", "Python (FastAPI, uvicorn)")):
        if not rounds[contender]:
            continue
        weir = contender == "weir"
        bench.result(f"{contender}_post", of(contender, "full", "rate"), f"POST /api/vote at full load, {title}", "requests/s")
        bench.result(f"{contender}_post_p50", of(contender, "full", "p50"), "  p50", "ms")
        bench.result(f"{contender}_post_p99", of(contender, "full", "p99"), "  p99", "ms")
        bench.result(f"{contender}_post_half_p50", of(contender, "half", "p50"), f"POST /api/vote at half that load, {title}, p50", "ms")
        bench.result(f"{contender}_post_half_p99", of(contender, "half", "p99"), "  p99", "ms", at_most=10 if weir else None)
        bench.result(f"{contender}_results", of(contender, "results", "rate"), f"GET /api/results, {title}", "requests/s")
    bench.result("weir_post_keys", of("weir", "keys", "rate"), "POST /api/vote, each under an Idempotency-Key, weir", "requests/s")
    bench.result("weir_post_keys_p99", of("weir", "keys", "p99"), "  p99", "ms")
    if rounds["python"]:
        bench.ratio("post_to_python", of("weir", "full", "rate"), of("python", "full", "rate"), "POST /api/vote, weir / Python", 10)
        bench.ratio("results_to_python", of("weir", "results", "rate"), of("python", "results", "rate"), "GET /api/results, weir / Python", None)
