# SPDX-License-Identifier: Apache-2.0
"""Topics that a program publishes (publisher.c), as those hear of them who ask colony: feeds and webhooks."""
import json
import pathlib
import subprocess
import threading
import time

import pytest

from conftest import BINARY
from followed import Feed
from receiver import Receiver

HERE = pathlib.Path(__file__).parent
EVENTS = "feed=eventsource&heartbeat=false"


@pytest.fixture(name="start")
def start_fixture(colony, tmp_path):
    tmp_path.chmod(0o755)
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I", HERE.parents[1] / "include",
                    "-o", tmp_path / "publisher.so", HERE / "publisher.c"], check=True, timeout=60)
    (tmp_path / "publisher.so").chmod(0o755)

    def start(**settings):
        colony.start({"controllers": [str(tmp_path / "publisher.so")],
                      "processes": {"web": {"cmd": "sleep", "args": ["1000"]}}, **settings})
        colony.wait_state("web", "running")
        return colony
    return start


def publish(colony, topic, message=None):
    body = b"" if message is None else message if isinstance(message, bytes) else json.dumps(message)
    answer = colony.http("POST", f"/publish/{topic}", body)
    assert answer.status == 200, answer.text


def publish_until(colony, process):
    """Again and again, as nobody knows when it listens, until it has ended."""
    while process.poll() is None:
        publish(colony, "orders.paid", {"of": "me"})
        time.sleep(0.1)


def test_a_feed_tells_the_topics_it_asks_for(start):
    colony = start()
    with Feed(colony, f"/watch/topic.orders?{EVENTS}") as orders, Feed(colony, f"/watch?{EVENTS}") as everything, \
            Feed(colony, "/watch/topic?feed=continuous") as lines, Feed(colony, "/watch/topic.orders.paid") as one:
        publish(colony, "ordersome", 1)
        publish(colony, "orders", {"of": "Ärzte"})
        publish(colony, "orders.paid")
        publish(colony, "orders.paid", 3)
        first, second, third = (orders.event() for _ in range(3))
        assert [it["event"] for it in (first, second, third)] == ["topic.orders", "topic.orders.paid", "topic.orders.paid"]
        told = json.loads(first["data"])
        assert told.pop("time")
        assert told == {"event": "topic.orders", "data": {"of": "Ärzte"}, "cause": ""}
        assert [json.loads(it["data"])["data"] for it in (second, third)] == [None, 3]
        assert [json.loads(lines.chunk())["event"] for _ in range(4)] == [
            "topic.ordersome", "topic.orders", "topic.orders.paid", "topic.orders.paid"]
        assert [json.loads(one.chunk())["data"], one.chunk()] == [None, b""], "the next one, and the end"
        everything.wait("topic.orders.paid", data=3)
        for feed in (orders, everything):
            publish(colony, "orders.gone", b'"\xff"')
            assert feed.wait("topic.orders.gone")["data"] == "?"


def test_topics_have_no_id_and_are_not_in_the_history(start):
    colony = start()
    with Feed(colony, f"/watch?{EVENTS}") as feed:
        publish(colony, "orders", 1)
        assert feed.wait("topic.orders")["id"] is None
        colony.http("POST", "/processes/web/_restart")
        last = int(feed.wait("restart")["id"])
    publish(colony, "orders", 2)
    colony.http("POST", "/processes/web/_stop")
    with Feed(colony, f"/watch?{EVENTS}", {"Last-Event-ID": str(last)}) as feed:
        seen = [feed.event()]
        while seen[-1]["event"] != "stop":
            seen.append(feed.event())
        assert [int(it["id"]) for it in seen] == list(range(last + 1, last + 1 + len(seen))), "none is missing"
        publish(colony, "orders", 3)
        assert feed.wait("topic.orders")["data"] == 3, "they are told as they happen"
    assert not [row for row in colony.http("GET", "/history").json() if row["event"].startswith("topic")]


def test_a_slow_reader_is_told_what_it_misses(start):
    colony = start(http={"max_feed_bytes": 65536})
    with Feed(colony, f"/watch/topic.flood?{EVENTS}") as feed:
        for _ in range(100):
            publish(colony, "flood", "x" * 100_000)
        publish(colony, "flood", "last")
        missing = got = 0
        while (event := feed.event()) and '"last"' not in event["data"]:
            missing += json.loads(event["data"])["events"] if event["event"] == "dropped" else 0
            got += event["event"] == "topic.flood"
        assert missing > 0 and missing + got == 100


def test_webhooks_get_the_topics_they_want(start):
    with Receiver() as receiver:
        colony = start(webhooks={"topic.orders": receiver.url("/orders")})
        publish(colony, "other")
        publish(colony, "orders.paid", {"of": "me"})
        post = receiver.next("topic.orders.paid")
        assert post.headers["X-Colony-Event"] == "topic" and post.json()["data"] == {"of": "me"}
        with Feed(colony, f"/watch/topic.orders?{EVENTS}") as feed:
            publish(colony, "orders", 1)
            told = feed.event()["data"]
        assert receiver.next("topic.orders").body == told.encode()


def test_ctl_watch_shows_topics_too(start):
    colony = start()
    command = [BINARY, "ctl", "--state", str(colony.state), "watch", "topic.orders"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ctl:
        threading.Thread(target=publish_until, args=(colony, ctl), daemon=True).start()
        line = ctl.stdout.readline()
        ctl.kill()
    assert 'topic.orders.paid {"of":"me"}' in line
