# SPDX-License-Identifier: Apache-2.0
"""/history: whose events, since when, and how much of them is kept."""
import time

import pytest

from conftest import eventually

TWO = {"web": {"cmd": "sleep", "args": ["1000"]}, "db": {"cmd": "sleep", "args": ["1000"]}}


def history(colony, query=""):
    answer = colony.http("GET", f"/history?limit=10000{query}")
    assert answer.status == 200, answer.text
    return answer.json()


def restart(colony, count=1):
    for _ in range(count):
        assert colony.http("POST", "/processes/web/_restart").status == 200


def test_of_one_template(colony):
    colony.start({"processes": TWO})
    colony.wait_state("web", "running")
    rows = history(colony, "&template=web")
    assert rows and {row["name"] for row in rows} == {"web"}
    assert rows == history(colony, "&name=web")
    assert history(colony, "&template=none") == []


def test_since_an_event_a_time_and_an_age(colony):
    colony.start({"processes": TWO})
    colony.wait_state("web", "running")
    colony.wait_state("db", "running")
    before = history(colony)[0]["seq"]
    time.sleep(0.01)
    restart(colony)
    colony.wait_state("web", "running")
    rows = history(colony, f"&since={before}")
    assert rows and all(row["seq"] > before for row in rows)
    assert [row["seq"] for row in rows] == sorted((row["seq"] for row in rows), reverse=True)
    first = next(row for row in rows if row["event"] == "restart")
    again = history(colony, f"&since={first['time']}")
    assert {row["seq"] for row in again} >= {first["seq"]}
    assert all(row["time"] >= first["time"] for row in again)
    assert len(history(colony, "&since=1h")) == len(history(colony))
    assert history(colony, "&since=2099-01-01T00:00:00Z") == []
    assert len(colony.http("GET", f"/history?since={before}&limit=1").json()) == 1
    eventually(lambda: history(colony, f"&since={before}&template=db") == [])


@pytest.mark.parametrize("since", ["yesterday", "-1", "", "2026-03-01"])
def test_a_since_that_is_neither_is_refused(colony, since):
    colony.start("")
    answer = colony.http("GET", f"/history?since={since}")
    assert answer.status == 400 and answer.json()["error"] == "bad_value"


def test_it_is_kept_by_number(colony):
    colony.start({"history": {"max_events": 100}, "processes": TWO})
    restart(colony, 150)
    assert colony.http("POST", "/processes/web/_stop?wait=20").status == 200
    restart(colony)
    rows = eventually(lambda: (found := history(colony)) and len(found) <= 130 and found)
    assert len(rows) >= 100 and rows[0]["seq"] > 300


def test_it_is_kept_by_age_and_a_reload_changes_that(colony):
    colony.start({"processes": TWO})
    colony.wait_state("db", "running")
    assert history(colony, "&template=db")
    time.sleep(1.1)
    colony.write({"history": {"max_age": 1}, "processes": TWO})
    colony.ctl("reload")
    assert history(colony, "&template=db") == []
    restart(colony)
    assert history(colony, "&template=web")
