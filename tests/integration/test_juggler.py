# SPDX-License-Identifier: Apache-2.0
"""Juggler: states of templates are reported to a real server that answers as Juggler does."""
import json
import os
import signal
import subprocess
import time

import pytest

from conftest import BINARY, eventually
from receiver import Receiver
from test_access import free_port
from test_metrics import Metrics


def answer_with(code_of=lambda event: 200):
    """Answers each event with a code of its own."""
    def react(handler, post, n):
        codes = [{"code": code_of(event)} for event in post.json()["events"]]
        handler.answer(200, json.dumps({"events": codes, "success": True}).encode())
    return react


def settings(receiver, templates, **juggler):
    return {"juggler": {"url": receiver.url("/juggler/"), "host": "box", "delay": "100ms", **juggler},
            "processes": templates}


SLEEPER = {"cmd": "sleep", "args": ["1000"]}


class Reports:
    """The last state that was told of each service."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.last = {}
        self.batches = []

    def take(self):
        post = self.receiver.next()
        assert post.path == "/juggler/events"
        assert post.headers["Content-Type"] == "application/json"
        told = post.json()
        self.batches.append(told["events"])
        for event in told["events"]:
            assert sorted(event) == ["description", "host", "service", "status", "tags"]
            self.last[event["service"]] = event
        return told

    def until(self, service, status):
        while self.last.get(service, {}).get("status") != status:
            self.take()
        return self.last[service]


def test_states_are_reported_as_they_change(colony):
    with Receiver(answer_with()) as receiver:
        colony.start(settings(receiver, {"web": SLEEPER, "db": {"cmd": "sleep 1000"}}, tags=["a", "b"]))
        reports = Reports(receiver)
        first = reports.take()
        assert first["source"] == "colony"
        assert reports.until("web", "OK") == {
            "host": "box", "service": "web", "status": "OK", "description": "1 of 1 run",
            "tags": ["a", "b"]}
        reports.until("db", "OK")
        assert colony.http("POST", "/processes", json.dumps(
            {"name": "broken", "cmd": "false", "restart": "never"})).status == 200
        told = reports.until("broken", "CRIT")
        assert told["description"].startswith("0 of 1 run; broken.1 is ")
        eventually(lambda: Metrics(colony).get("colony_juggler_sent_events_total") >= 3)  # once it is answered
        assert Metrics(colony).get("colony_juggler_failed_requests_total") == 0


def test_many_are_told_in_batches_and_again_after_a_while(colony):
    with Receiver(answer_with()) as receiver:
        colony.start(settings(receiver, {f"p{i}": SLEEPER for i in range(5)}, max_batch=2,
                              delay=1, resend="1500ms"))
        reports = Reports(receiver)
        for _ in range(3):
            reports.take()
        assert [len(batch) for batch in reports.batches] == [2, 2, 1]
        assert {event["status"] for event in reports.last.values()} == {"OK"}
        assert len(reports.last) == 5
        for _ in range(3): # nothing has changed: it is time to tell all again
            reports.take()
        assert [len(batch) for batch in reports.batches[3:]] == [2, 2, 1]


def test_only_the_templates_that_are_named_are_reported(colony):
    with Receiver(answer_with()) as receiver:
        colony.start(settings(receiver, {"web": SLEEPER, "db": SLEEPER}, processes=["db"], source="me"))
        reports = Reports(receiver)
        assert reports.take()["source"] == "me"
        reports.until("db", "OK")
        assert list(reports.last) == ["db"]


def test_a_code_that_is_not_200_is_told_and_the_others_are_taken(colony):
    with Receiver(answer_with(lambda event: 400 if event["service"] == "web" else 200)) as receiver:
        colony.start(settings(receiver, {"web": SLEEPER, "db": SLEEPER}))
        Reports(receiver).until("db", "OK")
        eventually(lambda: "Juggler refuses what it is told of web: code 400" in
                   colony.log.read_text())
        eventually(lambda: Metrics(colony).get("colony_juggler_refused_events_total") >= 1)
        eventually(lambda: Metrics(colony).get("colony_juggler_sent_events_total") >= 1)


@pytest.mark.parametrize("status, body, why", [
    (500, b"", "it answers with status 500"),
    (200, b"<html>", "its answer is no JSON that can be read"),
    (200, b'{"events": []}', "its answer has no code for each event"),
])
def test_an_answer_that_says_nothing_good_is_tried_again(colony, status, body, why):
    def react(handler, post, n):
        if n == 1:
            handler.answer(status, body)
        else:
            answer_with()(handler, post, n)

    with Receiver(react) as receiver:
        colony.start(settings(receiver, {"web": SLEEPER}))
        receiver.next()
        eventually(lambda: f"cannot report to Juggler: {why}" in colony.log.read_text())
        again = receiver.next(seconds=15).json()
        assert again["events"][0]["service"] == "web"
        eventually(lambda: "reports to Juggler again" in colony.log.read_text())


def test_nobody_there_disturbs_nothing(colony):
    colony.start({"juggler": {"url": f"http://127.0.0.1:{free_port()}", "delay": "100ms"},
                  "processes": {"web": SLEEPER}})
    eventually(lambda: "cannot report to Juggler: " in colony.log.read_text())
    colony.wait_state("web", "running")
    assert colony.stop() == 0


# --- the command -------------------------------------------------------------------------------

def report(*args, **run):
    return subprocess.run([BINARY, "event", "juggler", *args], capture_output=True, text=True,
                          timeout=60, **run)


GOOD = ["--host", "h", "--service", "s", "--status", "CRIT", "--description", "it is down"]


def test_the_command_reports_one_state():
    with Receiver(answer_with()) as receiver:
        result = report(*GOOD, "--tag", "a", "--tag", "b", "--url", receiver.url(""))
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        post = receiver.next()
        assert post.path == "/events"
        assert post.json() == {"source": "colony", "events": [
            {"host": "h", "service": "s", "status": "CRIT", "description": "it is down",
             "tags": ["a", "b"]}]}


def test_the_command_takes_url_and_source_from_the_settings(tmp_path):
    with Receiver(answer_with()) as receiver:
        config = tmp_path / "colony.yaml"
        config.write_text(json.dumps({"juggler": {"url": receiver.url("/x"), "source": "me",
                                                  "host": "box", "headers": {"X-A": "b"}}}))
        args = GOOD[2:]
        assert report(*args, "--config", config).returncode == 0
        post = receiver.next()
        assert post.path == "/x/events" and post.headers["X-A"] == "b"
        told = post.json()
        assert told["source"] == "me" and told["events"][0]["host"] == "box"


def test_the_command_says_what_went_wrong():
    with Receiver(answer_with(lambda event: 403)) as receiver:
        result = report(*GOOD, "--url", receiver.url(""))
        assert result.returncode == 1 and "refuses it with code 403" in result.stderr
    with Receiver(lambda handler, post, n: handler.answer(502)) as receiver:
        result = report(*GOOD, "--url", receiver.url(""))
        assert result.returncode == 1 and "answers with status 502" in result.stderr
    with Receiver(lambda handler, post, n: handler.answer(200, b"{}")) as receiver:
        result = report(*GOOD, "--url", receiver.url(""))
        assert result.returncode == 1 and "no code for each event" in result.stderr
    result = report(*GOOD, "--url", f"http://127.0.0.1:{free_port()}")
    assert result.returncode == 69 and result.stderr.count("\n") == 1


def test_the_command_gives_up_after_its_time():
    with Receiver(lambda handler, post, n: time.sleep(3)) as receiver:
        began = time.monotonic()
        result = report(*GOOD, "--url", receiver.url(""), "--timeout", "0.3")
        assert result.returncode == 75, result.stderr
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("args, code, why", [
    (GOOD[:6], 2, "--description is missing"),
    ([*GOOD[:4], "--status", "BAD", *GOOD[6:], "--url", "http://a"], 2, "OK, WARN, CRIT or INFO"),
    ([*GOOD, "--url", "a.example"], 2, "http:// or https://"),
    ([*GOOD, "--config", "/nonexistent.yaml"], 78, "cannot open /nonexistent.yaml"),
])
def test_the_command_refuses_what_it_cannot_send(args, code, why):
    result = report(*args)
    assert result.returncode == code
    assert why in result.stderr and result.stderr.count("\n") == 1
