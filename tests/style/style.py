#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a program can check: style.py ROOT. Prints one line a fault; ends with 1 where there is one."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
LINES_MAX = 400
# Files that are longer than that, each with the length that it must not outgrow.
LONGER = {"host/plugin/elf_file.cpp": 420}
CODE = {".h", ".hpp", ".c", ".cpp"}
FROZEN = "tests/abi/"  # kept as released, whatever the rules say today
# The only third-party headers that these folders' sources may name; everything else there belongs to Weir or to the standard library.
CLIENT_LIBRARIES = {
    "soci/": ("host/store/sqlite/", "host/store/postgresql/", "host/broker/embedded/", "benchmarks/"),
    "sqlite3.h": ("host/store/sqlite/", "host/broker/embedded/", "tests/"),
    "boost/dll": ("host/plugin/",),
    "boost/beast": ("host/http/",),
    "boost/asio": ("host/http/",),
    "CLI/": ("host/cli/",),
    "spdlog/": ("host/log/",),
    "hiredis/": ("host/broker/redis/", "tests/"),
    "valijson/": ("host/event/", "tests/"),
}
# Headers within an adapter that no other folder sees.
LIBRARY_HEADERS = {"host/http/acceptor.hpp", "host/http/connection.hpp", "host/http/loop.hpp", "host/store/sqlite/connection.hpp", "host/store/sqlite/statement.hpp", "host/store/postgresql/connection.hpp",
                   "host/store/postgresql/query.hpp"}
# What a folder's files may include of the host, besides their own folder; the build's walls say the same by what they link.
MAY_INCLUDE = {
    "host/log/": (),
    "host/event/": (),
    "host/http/": (),
    "host/broker/": ("event", "broker"),
    "host/broker/redis/": ("event", "broker", "log"),
    "host/store/": ("event", "store"),
    "host/plugin/": ("event", "store", "log", "plugin"),
    "host/engine/": ("event", "store", "broker", "plugin", "log", "engine"),
    "host/operations/": ("event", "store", "broker", "plugin", "engine", "log", "http", "operations"),
    "host/config/": ("event", "config"),
}
FOLDERS = {"event", "store", "broker", "plugin", "engine", "config", "cli", "log", "http", "operations"}
# Spelled so that this file passes its own check.
UNFINISHED = re.compile(r"\b(" + "TO" + "DO|" + "FIX" + "ME|" + "X" + r"XX)\b")
LATE_COLON = re.compile(r'TEST_CASE\("(?:(?!: )[^"\\]){64,}: ')
SLEEPS = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

faults = []


def fault(path, line, what):
    faults.append(f"{path}:{line}: {what}")


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def tracked():
    listing = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, check=False)
    if listing.returncode == 0:
        names = [name for name in listing.stdout.decode().split("\0") if name]
    else:  # an unpacked archive
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
    skip = ("build/", "data/", ".git/")
    return sorted(name for name in names if not name.startswith(skip) and (ROOT / name).is_file())


def check_includes(name, text):
    folder = next((key for key in sorted(MAY_INCLUDE, key=len, reverse=True) if name.startswith(key)), None)
    for match in INCLUDE.finditer(text):
        header = match[2]
        line = line_of(text, match.start())
        if name.startswith("sdk/include/") and match[1] == "<" and "/" in header and not header.startswith("weir/"):
            fault(name, line, f"<{header}>: the SDK includes only the standard library")
        if name.startswith("plugins/") and header.split("/")[0] in FOLDERS and match[1] == '"':
            fault(name, line, f'"{header}": a plugin includes nothing of the host')
        for library, places in CLIENT_LIBRARIES.items():
            if header.startswith(library) and not name.startswith(places):
                fault(name, line, f"<{header}> belongs to {', '.join(places)} alone")
            elif header.startswith(library) and name.startswith("host/") and name.endswith(".hpp") and name not in LIBRARY_HEADERS:
                fault(name, line, f"<{header}> in a header: client libraries appear in .cpp files only")
        if folder is not None and match[1] == '"' and "/" in header:
            first = header.split("/")[0]
            if first in FOLDERS and first not in MAY_INCLUDE[folder] and f"host/{first}/" != folder:
                fault(name, line, f'"{header}": {folder} may include {", ".join(MAY_INCLUDE[folder]) or "no other folder of the host"}')
            adapter = header.startswith(("broker/embedded/", "broker/redis/", "store/sqlite/"))
            if adapter and folder == "host/engine/":
                fault(name, line, f'"{header}": the engine sees interfaces, never an adapter')


def check_file(name):
    path = ROOT / name
    data = path.read_bytes()
    is_code = path.suffix in CODE
    if b"\0" in data or name.startswith("tests/samples/"):
        return
    text = data.decode("utf-8", "replace")
    if is_code or path.suffix in {".sh", ".py"} or name == ".ci/run":
        if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.split("\n", 3)[:3]):
            fault(name, 1, "no line SPDX-License-Identifier: Apache-2.0 at the top")
    if is_code:
        lines = text.count("\n")
        if lines > LONGER.get(name, LINES_MAX):
            fault(name, lines, f"{lines} lines: split it by concept ({LONGER.get(name, LINES_MAX)} at most)")
        check_includes(name, text)
        for match in LATE_COLON.finditer(text):
            fault(name, line_of(text, match.start()), "Catch2 2 indents a test's name behind its first ': '; so far to the right, a test that fails "
                  "prints its name for ever")
        if name.startswith(("host/", "sdk/", "plugins/")):
            for match in SLEEPS.finditer(text):
                fault(name, line_of(text, match.start()), "no sleeps in the product: wait for a condition with a deadline")
    if is_code or path.suffix in {".md", ".sh", ".py", ".cmake", ".txt", ".json"}:
        for match in UNFINISHED.finditer(text):
            fault(name, line_of(text, match.start()), f"{match[0]}: finish it, or say in words what is missing")
    if is_code and (text and not text.endswith("\n")):
        fault(name, text.count("\n") + 1, "no newline at the end")


def check_readmes(names):
    wanted = {".", "sdk", "host", "plugins", "contracts", "configs", "tests", "benchmarks", "deploy", "scripts", "docs", "docs/decisions",
              "cmake"}
    for name in names:
        parts = name.split("/")
        if parts[0] in {"host", "plugins"} and len(parts) > 2:
            wanted.add("/".join(parts[:2]))
        if parts[0] == "tests" and len(parts) > 2:
            wanted.add("/".join(parts[:2]))
    for folder in sorted(wanted):
        if (ROOT / folder).is_dir() and not (ROOT / folder / "README.md").is_file():
            fault(folder, 1, "the folder has no README.md: what it is, what it may include, where to begin reading")


names = tracked()
for each in names:
    if not each.startswith(FROZEN):
        check_file(each)
check_readmes(names)
print("\n".join(faults) if faults else f"{len(names)} files keep the house rules", file=sys.stderr if faults else sys.stdout)
sys.exit(1 if faults else 0)
