# SPDX-License-Identifier: Apache-2.0
"""What lives on when keeper or engine end: each way once, slowly, where chaos is quick."""

import os
import pathlib
import signal
import subprocess
import time

import pytest
from conftest import BINARY, alive, eventually, needs_root

TICKER = {"cmd": "sh", "args": ["-c", "i=0; while :; do echo $$((i=i+1)); sleep 0.01; done"]}
SETTINGS = {"processes": {"ticker": TICKER, "sleeper": {"cmd": "sleep", "args": "1000",
                                                        "numprocesses": 3}}}


def identities(colony):
    return {(s["name"], s["slot"]): (s["id"], s["os_pid"]) for s in colony.slots()}


def lines(colony):
    return [int(line) for line in colony.output("ticker").rpartition(b"\n")[0].split()]


def assert_ticks_on(colony):
    count = len(lines(colony))
    eventually(lambda: len(lines(colony)) > count + 20)
    told = lines(colony)
    assert told == list(range(1, len(told) + 1))


def start(colony):
    colony.start(SETTINGS)
    eventually(lambda: len(lines(colony)) > 10)
    eventually(lambda: all(s["state"] == "running" for s in colony.slots()))
    return identities(colony)


def test_an_engine_that_dies_is_replaced_and_processes_keep_pid_and_id(colony):
    before = start(colony)
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers())
    assert identities(colony) == before
    assert_ticks_on(colony)


def test_a_stopped_engine_holds_up_no_process_and_loses_no_exit(colony):
    before = start(colony)
    engine = colony.engine
    os.kill(engine, signal.SIGSTOP)
    os.kill(before[("sleeper", 2)][1], signal.SIGKILL)
    eventually(lambda: not alive(before[("sleeper", 2)][1]))
    os.kill(engine, signal.SIGCONT)
    eventually(lambda: colony.slot("sleeper", 2)["id"] not in (None, before[("sleeper", 2)][0]))
    assert colony.slot("sleeper", 2)["last_exit"] == {"known": True, "status": 0,
                                                      "signal": "SIGKILL"}
    assert_ticks_on(colony)


def test_an_exit_while_no_engine_runs_is_told_with_its_true_status(colony):
    colony.start({"processes": {"late": {"cmd": "sh", "args": ["-c", "sleep 0.3; exit 7"],
                                         "numprocesses": 1}}})
    colony.wait_state("late", "running")
    keeper, engine = colony.keeper, colony.engine
    pid = colony.slot("late")["os_pid"]
    os.kill(keeper, signal.SIGSTOP)  # so that no new engine comes in between
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    os.kill(keeper, signal.SIGCONT)
    eventually(lambda: colony.slot("late")["last_exit"]["status"] == 7)


def test_the_engine_takes_the_place_of_a_dead_keeper(colony):
    before = start(colony)
    keeper, engine = colony.keeper, colony.engine
    os.kill(keeper, signal.SIGKILL)
    colony.process.wait(10)
    eventually(lambda: colony.keeper == engine and colony.answers())
    assert colony.engine != engine
    assert identities(colony) == before
    assert_ticks_on(colony)
    # ... and is a whole keeper: it restarts what ends and ends when asked.
    os.kill(before[("sleeper", 1)][1], signal.SIGKILL)
    eventually(lambda: colony.slot("sleeper", 1)["os_pid"] not in (None, before[("sleeper", 1)][1]))
    colony.stop()
    for _, pid in before.values():
        assert not alive(pid)


def test_a_new_serve_takes_over_from_a_dead_keeper_and_engine(colony):
    before = start(colony)
    colony.kill_both()
    assert all(alive(pid) for _, pid in before.values())
    colony.start(SETTINGS)
    assert identities(colony) == before
    assert_ticks_on(colony)


def test_an_engine_that_hangs_keeps_nobody_from_taking_the_place_of_its_dead_keeper(colony):
    before = start(colony)
    engine = colony.engine
    os.kill(engine, signal.SIGSTOP)
    os.kill(colony.keeper, signal.SIGKILL)
    colony.process.wait(10)
    colony.start(SETTINGS)
    assert not alive(engine)
    assert identities(colony) == before
    assert_ticks_on(colony)
    assert "its engine hangs: that is killed, processes go on" in colony.log.read_text()


def test_changed_settings_are_applied_at_a_takeover_and_nothing_else_restarts(colony):
    before = start(colony)
    colony.kill_both()
    colony.start({"processes": {"ticker": TICKER, "sleeper": {"cmd": "sleep", "args": "2000",
                                                              "numprocesses": 2}}})
    assert identities(colony)[("ticker", 1)] == before[("ticker", 1)]
    eventually(lambda: not alive(before[("sleeper", 3)][1]))  # there is one slot less
    eventually(lambda: {s["slot"] for s in colony.slots("sleeper") if s["state"] == "running"} ==
               {1, 2} and not {s["os_pid"] for s in colony.slots("sleeper")} &
               {pid for _, pid in before.values()})
    for number in (1, 2):
        line = pathlib.Path(f"/proc/{colony.slot('sleeper', number)['os_pid']}/cmdline").read_bytes()
        assert line == b"sleep\x002000\0"


def test_bad_settings_at_a_takeover_go_on_with_the_last_good_ones(colony):
    before = start(colony)
    colony.kill_both()
    colony.start("processes: {ticker: {cmdd: nonsense}}")
    assert identities(colony) == before
    assert "goes on with the settings applied last" in colony.log.read_text()


def test_a_template_that_was_stopped_stays_stopped_over_kills(colony):
    start(colony)
    colony.ctl("stop", "sleeper")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers())
    assert {s["state"] for s in colony.slots("sleeper")} == {"stopped"}
    os.kill(colony.keeper, signal.SIGKILL)
    colony.process.wait(10)
    eventually(lambda: colony.keeper == engine or colony.answers())
    eventually(lambda: {s["state"] for s in colony.slots("sleeper")} == {"stopped"})


def test_an_upgrade_replaces_keeper_and_engine_and_no_process(colony):
    before = start(colony)
    keeper, engine = colony.keeper, colony.engine
    colony.ctl("upgrade")
    eventually(lambda: colony.engine != engine and colony.answers())
    assert colony.keeper == keeper == colony.process.pid
    assert identities(colony) == before
    assert_ticks_on(colony)
    # They are its children still: statuses are known.
    os.kill(before[("sleeper", 1)][1], signal.SIGTERM)
    eventually(lambda: colony.slot("sleeper", 1)["last_exit"]["signal"] == "SIGTERM")
    assert colony.stop() == 0


def start_with_pid(pid):
    """A process of that number, which nobody else has now."""
    for _ in range(1000):
        pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        process = subprocess.Popen(["sleep", "1000"])
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    raise AssertionError(f"could not have pid {pid}")


@needs_root
def test_a_stranger_with_a_reused_pid_is_never_signalled(colony):
    before = start(colony)
    colony.kill_both()
    victim = before[("sleeper", 1)][1]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: not pathlib.Path(f"/proc/{victim}").exists(), what="its reaping")
    stranger = start_with_pid(victim)
    try:
        colony.start(SETTINGS)
        eventually(lambda: colony.slot("sleeper", 1)["state"] == "running")
        assert colony.slot("sleeper", 1)["os_pid"] != stranger.pid
        assert not colony.slot("sleeper", 1)["last_exit"]["known"]
        assert colony.slot("sleeper", 2)["os_pid"] == before[("sleeper", 2)][1]
        colony.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_under_a_service_manager_the_engine_ends_with_its_keeper(colony):
    colony.write(SETTINGS)
    colony.start(SETTINGS, env={**os.environ, "NOTIFY_SOCKET": "/nonexistent"})
    before = eventually(lambda: all(s["os_pid"] for s in colony.slots()) and identities(colony))
    engine = colony.engine
    os.kill(colony.keeper, signal.SIGKILL)
    colony.process.wait(10)
    eventually(lambda: not alive(engine))
    assert all(alive(pid) for _, pid in before.values())
    colony.start(SETTINGS)  # as the manager does
    assert identities(colony) == before


def test_a_second_serve_is_told_the_pid_of_the_first(colony):
    start(colony)
    result = subprocess.run([BINARY, "serve", "--config", colony.config, "--state", colony.state],
                            capture_output=True, text=True, timeout=20)
    assert result.returncode == 5
    assert f"pid {colony.keeper}" in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_a_stopped_keeper_is_sent_waits_for_it(colony):
    start(colony)
    keeper = colony.keeper
    os.kill(keeper, signal.SIGSTOP)
    colony.http("POST", "/processes/sleeper/_restart")
    time.sleep(0.1)
    os.kill(keeper, signal.SIGCONT)
    eventually(lambda: all(s["state"] == "running" for s in colony.slots("sleeper")))


def test_a_shutdown_of_many_ends_even_if_the_engine_is_killed_in_it(colony):
    """So many that what the engine says last does not fit the socket at once."""
    colony.start({"processes": {"many": {"cmd": "sleep", "args": "1000", "numprocesses": 600},
                                "slow": {"cmd": "sh", "graceful_timeout": 1,
                                         "args": ["-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]}}})
    eventually(lambda: all(s["state"] == "running" for s in colony.slots()))
    eventually(lambda: colony.output("slow") == b"deaf\n")
    pids = [s["os_pid"] for s in colony.slots()]
    engine = colony.engine
    os.kill(colony.keeper, signal.SIGTERM)
    eventually(lambda: not alive(pids[0]))
    os.kill(engine, signal.SIGKILL)
    assert colony.process.wait(30) == 0
    assert not [pid for pid in pids if alive(pid)]


STUBBORN = {"cmd": "sh", "graceful_timeout": 3,
            "args": ["-c", "trap 'echo asked' TERM; echo begins; while :; do sleep 0.1; done"]}


def asked_to_stop(colony, name):
    return b"asked" in colony.output(name)


@pytest.mark.parametrize("how", ["signal", "shutdown"])
def test_an_end_goes_on_when_the_keeper_is_killed_in_it(colony, how):
    colony.start({"processes": {"slow": STUBBORN, "quick": {"cmd": "sleep 1000"}}})
    eventually(lambda: b"begins" in colony.output("slow"))
    pids = [colony.wait_state(name, "running")["os_pid"] for name in ("slow", "quick")]
    keeper, engine = colony.keeper, colony.engine
    if how == "signal":
        os.kill(keeper, signal.SIGTERM)
    else:
        colony.http("POST", "/_shutdown")
    eventually(lambda: asked_to_stop(colony, "slow") and not alive(pids[1]))
    os.kill(keeper, signal.SIGKILL)
    colony.process.wait(10)
    eventually(lambda: colony.keeper == engine, what="the engine in its keeper's place")
    eventually(lambda: not alive(engine), what="the end")
    assert not [pid for pid in pids if alive(pid)]
    assert colony.output("slow").count(b"begins") == 1


def test_an_end_goes_on_with_its_exit_code_when_keepers_are_killed_in_it(colony):
    """The second of them knows it from the engine that took the place of the first."""
    colony.start({"processes": {"slow": STUBBORN, "last": {"cmd": "sh", "restart": "never",
                                                           "args": ["-c", "sleep 1; exit 7"]}}},
                 "--exit-with", "last")
    eventually(lambda: asked_to_stop(colony, "slow"))
    for _ in range(2):
        keeper, engine = colony.keeper, colony.engine
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: colony.keeper == engine, what="the engine in its keeper's place")
    argv = pathlib.Path(f"/proc/{engine}/cmdline").read_bytes().split(b"\0")
    assert b"--ending=7" in argv
    eventually(lambda: not alive(engine), what="the end")
    assert colony.output("slow").count(b"begins") == 1


def test_what_was_running_at_a_shutdown_runs_again_at_the_next_start(colony):
    start(colony)
    colony.ctl("stop", "sleeper")
    assert colony.stop() == 0
    colony.start(SETTINGS)
    eventually(lambda: all((s["state"] == "stopped") == (s["name"] == "sleeper") and
                           s["state"] in ("running", "stopped") for s in colony.slots()))
