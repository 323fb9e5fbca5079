#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents say about the tree is so: docs.py ROOT. Code shown in README.md is a built example, links lead somewhere,
shell commands name scripts that exist, and every name of a log line is listed in docs/operations.md. Ends with 1 where not."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
SKIP = ("build/", "data/", ".git/", "sdk/template/")
# <!-- docs/examples/hello/hello.cpp --> before a block of code: the block is that file below its licence.
SHOWN = re.compile(r"<!-- (docs/examples/\S+) -->\n```[a-z]*\n(.*?)\n```\n", re.S)
LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
SCRIPT = re.compile(r"(?<![\w/.])(scripts/[a-z-]+\.sh)")
LOGGED = re.compile(r'log::(?:debug|info|warn|error)\(\s*"([a-z_.]+)"|log::write\([^"]*"([a-z_.]+)"')

faults = []


def headings(text):
    """The anchors of a document's headings, as forges make them."""
    plain = re.sub(r"```.*?```", "", text, flags=re.S)
    found = set()
    for line in plain.split("\n"):
        if line.startswith("#"):
            words = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            found.add(words.replace(" ", "-"))
    return found


documents = sorted(path for path in ROOT.rglob("*.md") if not str(path.relative_to(ROOT)).startswith(SKIP))
for path in documents:
    name = path.relative_to(ROOT)
    text = path.read_text()
    for match in LINK.finditer(re.sub(r"```.*?```", "", text, flags=re.S)):
        target, _, anchor = match[1].partition("#")
        if re.match(r"[a-z]+:", match[1]):
            continue
        place = (path.parent / target).resolve() if target else path
        if not place.exists():
            faults.append(f"{name}: the link {match[1]} leads nowhere")
        elif anchor and place.suffix == ".md" and anchor not in headings(place.read_text()):
            faults.append(f"{name}: {match[1]}: there is no such heading")
    for match in SCRIPT.finditer(text):
        if not (ROOT / match[1]).is_file():
            faults.append(f"{name}: there is no {match[1]}")

readme = (ROOT / "README.md").read_text()
shown = SHOWN.findall(readme)
if not shown:
    faults.append("README.md: shows no plugin (<!-- docs/examples/... --> before a block of code)")
for file, code in shown:
    source = (ROOT / file).read_text().split("\n", 1)[1].rstrip("\n")
    if code != source:
        faults.append(f"README.md: the code under <!-- {file} --> is not that file's")
    if len(code.split("\n")) > 15:
        faults.append(f"README.md: the plugin from {file} has more than fifteen lines")
    if file not in {f"docs/examples/{m}" for m in re.findall(r"[\w-]+/[\w-]+\.c(?:pp)?", (ROOT / "docs/examples/CMakeLists.txt").read_text())}:
        faults.append(f"README.md: {file} is not built by docs/examples/CMakeLists.txt")

# Commands that `weir --help` shows stand in the README, and no others.
shown_commands = set()
for title, adders in re.findall(r'\{"([^"]*)", \{([^}]*)\}\}', (ROOT / "host/main.cpp").read_text()):
    if title:
        shown_commands |= set(re.findall(r"add_(\w+)", adders))
table = readme.split("## The commands")[1].split("\n## ")[0]
named = set(re.findall(r"`weir ([a-z]+)", table))
for command in sorted(shown_commands - named):
    faults.append(f"README.md: the table of commands lacks weir {command}")
for command in sorted(named - shown_commands):
    faults.append(f"README.md: there is no command weir {command}")

operations = (ROOT / "docs/operations.md").read_text()
lines = operations.split("## Log lines")[1].split("\n## ")[0]
listed = set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", lines, re.M))
logged = set()
for path in sorted((ROOT / "host").rglob("*.cpp")):
    for pair in LOGGED.findall(path.read_text()):
        logged.add(pair[0] or pair[1])
for event in sorted(logged - listed):
    faults.append(f"docs/operations.md: the log line {event} is not listed")
for event in sorted(listed - logged):
    faults.append(f"docs/operations.md: no source writes the log line {event}")

print("\n".join(faults) if faults else f"{len(documents)} documents agree with the tree", file=sys.stderr if faults else sys.stdout)
sys.exit(1 if faults else 0)
