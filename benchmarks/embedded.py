# SPDX-License-Identifier: Apache-2.0
"""The default without servers: the embedded broker and SQLite, every commit and publish on the disk."""
import os
import shutil
import subprocess

from host import SCHEMAS, Host, resident_mib


def measure(bench):
    template = Host(bench, "template")
    bench.result("embedded_publish_rate", [template.publish(bench.events)], "publish (weir publish --raw, one process)", "events/s")
    topics = template.directory / "data" / "broker.db"
    subprocess.run(["sqlite3", topics, "pragma wal_checkpoint(truncate)"], check=True, capture_output=True)
    for name, domains in (("one", ("linting",)), ("two", ("linting", "spellcheck"))):
        host = Host(bench, f"embedded-{name}", domains)
        runs = []
        for _ in range(bench.rounds):
            data = host.directory / "data"
            shutil.rmtree(data, ignore_errors=True)
            data.mkdir(mode=0o755)
            shutil.copy(topics, data)
            os.sync()
            runs.append(host.drain(bench.count))
        effects = bench.count * len(domains)
        title = f"{name} domain{'s together' if len(domains) > 1 else ''} ({', '.join(domains)})"
        bench.result(f"embedded_{name}_rate", [effects / run["elapsed_seconds"] for run in runs], title, "events/s", at_least=20000)
        bench.result(f"embedded_{name}_cpu", [1e6 * run["cpu_seconds"] / effects for run in runs], "  processor time an event", "µs")
        bench.result(f"embedded_{name}_peak", [run["peak_mib"] for run in runs], "  peak resident memory", "MiB")
    host = Host(bench, "embedded-three", tuple(SCHEMAS))
    ready, rest = [], []
    for _ in range(bench.rounds):
        with host.serving() as process:
            rest.append(resident_mib(process))
        ready.append(host.log.field("host.ready", "start_to_ready_ms"))
    bench.result("embedded_start_to_ready", ready, "start to ready, three domains", "ms", at_most=200)
    bench.result("embedded_rest", rest, "resident memory, three domains at rest", "MiB", at_most=40)
