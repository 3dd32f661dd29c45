# SPDX-License-Identifier: Apache-2.0
"""colony event send, and who may send to an endpoint beyond this machine."""
import os
import socket
import subprocess
import threading

import pytest

from conftest import BINARY, eventually
from daemons import ask, counts, datagram, send, start
from test_tokens import CONTROL, READ, bearer, write_tokens

EXEC = {"handlers": [{"exec": "true"}]}


def event_send(*args, **run):
    return subprocess.run([BINARY, "event", "send", *args], capture_output=True, text=True,
                          timeout=60, check=False, **run)


def fail(*args, **run):
    """Its exit code, and the one line on stderr."""
    result = event_send(*args, **run)
    assert result.stdout == "" and result.stderr.count("\n") == 1, result
    assert result.stderr.startswith("colony event: cannot ") or "did not take it" in result.stderr
    return result.returncode, result.stderr


def own_address():
    """One of this machine that is not loopback, or None. No packet is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        try:
            peer.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return peer.getsockname()[0]


OWN = own_address()
needs_address = pytest.mark.skipif(not OWN or OWN.startswith("127."),
                                   reason="needs an address that is not loopback")


# The command.

@pytest.mark.parametrize("way", [(), ("--http",)])
def test_an_event_goes_by_http(colony, way):
    port = start(colony)
    result = event_send("--to", f"[::1]:{port}", *way, '{"type": "deploy"}')
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert counts(port)["http"] == 1


@pytest.mark.parametrize("host", ["[::1]", "127.0.0.1", "localhost"])
def test_an_event_goes_by_udp(colony, host):
    port = start(colony)
    assert event_send("--udp", "--to", f"{host}:{port}", "42").returncode == 0
    eventually(lambda: counts(port)["udp"] == 1)


def test_a_name_of_both_families_reaches_who_listens_on_one(colony):
    port = start(colony, host="127.0.0.1")
    assert event_send("--udp", "--to", f"localhost:{port}", "42").returncode == 0
    assert event_send("--to", f"localhost:{port}", "42").returncode == 0
    eventually(lambda: ask(port, "GET", "/status", host="127.0.0.1").json()["message"]["events"]
               ["received"] == 2)


def test_a_dash_is_standard_input(colony):
    port = start(colony)
    text = '{"filler": "%s"}' % ("x" * 500000)
    assert event_send("--to", f"[::1]:{port}", "-", input=text).returncode == 0
    assert counts(port)["http"] == 1


@pytest.mark.parametrize("way", ["--http", "--udp"])
@pytest.mark.parametrize("text", ["", "{", "nope", "1 2"])
def test_what_is_no_json_is_told_before_it_is_sent(colony, text, way):
    port = start(colony)
    assert fail("--to", f"[::1]:{port}", way, text)[0] == 2
    assert fail("--to", f"[::1]:{port}", way, "-", input=text)[0] == 2
    assert counts(port)["rejected"] == 0


def test_a_refusal_is_told_with_its_reason(colony):
    port = start(colony, {"events": {"max_event_bytes": 16}})
    code, line = fail("--to", f"[::1]:{port}", '"%s"' % ("x" * 100))
    assert code == 1 and "(status 413)" in line


@pytest.mark.parametrize("way", ["--http", "--udp"])
def test_nobody_there_is_told(way):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        code, _ = fail(way, "--to", f"127.0.0.1:{taken.getsockname()[1]}", "1")
    assert code == 69


def test_who_hangs_up_is_told_of():
    with socket.create_server(("127.0.0.1", 0)) as server:
        def hang_up():
            peer, _ = server.accept()
            peer.recv(65536)
            peer.close()
        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        code, line = fail("--to", f"127.0.0.1:{server.getsockname()[1]}", "1")
        thread.join(10)
    assert code == 69 and "hung up: is it colony's endpoint of events?" in line


def test_a_host_that_cannot_be_found_is_told_as_such():
    code, line = fail("--udp", "--to", "no..host:5151", "1")
    assert code == 69 and "No route to host" not in line and "no..host:5151: Name or service not known" in line


@pytest.mark.parametrize("args", [("--to", "localhost", "1"), ("--to", "unix:/x", "1"),
                                  ("--to", "https://localhost:1", "1"), ("--to", "", "1"),
                                  ("--http", "--udp", "1"), ("--udp", "--token-file", "x", "1")])
def test_what_cannot_be_meant_is_told(args):
    assert fail(*args)[0] == 2


def test_more_than_a_datagram_takes_is_not_cut():
    assert fail("--udp", "-", input='"%s"' % ("x" * 65506))[0] == 1


# Who may.

def refuse(colony, settings, *args):
    colony.write(settings)
    commands = [[BINARY, "serve", "--config", colony.config, "--state", colony.state, *args]]
    if not args:
        commands.append([BINARY, "check", colony.config])
    for command in commands:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 78 and result.stderr.count("\n") == 1, result
    return result.stderr


@pytest.mark.parametrize("handler", [{"exec": "true"}, {"stdin": "web"}])
@pytest.mark.parametrize("host", ["::", "0.0.0.0"])
def test_events_that_run_something_are_not_for_everybody(colony, handler, host):
    settings = {"master": {"host": host, "port": 0}, "events": {"handlers": ["log", handler]},
                "processes": {"web": {"cmd": "sleep 1000", "redirect_input": True}}}
    assert "cannot take events on" in refuse(colony, settings)
    del settings["master"]
    assert "cannot take events on" in refuse(colony, settings, "--events", "5151")


@pytest.mark.parametrize("more, host", [({"insecure": True}, "::"), ({}, "::1"), ({}, "127.0.0.1"),
                                        ({}, "localhost")])
def test_on_this_machine_or_said_to_be_fine_they_are(colony, more, host):
    port = start(colony, {"events": {**EXEC, **more}}, host=host)
    assert send(port, "1", host="::1" if ":" in host else "127.0.0.1").status == 200


@needs_address
def test_from_beyond_it_takes_a_token(colony):
    tokens = write_tokens(colony)
    port = start(colony, {"events": {**EXEC, "tokens": str(tokens)}})

    def say(method, path, *lines, host=OWN):
        headers = dict(line.split(": ", 1) for line in lines)
        return ask(port, method, path, "1" if method == "POST" else None, headers, host)
    assert say("GET", "/ping").status == 200
    for method, path in (("POST", "/events"), ("GET", "/status")):
        answer = say(method, path)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.json()["result"] is False
        assert say(method, path, bearer("x" * 32)).status == 401
        assert say(method, path, bearer(CONTROL)).status == 200
        assert say(method, path, host="::1").status == 200
    assert say("POST", "/events", bearer(READ)).status == 403
    assert say("GET", "/status", bearer(READ)).status == 200
    datagram(port, b"1", host=OWN)  # which has no place for one
    eventually(lambda: "it shows no token" in colony.log.read_text())
    assert counts(port)["udp"] == 0
    assert counts(port)["rejected"] == 4


@needs_address
def test_the_command_shows_a_token(colony):
    tokens = write_tokens(colony)
    port = start(colony, {"events": {**EXEC, "tokens": str(tokens)}})
    mine = colony.folder / "mine"
    mine.write_text(CONTROL + "\n")
    mine.chmod(0o600)
    assert fail("--to", f"{OWN}:{port}", "1")[0] == 77
    assert event_send("--to", f"{OWN}:{port}", "--token-file", mine, "1").returncode == 0
    assert event_send("--to", f"{OWN}:{port}", "1",
                      env={**os.environ, "COLONY_TOKEN": CONTROL}).returncode == 0


@needs_address
def test_tokens_are_read_again(colony):
    tokens = write_tokens(colony)
    port = start(colony, {"events": {**EXEC, "tokens": str(tokens)}})
    write_tokens(colony, f"new control {'n' * 40}")
    colony.ctl("reload")
    for token, expected in ((CONTROL, 401), ("n" * 40, 200)):
        answer = send(port, "1", host=OWN, headers={"Authorization": f"Bearer {token}"})
        assert answer.status == expected


def test_a_file_of_tokens_that_others_can_read_is_refused(colony):
    tokens = write_tokens(colony, mode=0o644)
    settings = {"master": {"port": 0}, "events": {**EXEC, "tokens": str(tokens)}}
    assert "tokens" in refuse(colony, settings)
