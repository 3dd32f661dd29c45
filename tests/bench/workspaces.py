# SPDX-License-Identifier: Apache-2.0
"""Sessions: how long `session show` takes with many processes that run."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import look
from commands import TRUE, run_each
from contestants import ENVIRONMENT, Colony


class Workspace:
    def __init__(self, tools):
        self.tools = tools

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="workspace-", dir=self.tools.folder))
        self.run("init")
        return self

    def __exit__(self, *_):
        for path in (self.folder / "pid").glob("*.pid"):
            try:
                os.kill(int(path.read_text()), signal.SIGKILL)
            except (ProcessLookupError, ValueError):
                pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *args):
        return [str(self.tools.binary), "session", "-C", str(self.folder), *args]

    def run(self, *args):
        subprocess.run(self.command(*args), check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)


def show(bench):
    probe = bench.tools.program("probe")
    with Workspace(bench.tools) as workspace:
        for number in range(bench.scale.session):
            workspace.run("start", "--uri", f"exec://{probe}?number={number}")
        workspace.run("show")
        shown, nothing = run_each(bench.scale.samples, workspace.command("show"), TRUE)
    bench.add("session-show", Colony, look.median(shown))
    bench.add("session-show", "limit", look.median(nothing))
