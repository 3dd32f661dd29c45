# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of processes, and what the supervised ones say of themselves."""

import contextlib
import os
import pathlib
import statistics
import struct
import time


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Records:
    """The file that probes append to (probe.c): pairs of a time in nanoseconds and a pid."""

    SIZE = struct.calcsize("qq")

    def __init__(self, folder):
        # In memory: a disk must not have a part in the times.
        self.path = pathlib.Path(folder) / "records"
        self.path.write_bytes(b"")

    @property
    def count(self):
        return os.stat(self.path).st_size // self.SIZE

    def read(self, start=0, end=None):
        with open(self.path, "rb") as file:
            file.seek(start * self.SIZE)
            data = file.read() if end is None else file.read((end - start) * self.SIZE)
        return list(struct.iter_unpack("qq", data[:len(data) // self.SIZE * self.SIZE]))

    def wait(self, count, seconds=120):
        """Until there are so many; looks seldom enough to leave the CPU to what is measured."""
        deadline = time.monotonic() + seconds
        while self.count < count:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"cannot go on: {self.count} of {count} starts after {seconds} s")
            time.sleep(0.001)


def wait_until(look, seconds=60, what="it"):
    deadline = time.monotonic() + seconds
    why = ""
    while True:
        try:
            result = look()
            if result:
                return result
        except (OSError, ValueError) as error:
            why = f": {error}"
        if time.monotonic() > deadline:
            raise TimeoutError(f"cannot go on: {what} did not come within {seconds} s{why}")
        time.sleep(0.005)


def children(pid):
    found = []
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def command(pid):
    """The name of what it runs, as in /proc/PID/comm; "" when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def is_alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def cpu_seconds(pids):
    """Of all threads, to the nanosecond: ticks are too coarse for so little."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def voluntary_switches(pids):
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    total += int(line.split()[1])
    return total


def pss_kib(pids):
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def busy_share(seconds):
    """What part of all CPUs' time others use, while we do nothing."""
    def read():
        fields = list(map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]))
        return sum(fields), fields[3] + fields[4]
    total, idle = read()
    time.sleep(seconds)
    total_after, idle_after = read()
    return 1 - (idle_after - idle) / max(1, total_after - total)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]


median = statistics.median
