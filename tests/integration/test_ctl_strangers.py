# SPDX-License-Identifier: Apache-2.0
"""What follows is also told by who means no good, or is cut off anywhere: a server made here."""

import socket
import subprocess
import threading

import pytest
from conftest import BINARY

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"  # up to the end of the connection
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


class Server:
    """Answers the requests for @path with @answers, one each; others with an empty list."""

    def __init__(self, folder, path, *answers):
        self.address = str(folder / "sock")
        self.path = path.encode()
        self.answers = list(answers)
        self.asked = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.address)
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client = self.socket.accept()[0]
            except OSError:
                return
            with client:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += client.recv(65536) or b"\r\n\r\n"
                target = request.split()[1] if len(request.split()) > 1 else b""
                try:
                    if not target.startswith(self.path):
                        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
                    elif self.answers:
                        self.asked.append(request.decode())
                        client.sendall(self.answers.pop(0))
                except OSError:
                    pass
            if not self.answers:
                self.socket.close()  # nobody is there any more

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def run(self, *command):
        return subprocess.run([BINARY, *command, "--endpoint", f"unix:{self.address}"],
                              capture_output=True, timeout=60, stdin=subprocess.DEVNULL,
                              check=False)


def test_logs_that_are_cut_anywhere_are_shown_once(tmp_path):
    whole = b"1.5.6.4 4\nabc\n2.5.7.3 3\nx\n\n"
    for cut in range(len(whole)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        seen = [size for size in (0, 14, 27) if size <= cut][-1]
        rest = CHUNKED + (chunk(whole[seen:]) if seen < len(whole) else b"") + chunk(b"")
        begun = CHUNKED + (chunk(whole[:cut]) if cut else b"")
        with Server(folder, "/logs/", begun, rest) as server:
            out = server.run("ctl", "logs", "-f", "web")
        assert (out.returncode, out.stdout, out.stderr) == (0, b"abc\nx\n\n", b""), cut
        expected = {0: None, 14: "&from=1.5.6.4 ", 27: "&from=1.5.6.4,2.5.7.3 "}[seen]
        assert expected is None or expected in server.asked[1], cut


@pytest.mark.parametrize("body", [
    b"plain output\n", b"1.2.3.4\n", b"1.2.3.4 x\n", b"1.2.3.4 99999999999\n", b" 5\nabcde",
    b"x" * 10000, b"1.2.3.4 5x\nabcde", b"../../1 3\nabc", b"1.2.3.4 -1\n",
    b"".join(b"%d.1.1.1 0\n" % slot for slot in range(1, 300))])
def test_logs_without_places_are_no_answer(tmp_path, body):
    with Server(tmp_path, "/logs/", HEAD + body) as server:
        out = server.run("ctl", "logs", "-f", "web")
    assert out.returncode == 1 and out.stdout == b""
    assert out.stderr == b"colony ctl: cannot follow the logs: this colony tells no places\n"


def test_watch_goes_on_from_the_last_id_it_was_told(tmp_path):
    event = b'id: %d\r\nevent: spawn\r\ndata: {"event":"spawn","name":"web","seq":%d}\r\n\r\n'
    with Server(tmp_path, "/watch", CHUNKED + chunk(event % (7, 7) + event[:20]), BUSY,
                CHUNKED + chunk(b": a comment\n\nretry: 5\n\n" + event % (8, 8)) + chunk(b"")
                ) as server:
        out = server.run("ctl", "watch", "--json")
    assert out.returncode == 0 and out.stderr == b""
    assert [line[-2:] for line in out.stdout.splitlines()] == [b"7}", b"8}"]
    assert ["Last-Event-ID: 7\r\n" in request for request in server.asked] == [False, True, True]


def test_an_event_without_end_is_given_up(tmp_path):
    with Server(tmp_path, "/watch", HEAD + b"data: " + b"x" * 10_000_000) as server:
        out = server.run("ctl", "watch")
    assert out.returncode == 1
    assert out.stderr == b"colony ctl: cannot watch: an event is too long\n"


@pytest.mark.parametrize("text", [b"no JSON", b"[]", b"42", b'{"event": 7, "name": []}', b"\xff\x00",
                                  b'{"event":"exit","name":"\\u001b[2J","term_signal":9e99}'])
def test_events_that_mean_nothing_do_no_harm(tmp_path, text):
    with Server(tmp_path, "/watch", CHUNKED + chunk(b"event: exit\ndata: " + text + b"\n\n")
                + chunk(b"")) as server:
        out = server.run("ctl", "watch", "--all")
    assert out.returncode == 0 and b"\x1b" not in out.stdout


@pytest.mark.parametrize("body", [b"{}", b"nonsense", b"[1,2", b"null"])
def test_what_is_no_list_of_slots_is_no_table(tmp_path, body):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with Server(tmp_path, "/slots", answer) as server:
        out = server.run("top", "-b")
    assert out.returncode in (1, 69) and out.stdout == b"" and out.stderr.count(b"\n") == 1


@pytest.mark.parametrize("body", [b"[]", b"[null,7,[],{}]", b'[{"name":"a","id":1,"cpu_time":"x"}]',
                                  b'[{"name":"' + b"n" * 5000 + b'","state":"' + b"s" * 5000
                                  + b'","restarts":1e300,"uptime":-5,"id":1,"mem":-1,"cpu":1e300}]'])
def test_slots_that_mean_nothing_do_no_harm(tmp_path, body):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with Server(tmp_path, "/slots", answer, answer) as server:
        out = server.run("top", "-b")
    assert out.returncode == 0 and out.stderr == b""
