#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What N programs that die at once cost: CPU of keeper and engine over the first minute, and then how
long `ctl ps` takes, beside a command that asks nothing.

    tests/bench/crash_loops.py [--programs 200] [--seconds 60] [--questions 200] [--binary FILE]
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


def schedstat_seconds(pid):
    """Nanoseconds on the CPU of all threads: ticks are too coarse for so little."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def percentiles(values):
    ordered = sorted(values)
    return {f"p{share}": round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 1)
            for share in (50, 99)}


def run_ms(command):
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--questions", type=int, default=200)
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
            time.sleep(options.seconds)
            passed = time.monotonic() - began
            used = {name: schedstat_seconds(pid) - before[name] for name, pid in pids.items()}
            restarts = sum(s["restarts"] for s in colony.slots())
            command, ps = [], []
            while len(ps) < options.questions:
                ps.append(run_ms([options.binary, "ctl", "--state", str(colony.state), "ps"]))
                command.append(run_ms([options.binary, "version"]))
            print(json.dumps({
                "programs": options.programs, "seconds": round(passed, 1),
                "restarts": restarts,
                "cpu_percent": {n: round(u / passed * 100, 3) for n, u in used.items()},
                "cpu_percent_of_both": round(sum(used.values()) / passed * 100, 3),
                "ctl_ps_ms": percentiles(ps), "colony_version_ms": percentiles(command),
            }, indent=2))
        finally:
            colony.clear()


if __name__ == "__main__":
    main()
