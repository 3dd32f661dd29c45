# SPDX-License-Identifier: Apache-2.0
"""How a process tells that it is ready, and what happens when it does not."""

import os
import pathlib
import shutil
import signal
import socket
import time

import pytest

from conftest import alive, eventually, needs_root

NOTIFY = """
import os, socket, sys, time
def tell(text):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
"""


def python(code, **more):
    return {"cmd": "python3", "args": ["-c", NOTIFY + code], **more}


def test_notify(colony):
    gate = colony.folder / "gate"
    colony.start({"processes": {"it": python(
        f"tell('STATUS=warming up')\nwhile not os.path.exists('{gate}'): time.sleep(0.02)\n"
        "tell('READY=1\\nSTATUS=here I am\\nMAINPID=1')\ntime.sleep(1000)", ready="notify")}})
    eventually(lambda: colony.slot("it")["status"] == "warming up")
    assert colony.slot("it")["state"] == "running"
    gate.touch()
    colony.wait_state("it", "ready")
    eventually(lambda: colony.slot("it")["status"] == "here I am")


def test_what_may_have_been_said_while_nobody_listened_is_told(colony):
    settings = {"processes": {"it": python("time.sleep(1000)", ready="notify")}}
    colony.start(settings)
    pid = colony.wait_state("it", "running")["os_pid"]
    colony.kill_both()
    colony.start(settings)
    assert colony.wait_state("it", "running")["os_pid"] == pid
    assert "it.1 may have said that it is ready while nobody could hear it: pid " in colony.log.read_text()


@pytest.mark.skipif(not shutil.which("systemd-notify"), reason="no systemd-notify here")
def test_systemd_notify_is_understood_its_barrier_too(colony):
    colony.start({"processes": {"it": {
        "shell": True, "cmd": "systemd-notify --ready --status=fine && exec sleep 1000",
        "ready": "notify"}}})
    colony.wait_state("it", "ready")
    assert colony.slot("it")["status"] == "fine"


@needs_root
def test_notify_of_a_process_of_another_user(colony):
    os.chmod(colony.folder, 0o755)
    colony.start({"processes": {"it": python("tell('READY=1')\ntime.sleep(1000)", ready="notify",
                                             uid="nobody")}})
    colony.wait_state("it", "ready")


@needs_root
def test_nobody_else_can_say_that_it_is_ready(colony):
    colony.start({"processes": {"it": python("time.sleep(1000)", ready="notify", uid="nobody")}})
    pid = colony.wait_state("it", "running")["os_pid"]
    path = [e[14:] for e in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if e.startswith(b"NOTIFY_SOCKET=")][0]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"READY=1\nSTATUS=forged", path)
    time.sleep(0.3)  # nothing is to happen
    assert colony.slot("it")["state"] == "running" and colony.slot("it")["status"] == ""


def test_a_line_on_a_descriptor(colony):
    gate = colony.folder / "gate"
    colony.start({"processes": {"it": {
        "shell": True, "cmd": f"while [ ! -e {gate} ]; do sleep 0.02; done; echo >&3; exec sleep 1000",
        "ready": {"fd": 3}}}})
    colony.wait_state("it", "running")
    gate.touch()
    colony.wait_state("it", "ready")


def test_a_line_of_output_and_the_log_has_it_too(colony):
    colony.start({"processes": {"it": {
        "shell": True, "cmd": "echo starting; sleep 0.2; echo 'listening on 80'; exec sleep 1000",
        "ready": {"line": "^listening on [0-9]+$"}, "log": {"forward": True}}}})
    colony.wait_state("it", "ready")
    eventually(lambda: colony.output("it") == b"starting\nlistening on 80\n")
    eventually(lambda: "it: listening on 80" in colony.log.read_text())


def test_tcp(colony):
    gate = colony.folder / "gate"
    with socket.socket() as held:  # only who names its port is given it, too
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        colony.start({"processes": {"it": python(
            f"while not os.path.exists('{gate}'): time.sleep(0.02)\n"
            f"s = socket.create_server(('127.0.0.1', {port}))\n"
            "time.sleep(1000)", ready={"tcp": f"127.0.0.1:{port}", "interval": 0.1})}})
        colony.wait_state("it", "running")
        gate.touch()
        colony.wait_state("it", "ready")


def test_exec_runs_as_the_process_does(colony):
    gate = colony.folder / "gate"
    colony.start({"processes": {"it": {
        "cmd": "sleep 1000", "cwd": str(colony.folder), "env": {"WHAT": "gate"},
        "ready": {"exec": "sh -c 'test -e $WHAT'", "interval": 0.1}}}})
    colony.wait_state("it", "running")
    time.sleep(0.3)  # some tries that fail
    assert colony.slot("it")["state"] == "running"
    gate.touch()
    colony.wait_state("it", "ready")
    assert colony.http("GET", "/processes").json() == ["it"]
    assert len(colony.slots()) == 1


def test_an_exec_that_hangs_is_killed_and_tried_again(colony):
    once = colony.folder / "once"
    colony.start({"processes": {"it": {
        "cmd": "sleep 1000",
        "ready": {"exec": f"sh -c 'mkdir {once} || exit 0; exec sleep 777'", "interval": 0.1,
                  "try": 0.5}}}})
    colony.wait_state("it", "ready")
    marks = [p for p in os.listdir("/proc") if p.isdigit() and b"777" in _cmdline(p)
             and str(once).encode() in _environ(p)]
    assert not marks


def _cmdline(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _environ(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def test_a_delay(colony):
    colony.start({"processes": {"it": {"cmd": "sleep 1000", "ready": {"delay": "300ms"}}}})
    assert colony.wait_state("it", "ready")["uptime"] > 0.29


def test_one_that_is_not_ready_in_time_fails_and_is_restarted_by_the_policy(colony):
    colony.start({"processes": {"it": {
        "cmd": "sleep 1000", "ready": {"exec": "false", "interval": 0.1}, "start_timeout": 0.4,
        "restart": {"attempts": 2, "window": 30}}}})
    slot = colony.wait_state("it", "failed")
    assert slot["cause"] == "died too often: stays down until somebody starts it"
    assert "was not ready within 0.4 s" in colony.log.read_text()


def test_extend_timeout_gives_it_more_time(colony):
    colony.start({"processes": {"it": python(
        "tell('EXTEND_TIMEOUT_USEC=30000000')\ntime.sleep(4)\ntell('READY=1')\ntime.sleep(1000)",
        ready="notify", start_timeout=3)}})  # python itself may take a second to start
    assert colony.wait_state("it", "ready")["restarts"] == 0


def test_a_watchdog_that_is_not_told_restarts_it(colony):
    colony.start({"processes": {
        "dead": python("tell('READY=1')\ntime.sleep(1000)", ready="notify", watchdog=0.4),
        "well": python("assert os.environ['WATCHDOG_USEC'] == '1000000'\ntell('READY=1')\n"
                       "while True: tell('WATCHDOG=1'); time.sleep(0.2)", ready="notify",
                       watchdog=1),
        "asks": python("tell('READY=1')\nif os.path.exists('asked'): time.sleep(1000)\n"
                       "open('asked', 'w')\ntell('WATCHDOG=trigger')\ntime.sleep(1000)",
                       ready="notify", watchdog=60, cwd=str(colony.folder))}})
    well = colony.wait_state("well", "ready")["os_pid"]
    eventually(lambda: colony.slot("dead")["restarts"] >= 2)
    eventually(lambda: colony.slot("asks")["restarts"] == 1)
    assert colony.slot("well")["os_pid"] == well
    assert "did not tell its watchdog for 0.4 s" in colony.log.read_text()


@pytest.mark.parametrize("kill", ["engine", "both"])
def test_readiness_outlives_a_kill(colony, kill):
    gate = colony.folder / "gate"
    colony.start({"processes": {
        "was": python("tell('READY=1')\ntime.sleep(1000)", ready="notify"),
        "gets": python(f"while not os.path.exists('{gate}'): time.sleep(0.02)\n"
                       "tell('READY=1')\ntime.sleep(1000)", ready="notify"),
        "line": {"shell": True, "cmd": "echo up; exec sleep 1000", "ready": {"line": "up"}}}})
    was = colony.wait_state("was", "ready")["os_pid"]
    line = colony.wait_state("line", "ready")["os_pid"]
    gets = colony.wait_state("gets", "running")["os_pid"]
    if kill == "engine":
        engine = colony.engine
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: colony.engine != engine and colony.answers())
    else:
        colony.kill_both()
        colony.start(colony.config.read_text())
    assert colony.wait_state("was", "ready")["os_pid"] == was
    assert colony.wait_state("line", "ready")["os_pid"] == line
    assert colony.wait_state("gets", "running")["os_pid"] == gets
    gate.touch()
    colony.wait_state("gets", "ready")
    assert alive(gets)


def test_a_restarted_process_is_not_ready_by_its_predecessors_word(colony):
    colony.start({"processes": {"it": python(
        "first = not os.path.exists('ran')\nopen('ran', 'w')\n"
        "for i in range(50 if first else 0): tell('READY=1')\n"
        "sys.exit(1) if first else time.sleep(1000)", ready="notify", cwd=str(colony.folder))}})
    eventually(lambda: colony.slot("it")["restarts"] == 1)
    colony.wait_state("it", "running")
    time.sleep(0.3)  # nothing is to happen
    assert colony.slot("it")["state"] == "running"
