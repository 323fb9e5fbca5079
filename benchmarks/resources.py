# SPDX-License-Identifier: Apache-2.0
"""Three domains on Redis and PostgreSQL: start to ready, memory at rest, and all three under load."""
import time

from host import GROUPS, SCHEMAS, TOPIC, Host, resident_mib

REST_SECONDS = 2


def measure(bench):
    redis, postgres = bench.servers()
    redis.command("flushall")
    postgres.fresh_database("three")
    host = Host(bench, "three", tuple(SCHEMAS), redis.url, postgres.url("three"))
    host.publish(bench.events)
    postgres.fresh_database("three")
    loaded = host.drain(bench.count)
    ready, rest = [], []
    for _ in range(bench.rounds):
        with host.serving() as process:
            time.sleep(REST_SECONDS)
            rest.append(resident_mib(process))
        ready.append(host.log.field("host.ready", "start_to_ready_ms"))
    bench.result("start_to_ready", ready, "start to ready, three domains (tables there)", "ms", at_most=200)
    bench.result("resident_at_rest", rest, "resident memory, three domains at rest", "MiB", at_most=40)
    bench.result("peak_three", [loaded["peak_mib"]], "peak resident memory, three domains under load", "MiB", at_most=40)
    bench.result("three_rate", [3 * bench.count / loaded["serving_seconds"]], "three domains together, effects", "events/s")
    for group in GROUPS.values():
        redis.forget_group(TOPIC, group)
