# SPDX-License-Identifier: Apache-2.0
"""Tokens: who comes from beyond this machine needs one, and may do what its scope says."""
import json
import pathlib
import re
import socket
import subprocess

import pytest

from conftest import alive, eventually
from test_access import PROCESSES, ask, free_port

READ = "r" * 32
CONTROL = "c0-._~+/=" * 10


def write_tokens(colony, *lines, mode=0o600):
    path = colony.folder / "tokens"
    path.write_text("".join(f"{line}\n" for line in lines or
                            ["# who may", f"monitor read {READ}", f"deploy control {CONTROL}"]))
    path.chmod(mode)
    return path


def start(colony, **http):
    """An endpoint that tokens are needed on; its port."""
    port = free_port()
    http = {"tokens": str(write_tokens(colony)), "insecure": True, **http}
    colony.start({"http": http, "processes": PROCESSES}, "--bind", f"0.0.0.0:{port}")
    return port


def bearer(token):
    return f"Authorization: Bearer {token}"


def get(port, *lines, path="/ping", method="GET"):
    return ask(("127.0.0.1", port), f"{method} {path} HTTP/1.1", "Host: localhost", *lines)


def serve(colony, settings, *args):
    """What `colony serve` says when it refuses to start."""
    colony.write(settings)
    return subprocess.run([colony.binary, "serve", "--config", str(colony.config), "--state",
                           str(colony.state), *args], text=True, capture_output=True, timeout=60)


def test_without_a_token_nothing_is_told(colony):
    port = start(colony)
    for path in ("/ping", "/processes", "/nothing", "/processes/web"):
        status, headers, body = get(port, path=path)
        assert status == 401
        assert headers["www-authenticate"] == "Bearer"
        assert b'"unauthorized"' in body and b"web" not in body


def test_a_scope_of_read_reads_and_changes_nothing(colony):
    port = start(colony)
    assert get(port, bearer(READ))[0] == 200
    assert get(port, bearer(READ), path="/processes")[2] == b'["web"]'
    for method, path in [("POST", "/processes/web/_stop"), ("DELETE", "/processes/web"),
                         ("POST", "/_shutdown")]:
        status, _, body = get(port, bearer(READ), method=method, path=path)
        assert status == 403 and json.loads(body) == {
            "error": "forbidden", "reason": "cannot do this: your token may only read"}
    assert colony.wait_state("web", "running")


def test_a_scope_of_control_does_both_and_is_named_in_the_history(colony):
    port = start(colony)
    assert get(port, bearer(CONTROL), path="/processes")[0] == 200
    assert get(port, bearer(CONTROL), method="POST", path="/processes/web/_stop?wait=20")[0] == 200
    events = colony.http("GET", "/history?name=web").json()
    assert any("http token deploy from 127.0.0.1:" in (event["cause"] or "") for event in events)


@pytest.mark.parametrize("lines", [
    (bearer(READ + "r"),), (bearer(READ[:-1]),), (bearer(READ[:-1] + "R"),), (bearer(""),),
    ("Authorization: Basic " + READ,), ("Authorization: " + READ,), ("Authorization: Bearer",),
    (bearer(READ), bearer(READ)), (bearer(READ), bearer("x" * 32)), (bearer("r" * 4000),),
    (bearer(READ + " x"),), ("X-Authorization: Bearer " + READ,),
])
def test_what_is_no_token_is_401(colony, lines):
    port = start(colony)
    assert get(port, *lines)[0] == 401


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_read_as_http_wants_it(colony, scheme):
    port = start(colony)
    assert get(port, f"Authorization: {scheme} {READ}")[0] == 200


def test_each_request_of_a_connection_needs_its_own(colony):
    port = start(colony)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        head = "GET /ping HTTP/1.1\r\nHost: localhost\r\n"
        client.sendall(f"{head}{bearer(READ)}\r\n\r\n{head}\r\n{head}Connection: close\r\n\r\n"
                       .encode())
        data = b""
        while piece := client.recv(65536):
            data += piece
    assert re.findall(rb"HTTP/1.1 (\d+)", data) == [b"200", b"401", b"401"]


def test_a_body_is_not_waited_for_without_a_token(colony):
    port = start(colony)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"POST /processes HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                       b"Content-Length: 1000000\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_this_machine_needs_none(colony):
    port = start(colony, bind=[])
    other = free_port()
    assert colony.http("GET", "/ping").status == 200
    colony.stop()
    settings = {"http": {"tokens": str(write_tokens(colony))}, "processes": PROCESSES}
    colony.start(settings, "--bind", f"127.0.0.1:{other}")
    assert port != other and get(other)[0] == 200
    assert get(other, "Authorization: Basic whatever")[0] == 200


def test_a_preflight_has_no_token_and_gets_its_answer(colony):
    port = start(colony, cors_origins=["https://panel.example"])
    origin = "Origin: https://panel.example"
    status, headers, _ = get(port, origin, method="OPTIONS", path="/processes/web/_stop")
    assert status == 204
    assert "Authorization" in headers["access-control-allow-headers"]
    status, headers, _ = get(port, origin)
    assert (status, headers["access-control-allow-origin"]) == (401, "https://panel.example")
    assert get(port, "Origin: https://evil.example", bearer(READ))[0] == 403


def test_a_token_is_shown_nowhere(colony):
    port = start(colony)
    assert get(port, bearer(CONTROL), method="POST", path="/processes/web/_restart?wait=20")[0] == 200
    assert get(port, bearer("Z" * 40))[0] == 401
    colony.wait_state("web", "running")
    pid = colony.slot("web")["os_pid"]
    ours = [colony.keeper, colony.engine, pid]
    texts = [pathlib.Path(f"/proc/{one}/{what}").read_bytes()
             for one in ours for what in ("cmdline", "environ")]
    texts += [path.read_bytes() for path in colony.state.rglob("*") if path.is_file()]
    texts += [colony.log.read_bytes(), colony.http("GET", "/history").body]
    for secret in (READ, CONTROL, "Z" * 40):
        assert not [text for text in texts if secret.encode() in text]


def test_tokens_alone_do_not_open_it_to_others(colony):
    out = serve(colony, {"http": {"tokens": str(write_tokens(colony))}}, "--bind",
                f"0.0.0.0:{free_port()}")
    assert out.returncode == 77 and "insecure: true" in out.stderr


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602, 0o604])
def test_a_file_that_others_can_read_or_change_is_refused(colony, mode):
    path = write_tokens(colony, mode=mode)
    out = serve(colony, {"http": {"tokens": str(path)}})
    assert out.returncode == 78
    assert f"cannot use {path}: others can read or change it (chmod 600" in out.stderr
    assert not colony.state.exists()


@pytest.mark.parametrize("lines,reason", [
    (["monitor read short"], ":1: cannot use this line: the token is shorter than 32 bytes"),
    (["", f"monitor write {READ}"], ":2: cannot use this line: a line is NAME"),
    (["# none"], ": there is no token in it"),
])
def test_a_file_with_a_mistake_is_refused_with_its_place(colony, lines, reason):
    path = write_tokens(colony, *lines)
    out = serve(colony, {"http": {"tokens": str(path)}})
    assert out.returncode == 78
    assert f"{path}{reason}" in out.stderr and READ not in out.stderr


def test_a_missing_file_is_told(colony):
    out = serve(colony, {"http": {"tokens": str(colony.folder / "none")}})
    assert out.returncode == 78
    assert f"cannot open {colony.folder}/none: No such file or directory" in out.stderr


def test_processes_are_not_left_alone_for_a_bad_file(colony):
    """With processes of an earlier colony, it goes on with the settings it had."""
    port = free_port()
    settings = {"http": {"tokens": str(write_tokens(colony)), "insecure": True},
                "processes": PROCESSES}
    colony.start(settings, "--bind", f"0.0.0.0:{port}")
    pid = colony.wait_state("web", "running")["os_pid"]
    colony.kill_both()
    path = write_tokens(colony, mode=0o644)
    colony.start(settings, "--bind", f"0.0.0.0:{port}", wait=False)
    eventually(lambda: "it is tried again each second" in colony.log.read_text())
    assert alive(pid) and alive(colony.keeper)
    path.chmod(0o600)
    eventually(colony.answers)
    assert colony.slot("web")["os_pid"] == pid
    assert get(port)[0] == 401


def test_strangers_leave_connections_to_this_machine(colony):
    port = start(colony, max_connections=8)
    held = []
    try:
        for _ in range(12):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=20))
        for _ in range(3):
            assert colony.http("GET", "/ping").status == 200
    finally:
        for one in held:
            one.close()
    eventually(lambda: get(port, bearer(READ))[0] == 200)
