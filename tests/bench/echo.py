# SPDX-License-Identifier: Apache-2.0
"""A message of 64 bytes through `cat` and back, over TCP on loopback: by a WebSocket of colony's, and
by the bare program echo.c, which gets the same bytes without a frame around them."""

import json
import socket
import statistics
import time

import look
from contestants import Colony, Contestant, free_port

BODY = b"x" * 63 + b"\n"
MASK = b"mask"
MASKED = bytes(byte ^ MASK[i % 4] for i, byte in enumerate(BODY))
FRAME = bytes([0x82, 0x80 | len(BODY)]) + MASK + MASKED
ANSWER = bytes([0x82, len(BODY)]) + BODY


class Echo(Contestant):
    name = "limit"

    def open(self):
        self.port = free_port()
        self.run([self.tools.program("echo"), self.port, "cat"])
        self.wait(lambda: connect(self.port).close() is None)

    def client(self):
        return connect(self.port)


class EchoColony(Colony):
    def open(self):
        config = self.folder / "colony.yaml"
        config.write_text(json.dumps({"processes": {"echo": {
            "cmd": "cat", "redirect_output": ["out"], "redirect_input": True}}}))
        self.run([self.tools.binary, "serve", "--config", config, "--state", self.state,
                  "--bind", f"127.0.0.1:{self.port}"])
        self.wait(lambda: self.ask("GET", "/readyz") == b"OK")

    def client(self):
        pid = json.loads(self.ask("GET", "/processes/echo/_pids"))["pids"][0]
        sock = connect(self.port)
        sock.sendall(f"GET /wstreams/{pid}?binary=true HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        if b" 101 " not in head:
            raise OSError(f"cannot open a WebSocket: {head.decode()}")
        return sock


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def trip(sock, message, answer):
    """Nanoseconds."""
    began = look.now_ns()
    sock.sendall(message)
    got = b""
    while len(got) < len(answer):
        piece = sock.recv(65536)
        if not piece:
            raise OSError("cannot measure: it was hung up")
        got += piece
    if got != answer:
        raise ValueError("cannot measure: what came back is not what was sent")
    return look.now_ns() - began


def measure(bench, who, sock, *message):
    with sock:
        times = []
        end = time.monotonic() + bench.scale.echo_seconds
        while time.monotonic() < end:
            times.append(trip(sock, *message) / 1e3)
    times = times[len(times) // 10:]  # the first ones are for the caches
    bench.add("echo", who, statistics.median(times))
    bench.add("echo-p99", who, statistics.quantiles(times, n=100)[98])


def round_trips(bench):
    with EchoColony(bench.tools) as colony, Echo(bench.tools) as limit:
        colony.open()
        limit.open()
        measure(bench, Colony, colony.client(), FRAME, ANSWER)
        measure(bench, "limit", limit.client(), BODY, BODY)
