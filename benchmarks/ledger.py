# SPDX-License-Identifier: Apache-2.0
"""What an event costs as the ledger grows from 10,000 to 10,000,000 events on PostgreSQL. Takes long, so it runs only when it is asked for."""
import subprocess

from host import Failed


def measure(bench):
    _, postgres = bench.servers()
    postgres.fresh_database("ledger")
    sizes = ["10000", "100000"] if bench.quick else ["10000", "1000000", "10000000"]
    rounds = 3 if bench.quick else 4 * bench.rounds + 1  # short ones
    command = [bench.build / "bin" / "bench_ledger_size", postgres.url("ledger"), "--wait", f"--rounds={rounds}", *sizes]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if process.stdout.readline().strip() == "filled":
            # A ledger of that size is days old, and its sealed tables have been looked after; here that would happen beside the measurement.
            postgres.sql("vacuum (analyze)", "ledger")
            postgres.sql("checkpoint")
        printed, errors = process.communicate("\n")
    if process.returncode != 0:
        raise Failed(f"bench_ledger_size failed: {errors.strip()}")
    print(printed.rstrip(), flush=True)
    print(f"  the aim is x 1.5 with rows; each relative to the first size in the same of {rounds} rounds, batches of 1,000 events")
    bench.results["ledger"] = printed.splitlines()
