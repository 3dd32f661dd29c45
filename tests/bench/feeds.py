# SPDX-License-Identifier: Apache-2.0
"""What many follow: lines of output to so many followers, and events to so many watchers; beside them
a loop that does nothing but hand the same bytes to as many sockets (fan.c)."""

import contextlib
import json
import subprocess
import sys
import time

import look
from contestants import GROUP, Colony

MARK = "~"  # one a line
EVENT_MARK = "{"  # one an event
# A line each millisecond, each a write of its own, once a byte has come.
TICKER = """
import sys, time
sys.stdin.buffer.read(1)
lines, due = int(sys.argv[1]), time.monotonic()
for number in range(lines):
    due += 0.001
    time.sleep(max(0, due - time.monotonic()))
    sys.stdout.write(f"{number:090}~\\n")
    sys.stdout.flush()
time.sleep(1000)
"""


class Followed(Colony):
    """A colony of what is followed."""

    def open_ticker(self, lines):
        """One program that prints when it is told to."""
        ticker = self.folder / "ticker.py"
        ticker.write_text(TICKER)
        config = self.folder / "colony.yaml"
        config.write_text(json.dumps({"processes": {
            "ticker": {"cmd": sys.executable, "args": [str(ticker), str(lines)],
                       "redirect_output": ["out"], "redirect_input": True},
        }}))
        self.run([self.tools.binary, "serve", "--config", config, "--state", self.state,
                  "--bind", "none"])
        self.wait(lambda: self.ask("GET", "/readyz") == b"OK")

    def open_idle(self, count):
        """Templates without processes: their events are all that there is."""
        config = self.folder / "colony.yaml"
        config.write_text(json.dumps({"processes": {
            f"{GROUP}:p{i:04}": {"cmd": "true", "numprocesses": 0} for i in range(count)}}))
        self.run([self.tools.binary, "serve", "--config", config, "--state", self.state,
                  "--bind", "none"])
        self.wait(lambda: self.ask("GET", "/readyz") == b"OK")

    def post(self, path, body=None):
        self.connection.request("POST", path, body)
        response = self.connection.getresponse()
        if response.read() and response.status != 200:
            raise OSError(f"cannot POST {path}: {response.status}")


@contextlib.contextmanager
def following(bench, socket, path, count, mark, total):
    """So many followers, each of which waits for so many marks. They are started beside the socket:
    the whole path of one may be too long for it."""
    command = [str(bench.tools.program("fan")), "follow", socket.name, path, str(count), mark,
               str(total)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=socket.parent) as process:
        try:
            yield process
        finally:
            process.kill()


def begin(process):
    if process.stdout.readline() != "all follow\n":
        raise RuntimeError("cannot measure feeds: not all followers were answered")


def finish(process):
    """Seconds from the first byte to the last."""
    words = process.stdout.readline().split()
    if len(words) != 2:
        raise RuntimeError("cannot measure feeds: a follower did not get all of it")
    return (int(words[1]) - int(words[0])) / 1e9


def percent(cpu, seconds):
    return cpu / seconds * 100


@contextlib.contextmanager
def relayed(bench, socket, source, count):
    """The limit: what the command @source prints, handed on."""
    fan = [str(bench.tools.program("fan")), "relay", socket.name, str(count)]
    with subprocess.Popen(source, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as printer, \
            subprocess.Popen(fan, stdin=printer.stdout, cwd=socket.parent) as server:
        try:
            look.wait_until(socket.exists, what="the relay")
            time.sleep(0.1)
            yield printer, server
        finally:
            printer.kill()
            server.kill()


def output(bench):
    """CPU for a line each millisecond to all followers."""
    count, lines = bench.scale.followers, int(bench.scale.follow_seconds * 1000)
    with Followed(bench.tools) as colony:
        colony.open_ticker(lines)
        pid = json.loads(colony.ask("GET", "/slots?name=ticker"))[0]["id"]
        engine = colony.pids()[1:]
        path = f"/streams/{pid}/out?feed=continuous"
        with following(bench, colony.state / "colony.sock", path, count, MARK, lines) as process:
            begin(process)
            before = look.cpu_seconds(engine)
            colony.post(f"/streams/{pid}/stdin", b"x")
            seconds = finish(process)
            bench.add("follow-cpu", Colony, percent(look.cpu_seconds(engine) - before, seconds))
            bench.add("follow-lines", Colony, count * lines / seconds)
        ticker = [sys.executable, str(colony.folder / "ticker.py"), str(lines)]
        relay(bench, colony.folder / "relay.sock", ticker, count, lines)


def relay(bench, socket, ticker, count, lines):
    with relayed(bench, socket, ticker, count) as (source, server), \
            following(bench, socket, "/", count, MARK, lines) as process:
        begin(process)
        before = look.cpu_seconds([server.pid])
        source.stdin.write(b"x")
        source.stdin.flush()
        seconds = finish(process)
        bench.add("follow-cpu", "limit", percent(look.cpu_seconds([server.pid]) - before, seconds))
        bench.add("follow-lines", "limit", count * lines / seconds)


def events(bench):
    """How soon all watchers have all events of so many starts of what has no processes."""
    many, watchers, times = bench.scale.many, bench.scale.followers, bench.scale.event_bursts
    with Followed(bench.tools) as colony:
        colony.open_idle(many)
        with following(bench, colony.state / "colony.sock", "/watch/start?feed=continuous", watchers,
                       EVENT_MARK, many * times) as process:
            begin(process)
            for _ in range(times):
                colony.post(f"/groups/{GROUP}/_start")
            bench.add("watch-events", Colony, many * times / finish(process))
        lines = colony.folder / "events"
        lines.write_bytes(colony.ask("GET", "/history?limit=1")[1:-1] + b"\n")
        lines.write_bytes(lines.read_bytes() * many * times)
        relay_events(bench, colony.folder / "relay.sock", lines, many * times)


def relay_events(bench, socket, lines, total):
    watchers = bench.scale.followers
    with relayed(bench, socket, ["cat", str(lines)], watchers), \
            following(bench, socket, "/", watchers, EVENT_MARK, total) as process:
        begin(process)
        bench.add("watch-events", "limit", total / finish(process))


def feeds(bench):
    output(bench)
    events(bench)
