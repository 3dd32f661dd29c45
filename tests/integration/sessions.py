# SPDX-License-Identifier: Apache-2.0
"""A workspace of a session for each test, ended with all that it started."""

import os
import pathlib
import signal
import subprocess

import pytest

from conftest import BINARY, alive, eventually


class Session:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def run(self, *args, check=0, **run):
        """colony session -C FOLDER ARGS, whose exit code must be @check."""
        run.setdefault("timeout", 60)
        result = subprocess.run([BINARY, "session", "-C", str(self.folder), *map(str, args)],
                                capture_output=True, text=True, **run)
        assert result.returncode == check, (args, result.returncode, result.stdout, result.stderr)
        return result

    def start(self, uri, *args, **run):
        """Starts @uri and returns its name and pid."""
        told = self.run("start", "--uri", uri, *args, **run).stdout
        title, _, pid = told.removeprefix("started ").strip().partition(": pid ")
        return title.partition(" (")[2].rstrip(")") or title, int(pid)

    def read(self, path):
        file = self.folder / path
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def instance(self):
        return self.read(".colony/instance").strip()

    def marked(self):
        """{pid: COLONY_ID} of all that bears this session's mark."""
        found = {}
        start = f"COLONY_ID={self.instance()}/".encode()
        for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                for entry in path.read_bytes().split(b"\0"):
                    if self.instance() and entry.startswith(start) and alive(path.parent.name):
                        found[int(path.parent.name)] = entry.decode().partition("=")[2]
            except OSError:
                continue
        return found

    def end(self):
        """Again and again: what is killed may just have begun another one."""
        def are_gone():
            marked = self.marked()
            for pid in marked:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return not marked

        eventually(are_gone, what="the end of the session's processes")


@pytest.fixture
def session(tmp_path):
    session = Session(tmp_path)
    session.run("init")
    yield session
    session.end()
