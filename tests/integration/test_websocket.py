# SPDX-License-Identifier: Apache-2.0
"""/wstreams/ID: what python3-websocket sees of it, who may open one, and how each ends."""

import base64
import concurrent.futures
import hashlib
import json
import os
import signal
import socket
import ssl
import threading
import time

import pytest

from conftest import BINARY as COLONY, DEADLINE, eventually
from test_access import free_port
from test_streams import late, wait_full
from test_tokens import CONTROL, READ, write_tokens
from ws_client import BINARY, CLOSE, KEY, PING, PONG, TEXT, Raw, frame, request

websocket = pytest.importorskip("websocket", reason="python3-websocket is not installed")

# What was freed is kept for a while then.
SANITIZED = "/asan/" in COLONY or "/tsan/" in COLONY
BOTH = {"redirect_output": ["out", "err"], "redirect_input": True}
SHELL = {"processes": {"web": {"cmd": "sh", **BOTH}}}
CAT = {"processes": {"web": {"cmd": "cat", **BOTH}}}


def start(colony, settings, *args):
    colony.start(settings, *args)
    return colony.wait_state("web", "running")["id"]


def connect(colony, path, **options):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE)
    sock.connect(str(colony.socket))
    return websocket.create_connection(f"ws://localhost{path}", socket=sock, timeout=DEADLINE,
                                       **options)


def close_of(client):
    """(code, reason) of the Close that comes after what else comes."""
    while True:
        opcode, data = client.recv_data(control_frame=True)
        if opcode == CLOSE:
            return int.from_bytes(data[:2], "big"), data[2:].decode()


def error_of(raw):
    return raw.status, json.loads(raw.body())["error"]


def said(client, size):
    text = ""
    while len(text) < size:
        text += client.recv()
    return text


# Messages


def test_messages_go_to_stdin_and_output_comes_back(colony):
    pid = start(colony, SHELL)
    client = connect(colony, f"/wstreams/{pid}")
    client.send("echo hello; echo not here >&2\n")
    assert client.recv_data() == (TEXT, b"hello\n")
    client.send_binary(b"echo again\n")
    assert client.recv() == "again\n"
    client.close()


def test_a_label_picks_the_output_and_a_dot_all_of_them(colony):
    pid = start(colony, SHELL)
    err, every = connect(colony, f"/wstreams/{pid}/err"), connect(colony, f"/wstreams/{pid}/.")
    every.send("echo one >&2\n")
    assert [err.recv(), every.recv()] == ["one\n", "one\n"]
    err.send("echo two\n")
    assert every.recv() == "two\n"


def test_text_is_utf_8_and_binary_is_the_bytes(colony):
    pid = start(colony, SHELL)
    text, binary = connect(colony, f"/wstreams/{pid}"), connect(colony, f"/wstreams/{pid}?binary=true")
    text.send("printf 'a\\303'\n")
    assert [text.recv_data(), binary.recv_data()] == [(TEXT, b"a"), (BINARY, b"a\303")]
    text.send("printf '\\244b\\377\\000c'\n")
    assert text.recv_data() == (TEXT, "äb?\0c".encode())
    assert binary.recv_data() == (BINARY, b"\244b\377\0c")


def test_large_messages_pass_both_ways(colony):
    pid = start(colony, CAT)
    client = connect(colony, f"/wstreams/{pid}")
    body = "".join(f"{n}\n" for n in range(140000))[:900000]
    client.send(body)
    assert said(client, len(body)) == body


def test_fragments_are_joined_with_pings_between_them(colony):
    pid = start(colony, CAT)
    with Raw(colony, f"/wstreams/{pid}") as raw:
        raw.send(TEXT, b"one ", fin=False)
        raw.send(PING, b"there?")
        raw.send(0, b"", fin=False)
        raw.send(0, "ä".encode()[:1], fin=False)
        assert raw.receive() == (PONG, b"there?")
        raw.send(0, "ä".encode()[1:])
        assert raw.receive() == (TEXT, "one ä".encode())


def test_messages_of_many_writers_never_mix(colony):
    pid = start(colony, CAT)
    bodies = [bytes([65 + i]) * 30000 + b"\n" for i in range(10)]

    def write(body):
        client = connect(colony, f"/wstreams/{pid}")
        for _ in range(5):
            client.send_binary(body[:len(body) // 2] + body[len(body) // 2:])
        post = colony.http("POST", f"/streams/{pid}/stdin", body)
        assert post.status in (200, 503)
        client.close()
        return 6 if post.status == 200 else 5

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        counts = list(pool.map(write, bodies))
    eventually(lambda: len(colony.output("web")) == sum(counts) * len(bodies[0]))
    lines = colony.output("web").splitlines(keepends=True)
    assert sorted(lines) == sorted(b for b, n in zip(bodies, counts) for _ in range(n))


def test_a_heartbeat_is_a_ping(colony):
    pid = start(colony, CAT)
    with Raw(colony, f"/wstreams/{pid}?heartbeat=1") as raw:
        assert raw.receive() == (PING, b"")
        raw.send(PONG)
        raw.send(PONG, b"unasked")
        assert raw.receive() == (PING, b"")


def test_over_tcp_and_tls(colony, tmp_path):
    pki = pytest.importorskip("pki").Pki(tmp_path)
    port, secure = free_port(), free_port()
    pid = start(colony, {"http": {"endpoints": [{"bind": f"127.0.0.1:{secure}", "certfile": pki.pem("server"),
                                                 "keyfile": pki.key("server")}]}, **CAT},
                "--bind", f"127.0.0.1:{port}")
    plain = websocket.create_connection(f"ws://127.0.0.1:{port}/wstreams/{pid}", timeout=DEADLINE)
    client = websocket.create_connection(f"wss://localhost:{secure}/wstreams/{pid}", timeout=DEADLINE,
                                         origin=f"https://localhost:{secure}",
                                         sslopt={"ca_certs": pki.pem("ca"), "cert_reqs": ssl.CERT_REQUIRED})
    body = "x" * 300000 + "\n"
    plain.send(body)
    assert said(client, len(body)) == body and said(plain, len(body)) == body
    client.send("from tls\n")
    assert said(plain, 9) == "from tls\n"
    client.close(status=1000)
    assert plain.connected
    bare = websocket.create_connection(f"wss://localhost:{secure}/wstreams/{pid}", timeout=DEADLINE,
                                       suppress_origin=True,
                                       sslopt={"ca_certs": pki.pem("ca"), "cert_reqs": ssl.CERT_REQUIRED})
    bare.send("without an origin\n")
    assert said(plain, 18) == "without an origin\n"


# Who may


def test_the_handshake_answers_the_key_as_the_rfc_has_it(colony):
    pid = start(colony, CAT)
    with Raw(colony, f"/wstreams/{pid}", Connection="keep-alive, uPgrade", Upgrade="foo, WebSocket") as raw:
        mark = (KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()
        assert raw.status == 101
        assert raw.headers["sec-websocket-accept"] == base64.b64encode(hashlib.sha1(mark).digest()).decode()
        assert (raw.headers["upgrade"], raw.headers["connection"]) == ("websocket", "Upgrade")


@pytest.mark.parametrize("headers,status,word", [
    ({"Sec_WebSocket_Key": None}, 400, "bad_value"),
    ({"Sec_WebSocket_Key": ""}, 400, "bad_value"),
    ({"Sec_WebSocket_Key": "c2hvcnQ="}, 400, "bad_value"),
    ({"Sec_WebSocket_Key": KEY + "\r\nSec-WebSocket-Key: " + KEY}, 400, "bad_value"),
    ({"Connection": "keep-alive"}, 400, "bad_value"),
    ({"Connection": None}, 400, "bad_value"),
    ({"Content_Length": "1", "more": b"x"}, 400, "bad_value"),
    ({"Upgrade": None}, 426, "upgrade_required"),
    ({"Upgrade": "h2c"}, 426, "upgrade_required"),
    ({"Sec_WebSocket_Version": None}, 426, "upgrade_required"),
    ({"Sec_WebSocket_Version": "8"}, 426, "upgrade_required"),
    ({"Sec_WebSocket_Version": "13, 8"}, 426, "upgrade_required"),
    ({"Origin": "http://evil.example"}, 403, "forbidden"),
    ({"Origin": "null"}, 403, "forbidden"),
    ({"X": "y" * 20000}, 431, "too_large"),
])
def test_what_is_no_handshake_is_refused(colony, headers, status, word):
    pid = start(colony, CAT)
    with Raw(colony, f"/wstreams/{pid}", **headers) as raw:
        assert error_of(raw) == (status, word)
        if status == 426:
            assert raw.headers["sec-websocket-version"] == "13"
    assert colony.answers()


def test_without_an_output_it_goes_one_way(colony):
    written = colony.folder / "written"
    pid = start(colony, {"processes": {"web": {
        "shell": True, "cmd": f"head -n 2 > {written}; exec sleep 1000", "redirect_input": True}}})
    with Raw(colony, f"/wstreams/{pid}/.") as raw:
        assert error_of(raw) == (400, "io_not_redirected")
    client = connect(colony, f"/wstreams/{pid}")
    client.send("one\n")
    client.send("two\n")
    eventually(lambda: written.exists() and written.read_text() == "one\ntwo\n")
    client.ping("still there?")
    assert client.recv_data(control_frame=True)[0] == PONG
    colony.http("POST", "/processes/web/_stop")
    assert close_of(client)[0] == 1000


def test_what_is_not_there_is_told_before_the_upgrade(colony):
    pid = start(colony, CAT)
    colony.http("POST", "/processes", json.dumps({"name": "plain", "cmd": "sleep 100"}))
    plain = colony.wait_state("plain", "running")["id"]
    for path, error in ((f"/wstreams/{plain}", (400, "io_not_redirected")),
                        (f"/wstreams/{pid}/nothing", (404, "io_not_found")),
                        ("/wstreams/9999", (404, "not_found")), ("/wstreams/web", (400, "bad_value")),
                        (f"/wstreams/{pid}?binary=maybe", (400, "bad_value"))):
        with Raw(colony, path) as raw:
            assert error_of(raw) == error, path
    assert colony.http("GET", f"/wstreams/{pid}").status == 426
    assert colony.http("POST", f"/wstreams/{pid}", "x").status == 405


def test_an_origin_that_is_listed_may(colony):
    pid = start(colony, {"http": {"cors_origins": ["http://friend.example"]}, **CAT})
    client = connect(colony, f"/wstreams/{pid}", origin="http://friend.example")
    client.send("hello\n")
    assert client.recv() == "hello\n"
    with pytest.raises(websocket.WebSocketBadStatusException):
        connect(colony, f"/wstreams/{pid}", origin="http://other.example")


def test_a_token_of_scope_read_follows_and_does_not_write(colony):
    port = free_port()
    pid = start(colony, {"http": {"tokens": str(write_tokens(colony)), "insecure": True}, **SHELL},
                "--bind", f"0.0.0.0:{port}")

    def to(token):
        return websocket.create_connection(f"ws://127.0.0.1:{port}/wstreams/{pid}", timeout=DEADLINE,
                                           header=[f"Authorization: Bearer {token}"])

    reader, writer = to(READ), to(CONTROL)
    writer.send("echo one\n")
    assert [reader.recv(), writer.recv()] == ["one\n", "one\n"]
    reader.send("echo two\n")
    assert close_of(reader) == (1008, "cannot write to its stdin: your token may only read")
    writer.send("echo three\n")
    assert writer.recv() == "three\n"
    with pytest.raises(websocket.WebSocketBadStatusException, match="401"):
        to("x" * 32)


def test_without_redirect_input_a_message_is_refused(colony):
    pid = start(colony, {"processes": {"web": {"cmd": "sleep 100", "redirect_output": ["out"]}}})
    client = connect(colony, f"/wstreams/{pid}")
    client.send("x")
    assert close_of(client) == (1008, "cannot write to its stdin: its template does not say "
                                      "redirect_input: true")


# How it ends


def test_when_the_process_ends_all_it_said_comes_and_a_close(colony):
    pid = start(colony, SHELL)
    client, other = connect(colony, f"/wstreams/{pid}"), connect(colony, f"/wstreams/{pid}?binary=1")
    client.send("seq 1 50000; exit\n")
    client.send("echo too late\n")
    text = b""
    while True:
        opcode, data = other.recv_data(control_frame=True)
        if opcode == CLOSE:
            break
        text += data
    assert data == b"\x03\xe8"
    assert text.split()[-1] == b"50000"
    assert close_of(client) == (1000, "")
    assert error_of(Raw(colony, f"/wstreams/{pid}")) == (404, "not_found")


def test_who_closed_its_stdin_and_lives_is_told_as_1011(colony):
    pid = start(colony, {"processes": {"web": {"cmd": "sh -c 'exec sleep 1000 <&-'", **BOTH}}})
    client = connect(colony, f"/wstreams/{pid}")
    eventually(lambda: colony.http("POST", f"/streams/{pid}/stdin", "x").status == 409)
    client.send("x")
    assert close_of(client) == (1011, "cannot write to its stdin: it has closed it")


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_close_of_the_client_is_answered_with_its_code(colony, code):
    pid = start(colony, CAT)
    with Raw(colony, f"/wstreams/{pid}") as raw:
        raw.send(TEXT, b"last words\n")
        raw.send(CLOSE, code.to_bytes(2, "big") + b"bye")
        frames = list(iter(raw.receive, None))
        assert frames[-1] == (CLOSE, code.to_bytes(2, "big") + b"bye")
    eventually(lambda: colony.output("web") == b"last words\n")


def test_a_close_without_a_code_is_answered_so(colony):
    pid = start(colony, CAT)
    with Raw(colony, f"/wstreams/{pid}") as raw:
        raw.send(CLOSE)
        raw.send(TEXT, b"after the close")
        assert raw.closed() == (None, "")
    assert colony.output("web") == b""


def test_where_colony_ends_or_is_replaced_it_says_1001(colony):
    pid = start(colony, CAT)
    with Raw(colony, f"/wstreams/{pid}") as raw: # which does not answer a Close
        colony.http("POST", "/_upgrade")
        assert raw.closed() == (1001, "colony ends or is replaced")
    eventually(lambda: colony.answers() and colony.slot("web")["id"] == pid)
    client = connect(colony, f"/wstreams/{pid}")
    client.send("still there\n")
    assert client.recv() == "still there\n"


@pytest.mark.parametrize("kill", ["engine", "keeper"])
def test_a_kill_cuts_it_and_the_process_is_there_for_the_next(colony, kill):
    pid = start(colony, CAT)
    client = connect(colony, f"/wstreams/{pid}")
    killed = getattr(colony, kill)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: colony.answers() and killed not in (colony.keeper, colony.engine))
    with pytest.raises((OSError, websocket.WebSocketException)):
        while client.recv() is not None:
            client.send("x\n")
    client = connect(colony, f"/wstreams/{pid}")
    client.send("after\n")
    assert "after\n" in said(client, 6)


def test_who_hangs_up_in_a_message_has_written_nothing_of_it(colony):
    pid = start(colony, CAT)
    for end in (frame(TEXT, b"whole\n") + frame(TEXT, b"half a message", fin=False),
                frame(TEXT, b"half a frame", length=50), b"\x81", b""):
        with Raw(colony, f"/wstreams/{pid}") as raw:
            raw.sock.sendall(end)
            if end[:1] == b"\x01" or b"whole" in end:
                raw.receive()
    with Raw(colony, f"/wstreams/{pid}") as raw:
        raw.send(TEXT, b"next\n")
        raw.receive()
    eventually(lambda: colony.output("web").endswith(b"next\n")) # it is told before it is logged
    assert b"half" not in colony.output("web")


# Slow ones


def test_what_the_process_does_not_read_holds_its_writer_and_nobody_else(colony):
    gate = colony.folder / "gate"
    pid = start(colony, late(gate))
    bodies = [bytes([97 + i % 26]) * 59999 + b"\n" for i in range(100)]
    before = rss(colony.engine)
    with Raw(colony, f"/wstreams/{pid}") as raw:
        raw.sock.settimeout(1)
        sent = bytearray()
        with pytest.raises(socket.timeout):
            for body in bodies:
                data = frame(BINARY, body)
                while data:
                    count = raw.sock.send(data)
                    sent += data[:count]
                    data = data[count:]
        assert len(sent) < 2 << 20
        assert rss(colony.engine) - before < 8 << 20
        assert colony.answers()
        raw.sock.settimeout(DEADLINE)
        gate.touch()
        raw.sock.sendall(data)
        for body in bodies[bodies.index(body) + 1:]:
            raw.send(BINARY, body)
        eventually(lambda: len(colony.output("web")) == 6000000)
    assert colony.output("web") == b"".join(bodies)


def test_whole_messages_of_who_hangs_up_are_written(colony):
    gate = colony.folder / "gate"
    pid = start(colony, late(gate))
    body = b"y" * 200000 + b"\n"
    with Raw(colony, f"/wstreams/{pid}") as raw:
        raw.send(TEXT, body)
        raw.sock.sendall(frame(TEXT, b"a\n") + frame(TEXT, b"b\n"))
        wait_full(colony.slot("web")["os_pid"])
    gate.touch()
    eventually(lambda: colony.output("web") == body + b"a\nb\n")


def rss(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_who_never_reads_costs_little_and_is_told_what_was_missed(colony):
    pid = start(colony, SHELL)
    before = rss(colony.engine)
    slow = [Raw(colony, f"/wstreams/{pid}?binary=true") for _ in range(20)]
    quick = connect(colony, f"/wstreams/{pid}/err")
    quick.send("seq 1 3000000; echo done >&2\n") # 23 MB
    assert quick.recv() == "done\n"
    assert SANITIZED or rss(colony.engine) - before < 24 << 20
    quick.send("exit\n")
    told, missed = 0, 0
    while (got := slow[0].receive()) != (CLOSE, b"\x03\xe8"):
        opcode, payload = got
        if opcode == TEXT:
            missed += json.loads(payload)["bytes"]
        else:
            told += len(payload)
    assert missed > 0 and missed + told == 22888896
    for raw in slow:
        raw.__exit__()


def test_a_message_that_comes_too_slowly_is_not_written(colony):
    pid = start(colony, {"http": {"request_timeout": 1}, **CAT})
    with Raw(colony, f"/wstreams/{pid}") as raw:
        data = frame(TEXT, b"one byte at a time\n")
        stop = threading.Event()

        def trickle():
            for byte in data:
                if stop.wait(0.25):
                    return
                raw.sock.send(bytes([byte]))

        thread = threading.Thread(target=trickle)
        thread.start()
        quick = connect(colony, f"/wstreams/{pid}")
        quick.send("quick\n")
        assert quick.recv() == "quick\n" and raw.receive() == (TEXT, b"quick\n")
        assert raw.closed() == (1008, "cannot wait any longer for the rest of the message")
        stop.set()
        thread.join()
    eventually(lambda: colony.output("web") == b"quick\n")  # it is told before it is logged


def test_who_is_silent_between_messages_stays(colony):
    pid = start(colony, {"http": {"request_timeout": 1}, **CAT})
    client = connect(colony, f"/wstreams/{pid}")
    time.sleep(1.5)
    client.send("still\n")
    assert client.recv() == "still\n"


def test_what_comes_with_the_handshake_is_heard(colony):
    pid = start(colony, CAT)
    more = frame(TEXT, b"early\n") + frame(PING, b"p")
    with Raw(colony, f"/wstreams/{pid}", more=more) as raw:
        assert raw.status == 101
        assert sorted([raw.receive(), raw.receive()]) == [(TEXT, b"early\n"), (PONG, b"p")]


def test_open_and_close_leaves_nothing_behind(colony):
    pid = start(colony, CAT)
    connect(colony, f"/wstreams/{pid}").close()
    before = len(os.listdir(f"/proc/{colony.engine}/fd"))
    for number in range(100):
        client = connect(colony, f"/wstreams/{pid}")
        if number % 2:
            client.close()
        else:
            client.shutdown()
    eventually(lambda: len(os.listdir(f"/proc/{colony.engine}/fd")) <= before + 1)
