# SPDX-License-Identifier: Apache-2.0
"""Reading the settings again: only what changed is touched, and a bad file changes nothing."""

import json
import os
import signal

from conftest import eventually, needs_root

SLEEP = {"cmd": "sleep", "args": "1000"}


def pids(colony):
    return {s["name"]: s["os_pid"] for s in colony.slots()}


def running(colony, *names):
    eventually(lambda: all(s["state"] == "running" for s in colony.slots())
               and {s["name"] for s in colony.slots()} == set(names))
    return pids(colony)


def test_only_what_changed_is_touched(colony):
    colony.start({"processes": {"same": SLEEP, "changed": SLEEP, "gone": SLEEP,
                                "live": {**SLEEP, "graceful_timeout": 3}}})
    before = running(colony, "same", "changed", "gone", "live")
    colony.write({"processes": {"same": SLEEP, "changed": {**SLEEP, "env": {"A": "1"}},
                                "live": {**SLEEP, "graceful_timeout": 4}, "new": SLEEP}})
    dry = colony.http("POST", "/_reload?dry_run=true").json()
    steps = {(s["action"], s["name"], s["why"]) for s in dry["steps"]}
    assert steps == {("restart", "changed", "changed: env"),
                     ("update", "live", "changed: graceful_timeout"),
                     ("start", "new", "is new"), ("stop", "gone", "is gone from the file")}
    assert pids(colony) == before
    assert colony.http("POST", "/_reload").json()["steps"] == dry["steps"]
    after = running(colony, "same", "changed", "live", "new")
    assert after["same"] == before["same"] and after["live"] == before["live"]
    assert after["changed"] != before["changed"]
    assert colony.http("GET", "/processes/live").json()["graceful_timeout"] == 4
    assert colony.http("POST", "/_reload").json()["steps"] == []


def test_sighup_reloads(colony):
    colony.start({"processes": {"web": SLEEP}})
    web = running(colony, "web")["web"]
    colony.write({"processes": {"web": SLEEP, "more": SLEEP}})
    os.kill(colony.keeper, signal.SIGHUP)
    assert running(colony, "web", "more")["web"] == web


def test_a_bad_file_changes_nothing_and_says_why(colony):
    colony.start({"processes": {"web": SLEEP}})
    before = running(colony, "web")
    for text, reason in (("processes: [", f"{colony.config}:"),
                         ("processes: {web: {cmd: sleep, numproceses: 2}}", "numprocesses"),
                         ("processes: {a: {cmd: x, depends_on: b}, b: {cmd: x, depends_on: a}}",
                          "a → b → a")):
        colony.write(text)
        answer = colony.http("POST", "/_reload")
        assert answer.status == 400 and answer.json()["error"] == "bad_config"
        assert reason in answer.json()["reason"]
        os.kill(colony.keeper, signal.SIGHUP)
        eventually(lambda: reason in colony.log.read_text())
        assert pids(colony) == before
    colony.config.unlink()
    assert colony.http("POST", "/_reload").status >= 400
    assert pids(colony) == before


def test_what_a_reload_brought_outlives_the_engine(colony):
    colony.start({"processes": {"web": SLEEP}})
    colony.write({"processes": {"web": {**SLEEP, "env": {"A": "1"}}, "more": SLEEP}})
    assert colony.http("POST", "/_reload").status == 200
    before = running(colony, "web", "more")
    colony.write({"processes": {}})  # not read by anybody yet
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers())
    assert running(colony, "web", "more") == before


def test_templates_that_were_added_stay_and_those_of_the_file_follow_it(colony):
    colony.start({"processes": {"web": SLEEP}})
    running(colony, "web")
    add = {"name": "extra", **SLEEP}
    assert colony.http("POST", "/processes", json.dumps(add)).status == 200
    assert colony.http("PUT", "/processes/web", json.dumps({"cmd": "sleep 5000"})).status == 200
    extra = running(colony, "web", "extra")["extra"]
    steps = colony.http("POST", "/_reload").json()["steps"]
    assert [(s["action"], s["name"]) for s in steps] == [("restart", "web")]
    eventually(lambda: colony.http("GET", "/processes/web").json()["cmd"] == "sleep")
    assert running(colony, "web", "extra")["extra"] == extra


def test_a_scale_by_a_user_stays_unless_the_file_says_another_number(colony):
    colony.start({"processes": {"web": {**SLEEP, "numprocesses": 1}}})
    colony.http("POST", "/processes/web/_scale/3")
    colony.write({"processes": {"web": {**SLEEP, "numprocesses": 1, "priority": 3}}})
    colony.http("POST", "/_reload")
    eventually(lambda: len(colony.slots("web")) == 3)
    colony.write({"processes": {"web": {**SLEEP, "numprocesses": 2, "priority": 3}}})
    colony.http("POST", "/_reload")
    eventually(lambda: len(colony.slots("web")) == 2)


def test_a_changed_env_file_restarts_who_reads_it(colony):
    (colony.folder / "web.env").write_text("A=1\n", encoding="utf-8")
    colony.start({"processes": {"web": {**SLEEP, "env_file": str(colony.folder / "web.env")},
                                "other": SLEEP}})
    before = running(colony, "web", "other")
    assert colony.http("POST", "/_reload").json()["steps"] == []
    engine = colony.engine
    (colony.folder / "web.env").write_text("A=2\n", encoding="utf-8")
    os.kill(engine, signal.SIGKILL)  # which is no reload
    eventually(lambda: colony.engine != engine and colony.answers())
    assert running(colony, "web", "other") == before
    colony.http("POST", "/_reload")
    after = running(colony, "web", "other")
    assert after["web"] != before["web"] and after["other"] == before["other"]
    eventually(lambda: b"A=2\0" in open(f"/proc/{pids(colony)['web']}/environ", "rb").read())


@needs_root
def test_a_reload_under_a_user_outlives_the_engine_too(colony):
    os.chmod(colony.folder, 0o755)
    colony.start({"user": {"name": "nobody"}, "processes": {"web": SLEEP}})
    running(colony, "web")
    colony.write({"user": {"name": "nobody"}, "processes": {"web": SLEEP, "more": SLEEP}})
    os.chmod(colony.config, 0o644)
    answer = colony.http("POST", "/_reload")
    assert answer.status == 200, answer.text
    before = running(colony, "web", "more")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers())
    assert running(colony, "web", "more") == before


def test_sections_that_take_a_restart_of_colony_are_told_and_left_alone(colony):
    colony.start({"processes": {"web": SLEEP}, "http": {"max_connections": 10}},
                 "--bind", "127.0.0.1:0", "--log-level", "debug")
    before = running(colony, "web")
    assert colony.http("POST", "/_reload").json()["steps"] == []
    colony.write({"processes": {"web": SLEEP}, "http": {"max_connections": 20}, "name": "other"})
    for _ in range(2):  # it stays so until that restart
        steps = colony.http("POST", "/_reload").json()["steps"]
        assert {(s["action"], s["name"]) for s in steps} == {("ignore", "http"), ("ignore", "name")}
    assert pids(colony) == before
    assert colony.stop() == 0
    colony.start(colony.config.read_text())
    assert colony.http("POST", "/_reload").json()["steps"] == []
