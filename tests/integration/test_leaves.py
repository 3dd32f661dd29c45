# SPDX-License-Identifier: Apache-2.0
"""An engine that leaves: it ends without stopping anything, and the next one takes all over."""

import errno
import json
import os
import signal

import pytest

from conftest import alive, eventually
from driven import Driven

TEMPLATES = {"processes": {"web": {"cmd": "sleep", "args": "1000"},
                           "db": {"shell": True, "cmd": "while :; do echo $$; sleep 0.05; done"}}}


@pytest.fixture
def colony(make_colony):
    return make_colony(Driven)


def ended(colony):
    keeper = colony.keeper
    return lambda: eventually(lambda: not alive(keeper), what="the end of the keeper")


def leave(colony, how):
    wait = ended(colony)
    if how == "SIGTERM":
        os.kill(colony.keeper, signal.SIGTERM)
    elif how == "SIGTERM to the engine":
        os.kill(colony.engine, signal.SIGTERM)
    elif how == "ctl shutdown":
        colony.ctl("shutdown", check=False)
    else:
        colony.kill_both()
    wait()
    if colony.process:
        colony.process.wait(20)


HOWS = ["SIGTERM", "SIGTERM to the engine", "ctl shutdown", "kill -9 of both"]


@pytest.mark.parametrize("how", HOWS)
def test_what_runs_goes_on_and_a_second_serve_takes_all_over(colony, how):
    colony.start(TEMPLATES)
    colony.put("own")
    names = ("web", "db", "own")
    before = {name: colony.wait_state(name, "running") for name in names}
    leave(colony, how)
    assert all(alive(slot["os_pid"]) for slot in before.values())
    colony.start(TEMPLATES)
    colony.put("own")
    for name in names:
        slot = colony.wait_state(name, "running")
        assert (slot["os_pid"], slot["id"]) == (before[name]["os_pid"], before[name]["id"])
    if how != "kill -9 of both":
        assert colony.http("GET", "/ping").status == 200


@pytest.mark.parametrize("how", ["SIGTERM", "ctl shutdown"])
def test_it_ends_with_success(colony, how):
    colony.start(TEMPLATES)
    colony.wait_state("web", "running")
    process = colony.process
    leave(colony, how)
    assert process.returncode == 0
    assert "leaves its processes running" in colony.log.read_text()


def test_no_output_is_lost_meanwhile(colony):
    colony.start(TEMPLATES)
    pid = colony.wait_state("db", "running")["os_pid"]
    eventually(lambda: colony.output("db").count(b"\n") > 3)
    leave(colony, "SIGTERM")
    colony.start(TEMPLATES)
    lines = colony.output("db").count(b"\n")
    eventually(lambda: colony.output("db").count(b"\n") > lines + 3)
    assert set(colony.output("db").split()) == {str(pid).encode()}
    assert colony.slot("db")["output"] == "captured"


def test_what_was_stopped_stays_stopped(colony):
    colony.start(TEMPLATES)
    colony.wait_state("web", "running")
    colony.ctl("stop", "web")
    colony.wait_state("web", "stopped")
    leave(colony, "SIGTERM")
    colony.start(TEMPLATES)
    colony.wait_state("db", "running")
    assert colony.slot("web")["state"] == "stopped"


def test_a_process_that_ended_meanwhile_is_not_taken_for_another(colony):
    colony.start(TEMPLATES)
    pid = colony.wait_state("web", "running")["os_pid"]
    leave(colony, "SIGTERM")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    colony.start(TEMPLATES)  # whose parent it now is may take its time to reap it
    eventually(lambda: colony.wait_state("web", "running")["os_pid"] != pid)


def test_a_stop_that_was_under_way_is_gone_on_with(colony):
    colony.start()
    ready = colony.folder / "ready"
    colony.put("slow", shell=True, graceful_timeout=60,
               cmd=f"trap : TERM; touch {ready}; while :; do sleep 0.05; done")
    pid = colony.wait_state("slow", "running")["os_pid"]
    eventually(ready.exists)
    assert colony.http("POST", "/processes/slow/_stop").status == 200
    assert colony.slot("slow")["state"] == "stopping"
    colony.kill_both()
    assert alive(pid)
    colony.start()  # of settings that nobody has put yet: a grace of 10 s
    eventually(lambda: not alive(pid), what="the end of its stop")


@pytest.mark.parametrize("kill", ["engine", "both"])
def test_what_nobody_has_put_yet_is_left_alone_and_watched(colony, kill):
    colony.start()
    colony.put("own")
    colony.put("dead")
    pid = colony.wait_state("own", "running")["os_pid"]
    dead = colony.wait_state("dead", "running")["os_pid"]
    if kill == "engine":
        engine = colony.engine
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: not alive(engine))
        eventually(colony.answers)
    else:
        colony.kill_both()
        colony.start()
    assert alive(pid) and alive(dead)
    assert colony.http("GET", "/processes/own").status == 404
    os.kill(dead, signal.SIGKILL)
    colony.put("dead", start=False, restart="never")
    eventually(lambda: not colony.slot("dead")["os_pid"])
    colony.put("own", start=False)
    assert colony.wait_state("own", "running")["os_pid"] == pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: colony.slot("own")["os_pid"] not in (0, None, pid),
               what="a restart of what was put after it was taken over")


def test_what_is_found_by_its_mark_after_damage_is_left_alone_too(colony):
    colony.start()
    colony.put("own")
    pid = colony.wait_state("own", "running")["os_pid"]
    colony.kill_both()
    (colony.state / "table").write_bytes(b"nonsense")
    colony.start()
    assert "found own.1 again" in colony.log.read_text()
    colony.put("own", start=False)
    assert colony.wait_state("own", "running")["os_pid"] == pid


def test_a_serve_after_an_instance_was_asked_for_misses_no_table(colony):
    colony.start()
    instance = (colony.state / "instance").read_bytes()
    leave(colony, "SIGTERM")
    colony.start()
    assert (colony.state / "instance").read_bytes() == instance
    assert "table of processes" not in colony.log.read_text()


def test_what_nobody_puts_is_let_go(colony):
    colony.start()
    colony.put("own")
    pid = colony.wait_state("own", "running")["os_pid"]
    leave(colony, "SIGTERM")
    colony.start()
    colony.do("let-go-unclaimed")
    colony.put("own", start=False)
    assert colony.slot("own")["state"] == "stopped"
    assert alive(pid)


def test_a_template_of_a_session_is_not_recorded(colony):
    colony.start()
    colony.put("own", start=False)
    leave(colony, "SIGTERM")
    colony.start()
    assert colony.http("GET", "/processes/own").status == 404


def test_only_its_session_changes_a_template(colony):
    colony.start()
    colony.put("own")
    colony.wait_state("own", "running")
    body = json.dumps({"name": "own", "cmd": "true"})
    for method, path, text in (("PUT", "/processes/own", body), ("DELETE", "/processes/own", None),
                               ("POST", "/processes/own/_add", "1")):
        answer = colony.http(method, path, text)
        assert answer.status in (403, 409), (method, answer.status)
        assert "colony session" in answer.text, answer.text
    colony.ctl("stop", "own")
    colony.wait_state("own", "stopped")
    colony.do("drop", "own")
    assert colony.http("GET", "/processes/own").status == 404
    assert colony.ask("drop", "own")[0] == -errno.ENOENT


def test_a_change_counts_from_the_next_start_on(colony):
    colony.start()
    colony.put("own")
    pid = colony.wait_state("own", "running")["os_pid"]
    colony.put("own", cmd="sleep 2000")
    assert colony.slot("own")["os_pid"] == pid
    colony.ctl("restart", "own")
    again = eventually(lambda: colony.slot("own")["os_pid"] not in (0, None, pid) and
                       colony.wait_state("own", "running"))
    with open(f"/proc/{again['os_pid']}/cmdline", "rb") as file:
        assert file.read() == b"sleep\0" + b"2000\0"


def test_an_engine_that_does_not_leave_stops_what_it_adopted(make_colony):
    colony = make_colony(lambda folder: Driven(folder, leaves=False)).start()
    guest = colony.stranger()
    colony.put("guest", start=False)
    assert colony.adopt("guest", guest.pid) == (0, "")
    colony.wait_state("guest", "running")
    assert colony.stop() == 0
    assert guest.wait(20) == -signal.SIGTERM
