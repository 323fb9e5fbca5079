# SPDX-License-Identifier: Apache-2.0
"""What a crossing of the plugin ABI costs."""
import json
import subprocess


def measure(bench):
    done = subprocess.run([bench.build / "bin" / "bench_abi_crossing"], capture_output=True, text=True, check=True)
    for name, title in (("accessor_ns", "an ABI crossing: an accessor"), ("text_accessor_ns", "reading a text by JSON pointer"),
                        ("handler_call_ns", "a whole handler call"), ("change_ns", "stating a change, copied and checked")):
        bench.result(f"abi_{name}", [json.loads(done.stdout)[name]], title, "ns")
