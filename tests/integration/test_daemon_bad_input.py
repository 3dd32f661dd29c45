# SPDX-License-Identifier: Apache-2.0
"""What is no event, by HTTP and UDP: one clear answer or one more in a count, and nothing else is
disturbed."""
import contextlib
import os
import random
import re
import resource
import signal
import socket
import struct
import time

import pytest

from conftest import BINARY, alive, eventually, needs_root
from daemons import ask, counts, datagram, raw, send, start

LIMITS = {"events": {"max_event_bytes": 1000}}
DEEP = b"[" * 100000
NOISE = random.Random(7).randbytes(65000)


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s*(\d+)", file.read())[1])


def has_grown(pid, before, kib):
    """Not asked of a sanitizer, which keeps what was freed."""
    return "/asan/" not in BINARY and "/tsan/" not in BINARY and resident_kib(pid) - before >= kib


def brief(data):
    """The name of a test is in the environment of what it starts."""
    return f"{data[:10]!r} of {len(data)}"


def is_well(port):
    return ask(port, "GET", "/ping").status == 200 and send(port, '"still well"').status == 200


# HTTP.

@pytest.mark.parametrize("body", [b"", b" ", b"{", b"nope", b"{'a': 1}", b'{"a": 1} {"b": 2}',
                                  b'{"a": 1,}', b"\xff\xfe", b'"\xed\xa0\x80"', b"\x00", b"1\x00",
                                  b'{"a": "\x01"}', b"NaN", b"01", b"\xef\xbb\xbf", DEEP,
                                  b'{"a":' * 5000, b'{"a": 1, "a": 2}', NOISE[:900]],
                         ids=brief)
def test_what_is_no_json_is_refused(colony, body):
    port = start(colony)
    answer = send(port, body)
    assert answer.status == 400, answer.text
    assert answer.json()["result"] is False and answer.json()["message"].startswith("cannot ")
    assert counts(port) == {"dropped": 0, "http": 0, "received": 0, "rejected": 1, "udp": 0}
    assert is_well(port)


@pytest.mark.parametrize("head", [b"", b"Transfer-Encoding: chunked\r\n",
                                  b"Content-Type: application/json\r\n"])
def test_a_post_without_its_length_is_refused(colony, head):
    port = start(colony)
    answer = raw(port, b"POST /events HTTP/1.1\r\nHost: localhost\r\n" + head +
                 b"\r\n3\r\n[1]\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 411 Length Required\r\n")
    assert b'"result": false' in answer
    assert counts(port)["rejected"] == 1 and counts(port)["received"] == 0


def test_a_length_and_chunks_are_not_both_taken(colony):
    port = start(colony)
    answer = raw(port, b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /ping HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1


def test_too_much_is_refused_before_it_is_sent(colony):
    port = start(colony, LIMITS)
    assert send(port, b'"%s"' % (b"x" * 998)).status == 200
    answer = raw(port, b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"result": false' in answer
    answer = raw(port, b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                 b"99999999999999999999999\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 400 "))
    assert counts(port)["http"] == 1 and counts(port)["rejected"] >= 1


def test_half_an_event_is_none(colony):
    port = start(colony, {"http": {"request_timeout": 1}})
    head = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    assert raw(port, head + b"[1", shuts=True) == b""
    assert raw(port, head + b"[1").startswith(b"HTTP/1.1 408 ")
    assert counts(port)["received"] == 0
    assert is_well(port)


def test_what_is_no_http_is_refused(colony):
    port = start(colony)
    random.seed(5)
    for _ in range(50):
        raw(port, random.randbytes(random.randrange(1, 5000)), shuts=True)
    assert raw(port, b"GET / HTTP/1.1\r\nX: " + b"x" * 100000).startswith(b"HTTP/1.1 431 ")
    assert raw(port, b"GET /status HTTP/2.0\r\n\r\n").startswith(b"HTTP/1.1 505 ")
    assert counts(port)["received"] == 0
    assert is_well(port)


def test_a_client_that_never_reads_holds_up_nobody(colony):
    port = start(colony, {"filler": "x" * 100000})
    with socket.create_connection(("::1", port), timeout=20) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(0.5)
        asked = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000
        with contextlib.suppress(TimeoutError):
            peer.sendall(asked)
        before = resident_kib(colony.engine)
        with contextlib.suppress(TimeoutError):
            for _ in range(20):
                peer.sendall(asked)
        assert is_well(port)
        assert not has_grown(colony.engine, before, 4096)


def test_ten_thousand_clients_that_connect_and_leave_leave_nothing(colony):
    port = start(colony)
    engine = colony.engine
    for _ in range(500):
        raw(port, b"GET /ping HTTP/1.0\r\n\r\n")
    fds, size = len(os.listdir(f"/proc/{engine}/fd")), resident_kib(engine)
    linger = struct.pack("ii", 1, 0)
    for number in range(10000):
        with socket.create_connection(("::1", port), timeout=20) as peer:
            if number % 3 == 0:
                peer.sendall(b"POST /events HTTP/1.1\r\nContent-Le")
            if number % 2 == 0:  # by a reset
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert is_well(port)
    assert colony.engine == engine
    eventually(lambda: len(os.listdir(f"/proc/{engine}/fd")) <= fds + 1, what="closed connections")
    assert not has_grown(engine, size, 4096)


def test_too_many_at_a_time_are_told_so(colony):
    port = start(colony, {"http": {"max_connections": 16}})
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            stack.enter_context(socket.create_connection(("::1", port), timeout=20))
        answer = raw(port, b"")
        assert answer.startswith(b"HTTP/1.1 503 ") and b'"result": false' in answer
        assert colony.http("GET", "/ping").status == 200  # control has room of its own
    eventually(lambda: is_well(port))


# UDP.

def bad_lines(colony):
    return [line for line in colony.log.read_text().splitlines() if "datagram" in line]


def bad_told(colony):
    """How many datagrams these lines tell of."""
    numbers = [re.search(r"cannot use (a|\d+) datagram", line)[1] for line in bad_lines(colony)]
    return sum(int(number) if number.isdigit() else 1 for number in numbers)


def test_what_is_no_json_is_counted_and_told_once_a_second(colony):
    port = start(colony)
    datagram(port, b"nope")
    eventually(lambda: counts(port)["rejected"] == 1)
    began = time.monotonic()
    for _ in range(500):
        datagram(port, b"{")
    eventually(lambda: counts(port)["rejected"] == 501)
    eventually(lambda: bad_told(colony) == 501)
    assert len(bad_lines(colony)) <= 2 + (time.monotonic() - began)
    assert "cannot use a datagram from [::1]:" in bad_lines(colony)[0]
    assert counts(port)["udp"] == 0
    assert is_well(port)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 100, DEEP[:60000], b"{" * 60000,
                                  NOISE[:65000], b'"' + b"x" * 65000, b"1 2"], ids=brief)
def test_a_bad_datagram_is_one_in_a_count(colony, data):
    port = start(colony)
    for _ in range(3):
        datagram(port, data)
    datagram(port, b"1")
    eventually(lambda: counts(port) == {"dropped": 0, "http": 0, "received": 1, "rejected": 3,
                                        "udp": 1})


def test_a_large_datagram_is_whole_or_refused(colony):
    port = start(colony, LIMITS)
    datagram(port, b'"%s"' % (b"x" * 998))
    datagram(port, b'"%s"' % (b"x" * 999))
    eventually(lambda: counts(port) == {"dropped": 0, "http": 0, "received": 1, "rejected": 1,
                                        "udp": 1})


def test_the_largest_datagram_there_is_comes_through(colony):
    port = start(colony, {"events": {"handlers": []}})
    datagram(port, b'"%s"' % (b"x" * 65505), host="127.0.0.1")
    eventually(lambda: counts(port)["udp"] == 1)


def test_a_flood_costs_no_memory_and_nobody_else_is_disturbed(colony):
    port = start(colony, {"processes": {"web": {"cmd": "sleep 1000"}}, "events": {
        "handlers": [{"exec": "sleep 1000", "timeout": 1000}], "insecure": True,
        "max_events": 100}})
    slowest = 0
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        for begin in range(0, 60000, 2000):
            for number in range(begin, begin + 2000):
                peer.sendto(b'{"n": %d, "filler": "%s"}' % (number, b"x" * 200), ("::1", port))
            began = time.monotonic()
            assert colony.http("GET", "/ping").status == 200
            slowest = max(slowest, time.monotonic() - began)
            if begin == 2000:
                size = resident_kib(colony.engine)
    eventually(lambda: counts(port)["received"] + counts(port)["dropped"] == 60000)
    assert counts(port)["udp"] == 100
    assert slowest < 2
    assert not has_grown(colony.engine, size, 8192)
    assert colony.slot("web")["state"] == "running"


def test_what_the_socket_has_no_room_for_is_counted(colony):
    """While the engine is held, also if it is another one afterwards."""
    port = start(colony)
    engine = colony.engine
    os.kill(engine, signal.SIGSTOP)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        for _ in range(20000):
            peer.sendto(b'"%s"' % (b"x" * 1000), ("::1", port))
    os.kill(engine, signal.SIGKILL)

    def all_are_told():
        found = counts(port)
        return found["dropped"] > 0 and found["udp"] > 0 and \
            found["udp"] + found["dropped"] == 20000
    eventually(all_are_told, what="a count of each")
    assert is_well(port)


@needs_root
def test_forged_sources_are_like_any_other(colony):
    """Raw packets that say they come from all over 127.0.0.0/8, and from port 0."""
    port = start(colony)
    random.seed(6)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as peer:
        for number in range(2000):
            body = b"%d" % number if number % 2 else random.randbytes(20)
            source = bytes([127, random.randrange(256), random.randrange(256), 1])
            udp = struct.pack("!HHHH", random.choice([0, 1, 53, 65535]), port, 8 + len(body), 0)
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(body), number, 0, 64, 17, 0, source,
                             bytes([127, 0, 0, 1]))
            peer.sendto(ip + udp + body, ("127.0.0.1", 0))
    eventually(lambda: counts(port)["udp"] >= 1000)
    assert is_well(port)


# Both at once, with descriptors running out.

def test_with_no_descriptor_left_it_says_so_and_goes_on(colony):
    soft = 200

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft))
    port = start(colony, preexec_fn=limit)
    with contextlib.ExitStack() as stack:
        for _ in range(soft + 20):
            stack.enter_context(socket.create_connection(("::1", port), timeout=20))
        datagram(port, b"1")
    eventually(lambda: is_well(port))
    eventually(lambda: counts(port)["udp"] == 1)
    assert alive(colony.engine)
