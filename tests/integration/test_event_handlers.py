# SPDX-License-Identifier: Apache-2.0
"""Handlers of events: each is given what was sent, in order, by its own way."""
import json
import os
import re
import signal
import socket
import subprocess

import pytest

import daemons
from conftest import BINARY, eventually, needs_root
from receiver import Receiver
from test_metrics import Metrics

zmq = pytest.importorskip("zmq")


def handlers(*list_of, **events):
    return {"events": {"handlers": list(list_of), **events}}


def start(colony, settings=None):
    """On this machine only: nobody else may have commands run."""
    return daemons.start(colony, settings, host="::1")


def send(port, event, status=200):
    answer = daemons.send(port, json.dumps(event))
    assert answer.status == status, answer.text
    return answer


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def write_script(colony, text, name="handler"):
    path = colony.folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_every_event_is_logged_with_its_number_unless_told_otherwise(colony):
    port = start(colony)
    send(port, {"Hello": "World"})
    send(port, [1, 2])
    daemons.datagram(port, b'"x"')
    eventually(lambda: len(re.findall(r"event \d+ by (?:http|udp) from \[::1\]:\d+: ",
                                      colony.log.read_text())) == 3)
    found = re.findall(r"event (\d+) by (http|udp) from .*?: (.*)$", colony.log.read_text(), re.M)
    assert [(via, text) for _, via, text in found] == [
        ("http", '{"Hello":"World"}'), ("http", "[1,2]"), ("udp", '"x"')]
    ids = [int(number) for number, _, _ in found]
    assert ids == sorted(set(ids))


def test_a_command_has_the_event_on_its_stdin_and_its_number_in_the_environment(colony):
    out = colony.folder / "out"
    script = write_script(colony, f"""
cat >> {out}; echo >> {out}
echo "$COLONY_EVENT_ID $COLONY_EVENT_TIME $COLONY_EVENT_VIA $COLONY_EVENT_PEER" >> {out}
""")
    port = start(colony, handlers("log", {"exec": script}))
    assert daemons.send(port, '{"a": " b c ", "n": [1, 2.50]}\n').status == 200
    eventually(lambda: len(lines(out)) == 2)
    event, rest = lines(out)
    assert event == '{"a":" b c ","n":[1,2.50]}'
    number, at, via, peer = rest.split()
    assert f"event {number} by http from {peer}: " in colony.log.read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at) and via == "http"
    eventually(lambda: daemons.status(port)["events_queue"] == 0)


def test_a_command_runs_once_at_a_time_and_in_order(colony):
    out = colony.folder / "out"
    script = write_script(colony, f'read line; echo "begin $line" >> {out}; sleep 0.05; echo "end $line" >> {out}\n')
    port = start(colony, handlers({"exec": script, "envelope": False}))
    for i in range(5):
        send(port, i)
    # a number without a newline is no line to `read`, which sets the variable all the same
    eventually(lambda: len(lines(out)) == 10)
    assert lines(out) == [f"{word} {i}" for i in range(5) for word in ("begin", "end")]


def test_as_many_commands_as_asked_for_run_at_a_time(colony):
    folder = colony.folder / "running"
    folder.mkdir()
    most, met = colony.folder / "most", colony.folder / "met"  # the first ones wait for each other
    script = write_script(colony, f"""
touch {folder}/$$
until [ -e {met} ] || [ $(ls {folder} | wc -l) -ge 3 ]; do sleep 0.01; done
ls {folder} | wc -l >> {most}; touch {met}; sleep 0.1; rm {folder}/$$
""")
    port = start(colony, handlers({"exec": script, "concurrency": 3}))
    for i in range(9):
        send(port, i)
    eventually(lambda: len(lines(most)) == 9 and not any(folder.iterdir()))
    assert max(map(int, lines(most))) == 3


def test_a_command_that_fails_is_told_and_the_next_event_is_handled(colony):
    out = colony.folder / "out"
    script = write_script(colony, f'cat >> {out}; echo >> {out}; echo "no such thing" >&2; exit 3\n')
    port = start(colony, handlers({"exec": script}, {"exec": "/nonexistent/x", "when": {"a": 1}}))
    send(port, {"a": 1})
    eventually(lambda: "handler 2 (exec): cannot run '/nonexistent/x': " in colony.log.read_text())
    assert f"handler 1 (exec): '{script}' ended with 3: no such thing" in colony.log.read_text()
    send(port, {"b": 2})
    eventually(lambda: len(lines(out)) == 2)
    metrics = eventually(lambda: Metrics(colony))
    eventually(lambda: Metrics(colony).get("colony_event_handler_failures_total", handler="1") == 2)
    assert Metrics(colony).get("colony_event_handler_failures_total", handler="2") == 1
    assert metrics.get("colony_events_dropped_total") == 0
    assert "?event" not in colony.log.read_text()  # told once, and not by the name of a job


def test_a_command_that_takes_too_long_is_stopped_with_its_children(colony):
    out = colony.folder / "out"
    script = write_script(colony, f"echo $$ >> {out}; sleep 1000 & echo $! >> {out}; wait\n")
    port = start(colony, handlers({"exec": script, "timeout": "300ms"}))
    send(port, 1)
    eventually(lambda: "took too long" in colony.log.read_text())
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in lines(out)))
    eventually(lambda: daemons.status(port)["events_queue"] == 0)


def test_commands_are_not_seen_among_the_processes(colony):
    port = start(colony, {**handlers({"exec": "sleep 1000"}),
                                  "processes": {"web": {"cmd": "sleep 1000"}}})
    colony.wait_state("web", "running")
    send(port, 1)
    eventually(lambda: daemons.status(port)["events_queue"] == 1)
    assert colony.http("GET", "/processes").json() == ["web"]
    assert [slave["name"] for slave in daemons.status(port)["slaves"]] == ["web"]
    assert colony.stop() == 0 # and it is no reason to hang


def test_a_large_event_comes_whole(colony):
    out = colony.folder / "out"
    port = start(colony, handlers({"exec": write_script(colony, f"cat > {out}.new; mv {out}.new {out}\n")}))
    event = {"text": "x" * 900_000}
    send(port, event)
    eventually(out.exists)
    assert json.loads(out.read_text()) == event


def test_a_line_goes_to_the_stdin_of_a_process(colony):
    out = colony.folder / "out"
    port = start(colony, {**handlers({"stdin": "reader"}, {"stdin": "reader", "envelope": True}),
                                  "processes": {"reader": {"cmd": f"dd of={out} bs=1 status=none",
                                                           "redirect_input": True}}})
    assert daemons.send(port, '{"a":\n1}').status == 200
    eventually(lambda: out.read_text().count("\n") == 2)  # it comes byte by byte
    first, second = lines(out)
    assert first == '{"a":1}'
    envelope = json.loads(second)
    assert envelope["event"] == {"a": 1} and envelope["via"] == "http"
    assert sorted(envelope) == ["event", "id", "peer", "time", "via"]


def test_events_wait_for_a_process_that_does_not_run(colony):
    out = colony.folder / "out"
    port = start(colony, {**handlers({"stdin": "reader"}),
                                  "processes": {"reader": {"cmd": f"dd of={out} bs=1 status=none oflag=append conv=notrunc",
                                                           "redirect_input": True, "start": False}}})
    for i in range(3):
        send(port, i)
    assert daemons.status(port)["events_queue"] == 3
    colony.ctl("start", "reader")
    eventually(lambda: lines(out) == ["0", "1", "2"])
    eventually(lambda: daemons.status(port)["events_queue"] == 0)
    pid = colony.slot("reader")["os_pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: colony.slot("reader")["os_pid"] not in (0, None, pid))
    send(port, 3)
    eventually(lambda: lines(out) == ["0", "1", "2", "3"])


def test_several_processes_get_events_in_turn(colony):
    port = start(colony, {**handlers({"stdin": "reader"}),
                                  "processes": {"reader": {"cmd": "cat", "redirect_input": True, "numprocesses": 2}}})
    for slot in (1, 2):
        colony.wait_state("reader", "running", slot)
    for i in range(6):
        send(port, i)
    eventually(lambda: sum(len(colony.output("reader", slot).split()) for slot in (1, 2)) == 6)
    assert all(len(colony.output("reader", slot).split()) == 3 for slot in (1, 2))


def test_a_process_that_takes_no_input_is_told_in_the_log(colony):
    port = start(colony, handlers({"stdin": "late"}))
    assert colony.http("POST", "/processes", '{"name": "late", "cmd": "sleep 1000"}').status == 200
    colony.wait_state("late", "running")
    send(port, 1)
    eventually(lambda: "cannot write to late: give it `redirect_input: true`" in colony.log.read_text())


def test_events_are_posted_with_their_number(colony):
    with Receiver() as receiver:
        secret = colony.folder / "secret"
        secret.write_text("correct-horse-battery-staple-0123456789\n")
        secret.chmod(0o600)
        port = start(colony, handlers({"webhook": receiver.url("/x"), "secret_file": str(secret),
                                               "headers": {"X-A": "b"}}))
        for i in range(3):
            send(port, {"n": i})
        posts = [receiver.next() for _ in range(3)]
        assert [post.json() for post in posts] == [{"n": 0}, {"n": 1}, {"n": 2}]
        assert all(post.path == "/x" and post.headers["X-A"] == "b" for post in posts)
        assert all(post.headers["X-Colony-Signature"].startswith("sha256=") for post in posts)
        numbers = [int(post.headers["X-Colony-Event-Id"]) for post in posts]
        assert numbers == sorted(set(numbers))
        eventually(lambda: daemons.status(port)["events_queue"] == 0)


def test_a_url_that_answers_badly_is_tried_again_and_then_given_up(colony):
    with Receiver(lambda handler, post, n: handler.answer(503 if n <= 2 else 200)) as receiver:
        port = start(colony, handlers({"webhook": receiver.url(), "retries": 1}))
        send(port, {"n": 1})
        send(port, {"n": 2})
        assert [receiver.next().json()["n"] for _ in range(3)] == [1, 1, 2]
        eventually(lambda: "it was given up" in colony.log.read_text())
        eventually(lambda: Metrics(colony).get("colony_event_handler_failures_total") == 1)


def test_events_are_published_on_the_bus(colony):
    port = start(colony, handlers("bus"))
    send(port, {"type": "deploy", "version": 7})
    send(port, [1])
    send(port, {"type": "not a word"})
    eventually(lambda: len([row for row in colony.http("GET", "/history").json()
                            if row["event"].startswith("event")]) == 3)
    rows = [row for row in colony.http("GET", "/history").json() if row["event"].startswith("event")]
    assert sorted((row["event"], json.dumps(row["data"])) for row in rows) == [
        ("event", "[1]"), ("event", '{"type": "not a word"}'),
        ("event.deploy", '{"type": "deploy", "version": 7}')]
    assert all(row["id"] > 0 and row["cause"] == "" for row in rows)
    send(port, {"text": "x" * 2000})
    eventually(lambda: "the bus takes 1024" in colony.log.read_text())


def test_a_byte_order_mark_is_no_part_of_an_event(colony):
    port = start(colony, handlers("bus"))
    daemons.datagram(port, b'\xef\xbb\xbf {"type":"t"}')
    assert daemons.send(port, b'\xef\xbb\xbf[1]').status == 200
    eventually(lambda: len([row for row in colony.http("GET", "/history").json()
                            if row["event"].startswith("event")]) == 2)
    rows = [row for row in colony.http("GET", "/history").json() if row["event"].startswith("event")]
    assert sorted(json.dumps(row["data"]) for row in rows) == ["[1]", '{"type": "t"}']


def follow(colony, path):
    """An endless answer, from the head of which on it tells of everything."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(20)
    peer.connect(str(colony.socket))
    peer.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = peer.recv(1)
        assert piece, head
        head += piece
    return peer


def test_who_watches_is_told_of_events_by_their_type(colony):
    port = start(colony, handlers("bus"))
    peers = {path: follow(colony, path) for path in
             ("/watch/event?feed=continuous", "/watch/event.deploy?feed=continuous", "/watch?feed=continuous")}
    send(port, {"type": "other"})
    send(port, {"type": "deploy.web"})
    send(port, {"type": "deploy"})
    for path, peer in peers.items():
        text = ""
        while '"data":{"type":"deploy"}' not in text:
            text += peer.recv(65536).decode()
        assert ('"event.other"' in text) == ("event.deploy" not in path)
        assert '"event":"event.deploy.web"' in text
        peer.close()
    assert colony.http("GET", "/watch/nothing").status == 404


def subscribe(port, *peers):
    """Until each has been told of an event: who publishes knows by then that they want them. Nothing is on its way."""
    missing, number = set(peers), 0
    while missing:
        number += 1
        send(port, f"subscribed? {number}")
        missing -= {peer for peer in set(missing) if peer.poll(50)}
    for peer in peers:
        while f"subscribed? {number}" not in peer.recv().decode():
            pass


def test_subscribers_of_zeromq_get_every_event(colony):
    context = zmq.Context()
    try:
        address = f"ipc://{colony.folder}/events.ipc"
        port = start(colony, handlers({"zmq": address}, {"zmq": f"{address}2", "envelope": True}))
        peers = [context.socket(zmq.SUB) for _ in range(2)]
        for peer, where in zip(peers, (address, f"{address}2")):
            peer.setsockopt(zmq.SUBSCRIBE, b"")
            peer.setsockopt(zmq.RCVTIMEO, 10000)
            peer.connect(where)
        subscribe(port, *peers)
        send(port, {"a": 1})
        assert peers[0].recv() == b'{"a":1}'
        assert json.loads(peers[1].recv())["event"] == {"a": 1}
    finally:
        context.destroy(linger=0)


def test_a_subscriber_that_does_not_read_is_counted_and_holds_up_nobody(colony):
    context = zmq.Context()
    try:
        address = f"ipc://{colony.folder}/events.ipc"
        port = start(colony, handlers({"zmq": address, "max_messages": 5}))
        slow, quick = context.socket(zmq.SUB), context.socket(zmq.SUB)
        for peer in (slow, quick):
            peer.setsockopt(zmq.SUBSCRIBE, b"")
            peer.setsockopt(zmq.RCVTIMEO, 10000)
        slow.setsockopt(zmq.RCVHWM, 1)
        slow.setsockopt(zmq.RCVBUF, 4096)
        for peer in (slow, quick):
            peer.connect(address)
        subscribe(port, slow, quick)
        for i in range(60):
            send(port, {"n": i, "text": "x" * 200_000})
            assert json.loads(quick.recv())["n"] == i
        eventually(lambda: Metrics(colony).get("colony_event_handler_drops_total") > 0)
        assert daemons.status(port)["events_queue"] == 0
    finally:
        context.destroy(linger=0)


def test_only_events_that_have_what_is_asked_for_are_handled(colony):
    outs = [colony.folder / name for name in ("deploys", "all")]
    port = start(colony, handlers(
        {"exec": f"tee -a {outs[0]}", "when": {"type": "deploy", "where": {"dc": "a"}}},
        {"exec": f"tee -a {outs[1]}", "when": {}}))
    for event in ({"type": "deploy", "where": {"dc": "a", "rack": 1}}, {"type": "deploy", "where": "a"},
                  {"type": "other"}, "deploy", 42, [{"type": "deploy"}]):
        send(port, event)
    eventually(lambda: daemons.status(port)["events_queue"] == 0)
    assert outs[0].read_text() == '{"type":"deploy","where":{"dc":"a","rack":1}}'
    assert outs[1].read_text().count("{") == 4 # only maps match


def test_a_full_queue_refuses_with_503_and_counts(colony):
    port = start(colony, handlers({"exec": "sleep 1000"}, max_events=2))
    send(port, 1)
    send(port, 2)
    answer = send(port, 3, status=503)
    assert answer.json()["result"] is False and "2 wait already" in answer.json()["message"]
    counts = daemons.counts(port)
    assert (counts["received"], counts["dropped"]) == (2, 1)
    assert colony.stop() == 0
    assert "gives up 2 events" in colony.log.read_text()


def test_a_bad_handler_keeps_colony_from_starting(colony):
    colony.start({"master": {"port": 0}, **handlers({"zmq": "tcp://*:5555"})}, wait=False)
    assert colony.process.wait(20) == 78
    assert "insecure: true" in colony.log.read_text()


def test_what_a_handler_lacks_is_told_by_check(colony):
    colony.write(handlers({"webhook": "http://localhost/", "secret_file": "/nonexistent"}))
    result = subprocess.run([BINARY, "check", str(colony.config)], capture_output=True, text=True, timeout=30)
    assert result.returncode == 78
    assert "/nonexistent" in result.stderr and result.stderr.count("\n") == 1


def test_people_see_events_of_the_bus(colony):
    port = start(colony, handlers("bus"))
    send(port, {"type": "deploy", "n": 1})
    eventually(lambda: 'event.deploy {"type":"deploy","n":1}' in colony.ctl("history").stdout)


def test_a_reload_says_that_handlers_take_a_restart(colony):
    start(colony, handlers("log"))
    colony.write({"master": {"host": "::1", "port": 0}, **handlers("bus")})
    assert "events" in colony.ctl("reload").stdout


@needs_root
def test_under_a_user_of_its_own_commands_run_as_that(colony):
    out = colony.folder / "out"
    out.touch(mode=0o666)
    out.chmod(0o666)
    colony.folder.chmod(0o711)
    script = write_script(colony, f"id -un >> {out}; cat >> {out}\n")
    port = start(colony, {"user": "nobody", **handlers({"exec": script})})
    send(port, {"a": 1})
    eventually(lambda: lines(out) == ["nobody", '{"a":1}'])
