# SPDX-License-Identifier: Apache-2.0
"""Log capture: how fast a program's output goes into files of 16 MB, of which 5 old ones are kept.

The program measures itself, from before its first write to after its last (writer.c): what is still in
the pipe then is a thousandth.
"""

import os
import shutil
import signal
import subprocess
import tempfile

import look
from contestants import Colony

SIZE = 16 << 20
KEPT = 5


def rate(records, size):
    records.wait(2)
    (began, _), (ended, _) = records.read(0, 2)
    return size / (ended - began) * 1e3  # bytes a nanosecond, as MB/s


class Writer:
    """The program on its own, its output piped into a command."""

    def __init__(self, bench, size):
        self.size = size
        self.folder = tempfile.mkdtemp(prefix="colony-bench-", dir=bench.tools.folder)
        self.records = look.Records(self.folder)
        self.command = [str(bench.tools.program("writer")), str(self.records.path), str(size)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, mover, **popen):
        """@mover starts the program itself, after its own arguments."""
        with subprocess.Popen([*mover, *self.command], **popen) as process:
            return self.finish(process)

    def run_into(self, mover):
        with subprocess.Popen(self.command, stdout=subprocess.PIPE) as process:
            with subprocess.Popen(mover, stdin=process.stdout, stderr=subprocess.DEVNULL):
                process.stdout.close()
                return self.finish(process)

    def finish(self, process):
        try:
            return rate(self.records, self.size)
        finally:
            for _, pid in self.records.read(0, 1):
                os.kill(pid, signal.SIGKILL)  # it waits, and what moved its output ends with it
            process.terminate()


def capture(bench):
    size = bench.scale.capture_bytes
    with Colony(bench.tools, "writer", size) as colony:
        colony.open(1)
        colony.start()
        bench.add("capture", Colony, rate(colony.records, size))
    for way, who in (("splice", "limit"), ("copy", "read+write loop")):
        with Writer(bench, size) as writer:
            mover = [str(bench.tools.program("capture")), way, f"{writer.folder}/log", str(SIZE),
                     str(KEPT)]
            bench.add("capture", who, writer.run(mover))
    if not bench.peers():
        return
    size = bench.scale.peer_capture_bytes
    if shutil.which("s6-log"):
        with Writer(bench, size) as writer:
            bench.add("capture", "s6-log", writer.run_into(
                ["s6-log", f"n{KEPT}", f"s{SIZE}", f"{writer.folder}/log"]))
    if shutil.which("svlogd"):
        with Writer(bench, size) as writer:
            with open(f"{writer.folder}/config", "w", encoding="utf-8") as file:
                file.write(f"s{SIZE}\nn{KEPT}\n")
            bench.add("capture", "svlogd", writer.run_into(["svlogd", writer.folder]))
