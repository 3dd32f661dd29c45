# SPDX-License-Identifier: Apache-2.0
"""TLS of the control endpoint: real certificates, real clients, and those that mean no good."""
import contextlib
import json
import os
import pathlib
import pwd
import random
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from conftest import BINARY, eventually, needs_root
from pki import Pki
from test_access import PROCESSES, free_port
from test_tokens import CONTROL, READ, bearer, serve, write_tokens

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here")


@pytest.fixture(scope="module", name="pki")
def pki_fixture(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def start(colony, pki, *args, name="server", **http):
    port = free_port()
    http = {"certfile": pki.pem(name), "keyfile": pki.key(name), **http}
    colony.start({"http": http, "processes": PROCESSES}, "--bind", f"127.0.0.1:{port}", *args)
    return port


def client_context(pki, client=None, version=None):
    context = ssl.create_default_context(cafile=pki.pem("ca"))
    if client:
        context.load_cert_chain(pki.pem(client), pki.key(client))
    if version:
        context.minimum_version = context.maximum_version = version
    return context


@contextlib.contextmanager
def secured(pki, port, host="127.0.0.1", server_name="localhost", **context):
    with socket.create_connection((host, port), timeout=20) as raw:
        with client_context(pki, **context).wrap_socket(raw, server_hostname=server_name) as tls:
            yield tls


def ask(stream, *lines, body=b"", method="GET", path="/ping", close=True):
    """(status, head, body) of one request on an open stream."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    if close:
        lines.append("Connection: close")
    stream.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return read_answer(stream, close)


def read_answer(stream, to_end=True):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = stream.recv(65536)
        assert piece, data
        data += piece
    head, rest = data.split(b"\r\n\r\n", 1)
    size = int(next((line.split(b":")[1] for line in head.split(b"\r\n")
                     if line.lower().startswith(b"content-length:")), b"0"))
    while len(rest) < size:
        piece = stream.recv(65536)
        assert piece, rest
        rest += piece
    if to_end:
        assert stream.recv(1) == b""  # after a close_notify, else Python raises
    return int(head.split()[1]), head, rest


def ping(pki, port, **more):
    with secured(pki, port, **more) as stream:
        return ask(stream)[0]


def ctl(pki, port, *args, host="localhost", env=None, **run):
    return subprocess.run([BINARY, "ctl", "--endpoint", f"https://{host}:{port}", "--cacert",
                           pki.pem("ca"), *args], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})}, **run)


def is_closed_by(stream, seconds):
    """True when the other side ends it in that time, whatever it says before."""
    stream.settimeout(seconds)
    try:
        while stream.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


# What works


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_are_answered(colony, pki, version):
    port = start(colony, pki)
    with secured(pki, port, version=version) as stream:
        assert stream.version() == version.name.replace("_", ".")
        for _ in range(3):
            assert ask(stream, close=False)[2] == b"OK"
        assert ask(stream, path="/processes")[2] == b'["web"]'


def test_curl_is_a_client(colony, pki):
    port = start(colony, pki)
    got = subprocess.run(["curl", "-sS", "--cacert", pki.pem("ca"),
                          f"https://localhost:{port}/processes", f"https://127.0.0.1:{port}/ping"],
                         capture_output=True, timeout=60, check=True)
    assert got.stdout == b'["web"]OK'


def big(letter):
    """Settings of 900 KB; a single variable may have 128 KB."""
    return json.dumps({"name": "big", "cmd": "true", "start": False,
                       "env": {f"V{i}": letter * 100000 for i in range(9)}}).encode()


def test_large_bodies_go_both_ways(colony, pki):
    port = start(colony, pki)
    settings = big("a")
    with secured(pki, port) as stream:
        status, _, body = ask(stream, "Content-Type: application/json", body=settings,
                              method="POST", path="/processes", close=False)
        assert (status, body) == (200, b'{"ok":true}')
        assert ask(stream, path="/processes/big")[2].count(b"a" * 100000) == 9


def test_a_slow_reader_gets_all_of_a_large_answer(colony, pki):
    port = start(colony, pki)
    assert colony.http("POST", "/processes", big("b")).status == 200
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(20)
        raw.connect(("127.0.0.1", port))
        with client_context(pki).wrap_socket(raw, server_hostname="localhost") as stream:
            stream.sendall(b"GET /processes/big HTTP/1.1\r\nHost: localhost\r\n\r\n"
                           b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            time.sleep(0.3)
            assert colony.http("GET", "/ping").status == 200  # nobody else waits
            assert read_answer_exactly(stream).count(b"b" * 100000) == 9
            assert read_answer(stream)[2] == b"OK"


def read_answer_exactly(stream):
    """One answer of several, without a byte of the next."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += stream.recv(1)
    left = int(head.lower().split(b"content-length:")[1].split()[0])
    body = b""
    while len(body) < left:
        body += stream.recv(min(left - len(body), 16384))
    return body


def test_logs_are_followed(colony, pki):
    port = free_port()
    colony.start({"http": {"certfile": pki.pem("server"), "keyfile": pki.key("server")},
                  "processes": {"say": {"cmd": "for i in 1 2 3; do echo line $i; sleep 0.1; done; "
                                               "sleep 1000", "shell": True}}},
                 "--bind", f"127.0.0.1:{port}")
    with secured(pki, port) as stream:
        stream.sendall(b"GET /logs/say?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
        data = b""
        while b"line 3" not in data:
            data += stream.recv(65536)


def test_several_endpoints_at_once(colony, pki):
    pki.make("second", names="DNS:second.example")
    ports = [free_port() for _ in range(3)]
    endpoints = [
        {"bind": f"127.0.0.1:{ports[1]}", "certfile": pki.pem("second"), "keyfile": pki.key("second")},
        {"bind": f"127.0.0.1:{ports[2]}"},
        {"bind": f"unix:{colony.folder}/tls.sock", "certfile": pki.pem("server"),
         "keyfile": pki.key("server")},
    ]
    if socket.has_ipv6:
        six = free_port(socket.AF_INET6, "::1")
        endpoints.append({"bind": f"[::1]:{six}", "certfile": pki.pem("server"),
                          "keyfile": pki.key("server")})
    colony.start({"http": {"certfile": pki.pem("server"), "keyfile": pki.key("server"),
                           "endpoints": endpoints}, "processes": PROCESSES},
                 "--bind", f"127.0.0.1:{ports[0]}", "--bind", f"unix:{colony.folder}/plain.sock")
    assert ping(pki, ports[0]) == 200
    assert ping(pki, ports[1], server_name="second.example") == 200
    with socket.create_connection(("127.0.0.1", ports[2]), timeout=20) as stream:
        assert ask(stream)[0] == 200
    if socket.has_ipv6:
        assert ping(pki, six, host="::1", server_name="::1") == 200
    for path, wrap in [("tls.sock", True), ("plain.sock", False)]:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(20)
            stream.connect(f"{colony.folder}/{path}")
            if wrap:
                with client_context(pki).wrap_socket(stream, server_hostname="localhost") as tls:
                    assert ask(tls)[0] == 200
            else:
                assert ask(stream)[0] == 200


def test_a_key_may_stand_with_its_certificate(colony, pki):
    both = colony.folder / "both.pem"
    both.write_text(pathlib.Path(pki.pem("server")).read_text() +
                    pathlib.Path(pki.key("server")).read_text())
    both.chmod(0o600)
    port = free_port()
    colony.start({"processes": PROCESSES}, "--bind", f"127.0.0.1:{port}", "--certfile", str(both))
    assert ping(pki, port) == 200


def test_beyond_this_machine_with_a_token(colony, pki):
    port = free_port()
    colony.start({"http": {"tokens": str(write_tokens(colony))}, "processes": PROCESSES}, "--bind",
                 f"0.0.0.0:{port}", "--certfile", pki.pem("server"), "--keyfile", pki.key("server"))
    with secured(pki, port) as stream:
        assert ask(stream)[0] == 401
    with secured(pki, port) as stream:
        assert ask(stream, bearer(READ))[0] == 200
    with secured(pki, port) as stream:
        assert ask(stream, bearer(READ), method="POST", path="/processes/web/_stop")[0] == 403
    with secured(pki, port) as stream:
        assert ask(stream, bearer(CONTROL), method="POST", path="/processes/web/_stop")[0] == 200


def test_tls_alone_does_not_open_it_to_others(colony, pki):
    out = serve(colony, {}, "--bind", f"0.0.0.0:{free_port()}", "--certfile", pki.pem("server"),
                "--keyfile", pki.key("server"))
    assert out.returncode == 77 and "`tokens`" in out.stderr


def test_the_origin_of_a_page_is_https(colony, pki):
    port = start(colony, pki)
    for origin, status in [(f"https://localhost:{port}", 200), (f"http://localhost:{port}", 403)]:
        with secured(pki, port) as stream:
            lines = ["GET /ping HTTP/1.1", f"Host: localhost:{port}", f"Origin: {origin}", "", ""]
            stream.sendall("\r\n".join(lines).encode())
            answer = read_answer(stream, False)
            assert answer[0] == status
            assert (b"it came without TLS (send an Origin of https:// or none" in answer[2]) \
                == (status == 403)


# Who is there


def test_a_client_without_a_certificate_is_refused_where_one_is_wanted(colony, pki):
    port = start(colony, pki, client_ca=pki.pem("ca"))
    assert ping(pki, port, client="client") == 200
    for client in (None, "stranger"):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with pytest.raises(OSError):
                ping(pki, port, client=client, version=version)
                pytest.fail(f"{client} was let in")
    assert ping(pki, port, client="client") == 200


def test_ctl_speaks_it(colony, pki):
    port = start(colony, pki)
    assert ctl(pki, port, "processes").stdout == "web\n"
    assert ctl(pki, port, "processes", host="127.0.0.1").stdout == "web\n"
    assert ctl(pki, port, "restart", "web").returncode == 0
    out = ctl(pki, port, "shutdown")
    assert (out.returncode, out.stderr) == (0, "")
    assert colony.process.wait(20) == 0


def test_ctl_follows_from_one_engine_to_the_next(colony, pki):
    port = start(colony, pki)
    command = [BINARY, "ctl", "--endpoint", f"https://localhost:{port}", "--cacert", pki.pem("ca")]
    follow = subprocess.Popen([*command, "watch", "spawn"], stdout=subprocess.PIPE, text=True)
    try:
        eventually(lambda: colony.ctl("restart", "web") and
                   select.select([follow.stdout], [], [], 0)[0])
        for _ in range(2):
            engine = colony.engine
            os.kill(engine, signal.SIGKILL)
            eventually(lambda: colony.engine != engine and colony.answers())
            colony.ctl("restart", "web")
        last = str(colony.slot("web")["os_pid"])
        assert any(last in line for line in follow.stdout)
    finally:
        follow.kill()
        follow.wait(10)
        follow.stdout.close()


def test_ctl_tells_which_of_its_files_cannot_be_used(colony, pki):
    port = start(colony, pki)
    out = subprocess.run([BINARY, "ctl", "--endpoint", f"https://localhost:{port}", "--cacert",
                          "nosuch.pem", "ps"], capture_output=True, text=True, timeout=60)
    assert out.stderr == "colony ctl: cannot use the authorities nosuch.pem: " \
                         "No such file or directory\n"
    out = ctl(pki, port, "ps", "--cert", pki.pem("client"))
    assert out.stderr == f"colony ctl: cannot use {pki.pem('client')}: there is no key in it: " \
                         "--key FILE must say where it is\n"


def test_ctl_trusts_nobody_it_should_not(colony, pki, make_colony):
    pki.make("expired", until="20210101000000Z").make("elsewhere", names="DNS:elsewhere.example")
    for name, reason in [("expired", "certificate has expired"), ("elsewhere", "mismatch")]:
        one = make_colony()
        port = start(one, pki, name=name)
        out = ctl(pki, port, "processes")
        assert out.returncode == 77 and reason in out.stderr, out.stderr
        assert len(out.stderr.splitlines()) == 1
    port = start(colony, pki)
    out = subprocess.run([BINARY, "ctl", "--endpoint", f"https://localhost:{port}", "--cacert",
                          pki.pem("other"), "ps"], capture_output=True, text=True, timeout=60)
    assert out.returncode == 77 and "cannot trust https://localhost:" in out.stderr
    out = subprocess.run([BINARY, "ctl", "--endpoint", f"https://localhost:{port}", "ps"],
                         capture_output=True, text=True, timeout=60)
    assert out.returncode == 77 and "--cacert" in out.stderr


def test_ctl_shows_its_certificate_and_token(colony, pki):
    port = free_port()
    colony.start({"http": {"tokens": str(write_tokens(colony)), "certfile": pki.pem("server"),
                           "keyfile": pki.key("server"), "client_ca": pki.pem("ca")},
                  "processes": PROCESSES}, "--bind", f"0.0.0.0:{port}")
    own = ["--cert", pki.pem("client"), "--key", pki.key("client")]
    assert ctl(pki, port, "processes", *own).returncode == 77
    token = colony.folder / "mine"
    token.write_text(READ + "\n")
    token.chmod(0o600)
    assert ctl(pki, port, "processes", *own, "--token-file", str(token)).stdout == "web\n"
    assert ctl(pki, port, "processes", *own, env={"COLONY_TOKEN": READ}).stdout == "web\n"
    out = ctl(pki, port, "stop", "web", *own, env={"COLONY_TOKEN": READ})
    assert out.returncode == 77
    for other in ([], ["--cert", pki.pem("stranger"), "--key", pki.key("stranger")]):
        out = ctl(pki, port, "processes", *other, env={"COLONY_TOKEN": READ})
        assert out.returncode == 77 and "cannot speak TLS with colony" in out.stderr, out.stderr
        assert "--cert" in out.stderr and len(out.stderr.splitlines()) == 1
    token.chmod(0o644)
    out = ctl(pki, port, "processes", *own, "--token-file", str(token))
    assert out.returncode == 77 and "chmod 600" in out.stderr and READ not in out.stderr


def test_ctl_sends_no_token_in_clear(tmp_path):
    out = subprocess.run([BINARY, "ctl", "--endpoint", "http://192.0.2.1:5000", "ps"], text=True,
                         capture_output=True, timeout=60, env={**os.environ, "COLONY_TOKEN": READ})
    assert out.returncode == 2 and "in clear: use https://" in out.stderr and READ not in out.stderr


def test_ctl_waits_for_no_handshake_for_ever(pki):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begun = time.monotonic()
        out = ctl(pki, silent.getsockname()[1], "ps")
        assert out.returncode == 69 and "no TLS within 5 seconds" in out.stderr
        assert time.monotonic() - begun < 15


# Who means no good


def test_http_without_tls_is_told_so(colony, pki):
    port = start(colony, pki)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        status, _, body = ask(stream, path="/processes")
        assert status == 400 and b"TLS is spoken here" in body and b"web" not in body
    assert ping(pki, port) == 200


@pytest.mark.parametrize("data", [
    b"\0" * 100, b"\x16", b"\x16\x03\x01", b"\x16\x03\x01\xff\xff" + b"\1" * 70000,
    b"\x16\x03\x01\x00\x05hello", b"SSH-2.0-x\r\n", b"\x80\x2e\x01\x00\x02" + b"x" * 41,
    b"\x17\x03\x03\x40\x00" + b"x" * 16384, b"\x16\x03\x01\x00\x00" * 1000, random.Random(7).randbytes(5000),
], ids=range(10))
def test_what_is_no_handshake_is_closed(colony, pki, data):
    port = start(colony, pki, request_timeout=1)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        with contextlib.suppress(OSError):
            stream.sendall(data)
        assert is_closed_by(stream, 10)
    assert ping(pki, port) == 200


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(colony, pki, version):
    port = start(colony, pki)
    out = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version, "-cipher",
                          "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, timeout=60, check=False)
    assert out.returncode != 0 and "Cipher is (NONE)" in out.stdout
    assert ping(pki, port) == 200


def hello(pki):
    """A ClientHello as Python makes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(pki).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_a_handshake_that_stops_half_way_has_a_deadline(colony, pki):
    port = start(colony, pki, request_timeout=1)
    for size in (1, 3, 100, None):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
            stream.sendall(hello(pki)[:size])
            assert is_closed_by(stream, 10)
    with secured(pki, port) as stream:  # a whole one, and then no request
        assert is_closed_by(stream, 10)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        assert is_closed_by(stream, 10)
    assert ping(pki, port) == 200


def test_a_handshake_byte_by_byte_has_the_same(colony, pki):
    port = start(colony, pki, request_timeout=1)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in hello(pki):
                stream.sendall(bytes([byte]))
                time.sleep(0.1)
        assert time.monotonic() - begun < 15
    assert ping(pki, port) == 200


def test_one_byte_at_a_time_works(colony, pki):
    port = start(colony, pki)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(pki).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def turn(call, *args):
            while True:
                try:
                    result = call(*args)
                    missing = False
                except ssl.SSLWantReadError:
                    missing = True
                for byte in outgoing.read():
                    stream.sendall(bytes([byte]))
                if not missing:
                    return result
                incoming.write(stream.recv(7))

        turn(tls.do_handshake)
        turn(tls.write, b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        data = b""
        while not data.endswith(b"OK"):
            data += turn(tls.read, 100)


def test_renegotiation_is_refused(colony, pki):
    port = start(colony, pki)
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2",
                           "-CAfile", pki.pem("ca")], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
        os.set_blocking(client.stdout.fileno(), False)
        text = ""

        def says(word):
            nonlocal text
            text += client.stdout.read() or ""
            return word in text

        eventually(lambda: says("Verify return code: 0"))
        client.stdin.write("R\n")
        client.stdin.flush()
        eventually(lambda: says("no renegotiation") or client.poll() is not None)
        client.kill()
        client.wait(10)
        assert says("no renegotiation")  # maybe its last word
    assert ping(pki, port) == 200


def test_a_record_that_was_changed_ends_the_connection(colony, pki):
    port = start(colony, pki)
    pid = colony.wait_state("web", "running")["os_pid"]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(pki).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                stream.sendall(outgoing.read())
                incoming.write(stream.recv(65536))
        tls.write(b"POST /processes/web/_stop HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sealed = bytearray(outgoing.read())
        sealed[-1] ^= 1
        stream.sendall(sealed)
        assert is_closed_by(stream, 10)
    assert colony.slot("web")["os_pid"] == pid


def test_a_bad_record_while_an_answer_is_under_way_ends_it(colony, pki):
    port = start(colony, pki)
    for path in ("/logs/web?follow=true", "/processes/web/_restart?wait=5"):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            with client_context(pki).wrap_socket(raw, server_hostname="localhost") as stream:
                method = "GET" if "logs" in path else "POST"
                stream.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                eventually(lambda: "colony_http_connections 2\n" in
                           colony.http("GET", "/metrics").text)
                os.write(stream.fileno(), b"\x17\x03\x03\x00\x20" + b"x" * 32)
                assert is_closed_by(stream, 10)
    eventually(lambda: "colony_http_connections 1\n" in colony.http("GET", "/metrics").text)
    colony.wait_state("web", "running")


def test_records_of_nothing_and_too_large_ones(colony, pki):
    port = start(colony, pki)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        with client_context(pki).wrap_socket(raw, server_hostname="localhost") as stream:
            assert ask(stream, close=False)[0] == 200
            fd = os.dup(stream.fileno())
            try:  # past the client's own TLS
                os.write(fd, struct.pack(">BHH", 0x17, 0x0303, 0x4800) + b"x" * 0x4800)
                eventually(lambda: is_closed_by(stream, 10))
            finally:
                os.close(fd)
    assert ping(pki, port) == 200


def test_an_end_without_goodbye_runs_nothing_half(colony, pki):
    port = start(colony, pki)
    pid = colony.wait_state("web", "running")["os_pid"]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        stream = client_context(pki).wrap_socket(raw, server_hostname="localhost")
        stream.sendall(b"POST /processes/web/_stop HTTP/1.1\r\nHost: localhost\r\n")
        os.close(stream.detach())
    assert ping(pki, port) == 200
    assert colony.slot("web")["os_pid"] == pid


def test_many_clients_that_hang_hold_up_nobody(colony, pki):
    port = start(colony, pki)
    held = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(200)]
    try:
        for one in held:
            one.sendall(hello(pki))
        begun = time.monotonic()
        assert ping(pki, port) == 200
        assert time.monotonic() - begun < 5
    finally:
        for one in held:
            one.close()
    assert ping(pki, port) == 200


def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def misbehave(pki, port, rng):
    """One client that is cut off, or cuts itself off, at a random place."""
    request = b"GET /processes/web HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 20) as raw:
        raw.settimeout(5)
        what = rng.randrange(8)
        if what == 0:
            raw.sendall(hello(pki)[:rng.randrange(1, 300)])
            return
        if what == 1:
            raw.sendall(rng.randbytes(rng.randrange(1, 3000)))
            return
        if what == 2:
            raw.sendall(request)
            return
        stream = client_context(pki).wrap_socket(raw, server_hostname="localhost")
        stream.sendall(request * rng.randrange(1, 40))
        if what == 3:
            stream.sendall(b"POST /processes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n")
        elif what == 4:
            stream.sendall(b"GET /logs/web?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
            stream.recv(100)
        elif what == 5:
            os.write(stream.fileno(), rng.randbytes(100))  # past its own TLS
        elif what == 6:
            stream.recv(10000)
            stream.unwrap().close()
            return
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", rng.randrange(2), 0))
        os.close(stream.detach())


def test_clients_that_end_in_every_way_leave_nothing_behind(colony, pki):
    port = start(colony, pki)
    assert ping(pki, port) == 200
    before = fds(colony.engine) + 1  # inotify, once logs were followed
    rng = random.Random(7)
    for _ in range(300):
        misbehave(pki, port, rng)
    assert ping(pki, port) == 200
    eventually(lambda: fds(colony.engine) <= before)
    eventually(lambda: "colony_http_connections 1\n" in colony.http("GET", "/metrics").text)
    assert colony.slot("web")["restarts"] == 0


# Files


@pytest.mark.parametrize("settings,reason", [
    (lambda p: {"certfile": p.pem("server"), "keyfile": p.key("client")}, "cannot use the key"),
    (lambda p: {"certfile": p.key("server"), "keyfile": p.key("server")}, "cannot use the certificate"),
    (lambda p: {"certfile": "/nonexistent", "keyfile": p.key("server")}, "cannot use the certificate"),
    (lambda p: {"certfile": p.pem("server"), "keyfile": "/nonexistent"}, "No such file"),
    (lambda p: {"keyfile": p.key("server")}, "`certfile` is missing"),
    (lambda p: {"client_ca": p.pem("ca")}, "`certfile` is missing"),
    (lambda p: {"certfile": p.pem("server"), "keyfile": p.key("server"), "client_ca": p.key("ca")},
     "cannot use the authorities"),
    (lambda p: {"endpoints": [{"bind": "127.0.0.1:0", "keyfile": p.key("server")}]},
     "`certfile` is missing"),
    (lambda p: {"endpoints": [{"certfile": p.pem("server")}]}, "`bind` is missing"),
    (lambda p: {"endpoints": [{"bind": "nowhere"}]}, "cannot bind `nowhere`"),
])
def test_files_that_cannot_be_used_are_told_before_anything_runs(colony, pki, settings, reason):
    out = serve(colony, {"http": settings(pki)})
    assert out.returncode == 78 and reason in out.stderr
    assert len(out.stderr.splitlines()) == 1
    assert not colony.state.exists()


def test_a_key_that_others_can_read_is_refused(colony, pki):
    key = colony.folder / "open.key"
    key.write_bytes(pathlib.Path(pki.key("server")).read_bytes())
    key.chmod(0o644)
    out = serve(colony, {}, "--certfile", pki.pem("server"), "--keyfile", str(key))
    assert out.returncode == 78 and "others can read" in out.stderr
    subprocess.run(["openssl", "ec", "-in", pki.key("server"), "-aes128", "-passout", "pass:secret",
                    "-out", str(key)], check=True, capture_output=True, timeout=60)
    key.chmod(0o600)
    out = serve(colony, {}, "--certfile", pki.pem("server"), "--keyfile", str(key))
    assert out.returncode == 78 and "cannot use the key" in out.stderr
    assert "it has a passphrase, which colony cannot ask for" in out.stderr
    assert serve(colony, {}, "--keyfile", str(key)).returncode == 2


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_certificate_without_its_key_is_told_as_such(colony, pki, mode):
    pathlib.Path(pki.pem("server")).chmod(mode)
    out = serve(colony, {}, "--certfile", pki.pem("server"))
    assert (out.returncode, out.stderr) == (
        78, f"colony serve: cannot use {pki.pem('server')}: there is no key in it: `keyfile` "
            "(--keyfile FILE) must say where it is\n")


def test_a_key_in_the_file_of_its_certificate_must_be_kept_from_others(colony, pki):
    both = colony.folder / "both.pem"
    both.write_bytes(b"".join(pathlib.Path(path).read_bytes()
                              for path in (pki.pem("server"), pki.key("server"))))
    both.chmod(0o644)
    out = serve(colony, {}, "--certfile", str(both))
    assert out.returncode == 78 and "others can read" in out.stderr


def copy(pki, name, folder):
    for suffix in ("pem", "key"):
        target = folder / f"live.{suffix}"
        new = folder / f"live.{suffix}.new"
        new.write_bytes((pki.folder / f"{name}.{suffix}").read_bytes())
        new.chmod(0o600)
        new.rename(target)


def shown(pki, port):
    with secured(pki, port) as stream:
        return stream.getpeercert()["subject"][0][0][1]


@pytest.mark.parametrize("how", ["SIGHUP", "ctl", "no file"])
def test_a_reload_takes_new_certificates_and_drops_nobody(colony, pki, how):
    pki.make("renewed")
    copy(pki, "server", colony.folder)
    port = free_port()
    files = ["--bind", f"127.0.0.1:{port}", "--certfile", str(colony.folder / "live.pem"),
             "--keyfile", str(colony.folder / "live.key")]
    if how == "no file":
        with open(colony.log, "ab") as log:
            colony.process = subprocess.Popen([BINARY, "serve", "--state", str(colony.state), *files],
                                              stdout=log, stderr=log)
        eventually(colony.answers)
    else:
        colony.start({"processes": PROCESSES}, *files)
    assert shown(pki, port) == "server"
    with secured(pki, port) as kept:
        assert ask(kept, close=False)[0] == 200
        copy(pki, "renewed", colony.folder)
        assert shown(pki, port) == "server"
        if how == "ctl":
            assert "certificates and tokens are read again" in colony.ctl("reload").stdout
        else:
            os.kill(colony.keeper, 1)
        eventually(lambda: shown(pki, port) == "renewed")
        assert ask(kept, close=False)[0] == 200
        (colony.folder / "live.pem").write_text("nonsense")
        out = colony.ctl("reload", check=False)
        assert out.returncode == 78 and "cannot use the certificate" in out.stderr
        assert shown(pki, port) == "renewed"
        assert ask(kept)[0] == 200


@pytest.mark.parametrize("http, why", [
    ({"certfile": "/no/such.pem"}, "cannot use the certificate /no/such.pem: No such file"),
    ({"tokens": "open.tokens"}, "others can read or change it"),
])
def test_check_reads_what_the_endpoints_need(colony, http, why):
    (colony.folder / "open.tokens").write_text(f"all control {CONTROL}\n")
    (colony.folder / "open.tokens").chmod(0o644)
    config = colony.folder / "colony.yaml"
    config.write_text(json.dumps({"http": http, "processes": PROCESSES}))
    out = subprocess.run([BINARY, "check", config], cwd=colony.folder, capture_output=True,
                         text=True, timeout=60, check=False)
    assert out.returncode == 78 and out.stdout == ""
    assert out.stderr.startswith(f"{config}: cannot ") and why in out.stderr


def test_a_reload_takes_new_tokens_at_once(colony, pki):
    port = free_port()
    path = write_tokens(colony)
    colony.start({"http": {"tokens": str(path)}, "processes": PROCESSES}, "--bind",
                 f"0.0.0.0:{port}", "--certfile", pki.pem("server"), "--keyfile", pki.key("server"))
    with secured(pki, port) as stream:
        assert ask(stream, bearer(READ), close=False)[0] == 200
        write_tokens(colony, f"new read {'n' * 32}")
        assert "update" in colony.ctl("reload", "--dry-run").stdout
        assert ask(stream, bearer(READ), close=False)[0] == 200
        colony.ctl("reload")
        assert ask(stream, bearer(READ), close=False)[0] == 401
        assert ask(stream, bearer("n" * 32), close=False)[0] == 200
        path.chmod(0o644)
        assert colony.ctl("reload", check=False).returncode == 78
        assert ask(stream, bearer("n" * 32))[0] == 200


@needs_root
def test_an_engine_without_rights_reads_what_its_group_may(colony, pki):
    group = pwd.getpwnam("nobody").pw_gid
    copy(pki, "server", colony.folder)
    colony.folder.chmod(0o755)
    for path in (colony.folder / "live.key", colony.folder / "live.pem", write_tokens(colony)):
        os.chown(path, 0, group)
        path.chmod(0o640)
    port = free_port()
    colony.start({"user": "nobody", "http": {"tokens": str(colony.folder / "tokens")},
                  "processes": PROCESSES}, "--bind", f"0.0.0.0:{port}", "--certfile",
                 str(colony.folder / "live.pem"), "--keyfile", str(colony.folder / "live.key"))
    with secured(pki, port) as stream:
        assert ask(stream, bearer(READ), close=False)[0] == 200
        assert "again" in colony.ctl("reload").stdout
        assert ask(stream, bearer(READ))[0] == 200


def test_it_survives_what_colony_survives(colony, pki):
    port = start(colony, pki)
    os.kill(colony.engine, 9)
    eventually(lambda: ping(pki, port) == 200)
    colony.ctl("upgrade")
    eventually(lambda: ping(pki, port) == 200)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        assert ask(stream)[0] == 400  # never in clear


# What it costs who does not use it


def test_openssl_is_opened_by_those_who_speak_tls_only(colony, pki, make_colony):
    linked = subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True)
    assert "libssl" not in linked.stdout and "libcrypto" not in linked.stdout
    colony.start({"processes": PROCESSES}, "--bind", f"127.0.0.1:{free_port()}")
    assert "libssl" not in pathlib.Path(f"/proc/{colony.engine}/maps").read_text()
    other = make_colony()
    start(other, pki)
    assert "libssl" in pathlib.Path(f"/proc/{other.engine}/maps").read_text()
    assert "libssl" not in pathlib.Path(f"/proc/{other.keeper}/maps").read_text()
    notes = subprocess.run(["readelf", "-p", ".note.dlopen", BINARY], capture_output=True, text=True,
                           check=True)
    assert '"soname":["libssl.so.' in notes.stdout
