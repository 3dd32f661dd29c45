# SPDX-License-Identifier: Apache-2.0
"""colony's own log when who reads it has stopped: nothing waits for it, and what is lost is told."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import threading

import pytest
from conftest import alive, eventually

CHATTY = {"processes": {"fails": {"cmd": "/bin/false", "numprocesses": 8,
                                  "restart": {"delay": "10ms", "max_delay": "10ms"}},
                        "web": {"cmd": "sleep 1000"}}}


class Reader(threading.Thread):
    """Reads all until nobody has the other end any more."""

    def __init__(self, fd):
        super().__init__(daemon=True)
        self.fd = fd
        self.text = ""
        self.start()

    def run(self):
        with contextlib.suppress(OSError):  # a terminal's end
            while piece := os.read(self.fd, 65536):
                self.text += piece.decode()


@pytest.fixture(params=["pipe", "terminal"], name="log")
def log_fixture(request):
    """The end that is read and the one that is written to."""
    ends = os.pipe() if request.param == "pipe" else pty.openpty()
    yield ends
    for fd in reversed(ends):
        os.close(fd)


def start(colony, settings, log):
    """As colony.start, with @log as its stderr."""
    colony.write(settings)
    colony.process = subprocess.Popen(
        [colony.binary, "serve", "--config", str(colony.config), "--state", str(colony.state)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log[1])
    eventually(lambda: colony.process.poll() is not None or colony.answers(), what="serving")
    assert colony.process.poll() is None


def make_full(log):
    """Nobody could write any more, whoever it is."""
    writer = os.open(f"/proc/self/fd/{log[1]}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 100 + b"\n")
    os.close(writer)


def lines_lost(text):
    return [int(count) for count in re.findall(r"(\d+) lines of this log were lost", text)]


def test_supervision_goes_on_while_nobody_reads_the_log(colony, log):
    start(colony, CHATTY, log)
    make_full(log)
    first = colony.wait_state("web", "running")["os_pid"]
    os.kill(first, signal.SIGKILL)
    eventually(lambda: colony.slot("web")["os_pid"] not in (None, first), what="another web")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers(), what="another engine")
    before = colony.slot("fails")["restarts"]
    eventually(lambda: colony.slot("fails")["restarts"] > before + 300, 200, what="many restarts")
    colony.ctl("stop", "web")
    assert colony.slot("web")["state"] == "stopped"
    reader = Reader(log[0])
    eventually(lambda: lines_lost(reader.text), what="the number of lines lost")
    assert colony.stop() == 0
    eventually(lambda: "stops all processes: asked by" in reader.text, what="its last words")


def test_an_end_and_an_upgrade_wait_for_no_reader(colony, log):
    start(colony, CHATTY, log)
    make_full(log)
    web = colony.wait_state("web", "running")["os_pid"]
    colony.ctl("upgrade")
    assert colony.slot("web")["os_pid"] == web
    assert colony.stop() == 0
    assert not alive(web)
