# SPDX-License-Identifier: Apache-2.0
"""The relay: entries of the outbox to a stream of Redis. Redis writes the millisecond into each entry's id, so the stream itself says how long it took."""
from host import Failed, Host

TARGET = "bench.relayed.v1"
FILL = """
insert into linting.outbox (event_id, topic, key, event_type, envelope, headers, created_at)
select gen_random_uuid(), '{topic}', 'key-' || n % 1000, 'bench.relayed.v1',
       jsonb_build_object('event_id', gen_random_uuid(), 'event_type', 'bench.relayed.v1', 'tenant_id', gen_random_uuid(), 'occurred_at', now(),
                          'schema_version', 1, 'payload', jsonb_build_object('number', n, 'text', repeat('x', 100))), '[]', now()
from generate_series(1, {count}) n;
"""


def milliseconds(redis, order):
    command = "xrange" if order == "first" else "xrevrange"
    return int(redis.command(command, TARGET, *(("-", "+") if order == "first" else ("+", "-")), "count", "1").split("\n")[0].split("-")[0])


def measure(bench):
    redis, postgres = bench.servers()
    redis.command("flushall")
    postgres.fresh_database("relay")
    host = Host(bench, "relay", broker=redis.url, store=postgres.url("relay"))
    host.drain(0)
    rates = []
    for _ in range(bench.rounds):
        redis.command("del", TARGET)
        postgres.sql(FILL.format(topic=TARGET, count=bench.count), "relay")
        postgres.sql("vacuum analyze linting.outbox; checkpoint;", "relay")
        host.drain(0)
        there, left = int(redis.command("xlen", TARGET)), int(postgres.sql("select count(*) from linting.outbox", "relay"))
        if there != bench.count or left != 0:
            raise Failed(f"the relay published {there} of {bench.count} entries, and {left} are left")
        rates.append(bench.count * 1000 / (milliseconds(redis, "last") - milliseconds(redis, "first")))
    redis.command("del", TARGET)
    bench.result("relay_rate", rates, "relay, outbox to Redis", "events/s", at_least=50000)
