#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can be said of deploy/ without a container engine: deploy.py ROOT. Files that are copied exist, packages are known to apt, the commands exist, the
unit is sound where systemd-analyze is there. Ends with 1 where not; says what could not be checked."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1]).resolve()
faults = []
unchecked = []


def instructions(text):
    """A Containerfile's instructions, lines joined and comments left out."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    return [" ".join(part.split()) for part in text.replace("\\\n", " ").split("\n") if part.strip()]


def known_to_apt(packages, where):
    if not shutil.which("apt-cache"):
        unchecked.append(f"packages of {where} (needs apt-cache)")
        return
    # What is installed exists; asking apt takes its time.
    installed = subprocess.run(["dpkg-query", "--show", "--showformat", "${Package}\\n"], capture_output=True, text=True, check=False)
    rest = sorted(set(packages) - set(installed.stdout.split()))
    if not rest:
        return
    known = subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True, check=False).stdout.split()
    for package in sorted(set(rest) - set(known)):
        faults.append(f"{where}: apt knows no package {package} (an old list? apt-get update)")


container = (ROOT / "deploy/Containerfile").read_text()
steps = instructions(container)
copied = set()
for step in steps:
    words = step.split()
    if words[0] == "COPY" and not words[1].startswith("--from="):
        for source in words[1:-1]:
            copied.add(source.rstrip("/"))
            if not (ROOT / source).exists():
                faults.append(f"deploy/Containerfile: COPY {source}: there is no such file")
listed = subprocess.run([str(ROOT / "scripts/install-dependencies.sh"), "--test", "--list"], capture_output=True, text=True, check=True)
known_to_apt(listed.stdout.split(), "scripts/install-dependencies.sh")
runtime = re.search(r"apt-get install --yes --no-install-recommends((?: [a-z0-9.+-]+)+)", " ".join(steps))
if runtime:
    known_to_apt(runtime[1].split(), "deploy/Containerfile")
else:
    faults.append("deploy/Containerfile: installs no packages at run time")
# What the top-level CMakeLists.txt adds without tests must be copied, or configuring fails.
top = (ROOT / "CMakeLists.txt").read_text().split("if(WEIR_BUILD_TESTS)")[0]
for folder in re.findall(r"add_subdirectory\((\w+)\)", top) + ["cmake", "contracts", "scripts"] + re.findall(
        r"\$\{CMAKE_SOURCE_DIR\}/(\w+)", (ROOT / "host/CMakeLists.txt").read_text()):
    if folder not in copied:
        faults.append(f"deploy/Containerfile: {folder}/ is needed for building and not copied")
if not any(step.startswith("USER ") and not step.startswith(("USER root", "USER 0")) for step in steps):
    faults.append("deploy/Containerfile: runs as root")
COMPOSED = [ROOT / "deploy/compose.yaml", ROOT / "deploy/compose.servers.yaml"]
for compose in COMPOSED:
    for volume in json.loads(next(step for step in steps if step.startswith("VOLUME"))[len("VOLUME "):]):
        if volume not in compose.read_text():
            faults.append(f"deploy/{compose.name}: does not mount {volume}")


def services(text):
    """The services of a compose file: name -> its lines. Enough of YAML for files that are indented by two."""
    found = {}
    body = re.search(r"^services:\n((?: .*\n|\n|#.*\n)*)", text, re.M)[1]
    for name, lines in re.findall(r"^  (\w+):\n((?:    .*\n|  +#.*\n)*)", body, re.M):
        found[name] = lines
    return found


def plain(path):
    """A host file without its comments."""
    return re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.M)


# The servers: each is waited for until it is healthy, and what the host file takes from variables is given.
servers = services((ROOT / "deploy/compose.servers.yaml").read_text())
for name in ("redis", "postgres"):
    if "healthcheck:" not in servers.get(name, ""):
        faults.append(f"deploy/compose.servers.yaml: {name} has no healthcheck")
    if not re.search(rf"^      {name}:\n        condition: service_healthy$", servers["weir"], re.M):
        faults.append(f"deploy/compose.servers.yaml: weir does not wait for {name} to be healthy")
for option in ("--appendonly yes", "--maxmemory-policy noeviction", "--requirepass"):
    if option not in servers["redis"]:
        faults.append(f"deploy/compose.servers.yaml: redis is started without {option}")
for variable in re.findall(r"\$\{(\w+)\}", plain(ROOT / "deploy/weir.servers.json")):
    if not re.search(rf"^      {variable}: ", servers["weir"], re.M):
        faults.append(f"deploy/compose.servers.yaml: weir is not given {variable}, which deploy/weir.servers.json asks for")
for host in re.findall(r"@(\w+):\d+/", plain(ROOT / "deploy/weir.servers.json")):
    if host not in servers:
        faults.append(f"deploy/compose.servers.yaml: there is no service {host}, which deploy/weir.servers.json names")

# The files that the deployment names.
service = (ROOT / "deploy/weir.service").read_text()
for name, text in (("Containerfile", container), ("weir.service", service)):
    for config in re.findall(r"/etc/weir/(\w+\.json)", text):
        if not (ROOT / "deploy" / config).is_file():
            faults.append(f"deploy/{name}: there is no deploy/{config}")
for compose in COMPOSED:
    for source in re.findall(r"^\s+- (\.\.?/[^:\s]+):", compose.read_text(), re.M):
        if not (ROOT / "deploy" / source).exists():
            faults.append(f"deploy/{compose.name}: there is no {source}")
for name in ("weir.json", "weir.servers.json"):
    host_file = json.loads(plain(ROOT / "deploy" / name))
    for path in (host_file["data_directory"], host_file["plugins"]["directory"]):
        if path not in container:
            faults.append(f"deploy/Containerfile: does not make {path}, which deploy/{name} names")
# What the program is linked with and the image must have: one package for each client library.
for library, package in (("hiredis", "libhiredis0.14"), ("ssl", "libssl3"), ("soci_postgresql", "libsoci-postgresql4.0"), ("soci_sqlite3", "libsoci-sqlite3-4.0")):
    if package not in container:
        faults.append(f"deploy/Containerfile: {package} is missing, which weir needs for {library}")

# A network of its own cuts a host off from servers on the same machine, and everybody from its HTTP.
if re.search(r"^PrivateNetwork=(?!no$)", service, re.M):
    faults.append("deploy/weir.service: PrivateNetwork cuts off http.listen, /metrics, and a Redis or PostgreSQL on this machine")
if not re.search(r"^RestrictAddressFamilies=(?=.*\bAF_INET\b)(?=.*\bAF_INET6\b)", service, re.M):
    faults.append("deploy/weir.service: RestrictAddressFamilies leaves out AF_INET or AF_INET6, which http.listen and servers need")
if shutil.which("systemd-analyze"):
    with tempfile.TemporaryDirectory() as directory:
        unit = pathlib.Path(directory) / "weir.service"
        unit.write_text(service.replace("/usr/local/bin/weir", "/bin/true"))
        answer = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
        said = [line for line in answer.stderr.split("\n") if "weir.service" in line]
        faults += [f"deploy/{line.strip().removeprefix(directory + '/')}" for line in said]
else:
    unchecked.append("deploy/weir.service (needs systemd-analyze)")

for what in unchecked:
    print(f"not checked: {what}")
print("\n".join(faults) if faults else "the files of deploy/ are sound", file=sys.stderr if faults else sys.stdout)
sys.exit(1 if faults else 0)
