# SPDX-License-Identifier: Apache-2.0
"""Whether and when a process that ended is started again."""

import os
import signal

import pytest

from conftest import alive, eventually

SLEEP = {"cmd": "sleep", "args": "1000"}
DIE = {"shell": True, "cmd": "exit 1"}


def test_flapping_takes_it_down_and_brings_it_back_until_it_gives_up(colony):
    flapping = {"attempts": 2, "window": 20, "retry_in": 0.5, "max_retry": 2}
    colony.start({"processes": {"it": {**DIE, "flapping": flapping}}})
    assert colony.wait_state("it", "backoff")["retry_in"] <= 0.5
    slot = colony.wait_state("it", "failed")
    assert slot["cause"] == "died too often: stays down until somebody starts it"
    ids = [e for e in colony.http("GET", "/history?name=it&limit=1000").json()
           if e["event"] == "spawn"]
    assert len(ids) == 6  # 2 attempts, and 2 more in each of 2 retries
    flaps = [e for e in colony.http("GET", "/history?name=it&limit=1000").json()
             if e["event"] == "flap"]
    assert len(flaps) == 3
    ends = {e["id"]: e["os_pid"] for e in ids}
    assert [e["os_pid"] for e in flaps] == [ends[e["id"]] for e in flaps]
    assert flaps[0]["cause"] == "died too often: stays down until somebody starts it"
    colony.ctl("start", "it")
    eventually(lambda: len([e for e in colony.http("GET", "/history?name=it&limit=1000").json()
                            if e["event"] == "spawn"]) == 12)
    eventually(lambda: not colony.http("GET", "/status/it").json()["active"])


def test_flapping_counts_and_stops_all_processes_of_a_template(colony):
    flag = colony.folder / "flag"
    colony.start({"processes": {"it": {
        "shell": True, "numprocesses": 3, "graceful_timeout": 1,
        "cmd": f"[ -e {flag} ] && exec sleep 1000; touch {flag}; sleep 0.2; exit 1",
        "flapping": {"attempts": 1, "window": 5, "retry_in": 1.5, "max_retry": 5}}}})
    eventually(lambda: {s["state"] for s in colony.slots("it")} == {"backoff"})
    eventually(lambda: {s["state"] for s in colony.slots("it")} == {"running"})


def test_expected_exit_codes_complete_and_others_start_again(colony):
    colony.start({"processes": {
        "done": {"shell": True, "cmd": "exit 7",
                 "restart": {"when": "on-failure", "exit_codes": [0, 7]}},
        "again": {"shell": True, "cmd": "exit 8",
                  "restart": {"when": "on-failure", "exit_codes": [0, 7]}},
        "once": {"shell": True, "cmd": "exit 0", "restart": "never"},
        "failed": {"shell": True, "cmd": "kill -9 $$", "restart": "never"}}})
    assert colony.wait_state("done", "completed")["last_exit"]["status"] == 7
    colony.wait_state("once", "completed")
    assert colony.wait_state("failed", "failed")["last_exit"]["signal"] == "SIGKILL"
    eventually(lambda: colony.slot("again")["restarts"] >= 2)


def test_attempts_of_the_plain_policy_count_for_each_slot_alone(colony):
    colony.start({"processes": {"it": {
        "shell": True, "numprocesses": 2,
        "cmd": f"mkdir {colony.folder}/lock 2>/dev/null || exec sleep 1000; exit 1",
        "restart": {"attempts": 3, "window": 10}}}})
    eventually(lambda: sorted(s["state"] for s in colony.slots("it")) == ["running", "running"])


def test_a_spawn_that_fails_follows_the_policy_too(colony):
    colony.start({"processes": {"it": {"cmd": "/nope", "restart": "never"}}})
    slot = colony.wait_state("it", "failed")
    assert slot["failure"] == "exec /nope: No such file or directory"


def test_colony_ends_with_the_process_it_was_started_for(make_colony):
    for cmd, status in (("exit 42", 42), ("kill -9 $$", 128 + 9), ("exit 0", 0)):
        colony = make_colony()
        colony.start({"processes": {"main": {"shell": True, "cmd": f"sleep 0.2; {cmd}"},
                                    "side": SLEEP}}, "--exit-with", "main", wait=False)
        assert colony.process.wait(20) == status


def test_what_colony_ends_with_does_not_run_again_when_the_engine_is_killed_meanwhile(colony):
    runs = colony.folder / "runs"
    up = colony.folder / "up"  # side is deaf
    main = {"shell": True, "restart": "never",
            "cmd": f"echo run >> {runs}; until [ -e {up} ]; do sleep 0.02; done; exit 7"}
    side = {"shell": True, "cmd": f"trap '' TERM; touch {up}; while :; do sleep 0.1; done",
            "graceful_timeout": 2}
    colony.start({"processes": {"main": main, "side": side}}, "--exit-with", "main", wait=False)
    eventually(lambda: "stops all processes" in colony.log.read_text())
    os.kill(colony.engine, signal.SIGKILL)
    assert colony.process.wait(20) == 7
    assert runs.read_text() == "run\n"


@pytest.mark.parametrize("cmd, status", [("/nonexistent/program", 127), ("/etc/passwd", 126), ("/etc", 126)])
def test_what_cannot_be_run_ends_colony_as_it_would_a_shell(colony, cmd, status):
    colony.start({"processes": {"main": {"cmd": cmd, "restart": "never"}}}, "--exit-with", "main", wait=False)
    assert colony.process.wait(20) == status


def test_settings_without_what_colony_ends_with_are_refused(colony):
    colony.start({"processes": {"main": SLEEP, "side": SLEEP}}, "--exit-with", "main")
    colony.write({"processes": {"side": SLEEP}})
    told = colony.ctl("reload", check=False)
    assert told.returncode == 78 and "cannot end with `main`: there is no such process" in told.stderr
    colony.write({"exit_with": "side", "processes": {"side": {"shell": True, "cmd": "exit 3"}}})
    colony.ctl("reload", check=False)
    assert colony.process.wait(20) == 3


def test_colony_can_end_with_one_process_only(colony):
    colony.start({"processes": {"a": SLEEP, "b": SLEEP}}, "--exit-with", "a", "--exit-with", "b", wait=False)
    assert colony.process.wait(20) == 2
    assert "cannot end with two processes, a and b" in colony.log.read_text()


def test_a_restart_by_a_user_is_no_end_for_exit_with(colony):
    colony.start({"processes": {"main": SLEEP}}, "--exit-with", "main")
    before = colony.wait_state("main", "running")["os_pid"]
    colony.ctl("restart", "main")
    pid = colony.wait_state("main", "running")["os_pid"]
    assert pid != before and colony.process.poll() is None
    os.kill(pid, signal.SIGTERM)
    assert colony.process.wait(20) == 128 + 15


def test_colony_ends_when_an_essential_process_failed_for_good(colony):
    end = colony.folder / "end"
    colony.start({"processes": {
        "main": {"shell": True, "cmd": f"until [ -e {end} ]; do sleep 0.02; done; exit 5",
                 "essential": True, "restart": "never"},
        "side": SLEEP}})
    pid = colony.wait_state("side", "running")["os_pid"]
    end.touch()
    assert colony.process.wait(20) == 5
    assert not alive(pid)


def test_one_that_is_restarted_is_essential_only_when_it_gives_up(colony):
    colony.start({"processes": {"main": {
        **DIE, "essential": True, "restart": {"attempts": 3, "window": 10, "delay": 0.05}}}},
        wait=False)
    assert colony.process.wait(20) == 1


def test_what_uses_too_much_memory_is_restarted(colony):
    colony.start({"processes": {"it": {
        "cmd": "python3", "args": ["-c", "x = bytearray(80 << 20)\nimport time\ntime.sleep(1000)"],
        "restart_above": {"memory": "40MiB", "for": 0.5}}}})
    eventually(lambda: colony.slot("it")["restarts"] >= 1)
    assert "more than 40.0 MiB of memory" in colony.log.read_text()


def test_what_uses_too_much_cpu_is_restarted_its_children_counted(colony):
    colony.start({"processes": {"it": {
        "shell": True, "cmd": "sh -c 'while :; do :; done'; true",
        "restart_above": {"cpu": 5, "for": 0.5}}, "calm": {
        **SLEEP, "restart_above": {"cpu": 20, "memory": "100MiB", "for": 0.3}}}})
    calm = colony.wait_state("calm", "running")["os_pid"]
    eventually(lambda: colony.slot("it")["restarts"] >= 1)
    assert colony.slot("calm")["os_pid"] == calm


def test_max_age_starts_it_anew(colony):
    colony.start({"processes": {"it": {**SLEEP, "max_age": 1}}})
    first = colony.wait_state("it", "running")["os_pid"]
    eventually(lambda: colony.slot("it")["os_pid"] not in (None, first))
    assert "has run for max_age" in str(colony.http("GET", "/history?name=it&limit=100").json())


def test_the_place_in_the_schedule_outlives_an_engine_kill(colony):
    colony.start({"processes": {"it": {
        **DIE, "flapping": {"attempts": 1, "window": 1, "retry_in": 60, "max_retry": 3}}}})
    before = colony.wait_state("it", "backoff")["retry_in"]
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers())
    after = colony.wait_state("it", "backoff")["retry_in"]
    assert 0 < after <= before
