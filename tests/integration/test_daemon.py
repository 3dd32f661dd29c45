# SPDX-License-Identifier: Apache-2.0
"""The daemon endpoint: events, status and ping as mtutils' daemons had them, and nothing else."""
import datetime
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from conftest import BINARY, assert_sleeps, eventually
from daemons import (ask, counts, curl, datagram, free_port, port_of, pretty, send, start,
                     status)

SLEEP = {"cmd": "sleep 1000"}
CONFIG = """
master:
    port: {port}
    host: '::'
    hidden_opts: ['yt_token', 'other_tokens']

yt_token: AAAA-123123hh22igg2g23g2323j332k
other_tokens:
    hello: AAAA-asdasdasd
    password: oadsfkdjhdh

processes:
    MyWorker: {{cmd: sleep 1000}}
"""


# What the original's page shows.

def test_the_status_is_that_of_the_original_key_for_key(colony):
    port = free_port()
    colony.config = colony.folder / "MyDaemon.yaml"
    before = datetime.datetime.now()
    colony.start(CONFIG.format(port=port))
    colony.wait_state("MyWorker", "running")
    result = curl("-g", "-6", f"[::1]:{port}/status")
    answer = json.loads(result.stdout)
    assert result.stdout == pretty(answer).replace(  # numbers are as they are written
        str(answer["message"]["uptime"]), re.search(r'"uptime": ([\d.]+)', result.stdout)[1])
    message = answer["message"]
    assert answer["result"] is True
    for time_of in (message["started"], message["slaves"][0]["started"]):
        at = datetime.datetime.strptime(time_of, "%Y-%m-%d %H:%M:%S.%f")
        assert abs((at - before).total_seconds()) < 20
    assert 0 < message["uptime"] < 20 and re.search(r'"uptime": \d+\.\d{6}$', result.stdout, re.M)
    assert message == {
        "config": {"other_tokens": "*** HIDDEN ***", "yt_token": "*** HIDDEN ***"},
        "events": {"dropped": 0, "http": 0, "received": 0, "rejected": 0, "udp": 0},
        "events_queue": 0,
        "master_config": {"hidden_opts": ["yt_token", "other_tokens"], "host": "::", "port": port},
        "name": "MyDaemon",
        "slaves": [{"name": "MyWorker", "started": message["slaves"][0]["started"]}],
        "started": message["started"],
        "uptime": message["uptime"],
    }


def test_the_curl_line_of_the_original_is_answered_as_there(colony):
    port = start(colony)
    result = curl("-v", "-g", "-6", f"[::1]:{port}/events", "-X", "POST", "-d",
                  '{"Hello": "World"}')
    assert result.stdout == '{\n    "message": "Event received",\n    "result": true\n}'
    assert "< HTTP/1.1 200 OK" in result.stderr
    eventually(lambda: '{"Hello":"World"}' in colony.log.read_text(), what="a line in the log")
    assert counts(port) == {"dropped": 0, "http": 1, "received": 1, "rejected": 0, "udp": 0}


def test_the_nc_line_of_the_original_is_an_event(colony):
    """With -w 0 nc waits for nothing, at times not even for what echo writes."""
    port = start(colony)

    def is_sent():
        subprocess.run(f"echo -n '{{\"Hello\": \"World\"}}'|nc -6u ::1 {port} -w 0", shell=True,
                       check=True, timeout=30)
        return counts(port)["udp"] > 0
    eventually(is_sent, what="a datagram")
    eventually(lambda: '{"Hello":"World"}' in colony.log.read_text(), what="a line in the log")


def test_ping_is_ok_in_plain_text(colony):
    port = start(colony)
    answer = ask(port, "GET", "/ping")
    assert (answer.status, answer.body) == (200, b"OK\n")
    assert answer.headers["Content-Type"] == "text/plain"


def test_ipv4_comes_too_and_is_shown_as_ipv4(colony):
    port = start(colony)
    assert ask(port, "GET", "/ping", host="127.0.0.1").status == 200
    assert send(port, '"http"', host="127.0.0.1").status == 200
    datagram(port, b'"udp"', host="127.0.0.1")
    eventually(lambda: counts(port)["received"] == 2)
    log = eventually(lambda: (text := colony.log.read_text()).count("127.0.0.1:") >= 2 and text)
    assert "::ffff:" not in log


@pytest.mark.parametrize("value", ["42", "[]", '"x"', "null", "true", "{}", ' {"a" : [ 1 ] } ',
                                   '"\\u00e9 \\ud83d\\ude00"', "1.5e300"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain",
                                  "application/x-www-form-urlencoded"])
def test_any_json_is_an_event_whatever_its_type(colony, value, kind):
    port = start(colony)
    assert send(port, value, headers={"Content-Type": kind}).json() == {
        "message": "Event received", "result": True}


# What the endpoint has, and has not.

def test_there_is_no_endpoint_unless_it_is_asked_for(colony):
    colony.start({"processes": {"web": SLEEP}})
    assert "takes events" not in colony.log.read_text()


def test_the_command_line_asks_for_one_too(colony):
    colony.start("", "--events", "127.0.0.1:0", "--name", "short")
    port = port_of(colony)
    message = status(port, host="127.0.0.1")
    assert message["name"] == "short"
    assert message["master_config"] == {"hidden_opts": [], "host": "127.0.0.1", "port": port}
    with pytest.raises(OSError):
        ask(port, "GET", "/ping", host="::1")


def test_nothing_of_control_can_be_reached(colony):
    port = start(colony, {"processes": {"web": SLEEP}})
    before = colony.wait_state("web", "running")["os_pid"]
    for method, path in (("GET", "/processes"), ("GET", "/"), ("POST", "/_shutdown"),
                         ("POST", "/processes/web/_stop"), ("GET", "/metrics"), ("GET", "/watch"),
                         ("GET", "/openapi.json"), ("GET", "/wstreams/1"), ("GET", "/logs/web"),
                         ("POST", "/events/x"), ("GET", "//status")):
        answer = ask(port, method, path, "" if method == "POST" else None)
        assert answer.status in (400, 404), path
        assert answer.json()["result"] is False
    assert colony.slot("web")["os_pid"] == before


def test_a_wrong_method_is_told_what_would_do(colony):
    port = start(colony)
    for method, path, allowed in (("GET", "/events", "POST, OPTIONS"),
                                  ("POST", "/ping", "GET, HEAD, OPTIONS"),
                                  ("DELETE", "/status", "GET, HEAD, OPTIONS")):
        answer = ask(port, method, path, "1")
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)
        assert answer.json()["result"] is False
    assert counts(port)["rejected"] == 0


def test_a_foreign_page_can_neither_send_nor_look(colony):
    port = start(colony)
    assert send(port, "1", headers={"Origin": "http://evil.example"}).status == 403
    for path in ("/status", "/ping"):
        assert ask(port, "GET", path, headers={"Host": "evil.example"}).status == 403
    assert counts(port)["received"] == 0


def test_several_clients_send_at_once(colony):
    port = start(colony)
    peers = [socket.create_connection(("::1", port), timeout=20) for _ in range(50)]
    for number, peer in enumerate(peers):
        body = b'{"n": %d}' % number
        peer.sendall(b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                     % len(body) + body[:3])
    for number, peer in reversed(list(enumerate(peers))):
        peer.sendall((b'{"n": %d}' % number)[3:])
        assert peer.recv(65536).startswith(b"HTTP/1.1 200 OK")
        peer.close()
    assert counts(port)["received"] == 50


# What the status shows.

def test_processes_that_run_are_slaves(colony):
    port = start(colony, {"processes": {"one": SLEEP, "pair": {**SLEEP, "numprocesses": 2},
                                        "off": {**SLEEP, "start": False}}})
    for name, number in (("one", 1), ("pair", 1), ("pair", 2)):
        colony.wait_state(name, "running", number)
    assert [slave["name"] for slave in status(port)["slaves"]] == ["one", "pair-1", "pair-2"]
    colony.ctl("stop", "pair")
    colony.wait_state("pair", "stopped", 2)
    assert [slave["name"] for slave in status(port)["slaves"]] == ["one"]


def test_only_keys_at_the_top_are_hidden(colony):
    port = start(colony, {"master": {"host": "::", "port": 0, "hidden_opts": ["password"]},
                          "password": "secret", "tokens": {"password": "shown"}})
    assert status(port)["config"] == {"password": "*** HIDDEN ***",
                                      "tokens": {"password": "shown"}}


def test_a_reload_shows_new_keys_and_hides_what_is_to_be_hidden(colony):
    port = start(colony, {"a": 1})
    colony.write({"master": {"host": "::", "port": 0, "hidden_opts": ["b"]}, "a": 2, "b": 3})
    colony.ctl("reload")
    assert status(port)["config"] == {"a": 2, "b": "*** HIDDEN ***"}


def test_it_started_when_colony_did_whatever_became_of_its_engine(colony):
    port = start(colony)
    before = status(port)
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and status(port), what="another engine")
    after = status(port)
    first, second = (datetime.datetime.strptime(one["started"], "%Y-%m-%d %H:%M:%S.%f")
                     for one in (before, after))
    assert abs((second - first).total_seconds()) < 0.1  # each engine asks two clocks, one after the other
    assert after["uptime"] > before["uptime"]


def test_datagrams_wait_for_an_engine(colony):
    port = start(colony)
    engine = colony.engine
    os.kill(engine, signal.SIGSTOP)
    for number in range(100):
        datagram(port, b"%d" % number)
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: counts(port)["udp"] == 100, what="all datagrams")


# The user's own status.

def test_what_a_command_prints_is_merged(colony):
    port = start(colony, {"status": {"exec": """echo '{"awesome_status": 42, "name": "mine"}'"""}})
    message = status(port)
    assert message["awesome_status"] == 42
    assert message["name"] == "mine"
    assert message["events_queue"] == 0


@pytest.mark.parametrize("command, reason, timeout", [
    ("sh -c 'echo no disk; exit 3'", "`status: exec` failed: exit status 3: no disk", "20s"),
    ("echo '[1]'", "`status: exec` failed: what it printed is no JSON object", "20s"),
    ("echo", "`status: exec` failed: what it printed is no JSON", "20s"),
    ("/nonexistent/program", "No such file or directory", "20s"),
    ("head -c 2000000 /dev/zero", "`status: exec` failed: it printed a MiB or more", "20s"),
    ("sleep 100", "`status: exec` failed: took too long", "500ms"),
])
def test_a_command_that_fails_is_told(colony, command, reason, timeout):
    port = start(colony, {"status": {"exec": command, "timeout": timeout}})
    answer = ask(port, "GET", "/status")
    assert answer.status == 500
    assert answer.json()["result"] is False
    assert reason in answer.json()["message"]
    assert ask(port, "GET", "/ping").status == 200


def test_those_who_ask_at_once_share_a_run(colony):
    runs = colony.folder / "runs"
    port = start(colony, {"status": {"exec": f"sh -c 'echo >> {runs}; sleep 0.5; echo {{}}'"}})
    peers = [socket.create_connection(("::1", port), timeout=20) for _ in range(20)]
    for peer in peers:
        peer.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
    peers.pop().close()
    for peer in peers:
        assert peer.recv(65536).startswith(b"HTTP/1.1 200 OK")
        peer.close()
    assert len(runs.read_text()) <= 2


# Its log.

def test_the_classic_log_begins_as_the_original(colony):
    """With no file of settings, as there."""
    with open(colony.log, "wb") as log:
        colony.process = subprocess.Popen([BINARY, "serve", "--state", str(colony.state), "--name",
                                           "MyDaemon", "--events", "[::1]:0", "--log-format",
                                           "classic"], stdout=log, stderr=log)
    eventually(colony.answers, what="serving")
    lines = colony.log.read_text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} MainThread              "
                        r"MyDaemon                        WARNING     "
                        r"Config file is not specified", lines[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} MainThread              "
                        r"MyDaemon                        DEBUG       Starting", lines[1])
    assert all(re.match(r".{23} .{24}.{32}(ERROR|WARNING|INFO|DEBUG) +\S", line)
               for line in lines), lines


# Figures.

def test_the_counters_are_in_the_metrics_too(colony):
    port = start(colony)
    send(port, "1")
    send(port, "{")
    datagram(port, b"2")
    eventually(lambda: counts(port) == {"dropped": 0, "http": 1, "received": 2, "rejected": 1,
                                        "udp": 1})
    text = colony.http("GET", "/metrics").text
    for line in ('colony_events_received_total{via="http"} 1',
                 'colony_events_received_total{via="udp"} 1', "colony_events_rejected_total 1",
                 "colony_events_dropped_total 0", "colony_events_udp_overruns_total 0"):
        assert f"\n{line}\n" in text


def test_an_idle_endpoint_wakes_nobody(colony):
    port = start(colony)
    send(port, "1")

    assert_sleeps(colony.engine, seconds=2, most=2)
