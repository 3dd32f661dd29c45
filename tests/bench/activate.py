# SPDX-License-Identifier: Apache-2.0
"""`colony session activate` of many: none of them runs, as after a reboot, then all of them do."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess

import look
from contestants import ENVIRONMENT, Colony


class Session(Colony):
    """A workspace of so many processes, by their files in etc alone."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.work = self.folder / "w"
        self.state = self.work / ".colony"

    def session(self, *arguments):
        subprocess.run([self.tools.binary, "session", "-C", self.work, *arguments],
                       env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL)

    def prepare(self, count):
        self.work.mkdir()
        self.session("init")
        for i in range(count):
            name = f"process-{i:04}"
            (self.work / "etc" / f"{name}.yaml").write_text(json.dumps(
                {"name": name, "cmdline": self.program, "restart": 1, "shutdown": 1}))

    def activate(self):
        """When it was asked, and when it returned."""
        began = look.now_ns()
        self.session("activate")
        return began, look.now_ns()

    def keeper(self):
        return int((self.state / "lock").read_text())

    def end_all(self):
        self.session("deactivate")

    def kill_all(self):
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.keeper(), signal.SIGKILL)

    def close(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.end_all()
        super().close()


def activate(bench):
    count = bench.scale.session
    with Session(bench.tools) as colony:
        colony.prepare(count)
        began, _ = colony.activate()
        colony.records.wait(count)
        last = max(when for when, _ in colony.records.read(0, count))
        bench.add("activate", Colony, (last - began) / 1e6)
        keeper = colony.keeper()
        os.kill(keeper, signal.SIGTERM)
        look.wait_until(lambda: not pathlib.Path(f"/proc/{keeper}").exists(),
                        what="the end of the supervisor")
        began, ended = colony.activate()
        bench.add("activate-again", Colony, (ended - began) / 1e6)
        assert len(colony.records.read()) == count, "none was started twice"
