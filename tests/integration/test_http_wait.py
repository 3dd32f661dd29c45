# SPDX-License-Identifier: Apache-2.0
"""`?wait=`: an answer when what was asked for has come about, or cannot."""
import contextlib
import json
import os
import re
import signal
import socket
import threading
import time

import pytest

from conftest import UnixConnection, alive, eventually

DEAF = {"cmd": "sh", "args": ["-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"],
        "graceful_timeout": 60}
SLOW = {"cmd": "sleep 1000", "ready": {"delay": 0.3}}


def start(colony, **processes):
    colony.start({"processes": processes})


def post(colony, path):
    answer = colony.http("POST", path)
    return answer.status, answer.json()


def word(colony, path):
    status, answer = post(colony, path)
    assert "\n" not in answer["reason"]
    return status, answer["error"]


def test_start_waits_until_all_slots_run(colony):
    start(colony, web={"cmd": "sleep 1000", "numprocesses": 20, "start": False})
    assert post(colony, "/processes/web/_start?wait=20") == (200, {"ok": True})
    assert colony.http("GET", "/status/web").json()["running"] == 20
    assert post(colony, "/processes/web/_start?wait=20") == (200, {"ok": True})


def test_start_waits_until_it_is_ready(colony):
    start(colony, web={**SLOW, "start": False})
    assert post(colony, "/processes/web/_start?wait=true") == (200, {"ok": True})
    assert colony.slot("web")["state"] == "ready"


def test_restart_waits_until_a_new_process_is_ready(colony):
    start(colony, web=SLOW)
    old = colony.wait_state("web", "ready")
    assert post(colony, "/processes/web/_restart?wait=20")[0] == 200
    new = colony.slot("web")
    assert new["state"] == "ready" and new["id"] > old["id"]


def test_what_is_completed_has_started(colony):
    start(colony, job={"cmd": "true", "restart": "never", "start": False})
    assert post(colony, "/processes/job/_start?wait=20") == (200, {"ok": True})
    colony.wait_state("job", "completed")


def test_what_has_failed_for_good_is_told_with_the_reason(colony):
    start(colony, bad={"cmd": "/no/such/program", "restart": "never", "start": False,
                       "numprocesses": 2})
    status, answer = post(colony, "/processes/bad/_start?wait=20")
    assert (status, answer["error"]) == (409, "not_running")
    assert "slot 1" in answer["reason"] and "No such file" in answer["reason"]


def test_what_fails_and_is_tried_again_later_is_told_with_the_reason(colony):
    start(colony, bad={"cmd": "/no/such/program", "restart": {"delay": 60, "first_delay": 60},
                       "start": False})
    status, answer = post(colony, "/processes/bad/_start?wait=20")
    assert (status, answer["error"]) == (409, "not_running")
    assert "slot 1 does not stay up" in answer["reason"] and "No such file" in answer["reason"]


@pytest.mark.parametrize("action", ["_start", "_restart", "_scale/3"])
@pytest.mark.parametrize("restart", ["never", "always"])
def test_what_ends_as_soon_as_it_was_started_has_not_started(colony, action, restart):
    start(colony, bad={"cmd": "sh", "args": ["-c", "exit 3"], "restart": restart,
                       "start": action == "_scale/3"})
    status, answer = post(colony, f"/processes/bad/{action}?wait=20")
    assert (status, answer["error"]) == (409, "not_running")
    assert "ended with status 3" in answer["reason"]


def test_what_runs_when_the_time_is_over_has_started(colony):
    start(colony, web={"cmd": "sleep 1000", "start": False})
    assert post(colony, "/processes/web/_start?wait=0.2") == (200, {"ok": True})


def test_what_waits_for_another_times_out_with_its_name(colony):
    start(colony, db={"cmd": "sleep 1000", "start": False},
          web={"cmd": "sleep 1000", "depends_on": "db"})
    status, answer = post(colony, "/processes/web/_start?wait=0.3")
    assert status == 408 and "waiting" in answer["reason"] and "db" in answer["reason"]
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(post(colony, "/processes/web/_start?wait=20")))
    waiting.start()
    assert post(colony, "/processes/db/_start")[0] == 200
    waiting.join()
    assert answers == [(200, {"ok": True})]


def test_a_stop_that_lasts_times_out_and_goes_on(colony):
    start(colony, deaf=DEAF)
    eventually(lambda: b"up" in colony.output("deaf"))
    began = time.monotonic()
    status, answer = post(colony, "/processes/deaf/_stop?wait=0.3")
    assert (status, answer["error"]) == (408, "timeout")
    assert 0.25 < time.monotonic() - began < 10
    assert "slot 1 is stopping" in answer["reason"]
    assert post(colony, "/processes/deaf/_signal/KILL")[0] == 200
    status, answer = post(colony, "/processes/deaf/_stop?wait=20")
    assert status == 200 and answer["ok"] is True


def test_a_stop_that_somebody_undoes_is_told(colony):
    start(colony, deaf=DEAF)
    eventually(lambda: b"up" in colony.output("deaf"))
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(word(colony, "/processes/deaf/_stop?wait=true")))
    waiting.start()
    colony.wait_state("deaf", "stopping")
    assert post(colony, "/processes/deaf/_start")[0] == 200
    assert post(colony, "/processes/deaf/_signal/KILL")[0] == 200
    waiting.join(20)
    assert answers == [(409, "conflict")]


def test_a_start_that_somebody_undoes_is_told(colony):
    start(colony, db={"cmd": "sleep 1000", "start": False},
          web={"cmd": "sleep 1000", "depends_on": "db", "start": False},
          other={"cmd": "sleep 1000", "depends_on": "db", "start": False})
    answers = {}

    def wait(name):
        answers[name] = word(colony, f"/processes/{name}/_start?wait=true")
    threads = [threading.Thread(target=wait, args=(name,)) for name in ("web", "other")]
    for thread in threads:
        thread.start()
    colony.wait_state("web", "waiting")
    colony.wait_state("other", "waiting")
    assert post(colony, "/processes/web/_stop")[0] == 200
    assert colony.http("DELETE", "/processes/other").status == 200
    for thread in threads:
        thread.join(20)
    assert answers == {"web": (409, "not_running"), "other": (409, "not_running")}


def test_scaling_waits_for_what_comes_and_for_what_goes(colony):
    start(colony, web={**SLOW, "numprocesses": 2})
    assert post(colony, "/processes/web/_scale/4?wait=20") == (
        200, {"ok": True, "numprocesses": 4})
    assert [slot["state"] for slot in colony.slots("web")] == ["ready"] * 4
    assert post(colony, "/processes/web/_sub/3?wait=20") == (200, {"ok": True, "numprocesses": 1})
    assert [slot["state"] for slot in colony.slots("web")] == ["ready"]
    assert post(colony, "/processes/web/_add?wait=true") == (200, {"ok": True, "numprocesses": 2})
    assert [slot["state"] for slot in colony.slots("web")] == ["ready"] * 2


def test_down_and_up_again_is_waited_for_to_the_end(colony):
    start(colony, web={"cmd": "sleep 1000", "numprocesses": 3})
    eventually(lambda: colony.http("GET", "/status/web").json()["running"] == 3)
    for _ in range(10):
        assert post(colony, "/processes/web/_scale/1")[0] == 200
        assert post(colony, "/processes/web/_scale/3?wait=20")[0] == 200
        assert [slot["state"] for slot in colony.slots("web")] == ["running"] * 3


def test_a_group_is_waited_for_as_a_whole(colony):
    start(colony, **{f"g:{n}": {**SLOW, "start": False} for n in range(10)}, web=SLOW)
    assert post(colony, "/groups/g/_start?wait=20") == (200, {"ok": True})
    assert {slot["state"] for slot in colony.slots() if slot["name"] != "web"} == {"ready"}
    old = {slot["id"] for slot in colony.slots()}
    status, answer = post(colony, "/groups/g/_restart?wait=20")
    assert (status, answer["ok"], answer["stopped"]) == (200, True, 10)
    new = {slot["id"] for slot in colony.slots() if slot["name"] != "web"}
    assert len(new) == 10 and not new & old
    status, answer = post(colony, "/groups/g/_stop?wait=20")
    assert (status, answer["stopped"], answer["killed"]) == (200, 10, 0)
    assert {slot["state"] for slot in colony.slots() if slot["name"] != "web"} == {"stopped"}


def test_one_that_fails_in_a_group_is_named_once_all_are_through(colony):
    start(colony, **{"g:good": {**SLOW, "start": False},
                     "g:bad": {"cmd": "/no/such/program", "restart": "never", "start": False}})
    status, answer = post(colony, "/groups/g/_start?wait=20")
    assert (status, answer["error"]) == (409, "not_running") and "g:bad" in answer["reason"]
    assert colony.slot("g:good")["state"] == "ready"


def test_a_process_is_waited_for_by_its_id(colony):
    start(colony, web={"cmd": "sleep 1000", "numprocesses": 2})
    eventually(lambda: colony.http("GET", "/status/web").json()["running"] == 2)
    first, second = colony.http("GET", "/processes/web/_pids").json()["pids"]
    assert post(colony, f"/processes/{first}/_stop?wait=20&stay_stopped=true")[0] == 200
    assert colony.http("GET", "/processes/web/_pids").json()["pids"] == [second]


@pytest.mark.parametrize("stays", ["true", "false"])
def test_a_process_is_waited_for_until_its_children_are_gone(colony, stays):
    start(colony, web={"cmd": "sh", "graceful_timeout": 0.5, "args": [
        "-c", "sh -c 'trap \"\" TERM; echo $$$$; while :; do sleep 0.1; done' & wait"]})
    child = int(eventually(lambda: re.match(rb"(\d+)\n", colony.output("web")))[1])
    first = colony.slot("web")["id"]
    status, told = post(colony, f"/processes/{first}/_stop?wait=20&stay_stopped={stays}")
    assert not alive(child)
    assert (status, told["killed"] >= 1) == (200, True)


def delete(colony, path):
    answer = colony.http("DELETE", path)
    return answer.status, answer.json()


def test_a_removal_waits_until_nothing_is_left_and_tells_what_it_took(colony):
    start(colony, deaf={**DEAF, "graceful_timeout": 0.5}, idle={"cmd": "true", "start": False})
    eventually(lambda: colony.output("deaf") == b"up\n")
    pid = colony.slot("deaf")["os_pid"]
    status, told = delete(colony, "/processes/deaf?wait=20")
    assert told.pop("killed") >= 1  # its `sleep` may be one more
    assert (status, told) == (200, {"ok": True, "stopped": 1, "unclaimed": 0, "partial": False})
    assert not os.path.exists(f"/proc/{pid}/stat")
    assert delete(colony, "/processes/idle?wait=true")[1]["stopped"] == 0
    assert colony.http("GET", "/processes").json() == []


def test_a_removal_that_lasts_times_out_and_goes_on(colony):
    start(colony, **{"g:deaf": DEAF, "g:web": {"cmd": "sleep 1000"}})
    eventually(lambda: colony.output("g:deaf") == b"up\n")
    pid = colony.slot("g:deaf")["os_pid"]
    status, answer = delete(colony, "/groups/g?wait=0.2")
    assert (status, answer["error"]) == (408, "timeout")
    assert answer["reason"] == "cannot wait any longer for g:deaf"
    assert colony.http("GET", "/processes").json() == [] and alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_what_is_removed_while_its_stop_is_waited_for_is_waited_for_on(colony):
    start(colony, deaf={**DEAF, "graceful_timeout": 1})
    eventually(lambda: colony.output("deaf") == b"up\n")
    pid = colony.slot("deaf")["os_pid"]
    with contextlib.closing(UnixConnection(colony.socket)) as connection:
        connection.request("POST", "/processes/deaf/_stop?wait=20")
        colony.wait_state("deaf", "stopping")
        assert delete(colony, "/processes/deaf") == (200, {"ok": True})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        assert answer.status == 200 and told["stopped"] == 1 and told["killed"] >= 1
    assert not os.path.exists(f"/proc/{pid}/stat")


@pytest.mark.parametrize("value", ["soon", "-1", "1e3", "nan", "9999999999999999999y", "true1"])
@pytest.mark.parametrize("path", ["/processes/web/_start", "/processes/web/_stop",
                                  "/processes/web/_restart", "/processes/web/_scale/0",
                                  "/processes/web/_sub", "/groups/g/_stop"])
def test_a_bad_wait_changes_nothing(colony, path, value):
    start(colony, **{"web": {"cmd": "sleep 1000"}, "g:a": {"cmd": "sleep 1000"}})
    eventually(lambda: len(colony.http("GET", "/processes?running=1").json()) == 2)
    before = colony.http("GET", "/processes?running=1").json()
    assert word(colony, f"{path}?wait={value}") == (400, "bad_value")
    assert colony.http("GET", "/processes?running=1").json() == before


def test_who_leaves_while_waiting_is_forgotten(colony):
    colony.start({"http": {"max_connections": 4}, "processes": {"deaf": DEAF}})
    eventually(lambda: b"up" in colony.output("deaf"))
    for number in range(12):
        def ask(number=number):
            connection = UnixConnection(colony.socket)
            connection.request("POST", "/processes/deaf/_stop?wait=true")
            if number % 2:
                connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()
            return colony.http("GET", "/ping").status == 200
        eventually(ask)
    assert post(colony, "/processes/deaf/_signal/KILL")[0] == 200
    colony.wait_state("deaf", "stopped")
    assert colony.http("GET", "/ping").status == 200


def test_many_may_wait_for_one(colony):
    start(colony, web={**SLOW, "start": False})
    answers = []
    threads = [threading.Thread(
        target=lambda: answers.append(post(colony, "/processes/web/_start?wait=20")))
        for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(200, {"ok": True})] * 20
    assert colony.slot("web")["id"] == 1
