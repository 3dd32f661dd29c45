# SPDX-License-Identifier: Apache-2.0
"""Which templates start with colony, and in which order."""

from conftest import eventually

SLEEP = {"cmd": "sleep", "args": "1000"}


def test_lower_priorities_start_first_and_the_rest_in_file_order(colony):
    colony.start({"processes": {"late": SLEEP, "later": SLEEP, "second": {**SLEEP, "priority": 1},
                                "first": {**SLEEP, "priority": 0},
                                "pair": {**SLEEP, "priority": 1, "numprocesses": 2}}})
    eventually(lambda: all(s["id"] for s in colony.slots()))
    order = sorted(colony.slots(), key=lambda s: s["id"])  # ids count up as they are spawned
    assert [s["name"] for s in order] == ["first", "second", "pair", "pair", "late", "later"]
    assert [s["id"] for s in order] == list(range(1, 7))


def test_a_template_that_says_so_waits_until_it_is_started(colony):
    colony.start({"processes": {"lazy": {**SLEEP, "start": False}, "none": {
        **SLEEP, "numprocesses": 0}, "web": SLEEP}})
    colony.wait_state("web", "running")
    assert colony.slot("lazy")["state"] == "stopped"
    assert colony.slots("none") == []
    assert colony.http("GET", "/status/lazy").json() == {
        "active": False, "running": 0, "numprocesses": 1, "max_processes": 1}
    colony.ctl("start", "lazy")
    colony.wait_state("lazy", "running")
