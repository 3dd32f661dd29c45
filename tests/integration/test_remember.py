# SPDX-License-Identifier: Apache-2.0
"""What outlives colony: templates added while it ran, and what users scaled and stopped."""

import json
import os
import signal
import threading

from conftest import alive, eventually, needs_root

SLEEP = {"cmd": "sleep", "args": "1000"}


def add(colony, name, **settings):
    answer = colony.http("POST", "/processes", json.dumps({"name": name, **SLEEP, **settings}))
    assert answer.status == 200, answer.text


def again(colony):
    """A new colony on the same state and settings, after all of the old one has ended."""
    assert colony.stop() == 0
    colony.start(colony.config.read_text())


def states(colony):
    return {f"{s['name']}.{s['slot']}": s["state"] for s in colony.slots()}


def test_a_template_that_was_added_is_there_again(colony):
    colony.start({"processes": {"web": SLEEP}})
    add(colony, "extra", env={"A": "b"}, custom_key="kept")
    again(colony)
    colony.wait_state("extra", "running")
    settings = colony.http("GET", "/processes/extra").json()
    assert settings["env"] == {"A": "b"} and settings["custom_key"] == "kept"


def test_what_was_scaled_and_stopped_stays_so(colony):
    colony.start({"processes": {"web": SLEEP, "down": SLEEP, "one": {**SLEEP, "start": False}}})
    add(colony, "extra")
    assert colony.http("POST", "/processes/web/_add/2").json() == {"ok": True, "numprocesses": 3}
    assert colony.http("POST", "/processes/extra/_scale/2").json()["numprocesses"] == 2
    colony.ctl("stop", "down")
    colony.ctl("start", "one")
    again(colony)
    expected = {"web.1": "running", "web.2": "running", "web.3": "running", "down.1": "stopped",
                "one.1": "running", "extra.1": "running", "extra.2": "running"}
    eventually(lambda: states(colony) == expected)


def test_a_removed_template_stays_away_and_one_of_the_file_comes_back(colony):
    colony.start({"processes": {"web": SLEEP}})
    add(colony, "extra")
    for name in ("extra", "web"):
        assert colony.http("DELETE", f"/processes/{name}").status == 200
    eventually(lambda: states(colony) == {})
    again(colony)
    eventually(lambda: states(colony) == {"web.1": "running"})


def test_changes_to_a_template_of_the_file_last_until_the_file_is_read_again(colony):
    colony.start({"processes": {"web": SLEEP, "gone": SLEEP}})
    colony.wait_state("web", "running")
    assert colony.http("PUT", "/processes/web", json.dumps(
        {"cmd": "sleep 2000"})).status == 200
    assert colony.http("DELETE", "/processes/gone").status == 200
    eventually(lambda: "gone.1" not in states(colony))
    pid = eventually(lambda: [s["os_pid"] for s in colony.slots("web") if s["state"] == "running"
                              and b"2000" in open(f"/proc/{s['os_pid']}/cmdline", "rb").read()])[0]
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers())
    assert colony.http("GET", "/processes/web").json()["cmd"] == "sleep 2000"
    assert colony.slot("web")["os_pid"] == pid and "gone.1" not in states(colony)
    again(colony)
    assert colony.http("GET", "/processes/web").json()["cmd"] == "sleep"
    colony.wait_state("gone", "running")


def test_a_new_number_in_the_file_wins_over_an_old_scale(colony):
    colony.start({"processes": {"web": {**SLEEP, "numprocesses": 1}}})
    colony.http("POST", "/processes/web/_scale/3")
    assert colony.stop() == 0
    colony.start({"processes": {"web": {**SLEEP, "numprocesses": 2}}})
    eventually(lambda: states(colony) == {"web.1": "running", "web.2": "running"})


def test_a_scale_stays_when_the_file_says_something_else_of_it(colony):
    colony.start({"processes": {"web": {**SLEEP, "numprocesses": 2}}})
    colony.http("POST", "/processes/web/_scale/1")
    assert colony.stop() == 0
    colony.start({"processes": {"web": {**SLEEP, "numprocesses": 2, "env": {"A": "1"}}}})
    eventually(lambda: states(colony) == {"web.1": "running"})


def test_an_engine_kill_restarts_nothing_of_what_was_added(colony):
    colony.start({"processes": {}})
    add(colony, "extra", numprocesses=2)
    eventually(lambda: states(colony) == {"extra.1": "running", "extra.2": "running"})
    pids = {s["os_pid"] for s in colony.slots()}
    for _ in range(3):
        engine = colony.engine
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: colony.engine != engine and colony.answers())
    eventually(lambda: states(colony) == {"extra.1": "running", "extra.2": "running"})
    assert {s["os_pid"] for s in colony.slots()} == pids
    colony.kill_both()
    colony.start(colony.config.read_text())
    eventually(lambda: states(colony) == {"extra.1": "running", "extra.2": "running"})
    assert {s["os_pid"] for s in colony.slots()} == pids


def test_nothing_that_was_answered_is_lost_by_a_kill(colony):
    colony.start({"processes": {}})
    answered = []

    def keep_adding():
        for i in range(200):
            try:
                add(colony, f"p{i}", start=False)
            except (AssertionError, OSError):
                return
            answered.append(f"p{i}")

    thread = threading.Thread(target=keep_adding)
    thread.start()
    eventually(lambda: len(answered) >= 20)
    colony.kill_both()
    thread.join()
    colony.start(colony.config.read_text())
    names = colony.http("GET", "/processes").json()
    assert not set(answered) - set(names)


def test_a_damaged_database_is_put_aside_and_processes_live_on(colony):
    colony.start({"processes": {"web": SLEEP}})
    pid = colony.wait_state("web", "running")["os_pid"]
    colony.kill_both()
    database = colony.state / "engine" / "colony.db"
    for path in database.parent.glob("colony.db-*"):
        path.unlink()
    database.write_bytes(b"this is no database at all" * 1000)
    colony.start(colony.config.read_text())
    assert colony.wait_state("web", "running")["os_pid"] == pid and alive(pid)
    assert "damaged" in colony.log.read_text()
    assert list(database.parent.glob("colony.db.damaged-*"))
    add(colony, "extra")
    again(colony)
    colony.wait_state("extra", "running")


@needs_root
def test_under_a_user_all_of_it_works_too(colony):
    os.chmod(colony.folder, 0o755)
    colony.start({"user": {"name": "nobody", "run_as": ["daemon"]}, "processes": {"web": SLEEP}})
    add(colony, "extra", uid="daemon")
    again(colony)
    colony.wait_state("extra", "running")
    assert (colony.state / "engine").stat().st_uid == 65534


def test_the_history_tells_causes_and_outlives_everything(colony):
    colony.start({"processes": {"web": SLEEP}})
    pid = colony.wait_state("web", "running")["os_pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: colony.slot("web")["os_pid"] not in (None, pid))
    again(colony)
    rows = colony.http("GET", "/history?name=web&limit=100").json()
    ended = [r for r in rows if r["event"] == "exit" and r["os_pid"] == pid][0]
    assert ended["term_signal"] == "SIGKILL" and ended["cause"] == "was ended by SIGKILL"
    assert [r["seq"] for r in rows] == sorted((r["seq"] for r in rows), reverse=True)


def test_files_of_the_engine_are_for_nobody_else(colony):
    colony.start({"processes": {}})
    add(colony, "extra", start=False)
    folder = colony.state / "engine"
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
