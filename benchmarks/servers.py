# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL and a Redis of the bench's own: on free ports, with durable commits, ended with the bench whatever happens.

Both run with their stock settings but for what is named here, so that the figures are those of a server as Debian installs it.
"""
import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
START_SECONDS_MAX = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ends_with_parent(number):
    """For preexec_fn: the child gets this signal when the bench is gone."""
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, number)


def cpu_seconds(pid):
    """Processor time of a process, of its children that live, and of those that it has waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    total = sum(int(ticks) for ticks in fields[11:15]) / TICKS
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            total += cpu_seconds(int(child))
        except FileNotFoundError:
            pass  # the parent has waited for it by now
    return total


class Unavailable(Exception):
    """A server or a tool that isn't installed; the message says which package has it."""


def program(name, *places):
    for place in (*places, *os.environ["PATH"].split(":"), "/usr/sbin"):
        if os.access(f"{place}/{name}", os.X_OK):
            return f"{place}/{name}"
    raise Unavailable(f"{name} is not installed; scripts/install-dependencies.sh --bench installs it")


class Server:
    process = None

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def wait_for(self, answers, log):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"{self.process.args[0]} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)


class Redis(Server):
    """appendonly yes, appendfsync everysec."""

    def __init__(self, directory):
        directory.mkdir()
        self.port = free_port()
        self.cli = program("redis-cli")
        log = directory / "log"
        settings = {"port": self.port, "bind": "127.0.0.1", "dir": directory, "appendonly": "yes", "appendfsync": "everysec", "save": ""}
        arguments = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
        with open(log, "wb") as output:
            self.process = subprocess.Popen([program("redis-server"), *arguments], stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, preexec_fn=ends_with_parent(signal.SIGTERM))
        self.wait_for(lambda: self.command("ping", check=False) == "PONG", log)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self, *words, check=True):
        done = subprocess.run([self.cli, "-p", str(self.port), *map(str, words)], capture_output=True, text=True, check=False)
        answer = done.stdout.strip()
        if check and (done.returncode != 0 or answer.startswith(("ERR", "WRONGTYPE"))):
            raise RuntimeError(f"redis-cli {words[0]}: {answer or done.stderr.strip()}")
        return answer

    def forget_group(self, topic, group):
        self.command("xgroup", "destroy", topic, group, check=False)


class Postgres(Server):
    """synchronous_commit=on, fsync=on; as its own user where the bench is root, which the server refuses to be."""

    def __init__(self, directory):
        binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        places = [str(binaries[-1])] if binaries else []
        directory.mkdir()
        identity = {}
        if os.getuid() == 0:
            user = next((pwd.getpwnam(name) for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()}), None)
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(directory, user.pw_uid, user.pw_gid)
            for parent in directory.parents:  # the server's user has to come here
                if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                    parent.chmod(parent.stat().st_mode | 0o011)
        data = directory / "data"
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(directory)}
        made = subprocess.run([program("initdb", *places), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                               "--no-sync"], capture_output=True, text=True, check=False, env=environment, cwd="/", **identity)
        if made.returncode != 0:
            raise Unavailable(f"initdb failed: {made.stderr[-2000:]}")
        self.port = free_port()
        self.psql = program("psql", *places)
        log = directory / "log"
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "synchronous_commit": "on", "fsync": "on"}
        arguments = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with open(log, "wb") as output:
            self.process = subprocess.Popen([program("postgres", *places), "-D", str(data), *arguments], stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, env=environment, cwd="/", preexec_fn=ends_with_parent(signal.SIGINT), **identity)
        self.wait_for(lambda: self.sql("select 1", check=False) == "1", log)
        self.sql("create role weir login createrole")

    def url(self, database, user="weir", port=None, scheme="postgresql"):
        return f"{scheme}://{user}@127.0.0.1:{port or self.port}/{database}"

    def sql(self, text, database="postgres", check=True):
        done = subprocess.run([self.psql, "-XqAt", "-v", "ON_ERROR_STOP=1", self.url(database, "postgres")], input=text,
                              capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def fresh_database(self, name, template=None):
        """An empty database, or a copy of one; and a checkpoint, so that rounds begin alike."""
        self.sql(f"drop database if exists {name} with (force)")
        self.sql(f"create database {name} owner weir" + (f" template {template}" if template else ""))
        self.sql("checkpoint")


def stop_all(servers):
    for server in servers:
        server.stop()


def remove(directory):
    shutil.rmtree(directory, ignore_errors=True)
