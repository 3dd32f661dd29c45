# SPDX-License-Identifier: Apache-2.0
"""Events a second, by UDP and by HTTP. By UDP a sender that waits for nobody sends for a while: what
was taken, and what was lost, beside a program that reads by recvmmsg and does nothing else. By HTTP over
kept connections, beside nginx that answers each POST with a constant. Nothing handles the events but,
where it says so, colony's log."""

import json
import shutil
import subprocess
import time

from contestants import Colony, Contestant, free_port
from load import Nginx, run_wrk

BODY = '{"type": "bench", "name": "of no importance", "number": 42}'
ANSWER = 55  # bytes of what colony answers


class Taker(Colony):
    """A colony that has nothing but the endpoint."""

    def open_endpoint(self, handlers):
        self.events_port = free_port()
        config = self.folder / "colony.yaml"
        config.write_text(json.dumps({"master": {"host": "127.0.0.1", "port": self.events_port},
                                      "events": {"handlers": handlers}}))
        self.run([self.tools.binary, "serve", "--config", config, "--state", self.state,
                  "--bind", "none"])
        self.wait(lambda: self.ask("GET", "/readyz") == b"OK")

    def taken(self):
        text = self.ask("GET", "/metrics").decode()
        return int(text.split('colony_events_received_total{via="udp"} ')[1].split("\n")[0])

    def settled(self):
        """How many it has taken, once that stays so."""
        before, now = -1, self.taken()
        while before != now:
            time.sleep(0.2)
            before, now = now, self.taken()
        return now


class Reader(Contestant):
    """recvmmsg alone."""

    name = "limit"

    def open(self):
        self.run([self.tools.program("datagrams"), "take"], stdout=subprocess.PIPE, text=True)
        self.events_port = int(self.process.stdout.readline())

    def settled(self):
        taken = int(self.process.stdout.read())
        self.process.wait(60)
        return taken


def flood(bench, who, key):
    seconds = bench.scale.load_seconds
    result = subprocess.run([bench.tools.program("datagrams"), "send", str(who.events_port),
                             str(int(seconds * 1000))], capture_output=True, text=True, check=True)
    sent, taken = int(result.stdout), who.settled()
    bench.add(key, who, taken / seconds)
    bench.add(f"{key}-lost", who, (sent - taken) * 100 / sent)


def by_udp(bench):
    for key, handlers in (("events-udp", []), ("events-udp-log", ["log"])):
        with Taker(bench.tools) as colony:
            colony.open_endpoint(handlers)
            flood(bench, colony, key)
        with Reader(bench.tools) as reader:
            reader.open()
            flood(bench, reader, key)


def by_http(bench):
    if not shutil.which("wrk"):
        bench.note("events by HTTP are not measured: wrk is not installed")
        return
    with Taker(bench.tools) as colony, Nginx(bench.tools) as nginx:
        script = colony.folder / "post.lua"
        script.write_text(f"wrk.method = 'POST'\nwrk.body = '{BODY}'\n")
        colony.open_endpoint([])
        contestants = [(Colony, colony.events_port)]
        if shutil.which("nginx"):
            nginx.serve({"/events": ANSWER})
            contestants.append(("limit", nginx.port))
        else:
            bench.note("events by HTTP have no limit beside them: nginx is not installed")
        for who, port in contestants:
            rate, median, p99 = run_wrk(port, "/events", bench.scale.load_seconds, script=script)
            bench.add("events-http", who, rate)
            bench.add("events-http-p50", who, median)
            bench.add("events-http-p99", who, p99)


def events(bench):
    by_udp(bench)
    by_http(bench)
