# SPDX-License-Identifier: Apache-2.0
"""The control endpoint over raw sockets: what is answered, in which order, within which limits."""
import contextlib
import json
import resource
import socket
import threading
import time

import pytest

from conftest import eventually

PROCESSES = {
    "web": {"cmd": "sleep", "args": ["1000"], "numprocesses": 2},
    "silent": {"cmd": "sleep", "args": ["1000"], "log": "none"},
    "talk": {"cmd": "sh", "args": ["-c", "echo one; echo two; echo three; exec sleep 1000"]},
}


def start(colony, **http):
    colony.start({"http": http, "processes": PROCESSES} if http else {"processes": PROCESSES})


class Client:
    """One connection that sends bytes as they are and reads answers one by one."""

    def __init__(self, colony):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(colony.socket))
        self.bytes = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def _more(self):
        piece = self.socket.recv(65536)
        self.bytes += piece
        return bool(piece)

    def _until(self, end):
        while end not in self.bytes:
            assert self._more(), f"the connection ended: {self.bytes!r}"
        line, self.bytes = self.bytes.split(end, 1)
        return line

    def _take(self, size):
        while len(self.bytes) < size:
            assert self._more(), "the connection ended within a body"
        data, self.bytes = self.bytes[:size], self.bytes[size:]
        return data

    def answer(self, method="GET"):
        """(status, headers, body) of the next answer; chunks are joined."""
        first, *lines = self._until(b"\r\n\r\n").decode().split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        status = int(first.split()[1])
        body = b""
        if method == "HEAD" or status in (100, 204):
            return status, headers, body
        if headers.get("transfer-encoding") == "chunked":
            while size := int(self._until(b"\r\n"), 16):
                body += self._take(size + 2)[:-2]
            self._take(2)
        elif "content-length" in headers:
            body = self._take(int(headers["content-length"]))
        else:
            while self._more():
                pass
            body, self.bytes = self.bytes, b""
        return status, headers, body

    def ends(self):
        """True when the server says nothing more and hangs up."""
        with contextlib.suppress(ConnectionResetError):
            return self.socket.recv(1) == b"" and not self.bytes
        return not self.bytes


def request(method, path, *headers, body=b"", host="x"):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def error_of(answer):
    return answer[0], json.loads(answer[2])["error"]


def test_the_root_welcomes_and_tells_the_version(colony):
    start(colony)
    answer = colony.http("GET", "/")
    assert answer.status == 200
    assert answer.json()["welcome"] == "Welcome to colony"
    assert answer.json()["version"]
    assert answer.headers["Content-Type"] == "application/json"


def test_ping_answers_ok_as_text(colony):
    start(colony)
    answer = colony.http("GET", "/ping")
    assert (answer.status, answer.text) == (200, "OK")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_many_requests_use_one_connection(colony):
    start(colony)
    with Client(colony) as client:
        for _ in range(50):
            assert client.send(request("GET", "/ping")).answer()[2] == b"OK"


def test_pipelined_requests_are_answered_in_order(colony):
    start(colony)
    paths = ["/ping", "/processes", "/nope", "/tree", "/status/web"] * 40
    with Client(colony) as client:
        client.send(b"".join(request("GET", path) for path in paths))
        answers = [client.answer() for _ in paths]
    for path, (status, _, body) in zip(paths, answers):
        assert status == (404 if path == "/nope" else 200)
        if path == "/ping":
            assert body == b"OK"
        if path == "/status/web":
            assert json.loads(body)["numprocesses"] == 2


def test_a_pipelined_request_waits_for_the_one_before(colony):
    start(colony)
    with Client(colony) as client:
        client.send(request("POST", "/processes/web/_stop?wait=20") + request("GET", "/status/web"))
        assert json.loads(client.answer()[2])["ok"] is True
        assert json.loads(client.answer()[2])["active"] is False


def test_a_flood_of_pipelined_requests_holds_up_nobody(colony):
    start(colony)
    with Client(colony) as flooding:
        count = 20000
        sender = threading.Thread(
            target=lambda: flooding.send(request("GET", "/processes") * count))
        sender.start()
        for _ in range(20):  # while its answers are not read, and so never all sent
            assert colony.http("GET", "/ping").status == 200
        for _ in range(count):
            assert flooding.answer()[0] == 200
        sender.join()


def test_bytes_may_come_one_by_one(colony):
    start(colony)
    with Client(colony) as client:
        for byte in request("GET", "/ping?a=b", "X-Long: " + "y" * 50):
            client.send(bytes([byte]))
        assert client.answer()[2] == b"OK"


def test_http_1_0_closes_unless_asked_to_keep_alive(colony):
    start(colony)
    with Client(colony) as client:
        client.send(b"GET /ping HTTP/1.0\r\n\r\n")
        assert client.answer()[2] == b"OK"
        assert client.ends()
    with Client(colony) as client:
        client.send(b"GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        _, headers, _ = client.answer()
        assert headers["connection"] == "keep-alive"
        assert client.send(b"GET /ping HTTP/1.0\r\n\r\n").answer()[2] == b"OK"


def test_http_1_0_gets_a_stream_without_chunks(colony):
    start(colony)
    eventually(lambda: "three" in colony.http("GET", "/logs/talk").text)
    with Client(colony) as client:
        client.send(b"GET /logs/talk HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        _, headers, body = client.answer()
    assert "transfer-encoding" not in headers
    assert body == b"one\ntwo\nthree\n"


def test_connection_close_is_obeyed(colony):
    start(colony)
    with Client(colony) as client:
        client.send(request("GET", "/ping", "Connection: close"))
        assert client.answer()[1]["connection"] == "close"
        assert client.ends()


def test_head_has_the_headers_of_get_and_no_body(colony):
    start(colony)
    with Client(colony) as client:
        _, head, _ = client.send(request("HEAD", "/processes/web")).answer("HEAD")
        _, get, body = client.send(request("GET", "/processes/web")).answer()
        assert head == get
        assert int(head["content-length"]) == len(body)
        assert client.send(request("HEAD", "/processes/nope")).answer("HEAD")[0] == 404
        assert client.send(request("HEAD", "/logs/talk")).answer("HEAD")[0] == 200
        assert client.send(request("GET", "/ping")).answer()[2] == b"OK"


def test_options_tells_the_methods(colony):
    start(colony)
    with Client(colony) as client:
        status, headers, _ = client.send(request("OPTIONS", "/processes/web/_stop")).answer()
        assert (status, headers["allow"]) == (204, "POST, OPTIONS")
        status, headers, _ = client.send(request("OPTIONS", "/processes")).answer()
        assert (status, headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")
        assert client.send(request("OPTIONS", "*")).answer()[0] == 204
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path,word", [
    ("/nope", "not_found"),
    ("/processes/nope", "not_found"),
    ("/processes/99999", "not_found"),
    ("/processes/99999999999999999999999", "not_found"),
    ("/status/nope", "not_found"),
    ("/logs/nope", "not_found"),
    ("/slots?name=nope", "not_found"),
    ("/processes/web/_nope", "resource_not_found"),
    ("/a/b/c/d/e/f/g/h/i/j/k", "not_found"),
    ("//", "not_found"),
])
def test_what_does_not_exist_is_404(colony, path, word):
    start(colony)
    with Client(colony) as client:
        assert error_of(client.send(request("GET", path)).answer()) == (404, word)


@pytest.mark.parametrize("method,path,allowed", [
    ("GET", "/processes/web/_stop", "POST, OPTIONS"),
    ("GET", "/_shutdown", "POST, OPTIONS"),
    ("DELETE", "/ping", "GET, HEAD, OPTIONS"),
    ("PATCH", "/ping", "GET, HEAD, OPTIONS"),
])
def test_a_wrong_method_is_405_with_allow(colony, method, path, allowed):
    start(colony)
    with Client(colony) as client:
        answer = client.send(request(method, path)).answer()
        assert error_of(answer) == (405, "method_not_allowed")
        assert answer[1]["allow"] == allowed


@pytest.mark.parametrize("path", [
    "/processes/%00", "/processes/web%00", "/processes/%ff", "/processes/%c0%af",
    "/processes/%ed%a0%80", "/processes/%zz", "/processes/%", "/processes/%4", "/processes/%0a",
    "/slots?name=%ff", "/ping?a=%00", "/ping?" + "&".join(f"a{i}=1" for i in range(40)),
])
def test_a_path_that_is_not_text_is_400(colony, path):
    start(colony)
    with Client(colony) as client:
        assert error_of(client.send(request("GET", path)).answer()) == (400, "bad_value")
        assert client.send(request("GET", "/ping")).answer()[2] == b"OK"


def test_escaped_slashes_stay_within_a_name(colony):
    start(colony)
    with Client(colony) as client:
        assert client.send(request("GET", "/processes/%77eb")).answer()[0] == 200
        assert client.send(request("GET", "/processes%2fweb")).answer()[0] == 404
        assert client.send(request("GET", "/processes/..%2fweb")).answer()[0] == 404


@pytest.mark.parametrize("data", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"hello\r\n\r\n", b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nBad\x00Name: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
])
def test_what_is_not_http_is_refused_and_closed_or_400(colony, data):
    start(colony)
    with Client(colony) as client:
        status, headers, _ = client.send(data).answer()
        assert status in (400, 505)
        if headers.get("connection") == "close":
            assert client.ends()
    assert colony.http("GET", "/ping").status == 200


def test_an_action_takes_a_post_without_content_length(colony):
    start(colony)
    with Client(colony) as client:
        answer = client.send(request("POST", "/processes/web/_start")).answer()
        assert (answer[0], json.loads(answer[2])) == (200, {"ok": True})


def test_chunked_bodies_and_trailers_are_taken(colony):
    start(colony)
    body = b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"
    with Client(colony) as client:
        client.send(request("POST", "/processes/web/_start", "Transfer-Encoding: chunked",
                            body=body))
        assert client.answer()[0] == 200
        assert client.send(request("GET", "/ping")).answer()[2] == b"OK"


def test_expect_100_continue_is_answered_first(colony):
    start(colony)
    with Client(colony) as client:
        client.send(request("POST", "/processes/web/_start", "Content-Length: 4",
                            "Expect: 100-continue"))
        assert client.answer()[0] == 100
        assert client.send(b"body").answer()[0] == 200
        client.send(request("POST", "/processes/web/_start", "Content-Length: 99999999",
                            "Expect: 100-continue"))
        assert client.answer()[0] == 413


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_over_the_limit_is_413_and_the_answer_arrives(colony, is_chunked):
    start(colony)
    size = 2 << 20
    head = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {size}"
    body = (b"%x\r\n" % size if is_chunked else b"") + b"x" * size
    with Client(colony) as client:
        client.send(request("POST", "/processes/web/_start", head, body=body))
        assert error_of(client.answer()) == (413, "too_large")
        assert client.ends()


def test_a_body_at_the_limit_is_taken(colony):
    start(colony, max_body_bytes=4096)
    with Client(colony) as client:
        client.send(request("POST", "/processes/web/_start", "Content-Length: 4096",
                            body=b"x" * 4096))
        assert client.answer()[0] == 200
        client.send(request("POST", "/processes/web/_start", "Content-Length: 4097",
                            body=b"x" * 4097))
        assert client.answer()[0] == 413


@pytest.mark.parametrize("data", [
    request("GET", "/ping", "X: " + "y" * 20000),
    request("GET", "/ping", *(f"X-{i}: y" for i in range(500))),
    request("GET", "/" + "y" * 20000),
    b"GET /ping HTTP/1.1\r\nX:" + b" " * 20000,
])
def test_a_head_over_the_limit_is_431(colony, data):
    start(colony)
    with Client(colony) as client:
        assert error_of(client.send(data).answer()) == (431, "too_large")
        assert client.ends()


def test_an_endless_head_ends_in_431(colony):
    start(colony)
    with Client(colony) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send(b"GET /ping HTTP/1.1\r\n")
            for i in range(200000):
                client.send(b"X-%d: y\r\n" % i)
        assert client.answer()[0] == 431


def test_half_a_request_times_out_with_408(colony):
    start(colony, request_timeout="500ms")
    began = time.monotonic()
    with Client(colony) as client:
        assert error_of(client.send(b"GET /ping HT").answer()) == (408, "timeout")
        assert 0.4 < time.monotonic() - began < 5
        assert client.ends()


def test_drops_of_a_request_do_not_put_off_its_timeout(colony):
    start(colony, request_timeout="1s")
    began = time.monotonic()
    with Client(colony) as client:
        client.send(b"POST /processes/web/_stop HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n")
        client.socket.settimeout(0.1)
        while time.monotonic() - began < 10:
            with contextlib.suppress(socket.timeout):
                client.send(b"x")
                if client.answer()[0] == 408:
                    break
        assert 0.8 < time.monotonic() - began < 5


def test_a_connection_that_says_nothing_is_closed_in_silence(colony):
    start(colony, request_timeout="500ms")
    with Client(colony) as client:
        assert client.ends()


def test_the_timeout_begins_anew_with_each_request(colony):
    start(colony, request_timeout="3s")
    with Client(colony) as client:
        for _ in range(4):
            assert client.send(request("GET", "/ping")).answer()[2] == b"OK"
            client.send(b"GET /ping HTTP/1.1\r\n")
            threading.Event().wait(0.8)
            assert client.send(b"Host: x\r\n\r\n").answer()[2] == b"OK"


def test_who_closes_its_own_side_after_asking_still_gets_the_answer(colony):
    start(colony)
    with Client(colony) as client:
        client.send(request("GET", "/tree"))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer()[0] == 200


def test_a_client_that_does_not_read_holds_up_nobody(colony):
    start(colony)
    with Client(colony) as stuck:
        stuck.socket.settimeout(1)
        with contextlib.suppress(socket.timeout):
            for _ in range(10000):
                stuck.send(request("GET", "/slots") * 10)
        for _ in range(20):
            assert colony.http("GET", "/ping").status == 200
        stuck.socket.settimeout(20)
        for _ in range(100):
            assert stuck.answer()[0] == 200


def test_clients_over_the_limit_are_told_so(colony):
    start(colony, max_connections=8)
    with contextlib.ExitStack() as stack:
        clients = []

        def add():  # the connection of whoever asked before us may still be there for a moment
            client = stack.enter_context(Client(colony))
            with contextlib.suppress(BrokenPipeError):
                client.send(request("GET", "/ping"))
            if client.answer()[0] == 200:
                clients.append(client)
            return len(clients) == 8
        eventually(add)
        with Client(colony) as extra:
            assert error_of(extra.answer()) == (503, "unavailable")
            assert extra.ends()
        for client in clients:
            assert client.send(request("GET", "/ping")).answer()[0] == 200
    eventually(lambda: colony.http("GET", "/ping").status == 200)


def test_1100_connections_leave_1024_served_and_the_rest_refused(colony):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip("needs 2,000 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    start(colony)
    served = 0
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(colony)) for _ in range(1100)]
        for client in clients:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, AssertionError):
                client.send(request("GET", "/ping"))
                served += client.answer()[0] == 200
    assert 1000 < served <= 1024  # those of who asked before us may still be counted
    eventually(lambda: colony.http("GET", "/ping").status == 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_names_and_ids_are_listed(colony):
    start(colony)
    assert colony.http("GET", "/processes").json() == ["web", "silent", "talk"]
    ids = eventually(lambda: len(colony.http("GET", "/processes?running=true").json()) == 4
                   and colony.http("GET", "/processes?running=1").json())
    pids = colony.http("GET", "/processes/web/_pids").json()
    assert pids["ok"] is True and len(pids["pids"]) == 2
    assert set(pids["pids"]) < set(ids)
    assert colony.http("GET", f"/processes/{pids['pids'][0]}").json()["name"] == "web"
    for word in ("True", "TRUE"):  # as Python's requests sends it
        assert colony.http("GET", f"/processes?running={word}").json() == ids
    assert "web" in colony.http("GET", "/processes?running=False").json()
    assert colony.http("GET", "/processes?running=maybe").status == 400


def test_stop_and_start_are_waited_for(colony):
    start(colony)
    eventually(lambda: colony.http("GET", "/status/web").json()["running"] == 2)
    answer = colony.http("POST", "/processes/web/_stop?wait=20")
    assert (answer.status, answer.json()["ok"], answer.json()["stopped"]) == (200, True, 2)
    status = colony.http("GET", "/status/web").json()
    assert status == {"active": False, "running": 0, "numprocesses": 2, "max_processes": 2}
    assert colony.http("POST", "/processes/web/_stop?wait=true").status == 200
    assert colony.http("POST", "/processes/web/_start").json() == {"ok": True}
    eventually(lambda: colony.http("GET", "/status/web").json()["running"] == 2)


def test_restart_waits_for_new_processes(colony):
    start(colony)
    eventually(lambda: colony.http("GET", "/status/web").json()["running"] == 2)
    old = colony.http("GET", "/processes/web/_pids").json()["pids"]
    assert colony.http("POST", "/processes/web/_restart?wait=20").json()["ok"] is True
    new = colony.http("GET", "/processes/web/_pids").json()["pids"]
    assert len(new) == 2 and min(new) > max(old)


def test_waiting_ends_with_408_when_the_time_is_over(colony):
    colony.start({"processes": {"deaf": {
        "cmd": "sh", "args": ["-c", "trap '' TERM; echo up; while :; do sleep 1; done"],
        "graceful_timeout": 5}}})
    eventually(lambda: "up" in colony.http("GET", "/logs/deaf").text)
    answer = colony.http("POST", "/processes/deaf/_stop?wait=0.2")
    assert (answer.status, answer.json()["error"]) == (408, "timeout")
    answer = colony.http("POST", "/processes/deaf/_stop?wait=20")
    assert answer.json()["killed"] >= 1


@pytest.mark.parametrize("path", [
    "/processes/web/_stop?wait=soon", "/processes/web/_stop?wait=-1",
    "/processes/web/_signal/SIGNOPE", "/processes/web/_signal/0", "/processes/web/_signal/65",
])
def test_a_bad_value_changes_nothing(colony, path):
    start(colony)
    eventually(lambda: colony.http("GET", "/status/web").json()["running"] == 2)
    before = colony.http("GET", "/processes/web/_pids").json()
    answer = colony.http("POST", path)
    assert (answer.status, answer.json()["error"]) == (400, "bad_value")
    assert colony.http("GET", "/processes/web/_pids").json() == before


def test_one_process_is_signalled_and_stopped_by_id(colony):
    start(colony)
    eventually(lambda: colony.http("GET", "/status/web").json()["running"] == 2)
    first, second = colony.http("GET", "/processes/web/_pids").json()["pids"]
    assert colony.http("POST", f"/processes/{first}/_signal/0x0").status == 400
    assert colony.http("POST", f"/processes/{first}/_signal/CONT").json() == {"ok": True}
    assert colony.http("POST", f"/processes/{first}/_stop?wait=20").status == 200
    pids = colony.http("GET", "/processes/web/_pids").json()["pids"]
    assert second in pids and first not in pids
    assert colony.http("POST", f"/processes/{first}/_stop").status == 404


def test_slots_tell_what_runs(colony):
    start(colony)
    eventually(lambda: colony.http("GET", "/status/web").json()["running"] == 2)
    slots = colony.http("GET", "/slots?name=web").json()
    assert [slot["slot"] for slot in slots] == [1, 2]
    for slot in slots:
        assert slot["name"] == "web" and slot["state"] == "running"
        assert abs(slot["started"] + slot["uptime"] - time.time()) < 5
        assert slot["retry_in"] is None and slot["failure"] == ""
    assert len(colony.http("GET", "/slots").json()) == 4


def test_the_tree_shows_descendants(colony):
    colony.start({"processes": {"parent": {
        "cmd": "sh", "args": ["-c", "sleep 1001 & sh -c 'sleep 1002 & wait' & wait"]}}})

    def find():
        tree = colony.http("GET", "/tree").json()
        text = json.dumps(tree)
        return all(f'"command": "sleep {n}"' in text for n in (1001, 1002)) and tree
    [template] = eventually(find)
    [slot] = template["slots"]
    [process] = slot["processes"]
    assert template["name"] == "parent" and process["pid"] == slot["os_pid"]
    direct = [child["command"] for child in process["children"]]
    assert "sleep 1001" in direct and "sleep 1002" not in direct


def test_logs_show_the_last_lines(colony):
    start(colony)
    eventually(lambda: "three" in colony.http("GET", "/logs/talk").text)
    assert colony.http("GET", "/logs/talk").text == "one\ntwo\nthree\n"
    assert colony.http("GET", "/logs/talk?lines=2").text == "two\nthree\n"
    assert colony.http("GET", "/logs/talk?lines=0").text == ""
    assert colony.http("GET", "/logs/talk?lines=all&slot=1").text == "one\ntwo\nthree\n"
    assert colony.http("GET", "/logs/talk?lines=x").status == 400
    assert colony.http("GET", "/logs/talk?slot=7").status == 404


def test_log_none_says_so(colony):
    start(colony)
    answer = colony.http("GET", "/logs/silent")
    assert answer.status == 409
    assert "log: none" in answer.json()["reason"]


def test_logs_of_several_slots_are_prefixed(colony):
    colony.start({"processes": {"twin": {
        "cmd": "sh", "args": ["-c", "echo hi; exec sleep 1000"], "numprocesses": 2}}})
    assert eventually(lambda: (text := colony.http("GET", "/logs/twin").text).count("hi") == 2
                    and text) == "twin.1: hi\ntwin.2: hi\n"


def test_following_a_log_misses_and_doubles_nothing_over_rotations(colony):
    count = 20000
    script = f"seq -f 'line %.0f' {count}; exec sleep 1000"
    colony.start({"processes": {"busy": {
        "cmd": "sh", "args": ["-c", script], "start": False,
        "log": {"size": "64KiB", "count": 50}}}})
    with Client(colony) as client:
        client.send(b"GET /logs/busy?follow=true&lines=0 HTTP/1.0\r\n\r\n")
        client._until(b"\r\n\r\n")
        assert colony.http("POST", "/processes/busy/_start").status == 200
        lines = [client._until(b"\n").decode() for _ in range(count)]
    assert lines == [f"line {i}" for i in range(1, count + 1)]
    assert colony.http("GET", "/logs/busy?lines=all").text.splitlines() == lines


def test_a_follower_that_hangs_up_is_forgotten(colony):
    start(colony, max_connections=4)
    for _ in range(12):
        def follow():
            with Client(colony) as client:
                client.send(request("GET", "/logs/talk?follow=true"))
                return client._until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        eventually(follow)


def test_shutdown_is_answered_before_it_happens(colony):
    start(colony)
    assert colony.http("POST", "/_shutdown").json() == {"ok": True}
