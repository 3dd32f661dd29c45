# SPDX-License-Identifier: Apache-2.0
"""An engine that is replaced answers first, and who only looks never notices that it was."""

import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading

import pytest
from conftest import BINARY, Answer, UnixConnection, alive, eventually, needs_root

SETTINGS = {"processes": {"web": {"cmd": "sleep", "args": "1000", "numprocesses": 3}}}
STUBBORN = {"cmd": "sh", "args": ["-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"],
            "graceful_timeout": 60}


def unread(client):
    """Bytes that wait in the socket."""
    return struct.unpack("i", fcntl.ioctl(client, termios.FIONREAD, b"\0" * 4))[0]


def connect(colony):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(20)
    client.connect(str(colony.socket))
    return client


def ask(method, path):
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()


def read_to_end(client):
    text = b""
    while piece := client.recv(1 << 20):
        text += piece
    return text


def fill(client, colony):
    """Asks for as much as the socket takes of answers; returns their number."""
    client.sendall(ask("GET", "/ping"))
    size = eventually(lambda: unread(client))
    client.sendall(ask("GET", "/ping") * 2000)
    seen = [-1, 0]
    while seen[0] != seen[1]:  # what is asked elsewhere meanwhile gives it its turns
        seen = [seen[1], unread(client)]
        for _ in range(5):
            colony.answers()
    assert seen[1] < 2000 * size, "an answer that nobody reads must not be taken"
    return seen[1] // size, size


def test_the_answer_to_an_upgrade_is_sent_before_the_engine_is_replaced(colony):
    """Even when the client is slow: here its socket is full just when that answer is due."""
    colony.start(SETTINGS)
    engine = colony.engine
    with connect(colony) as client:
        count, size = fill(client, colony)
    with connect(colony) as client:
        client.sendall(ask("GET", "/ping") * count + ask("POST", "/_upgrade"))
        eventually(lambda: unread(client) >= count * size)
        for _ in range(20):
            assert colony.answers()
        answers = read_to_end(client)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == count + 1
    assert answers.endswith(b'{"ok":true}')
    eventually(lambda: colony.engine != engine and colony.answers())


def test_the_answer_to_a_shutdown_is_sent_before_colony_ends(colony):
    colony.start(SETTINGS)
    with connect(colony) as client:
        count, size = fill(client, colony)
    with connect(colony) as client:
        client.sendall(ask("GET", "/ping") * count + ask("POST", "/_shutdown"))
        eventually(lambda: unread(client) >= count * size)
        answers = read_to_end(client)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == count + 1
    assert answers.endswith(b'{"ok":true}')
    assert colony.process.wait(20) == 0


@contextlib.contextmanager
def asked_all_the_time(colony, *questions):
    """Runs each `ctl` line again and again meanwhile: none may fail, and each is asked."""
    is_over = threading.Event()

    def repeat(question):
        count = 0
        while not is_over.is_set() or count == 0:
            colony.ctl(*question)
            count += 1

    with concurrent.futures.ThreadPoolExecutor(len(questions)) as pool:
        runs = [pool.submit(repeat, question) for question in questions]
        try:
            yield runs
        finally:
            is_over.set()
        for run in runs:
            run.result()


def pids(colony):
    """Of its processes, once all of them run."""
    eventually(lambda: all(s["state"] == "running" for s in colony.slots()))
    return {s["os_pid"] for s in colony.slots()}


def test_nobody_notices_thirty_upgrades(colony):
    colony.start(SETTINGS)
    before = pids(colony)
    looks = [("ps",), ("status", "web"), ("why", "web", "--json")]
    changes = [("scale", "web=3"), ("kill", "web", "CONT")]
    with asked_all_the_time(colony, *looks, *changes):
        for _ in range(30):
            assert colony.ctl("upgrade").stdout.endswith("upgraded\n")
    assert pids(colony) == before


def test_who_only_looks_does_not_notice_that_the_engine_is_killed(colony):
    colony.start(SETTINGS)
    pids(colony)
    with asked_all_the_time(colony, ("ps",), ("status", "web"), ("logs", "web")):
        for _ in range(10):
            engine = colony.engine
            os.kill(engine, signal.SIGKILL)
            eventually(lambda gone=engine: colony.engine != gone and colony.answers())


@contextlib.contextmanager
def dying(path, answers):
    """A colony whose engine dies after each of the answers, of which the last is its answer from
    then on; yields the requests it got."""
    requests = []

    def serve(server):
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with client:
                    requests.append(client.recv(65536))
                    client.sendall(answers[min(len(requests), len(answers)) - 1])

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=serve, args=[server], daemon=True)
        thread.start()
        yield requests
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def ctl(path, *args):
    return subprocess.run([BINARY, "ctl", "--endpoint", f"unix:{path}", *args],
                          capture_output=True, text=True, timeout=20)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"


def test_a_question_is_asked_again_until_all_of_the_answer_came(tmp_path):
    with dying(tmp_path / "s", [b"", b"HTTP/1.1 2", HEAD + b'["we', HEAD + b'["web"]']) as asked:
        result = ctl(tmp_path / "s", "processes")
    assert (result.returncode, result.stdout) == (0, "web\n")
    assert len(asked) == 4 and len(set(asked)) == 1


def test_a_question_is_asked_only_a_few_times(tmp_path):
    with dying(tmp_path / "s", [b""]) as asked:
        result = ctl(tmp_path / "s", "processes")
    assert (result.returncode, len(asked)) == (69, 8)
    assert result.stderr.endswith("it hung up: its log says why\n")


def test_what_has_been_printed_is_not_asked_for_again(tmp_path):
    with dying(tmp_path / "s", [HEAD + b"line"]) as asked:
        result = ctl(tmp_path / "s", "logs", "web")
    assert (result.returncode, result.stdout, len(asked)) == (69, "line", 1)


def test_what_changes_something_is_asked_once_only(tmp_path):
    with dying(tmp_path / "s", [b""]) as asked:
        result = ctl(tmp_path / "s", "stop", "web")
    assert (result.returncode, len(asked)) == (69, 1)
    assert result.stderr.endswith("it hung up: see `colony ctl ps` whether it was done\n")


def test_a_request_under_way_is_answered_before_an_upgrade(colony):
    colony.start(SETTINGS)
    engine = colony.engine
    with connect(colony) as slow:
        slow.sendall(b"POST /processes/web/_add HTTP/1.1\r\nHost: localhost\r\n")
        assert colony.http("POST", "/_upgrade").status == 200
        slow.sendall(b"Content-Length: 0\r\n\r\n")
        answer = read_to_end(slow)
    assert b'"numprocesses":4' in answer
    eventually(lambda: colony.engine != engine and len(colony.slots("web")) == 4)


def test_a_client_that_asks_nothing_does_not_keep_an_upgrade_from_happening(colony):
    colony.start(SETTINGS)
    engine = colony.engine
    with connect(colony):
        colony.ctl("upgrade")
        eventually(lambda: not alive(engine))
    assert colony.answers()


def test_who_waits_is_told_that_this_is_over(colony):
    colony.start({"processes": {"stubborn": STUBBORN}})
    eventually(lambda: colony.output("stubborn") == b"deaf\n")
    connection = UnixConnection(colony.socket)
    with contextlib.closing(connection):
        connection.request("POST", "/processes/stubborn/_stop?wait=true")
        colony.wait_state("stubborn", "stopping")
        colony.ctl("upgrade")
        response = connection.getresponse()
        answer = Answer(response, response.read())
    assert answer.status == 408
    assert answer.json()["reason"] == "cannot wait any longer for stubborn: slot 1 is stopping: " \
                                      f"uid {os.getuid()} over the unix socket"
    slot = colony.slot("stubborn")
    assert slot["state"] == "stopping"  # it goes on
    os.kill(slot["os_pid"], signal.SIGKILL)


# What is installed cannot be run


@pytest.fixture
def installed(colony):
    """A colony that was started from a file of its own."""
    return start_installed(colony, SETTINGS)


def start_installed(colony, settings):
    path = colony.folder / "bin" / "colony"
    path.parent.mkdir()
    shutil.copy(BINARY, path)
    colony.write(settings)
    with open(colony.log, "ab") as log:
        colony.process = subprocess.Popen([path, "serve", "--config", colony.config, "--state",
                                           colony.state], stdout=log, stderr=log)
    eventually(colony.answers)
    return path


def put(path, content, mode=0o755):
    """What an installation does: a new file in the place of the old one."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.chmod(mode)
    new.rename(path)


@pytest.mark.parametrize("spoil, why", [
    (pathlib.Path.unlink, "No such file or directory"),
    (lambda path: path.chmod(0o644), "Permission denied"),
    (lambda path: (path.unlink(), path.mkdir()), "Permission denied"),
], ids=["gone", "not executable", "a folder"])
def test_an_upgrade_to_what_cannot_be_run_is_refused_and_changes_nothing(colony, installed, spoil,
                                                                         why):
    engine = colony.engine
    spoil(installed)
    result = colony.ctl("upgrade", check=False)
    assert result.returncode == 1
    assert result.stderr == (f"colony ctl: cannot upgrade: cannot run {installed}: {why}: install "
                             "colony there\n")
    assert colony.engine == engine and colony.answers()


@pytest.mark.parametrize("content, why", [
    (b"\x7fELF, but not for long", "Exec format error"),
    (b"#!/bin/sh\necho it cannot begin >&2; exit 3\n", "ended with status 3: it cannot begin: mend that, or install one that can\n"),
    (b"#!/bin/sh\nkill -SEGV $$\n", "was ended by SIGSEGV"),
    (b"#!/bin/sh\nexec sleep 1000\n", "took too long"),
], ids=["no program", "an exit", "a crash", "a hang"])
def test_an_upgrade_to_what_cannot_go_on_is_refused_before_it_is_too_late(colony, installed, content, why):
    before = pids(colony)
    keeper, engine = colony.keeper, colony.engine
    put(installed, content)
    result = colony.ctl("upgrade", check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(f"colony ctl: cannot upgrade: {installed} cannot go on here: ")
    assert why in result.stderr
    assert (colony.keeper, colony.engine) == (keeper, engine)
    put(installed, pathlib.Path(BINARY).read_bytes())
    colony.ctl("upgrade")
    assert colony.engine != engine and colony.keeper == keeper == colony.process.pid
    assert pids(colony) == before


def test_an_upgrade_to_what_cannot_read_the_settings_in_force_is_refused(colony):
    colony.start(SETTINGS)
    engine = colony.engine
    (colony.state / "settings.json").write_text("what another version wrote")
    assert f"cannot read the settings in force, in {colony.state}: " in colony.ctl("upgrade", check=False).stderr
    assert colony.engine == engine


def test_who_asks_for_an_upgrade_is_told_that_nobody_is_back(colony, installed):
    before = pids(colony)
    put(installed, b"#!/bin/sh\ncase $* in *--check=1*) exit 0; esac\nexit 1\n")
    result = colony.ctl("upgrade", check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("colony ctl: cannot tell that colony at ")
    assert "its processes run" in result.stderr
    assert colony.process.wait(20) == 1
    assert all(alive(pid) for pid in before)
    colony.start(SETTINGS)
    assert pids(colony) == before


@needs_root
def test_an_engine_that_may_not_look_leaves_it_to_the_keeper(colony):
    colony.folder.chmod(0o711)
    installed = start_installed(colony, {"user": "nobody", **SETTINGS})
    before = pids(colony)
    installed.parent.chmod(0o700)
    for is_there in (True, False):
        if not is_there:
            installed.unlink()
        engine = colony.engine
        colony.ctl("upgrade")
        eventually(lambda gone=engine: colony.engine != gone and colony.answers())
    assert f"cannot upgrade: cannot run {installed}: No such file" in colony.log.read_text()
    assert pids(colony) == before


@needs_root
def test_under_user_what_nobody_may_run_is_refused(colony):
    colony.folder.chmod(0o711)
    installed = start_installed(colony, {"user": "nobody", **SETTINGS})
    for mode in (0o600, 0o700):  # the keeper may run that, no engine
        installed.chmod(mode)
        assert "Permission denied: install colony there" in colony.ctl("upgrade", check=False).stderr
