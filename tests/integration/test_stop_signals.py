# SPDX-License-Identifier: Apache-2.0
"""A stop that sends several signals, each in turn."""

import time

from conftest import alive, eventually

SIGNALS = ["QUIT", "SIGTERM", 10]
IGNORES = "trap 'echo quit' QUIT; trap 'echo term' TERM; {last}echo ready; " \
          "while :; do sleep 0.02; done"


def start(colony, last, **more):
    colony.start({"processes": {"it": {"cmd": "sh", "args": ["-c", IGNORES.format(last=last)],
                                       "stop_signal": SIGNALS, "graceful_timeout": 0.4, **more}}})
    eventually(lambda: colony.output("it") == b"ready\n")


def stop(colony):
    began = time.monotonic()
    assert colony.http("POST", "/processes/it/_stop").status == 200
    colony.wait_state("it", "stopped")
    return time.monotonic() - began


def test_each_is_sent_in_turn_until_one_ends_it(colony):
    start(colony, "trap 'echo usr1; exit 7' USR1; ")
    took = stop(colony)
    assert colony.slot("it")["last_exit"] == {"known": True, "status": 7, "signal": None}
    eventually(lambda: colony.output("it") == b"ready\nquit\nterm\nusr1\n")
    assert 0.8 <= took < 1.2 + 3


def test_the_first_is_enough_for_who_listens(colony):
    colony.start({"processes": {"it": {"cmd": "sleep", "args": "1000", "stop_signal": SIGNALS}}})
    colony.wait_state("it", "running")
    took = stop(colony)
    assert colony.slot("it")["last_exit"]["signal"] == "SIGQUIT" and took < 5


def test_sigkill_comes_after_the_grace_of_the_last(colony):
    start(colony, "trap 'echo usr1' USR1; ")
    took = stop(colony)
    assert colony.slot("it")["last_exit"]["signal"] == "SIGKILL"
    eventually(lambda: colony.output("it") == b"ready\nquit\nterm\nusr1\n")
    assert 1.2 <= took < 1.2 + 3


def test_what_it_leaves_behind_gets_them_too(colony):
    child = "(trap '' QUIT TERM; trap 'echo usr1; exit 0' USR1; while :; do sleep 0.02; done) & " \
            "echo $!; " \
            "trap 'exit 0' QUIT; while :; do sleep 0.02; done"
    colony.start({"processes": {"it": {"cmd": "sh", "args": ["-c", child], "mark": True,
                                       "stop_signal": SIGNALS, "graceful_timeout": 0.4}}})
    left = int(eventually(lambda: colony.output("it").strip()))
    assert stop(colony) >= 0.8
    assert not alive(left)
    eventually(lambda: b"\nusr1\n" in colony.output("it"))


def test_they_are_shown_as_they_were_given(colony):
    colony.start({"processes": {"it": {"cmd": "sleep", "args": "1000", "stop_signal": SIGNALS}}})
    assert colony.http("GET", "/processes/it").json()["stop_signal"] == SIGNALS


def test_a_change_of_them_takes_no_new_process(colony):
    settings = {"cmd": "sleep", "args": "1000", "stop_signal": ["QUIT", "TERM"]}
    colony.start({"processes": {"it": settings}})
    pid = colony.wait_state("it", "running")["os_pid"]
    colony.write({"processes": {"it": {**settings, "stop_signal": ["INT"]}}})
    colony.ctl("reload")
    assert colony.slot("it")["os_pid"] == pid
    stop(colony)
    assert colony.slot("it")["last_exit"]["signal"] == "SIGINT"


def test_what_is_paused_ends_by_the_stop_signal(colony):
    colony.start({"processes": {"it": {"cmd": "sleep", "args": "1000", "graceful_timeout": 60}}})
    colony.wait_state("it", "running")
    assert colony.http("POST", "/processes/it/_signal/STOP").status == 200
    assert colony.slot("it")["paused"] is True
    colony.http("POST", "/processes/it/_stop?wait=20")
    told = colony.slot("it")
    assert told["last_exit"]["signal"] == "SIGTERM" and told["paused"] is False
