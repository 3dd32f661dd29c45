# SPDX-License-Identifier: Apache-2.0
"""`colony rpc serve` for tests: a daemon of a program that a test writes."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap

import pytest

from conftest import BINARY, alive, eventually
from rpc_fake import rpc

# Says hello, then answers by a table of functions. What a test wants else is put before `go()`.
PROGRAM = """
import json, os, signal, sys, time
values, methods = {}, {}
def say(**line):
    sys.stdout.write(json.dumps(line) + "\\n"); sys.stdout.flush()
def hello(**more):
    say(id="h", method="hello", params={"methods": sorted(methods), "attributes": sorted(values), **more})
def go():
    for text in sys.stdin:
        line = json.loads(text)
        if "method" not in line:
            continue
        name, given = line["method"], line["params"]
        try:
            if name == "getattr":
                result = values[given[0]]
            elif name == "setattr":
                result = values.__setitem__(*given)
            else:
                result = methods[name](**given) if isinstance(given, dict) else methods[name](*given)
            if result is not Ellipsis:
                say(id=line["id"], result=result)
        except Exception as error:
            say(id=line["id"], error={"message": str(error), "data": {"type": type(error).__name__}})
"""


class Daemon:
    def __init__(self, folder, runtime):
        self.folder = pathlib.Path(folder)
        self.runtime = runtime
        self.state = self.folder / "state"
        self.log = self.folder / "log"
        self.name = "Pot"
        self.process = None

    def write(self, text):
        path = self.folder / "program.py"
        path.write_text(PROGRAM + textwrap.dedent(text))
        return [sys.executable, str(path)]

    def start(self, program, *args, wait=True, **popen):
        command = program if isinstance(program, list) else self.write(program)
        env = {**os.environ, "COLONY_RUNTIME_DIR": str(self.runtime), "POT": "of tea"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "rpc", "serve", "--name", self.name, "--state", str(self.state), *args, "--",
                 *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, **popen)
        if wait:
            eventually(lambda: self.process.poll() is not None or self.entry(), what="serving")
            assert self.process.poll() is None, self.log.read_text()
        return self

    def entry(self):
        found = json.loads(rpc("ls", "--json", runtime=self.runtime).stdout)
        return next((entry for entry in found if entry["name"] == self.name), None)

    def ask(self, action, *args, **more):
        return rpc(action, "--timeout", "15", self.name, *args, runtime=self.runtime, **more)

    def get(self, attribute):
        told = self.ask("get", attribute, "--json")
        assert told.returncode == 0, told.stderr + self.log.read_text()
        return json.loads(told.stdout)

    def call(self, method, *args):
        told = self.ask("call", method, "--json", *args)
        assert told.returncode == 0, told.stderr + self.log.read_text()
        return json.loads(told.stdout)

    def ctl(self, *args):
        return subprocess.run([BINARY, "ctl", "--state", str(self.state), *args], capture_output=True,
                              text=True, timeout=60)

    @property
    def program(self):
        return json.loads(self.ctl("ps", "--json").stdout)[0]["os_pid"]

    @property
    def engine(self):
        return self.entry()["pid"]

    @property
    def keeper(self):
        return int((self.state / "lock").read_text())

    def said(self):
        return self.log.read_text(errors="replace")

    def clear(self):
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.keeper, signal.SIGTERM)
            eventually(lambda: not alive(self.keeper), 15)
        with contextlib.suppress(Exception):
            self.process.kill()
            self.process.wait(10)
        with contextlib.suppress(OSError, AssertionError):
            mark = b"ID=" + (self.state / "instance").read_bytes() + b"/"
            for pid in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    if mark in pathlib.Path(f"/proc/{pid}/environ").read_bytes():
                        os.kill(int(pid), signal.SIGKILL)


@pytest.fixture
def daemon():
    folder = tempfile.mkdtemp(prefix="colony-rpc-")
    one = Daemon(folder, pathlib.Path(folder) / "run")
    yield one
    one.clear()
    text = one.said() if one.log.exists() else ""
    shutil.rmtree(folder, ignore_errors=True)
    assert "Sanitizer" not in text and "runtime error:" not in text, text


STIR = """
values.update(heat=20, pst_turns=0)
def stir(times=1, *, way="left"):
    values["pst_turns"] += times
    return f"{times} to the {way}"
def fail(): raise ValueError("too hot")
def where(): return [os.getcwd(), os.environ.get("POT"), sys.argv[1:]]
def pid(): return os.getpid()
methods.update(stir=stir, fail=fail, where=where, pid=pid)
"""
