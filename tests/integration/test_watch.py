# SPDX-License-Identifier: Apache-2.0
"""Feeds of events and of samples: gaffer's shapes, resuming, slow readers, proper ends."""

import json
import os
import signal
import socket
import time

import pytest

from conftest import eventually
from followed import Feed

SLEEPER = {"processes": {"web": {"cmd": "sleep 1000"}}}

QUICK = {"processes": {"quick": {"cmd": "true", "numprocesses": 20,
                                 "restart": {"delay": "0.01s", "factor": 1}}}}


def start(colony, settings):
    """Starts it, and waits until all that it starts with has been told."""
    colony.start(settings)
    eventually(lambda: all(s["state"] in ("running", "backoff") for s in colony.slots()))


def scale(colony, name, count):
    assert colony.http("POST", f"/processes/{name}/_scale/{count}").status == 200


def test_an_event_source_tells_events_as_gaffer_did(colony):
    start(colony, SLEEPER)
    with Feed(colony, "/watch?feed=eventsource") as feed:
        assert (feed.status, feed.headers["content-type"]) == (200, "text/event-stream")
        assert feed.headers["cache-control"] == "no-cache"
        assert feed.chunk() == b"retry: 2000\r\n\r\n"
        scale(colony, "web", 2)
        spawn = feed.wait("spawn", name="web")
        assert {"event", "name", "pid", "os_pid", "detached"} <= set(spawn)
        assert (spawn["detached"], spawn["slot"]) == (False, 2) and int(spawn["id"]) == spawn["seq"]
        colony.http("POST", f"/processes/{spawn['pid']}/_signal/9")
        end = feed.wait("exit", pid=spawn["pid"])
        assert (end["exit_status"], end["term_signal"]) == (None, 9)
        assert end["seq"] > spawn["seq"]
    row = next(r for r in colony.http("GET", "/history").json() if r["seq"] == end["seq"])
    assert (row["id"], row["exit_status"], row["term_signal"]) == (spawn["pid"], None, "SIGKILL")


def test_an_end_without_a_signal_has_the_number_0_and_no_name(colony):
    start(colony, SLEEPER)
    colony.http("POST", "/processes", json.dumps({"name": "quick", "cmd": "false", "restart": "never"}))
    with Feed(colony, "/watch/exit?feed=eventsource&since=0") as feed:
        end = feed.wait("exit", name="quick")
    assert (end["exit_status"], end["term_signal"]) == (1, 0)
    row = next(r for r in colony.http("GET", "/history").json() if r["seq"] == end["seq"])
    assert (row["exit_status"], row["term_signal"]) == (1, None)


def test_longpoll_is_the_default_and_ends_after_one_event(colony):
    start(colony, SLEEPER)
    with Feed(colony, "/watch/spawn") as feed:
        assert feed.headers["content-type"] == "application/json"
        scale(colony, "web", 3)
        chunks = feed.rest()
    assert len(chunks) == 1 and chunks[0].endswith(b"\r\n")
    assert json.loads(chunks[0])["event"] == "spawn"


def test_a_connection_goes_on_after_a_longpoll(colony):
    start(colony, SLEEPER)
    with Feed(colony, "/watch/spawn") as feed:
        scale(colony, "web", 2)
        assert len(feed.rest()) == 1
        feed.sock.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert feed.file.readline().startswith(b"HTTP/1.1 200")


def test_continuous_goes_on_with_a_line_of_json_an_event(colony):
    start(colony, SLEEPER)
    with Feed(colony, "/watch/spawn?feed=continuous") as feed:
        scale(colony, "web", 4)
        events = [json.loads(feed.chunk()) for _ in range(3)]
    # What starts together is told as each comes to its program.
    assert sorted(e["slot"] for e in events) == [2, 3, 4]


def test_to_http_1_0_a_feed_is_the_bytes_up_to_the_end(colony):
    start(colony, SLEEPER)
    with Feed(colony, "/watch/spawn", version="1.0") as feed:
        assert "transfer-encoding" not in feed.headers
        scale(colony, "web", 2)
        assert json.loads(feed.file.read())["slot"] == 2


def test_one_template_and_one_kind_can_be_watched(colony):
    start(colony, {"processes": {"web": {"cmd": "sleep 1000"}, "web.exit": {"cmd": "sleep 1000"}}})
    with Feed(colony, "/watch/proc/web/exit?feed=eventsource") as exits, \
            Feed(colony, "/watch/proc/later?feed=eventsource") as later:
        colony.http("POST", "/processes/web.exit/_restart?wait=20")
        colony.http("POST", "/processes/web/_stop?wait=20")
        assert exits.wait("proc.web.exit")["name"] == "web"
        colony.http("POST", "/processes", json.dumps({"name": "later", "cmd": "sleep 100"}))
        assert later.wait("proc.later.create")["name"] == "later"


@pytest.mark.parametrize("path", ["/watch/none", "/watch/proc/web/none", "/watch/stray", "/watch/proc"])
def test_an_unknown_event_is_404_bad_event_type(colony, path):
    start(colony, SLEEPER)
    answer = colony.http("GET", path)
    assert (answer.status, answer.json()["error"]) == (404, "bad_event_type")


@pytest.mark.parametrize("path,headers", [
    ("/watch?feed=none", {}), ("/watch?feed=", {}), ("/watch?heartbeat=-1", {}),
    ("/watch?heartbeat=1e3", {}), ("/watch?heartbeat=99999999999999999999", {}),
    ("/watch?since=x", {}), ("/watch", {"Last-Event-ID": "1.5"}),
    ("/stats?feed=continuous", {}), ("/stats/web?feed=none", {}),
    ("/watch/proc/" + "n" * 201, {})])
def test_what_cannot_be_meant_is_400(colony, path, headers):
    start(colony, SLEEPER)
    answer = colony.http("GET", path, headers=headers)
    assert (answer.status, answer.json()["error"]) == (400, "bad_value")


def test_head_tells_the_type_and_ends(colony):
    start(colony, SLEEPER)
    answer = colony.http("HEAD", "/watch?feed=eventsource")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"] == "text/event-stream"


def test_a_browser_s_accept_header_asks_for_an_event_source(colony):
    start(colony, SLEEPER)
    with Feed(colony, "/watch", {"Accept": "text/event-stream"}) as feed:
        assert feed.headers["content-type"] == "text/event-stream"


def test_heartbeats_are_comments_in_an_event_source_and_blank_lines_elsewhere(colony):
    start(colony, SLEEPER)
    with Feed(colony, "/watch/create?feed=eventsource&heartbeat=1") as source, \
            Feed(colony, "/watch/create?feed=continuous&heartbeat=1") as lines:
        source.chunk()
        assert [source.chunk(), source.chunk()] == [b":\r\n\r\n"] * 2
        assert [lines.chunk(), lines.chunk()] == [b"\n"] * 2


def test_one_who_comes_back_misses_nothing_and_is_told_nothing_twice(colony):
    start(colony, SLEEPER)
    with Feed(colony, "/watch/spawn?feed=eventsource") as feed:
        scale(colony, "web", 2)
        last = feed.wait("spawn")["id"]
    scale(colony, "web", 900)
    eventually(lambda: all(s["state"] == "running" for s in colony.slots()), 60, "all running")
    with Feed(colony, "/watch/spawn?feed=eventsource", {"Last-Event-ID": last}) as feed:
        slots = [feed.wait("spawn")["slot"] for _ in range(898)]
        scale(colony, "web", 901)
        slots.append(feed.wait("spawn")["slot"])
    assert sorted(slots) == list(range(3, 902))
    with Feed(colony, f"/watch/spawn?since={last}") as feed: # longpoll: one at a time
        assert [json.loads(chunk)["slot"] for chunk in feed.rest()] == slots[:1]
    colony.http("POST", "/processes/web/_scale/0")


def test_resuming_while_events_come_misses_none(colony):
    start(colony, QUICK)
    seen, last = {}, "0"
    for _ in range(10):
        with Feed(colony, "/watch/exit?feed=eventsource", {"Last-Event-ID": last}) as feed:
            for _ in range(150):
                event = feed.wait("exit")
                assert event["pid"] not in seen
                seen[event["pid"]] = int(event["id"])
                last = event["id"]
    rows = colony.http("GET", "/history?limit=10000").json()  # all that is kept
    kept = sorted(r["id"] for r in rows if r["event"] == "exit" and r["seq"] <= int(last))
    assert kept == sorted(pid for pid, seq in seen.items() if seq >= rows[-1]["seq"]) and len(kept) > 0


def test_ids_go_on_when_the_engine_was_killed(colony):
    start(colony, SLEEPER)
    with Feed(colony, "/watch/spawn?feed=eventsource") as feed:
        scale(colony, "web", 2)
        last = feed.wait("spawn")["id"]
    os.kill(colony.engine, signal.SIGKILL)
    eventually(colony.answers)
    scale(colony, "web", 3)
    with Feed(colony, "/watch/spawn?feed=eventsource", {"Last-Event-ID": last}) as feed:
        event = feed.wait("spawn", slot=3)
    assert event["seq"] > int(last)


def test_one_who_never_reads_is_told_how_much_he_missed_and_holds_up_nobody(colony):
    start(colony, {"http": {"max_feed_bytes": 262144}, **QUICK})  # the other may lag behind by as much
    with Feed(colony, "/watch?feed=eventsource") as slow, \
            Feed(colony, "/watch?feed=eventsource") as quick:
        ids = [int(quick.event()["id"])]
        while len(ids) < 8000: # far above what the sockets and the queue hold
            ids.append(int(quick.event()["id"]))
        colony.http("POST", "/processes/quick/_stop?wait=20")
        told, missed, event = 0, 0, None
        while not event or int(event["id"] or 0) < ids[-1]:
            event = slow.event()
            if event["event"] == "dropped":
                missed += json.loads(event["data"])["events"]
            else:
                told += 1
                assert not missed or told + missed <= int(event["id"])
    assert ids == list(range(ids[0], ids[0] + 8000))
    assert missed > 0 and told + missed >= 8000


def test_samples_of_a_template_and_of_a_process(colony):
    start(colony, {"processes": {"web": {"cmd": "sleep 1000", "numprocesses": 2}}})
    ids = colony.http("GET", "/processes/web/_pids").json()["pids"]
    with Feed(colony, "/stats/web?feed=eventsource") as all_of_it, \
            Feed(colony, f"/stats/web/{ids[0]}?feed=continuous") as one:
        seen = [json.loads(all_of_it.event()["data"]) for _ in range(4)]
        assert {s["id"] for s in seen} == set(ids)
        assert {"mem_info1", "mem_info2", "cpu", "mem", "ctime", "pid", "username", "nice",
                "cmdline", "children"} <= set(seen[0])
        assert {json.loads(one.chunk())["id"] for _ in range(3)} == {ids[0]}
        colony.http("POST", f"/processes/{ids[0]}/_stop")
        assert all(json.loads(chunk)["id"] == ids[0] for chunk in one.rest()) # and it ends
        assert all_of_it.event()["event"] == "STATS"
        colony.http("DELETE", "/processes/web")
        while all_of_it.event():
            pass
    with Feed(colony, "/stats/web?feed=longpoll") as gone:
        assert gone.status == 404


def test_a_longpoll_of_samples_is_one(colony):
    start(colony, SLEEPER)
    with Feed(colony, "/stats/web?feed=longpoll") as feed:
        assert len(feed.rest()) == 1
    assert colony.http("GET", "/stats/web?feed=normal").json()["name"] == "web"


def test_feeds_that_hang_up_in_the_middle_leave_nothing(colony):
    start(colony, SLEEPER)
    before = len(os.listdir(f"/proc/{colony.engine}/fd"))
    for i in range(60):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(str(colony.socket))
        path = ["/watch?feed=eventsource&since=0", "/stats/web?feed=continuous", "/watch"][i % 3]
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        sock.close()
    eventually(lambda: len(os.listdir(f"/proc/{colony.engine}/fd")) <= before + 1)
    assert colony.answers()


def test_a_removal_is_told_once_it_is_so_and_before_the_ends_that_it_brings(colony):
    colony.start({"processes": {"web": {"cmd": "sleep 1000"}, "off": {"cmd": "true", "start": False}}})
    colony.wait_state("web", "running")
    with Feed(colony, "/watch?feed=eventsource") as feed:
        for name in ("off", "web"):
            assert colony.http("DELETE", f"/processes/{name}?wait=20").status == 200
        events = [json.loads(feed.event()["data"]) for _ in range(7)]
    assert [(e["name"], e["event"], e.get("to")) for e in events] == [
        ("off", "delete", None), ("web", "stop", None), ("web", "state", "stopping"), ("web", "stop_pid", None),
        ("web", "delete", None), ("web", "exit", None), ("web", "state", "stopped")]
