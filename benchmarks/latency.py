# SPDX-License-Identifier: Apache-2.0
"""publish → committed under an open load of 1,000 events a second; publish_latency.cpp says how it is seen."""
import json
import subprocess

from host import TOPIC, Failed, Host

RATE = 1000


def measure(bench):
    redis, postgres = bench.servers()
    answers = []
    host = Host(bench, "latency", broker=redis.url, store=postgres.url("latency"))
    for number in range(bench.rounds):
        redis.command("flushall")
        postgres.fresh_database("latency")
        with host.serving():
            done = subprocess.run([bench.build / "bin" / "bench_publish_latency", bench.events, str(redis.port), TOPIC, str(postgres.port), "postgres",
                                   "latency", "linting", str(RATE), str(bench.latency_seconds), str(number + 1)],
                                  capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"bench_publish_latency failed: {done.stderr.strip()} {done.stdout.strip()}")
        answers.append(json.loads(done.stdout))
    for name, aim in (("p50", None), ("p99", 10), ("p99.9", None), ("max", None)):
        bench.result(f"latency_{name}", [answer[name] for answer in answers], f"publish → committed at {RATE} events/s, {name}", "ms", at_most=aim)
    bench.result("latency_publish_p99", [answer["publish_p99"] for answer in answers], "  of that until Redis has it (the generator's own lag included), p99",
                 "ms")
    bench.result("latency_batch", [answer["events"] / answer["transactions"] for answer in answers], "  events a transaction", "")
