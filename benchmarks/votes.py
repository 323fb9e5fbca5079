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
PEER_PACKAGES = "fastapi, uvicorn, uvloop, httptools, redis, hiredis, asyncpg, psycopg2"


def measure(bench):
    redis, postgres = bench.servers()
    consume(bench, redis, postgres)
    found = subprocess.run([bench.python, "-c", f"import {PEER_PACKAGES}"], capture_output=True, text=True, check=False)
    peer = found.returncode == 0
    weir = Host(bench, "votes_http", domains=("votes",), broker=redis.url, store=postgres.url("votes_http"), http="127.0.0.1:0")
    rounds = {"weir": [], "python": []}
    for number in range(bench.rounds):
        bench.say(f"round {number + 1} of {bench.rounds}")
        redis.command("flushall")
        postgres.fresh_database("votes_http")
        with weir.serving() as process:
            port = int(weir.log.field("http.listening", "address").rsplit(":", 1)[1])
            load = Load(bench, redis, port, number, process)
            rounds["weir"].append({**load.all_of_it(), "keys": load.run(POST, keys=True)})
        if peer:
            with python_service(bench, redis, postgres) as (port, process):  # on the tables that Weir has made
                load = Load(bench, redis, port, number, process)
                rounds["python"].append(load.all_of_it())
                with python_consumer(bench, redis, postgres):
                    rounds["python"][-1]["counting"] = load.run(POST)
    report(bench, rounds)
    if not peer:
        bench.skip("votes over HTTP, Weir / Python", f"{found.stderr.strip().splitlines()[-1:]}: scripts/install-dependencies.sh --bench")


class Load:
    """Requests to one service; its processor time is taken with each run."""

    def __init__(self, bench, redis, port, number, process):
        self.bench, self.redis, self.port, self.number, self.process = bench, redis, port, number, process

    def run(self, request, rate=0, keys=False):
        arguments = [self.port, CONNECTIONS, self.bench.http_seconds, rate, self.number + 1, int(keys), *request]
        before, cpu = int(self.redis.command("xlen", "votes")), servers.cpu_seconds(self.process.pid)
        done = subprocess.run([self.bench.build / "bin" / "bench_http_load", *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"bench_http_load failed: {done.stderr.strip()}")
        answer = json.loads(done.stdout)
        answer["cpu"] = (servers.cpu_seconds(self.process.pid) - cpu) * 1e6 / answer["sent"]
        if request is POST and int(self.redis.command("xlen", "votes")) - before != answer["sent"]:
            raise Failed("not every vote that was answered with 202 is in the stream")
        return answer

    def all_of_it(self):
        """Full load first, which says what half of it is."""
        full = self.run(POST)
        return {"full": full, "half": self.run(POST, full["rate"] / 2), "results": self.run(GET)}


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
        yield port, process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def python_consumer(bench, redis, postgres):
    with open(bench.work / "consumer.log", "wb") as log:
        process = subprocess.Popen([bench.python, bench.root / "benchmarks" / "peers" / "votes_consumer.py", redis.url, postgres.url("votes_http", "postgres")],
                                   stdout=log, stderr=log, preexec_fn=servers.ends_with_parent(signal.SIGTERM))
    try:
        yield
        if process.poll() is not None:
            raise Failed(f"the Python consumer ended: {(bench.work / 'consumer.log').read_text()[-3000:]}")
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
        bench.result(f"{contender}_post_cpu", of(contender, "full", "cpu"), f"  processor time a request, {'counting included' if weir else 'nothing counted'}", "µs")
        bench.result(f"{contender}_post_p50", of(contender, "full", "p50"), "  p50", "ms")
        bench.result(f"{contender}_post_p99", of(contender, "full", "p99"), "  p99", "ms")
        bench.result(f"{contender}_post_half_p50", of(contender, "half", "p50"), f"POST /api/vote at half that load, {title}, p50", "ms")
        bench.result(f"{contender}_post_half_p99", of(contender, "half", "p99"), "  p99", "ms", at_most=10 if weir else None)
        bench.result(f"{contender}_results", of(contender, "results", "rate"), f"GET /api/results, {title}", "requests/s")
        bench.result(f"{contender}_results_cpu", of(contender, "results", "cpu"), "  processor time a request", "µs")
    bench.result("weir_post_keys", of("weir", "keys", "rate"), "POST /api/vote, each under an Idempotency-Key, weir", "requests/s")
    bench.result("weir_post_keys_p99", of("weir", "keys", "p99"), "  p99", "ms")
    if rounds["python"]:
        bench.ratio("post_to_python", of("weir", "full", "rate"), of("python", "full", "rate"), "POST /api/vote, weir / Python that only publishes", 10)
        bench.result("python_counting_post", of("python", "counting", "rate"), "POST /api/vote while a Python consumer counts, as Weir does, Python", "requests/s")
        bench.ratio("post_to_python_counting", of("weir", "full", "rate"), of("python", "counting", "rate"), "POST /api/vote, weir / Python that counts too", 10)
        bench.ratio("post_cpu_python_to_weir", of("python", "full", "cpu"), of("weir", "full", "cpu"), "processor time of a POST, Python / weir", None)
        bench.ratio("results_to_python", of("weir", "results", "rate"), of("python", "results", "rate"), "GET /api/results, weir / Python", None)
