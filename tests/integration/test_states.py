# SPDX-License-Identifier: Apache-2.0
"""What waits for a state that somebody who looks at the process tells: a session."""

import os
import signal

import pytest

from conftest import eventually
from driven import Driven


@pytest.fixture
def colony(make_colony):
    return make_colony(Driven).start()


def pair(colony, state="operative", **more):
    colony.put("master.tws")
    colony.put("trader", depends_on={"master.tws": {"condition": f"state:{state}", **more}})
    colony.wait_state("master.tws", "running")


def waits(colony):
    return colony.http("GET", "/why/trader").json()["waits"]


def test_a_dependent_starts_in_the_state_and_not_before(colony):
    pair(colony)
    assert colony.slot("trader")["state"] == "waiting"
    assert waits(colony) == ["waits for master.tws to be in state operative: it is in none that is "
                             "known"]
    colony.do("state", "master.tws", "starting")
    assert waits(colony) == ["waits for master.tws to be in state operative: it is starting"]
    assert "waits for master.tws to be in state operative: it is starting" in \
        colony.ctl("why", "trader").stdout
    colony.do("state", "master.tws", "login")
    assert colony.slot("trader")["state"] == "waiting"
    colony.do("state", "master.tws", "operative")
    colony.wait_state("trader", "running")


def test_any_state_is_any_but_starting(colony):
    pair(colony, "*")
    assert waits(colony) == ["waits for master.tws to be in any state: it is in none that is known"]
    colony.do("state", "master.tws", "starting")
    assert colony.slot("trader")["state"] == "waiting"
    colony.do("state", "master.tws", "running")
    trader = colony.wait_state("trader", "running")["os_pid"]
    colony.do("state", "master.tws", "operative")
    assert colony.slot("trader")["os_pid"] == trader


def test_who_needs_a_state_is_stopped_when_it_is_left_and_comes_back_with_it(colony):
    pair(colony)
    colony.do("state", "master.tws", "operative")
    first = colony.wait_state("trader", "running")["os_pid"]
    colony.do("state", "master.tws", "login")
    slot = colony.wait_state("trader", "waiting")
    assert slot["cause"].startswith("waits for master.tws to be in state operative: it is login")
    assert "which it needs, is not in state operative any more" in \
        colony.http("GET", "/why/trader").text
    colony.do("state", "master.tws", "operative")
    assert colony.wait_state("trader", "running")["os_pid"] != first


def test_keep_runs_on(colony):
    pair(colony, when_down="keep")
    colony.do("state", "master.tws", "operative")
    first = colony.wait_state("trader", "running")["os_pid"]
    colony.do("state", "master.tws", "login")
    os.kill(colony.slot("master.tws")["os_pid"], signal.SIGKILL)
    eventually(lambda: colony.slot("master.tws")["restarts"] == 1)
    assert colony.slot("trader")["os_pid"] == first


@pytest.mark.parametrize("when_down", ["stop", "restart"])
def test_a_state_ends_with_its_process(colony, when_down):
    pair(colony, when_down=when_down)
    colony.do("state", "master.tws", "operative")
    first = colony.wait_state("trader", "running")["os_pid"]
    os.kill(colony.slot("master.tws")["os_pid"], signal.SIGKILL)
    eventually(lambda: colony.slot("master.tws")["restarts"] == 1 and
               colony.slot("master.tws")["state"] == "running")
    colony.wait_state("trader", "waiting")
    colony.do("state", "master.tws", "operative")
    assert colony.wait_state("trader", "running")["os_pid"] != first


def test_a_crash_of_a_dependent_outside_the_state_waits_for_it(colony):
    pair(colony, when_down="keep")
    colony.do("state", "master.tws", "operative")
    first = colony.wait_state("trader", "running")["os_pid"]
    colony.do("state", "master.tws", "login")
    os.kill(first, signal.SIGKILL)
    colony.wait_state("trader", "waiting")
    colony.do("state", "master.tws", "operative")
    colony.wait_state("trader", "running")


def test_what_runs_is_not_held_to_a_state_that_is_not_known_yet(colony):
    pair(colony)
    colony.do("state", "master.tws", "operative")
    first = colony.wait_state("trader", "running")["os_pid"]
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine)
    eventually(colony.answers)
    pair(colony)
    colony.do("state", "master.tws", "starting")
    assert colony.wait_state("trader", "running")["os_pid"] == first
    colony.do("state", "master.tws", "operative")
    colony.do("state", "master.tws", "login")
    colony.wait_state("trader", "waiting")


def test_states_of_nobody_are_no_matter(colony):
    colony.do("state", "nobody", "operative")
    pair(colony)
    colony.do("state", "master.tws")
    assert colony.slot("trader")["state"] == "waiting"
