# SPDX-License-Identifier: Apache-2.0
"""Settings, wishes and engines that change while something is under way."""

import json
import os
import signal

from conftest import alive, eventually

SLEEP = {"cmd": "sleep", "args": "1000"}
STUBBORN = {"cmd": "sh", "args": ["-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"],
            "ready": {"line": "up"}}


def post(colony, path, body=None, status=200):
    answer = colony.http("POST", path, json.dumps(body) if body is not None else None)
    assert answer.status == status, answer.text
    return answer


def add(colony, name, **settings):
    post(colony, "/processes", {"name": name, **settings})


def put(colony, name, **settings):
    answer = colony.http("PUT", f"/processes/{name}", json.dumps({"name": name, **settings}))
    assert answer.status == 200, answer.text


def delete(colony, name):
    assert colony.http("DELETE", f"/processes/{name}").status == 200


def kill_engine(colony):
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers(), what="a new engine")


def state(colony, name, number=1):
    return colony.slot(name, number)["state"]


def seen(colony, name, *events):
    """The events of @name so far that are among @events, oldest first."""
    rows = colony.http("GET", f"/history?name={name}&limit=200").json()
    return [(row["event"], row["to"]) for row in reversed(rows)
            if row["event"] in events or row["to"] in events]


# Settings.

def test_another_way_to_be_ready_replaces_the_one_under_way(colony):
    ways = [{"ready": {"line": "^never$"}}, {"ready": {"tcp": "127.0.0.1:1"}},
            {"ready": {"exec": "false"}}, {"ready": {"fd": 3}}, {"ready": {"notify": True}}, {}]
    colony.start()
    add(colony, "web", **SLEEP)
    engine = colony.engine
    for way in [*ways, *ways[-2::-1]]:
        before = colony.wait_state("web", "running")["os_pid"]
        put(colony, "web", **SLEEP, **way)
        eventually(lambda: colony.slot("web")["os_pid"] not in (None, before))
    assert colony.engine == engine


def test_an_update_that_needs_no_process_does_not_run_a_done_job_again(colony):
    colony.start()
    add(colony, "job", cmd="true", restart="never", numprocesses=2)
    for number in (1, 2):
        colony.wait_state("job", "completed", number)
    put(colony, "job", cmd="true", restart="never", numprocesses=2, graceful_timeout=3)
    post(colony, "/processes/job/_add?wait=10")
    colony.wait_state("job", "completed", 3)
    assert sorted(row["slot"] for row in colony.http("GET", "/history?name=job&limit=200").json()
                  if row["event"] == "spawn") == [1, 2, 3]


def test_what_no_longer_waits_starts(colony):
    colony.start()
    add(colony, "db", **SLEEP, start=False)
    add(colony, "web", **SLEEP, depends_on=["db"])
    colony.wait_state("web", "waiting")
    put(colony, "web", **SLEEP)
    colony.wait_state("web", "running")


def test_the_end_of_what_was_only_waited_for_opens_a_gate(colony):
    colony.start()
    add(colony, "db", **SLEEP, ready={"delay": 1000})
    add(colony, "web", **SLEEP, depends_on={"db": {"condition": "ready", "needed": False}})
    colony.wait_state("web", "waiting")
    delete(colony, "db")
    colony.wait_state("web", "running")


def test_fewer_processes_open_a_gate(colony):
    colony.start()
    add(colony, "db", **SLEEP, numprocesses=2)
    colony.wait_state("db", "running", 2)
    assert colony.http("DELETE", f"/processes/{colony.slot('db', 2)['id']}?stay_stopped=true").status == 200
    colony.wait_state("db", "stopped", 2)
    add(colony, "web", **SLEEP, depends_on=["db"])
    colony.wait_state("web", "waiting")
    post(colony, "/processes/db/_scale/1")
    colony.wait_state("web", "running")


def test_fewer_processes_do_not_touch_those_who_depend_on_the_rest(colony):
    colony.start()
    add(colony, "db", **SLEEP, numprocesses=3)
    add(colony, "web", **SLEEP, depends_on=["db"])
    before = colony.wait_state("web", "running")["os_pid"]
    post(colony, "/processes/db/_sub?wait=10")
    eventually(lambda: len(colony.slots("db")) == 2)
    post(colony, "/processes/db/_scale/0")
    eventually(lambda: not alive(before), what="web's end with the last of db")
    assert "without processes" in colony.wait_state("web", "waiting")["cause"]
    assert seen(colony, "web", "spawn", "stop_pid") == [("spawn", ""), ("stop_pid", "")]


def test_what_lacks_something_holds_up_no_others(colony):
    colony.start({"processes": {"other": SLEEP}})
    add(colony, "db", **SLEEP)
    add(colony, "web", **SLEEP, depends_on=["db"])
    delete(colony, "db")
    add(colony, "more", **SLEEP, depends_on=["other"])
    colony.wait_state("more", "running")
    colony.write({"processes": {"other": SLEEP, "new": SLEEP}})
    post(colony, "/_reload")
    colony.wait_state("new", "running")
    assert "db" in colony.slot("web")["cause"]


def test_a_dependent_that_is_removed_is_gone_before_what_it_needs_stops(colony):
    colony.start()
    add(colony, "db", **SLEEP)
    add(colony, "web", **STUBBORN, graceful_timeout=100, depends_on=["db"])
    web = colony.wait_state("web", "ready")["os_pid"]
    delete(colony, "web")
    post(colony, "/processes/db/_stop")
    assert alive(web) and state(colony, "db") == "running"
    os.kill(web, signal.SIGKILL)
    colony.wait_state("db", "stopped")
    assert not alive(web)


def test_what_is_removed_stops_after_those_who_need_it(colony):
    colony.start()
    add(colony, "db", **SLEEP)
    add(colony, "web", **STUBBORN, graceful_timeout=100, depends_on=["db"])
    db = colony.wait_state("db", "running")["os_pid"]
    web = colony.wait_state("web", "ready")["os_pid"]
    delete(colony, "db")
    eventually(lambda: state(colony, "web") == "stopping")
    assert alive(db)
    os.kill(web, signal.SIGKILL)
    eventually(lambda: not alive(db))
    assert not alive(web)
    assert "does not exist" in colony.wait_state("web", "waiting")["cause"]


def test_new_limits_hold_for_what_runs(colony):
    colony.start()
    add(colony, "old", **SLEEP)
    add(colony, "fat", **SLEEP)
    for name in ("old", "fat"):
        colony.wait_state(name, "running")
    put(colony, "old", **SLEEP, max_age=1)
    put(colony, "fat", **SLEEP, restart_above={"memory": 4096, "for": 0.1})
    eventually(lambda: "max_age" in str(colony.http("GET", "/history?name=old").text))
    eventually(lambda: "memory" in str(colony.http("GET", "/history?name=fat").text))


def test_what_was_changed_while_it_was_stopped_starts_with_that(colony):
    writer = {"cmd": "sh", "args": ["-c", "yes | head -c 20000; exec sleep 1000"]}
    colony.start()
    add(colony, "web", **writer)
    eventually(lambda: len(colony.output("web")) == 20000)
    post(colony, "/processes/web/_stop?wait=10")
    put(colony, "web", **writer, start=False, log={"size": 4096, "count": 9})
    post(colony, "/processes/web/_start")
    eventually(lambda: len(list((colony.state / "log").glob("web.1.log.*"))) > 1)


def test_a_last_process_that_was_to_go_and_stays_after_all_comes_back(colony):
    colony.start()
    add(colony, "db", **SLEEP)
    add(colony, "web", **STUBBORN, graceful_timeout=0.5, depends_on=["db"])
    before = colony.wait_state("db", "running")["os_pid"]
    web = colony.wait_state("web", "ready")["os_pid"]
    post(colony, "/processes/db/_scale/0")
    post(colony, "/processes/db/_scale/1")
    eventually(lambda: colony.slot("web")["os_pid"] not in (None, web), what="another web")
    colony.wait_state("web", "ready")
    assert state(colony, "db") == "running" and colony.slot("db")["os_pid"] != before


def test_what_was_removed_and_is_in_the_file_again_starts(colony):
    colony.start({"processes": {"web": {**STUBBORN, "graceful_timeout": 0.5}}})
    before = colony.wait_state("web", "ready")["os_pid"]
    delete(colony, "web")
    post(colony, "/_reload")
    assert colony.wait_state("web", "ready")["os_pid"] != before


# Wishes.

def test_stopping_what_is_being_removed_does_not_bring_it_back(colony):
    colony.start()
    add(colony, "web", **STUBBORN, graceful_timeout=100)
    slot = colony.wait_state("web", "ready")
    delete(colony, "web")
    assert colony.http("DELETE", f"/processes/{slot['id']}").status == 200
    os.kill(slot["os_pid"], signal.SIGKILL)
    eventually(lambda: not alive(slot["os_pid"]))
    colony.stop()
    colony.start()
    assert colony.http("GET", "/processes").json() == []


def test_asked_twice_to_end_nobody_gets_a_grace(colony):
    colony.start()
    for name, needs in (("a", []), ("b", ["a"]), ("c", ["b"])):
        add(colony, name, **STUBBORN, graceful_timeout=100, depends_on=needs)
        colony.wait_state(name, "ready")
    os.kill(colony.keeper, signal.SIGTERM)
    eventually(lambda: "stops all" in colony.log.read_text())
    assert colony.stop(10) == 0


# Engines.

def test_new_settings_of_the_file_s_template_outlive_an_engine(colony):
    colony.start({"processes": {"web": SLEEP}})
    put(colony, "web", **SLEEP, env={"A": "1"})
    eventually(lambda: len(seen(colony, "web", "spawn")) == 2)
    before = colony.wait_state("web", "running")["os_pid"]
    kill_engine(colony)
    assert colony.wait_state("web", "running")["os_pid"] == before
    assert "fail" not in dict(seen(colony, "web", "fail", "spawn"))


def test_a_restart_under_way_goes_on_with_the_next_engine(colony):
    colony.start()
    add(colony, "web", **STUBBORN, graceful_timeout=1)
    before = colony.wait_state("web", "ready")["os_pid"]
    post(colony, "/processes/web/_restart")
    kill_engine(colony)
    eventually(lambda: not alive(before))
    assert colony.wait_state("web", "ready")["os_pid"] != before


def test_a_restarted_job_that_ends_while_no_engine_looks_starts_again(colony):
    colony.start()
    add(colony, "job", **STUBBORN, restart="never")
    before = colony.wait_state("job", "ready")["os_pid"]
    post(colony, "/processes/job/_restart")
    keeper, engine = colony.keeper, colony.engine
    os.kill(keeper, signal.SIGSTOP)
    os.kill(engine, signal.SIGKILL)
    os.kill(before, signal.SIGKILL)
    os.kill(keeper, signal.SIGCONT)
    eventually(lambda: colony.engine != engine and colony.answers())
    assert colony.wait_state("job", "ready")["os_pid"] != before


def test_a_start_during_a_stop_is_remembered_by_the_next_engine(colony):
    colony.start()
    add(colony, "web", **STUBBORN, graceful_timeout=1)
    before = colony.wait_state("web", "ready")["os_pid"]
    post(colony, "/processes/web/_stop")
    post(colony, "/processes/web/_start")
    kill_engine(colony)
    eventually(lambda: not alive(before))
    assert colony.wait_state("web", "ready")["os_pid"] != before


def test_a_check_of_the_engine_before_is_in_nobody_s_way(colony):
    colony.start()
    go = colony.folder / "go"
    add(colony, "web", **SLEEP, ready={"exec": f"sh -c 'test -e {go} || sleep 1000'",
                                       "try": 100, "interval": 0.05})
    colony.wait_state("web", "running")
    before = colony.slot("web")["os_pid"]
    eventually(lambda: checks(colony), what="a check")
    go.touch()
    kill_engine(colony)
    assert colony.wait_state("web", "ready")["os_pid"] == before
    eventually(lambda: not checks(colony), what="the end of the old check")
    assert "check" not in colony.http("GET", "/history?limit=200").text
    assert colony.stop(10) == 0


def checks(colony):
    mark = b"COLONY_ID=" + (colony.state / "instance").read_bytes() + b"/\x1fcheck"
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if mark in file.read() and alive(int(pid)):
                    found.append(int(pid))
        except OSError:
            continue
    return found


def test_a_circle_with_a_changed_file_is_told_and_hangs_nothing(colony):
    colony.start({"processes": {"a": SLEEP}})
    add(colony, "b", **SLEEP, depends_on=["a"])
    before = colony.wait_state("b", "running")["os_pid"]
    colony.kill_both()
    colony.start({"processes": {"a": {**SLEEP, "depends_on": {"b": {"needed": False}}}}})
    assert colony.slot("b")["os_pid"] == before
    assert "a → b → a: a waits for nobody" in colony.log.read_text()
    assert colony.stop(10) == 0
    colony.start({"processes": {"a": {**SLEEP, "depends_on": {"b": {"needed": False}}}}})
    for name in ("a", "b"):
        colony.wait_state(name, "running")
    post(colony, "/_reload", status=400)
    delete(colony, "b")
    post(colony, "/_reload")


def leave_stray(colony, name, **settings):
    """A job that is done and has left somebody behind."""
    pid_file = colony.folder / "stray"
    add(colony, name, cmd="sh", restart="never", log="none", **settings,
        args=["-c", f"setsid sh -c 'echo $$$$ >{pid_file}; exec sleep 1000' &"])
    colony.wait_state(name, "completed")
    return pid_file, int(eventually(lambda: pid_file.exists() and pid_file.read_text().strip()))


def test_what_is_detached_now_leaves_no_strays_of_before(colony):
    colony.start()
    _, stray = leave_stray(colony, "web")
    assert alive(stray)
    put(colony, "web", cmd="true", detach=True, restart="never")
    eventually(lambda: not alive(stray), what="the stray's end")


def test_strays_of_before_a_double_death_are_stopped_too(colony):
    colony.start()
    pid_file, stray = leave_stray(colony, "web")
    colony.kill_both()
    colony.start()
    post(colony, "/processes/web/_start")
    eventually(lambda: pid_file.read_text().strip() not in ("", str(stray)))
    colony.wait_state("web", "completed")
    assert alive(stray)
    post(colony, "/processes/web/_stop")
    eventually(lambda: not alive(stray), what="the stray's end")
