# SPDX-License-Identifier: Apache-2.0
"""Hosts to be measured: their configuration, their runs, and what their logs say."""
import contextlib
import datetime
import json
import pathlib
import shutil
import signal
import subprocess
import time

import servers

TOPIC = "identity.user.v1"
GROUPS = {"linting": "lint_group", "spellcheck": "spellcheck_group", "accounts": "accounts_group"}  # of TOPIC
SCHEMAS = {"linting": "linting", "spellcheck": "spell_checking", "accounts": "accounts"}
READY_SECONDS_MAX = 60
DRAIN_SECONDS_MAX = 900


class Failed(Exception):
    """A contender did not do what it is measured for: no figure is better than a wrong one."""


class Log:
    def __init__(self, path):
        self.path = path

    def lines(self, event):
        found = []
        for line in self.path.read_text().splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == event:
                    found.append(entry)
        return found

    def field(self, event, name):
        found = self.lines(event)
        if not found:
            raise Failed(f"the host never said {event}: {self.path.read_text()[-3000:]}")
        return found[-1][name]

    def moment(self, event):
        return datetime.datetime.fromisoformat(self.field(event, "time")).timestamp()


class Host:
    """A configuration in a directory of its own, of plugins by name; `accounts` is a domain without code of its own."""

    def __init__(self, bench, name, domains=("linting",), broker="embedded://", store="sqlite://", engine=None, http=None):
        self.weir = bench.build / "bin" / "weir"
        self.directory = bench.work / name
        self.domains = domains
        self.directory.mkdir(mode=0o755)
        plugins = self.directory / "plugins"
        plugins.mkdir(mode=0o755)
        configuration = {"data_directory": "data", "broker": {"url": broker}, "store": {"url": store}, "plugins": {"directory": "plugins"},
                         "log": {"format": "json"}, "engine": engine or {}}
        if http:
            configuration["http"] = {"listen": http}
        for domain in domains:
            plugin = "projection" if domain == "accounts" else domain
            shutil.copy(bench.build / "plugins" / f"{plugin}.so", plugins)
            (plugins / f"{plugin}.so").chmod(0o644)
            if domain == "accounts":
                configuration["domains_directory"] = "domains"
                (self.directory / "domains").mkdir(mode=0o755)
                self._write("domains/accounts.json", {"service": {"domain": domain}, "consumer_group": GROUPS[domain], "topics": [TOPIC]})
        self._write("host.json", configuration)
        self.log = Log(self.directory / "log")

    def _write(self, name, content):
        (self.directory / name).write_text(json.dumps(content))

    def command(self, *words):
        done = subprocess.run([self.weir, words[0], "-c", self.directory / "host.json", *words[1:]], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"weir {words[0]} ended with {done.returncode}: {done.stderr.strip()[-3000:]}")
        return done.stdout

    def publish(self, events, topic=TOPIC):
        """@return events a second, one process's start included"""
        count = sum(1 for _ in open(events, "rb"))
        began = time.monotonic()
        self.command("publish", "--topic", topic, "--raw", str(events))
        return count / (time.monotonic() - began)

    def drain(self, messages):
        """Serves until nothing is left. @return what the run was like"""
        with open(self.log.path, "wb") as log:
            done = subprocess.run([self.weir, "run", "-c", self.directory / "host.json", "--until-drained", "--drain-timeout", str(DRAIN_SECONDS_MAX),
                                   "--json"], stdout=subprocess.PIPE, stderr=log, check=False)
        if done.returncode != 0:
            raise Failed(f"weir run ended with {done.returncode}: {self.log.path.read_text()[-3000:]}")
        for domain in json.loads(done.stdout)["domains"]:
            counts = domain["counts"]
            if counts["messages"] != messages or counts["dead_letters"] != 0:
                raise Failed(f"not every event was served once: {domain['domain']} {counts}")
        # From the last domain that is ready until the first that knows that it is done.
        serving = datetime.datetime.fromisoformat(self.log.lines("domain.draining")[0]["time"]).timestamp() - self.log.moment("domain.ready")
        return {"serving_seconds": serving, "elapsed_seconds": self.log.field("host.stopped", "elapsed_ms") / 1000,
                "cpu_seconds": self.log.field("host.stopped", "cpu_ms") / 1000,
                "peak_mib": self.log.field("host.stopped", "peak_resident_kib") / 1024}

    @contextlib.contextmanager
    def serving(self):
        """A host that runs within the block, from its being ready; yields the process."""
        with open(self.log.path, "wb") as log:
            process = subprocess.Popen([self.weir, "run", "-c", self.directory / "host.json"], stdout=subprocess.DEVNULL, stderr=log,
                                       preexec_fn=servers.ends_with_parent(signal.SIGKILL))
        try:
            deadline = time.monotonic() + READY_SECONDS_MAX
            while not self.log.lines("host.ready"):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"the host did not become ready: {self.log.path.read_text()[-3000:]}")
                time.sleep(0.02)
            yield process
        finally:
            process.terminate()
            status = process.wait()
        if status != 0:
            raise Failed(f"the host ended with {status}: {self.log.path.read_text()[-3000:]}")


def resident_mib(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise Failed("no VmRSS")
