# SPDX-License-Identifier: Apache-2.0
"""Redis to PostgreSQL: Weir, the statements that it sends alone, such as a person would write, and a Python consumer, in turns."""
import json
import subprocess

import capture
import identity_model
import plain_statements
from host import GROUPS, TOPIC, Failed, Host

GROUP = GROUPS["linting"]
BATCH_SIZE = 1000


def measure(bench):
    redis, postgres = bench.servers()
    postgres.fresh_database("empty")
    migrate(bench, redis, postgres)
    publish_rates = [publish(bench, redis)]
    recorded = record(bench, redis, postgres)
    plain = bench.work / "plain.wire"
    plain_statements.write(bench.events, plain, BATCH_SIZE)
    model = identity_model.model_of(bench.events)
    weir = Host(bench, "measured", broker=redis.url, store=postgres.url("measured"))
    single = Host(bench, "single", broker=redis.url, store=postgres.url("measured"), engine={"shards": 1})

    rounds = {"weir": [], "single": [], "same": [], "plain": [], "peer": []}
    for number in range(bench.rounds):
        bench.say(f"round {number + 1} of {bench.rounds}")
        rounds["single"].append(one_run(bench, redis, postgres, single))
        rounds["weir"].append(one_run(bench, redis, postgres, weir))
        rounds["same"].append(replay(bench, postgres, recorded, "same", "migrated"))
        rounds["plain"].append(replay(bench, postgres, [plain], "plain"))
        if bench.peers:
            rounds["peer"].append(peer(bench, redis, postgres))
        if number == 0:
            for database, schema in (("measured", "linting"), ("same", "linting"), ("plain", "plain")):
                check(model, postgres, database, schema)
            if bench.peers:
                check(identity_model.model_of(bench.events, bench.peer_count), postgres, "peer", "linting")
    report(bench, rounds, publish_rates)


def migrate(bench, redis, postgres):
    """A database with Weir's tables and nothing in them: each round begins there."""
    postgres.fresh_database("migrated")
    Host(bench, "migrating", broker=redis.url.removesuffix("/0") + "/1", store=postgres.url("migrated")).drain(0)
    # As the host's upkeep of the ledger does after a while: recorded statements name the generation, and would write nothing in another one.
    postgres.sql("insert into linting.event_ledger_generations (generation, opened_at, events_before) values (1, now(), 0)", "migrated")


def publish(bench, redis):
    redis.command("flushall")
    return Host(bench, "publishing", broker=redis.url).publish(bench.events)


def record(bench, redis, postgres):
    """One run through a proxy that keeps what the committing connection says; there is one at a time where there is one shard. @return its files"""
    postgres.fresh_database("recorded", "migrated")
    proxy = capture.Capture(postgres.port)
    host = Host(bench, "recording", broker=redis.url, store=postgres.url("recorded", port=proxy.port), engine={"shards": 1})
    redis.forget_group(TOPIC, GROUP)
    host.drain(bench.count)
    proxy.close()
    paths = []
    for number, said in enumerate(proxy.committing()):
        paths.append(bench.work / f"recorded-{number}.wire")
        paths[-1].write_bytes(said)
    return paths


def one_run(bench, redis, postgres, host):
    postgres.fresh_database("measured", "migrated")
    redis.forget_group(TOPIC, GROUP)
    before = postgres.cpu(), redis.cpu()
    run = host.drain(bench.count)
    run["postgres_cpu_seconds"] = postgres.cpu() - before[0]
    run["redis_cpu_seconds"] = redis.cpu() - before[1]
    run["rate"] = bench.count / run["serving_seconds"]
    return run


def replay(bench, postgres, recorded, database, template=None):
    postgres.fresh_database(database, template)
    if template is None:
        postgres.sql(plain_statements.TABLES + "grant usage on schema plain to weir; grant all on all tables in schema plain to weir; checkpoint;", database)
    before = postgres.cpu()
    seconds = 0
    for path in recorded:
        done = subprocess.run([bench.build / "bin" / "bench_replay_statements", path, str(postgres.port), "weir", database],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"replaying failed: {done.stderr.strip()}")
        seconds += json.loads(done.stdout)["seconds"]
    answer = {"rate": bench.count / seconds}
    answer["postgres_cpu_seconds"] = postgres.cpu() - before
    return answer


def peer(bench, redis, postgres):
    postgres.fresh_database("peer")
    redis.forget_group(TOPIC, GROUP)
    done = subprocess.run([bench.python, bench.root / "benchmarks/peers/one_transaction_an_event.py", redis.url,
                           postgres.url("peer", scheme="postgresql+psycopg2"), TOPIC, GROUP, str(bench.peer_count)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"the Python consumer failed: {done.stderr.strip()[-3000:]}")
    answer = json.loads(done.stdout)
    answer["rate"] = answer["messages"] / answer["seconds"]
    return answer


def check(model, postgres, database, schema):
    wrong = identity_model.differences(model, postgres, database, schema)
    if wrong:
        raise Failed(f"{database}: its rows are not those of the model: {'; '.join(wrong)}")


def report(bench, rounds, publish_rates):
    rates = {name: [run["rate"] for run in runs] for name, runs in rounds.items()}
    bench.result("publish_rate", publish_rates, "publish to Redis (weir publish --raw, one process)", "events/s")
    bench.result("weir_rate", rates["weir"], "weir, Redis to PostgreSQL, one domain", "events/s")
    bench.result("single_rate", rates["single"], "weir with one shard", "events/s")
    bench.result("same_statements_rate", rates["same"], "the statements that weir sends, alone", "events/s")
    bench.result("plain_statements_rate", rates["plain"], "statements written by hand, alone", "events/s")
    bench.ratio("weir_to_same_statements", rates["weir"], rates["same"], "weir / the same statements alone", 0.85)
    bench.ratio("weir_to_plain_statements", rates["weir"], rates["plain"], "weir / statements written by hand, alone", None)
    bench.ratio("weir_to_single", rates["weir"], rates["single"], "weir / weir with one shard", None)
    if rates["peer"]:
        bench.result("python_rate", rates["peer"], f"Python, one transaction an event ({bench.peer_count} events)", "events/s")
        bench.ratio("weir_to_python", rates["weir"], rates["peer"], "weir / Python, one transaction an event", 40)
    else:
        bench.skip("weir / Python", bench.peers_missing)
    million = 1e6 / bench.count
    bench.result("weir_cpu", [run["cpu_seconds"] * million for run in rounds["weir"]], "processor time a million events, weir", "s")
    bench.result("single_cpu", [run["cpu_seconds"] * million for run in rounds["single"]], "processor time a million events, weir with one shard", "s")
    bench.result("all_cpu", [(run["cpu_seconds"] + run["postgres_cpu_seconds"] + run["redis_cpu_seconds"]) * million for run in rounds["weir"]],
                 "processor time a million events, weir + PostgreSQL + Redis", "s")
    bench.result("same_statements_cpu", [run["postgres_cpu_seconds"] * million for run in rounds["same"]],
                 "processor time a million events, PostgreSQL with the statements alone", "s")
    bench.result("peak", [run["peak_mib"] for run in rounds["weir"]], "peak resident memory, one domain under load", "MiB")
