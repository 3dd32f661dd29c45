# SPDX-License-Identifier: Apache-2.0
"""When calls fail, when descriptors run out, when colony is stopped for a while."""

import contextlib
import http.client
import json
import os
import pathlib
import resource
import signal
import socket
import time

import pytest

import faulty
from conftest import alive, children, eventually
from faulty import driver

SEED = int(os.environ.get("SEED", "1"))
SECONDS = float(os.environ.get("COLONY_FAULTS_SECONDS", "45"))
STOPPED_SECONDS = float(os.environ.get("COLONY_STOPPED_SECONDS", "2"))


@pytest.fixture
def faults(short_path):
    faulty.skip_under_sanitizers()
    run = driver.Faults(short_path, SEED)
    yield run
    run.stop()


def test_whatever_call_fails_colony_and_its_processes_go_on(faults):
    done, _ = faults.run(SECONDS)
    assert done > 20 and len(faults.ran) > 10


@pytest.mark.parametrize("action, role, kind, mode, count", [
    ("start", "engine", "alloc", "once", 4),  # a connection without memory is told so
    ("start", "engine", "fd", "once", 2),  # or without a descriptor
    ("logs", "engine", "open", "once", 2),  # a log that cannot be read is an answer that says so
    ("engine", "keeper", "fd", "once", 4),  # an engine that cannot be watched is not left running
    ("engine", "keeper", "watch", "once", 2),
    ("engine", "engine", "fd", "once", 8),  # the endpoint is opened again
    ("engine", "engine", "open", "once", 8),
    ("engine", "keeper", "open", "once", 30),  # a stream is offered until it could be opened
    ("waits", "engine", "watch", "once", 3),  # a pipe that cannot be watched is tried again
    ("exit", "keeper", "spawn", "once", 3),
    ("exit", "keeper", "alloc", "on", 1),
    ("rotate", "engine", "folder", "on", 1),
])
def test_the_first_calls_of_a_kind_fail(faults, action, role, kind, mode, count):
    faults.start()
    for first in range(1, count + 1):
        faults.run_case(driver.Case(action, role, kind, mode, first))


def test_what_a_story_is_made_of_is_freed_when_memory_runs_out(faults):
    faults.start()
    count = faults.measure(["history"])["history", "engine", "alloc"]
    for first in range(40, min(count, 70)):
        faults.run_case(driver.Case("history", "engine", "alloc", "once", first))


def test_what_was_added_is_not_forgotten_by_an_engine_that_lacks_memory(faults):
    faults.start()
    count = faults.measure(["engine"])["engine", "engine", "alloc"]
    for first in range(count - 330, count, 15):
        faults.run_case(driver.Case("engine", "engine", "alloc", "once", first))


@pytest.mark.parametrize("action", ["sub", "stop", "remove", "update"])
def test_what_was_changed_while_memory_was_short_is_not_forgotten(faults, action):
    faults.start()
    for first in range(1, 9):
        faults.run_case(driver.Case(action, "engine", "alloc", "once", first))
        faults.do("engine")
        faults.settle("engine")
    assert faults.ran[action, "engine", "alloc", "once"] == 8


def under_faults(colony, settings):
    control, env = faulty.prepare(colony.folder)
    colony.start(settings, env={**os.environ, **env})
    return control


def test_what_could_not_be_noted_on_a_full_disk_is_as_soon_as_there_is_room(colony):
    control = under_faults(colony, {"processes": {
        "many": {"cmd": "sleep 1000", "numprocesses": 80, "graceful_timeout": 5}}})
    eventually(lambda: all(slot["state"] == "running" for slot in colony.slots()), what="all up")
    notes = colony.state / "notes"
    stopped = max(colony.slots(), key=lambda slot: slot["id"])

    def noted():
        return len(notes.read_bytes().rstrip(b"\0"))

    before = noted()
    control.arm("engine", "write", "on", 1)  # its place among the notes is new: that takes room
    colony.http("POST", f"/processes/{stopped['id']}/_stop?stay_stopped=true")
    colony.wait_state("many", "stopped", stopped["slot"])
    assert noted() == before and "cannot note the state" in colony.log.read_text()
    control.disarm()
    eventually(lambda: noted() > before, what="it is noted")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers(), what="another engine")
    assert colony.slot("many", stopped["slot"])["state"] == "stopped"


@pytest.mark.parametrize("field", ["depends_on", "numprocesses"])
def test_a_change_that_lacks_memory_is_made_whole(colony, field):
    """Or it is refused: who is told that it was done has all of it."""
    control = under_faults(colony, {"processes": {"first": {"cmd": "sleep 1000", "start": False}}})
    value = {"depends_on": ["first"], "numprocesses": 3}[field]
    plain = {"name": "it", "cmd": "sleep 1000", "start": False}
    for nth in range(1, 120):
        assert colony.http("POST", "/processes", json.dumps(plain)).status == 200
        control.arm("engine", "alloc", "once", nth)
        status = 0
        with contextlib.suppress(http.client.HTTPException, OSError):
            status = colony.http("PUT", "/processes/it", json.dumps({**plain, field: value})).status
        seen = control.read("engine")["seen"]
        control.disarm()
        colony.http("POST", "/processes/it/_start")
        slots = colony.slots("it")
        if status == 200 and field == "numprocesses":
            assert len(slots) == 3, nth
        elif status == 200:
            assert slots[0]["state"] == "waiting", nth
        colony.http("DELETE", "/processes/it?wait=5")
        if status == 200 and seen < nth:
            return
    raise AssertionError("it takes more than 120 allocations")


def test_a_reload_that_lacked_memory_for_what_is_new_does_not_say_that_it_was_done(colony):
    old, new = {"old": {"cmd": "sleep 1000"}}, {"new": {"cmd": "sleep 1000"}}
    control = under_faults(colony, {"processes": old})
    for nth in range(1, 1000):
        colony.write({"processes": old | new})
        control.arm("engine", "alloc", "once", nth)
        status = 0
        with contextlib.suppress(http.client.HTTPException, OSError):
            status = colony.http("POST", "/_reload").status
        seen = control.read("engine")["seen"]
        control.disarm()
        if status == 200:
            assert "new" in {slot["name"] for slot in colony.slots()}, nth
        colony.write({"processes": old})
        assert colony.http("POST", "/_reload").status == 200
        if status == 200 and seen < nth:
            return


def test_a_start_whose_descriptors_do_not_reach_the_keeper_fails_and_is_tried_again(colony):
    colony.start({"processes": {"it": {
        "cmd": "sleep 1000", "start": False, "env": {"LARGE": "x" * 6000},  # more than a message takes
        "restart": {"delay": 0.05, "max_delay": 0.2}}}})
    soft, hard = resource.prlimit(colony.keeper, resource.RLIMIT_NOFILE)
    resource.prlimit(colony.keeper, resource.RLIMIT_NOFILE, (0, hard))
    assert colony.http("POST", "/processes/it/_start").status == 200
    eventually(lambda: "descriptors" in colony.slot("it")["failure"], what="it is told")
    resource.prlimit(colony.keeper, resource.RLIMIT_NOFILE, (soft, hard))
    colony.wait_state("it", "running")


def test_a_thousand_starts_that_fail_at_once_need_no_stack(colony):
    def small_stack():
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))

    colony.start({"processes": {"it": {
        "cmd": "sleep 1000", "start": False, "log": {"direct": True},
        "flapping": {"attempts": 1000, "window": 1000, "retry_in": 100, "max_retry": 5}}}},
        preexec_fn=small_stack)
    engine = colony.engine
    folder = colony.state / "log"
    folder.rmdir()
    folder.write_bytes(b"")
    colony.http("POST", "/processes/it/_start")
    slot = colony.wait_state("it", "backoff")
    assert slot["restarts"] >= 1000 and "Not a directory" in slot["failure"]
    assert colony.engine == engine


def test_processes_whose_templates_were_lost_with_the_database_live_on(colony):
    colony.start({"processes": {}})
    assert colony.http("POST", "/processes", '{"name": "it", "cmd": "sleep 1000"}').status == 200
    pid = colony.wait_state("it", "running")["os_pid"]
    engine = colony.engine
    os.kill(engine, signal.SIGSTOP)
    for name in ("colony.db-wal", "colony.db-shm"):
        (colony.state / "engine" / name).unlink()
    (colony.state / "engine" / "colony.db").write_bytes(os.urandom(8192))
    for _ in range(2):  # nor does the next engine stop them
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: colony.engine != engine and colony.answers(), what="a new engine")
        engine = colony.engine
        assert alive(pid)
    assert "it.1 is left alone" in colony.log.read_text()
    assert colony.http("POST", "/processes", '{"name": "it", "cmd": "sleep 1000"}').status == 200
    assert colony.wait_state("it", "running")["os_pid"] == pid
    assert colony.stop() == 0
    assert not alive(pid)


# Descriptors.

def cpu_seconds(*pids):
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def test_without_a_free_descriptor_colony_sleeps_answers_and_restarts(colony):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    colony.start({"processes": {"many": {
        "cmd": "sleep 1000", "numprocesses": 30}}}, preexec_fn=few)
    slots = eventually(lambda: (lambda states: "running" in states and
                                states <= {"running", "backoff"})(
                                    {s["state"] for s in colony.slots()}) and colony.slots())
    first = next(s for s in slots if s["state"] == "running")
    keeper, engine = colony.keeper, colony.engine
    with contextlib.ExitStack() as clients:
        for _ in range(60):
            client = clients.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(5)
            client.connect(str(colony.socket))
        began, used = time.monotonic(), cpu_seconds(keeper, engine)
        while time.monotonic() < began + 2:
            time.sleep(0.1)
        assert cpu_seconds(keeper, engine) - used < 0.2
        eventually(lambda: colony.http("GET", "/ping").status in (200, 503), what="an answer")
        os.kill(first["os_pid"], signal.SIGKILL)
        eventually(lambda: len([c for c in children_of(keeper) if c != engine]) ==
                   sum(s["state"] == "running" for s in slots), what="a restart")
    eventually(lambda: colony.answers(), what="an answer")
    eventually(lambda: colony.slot("many", first["slot"])["os_pid"] not in (None, first["os_pid"]))
    assert (colony.keeper, colony.engine) == (keeper, engine)


def children_of(pid):
    return [child for child in children(pid) if alive(child)]


# Stopped for a while.

PINGING = """
import os, socket, time
to = os.environ["NOTIFY_SOCKET"]
own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
own.connect("\\0" + to[1:] if to[0] == "@" else to)
own.send(b"READY=1")
while True:
    own.send(b"WATCHDOG=1")
    time.sleep(0.2)
"""


@pytest.mark.parametrize("who", [["keeper"], ["engine"], ["keeper", "engine"]], ids="+".join)
def test_nothing_is_restarted_because_colony_was_stopped_for_a_while(colony, who):
    colony.start({"processes": {
        "plain": {"cmd": "sleep 1000"},
        "pings": {"cmd": "/usr/bin/python3", "args": ["-c", PINGING], "ready": "notify",
                  "watchdog": 1},
        "crash": {"cmd": "sleep 1000"}}})
    for name, state in (("plain", "running"), ("pings", "ready"), ("crash", "running")):
        colony.wait_state(name, state)
    before = {s["name"]: s["os_pid"] for s in colony.slots()}
    pids = [getattr(colony, one) for one in who]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    os.kill(before["crash"], signal.SIGKILL)
    time.sleep(STOPPED_SECONDS)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: colony.slot("crash")["os_pid"] not in (None, before["crash"]))
    began = time.monotonic()
    while time.monotonic() < began + 1.5:  # should a watchdog bite after all
        for name in ("plain", "pings"):
            assert colony.slot(name)["os_pid"] == before[name]
            assert colony.slot(name)["restarts"] == 0
        time.sleep(0.1)
    assert [getattr(colony, one) for one in who] == pids
