#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the measurements and prints medians with the lowest and highest round; scripts/bench.sh builds what they need and calls this."""
import argparse
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import host
import servers

PARTS = ("throughput", "latency", "resources", "relay", "votes", "embedded", "abi")
WHEN_ASKED = ("ledger",)  # takes long


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def shown(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.0f}"


class Bench:
    """What the parts share: input, servers, rounds, results."""

    def __init__(self, options, root, work):
        self.root, self.work = root, work
        self.build = root / "build" / "release"
        self.count, self.rounds, self.peer_count = options.events, options.rounds, options.peer_events
        self.latency_seconds, self.http_seconds, self.peer_workers = options.latency_seconds, options.http_seconds, os.cpu_count()
        self.quick = options.quick
        self.python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable  # Debian's, with Debian's packages
        found = subprocess.run([self.python, "-c", "import redis, sqlalchemy, psycopg2"], capture_output=True, text=True, check=False)
        self.peers = found.returncode == 0
        self.peers_missing = f"{found.stderr.strip().splitlines()[-1:]}: scripts/install-dependencies.sh --bench"
        self.results = {}
        self.events = work / "events.jsonl"
        self._servers = []

    def generate(self):
        with open(self.events, "wb") as output:
            subprocess.run([self.build / "bin" / "weir", "generate", "identity", "--count", str(self.count), "--seed", "7"], stdout=output, check=True)

    def servers(self):
        """Redis and PostgreSQL, started when first asked for."""
        for kind in (servers.Redis, servers.Postgres)[len(self._servers):]:
            directory = self.work / kind.__name__.lower()
            servers.remove(directory)
            self._servers.append(kind(directory))
        return self._servers

    def stop(self):
        servers.stop_all(self._servers)

    @staticmethod
    def say(text):
        print(f"  … {text}", file=sys.stderr, flush=True)

    def result(self, name, values, title, unit, at_least=None, at_most=None):
        middle = median(values)
        aim = f"  (aim ≥ {shown(at_least)})" if at_least else f"  (aim ≤ {shown(at_most)})" if at_most else ""
        extent = f"  [{shown(min(values))} … {shown(max(values))}]" if len(values) > 1 else ""
        print(f"{title}: {shown(middle)}{' ' + unit if unit else ''}{extent}{aim}", flush=True)
        self.results[name] = {"median": middle, "rounds": values, "unit": unit, "at_least": at_least, "at_most": at_most}

    def ratio(self, name, values, others, title, at_least):
        """Of each round's two, which ran one after the other."""
        self.result(name, [value / other for value, other in zip(values, others)], title, "", at_least=at_least)

    def skip(self, title, why):
        print(f"{title}: skipped: {why}", flush=True)
        self.results.setdefault("skipped", []).append(f"{title}: {why}")


def machine():
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    return f"{os.cpu_count()} processors, {memory / 1048576:.0f} GiB, load {os.getloadavg()[0]:.1f} at the start"


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description="Measures Weir; docs/benchmarks.md says how and why.")
    parser.add_argument("--only", action="append", choices=PARTS + WHEN_ASKED, metavar="PART", help=f"only this part; may be repeated: {', '.join(PARTS)}; and {', '.join(WHEN_ASKED)}, which takes long and runs only so")
    parser.add_argument("--quick", action="store_true", help="fewer events and rounds: to see that it works, not to compare")
    parser.add_argument("--events", type=int, metavar="N", help="events of a round (200000)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds, in turns (5)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the results there")
    parser.add_argument("--check-arguments", action="store_true", help=argparse.SUPPRESS)  # before building anything for them
    options = parser.parse_args()
    if options.check_arguments:
        sys.exit(0)
    if min(options.events or 1, options.rounds or 1) < 1:
        parser.error("--events and --rounds are at least 1")
    options.events = options.events or (20000 if options.quick else 200000)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.peer_events = min(options.events, 500 if options.quick else 5000)
    options.latency_seconds = 3 if options.quick else 20
    options.http_seconds = 2 if options.quick else 10
    return options


def main():
    options = parse()
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        del os.environ[name]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    root = pathlib.Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as directory:
        work = pathlib.Path(directory)
        work.chmod(0o755)
        bench = Bench(options, root, work)
        print(f"machine: {machine()}")
        print(f"events: {options.events} of {host.TOPIC} over {max(options.events // 10, 1)} users, {options.rounds} rounds: median [lowest … highest]; "
              "every commit waits for the disk", flush=True)
        try:
            bench.generate()
            for part in options.only or PARTS:
                print(f"\n{part}", flush=True)
                try:
                    importlib.import_module(part).measure(bench)
                except servers.Unavailable as missing:
                    bench.skip(part, str(missing))
        except (host.Failed, RuntimeError) as failure:
            print(f"bench.sh: {failure}", file=sys.stderr)
            return 1
        finally:
            bench.stop()
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "events": options.events, "rounds": options.rounds, "results": bench.results}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
