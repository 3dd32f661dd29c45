# SPDX-License-Identifier: Apache-2.0
"""Frames as they should not be, after the cases of the Autobahn test suite."""

import os

import pytest

from conftest import eventually
from ws_client import BINARY, CLOSE, PING, PONG, TEXT, Raw, frame

CAT = {"processes": {"web": {"cmd": "cat", "redirect_output": ["out"], "redirect_input": True}}}

BAD_UTF8 = {
    "a byte that never is": b"\xff",
    "a lone continuation": b"a\x80",
    "an overlong slash": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "over the last character": b"\xf4\x90\x80\x80",
    "torn at the end": b"\xc3",
    "torn within": b"\xe2\x82a",
}


@pytest.fixture(name="raw")
def raw_fixture(colony):
    colony.start(CAT)
    with Raw(colony, f"/wstreams/{colony.wait_state('web', 'running')['id']}") as raw:
        yield raw
    assert colony.answers()


def code_of(raw):
    return raw.closed()[0]


@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
def test_reserved_bits(raw, rsv, opcode):
    raw.send(opcode, b"\x03\xe8", rsv=rsv)
    assert code_of(raw) == 1002


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_unknown_opcodes(raw, opcode):
    raw.send(opcode, b"x")
    assert code_of(raw) == 1002


@pytest.mark.parametrize("opcode", [3, 11])
def test_unknown_opcodes_within_a_message(raw, opcode):
    raw.send(TEXT, b"a", fin=False)
    raw.send(opcode)
    assert code_of(raw) == 1002


@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
def test_frames_that_are_not_masked(raw, opcode):
    raw.send(opcode, b"\x03\xe8", mask=False)
    assert code_of(raw) == 1002


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_control_frames_of_over_125_bytes(raw, opcode):
    raw.send(opcode, b"\x03\xe8" + b"x" * 124)
    assert code_of(raw) == 1002


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_control_frames_in_fragments(raw, opcode):
    raw.send(opcode, b"\x03\xe8", fin=False)
    assert code_of(raw) == 1002


def test_pings_up_to_125_bytes_are_answered(raw):
    for payload in (b"", b"x", bytes(range(125))):
        raw.send(PING, payload)
        assert raw.receive() == (PONG, payload)


def test_ten_pings_at_once_are_answered_in_order(raw):
    raw.sock.sendall(b"".join(frame(PING, b"%d" % n) for n in range(10)))
    assert [raw.receive() for _ in range(10)] == [(PONG, b"%d" % n) for n in range(10)]


def test_a_flood_of_pings_that_nobody_reads_the_pongs_of(colony, raw):
    engine = colony.engine
    before = rss(engine)
    raw.sock.settimeout(1)
    flood = frame(PING, b"x" * 125) * 5000
    sent = 0
    with pytest.raises(TimeoutError):
        for _ in range(100):
            view = memoryview(flood)
            while view:
                count = raw.sock.send(view)
                sent += count
                view = view[count:]
    assert sent < 20 << 20
    assert rss(engine) - before < 8 << 20
    assert raw.receive() == (PONG, b"x" * 125)


def rss(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("first,second", [(0, None), (0, TEXT), (TEXT, TEXT), (TEXT, BINARY)])
def test_fragments_in_a_wrong_order(raw, first, second):
    raw.send(first, b"a", fin=False)
    if second is not None and first != 0:
        raw.send(second, b"b")
    assert code_of(raw) == 1002


@pytest.mark.parametrize("what", BAD_UTF8)
def test_text_that_is_not_utf_8(raw, what):
    raw.send(TEXT, BAD_UTF8[what])
    assert code_of(raw) == 1007


@pytest.mark.parametrize("what", BAD_UTF8)
def test_text_that_is_not_utf_8_byte_by_byte_in_fragments(colony, raw, what):
    text = "ä".encode() + BAD_UTF8[what]
    data = b"".join(frame(TEXT if i == 0 else 0, text[i:i + 1], fin=i + 1 == len(text))
                    for i in range(len(text)))
    for byte in data:
        try:
            raw.sock.sendall(bytes([byte]))
        except OSError:
            break # it is told at the first byte that is wrong
    assert code_of(raw) == 1007
    assert colony.output("web") == b""


def test_bytes_need_not_be_utf_8(raw):
    raw.send(BINARY, b"\xff\xfe\n")
    assert raw.receive() == (TEXT, b"??\n")


@pytest.mark.parametrize("payload,code", [
    (b"\x03", 1002), (b"\x03\xe8\xff", 1007), (b"\x03\xe8" + b"x" * 123, 1000),
    *((code.to_bytes(2, "big"), 1002) for code in (0, 1, 999, 1004, 1005, 1006, 1016, 1100, 2000,
                                                   2999, 5000, 65535)),
    *((code.to_bytes(2, "big"), code) for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                                   1011, 3000, 3999, 4000, 4999)),
])
def test_codes_of_a_close(raw, payload, code):
    raw.send(CLOSE, payload)
    assert code_of(raw) == code


@pytest.mark.parametrize("head", [b"\x81\xfe\x00\x05", b"\x81\xff" + bytes(6) + b"\xff\xff",
                                  b"\x81\xff\x80" + bytes(7)])
def test_lengths_that_are_not_as_short_as_can_be_or_negative(raw, head):
    raw.sock.sendall(head + b"mask" + b"hello")
    assert code_of(raw) == 1002


@pytest.mark.parametrize("size", [10 << 20, 1 << 62, (1 << 20) + 1])
def test_a_frame_above_the_limit_is_refused_by_its_head(colony, raw, size):
    before = rss(colony.engine)
    raw.sock.sendall(frame(BINARY, b"x", length=size))
    assert code_of(raw) == 1009
    assert rss(colony.engine) - before < 4 << 20


def test_ten_megabytes_are_refused_while_they_come(raw):
    data = memoryview(frame(BINARY, bytes(10 << 20)))
    try:
        raw.sock.sendall(data)
    except OSError:
        pass # it was hung up meanwhile
    assert raw.receive() == (CLOSE, b"\x03\xf1")


def test_fragments_above_the_limit_together(colony, raw):
    raw.send(BINARY, b"x" * 600000, fin=False)
    raw.send(0, b"x" * 600000)
    assert raw.closed() == (1009, "the message is over the limit")
    assert colony.output("web") == b""


def test_a_message_of_just_the_limit_passes(colony):
    colony.start({"http": {"max_message_bytes": 2000}, **CAT})
    pid = colony.wait_state("web", "running")["id"]
    with Raw(colony, f"/wstreams/{pid}") as raw:
        raw.send(BINARY, b"x" * 2000)
        assert raw.text(2000) == b"x" * 2000
        raw.send(BINARY, b"x" * 2001)
        assert code_of(raw) == 1009


def test_a_message_in_fragments_of_one_byte_costs_its_bytes(colony, raw):
    engine = colony.engine
    before = rss(engine)
    raw.send(BINARY, b"x", fin=False)
    data = frame(0, b"x", fin=False) * 10000
    for _ in range(30):
        raw.sock.sendall(data)
    raw.send(PING)
    assert raw.receive() == (PONG, b"")
    assert rss(engine) - before < 6 << 20
    raw.send(0, b"y")
    eventually(lambda: len(colony.output("web")) == 300002)


def test_frames_byte_by_byte(raw):
    data = frame(TEXT, b"slow", fin=False) + frame(PING, b"p") + frame(0, b"ly")
    for byte in data:
        raw.sock.sendall(bytes([byte]))
    assert [raw.receive(), raw.receive()] == [(PONG, b"p"), (TEXT, b"slowly")]


def test_empty_messages_write_nothing(colony, raw):
    raw.send(TEXT)
    raw.send(BINARY)
    raw.send(TEXT, b"x")
    assert raw.receive() == (TEXT, b"x")
    eventually(lambda: colony.output("web") == b"x")


def test_a_pong_that_nobody_asked_for_is_passed_over(raw):
    raw.send(PONG, b"unasked")
    raw.send(TEXT, b"x")
    assert raw.receive() == (TEXT, b"x")


def test_what_comes_after_a_fault_is_not_read(colony, raw):
    raw.sock.sendall(frame(TEXT, b"before\n") + frame(3) + frame(TEXT, b"after\n"))
    frames = list(iter(raw.receive, None))
    assert frames[-1][0] == CLOSE
    eventually(lambda: colony.output("web") == b"before\n")
