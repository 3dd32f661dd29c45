# SPDX-License-Identifier: Apache-2.0
"""What was told of events outlives the engine that told it, or is missed where it is looked for."""

import os
import signal

import pytest
from conftest import eventually
from followed import Feed

SLEEPER = {"processes": {"web": {"cmd": "sleep 1000"}}}


def history(colony):
    return colony.http("GET", "/history?limit=10000").json()


def restart(colony):
    """A process is killed and another one runs; returns the history, whose newest rows are young."""
    before = colony.wait_state("web", "running")["id"]
    assert colony.http("POST", f"/processes/{before}/_signal/9").status == 200
    eventually(lambda: colony.slot("web")["id"] not in (None, before))
    colony.wait_state("web", "running")
    return history(colony)


def upgrade(colony):
    engine = colony.engine
    colony.ctl("upgrade")
    eventually(lambda: colony.engine != engine and colony.answers())


def kill_keeper(colony):
    engine, keeper = colony.engine, colony.keeper
    os.kill(keeper, signal.SIGKILL)
    colony.process.wait(20)
    eventually(lambda: colony.keeper == engine and colony.answers())


@pytest.mark.parametrize("replace", [upgrade, kill_keeper])
def test_an_engine_that_makes_room_for_another_writes_first_what_it_told(colony, replace):
    colony.start(SLEEPER)
    for _ in range(2 if replace == upgrade else 1):
        told = restart(colony)
        assert [row["event"] for row in told[:1]] == ["spawn"]
        replace(colony)
        assert history(colony)[-len(told):] == told
