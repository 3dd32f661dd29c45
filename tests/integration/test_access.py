# SPDX-License-Identifier: Apache-2.0
"""Who may control colony: peers by their sockets, browsers by Host and Origin."""
import collections
import contextlib
import json
import os
import pathlib
import pwd
import socket
import subprocess
import sys

import pytest

from conftest import BINARY, eventually, needs_root

PROCESSES = {"web": {"cmd": "sleep", "args": ["1000"]}}


HELD = collections.deque(maxlen=100)


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    """Nothing listens there, and nobody else is given it: only who names it may have it, too."""
    probe = socket.socket(family)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind((host, 0))
    HELD.append(probe)
    return probe.getsockname()[1]


def start(colony, bind="127.0.0.1", **http):
    """Starts colony with a TCP endpoint of its own and returns the port."""
    port = free_port()
    colony.start({"http": http, "processes": PROCESSES} if http else {"processes": PROCESSES},
                 "--bind", f"{bind}:{port}")
    return port


def ask(address, *lines, family=socket.AF_INET):
    """(status, headers, body) of one request of @lines; None when it was closed unanswered."""
    data = b""
    with socket.socket(family) as client:
        client.settimeout(20)
        client.connect(address)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            while piece := client.recv(65536):
                data += piece
    if not data:
        return None
    head, body = data.split(b"\r\n\r\n", 1)
    first, *fields = head.decode().split("\r\n")
    return (int(first.split()[1]),
            {k.lower(): v for k, v in (field.split(": ", 1) for field in fields)}, body)


def ask_as(user, code):
    """Runs Python @code as @user and returns what it prints."""
    entry = pwd.getpwnam(user)

    def drop():
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)

    return subprocess.run([sys.executable, "-c", code], preexec_fn=drop, cwd="/", text=True,
                          capture_output=True, timeout=60, check=True).stdout.strip()


def ctl_as(user, *args):
    entry = pwd.getpwnam(user)
    with open_paths(pathlib.Path(BINARY)):
        return subprocess.run([BINARY, "ctl", *args], user=entry.pw_uid, group=entry.pw_gid,
                              extra_groups=[], env={"PATH": os.environ["PATH"]}, cwd="/",
                              text=True, capture_output=True, timeout=60, check=False)


@contextlib.contextmanager
def open_paths(path):
    """The folders above @path let all users pass."""
    modes = [(folder, folder.stat().st_mode & 0o7777) for folder in path.parents]
    try:
        for folder, mode in modes:
            if mode & 0o001 == 0:
                folder.chmod(mode | 0o001)
        yield
    finally:
        for folder, mode in modes:
            if mode & 0o001 == 0:
                folder.chmod(mode)


TCP_PING = """
import socket
client = socket.create_connection(("127.0.0.1", {port}), timeout=20)
try:
    client.sendall(b"GET /ping HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    data = client.recv(1000)
except ConnectionError:
    data = b""
print(data.split(b" ")[1].decode() if data else "closed")
"""

TCP_STOP_AND_CLOSE = """
import socket
for _ in range(300):
    with socket.create_connection(("127.0.0.1", {port}), timeout=20) as client:
        client.sendall(b"POST /processes/web/_stop HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
print("done")
"""

UNIX_PING = """
import socket
client = socket.socket(socket.AF_UNIX)
client.settimeout(20)
try:
    client.connect({path!r})
except PermissionError:
    print("no way in")
else:
    client.sendall(b"GET /ping HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    print(client.recv(1000).split(b" ")[1].decode())
"""


def pids(colony):
    return colony.http("GET", "/processes/web/_pids").json()["pids"]


def test_the_owner_may_use_tcp_on_loopback(colony):
    port = start(colony)
    status, _, body = ask(("127.0.0.1", port), "GET /ping HTTP/1.1", "Host: localhost")
    assert (status, body) == (200, b"OK")


def test_a_mapped_address_is_the_same_peer(colony):
    port = start(colony)
    if not socket.has_ipv6:
        pytest.skip("there is no IPv6 here")
    answer = ask(("::ffff:127.0.0.1", port), "GET /ping HTTP/1.1", "Host: localhost",
                 family=socket.AF_INET6)
    assert answer[0] == 200


def test_ipv6_loopback_is_served(colony):
    try:
        port = free_port(socket.AF_INET6, "::1")
    except OSError:
        pytest.skip("there is no IPv6 here")
    colony.start({"processes": PROCESSES}, "--bind", f"[::1]:{port}")
    answer = ask(("::1", port), "GET /ping HTTP/1.1", f"Host: [::1]:{port}",
                 family=socket.AF_INET6)
    assert answer[0] == 200


@needs_root
def test_another_user_is_refused_on_tcp(colony):
    port = start(colony)
    assert ask_as("nobody", TCP_PING.format(port=port)) == "403"
    answer = ctl_as("nobody", "--endpoint", f"http://127.0.0.1:{port}", "ps")
    assert answer.returncode == 77 and "cannot control this colony" in answer.stderr


@needs_root
def test_an_allowed_user_may_use_tcp(colony):
    port = start(colony, allow=["nobody"])
    assert ask_as("nobody", TCP_PING.format(port=port)) == "200"


@needs_root
def test_a_socket_closed_after_sending_is_not_root(colony):
    port = start(colony)
    before = eventually(lambda: pids(colony))
    assert ask_as("nobody", TCP_STOP_AND_CLOSE.format(port=port)) == "done"
    for _ in range(50):  # answered in turn: what was sent before would have been done
        assert colony.http("GET", "/ping").status == 200
    assert pids(colony) == before


@needs_root
def test_another_user_is_refused_on_the_unix_socket(colony):
    start(colony)
    with open_paths(colony.socket):
        assert ask_as("nobody", UNIX_PING.format(path=str(colony.socket))) == "no way in"
        colony.socket.chmod(0o666)
        assert ask_as("nobody", UNIX_PING.format(path=str(colony.socket))) == "403"


@needs_root
def test_only_allowed_users_may_use_the_unix_socket(colony):
    start(colony, allow=["nobody"])
    with open_paths(colony.socket):
        assert ask_as("nobody", UNIX_PING.format(path=str(colony.socket))) == "200"
        assert ask_as("daemon", UNIX_PING.format(path=str(colony.socket))) == "403"


@needs_root
def test_a_system_colony_that_is_not_for_us_is_told(colony):
    system = pathlib.Path("/run/colony/colony.sock")
    if system.exists():
        pytest.skip("a colony of the system's runs here")
    colony.start({"processes": PROCESSES}, "--bind", f"unix:{system}")
    answer = ctl_as("nobody", "ps")
    colony.stop()
    system.unlink(missing_ok=True)
    assert answer.returncode == 77 and str(system) in answer.stderr
    assert "Permission denied" in answer.stderr


def test_the_socket_is_for_owner_and_group(colony):
    start(colony)
    assert colony.socket.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("host,status", [
    ("localhost", 200), ("LOCALHOST:1234", 200), ("127.0.0.1", 200), ("127.0.0.1:5000", 200),
    ("[::1]:5000", 200), (socket.gethostname(), 200), ("panel.example", 200),
    ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example:5000", 403),
    ("evil.example:80", 403), ("localhost@evil.example", 403), ("", 400), ("localhost:99999", 400),
    ("10.0.0.1", 403),
])
def test_the_host_must_be_known(colony, host, status):
    port = start(colony, hosts=["panel.example"])
    answer = ask(("127.0.0.1", port), "GET /ping HTTP/1.1", f"Host: {host}")
    assert answer[0] == status
    if status == 403:
        assert json.loads(answer[2])["error"] == "forbidden"


def test_http_1_1_without_a_host_is_400(colony):
    port = start(colony)
    assert ask(("127.0.0.1", port), "GET /ping HTTP/1.1")[0] == 400
    assert ask(("127.0.0.1", port), "GET /ping HTTP/1.1", "Host: localhost",
               "Host: evil.example")[0] == 400
    assert ask(("127.0.0.1", port), "GET /ping HTTP/1.0")[0] == 200


def test_the_host_of_an_absolute_target_counts(colony):
    port = start(colony)
    assert ask(("127.0.0.1", port), "GET http://localhost/ping HTTP/1.1",
               "Host: localhost")[0] == 200
    assert ask(("127.0.0.1", port), "GET http://evil.example/ping HTTP/1.1",
               "Host: localhost")[0] == 403


@pytest.mark.parametrize("origin,status", [
    ("http://localhost:{port}", 200), ("HTTP://LOCALHOST:{port}", 200),
    ("http://localhost", 403), ("http://127.0.0.1:{port}", 403), ("https://localhost:{port}", 403),
    ("http://evil.example", 403), ("null", 403), ("", 403), ("http://panel.example", 200),
    ("http://panel.example:81", 403), ("http://localhost:{port}.evil.example", 403),
])
def test_a_foreign_origin_is_refused(colony, origin, status):
    port = start(colony, cors_origins=["http://panel.example", "null"])
    origin = origin.format(port=port)
    answer = ask(("127.0.0.1", port), "POST /processes/web/_start HTTP/1.1",
                 f"Host: localhost:{port}", f"Origin: {origin}")
    assert answer[0] == status
    if origin == "http://panel.example":
        assert answer[1]["access-control-allow-origin"] == origin
        assert answer[1]["access-control-allow-credentials"] == "true"
        assert answer[1]["vary"] == "Origin"
    else:
        assert "access-control-allow-origin" not in answer[1]


def test_a_foreign_origin_is_refused_on_the_unix_socket_too(colony):
    start(colony)
    assert colony.http("GET", "/ping", headers={"Origin": "http://evil.example"}).status == 403
    assert colony.http("GET", "/ping", headers={"Origin": "null"}).status == 403


def test_a_preflight_is_granted_to_listed_origins_only(colony):
    port = start(colony, cors_origins=["https://panel.example"])
    lines = ["OPTIONS /processes/web/_stop HTTP/1.1", "Host: localhost",
             "Access-Control-Request-Method: POST"]
    status, headers, _ = ask(("127.0.0.1", port), *lines, "Origin: https://panel.example")
    assert status == 204
    assert headers["access-control-allow-origin"] == "https://panel.example"
    assert headers["access-control-allow-methods"] == headers["allow"] == "POST, OPTIONS"
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["access-control-max-age"] == "86400"
    assert set(headers["access-control-allow-headers"].split(", ")) == {
        "X-Requested-With", "X-HTTP-Method-Override", "Content-Type", "Accept", "Authorization"}
    status, headers, _ = ask(("127.0.0.1", port), *lines, "Origin: https://evil.example")
    assert status == 403
    assert "access-control-allow-methods" not in headers


def test_no_origin_is_listed_unless_the_settings_list_it(colony):
    port = start(colony)
    for method in ("GET", "OPTIONS"):
        status, headers, _ = ask(("127.0.0.1", port), f"{method} /ping HTTP/1.1",
                                 "Host: localhost", "Origin: https://panel.example")
        assert status == 403
        assert not [name for name in headers if name.startswith("access-control")]
    for origin in ([], [f"Origin: http://localhost:{port}"]):
        status, headers, _ = ask(("127.0.0.1", port), "OPTIONS /ping HTTP/1.1",
                                 f"Host: localhost:{port}", *origin)
        assert status == 204
        assert headers["access-control-allow-methods"] == headers["allow"]
        assert {name for name in headers if name.startswith("access-control")} == {
            "access-control-allow-methods", "access-control-allow-headers", "access-control-max-age"}


def test_a_failure_may_be_read_by_a_listed_page(colony):
    port = start(colony, cors_origins=["https://panel.example"])
    for path in ("/processes/none", "/nothing", "/processes/web/_stop"):
        status, headers, _ = ask(("127.0.0.1", port), f"GET {path} HTTP/1.1", "Host: localhost",
                                 "Origin: https://panel.example")
        assert status in (404, 405)
        assert headers["access-control-allow-origin"] == "https://panel.example"


@pytest.mark.parametrize("path", ["/processes/web/_stop", "/processes/web/_restart", "/_shutdown"])
def test_get_changes_nothing(colony, path):
    start(colony)
    before = eventually(lambda: pids(colony))
    assert colony.http("GET", path).status == 405
    assert colony.http("HEAD", path).status == 405
    assert pids(colony) == before


def test_an_endpoint_beyond_this_machine_is_refused(colony):
    run = subprocess.run([colony.binary, "serve", "--state", str(colony.state), "--bind",
                          f"0.0.0.0:{free_port()}"], text=True, capture_output=True, timeout=60)
    assert run.returncode != 0
    assert "insecure: true" in run.stderr and "token" in run.stderr


def test_insecure_opens_it_to_all(colony):
    port = start(colony, bind="0.0.0.0", insecure=True)
    answer = ask(("127.0.0.1", port), "GET /ping HTTP/1.1", "Host: localhost")
    assert answer[0] == 200
    if os.geteuid() == 0:
        assert ask_as("nobody", TCP_PING.format(port=port)) == "200"


def test_a_port_in_use_is_told(colony):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = subprocess.run([colony.binary, "serve", "--state", str(colony.state),
                              "--bind", f"127.0.0.1:{port}"], text=True, capture_output=True,
                             timeout=60)
    assert run.returncode != 0
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in run.stderr
    assert not colony.socket.exists()
