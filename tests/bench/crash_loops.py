#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What N programs that die at once cost: CPU of keeper and engine, and how long `ctl ps` takes.

    tests/bench/crash_loops.py [--programs 200] [--seconds 60] [--binary build/colony]
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))
import conftest  # noqa: E402


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def schedstat_seconds(pid):
    """Nanoseconds on the CPU of all threads: ticks are too coarse for so little."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--binary", default=conftest.BINARY)
    options = parser.parse_args()
    conftest.BINARY = options.binary
    with tempfile.TemporaryDirectory(prefix="colony-bench-") as folder:
        colony = conftest.Colony(folder)
        try:
            colony.start({"processes": {f"p{i}": {"cmd": "/bin/false"}
                                        for i in range(options.programs)}})
            pids = {"keeper": colony.keeper, "engine": colony.engine}
            before = {name: schedstat_seconds(pid) for name, pid in pids.items()}
            began = time.monotonic()
            command, ps = [], []
            while time.monotonic() - began < options.seconds:
                time.sleep(0.5)
                asked = time.perf_counter()
                subprocess.run([options.binary, "ctl", "--state", str(colony.state), "ps"],
                               stdout=subprocess.DEVNULL, check=True)
                ps.append(time.perf_counter() - asked)
                asked = time.perf_counter()
                subprocess.run([options.binary, "version"], stdout=subprocess.DEVNULL, check=True)
                command.append(time.perf_counter() - asked)
            passed = time.monotonic() - began
            used = {name: schedstat_seconds(pid) - before[name] for name, pid in pids.items()}
            slots = colony.slots()
            print(json.dumps({
                "programs": options.programs, "seconds": round(passed, 1),
                "restarts": sum(s["restarts"] for s in slots),
                "cpu_percent": {n: round(u / passed * 100, 3) for n, u in used.items()},
                "ctl_ps_ms": {"p50": round(percentile(ps, 0.5) * 1000, 1),
                              "p99": round(percentile(ps, 0.99) * 1000, 1), "count": len(ps)},
                "colony_version_ms": {"p50": round(percentile(command, 0.5) * 1000, 1),
                                      "p99": round(percentile(command, 0.99) * 1000, 1)},
            }, indent=2))
        finally:
            colony.clear()


if __name__ == "__main__":
    main()
