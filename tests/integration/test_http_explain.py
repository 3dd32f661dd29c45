# SPDX-License-Identifier: Apache-2.0
"""/livez, /readyz, /_reload, /why, /env and what /slots tells of causes."""
import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from conftest import UnixConnection, eventually, needs_root

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def start(colony, **processes):
    colony.start({"processes": processes})


def post(colony, path, body=None):
    answer = colony.http("POST", path, json.dumps(body) if body is not None else None)
    return answer.status, answer.json()


# /livez and /readyz

def test_alive_is_whoever_answers(colony):
    start(colony, bad={"cmd": "/no/such/program"})
    answer = colony.http("GET", "/livez")
    assert (answer.status, answer.text) == (200, "OK")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_ready_is_when_all_that_is_wanted_has_been_up(colony):
    start(colony, web={"cmd": "sleep 1000", "numprocesses": 3},
          job={"cmd": "true", "restart": "never"}, off={"cmd": "sleep 1000", "start": False})
    answer = eventually(lambda: (a := colony.http("GET", "/readyz")).status == 200 and a)
    assert answer.text == "OK"
    verbose = colony.http("GET", "/readyz?verbose")
    assert (verbose.status, verbose.text) == (200, "[+] store\n[+] processes\n")


def test_what_is_not_up_yet_is_told_line_by_line(colony):
    start(colony, slow={"cmd": "sleep 1000", "ready": {"delay": 3600}},
          after={"cmd": "sleep 1000", "numprocesses": 2, "depends_on": {"slow": "ready"}})
    colony.wait_state("slow", "running")
    answer = colony.http("GET", "/readyz")
    lines = answer.text.splitlines()
    assert answer.status == 503 and len(lines) == 3
    assert lines[0].startswith("slow.1 is running, but not ready yet")
    assert lines[1].startswith("after.1 is waiting: waits for slow to be ready")
    verbose = colony.http("GET", "/readyz?verbose=true")
    assert verbose.status == 503
    assert verbose.text == "[+] store\n" + "".join(f"[-] {line}\n" for line in lines)
    assert colony.http("HEAD", "/readyz").status == 503
    assert post(colony, "/processes/slow/_stop?wait=20")[0] == 200
    assert post(colony, "/processes/after/_stop?wait=20")[0] == 200
    assert colony.http("GET", "/readyz").status == 200


def test_many_reasons_are_counted(colony):
    start(colony, db={"cmd": "sleep 1000", "start": False},
          web={"cmd": "sleep 1000", "numprocesses": 150, "depends_on": "db"})
    lines = colony.http("GET", "/readyz").text.splitlines()
    assert len(lines) == 101 and lines[-1] == "and 50 more"


def test_what_has_been_up_once_leaves_colony_ready_unless_it_is_essential(colony):
    settings = {"cmd": "sleep 1000", "restart": {"first_delay": 60, "delay": 60}}
    start(colony, web=settings, vital={**settings, "essential": True})
    eventually(lambda: colony.http("GET", "/readyz").status == 200)
    assert post(colony, "/processes/web/_signal/KILL")[0] == 200
    colony.wait_state("web", "backoff")
    assert colony.http("GET", "/readyz").status == 200
    assert post(colony, "/processes/vital/_signal/KILL")[0] == 200
    colony.wait_state("vital", "backoff")
    answer = colony.http("GET", "/readyz")
    assert answer.status == 503 and answer.text.startswith("vital.1 is backoff")


def test_readyz_refuses_a_parameter_that_is_none(colony):
    start(colony)
    assert colony.http("GET", "/readyz?verbose=maybe").status == 400


# /_reload

def test_a_dry_run_tells_the_steps_and_changes_nothing(colony):
    settings = {"same": {"cmd": "sleep 1000"}, "other": {"cmd": "sleep 1001"},
                "old": {"cmd": "sleep 1002"}, "more": {"cmd": "sleep 1003"}}
    start(colony, **settings)
    eventually(lambda: len(colony.http("GET", "/processes?running=1").json()) == 4)
    before = colony.http("GET", "/processes?running=1").json()
    del settings["old"]
    colony.write({"processes": {**settings, "other": {"cmd": "sleep 2001"},
                                "more": {"cmd": "sleep 1003", "numprocesses": 2},
                                "new": {"cmd": "sleep 1004"}}})
    status, answer = post(colony, "/_reload?dry_run=true")
    assert (status, answer["ok"], answer["dry_run"]) == (200, True, True)
    steps = {step["name"]: (step["action"], step["why"]) for step in answer["steps"]}
    assert {name: action for name, (action, _) in steps.items()} == {
        "other": "restart", "more": "update", "new": "start", "old": "stop"}
    assert "cmd" in steps["other"][1] and "numprocesses" in steps["more"][1]
    assert all(why and "\n" not in why for _, why in steps.values())
    assert colony.http("GET", "/processes?running=1").json() == before

    status, answer = post(colony, "/_reload")
    assert (status, answer["dry_run"]) == (200, False)
    assert {step["name"]: (step["action"], step["why"]) for step in answer["steps"]} == steps
    assert sorted(colony.http("GET", "/processes").json()) == ["more", "new", "other", "same"]
    same = before[0]
    eventually(lambda: len(now := colony.http("GET", "/processes?running=1").json()) == 5
               and same in now)
    status, answer = post(colony, "/_reload")
    assert (status, answer["steps"]) == (200, [])


def test_a_bad_file_changes_nothing_and_is_told_with_its_place(colony):
    start(colony, web={"cmd": "sleep 1000"})
    before = eventually(lambda: colony.http("GET", "/processes?running=1").json())
    for text, place in (("processes:\n  web:\n    cmd: sleep 1\n    numproceses: 2\n", ":4:5: "),
                        ("processes: [\n", ":"), ("processes:\n  web: {cmd: '\xff'}\n", ":")):
        colony.config.write_text(text, encoding="latin-1")
        for path in ("/_reload", "/_reload?dry_run=true"):
            status, answer = post(colony, path)
            assert (status, answer["error"]) == (400, "bad_config"), answer
            assert answer["reason"].startswith(f"{colony.config}{place}"), answer
    colony.config.unlink()
    status, answer = post(colony, "/_reload")
    assert (status, answer["error"]) == (400, "bad_config") and str(colony.config) in answer["reason"]
    assert colony.http("GET", "/processes?running=1").json() == before


def test_a_parameter_that_is_none_reloads_nothing(colony):
    start(colony, web={"cmd": "sleep 1000"})
    colony.write({"processes": {}})
    status, answer = post(colony, "/_reload?dry_run=maybe")
    assert (status, answer["error"]) == (400, "bad_value")
    assert colony.http("GET", "/processes").json() == ["web"]


def test_of_two_reloads_at_once_each_is_answered(colony):
    start(colony, web={"cmd": "sleep 1000"})
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(post(colony, "/_reload")))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for status, answer in answers:
        assert (status, answer.get("error")) in ((200, None), (409, "conflict"))
    assert 200 in [status for status, _ in answers]


def test_who_leaves_before_a_reload_is_done_has_still_reloaded(colony):
    start(colony, web={"cmd": "sleep 1000"})
    colony.write({"processes": {"new": {"cmd": "sleep 1000"}}})
    connection = UnixConnection(colony.socket)
    connection.request("POST", "/_reload")
    connection.close()
    eventually(lambda: colony.http("GET", "/processes").json() == ["new"])


# /slots and /why

def test_slots_tell_cause_and_since(colony):
    start(colony, web={"cmd": "sleep 1000"})
    slot = colony.wait_state("web", "running")
    assert ISO.fullmatch(slot["since"]) and slot["status"] == ""
    when = time.mktime(time.strptime(slot["since"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert abs(when - time.time()) < 10
    assert post(colony, "/processes/web/_stop?wait=20")[0] == 200
    slot = colony.slot("web")
    assert slot["state"] == "stopped" and f"uid {os.geteuid()}" in slot["cause"]


def test_why_tells_slots_and_what_is_waited_for(colony):
    start(colony, db={"cmd": "sleep 1000", "start": False},
          web={"cmd": "sleep 1000", "numprocesses": 2, "depends_on": "db"})
    answer = colony.http("GET", "/why/web").json()
    assert answer["name"] == "web"
    assert [slot["state"] for slot in answer["slots"]] == ["waiting", "waiting"]
    assert len(answer["waits"]) == 1 and "db" in answer["waits"][0]
    assert answer["slots"] == colony.slots("web")
    one = colony.http("GET", "/why/web?slot=2").json()
    assert [slot["slot"] for slot in one["slots"]] == [2]
    assert post(colony, "/processes/db/_start")[0] == 200
    colony.wait_state("web", "running")
    assert colony.http("GET", "/why/web").json()["waits"] == []


def test_why_tells_what_happened_newest_first(colony):
    start(colony, web={"cmd": "sleep 1000", "numprocesses": 2}, other={"cmd": "sleep 1000"})
    for slot in (1, 2):
        colony.wait_state("web", "running", slot)
    assert post(colony, "/processes/web/_signal/KILL")[0] == 200
    def story(query=""):
        return colony.http("GET", "/why/web" + query).json()["history"]
    eventually(lambda: len([row for row in story() if row["event"] == "exit"]) == 2)
    rows = story()
    assert {row["name"] for row in rows} == {"web"}
    assert [row["seq"] for row in rows] == sorted((row["seq"] for row in rows), reverse=True)
    assert {row["term_signal"] for row in rows if row["event"] == "exit"} == {"SIGKILL"}
    assert {row["slot"] for row in story("?slot=2")} == {2}
    for _ in range(10):
        assert post(colony, "/processes/web/_restart?wait=20")[0] == 200
    assert len(story()) == 20


def test_who_leaves_before_the_story_is_told_harms_nobody(colony):
    start(colony, web={"cmd": "sleep 1000"})
    colony.wait_state("web", "running")
    for _ in range(20):
        connection = UnixConnection(colony.socket)
        connection.request("GET", "/why/web")
        connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()
    assert colony.http("GET", "/why/web").json()["slots"][0]["state"] == "running"


@pytest.mark.parametrize("slot,status,word", [
    ("0", 400, "bad_value"), ("-1", 400, "bad_value"), ("x", 400, "bad_value"),
    ("", 400, "bad_value"), ("1e9", 400, "bad_value"), ("99999999999999999999", 400, "bad_value"),
    ("2", 404, "not_found"), ("10000", 404, "not_found"),
])
def test_why_refuses_a_slot_that_is_none(colony, slot, status, word):
    start(colony, web={"cmd": "sleep 1000"})
    answer = colony.http("GET", f"/why/web?slot={slot}")
    assert (answer.status, answer.json()["error"]) == (status, word)


# /env

def test_env_tells_each_variable_and_where_it_comes_from(colony, monkeypatch):
    monkeypatch.setenv("FROM_OUTSIDE", "yes")
    monkeypatch.setenv("BOTH", "outside")
    file = colony.folder / "env"
    file.write_text("FROM_FILE=1\nBOTH=file\n")
    colony.start({"processes": {"web": {"cmd": "sleep 1000", "env_file": str(file),
                                        "env": {"BOTH": "own", "OWN": "é"}}}})
    variables = colony.http("GET", "/env/web").json()
    assert all(set(variable) == {"name", "value", "source"} for variable in variables)
    names = [variable["name"] for variable in variables]
    assert len(names) == len(set(names))
    found = {variable["name"]: (variable["value"], variable["source"]) for variable in variables}
    assert found["FROM_OUTSIDE"] == ("yes", "colony's environment")
    assert found["OWN"] == ("é", "env") and found["BOTH"] == ("own", "env")
    assert found["FROM_FILE"][0] == "1" and found["FROM_FILE"][1].startswith("env_file")
    pid = colony.wait_state("web", "running")["os_pid"]
    with open(f"/proc/{pid}/environ", "rb") as environ:
        real = [pair.split(b"=", 1)[0].decode() for pair in environ.read().split(b"\0") if pair]
    assert real == names


def test_env_shows_no_secrets(colony):
    start(colony, web={"cmd": "sleep 1000", "os_env": False, "env": {
        "DB_PASSWORD": "hunter2", "API_KEY": "hunter2", "MYSQL_PWD": "hunter2", "PWD": "/srv",
        "URL": "postgres://me:hunter2@db/x", "EMPTY_TOKEN": ""}})
    answer = colony.http("GET", "/env/web")
    assert "hunter2" not in answer.text
    found = {variable["name"]: variable["value"] for variable in answer.json()}
    assert found["DB_PASSWORD"] == found["API_KEY"] == found["MYSQL_PWD"] == "***"
    assert found["URL"] == "postgres://me:***@db/x"
    assert (found["PWD"], found["EMPTY_TOKEN"]) == ("/srv", "")


def test_env_shows_what_is_not_utf_8_as_question_marks(colony):
    environ = {**os.environb, b"ODD": b"a\xffb"}
    colony.start({"processes": {"web": {"cmd": "sleep 1000"}}},
                 env={os.fsdecode(k): os.fsdecode(v) for k, v in environ.items()})
    found = {variable["name"]: variable["value"]
             for variable in colony.http("GET", "/env/web").json()}
    assert found["ODD"] == "a?b"


# What cannot be recorded.

@needs_root
def test_what_cannot_be_recorded_is_done_and_told(colony):
    (colony.state / "engine").mkdir(parents=True, mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "colony-test",
                              colony.state / "engine"], check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        start(colony, web={"cmd": "sleep 1000", "numprocesses": 2})
        filler = colony.state / "engine" / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        status, answer = post(colony, "/processes", {"name": "new", "cmd": "sleep 1000",
                                                     "junk": "x" * 100000})
        assert (status, answer["error"]) == (500, "not_recorded"), answer
        assert "it is done" in answer["reason"]
        assert "new" in colony.http("GET", "/processes").json()
        ready = colony.http("GET", "/readyz")
        assert ready.status == 503 and "the store has trouble" in ready.text
        filler.unlink()
        assert post(colony, "/processes/web/_scale/3") == (200, {"ok": True, "numprocesses": 3})
        eventually(lambda: colony.http("GET", "/readyz").status == 200)
        os.kill(colony.engine, 9)
        eventually(lambda: "new" in colony.http("GET", "/processes").json())
    finally:
        colony.stop()
        subprocess.run(["umount", "-l", colony.state / "engine"], check=True)
