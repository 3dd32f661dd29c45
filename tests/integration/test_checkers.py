# SPDX-License-Identifier: Apache-2.0
"""colony beatcheck, httpcheck and beat, on folders of ncolony's and with real servers."""
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest

from conftest import BINARY, eventually

FREQ = "0.05"


class Checkers:
    def __init__(self, folder):
        self.folder = folder
        self.config = folder / "conf"
        self.messages = folder / "messages"
        self.hearts = folder / "hearts"
        self.log = folder / "log"
        self.running = []
        self.marks = 0
        for path in (self.config, self.messages, self.hearts):
            path.mkdir()

    def put(self, name, settings):
        new = self.config / f"{name}.new"
        new.write_text(settings if isinstance(settings, str) else json.dumps(settings))
        new.rename(self.config / name)

    def beating(self, name, period=0.3, grace=0, status=None):
        self.put(name, {"args": ["x"], "ncolony.beatcheck": {
            "period": period, "grace": grace, "status": str(status or self.hearts)}})

    def asking(self, name, url, **more):
        """A period is the most that an answer may take: enough of it for a busy machine."""
        self.put(name, {"args": ["x"], "ncolony.httpcheck": {
            "url": url, "period": 0.5, "timeout": 0.5, "grace": 0, "maxBad": 1, **more}})

    def start(self, kind, env=None):
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [BINARY, kind, "--messages", self.messages, "--config", self.config, "--freq",
                 FREQ], stdout=log, stderr=log, env={**os.environ, **(env or {})})
        self.running.append(process)
        return process

    def told(self, text):
        eventually(lambda: text in self.log.read_text(), what=f"'{text}' in the log")

    def asked(self):
        """Names that a restart was asked for, in order."""
        messages = [json.loads(path.read_text()) for path in self.sent()]
        assert all(message["type"] == "RESTART" for message in messages)
        return [message["name"] for message in messages]

    def sent(self):
        return [p for p in sorted(self.messages.iterdir()) if not p.name.endswith(".new")]

    def looked(self):
        """Returns once a look has seen all that is in the folder by now, and told of it."""
        self.marks += 1
        for name in (f"mark-{self.marks}", f"mark-{self.marks}-again"):  # which a next look sees
            self.put(name, "no JSON")
            self.told(f"/{name}:")

    def end(self):
        for process in self.running:
            process.terminate()
            assert process.wait(10) == 0


@pytest.fixture
def checkers():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="colony-test-"))
    one = Checkers(folder)
    yield one
    one.end()
    text = one.log.read_text() if one.log.exists() else ""
    shutil.rmtree(folder)
    assert "Sanitizer" not in text and "runtime error" not in text, text


def touch(path, age=0.0):
    path.touch()
    os.utime(path, (time.time() - age, time.time() - age))


# Hearts


def test_what_never_beat_is_asked_to_be_restarted(checkers):
    checkers.beating("web")
    checkers.put("other", {"args": ["x"]})
    checkers.start("beatcheck")
    eventually(lambda: "web" in checkers.asked())
    assert set(checkers.asked()) == {"web"}
    checkers.told("web does not beat")


def test_a_folder_as_status_means_the_file_of_the_name(checkers):
    checkers.beating("good", period=30)
    checkers.beating("bad", period=30)
    touch(checkers.hearts / "good", age=5)
    touch(checkers.hearts / "bad", age=40)
    checkers.start("beatcheck")
    eventually(lambda: "bad" in checkers.asked())
    assert set(checkers.asked()) == {"bad"}


def test_who_stops_beating_is_found_and_who_beats_is_left_alone(checkers):
    heart = checkers.hearts / "one"
    checkers.beating("web", period=2, status=heart)
    touch(heart)
    checkers.start("beatcheck")
    for _ in range(30):
        touch(heart)
        time.sleep(0.1)
    assert checkers.asked() == []
    eventually(lambda: checkers.asked()[:1] == ["web"])


def test_the_grace_counts_from_the_file_the_start_and_the_last_restart(checkers):
    checkers.beating("web", period=0.5, grace=2)
    begun = time.time()
    checkers.start("beatcheck")
    first, second = eventually(lambda: len(checkers.sent()) >= 2 and checkers.sent()[:2])
    assert checkers.asked()[:2] == ["web"] * 2
    assert first.stat().st_mtime - begun >= 0.95
    assert second.stat().st_mtime - first.stat().st_mtime >= 0.95
    checkers.beating("web", period=0.5, grace=20)
    checkers.looked()
    count = len(checkers.asked())
    time.sleep(1.5)  # longer than the grace it had
    assert len(checkers.asked()) == count


def test_a_heart_in_the_future_grows_old_too(checkers):
    heart = checkers.hearts / "one"
    checkers.beating("web", period=0.3, status=heart)
    touch(heart, age=-86400)
    checkers.start("beatcheck")
    eventually(lambda: checkers.asked()[:1] == ["web"])


@pytest.mark.parametrize("make", [
    lambda path: os.symlink("/etc/passwd", path), os.mkfifo,
    lambda path: os.mkdir(path) or os.mkdir(path / "web")])
def test_what_is_no_heart_is_told_and_not_judged(checkers, make):
    make(checkers.hearts / "one")
    checkers.beating("web", status=checkers.hearts / "one")
    checkers.beating("late")
    checkers.start("beatcheck")
    eventually(lambda: "late" in checkers.asked())
    checkers.told("must be a file")
    assert "web" not in checkers.asked()


@pytest.mark.parametrize("content, told", [
    ("{", "cannot read this JSON"), ('{"ncolony.beatcheck": 1}', "must be an object"),
    ('{"ncolony.beatcheck": {"period": "x"}}', "`period`"),
    ('{"a": 1, "a": 2}', "`a`"), ('{"ncolony.beatcheck": {"period": 1, "grace": 1}}', "`status`")])
def test_a_file_that_is_wrong_is_told_and_holds_up_nobody(checkers, content, told):
    checkers.put("wrong", content)
    checkers.beating("web")
    checkers.start("beatcheck")
    eventually(lambda: "web" in checkers.asked())
    checkers.told(told)
    assert checkers.log.read_text().count(told) == 1, "once, not at each look"


@pytest.mark.parametrize("url", ["http://[zz", "http://a:b/", "ftp://a/"])
def test_a_url_that_is_none_is_told_and_restarts_nothing(checkers, url):
    checkers.asking("wrong", url)
    checkers.asking("web", "http://127.0.0.1:1/")
    checkers.start("httpcheck")
    eventually(lambda: checkers.asked().count("web") >= 2)
    checkers.told("cannot check wrong: cannot use `url`")
    assert "wrong" not in checkers.asked()


def test_what_is_no_file_in_the_folder_holds_up_nobody(checkers):
    os.mkfifo(checkers.config / "pipe")
    os.symlink("/dev/zero", checkers.config / "zero")
    with open(checkers.config / "huge", "wb") as file:
        file.truncate(100 << 20)
    checkers.beating("web")
    checkers.start("beatcheck")
    eventually(lambda: "web" in checkers.asked())
    for name in ("pipe", "zero", "huge"):
        checkers.told(f"/{name}: it is")
    assert set(checkers.asked()) == {"web"}


def test_a_file_that_comes_changes_or_goes_is_seen(checkers):
    checkers.start("beatcheck")
    checkers.beating("web")
    eventually(lambda: "web" in checkers.asked())
    (checkers.config / "web").write_text('{"args": ["x"]}')
    checkers.looked()
    count = len(checkers.asked())
    checkers.looked()
    time.sleep(0.4)  # longer than its period
    assert len(checkers.asked()) == count
    checkers.beating("next")
    eventually(lambda: "next" in checkers.asked())
    (checkers.config / "next").unlink()
    checkers.looked()
    count = len(checkers.asked())
    checkers.looked()
    time.sleep(0.4)
    assert len(checkers.asked()) == count


def test_a_folder_that_goes_and_comes_back_is_found_again(checkers):
    checkers.start("beatcheck")
    checkers.looked()
    checkers.config.rename(checkers.folder / "away")
    checkers.told("cannot open the folder")
    (checkers.folder / "away").rename(checkers.config)
    checkers.beating("web")
    eventually(lambda: "web" in checkers.asked())


@pytest.mark.parametrize("kind", ["beatcheck", "httpcheck"])
@pytest.mark.parametrize("args, code, told", [
    ([], 2, "which folders?"), (["--messages", "/tmp"], 2, "which folders?"),
    (["--messages", "/tmp", "--config", "/no/such"], 1, "cannot open the folder /no/such"),
    (["--messages", "/no/such", "--config", "/tmp"], 1, "cannot open the folder /no/such"),
    (["--messages", "/tmp", "--config", "/tmp", "--freq", "0"], 2, "--freq"),
    (["--messages", "/tmp", "--config", "/tmp", "--freq", "x"], 2, "--freq"),
    (["more"], 2, "too many")])
def test_wrong_usage_is_told(kind, args, code, told):
    result = subprocess.run([BINARY, kind, *args], capture_output=True, text=True, timeout=20)
    assert result.returncode == code and told in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["beatcheck", "httpcheck"])
def test_a_checker_beats_itself_when_its_supervisor_wants_that(checkers, kind):
    heart = checkers.hearts / "itself"
    config = {"args": [], "ncolony.beatcheck": {"period": 0.6, "grace": 3,
                                                "status": str(checkers.hearts)}}
    checkers.start(kind, env={"NCOLONY_CONFIG": json.dumps(config), "NCOLONY_NAME": "itself"})
    first = eventually(heart.stat).st_mtime_ns
    eventually(lambda: heart.stat().st_mtime_ns > first)
    assert oct(heart.stat().st_mode & 0o777) == "0o600"


# HTTP


class Server:
    """Answers each GET with what `status` says by then."""

    def __init__(self, status=200, body=b"", **headers):
        outer = self
        self.status, self.body, self.headers, self.count = status, body, headers, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(outer.body)

            def log_message(self, *_):
                pass

        class Counting(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def process_request(self, request, client_address):
                outer.count += 1
                super().process_request(request, client_address)

        self.server = Counting(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def settle(self):
        """Returns once all who have come by now are counted: they are taken one after the other."""
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.url, timeout=20).close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_what_answers_is_left_alone_until_it_fails(checkers):
    with Server() as server:
        checkers.asking("web", server.url)
        checkers.start("httpcheck")
        eventually(lambda: server.count > 5)
        assert checkers.asked() == []
        server.status = 500
        eventually(lambda: checkers.asked()[:1] == ["web"])
        checkers.told("status 500")


def test_more_than_max_bad_in_a_row_are_needed(checkers):
    with Server(status=404) as server:
        checkers.asking("web", server.url, maxBad=3)
        checkers.start("httpcheck")
        eventually(lambda: checkers.asked()[:1] == ["web"])
        assert server.count >= 4
        assert checkers.log.read_text().count("status 404 (") >= 3


def test_a_redirect_is_an_answer_and_is_not_followed(checkers):
    with Server() as other, Server(status=302, Location=other.url) as server:
        checkers.asking("web", server.url)
        checkers.start("httpcheck")
        eventually(lambda: server.count > 5)
        assert checkers.asked() == [] and other.count == 0


def test_a_huge_body_is_not_read_to_its_end(checkers):
    with Server(body=b"x" * (64 << 20)) as server:
        checkers.asking("web", server.url, period=1, timeout=1)
        process = checkers.start("httpcheck")
        eventually(lambda: server.count > 1)
        assert checkers.asked() == []
        with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
        assert "Sanitizer" in os.environ.get("LD_PRELOAD", "") or peak < 60 << 10


def test_a_server_that_never_answers_is_bad_and_holds_up_nobody(checkers):
    with socket.create_server(("127.0.0.1", 0)) as silent, Server(status=500) as server:
        checkers.asking("silent", f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.1)
        checkers.asking("web", server.url)
        checkers.start("httpcheck")
        eventually(lambda: {"silent", "web"} <= set(checkers.asked()))


def test_nobody_there_is_bad(checkers):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        checkers.asking("web", f"http://127.0.0.1:{closed.getsockname()[1]}/")
        checkers.start("httpcheck", env={"http_proxy": "http://127.0.0.1:1/"})
        eventually(lambda: checkers.asked()[:1] == ["web"])


@pytest.mark.parametrize("url", ["nonsense", "ftp://host/", "http://", "http://a b/",
                                 "file:///etc/passwd"])
def test_an_url_of_nonsense_is_told_and_not_judged(checkers, url):
    with Server(status=500) as server:
        checkers.asking("wrong", url)
        checkers.asking("web", server.url)
        checkers.start("httpcheck")
        eventually(lambda: "web" in checkers.asked())
        checkers.told("cannot check wrong: cannot use `url`")
        assert "wrong" not in checkers.asked()


def test_after_a_restart_the_grace_begins_anew(checkers):
    with Server(status=500) as server:
        checkers.asking("web", server.url, grace=2, maxBad=0)
        begun = time.monotonic()
        checkers.start("httpcheck")
        eventually(lambda: len(checkers.asked()) >= 2)
        assert time.monotonic() - begun >= 2


def test_a_change_of_the_file_is_followed(checkers):
    with Server() as good, Server(status=500) as bad:
        checkers.asking("web", good.url)
        checkers.start("httpcheck")
        eventually(lambda: good.count > 2)
        checkers.asking("web", bad.url)
        eventually(lambda: checkers.asked()[:1] == ["web"])
        (checkers.config / "web").unlink()
        checkers.looked()
        bad.settle()
        count = bad.count
        time.sleep(1)  # longer than its period
        assert bad.count == count


def test_many_are_checked_side_by_side(checkers):
    with socket.create_server(("127.0.0.1", 0), backlog=500) as silent:
        for i in range(60):
            checkers.asking(f"p{i}", f"http://127.0.0.1:{silent.getsockname()[1]}/{i}", timeout=0.1)
        checkers.start("httpcheck")
        eventually(lambda: len(set(checkers.asked())) == 60)


# The hand that beats


def beat(*args, **env):
    return subprocess.run([BINARY, "beat", *map(str, args)], capture_output=True, text=True,
                          timeout=20, env={"PATH": os.environ["PATH"], **env})


def test_a_beat_touches_what_is_given_or_asked_for(tmp_path):
    config = json.dumps({"ncolony.beatcheck": {"period": 9, "grace": 1, "status": str(tmp_path)}})
    assert beat(tmp_path / "given").returncode == 0
    assert beat(NCOLONY_CONFIG=config, NCOLONY_NAME="asked").returncode == 0
    assert beat(tmp_path, NCOLONY_NAME="named").returncode == 0
    assert beat(COLONY_HEARTBEAT=str(tmp_path / "own")).returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["asked", "given", "named", "own"]


@pytest.mark.parametrize("args, env, code, told", [
    ([], {}, 2, "which heart?"), ([], {"NCOLONY_CONFIG": "{"}, 1, "$NCOLONY_CONFIG"),
    ([], {"NCOLONY_CONFIG": "{}"}, 2, "which heart?"),
    ([], {"COLONY_HEARTBEAT": "/x", "COLONY_HEARTBEAT_USEC": "1x"}, 1, "_USEC"),
    (["/tmp"], {"NCOLONY_NAME": "../x"}, 1, "it is a folder"), (["/tmp"], {}, 1, "folder"),
    (["/no/such/heart"], {}, 1, "No such file"), (["/dev/null"], {}, 1, "it is a device"),
    (["/tmp/x", "--every", "0"], {}, 2, "--every"), (["a", "b"], {}, 2, "too many")])
def test_a_beat_that_cannot_be_is_told(args, env, code, told):
    result = beat(*args, **env)
    assert result.returncode == code and told in result.stderr
    assert result.stderr.count("\n") == 1


def test_beats_go_on_until_whoever_started_them_ends(tmp_path):
    heart = tmp_path / "heart"
    script = f'{BINARY} beat --every 0.05 {heart} & echo $!; read line'
    with subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as shell:
        pid = int(shell.stdout.readline())
        first = eventually(heart.stat).st_mtime_ns
        eventually(lambda: heart.stat().st_mtime_ns > first)
        os.kill(shell.pid, signal.SIGKILL)
    eventually(lambda: not os.path.exists(f"/proc/{pid}") or
               pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z")
