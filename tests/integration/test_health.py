# SPDX-License-Identifier: Apache-2.0
"""health: of a template: what is found well or not, and what becomes of it."""
import http.server
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import threading
import time
import urllib.request

import pytest

from conftest import BINARY, alive, assert_sleeps, children, eventually, needs_root
from test_spawn import hung  # noqa: F401 (a fixture)

SLEEP = {"cmd": "sleep", "args": ["104729"]}
FAST = {"period": 0.2, "grace": 0, "timeout": 5}  # what answers at all does so in time
BEATS = f"while [ ! -e stop ]; do {BINARY} beat; sleep 0.05; done; exec sleep 104729"


def health(colony, name, number=1):
    return colony.slot(name, number)["health"]


def becomes(colony, name, state, number=1):
    eventually(lambda: health(colony, name, number) == state, what=f"{name} {state}")
    return colony.slot(name, number)


def events(colony, name):
    """[(event, cause)] of its health, oldest first."""
    rows = colony.http("GET", f"/history?name={name}&limit=1000").json()
    return [(row["event"], row["cause"]) for row in reversed(rows)
            if row["event"] in ("healthy", "unhealthy")]


def script(text, **more):
    return {"cmd": text, "shell": True, **more}


@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(self.server.status)
            if self.server.status == 302:
                self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            try:
                self.wfile.write(self.server.body)
            except OSError:
                pass

        def log_message(self, *_):
            pass

    class Counting(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def process_request(self, request, client_address):
            self.count += 1
            super().process_request(request, client_address)

    one = Counting(("127.0.0.1", 0), Handler)
    one.status, one.body, one.count = 200, b"", 0
    one.url = f"http://127.0.0.1:{one.server_address[1]}/"
    threading.Thread(target=one.serve_forever, daemon=True).start()
    yield one
    one.shutdown()
    one.server_close()


# Each way


def test_without_it_nobody_looks(colony):
    colony.start({"processes": {"it": SLEEP}})
    assert colony.wait_state("it", "running")["health"] is None
    assert "healthy" not in colony.http("GET", "/status/it").json()
    assert os.listdir(colony.state / "hearts") == []


def test_who_beats_is_healthy_and_who_stops_is_restarted(colony):
    colony.start({"processes": {"it": script(BEATS, cwd=str(colony.folder), health={
        "heartbeat": True, "period": 0.5})}})
    first = becomes(colony, "it", "healthy")
    assert colony.http("GET", "/status/it").json()["healthy"] == 1
    (colony.folder / "stop").touch()
    eventually(lambda: colony.slot("it")["os_pid"] not in (None, first["os_pid"]))
    kinds = [kind for kind, _ in events(colony, "it")]
    assert kinds[:2] == ["healthy", "unhealthy"]
    assert "has not touched its heart for 0.5 s" in events(colony, "it")[1][1]
    assert "is unhealthy: has not touched its heart" in colony.ctl("why", "it").stdout


def test_a_heart_of_its_own_is_private_and_of_its_user(colony):
    os.chmod(colony.folder, 0o755)
    uid = 65534 if os.geteuid() == 0 else os.geteuid()
    settings = script(f"{BINARY} beat && exec sleep 104729", numprocesses=2,
                      health={"heartbeat": True, "period": 30})
    if os.geteuid() == 0:
        settings["uid"] = "nobody"
    colony.start({"processes": {"it": settings}})
    pid = colony.wait_state("it", "running", 2)["os_pid"]
    for number in (1, 2):
        info = (colony.state / "hearts" / f"it.{number}").stat()
        assert stat.S_IMODE(info.st_mode) == 0o600 and info.st_uid == uid
    env = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert f"COLONY_HEARTBEAT={colony.state}/hearts/it.2".encode() in env
    assert b"COLONY_HEARTBEAT_USEC=30000000" in env
    assert colony.output("it") == b"", "it could beat"


def test_a_heart_of_ones_own_path(colony):
    heart = colony.folder / "heart"
    colony.start({"processes": {"it": {**SLEEP, "health": {
        "heartbeat": str(heart), "period": 0.4, "grace": 0, "then": "report"}}}})
    assert becomes(colony, "it", "unhealthy")["health_note"] == "has never touched its heart"
    eventually(lambda: heart.touch() or health(colony, "it") == "healthy")
    becomes(colony, "it", "unhealthy")
    count = len(events(colony, "it"))
    os.utime(heart, (time.time() + 86400, time.time() + 86400))
    eventually(lambda: [kind for kind, _ in events(colony, "it")[count:]] ==
               ["healthy", "unhealthy"])  # though its time is in the future
    assert "checks that failed" in events(colony, "it")[1][1]


@pytest.mark.parametrize("make", [lambda path: os.symlink("/etc/passwd", path), os.mkfifo,
                                  os.mkdir])
def test_what_is_no_heart_is_told_and_not_judged(colony, make):
    make(colony.folder / "heart")
    colony.start({"processes": {"it": {**SLEEP, "health": {
        "heartbeat": str(colony.folder / "heart"), "period": 0.2, "grace": 0}}}})
    pid = colony.wait_state("it", "running")["os_pid"]
    note = eventually(lambda: colony.slot("it")["health_note"])
    assert "must be a file" in note
    time.sleep(0.6)  # nothing is to happen
    now = colony.slot("it")
    assert (now["health"], now["os_pid"], now["restarts"]) == ("unknown", pid, 0)
    assert colony.log.read_text().count("must be a file") == 1


def test_tcp(colony):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        colony.start({"processes": {"it": {**SLEEP, "health": {
            **FAST, "tcp": address, "then": "report", "max_bad": 0}}}})
        becomes(colony, "it", "healthy")
    note = becomes(colony, "it", "unhealthy")["health_note"]
    assert note == f"cannot connect to {address}: connection refused"
    assert f"unhealthy: {note}" in colony.ctl("ps").stdout
    assert f"unhealthy: {note}" in colony.ctl("why", "it").stdout
    assert f"unhealthy: {note}" in colony.ctl("status", "it").stdout
    assert 'colony_slot_healthy{template="it",slot="1"} 0\n' in colony.http("GET", "/metrics").text
    assert colony.http("GET", "/status/it").json()["healthy"] == 0
    assert colony.slot("it")["restarts"] == 0


def test_http(colony, server):
    colony.start({"processes": {"it": {**SLEEP, "health": {
        **FAST, "http": server.url, "max_bad": 1}}}})
    first = becomes(colony, "it", "healthy")
    server.status = 503
    eventually(lambda: colony.slot("it")["os_pid"] not in (None, first["os_pid"]))
    assert events(colony, "it")[1] == ("unhealthy", f"{server.url} answered with status 503")


def test_a_redirect_and_a_huge_body_are_answers(colony, server):
    server.status, server.body = 302, b"x" * (32 << 20)
    colony.start({"processes": {"it": {**SLEEP, "health": {
        "http": server.url, "period": 0.2, "grace": 0, "timeout": 10, "max_bad": 0}}}})
    becomes(colony, "it", "healthy")
    count = server.count
    eventually(lambda: server.count > count + 3)
    assert events(colony, "it") == [("healthy", "")]


def test_a_server_that_never_answers_is_unhealthy_and_asked_once_at_a_time(colony):
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(10)
        begun = time.monotonic()
        colony.start({"processes": {"it": {**SLEEP, "health": {
            "http": f"http://127.0.0.1:{silent.getsockname()[1]}/", "period": 0.1, "grace": 0,
            "timeout": 0.5, "max_bad": 1, "then": "report"}}}})
        while health(colony, "it") != "unhealthy":
            taken.append(silent.accept()[0])
            assert len(taken) <= 1 + (time.monotonic() - begun) / 0.45
        for one in taken:
            one.close()
    assert "cannot get" in colony.slot("it")["health_note"]


def test_a_command_runs_as_its_process_does(colony):
    user = {"uid": "nobody"} if os.geteuid() == 0 else {}
    os.chmod(colony.folder, 0o777)
    colony.start({"processes": {"it": {**SLEEP, **user, "cwd": str(colony.folder), "health": {
        **FAST, "timeout": 5, "exec": "sh -c 'id -un > who; test ! -e bad'"}}}})
    first = becomes(colony, "it", "healthy")
    if user:
        # The next check may just write it anew.
        eventually(lambda: (colony.folder / "who").read_text() == "nobody\n")
    (colony.folder / "bad").touch()
    eventually(lambda: colony.slot("it")["os_pid"] not in (None, first["os_pid"]))
    assert "ended with 1" in events(colony, "it")[1][1]
    assert [s["name"] for s in colony.slots()] == ["it"], "the check itself is nobody's business"


def test_a_command_that_forks_and_hangs_is_killed_with_all_of_it(colony):
    colony.start({"processes": {"it": {**SLEEP, "health": {
        "period": 0.2, "grace": 0, "timeout": 0.3, "then": "report",
        "exec": "sh -c 'trap \"\" TERM; setsid sleep 104723 & sleep 104717 & wait'"}}}})
    becomes(colony, "it", "unhealthy")
    assert "took too long" in colony.slot("it")["health_note"]
    colony.ctl("stop", "it")

    mark = b"COLONY_ID=" + (colony.state / "instance").read_bytes() + b"/"

    def mine(pid):
        try:
            return mark in pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False

    eventually(lambda: not any(map(mine, filter(str.isdigit, os.listdir("/proc")))))


def test_ready_by_http(colony, server):
    server.status = 500
    colony.start({"processes": {"it": {**SLEEP, "ready": {"http": server.url, "interval": 0.1}}}})
    eventually(lambda: server.count > 2)
    assert colony.slot("it")["state"] == "running"
    server.status = 204
    colony.wait_state("it", "ready")
    count = server.count
    time.sleep(0.3)  # nothing is to happen
    assert server.count == count


# When, and what then


def test_checks_begin_after_ready_and_grace(colony, server):
    gate = colony.folder / "gate"
    colony.start({"processes": {"it": {**SLEEP, "ready": {
        "exec": f"test -e {gate}", "interval": 0.05}, "health": {
            "http": server.url, "period": 0.1, "grace": 0.6}}}})
    colony.wait_state("it", "running")
    time.sleep(0.8)  # longer than the grace, but it is not ready
    assert server.count == 0
    begun = time.monotonic()
    gate.touch()
    colony.wait_state("it", "ready")
    eventually(lambda: server.count > 0)
    assert time.monotonic() - begun > 0.59


def test_what_is_stopped_is_not_checked(colony, server):
    colony.start({"processes": {"it": {**SLEEP, "health": {**FAST, "http": server.url}}}})
    becomes(colony, "it", "healthy")
    colony.ctl("stop", "it")
    urllib.request.urlopen(server.url, timeout=20).close()  # who came before is counted
    count = server.count
    time.sleep(0.6)  # nothing is to happen
    assert server.count == count and health(colony, "it") == "unknown"
    colony.ctl("start", "it")
    becomes(colony, "it", "healthy")


def test_a_few_failures_are_no_matter(colony, server):
    colony.start({"processes": {"it": {**SLEEP, "health": {
        **FAST, "http": server.url, "max_bad": 1000}}}})
    becomes(colony, "it", "healthy")
    server.status = 500
    eventually(lambda: "500" in colony.slot("it")["health_note"])
    assert health(colony, "it") == "healthy"
    server.status = 200
    eventually(lambda: colony.slot("it")["health_note"] == "")
    assert events(colony, "it") == [("healthy", "")]


def test_restarts_follow_the_policy(colony):
    colony.start({"processes": {"it": {**SLEEP, "health": {
        **FAST, "timeout": 5, "exec": "false", "max_bad": 0}}}})
    eventually(lambda: colony.slot("it")["restarts"] >= 2)
    assert "is restarted: is unhealthy: 'false' ended with 1" in colony.log.read_text()


def test_who_waits_for_a_healthy_one_starts_when_it_is(colony, server):
    server.status = 500
    colony.start({"processes": {
        "db": {**SLEEP, "health": {**FAST, "http": server.url, "then": "report", "max_bad": 0}},
        "plain": SLEEP,
        "web": {**SLEEP, "depends_on": {"db": "healthy", "plain": "healthy"}}}})
    becomes(colony, "db", "unhealthy")
    assert colony.slot("web")["state"] == "waiting"
    assert "waits for db to be healthy" in colony.ctl("why", "web").stdout
    server.status = 200
    colony.wait_state("web", "running")
    server.status = 500
    becomes(colony, "db", "unhealthy")
    assert colony.slot("web")["state"] == "running", "a report stops nobody"


def test_events_are_followed(colony):
    bad = colony.folder / "bad"
    colony.start({"processes": {"it": {**SLEEP, "health": {
        **FAST, "timeout": 5, "exec": f"test ! -e {bad}", "then": "report", "max_bad": 0}}}})
    with subprocess.Popen([BINARY, "ctl", "--state", str(colony.state), "watch", "healthy",
                           "unhealthy", "--json"], stdout=subprocess.PIPE, text=True) as watch:
        heard = []
        threading.Thread(target=lambda: heard.extend(watch.stdout), daemon=True).start()

        def is_heard():
            """What happens before it follows is not told."""
            becomes(colony, "it", "healthy")
            bad.touch()
            becomes(colony, "it", "unhealthy")
            bad.unlink()
            return [line for line in heard if '"unhealthy"' in line]

        line = json.loads(eventually(is_heard)[0])
        watch.send_signal(signal.SIGINT)
    assert (line["name"], line["slot"]) == ("it", 1) and "ended with 1" in line["cause"]


def test_an_engine_that_dies_begins_the_grace_anew(colony, server):
    colony.start({"processes": {"it": {**SLEEP, "health": {
        "http": server.url, "period": 0.2, "grace": 1}}}})
    pid = becomes(colony, "it", "healthy")["os_pid"]
    os.kill(colony.engine, signal.SIGKILL)
    eventually(lambda: colony.slot("it")["health"] == "unknown")
    count = server.count
    becomes(colony, "it", "healthy")
    assert server.count > count and colony.slot("it")["os_pid"] == pid


def test_an_engine_that_dies_leaves_no_check_behind(colony):
    colony.start({"processes": {"it": {**SLEEP, "health": {
        "period": 30, "grace": 0, "timeout": 60, "exec": "sleep 104711"}}}})
    keeper = colony.keeper

    def checks():
        found = []
        for pid in children(keeper):
            try:
                found += [pid] if b"104711" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() \
                    else []
            except OSError:
                pass
        return found

    first = eventually(checks)[0]
    os.kill(colony.engine, signal.SIGKILL)
    eventually(lambda: not alive(first))
    eventually(checks)
    colony.ctl("stop", "it")
    eventually(lambda: not checks())


def test_settings_that_change_nothing_keep_it(colony, server):
    it = {**SLEEP, "health": {**FAST, "http": server.url}}
    colony.start({"processes": {"it": it}})
    pid = becomes(colony, "it", "healthy")["os_pid"]
    colony.write({"processes": {"it": {**it, "graceful_timeout": 3}}})
    colony.ctl("reload")
    count = server.count
    eventually(lambda: server.count > count + 2)
    assert (colony.slot("it")["os_pid"], health(colony, "it")) == (pid, "healthy")
    server.status = 500
    eventually(lambda: colony.slot("it")["os_pid"] not in (None, pid))


def test_many_are_checked_and_an_idle_engine_sleeps(colony):
    colony.start({"processes": {"beat": {**SLEEP, "numprocesses": 100, "health": {
        "heartbeat": True, "period": 60}}}})
    for number in range(1, 101):
        colony.wait_state("beat", "running", number)

    assert_sleeps(colony.engine, most=5)


@needs_root
def test_under_user_a_heart_is_of_the_engines_user_or_refused_with_what_to_do(colony):
    colony.folder.chmod(0o711)
    beat = script(f"{BINARY} beat && exec sleep 104729", health={"heartbeat": True})
    colony.start({"user": {"name": "nobody", "run_as": ["daemon"]}, "processes": {
        "own": beat, "other": {**beat, "uid": "daemon", "restart": "never"}}})
    colony.wait_state("own", "running")
    assert colony.output("own") == b""
    failure = colony.wait_state("other", "failed")["failure"]
    assert "cannot give the heart" in failure and "use `heartbeat: PATH`" in failure


@pytest.mark.parametrize("mode", ["unread", "unanswered"])
def test_a_heart_on_a_disk_that_hangs_holds_up_nobody_else(colony, hung, server, mode):  # noqa: F811
    disk, folder, prefix = hung(mode)
    stuck = {**SLEEP, "numprocesses": 4, "health": {
        "heartbeat": str(folder / "heart"), "period": 0.1, "grace": 0}}
    colony.start({"processes": {"stuck": stuck, "web": {
        **SLEEP, "health": {**FAST, "http": server.url}}}}, prefix=prefix)
    becomes(colony, "web", "healthy")
    time.sleep(0.5)  # all four have had their turn
    began = time.monotonic()
    assert colony.answers() and time.monotonic() - began < 5
    count = server.count
    eventually(lambda: server.count > count + 2)
    assert {slot["health"] for slot in colony.slots("stuck")} == {"unknown"}
    colony.ctl("reload", timeout=10)
    if mode == "unanswered":
        disk.kill()  # before, not even SIGKILL gets a thread out of there
    began = time.monotonic()
    assert colony.stop() == 0
    assert time.monotonic() - began < 8
