# SPDX-License-Identifier: Apache-2.0
"""examples/embed/my_daemon.c, MyDaemon of mtutils' readme: what that shows is what it does."""
import json
import pathlib
import re
import signal
import subprocess

import pytest

import daemons
from conftest import BINARY, DEADLINE, eventually
from receiver import Receiver
from test_juggler import answer_with

PROGRAM = pathlib.Path(BINARY).parent / "embed" / "my_daemon"
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "

SEED_CONFIG = """\
master:
    port: %d
    host: '::'
    hidden_opts: ['yt_token', 'other_tokens']

yt_token: AAAA-123123hh22igg2g23g2323j332k
other_tokens:
    hello: AAAA-asdasdasd
    password: oadsfkdjhdh
"""


class MyDaemon:
    """The program, with its output in files."""

    def __init__(self, folder, config):
        self.folder = folder
        self.port = daemons.free_port()
        (folder / "config.yaml").write_text(config % self.port)
        with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
            self.process = subprocess.Popen([PROGRAM, folder / "config.yaml"], stdout=out, stderr=err)

    def lines(self):
        return (self.folder / "out").read_text().splitlines()

    def says(self, text):
        return any(text in line for line in self.lines())

    def stop(self, signum=signal.SIGTERM):
        self.process.send_signal(signum)
        return self.process.wait(DEADLINE)


@pytest.fixture
def start(tmp_path):
    started = []

    def start_one(config=SEED_CONFIG):
        daemon = MyDaemon(tmp_path, config)
        started.append(daemon)
        eventually(lambda: daemon.says("I'm running"), what="the daemon's first line")
        return daemon
    yield start_one
    for daemon in started:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait(DEADLINE)


def shell(line):
    return subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30, check=True)


def test_without_a_config_it_prints_the_three_lines_of_the_readme(tmp_path):
    """On the port of the readme, so another one of the machine's may have it."""
    with open(tmp_path / "out", "wb") as out:
        process = subprocess.Popen([PROGRAM], stdout=out, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: process.poll() is not None or
                   "I'm running" in (tmp_path / "out").read_text())
        lines = (tmp_path / "out").read_text().splitlines()
        if process.poll() is not None and "already in use" in process.stderr.read():
            pytest.skip("somebody has the port 5151")
    finally:
        process.kill()
        process.wait(DEADLINE)
    columns = "MainThread              MyDaemon                        "
    assert [re.sub("^" + STAMP, "", line) for line in lines] == [
        columns + "WARNING     Config file is not specified",
        columns + "DEBUG       Starting",
        columns + "INFO        I'm running",
    ]
    assert all(re.match(STAMP, line) for line in lines)


def test_the_curl_line_of_events_is_answered_as_there(start):
    daemon = start()
    result = shell(f"curl -v -g -6 '[::1]:{daemon.port}/events' -X POST -d '{{\"Hello\": \"World\"}}'")
    assert result.stdout == '{\n    "message": "Event received",\n    "result": true\n}'
    assert "< HTTP/1.1 200 OK" in result.stderr
    eventually(lambda: daemon.says('EventProcessor          MyDaemon                        '
                                   'INFO        Event: {"Hello":"World"}'))


def test_the_nc_line_is_an_event(start):
    """With -w 0 nc waits for nothing, at times not even for what echo writes."""
    daemon = start()

    def is_sent():
        shell(f"echo -n '{{\"Hello\": \"World\"}}'|nc -6u ::1 {daemon.port} -w 0")
        return daemons.counts(daemon.port)["udp"] > 0
    eventually(is_sent, what="a datagram")
    eventually(lambda: daemon.says('Event: {"Hello":"World"}'))


def test_the_curl_line_of_status_is_answered_as_there(start):
    daemon = start()
    eventually(lambda: daemons.status(daemon.port)["slaves"][0]["rounds"] >= 1)
    result = shell(f"curl -v -g -6 '[::1]:{daemon.port}/status'")
    answer = json.loads(result.stdout)
    message = answer["message"]
    shown = re.sub(r'("uptime": \d+\.\d+?)0+$', r"\1", result.stdout, flags=re.MULTILINE)
    assert shown == json.dumps(answer, indent=4, sort_keys=True)  # it drops zeros at the end
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"
    assert re.fullmatch(moment, message["started"])
    assert re.fullmatch(moment, message["slaves"][0]["started"])
    assert message["uptime"] > 0 and message["slaves"][0].pop("rounds") >= 1
    assert answer == {
        "message": {
            "awesome_status": 42,
            "config": {"other_tokens": "*** HIDDEN ***", "yt_token": "*** HIDDEN ***"},
            "events": {"dropped": 0, "http": 0, "received": 0, "rejected": 0, "udp": 0},
            "events_processed": 0,
            "events_queue": 0,
            "master_config": {"hidden_opts": ["yt_token", "other_tokens"], "host": "::",
                              "port": daemon.port},
            "name": "MyDaemon",
            "slaves": [{"name": "MyWorker", "started": message["slaves"][0]["started"]}],
            "started": message["started"],
            "uptime": message["uptime"],
        },
        "result": True,
    }


def test_ping_says_what_the_program_says(start):
    daemon = start()
    answer = daemons.ask(daemon.port, "GET", "/ping")
    assert (answer.status, answer.body) == (200, b"OK\n")
    assert answer.headers["Content-Type"] == "text/plain"
    daemons.send(daemon.port, '{"broken": true}')
    answer = eventually(lambda: (got := daemons.ask(daemon.port, "GET", "/ping")).status == 500 and got)
    assert answer.json() == {"message": "I f*c**d up!", "result": False}
    daemons.send(daemon.port, '{"broken": false}')
    eventually(lambda: daemons.ask(daemon.port, "GET", "/ping").status == 200)


def test_what_cannot_be_taken_is_answered_as_by_the_binary(start):
    daemon = start()
    assert daemons.send(daemon.port, '{"Hello": ').status == 400
    assert daemons.ask(daemon.port, "GET", "/events").status == 405
    assert daemons.ask(daemon.port, "GET", "/processes").status == 404
    answer = daemons.raw(daemon.port, b"POST /events HTTP/1.1\r\nHost: localhost\r\n\r\n", shuts=True)
    assert answer.startswith(b"HTTP/1.1 411 ") and b'"result": false' in answer
    assert daemons.counts(daemon.port)["rejected"] == 2


def test_juggler_is_told_of_what_a_thread_sends(start):
    with Receiver(answer_with()) as receiver:
        config = SEED_CONFIG + f"juggler: {{url: '{receiver.url('/juggler')}', host: box, tags: [a]}}\n"
        daemon = start(config)
        daemons.send(daemon.port, '{"broken": true}')
        post = receiver.next()
        assert post.path == "/juggler/events"
        assert post.json()["events"] == [{"host": "box", "service": "my_daemon", "status": "CRIT",
                                          "description": "An event said so", "tags": ["a"]}]
        daemons.send(daemon.port, '{"broken": false}')
        assert receiver.next().json()["events"][0]["status"] == "OK"
        assert "juggler" not in daemons.status(daemon.port)["config"]


def test_juggler_is_told_of_what_a_slave_sends(tmp_path):
    with Receiver(answer_with()) as receiver:
        (tmp_path / "config.yaml").write_text(
            f"{{master: {{host: '::1', port: 0}}, juggler: {{url: '{receiver.url('/juggler')}'}}}}")
        process = subprocess.Popen([PROGRAM.parent.parent / "slave_reports", tmp_path / "config.yaml"])
        try:
            assert receiver.next().json()["events"] == [
                {"host": "other.box", "service": "disk", "status": "WARN",
                 "description": "90 %\nof \u00e9, ?", "tags": []}]
            process.terminate()
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()
            process.wait(DEADLINE)


def test_subscribers_of_zeromq_have_its_events(start, tmp_path):
    zmq = pytest.importorskip("zmq")
    context = zmq.Context()
    try:
        address = f"ipc://{tmp_path}/events.ipc"
        daemon = start(SEED_CONFIG + f"events: {{handlers: [{{zmq: '{address}'}}]}}\n")
        peer = context.socket(zmq.SUB)
        peer.setsockopt(zmq.SUBSCRIBE, b"")
        peer.connect(address)

        def arrives():
            daemons.send(daemon.port, '{"a": 1}')
            return peer.poll(100) and peer.recv() == b'{"a":1}'
        eventually(arrives, what="an event, once it has subscribed")
        eventually(lambda: daemon.says('Event: {"a":1}'))  # by a thread of its own
    finally:
        context.destroy(linger=0)


def test_handlers_of_the_settings_are_beside_the_program(start):
    with Receiver() as receiver:
        daemon = start(SEED_CONFIG + "events: {handlers: [log, {webhook: '%s'}]}\n" %
                       receiver.url("/hook"))
        daemons.send(daemon.port, '{"a": 1}')
        assert receiver.next().json() == {"a": 1}
        eventually(lambda: daemon.says('Event: {"a":1}'))
        eventually(lambda: any(re.search(r"event \d+ by http from \[::1\]:\d+: {\"a\":1}$", line)
                               for line in daemon.lines()))


def test_settings_that_cannot_be_used_are_told(tmp_path):
    (tmp_path / "config.yaml").write_text("master:\n  prot: 1\n")
    result = subprocess.run([PROGRAM, tmp_path / "config.yaml"], capture_output=True, text=True,
                            timeout=30)
    assert result.returncode == 1
    assert result.stdout == ""
    assert f"{tmp_path}/config.yaml:2:3: " in result.stderr and "`port`?" in result.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_when_its_work_is_done(start, signum):
    daemon = start()
    assert daemon.stop(signum) == 0
    assert daemon.lines()[-1].endswith("I'm done")
    assert (daemon.folder / "err").read_text() == ""


def wakeups(pid):
    """Of each thread, by its name."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        name = (task / "comm").read_text().strip()
        found[name] = int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)[1])
    return found


def test_threads_of_the_library_sleep_while_nobody_asks(start):
    """The worker wakes up each second, and so is the clock."""
    daemon = start()
    daemons.send(daemon.port, "1")
    daemons.ask(daemon.port, "GET", "/status")
    daemons.ask(daemon.port, "GET", "/ping")
    eventually(lambda: daemon.says("Event: 1"))
    library = ["my_daemon", "EventProcessor", "Status", "Ping"]

    def is_quiet():
        before = wakeups(daemon.process.pid)
        eventually(lambda: wakeups(daemon.process.pid)["MyWorker-1"] > before["MyWorker-1"] + 1)
        after = wakeups(daemon.process.pid)
        return all(after[name] == before[name] for name in library)
    eventually(is_quiet, what="two seconds without a wake-up")
