# SPDX-License-Identifier: Apache-2.0
"""What was told of events outlives the engine that told it, or is missed where it is looked for."""

import contextlib
import json
import os
import signal
import sqlite3

import pytest
from conftest import alive, eventually
from followed import Feed

SLEEPER = {"processes": {"web": {"cmd": "sleep 1000", "restart": {"delay": "0.01s", "factor": 1}}}}


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


def kill(colony):
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
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


@pytest.mark.parametrize("replace", [upgrade, kill])
def test_an_id_is_given_once_and_one_who_comes_back_with_it_is_told_what_came_after(colony, replace):
    colony.start(SLEEPER)
    told = {}
    for _ in range(5):
        rows = restart(colony)
        assert all(told.setdefault(row["seq"], row) == row for row in rows)
        last = rows[0]["seq"]
        assert last == max(told)
        replace(colony)
        gone = colony.wait_state("web", "running")["id"]
        assert all(told.setdefault(row["seq"], row) == row for row in restart(colony))
        with Feed(colony, "/watch?feed=eventsource", {"Last-Event-ID": last}) as feed:
            first = feed.event()
        assert (first["event"], first["id"]) == ("exit", str(last + 1))
        assert json.loads(first["data"])["pid"] == gone


def restart_and_kill(colony):
    """A restart of which nothing is written when the engine is killed, however long that takes: somebody else
    holds the database."""
    database = sqlite3.connect(colony.state / "engine" / "colony.db", isolation_level=None, timeout=20)
    keeper, engine = colony.keeper, colony.engine
    with contextlib.closing(database):
        database.execute("BEGIN IMMEDIATE")
        rows = restart(colony)
        os.kill(keeper, signal.SIGSTOP)  # the next engine is to find it free
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: not alive(engine))
        database.execute("ROLLBACK")
        os.kill(keeper, signal.SIGCONT)
        eventually(lambda: colony.engine != engine and colony.answers())
    return rows


def lost(colony):
    line = "colony_history_dropped_events_total "
    text = colony.http("GET", "/metrics").text
    return int(next(at for at in text.splitlines() if at.startswith(line))[len(line):])


def test_what_was_told_and_not_written_is_counted(colony):
    colony.start(SLEEPER)
    rows = restart_and_kill(colony)
    count = rows[0]["seq"] - (history(colony) or [{"seq": 0}])[0]["seq"]
    assert count > 0
    assert lost(colony) == count
    assert f"the history lacks {count} events" in colony.log.read_text()
    upgrade(colony)
    assert lost(colony) == 0


@pytest.mark.parametrize("path", ["/watch", "/watch/exit", "/watch/proc/web"])
def test_one_who_comes_back_for_what_the_history_holds_no_more_is_told_how_much(colony, path):
    colony.start({"history": {"max_events": 100}, **SLEEPER})
    for _ in range(150):
        assert colony.http("POST", "/processes/web/_restart").status == 200
    assert colony.http("POST", "/processes/web/_stop?wait=20").status == 200
    colony.http("POST", "/processes/web/_start")  # what is too much goes with a write
    colony.wait_state("web", "running")
    # What was told is written with what waits to be safe; from then on nothing goes.
    assert colony.http("POST", "/processes/web/_scale/1").status == 200
    assert len(history(colony)) == 100
    oldest = history(colony)[-1]["seq"]
    assert oldest > 106
    with Feed(colony, f"{path}?feed=eventsource", {"Last-Event-ID": "5"}) as feed:
        assert json.loads(feed.event()["data"]) == {"events": oldest - 6}
        assert int(feed.event()["id"]) >= oldest
    with Feed(colony, f"{path}?feed=continuous&since=5") as feed:
        assert json.loads(feed.chunk()) == {"event": "dropped", "events": oldest - 6}
    with Feed(colony, f"{path}?feed=eventsource", {"Last-Event-ID": oldest - 1}) as feed:
        assert feed.event()["event"] != "dropped"


@pytest.mark.parametrize("path", ["/watch", "/watch/proc/web/spawn", "/watch/proc/none"])
def test_one_who_comes_back_is_told_how_much_a_kill_has_lost(colony, path):
    colony.start(SLEEPER)
    restart(colony)
    upgrade(colony)  # so much is written
    last = history(colony)[0]["seq"]
    newest = restart_and_kill(colony)[0]["seq"]
    held = history(colony)[0]["seq"]
    assert last <= held < newest
    with Feed(colony, f"{path}?feed=eventsource", {"Last-Event-ID": last}) as feed:
        event = feed.event()
        while event["event"] != "dropped":
            assert last < int(event["id"]) <= held
            event = feed.event()
        assert json.loads(event["data"]) == {"events": newest - held}
        restart(colony)
        if path != "/watch/proc/none":
            assert int(feed.event()["id"]) > newest
