# SPDX-License-Identifier: Apache-2.0
"""Templates with a `schedule`: run by the engine again and again."""

import contextlib
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BINARY, alive, assert_sleeps, eventually


def job(command, schedule, **more):
    return {"shell": True, "cmd": command, "schedule": schedule, **more}


def noted(colony, command="true"):
    """A command that notes its start."""
    return f"echo $$ >> {colony.folder}/notes; {command}"


def starts(colony):
    notes = colony.folder / "notes"
    return [int(pid) for pid in notes.read_text().split()] if notes.exists() else []


def wait_starts(colony, count):
    return eventually(lambda: len(starts(colony)) >= count and starts(colony),
                      what=f"start {count}")


def causes(colony, name):
    return [event["cause"] for event in colony.http("GET", f"/history?name={name}").json()]


def test_it_runs_at_once_and_then_each_so_long(colony):
    began = time.monotonic()
    colony.start({"processes": {"it": job(noted(colony), "0.5s")}})
    wait_starts(colony, 4)
    assert 1.4 < time.monotonic() - began < 10
    slot = colony.wait_state("it", "waiting")
    assert slot["cause"].startswith("waits until 2")
    assert 0 <= slot["next_in"] <= 0.6
    assert slot["last_exit"]["status"] == 0 and slot["restarts"] == 0


def test_an_expression_waits_for_its_time_and_says_so(colony):
    colony.start({"processes": {
        "it": job(noted(colony), {"cron": "30 2 29 2 *", "timezone": "Europe/Berlin"})}})
    slot = colony.wait_state("it", "waiting")
    assert slot["cause"] == "waits until 2028-02-29 02:30:00 +01:00" or time.gmtime()[0] > 2027
    assert slot["next_in"] > 86400
    assert colony.http("GET", "/status/it").json()["next_in"] > 86400
    assert colony.http("GET", "/why/it").json()["waits"] == [slot["cause"]]
    assert "waits until 2" in colony.ctl("ps").stdout
    assert "waits until 2" in colony.ctl("why", "it").stdout
    assert "waits until 2" in colony.ctl("status", "it", check=False).stdout
    assert starts(colony) == []


def test_what_has_no_schedule_has_no_next_time(colony):
    colony.start({"processes": {"it": {"cmd": "sleep 1000"}}})
    assert colony.wait_state("it", "running")["next_in"] is None
    assert "next_in" not in colony.http("GET", "/status/it").json()


@pytest.fixture
def clock(tmp_path):
    """A library that lets a test set the time of day of who loads it."""
    if "/asan/" in os.environ.get("COLONY", "") or "/tsan/" in os.environ.get("COLONY", ""):
        pytest.skip("a sanitizer wants to be loaded first")
    library = tmp_path / "clock.so"
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    subprocess.run([compiler, "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", str(library),
                    str(pathlib.Path(__file__).with_name("clock.c"))], check=True, timeout=60)
    return library


def shortly_before(clock, setting, seconds):
    """An environment in which the next hour begins in so many seconds."""
    now = time.time()
    setting.write_text(str(math.floor(now // 3600 * 3600 + 3600 - seconds - now)), encoding="utf-8")
    return {**os.environ, "LD_PRELOAD": str(clock), "CLOCK_FILE": str(setting), "TZ": "UTC"}


def test_at_its_time_an_expression_is_run_once(colony, clock):
    env = shortly_before(clock, colony.folder / "clock", 4)
    colony.start({"processes": {"it": job(noted(colony), "0 * * * *", os_env=False)}}, env=env)
    assert colony.wait_state("it", "waiting")["next_in"] < 5
    wait_starts(colony, 1)
    assert colony.wait_state("it", "waiting")["next_in"] > 3500
    assert "it was time by its schedule" in causes(colony, "it")
    time.sleep(0.5)
    assert len(starts(colony)) == 1


def test_colony_schedule_runs_at_its_time_too(tmp_path, clock):
    env = shortly_before(clock, tmp_path / "clock", 1)
    began = time.monotonic()
    done = subprocess.run([BINARY, "schedule", "--cron=@hourly", "--once", "--", "echo", "now"],
                          env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[1] now\n")
    assert 0.3 < time.monotonic() - began < 5


def test_a_failing_run_waits_for_its_next_time(colony):
    colony.start({"processes": {"it": job(noted(colony, "exit 3"), "3s")}})
    wait_starts(colony, 1)
    slot = colony.wait_state("it", "waiting")
    assert slot["last_exit"]["status"] == 3 and slot["restarts"] == 0
    time.sleep(0.3)
    assert len(starts(colony)) == 1
    wait_starts(colony, 2)


def test_what_cannot_be_started_waits_for_its_next_time(colony):
    colony.start({"processes": {"it": {"cmd": "/nonexistent/program", "schedule": "0.5s"}}})
    slot = colony.wait_state("it", "waiting")
    eventually(lambda: "No such file" in colony.slot("it")["failure"])
    assert slot["restarts"] == 0
    eventually(lambda: sum(event["event"] == "fail" for event in
                           colony.http("GET", "/history?name=it").json()) >= 2)


def test_start_runs_it_now(colony):
    colony.start({"processes": {"it": job(noted(colony), "@yearly")}})
    colony.wait_state("it", "waiting")
    colony.ctl("start", "it")
    wait_starts(colony, 1)
    assert colony.wait_state("it", "waiting")["next_in"] > 0
    colony.ctl("restart", "it")
    wait_starts(colony, 2)
    colony.wait_state("it", "waiting")
    time.sleep(0.3)
    assert len(starts(colony)) == 2


def test_restart_of_what_runs_runs_it_again_now(colony):
    colony.start({"processes": {"it": job(noted(colony, "exec sleep 1000"), "1h")}})
    wait_starts(colony, 1)
    colony.wait_state("it", "running")
    colony.ctl("restart", "it")
    first, second = wait_starts(colony, 2)
    eventually(lambda: not alive(first))
    assert alive(second)


def test_stop_unschedules_it_until_it_is_started(colony):
    colony.start({"processes": {"it": job(noted(colony), "0.3s")}})
    wait_starts(colony, 1)
    colony.ctl("stop", "it")
    slot = colony.wait_state("it", "stopped")
    assert slot["next_in"] is None
    count = len(starts(colony))
    time.sleep(0.7)
    assert len(starts(colony)) == count
    colony.ctl("start", "it")
    wait_starts(colony, count + 2)


def test_once_runs_it_now_and_no_more(colony):
    colony.start({"processes": {"it": job(noted(colony), "0.5s", start=False)}})
    colony.ctl("once", "it")
    wait_starts(colony, 1)
    colony.wait_state("it", "completed")
    time.sleep(0.8)
    assert len(starts(colony)) == 1


def test_who_waits_for_a_start_does_not_wait_for_a_time(colony):
    colony.start({"processes": {"it": job(noted(colony), "@yearly")}})
    colony.ctl("start", "--wait", "--timeout", "10", "it")
    wait_starts(colony, 1)
    colony.ctl("scale", "--wait", "--timeout", "10", "it=3")
    colony.ctl("restart", "--wait", "--timeout", "10", "it")
    wait_starts(colony, 4)
    colony.ctl("stop", "--wait", "--timeout", "10", "it")
    body = json.dumps({"name": "new", **job("true", "@yearly")})
    assert colony.http("POST", "/processes?wait=10", body).status == 200


def test_what_still_runs_is_left_to_run(colony):
    colony.start({"processes": {"it": job(noted(colony, "sleep 0.8"), "0.5s")}})
    wait_starts(colony, 3)
    assert "it.1 still runs: what is due meanwhile is left out" in colony.log.read_text()


def test_what_is_due_meanwhile_can_come_right_after_it(colony):
    schedule = {"every": "1s", "overlap": "queue"}
    colony.start({"processes": {"it": job(noted(colony, "sleep 1.2"), schedule)}})
    wait_starts(colony, 4)
    assert "left out" not in colony.log.read_text()


def test_what_still_runs_can_be_ended_for_the_next(colony):
    schedule = {"every": "0.5s", "overlap": "kill"}
    colony.start({"processes": {"it": job(noted(colony, "exec sleep 1000"), schedule)}})
    first, second = wait_starts(colony, 2)[:2]
    assert not alive(first)
    assert "it is time for its next run" in causes(colony, "it")
    assert second != first


def test_a_run_that_takes_too_long_is_stopped_and_killed_after_its_grace(colony):
    colony.start({"processes": {
        "it": job(noted(colony, "trap '' TERM; sleep 1000 & wait; sleep 1000"),
                  {"every": "1h", "timeout": "1s"}, graceful_timeout=0.3)}})
    pid = wait_starts(colony, 1)[0]
    eventually(lambda: not alive(pid))
    slot = colony.wait_state("it", "waiting")
    assert slot["last_exit"]["signal"] == "SIGKILL" and slot["next_in"] > 3000
    assert "took longer than its timeout of 1.0 s" in causes(colony, "it")
    colony.ctl("start", "it")
    wait_starts(colony, 2)


def test_all_processes_of_a_template_run_at_its_times(colony):
    colony.start({"processes": {"it": job(noted(colony), "0.7s", numprocesses=3)}})
    wait_starts(colony, 6)
    ids = [slot["state"] for slot in colony.slots("it")]
    assert len(ids) == 3
    colony.ctl("scale", "it=4")
    assert len(colony.slots("it")) == 4
    count = len(starts(colony))
    wait_starts(colony, count + 4)


def test_what_depends_on_it_waits_for_one_success(colony):
    gate = colony.folder / "gate"
    colony.start({"processes": {
        "it": job(f"test -e {gate}", "0.3s"),
        "after": {"cmd": "sleep 1000", "depends_on": {"it": "completed"}}}})
    eventually(lambda: colony.slot("it")["last_exit"])
    assert colony.slot("after")["state"] == "waiting"
    gate.touch()
    after = colony.wait_state("after", "running")
    time.sleep(0.8)
    assert colony.slot("after")["os_pid"] == after["os_pid"]
    colony.ctl("restart", "after")  # what was done stays done
    colony.wait_state("after", "running", seconds=5)


def test_what_depends_on_its_start_runs_on_between_its_runs(colony):
    colony.start({"processes": {
        "it": job(noted(colony), "0.3s"),
        "after": {"cmd": "sleep 1000", "depends_on": {"it": "started"}}}})
    after = colony.wait_state("after", "running")
    wait_starts(colony, 4)
    assert colony.slot("after")["os_pid"] == after["os_pid"]
    assert colony.slot("after")["state"] == "running"


def test_what_it_depends_on_is_waited_for_at_its_time(colony):
    colony.start({"processes": {
        "db": {"cmd": "sleep 1000", "start": False},
        "it": job(noted(colony), "0.3s", depends_on={"db": "started"})}})
    eventually(lambda: colony.slot("it")["cause"].startswith("waits for db"))
    assert starts(colony) == []
    colony.ctl("start", "db")
    wait_starts(colony, 2)


def test_an_engine_that_dies_changes_no_time(colony):
    began = time.monotonic()
    colony.start({"processes": {"it": job(noted(colony), "4s"),
                                "rare": job("true", "@yearly")}})
    wait_starts(colony, 1)
    colony.wait_state("it", "waiting")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers())
    assert colony.wait_state("it", "waiting")["next_in"] < 4.1
    assert colony.wait_state("rare", "waiting")["next_in"] > 3
    assert len(starts(colony)) == 1
    wait_starts(colony, 2)
    assert 3.9 < time.monotonic() - began < 12


def test_a_first_run_that_was_due_while_no_engine_lived_is_not_missed(colony, clock):
    env = shortly_before(clock, colony.folder / "clock", 4)
    colony.start({"processes": {"it": job(noted(colony), "0 * * * *", os_env=False)}}, env=env)
    left = colony.wait_state("it", "waiting")["next_in"]
    engine = colony.engine
    os.kill(colony.keeper, signal.SIGSTOP)
    os.kill(engine, signal.SIGKILL)
    time.sleep(left + 0.5)
    assert starts(colony) == []
    os.kill(colony.keeper, signal.SIGCONT)
    wait_starts(colony, 1)
    assert colony.wait_state("it", "waiting")["next_in"] > 3500


def test_what_was_due_while_no_engine_lived_runs_once(colony):
    colony.start({"processes": {"it": job(noted(colony), "2s")}})
    wait_starts(colony, 1)
    colony.wait_state("it", "waiting")
    engine = colony.engine
    os.kill(colony.keeper, signal.SIGSTOP)
    os.kill(engine, signal.SIGKILL)
    time.sleep(4.2)  # twice; the third time is far enough
    count = len(starts(colony))
    os.kill(colony.keeper, signal.SIGCONT)
    wait_starts(colony, count + 1)
    time.sleep(0.4)
    assert len(starts(colony)) == count + 1


def test_a_run_goes_on_over_the_death_of_both(colony):
    colony.start({"processes": {"it": job(noted(colony, "exec sleep 5"), "2s")}})
    pid = wait_starts(colony, 1)[0]
    colony.wait_state("it", "running")
    colony.kill_both()
    colony.start({"processes": {"it": job(noted(colony, "exec sleep 5"), "2s")}})
    assert alive(pid) and colony.wait_state("it", "running")["os_pid"] == pid
    assert starts(colony) == [pid]
    wait_starts(colony, 2)
    assert not alive(pid)


def test_a_schedule_that_is_changed_takes_effect_at_once(colony):
    colony.start({"processes": {"it": job(noted(colony), "@yearly")}})
    colony.wait_state("it", "waiting")
    colony.write({"processes": {"it": job(noted(colony), "0.3s")}})
    colony.ctl("reload")
    wait_starts(colony, 2)
    colony.write({"processes": {"it": job(noted(colony), "1d")}})
    colony.ctl("reload")
    eventually(lambda: colony.wait_state("it", "waiting")["next_in"] > 80000)
    count = len(starts(colony))
    time.sleep(0.5)
    assert len(starts(colony)) == count


def test_a_schedule_can_be_given_and_taken(colony):
    colony.start({"processes": {"it": {"shell": True, "cmd": noted(colony, "exec sleep 1000")}}})
    pid = wait_starts(colony, 1)[0]
    colony.write({"processes": {"it": job(noted(colony, "exec sleep 1000"), "1h")}})
    colony.ctl("reload")
    slot = eventually(lambda: colony.slot("it")["next_in"] and colony.slot("it"))
    assert slot["os_pid"] == pid  # what runs is its first run
    colony.http("POST", "/processes/it/_signal/KILL")
    colony.wait_state("it", "waiting")
    colony.write({"processes": {"it": {"shell": True, "cmd": noted(colony, "exec sleep 1000")}}})
    colony.ctl("reload")
    assert colony.wait_state("it", "running")["next_in"] is None


def test_it_can_be_added_changed_and_removed_over_http(colony):
    colony.start()
    body = {"name": "it", **job(noted(colony), {"every": 0.3})}
    assert colony.http("POST", "/processes", json.dumps(body)).status == 200
    wait_starts(colony, 2)
    assert colony.http("GET", "/processes/it").json()["schedule"]["every"] == 0.3
    body["schedule"] = "@yearly"
    assert colony.http("PUT", "/processes/it", json.dumps(body)).status == 200
    eventually(lambda: colony.slot("it")["next_in"] > 3)
    assert colony.http("DELETE", "/processes/it").status == 200
    eventually(lambda: colony.http("GET", "/processes/it").status == 404)
    bad = {"name": "bad", **job("true", "61 * * * *")}
    answer = colony.http("POST", "/processes", json.dumps(bad))
    assert answer.status == 400 and "the minute `61`" in answer.text


def test_colony_ends_while_something_waits(colony):
    colony.start({"processes": {"it": job(noted(colony), "0.2s"), "rare": job("true", "@yearly")}})
    wait_starts(colony, 2)
    assert colony.stop() == 0
    count = len(starts(colony))
    time.sleep(0.5)
    assert len(starts(colony)) == count


def test_it_costs_nothing_while_it_waits(colony):
    colony.start({"processes": {"it": job("true", "@yearly")}})
    colony.wait_state("it", "waiting")
    assert_sleeps(colony.engine)


def clock_watches(pid):
    """Timers of the wall clock that the kernel cancels when somebody sets it."""
    found = 0
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            text = info.read_text()
            found += "clockid: 0\n" in text and "settime flags: 03\n" in text
    return found


def test_the_kernel_tells_when_the_clock_is_set(colony):
    colony.start({"processes": {"it": {"cmd": "sleep 1000"}}})
    assert clock_watches(colony.engine) == 0  # nobody needs it
    colony.write({"processes": {"it": {"cmd": "sleep 1000"}, "new": job("true", "@yearly")}})
    colony.ctl("reload")
    colony.wait_state("new", "waiting")
    assert clock_watches(colony.engine) == 1
    with subprocess.Popen([BINARY, "schedule", "--cron=@yearly", "true"]) as process:
        eventually(lambda: clock_watches(process.pid) == 1)
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize("schedule,reason", [
    ("61 * * * *", "cannot use `schedule`: the minute `61` of `61 * * * *`: it goes from 0 to 59"),
    ("* * * *", "4 fields instead of five"),
    ("0 0 30 2 *", "it never comes"),
    ("0", "100ms"),
    ("{every: 0}", "100ms"),
    ("{}", "give either `every` or `cron`"),
    ("{every: 1s, cron: '@daily'}", "give either `every` or `cron`"),
    ("{every: 1s, timezone: UTC}", "`timezone`: it means nothing without `cron`"),
    ("{every: 1s, jitter: 1s}", "`jitter`: it must be less than `every`"),
    ("{cron: '@daily', timezone: Europe/Atlantis}", "none of that name"),
    ("{cron: '@daily', overlap: wait}", "overlap"),
    ("{cron: 5}", "it must be a text such as"),
    ("{evry: 1s}", "did you mean `every`"),
    ("'@daily', restart: always", "`restart` together with `schedule`"),
    ("'@daily', flapping: {}", "`flapping` together with `schedule`"),
    ("'@daily', detach: true", "`detach` together with `schedule`"),
])
def test_what_cannot_be_meant_is_told_with_its_place(tmp_path, schedule, reason):
    if schedule[0] not in "{'":
        schedule = f'"{schedule}"'
    path = tmp_path / "colony.yaml"
    path.write_text(f"# a comment\nprocesses:\n  it: {{cmd: a, schedule: {schedule}}}\n")
    done = subprocess.run([BINARY, "check", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 78
    assert done.stderr.startswith(f"{path}:3:") and reason in done.stderr, done.stderr
