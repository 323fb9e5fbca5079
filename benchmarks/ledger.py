# SPDX-License-Identifier: Apache-2.0
"""What an event costs as the ledger grows from 10,000 to 10,000,000 events on PostgreSQL. Takes long, so it runs only when it is asked for."""
import subprocess

from host import Failed


def measure(bench):
    _, postgres = bench.servers()
    postgres.fresh_database("ledger")
    sizes = ["10000", "100000"] if bench.quick else []
    done = subprocess.run([bench.build / "bin" / "bench_ledger_size", postgres.url("ledger"), *sizes], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"bench_ledger_size failed: {done.stderr.strip()}")
    print(done.stdout.rstrip(), flush=True)
    bench.results["ledger"] = done.stdout.splitlines()
