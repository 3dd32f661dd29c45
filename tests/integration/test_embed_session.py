# SPDX-License-Identifier: Apache-2.0
"""Sessions by libcolony: the walk of examples/embed/session.c, and what programs see while a supervisor acts."""

import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from conftest import BINARY, eventually
from sessions import session  # noqa: F401 (a fixture)

BUILD = pathlib.Path(BINARY).parent
pytestmark = pytest.mark.skipif("/asan/" in BINARY or "/tsan/" in BINARY,
                                reason="a sanitizer wants to be loaded first")

SERVER = """
import socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen()
while True:
    server.accept()
"""


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 512)]


class Change(ctypes.Structure):
    _fields_ = [("alias", ctypes.c_char_p), ("restart", ctypes.c_int), ("shutdown", ctypes.c_int),
                ("cmdline", ctypes.POINTER(ctypes.c_char_p)), ("env", ctypes.POINTER(ctypes.c_char_p)),
                ("cwd", ctypes.c_char_p), ("state", ctypes.c_char_p)]


class Ended(ctypes.Structure):
    _fields_ = [("stopped", ctypes.c_size_t), ("killed", ctypes.c_size_t), ("left", ctypes.c_size_t)]


NO, YES = 1, 2


class Library:
    """A struct colony_session; a call is `library.start(…)`, without the session and the error."""

    def __init__(self, folder):
        self.lib = ctypes.CDLL(str(BUILD / "libcolony.so"))
        self.json = ctypes.CDLL("libcjson.so.1")
        self.json.cJSON_PrintUnformatted.restype = ctypes.c_char_p
        self.json.cJSON_PrintUnformatted.argtypes = [ctypes.c_void_p]
        self.json.cJSON_Delete.argtypes = [ctypes.c_void_p]
        self.session = ctypes.c_void_p()
        self.error = Error()
        folder = os.fsencode(folder)
        assert self.lib.colony_session_open(ctypes.byref(self.session), folder, None) == 0
        assert self.call("set_program", os.fsencode(BINARY)) == 0

    def call(self, name, *args):
        self.error = Error()
        rc = getattr(self.lib, f"colony_session_{name}")(self.session, *args, ctypes.byref(self.error))
        assert self.error.code == min(rc, 0), (name, rc, self.error.message)
        return rc

    def good(self, name, *args):
        rc = self.call(name, *args)
        assert rc >= 0, (name, rc, self.error.message)
        return rc

    def find(self, who):
        out = ctypes.c_void_p()
        self.good("find", who, ctypes.byref(out))
        text = self.json.cJSON_PrintUnformatted(out)
        self.json.cJSON_Delete(out)
        return json.loads(text)

    def supervisor(self):
        return self.lib.colony_session_supervisor(self.session)

    def close(self):
        self.lib.colony_session_close(self.session)


@pytest.fixture
def library(session):
    library = Library(session.folder)
    yield library
    session.run("deactivate")
    library.close()


@pytest.fixture
def port():
    with socket.socket() as one:  # held, so that only who names it is given it, too
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


def test_the_walk_of_the_example(session, tmp_path, port):
    program = tmp_path / "server.py"
    program.write_text(SERVER)
    walk = subprocess.run([BUILD / "embed" / "session", session.folder, f"exec://{sys.executable}?{program}&{port}",
                           "exec:///bin/sleep?600"],
                          env={**os.environ, "COLONY": BINARY}, capture_output=True, text=True, timeout=120)
    try:
        assert walk.returncode == 0, walk
        assert walk.stderr == ""
        lines = walk.stdout.splitlines()
        assert f"master.tws listens on 127.0.0.1:{port}: operative by 1.00" in lines
        assert lines.count("  master.tws is operative") == 2 # also when it has come back
        assert lines[-4] == "the session is active"
        assert lines[-1] == "the session is not active any more: stopped 2, left 0"
        told = json.loads(session.run("show", "--json").stdout)
        assert [one["state"] for one in told] == ["stopped", "stopped"]
        assert session.run("dependence", "list").stdout == "master.trader waits for master.tws:operative\n"
    finally:
        session.run("deactivate")
    assert not session.marked()


def test_activate_begins_one_supervisor_that_outlives_the_program(session, library):
    program = f"import test_embed_session as t; t.Library({str(session.folder)!r}).good('activate')"
    subprocess.run([sys.executable, "-c", program], cwd=pathlib.Path(__file__).parent, check=True, timeout=60)
    keeper = library.supervisor()
    assert keeper > 0
    assert library.good("activate") == 0
    assert library.supervisor() == keeper
    assert library.good("deactivate", None) == 0
    assert library.supervisor() == 0
    assert library.good("activate") == 1
    assert library.supervisor() not in (0, keeper)


def test_the_programs_own_children_and_handlers_are_left_alone(session, library):
    seen = []
    before = signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))
    try:
        child = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
        eventually(lambda: os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG), what="its end")
        eventually(lambda: seen, what="its signal")
        library.good("start", b"exec:///bin/sleep?600", None, None)
        library.good("activate")
        library.good("deactivate", None)
        library.good("stop", None, None)
        assert signal.getsignal(signal.SIGCHLD) not in (signal.SIG_DFL, signal.SIG_IGN, None)
        assert child.wait(timeout=10) == 7
        assert seen == [1]
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_activate_where_the_program_ignores_its_children(session, library):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        library.good("start", b"exec:///bin/sleep?600", None, None)
        assert library.good("activate") == 1
        assert library.supervisor() > 0
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_an_update_counts_for_the_supervisor_at_once(session, library):
    library.good("activate")
    library.good("start", b"exec:///bin/sleep?600", ctypes.byref(Change(alias=b"one")), None)
    pid = library.find(b"one")["pid"]
    words = (ctypes.c_char_p * 3)(b"/bin/sleep", b"601", None)
    library.good("update", b"one", ctypes.byref(Change(alias=b"uno", restart=YES, shutdown=YES, cmdline=words)))
    found = library.find(b"uno")
    assert (found["pid"], found["restart"], found["shutdown"]) == (pid, True, True)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: library.find(b"uno")["pid"] not in (None, pid), what="its restart")
    again = library.find(b"uno")["pid"]
    assert pathlib.Path(f"/proc/{again}/cmdline").read_bytes() == b"/bin/sleep\x00601\x00"
    library.good("update", b"uno", ctypes.byref(Change(restart=NO)))
    os.kill(again, signal.SIGKILL)
    eventually(lambda: library.find(b"uno")["state"] == "stopped", what="its end")


def test_a_child_waits_for_its_parent_and_deactivate_counts(session, library):
    both = Change(alias=b"parent", restart=YES, shutdown=YES)
    library.good("start", b"exec:///bin/sleep?600", ctypes.byref(both), None)
    library.good("start", b"exec:///bin/sleep?601", ctypes.byref(Change(alias=b"child", restart=YES, shutdown=YES)),
                 None)
    library.good("start", b"exec:///bin/sleep?602", ctypes.byref(Change(alias=b"other")), None)
    assert library.good("dependence_add", b"parent", b"child", None) == 1
    library.good("stop", b"parent", None)
    library.good("stop", b"child", None)
    library.good("activate")
    library.good("wait", b"child", b"alive", ctypes.c_uint64(30000))
    assert [(one["parent"], one["met"]) for one in library.find(b"child")["parents"]] == [("parent", True)]
    ended = Ended()
    library.good("deactivate", ctypes.byref(ended))
    assert (ended.stopped, ended.killed, ended.left) == (2, 0, 1)
    library.good("stop", None, ctypes.byref(ended))
    assert ended.stopped == 1


def test_a_session_file_that_is_nonsense_keeps_it_from_being_activated(session, library):
    (session.folder / "etc/session.yaml").write_text("period: [\n")
    assert library.call("activate") < 0
    assert b"etc/session.yaml:" in library.error.message
    (session.folder / "etc/session.yaml").write_text("")
