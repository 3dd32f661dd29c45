# SPDX-License-Identifier: Apache-2.0
"""/ping of the daemon endpoint: OK, or 500 and the one reason."""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from conftest import eventually, needs_root
from daemons import ask, datagram, send, start

SLEEP = {"cmd": "sleep 1000"}


def pong(port):
    answer = ask(port, "GET", "/ping")
    if answer.status == 200:
        assert answer.body == b"OK\n"
        return "OK"
    assert answer.status == 500 and answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"message", "result"} and answer.json()["result"] is False
    return answer.json()["message"]


def test_a_critical_template_must_run(colony):
    port = start(colony, {"processes": {"web": {**SLEEP, "critical": True},
                                        "other": {**SLEEP, "start": False}}})
    colony.wait_state("web", "running")
    assert pong(port) == "OK"
    colony.ctl("stop", "web")
    assert pong(port).startswith("web.1 is critical and does not run: it is stopped")
    colony.ctl("start", "web")
    colony.wait_state("web", "running")
    assert pong(port) == "OK"


def test_all_processes_of_it_must_run(colony):
    port = start(colony, {"processes": {"web": {**SLEEP, "numprocesses": 3, "critical": True,
                                                "restart": "never"}}})
    for number in (1, 2, 3):
        colony.wait_state("web", "running", number)
    assert pong(port) == "OK"
    os.kill(colony.slot("web", 2)["os_pid"], signal.SIGKILL)
    eventually(lambda: "web.2 is critical and does not run" in pong(port))


def test_one_that_cannot_be_spawned_says_why(colony):
    port = start(colony, {"processes": {"web": {"cmd": "/nonexistent/web", "critical": True}}})
    eventually(lambda: "No such file or directory" in pong(port))


def test_one_that_has_no_process_does_not_run(colony):
    port = start(colony, {"processes": {"web": {**SLEEP, "numprocesses": 0, "critical": True}}})
    assert pong(port) == "web is critical and has no process"


def test_what_is_critical_can_change_without_a_restart(colony):
    settings = {"master": {"host": "::", "port": 0}, "processes": {"web": {**SLEEP, "start": False}}}
    port = start(colony, settings)
    assert pong(port) == "OK"
    settings["processes"]["web"]["critical"] = True
    colony.write(settings)
    colony.ctl("reload")
    assert "web.1 is critical" in pong(port)


def test_a_full_queue_is_told_and_so_are_those_who_send(colony):
    port = start(colony, {"events": {"handlers": [{"exec": "sleep 1000", "timeout": 1000}],
                                     "insecure": True, "max_events": 3}})
    answers = [send(port, "1") for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 503, 503]
    assert answers[-1].json()["result"] is False and answers[-1].headers["Retry-After"] == "1"
    assert pong(port).startswith("the queue of events is full")


@needs_root
def test_a_store_that_cannot_be_written_is_told(colony):
    folder = colony.state / "engine"
    folder.mkdir(parents=True, mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "colony-test",
                              folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        port = start(colony, {"processes": {"web": SLEEP}})
        assert pong(port) == "OK"
        with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        colony.http("POST", "/processes", json.dumps({**SLEEP, "name": "new", "junk": "x" * 100000}))
        assert pong(port).startswith("the store has trouble: ")
        (folder / "filler").unlink()
        assert colony.http("POST", "/processes/web/_scale/3").status == 200
        eventually(lambda: pong(port) == "OK")
    finally:
        colony.stop()
        subprocess.run(["umount", "-l", folder], check=True)


def stop_where(engine):
    """Stops it; the system call that it is in."""
    os.kill(engine, signal.SIGSTOP)
    folder = pathlib.Path(f"/proc/{engine}")
    eventually(lambda: "State:\tT" in (folder / "status").read_text(), what="stopped")
    return (folder / "syscall").read_text().split()[0]


def wait_where(engine):
    """The system call in which it waits, once it is through with what it was asked."""
    folder = pathlib.Path(f"/proc/{engine}")
    eventually(lambda: "State:\tS" in (folder / "status").read_text(), what="idle")
    return (folder / "syscall").read_text().split()[0]


def test_a_colony_that_was_held_up_says_so(colony):
    """Who is stopped while he waits for something to do, or just begins with it, was not."""
    port = start(colony)
    assert pong(port) == "OK"
    engine = colony.engine
    waits = wait_where(engine)

    def hold_up():
        while stop_where(engine) == waits:
            os.kill(engine, signal.SIGCONT)
            for _ in range(50):
                datagram(port, b'"%s"' % (b"x" * 900))
        with pytest.raises(TimeoutError):
            ask(port, "GET", "/ping", timeout=1.2)
        os.kill(engine, signal.SIGCONT)
        return any(re.fullmatch(r"colony was held up for [1-9]\d{3} ms of late", pong(port))
                   for _ in range(20))
    eventually(hold_up)


# A command.

def test_a_command_has_a_say(colony):
    flag = colony.folder / "bad"
    port = start(colony, {"ping": {"exec": f"sh -c 'test ! -e {flag} || "
                                           "{ echo no disk >&2; exit 4; }'"}})
    assert pong(port) == "OK"
    flag.touch()
    assert pong(port) == "`ping: exec` failed: exit status 4: no disk"
    flag.unlink()
    assert pong(port) == "OK"


@pytest.mark.parametrize("command, reason, timeout", [
    ("sleep 100", "`ping: exec` failed: took too long", "300ms"),
    ("/nonexistent/check", "No such file or directory", "20s"),
    ("sh -c 'kill -9 $$'", "`ping: exec` failed: exit status 137", "20s"),
])
def test_a_command_that_goes_wrong_is_told(colony, command, reason, timeout):
    port = start(colony, {"ping": {"exec": command, "timeout": timeout}})
    assert reason in pong(port)


def test_a_slow_command_holds_up_nobody_else(colony):
    port = start(colony, {"ping": {"exec": "sleep 2"}})
    with socket.create_connection(("::1", port), timeout=20) as peer:
        peer.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert send(port, "1").status == 200
        assert ask(port, "GET", "/status").status == 200
        peer.settimeout(0.1)
        with pytest.raises(TimeoutError):
            peer.recv(1)
        peer.settimeout(20)
        assert peer.recv(65536).endswith(b"OK\n")


def test_a_reload_changes_what_is_asked(colony):
    settings = {"master": {"host": "::", "port": 0}, "ping": {"exec": "true"}}
    port = start(colony, settings)
    assert pong(port) == "OK"
    settings["ping"]["exec"] = "false"
    colony.write(settings)
    colony.ctl("reload")
    assert pong(port) == "`ping: exec` failed: exit status 1"
