# SPDX-License-Identifier: Apache-2.0
"""What templates wait for before they start, and in which order they are stopped."""

import json
import subprocess
import time

import pytest

from conftest import BINARY, alive, eventually

SLEEP = {"cmd": "sleep", "args": "1000"}
JOB = {"shell": True, "restart": "never"}


def noting(colony, name, **more):
    """A process that notes in a file of all when it starts and when it is told to stop. Two that
    are started one after the other may write in any order."""
    notes = colony.folder / "notes"
    return {"shell": True,
            "cmd": f"trap 'echo -{name} >> {notes}; exit 0' TERM; echo +{name} >> {notes}; "
                   "while :; do sleep 0.05; done", **more}


def notes(colony):
    return (colony.folder / "notes").read_text().split()


def test_a_dependent_starts_once_its_dependency_is_started(colony):
    colony.start({"processes": {"web": {**SLEEP, "depends_on": "db"}, "db": SLEEP}})
    web, db = colony.wait_state("web", "running"), colony.wait_state("db", "running")
    assert db["id"] < web["id"]


def test_ready_is_waited_for(colony):
    gate = colony.folder / "gate"
    colony.start({"processes": {
        "web": {**SLEEP, "depends_on": {"db": "ready"}},
        "db": {"shell": True, "cmd": f"while [ ! -e {gate} ]; do sleep 0.02; done; echo here we go; "
                                     "exec sleep 1000", "ready": {"line": "^here we"}}}})
    colony.wait_state("db", "running")
    assert colony.slot("web")["state"] == "waiting"
    assert colony.slot("web")["cause"] == "waits for db to be ready: it is running"
    gate.touch()
    colony.wait_state("db", "ready")
    colony.wait_state("web", "running")


def test_completed_is_waited_for_and_a_job_that_is_done_stays_done(colony):
    gate = colony.folder / "gate"
    colony.start({"processes": {
        "web": {**SLEEP, "depends_on": {"migrate": "completed"}},
        "migrate": {**JOB, "cmd": f"while [ ! -e {gate} ]; do sleep 0.02; done"}}})
    colony.wait_state("migrate", "running")
    assert colony.slot("web")["state"] == "waiting"
    gate.touch()
    colony.wait_state("migrate", "completed")
    web = colony.wait_state("web", "running")
    colony.ctl("stop", "migrate")
    assert colony.slot("web")["os_pid"] == web["os_pid"]


def test_a_job_that_failed_keeps_those_who_need_it_waiting_and_says_so(colony):
    colony.start({"processes": {"web": {**SLEEP, "depends_on": {"migrate": "completed"}},
                                "migrate": {**JOB, "cmd": "exit 3"}}})
    colony.wait_state("migrate", "failed")
    assert colony.slot("web")["state"] == "waiting"
    why = colony.http("GET", "/why/web").json()
    assert why["waits"] == ["waits for migrate to complete: it is failed"]


def test_what_is_only_waited_for_holds_up_nobody_when_it_fails_or_is_not_there(colony):
    wait = {"condition": "completed", "needed": False}
    colony.start({"processes": {
        "web": {**SLEEP, "depends_on": {"migrate": wait, "nobody": {"needed": False}}},
        "migrate": {**JOB, "cmd": "sleep 0.3; exit 3"}}})
    colony.wait_state("web", "running")
    assert colony.slot("migrate")["state"] == "failed"


def test_shutdown_stops_dependents_before_what_they_depend_on(colony):
    colony.start({"processes": {
        "db": noting(colony, "db"), "cache": noting(colony, "cache", depends_on="db"),
        "web": noting(colony, "web", depends_on={"cache": {"when_down": "keep"}})}})
    eventually(lambda: len(notes(colony)) == 3)
    assert colony.stop() == 0
    assert notes(colony)[3:] == ["-web", "-cache", "-db"]


def test_stopping_a_dependency_stops_dependents_first_and_starting_it_brings_them_back(colony):
    colony.start({"processes": {
        "db": noting(colony, "db"), "cache": noting(colony, "cache", depends_on="db"),
        "web": noting(colony, "web", depends_on="cache")}})
    eventually(lambda: len(notes(colony)) == 3)
    colony.ctl("stop", "db")
    assert notes(colony)[3:] == ["-web", "-cache", "-db"]
    assert colony.slot("cache")["state"] == "waiting"
    assert colony.slot("cache")["cause"] == "waits for db to be started: it is stopped"
    assert colony.slot("web")["state"] == "waiting"
    colony.ctl("start", "db")
    colony.wait_state("web", "running")
    eventually(lambda: sorted(notes(colony)[6:]) == ["+cache", "+db", "+web"])


def test_restarting_a_dependency_restarts_dependents_around_it(colony):
    colony.start({"processes": {"db": noting(colony, "db"),
                                "web": noting(colony, "web", depends_on="db")}})
    eventually(lambda: len(notes(colony)) == 2)
    colony.ctl("restart", "db")
    eventually(lambda: notes(colony)[2:4] == ["-web", "-db"] and
               sorted(notes(colony)[4:]) == ["+db", "+web"])


def test_a_dependent_that_may_keeps_running(colony):
    colony.start({"processes": {
        "db": SLEEP, "web": {**SLEEP, "depends_on": {"db": {"when_down": "keep"}}}}})
    pid = colony.wait_state("web", "running")["os_pid"]
    colony.ctl("stop", "db")
    assert colony.slot("web")["os_pid"] == pid


def test_a_crash_of_a_dependency_touches_only_those_who_asked_for_it(colony):
    colony.start({"processes": {
        "db": SLEEP, "calm": {**SLEEP, "depends_on": "db"},
        "nervous": {**SLEEP, "depends_on": {"db": {"when_down": "restart"}}}}})
    nervous = colony.wait_state("nervous", "running")["os_pid"]
    calm = colony.wait_state("calm", "running")["os_pid"]
    colony.ctl("kill", "-9", "db")
    eventually(lambda: colony.slot("nervous")["os_pid"] not in (None, nervous))
    assert colony.slot("calm")["os_pid"] == calm


def test_dependents_of_one_that_failed_for_good_are_stopped(colony):
    gate = colony.folder / "gate"
    colony.start({"processes": {
        "db": {**JOB, "cmd": f"while [ ! -e {gate} ]; do sleep 0.02; done; exit 1"},
        "web": {**SLEEP, "depends_on": "db"}}})
    pid = colony.wait_state("web", "running")["os_pid"]
    gate.touch()
    colony.wait_state("web", "waiting")
    assert not alive(pid)


def test_two_dependents_are_both_down_before_their_dependency(colony):
    all_of_them = colony.folder / "notes"
    colony.start({"processes": {
        "db": noting(colony, "db"), "quick": noting(colony, "quick", depends_on="db"),
        "slow": {"shell": True, "depends_on": "db",
                 "cmd": f"trap 'until grep -qe -quick {all_of_them}; do sleep 0.05; done; sleep 0.5; "
                        f"echo -slow >> {all_of_them}; exit' TERM; echo +slow >> {all_of_them}; "
                        "while :; do sleep 0.05; done"}}})
    eventually(lambda: len(notes(colony)) == 3)
    colony.ctl("stop", "db")
    assert notes(colony)[3:] == ["-quick", "-slow", "-db"]


def test_the_wait_goes_on_in_an_engine_that_takes_over(colony):
    colony.start({"processes": {"web": {**SLEEP, "depends_on": "db"},
                                "db": {**SLEEP, "start": False}}})
    eventually(lambda: colony.slot("web")["state"] == "waiting")
    colony.kill_both()
    colony.start(colony.config.read_text())
    assert colony.wait_state("web", "waiting")["os_pid"] is None
    colony.ctl("start", "db")
    colony.wait_state("web", "running")


def test_dependents_that_run_are_left_alone_by_a_takeover(colony):
    colony.start({"processes": {"web": {**SLEEP, "depends_on": {"db": {"when_down": "restart"}}},
                                "db": SLEEP}})
    web, db = colony.wait_state("web", "running"), colony.wait_state("db", "running")
    colony.kill_both()
    colony.start(colony.config.read_text())
    assert colony.wait_state("web", "running")["os_pid"] == web["os_pid"]
    assert colony.wait_state("db", "running")["os_pid"] == db["os_pid"]


@pytest.mark.parametrize("processes, message", [
    ({"a": {**SLEEP, "depends_on": "b"}, "b": {**SLEEP, "depends_on": "c"},
      "c": {**SLEEP, "depends_on": "a"}}, "a → b → c → a"),
    ({"a": {**SLEEP, "depends_on": "a"}}, "a"),
    ({"a": {**SLEEP, "depends_on": "worke"}, "worker": SLEEP}, "worker"),
])
def test_circles_and_unknown_names_are_refused(colony, processes, message):
    colony.write({"processes": processes})
    result = subprocess.run([BINARY, "check", str(colony.config)], capture_output=True, text=True,
                            timeout=20)
    assert result.returncode == 78
    assert message in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_circle_over_http_is_refused_and_changes_nothing(colony):
    colony.start({"processes": {"a": SLEEP}})
    add = {"name": "b", "cmd": "sleep 1000", "depends_on": "a"}
    assert colony.http("POST", "/processes", json.dumps(add)).status == 200
    answer = colony.http("PUT", "/processes/a", json.dumps(
        {"cmd": "sleep 1000", "depends_on": "b"}))
    assert answer.status == 400 and "a → b → a" in answer.json()["reason"]
    assert "depends_on" not in colony.http("GET", "/processes/a").json() or \
        not colony.http("GET", "/processes/a").json()["depends_on"]


def test_a_dependency_that_comes_later_is_found(colony):
    colony.start({"processes": {"web": {**SLEEP, "depends_on": "db"}, "db": SLEEP}})
    colony.wait_state("web", "running")
    assert colony.http("DELETE", "/processes/db").status == 200
    colony.wait_state("web", "waiting")
    assert colony.slot("web")["cause"] == "waits for db, which does not exist"
    assert colony.http("POST", "/processes", json.dumps({"name": "db", **SLEEP})).status == 200
    colony.wait_state("web", "running")


def test_a_thousand_in_a_chain_all_start_and_all_stop(colony):
    count = 1000
    colony.start({"processes": {
        f"p{i}": {**SLEEP, **({"depends_on": f"p{i - 1}"} if i else {})} for i in range(count)}})
    eventually(lambda: colony.slot(f"p{count - 1}")["state"] == "running", 120)
    order = [s["id"] for s in sorted(colony.slots(), key=lambda s: int(s["name"][1:]))]
    assert order == sorted(order)
    before = time.monotonic()
    assert colony.stop(120) == 0
    assert time.monotonic() > before


def test_groups_are_seen_and_controlled(colony):
    colony.start({"processes": {"app:web": SLEEP, "app:worker": SLEEP, "other": SLEEP}})
    for name in ("app:web", "app:worker", "other"):
        colony.wait_state(name, "running")
    assert colony.http("GET", "/groups").json() == ["app"]
    assert colony.http("GET", "/groups/app").json() == ["app:web", "app:worker"]
    assert colony.http("POST", "/groups/app/_stop?wait=10").status == 200
    assert {s["name"]: s["state"] for s in colony.slots()} == {
        "app:web": "stopped", "app:worker": "stopped", "other": "running"}
    assert colony.http("POST", "/groups/app/_start?wait=10").status == 200
    assert colony.slot("app:web")["state"] == "running"
    assert colony.http("DELETE", "/groups/app").status == 200
    assert colony.http("GET", "/groups").json() == []
