# SPDX-License-Identifier: Apache-2.0
"""Descriptors 3, 4, … of a process, that are read and written by their labels."""

import concurrent.futures
import json
import os
import resource
import signal

import pytest

from conftest import alive, eventually, needs_root
from followed import Feed
from ws_client import BINARY, TEXT, Raw

PYTHON = "/usr/bin/python3"
# What comes on `echo` goes back to it, and its length to `told`.
ECHO = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: os.write(4, b"told\\n"))
while True:
    got = os.read(3, 65536)
    if not got:
        break
    if got.startswith(b"close"):
        os.close(4)
    elif got.startswith(b"end"):
        os.write(4, b"last " * 20000)
        os._exit(3)
    else:
        left = got
        while left:
            left = left[os.write(3, left):]
signal.pause()
"""
LABELS = {"custom_streams": ["echo", "told"]}
WEB = {"cmd": PYTHON, "args": ["-u", "-c", ECHO.replace("$", "$$")], **LABELS}


def start(colony, settings=None, *args):
    colony.start({"processes": {"web": {**WEB, **(settings or {})}}}, *args)
    return colony.wait_state("web", "running")["id"]


def tell(colony, pid, text, label="echo"):
    return colony.http("POST", f"/streams/{pid}/{label}", text)


def error_of(answer):
    return answer.status, answer.json()["error"]


def greet(colony, pid):
    """It runs its program, and echoes."""
    with Feed(colony, f"/streams/{pid}/echo?feed=eventsource") as echo:
        tell(colony, pid, "hello\n")
        assert echo.event()["data"] == "hello\n"


def signal_it(colony, pid):
    return colony.http("POST", f"/processes/{pid}/_signal/USR1")


def test_each_is_read_and_written_by_its_label_and_all_read_by_a_dot(colony):
    pid = start(colony, {"redirect_output": "out"})
    with Feed(colony, f"/streams/{pid}/echo?feed=eventsource") as echo, \
            Feed(colony, f"/streams/{pid}/told?feed=continuous") as told, \
            Feed(colony, f"/streams/{pid}/echo") as once, \
            Feed(colony, f"/streams/{pid}/.?feed=eventsource") as both:
        assert tell(colony, pid, "one\n").json() == {"ok": True}
        assert echo.event() == {"id": "1", "event": "echo", "data": "one\n"}
        assert both.event()["data"] == "one\n"
        assert once.rest() == [b"one\n"]
        signal_it(colony, pid)
        assert told.chunk() == b"told\n"
        assert both.event() == {"id": "2", "event": "told", "data": "told\n"}


def test_a_websocket_of_its_label_is_both_ways(colony):
    pid = start(colony, {"redirect_input": True, "redirect_output": "out"})
    greet(colony, pid)
    with Raw(colony, f"/wstreams/{pid}/echo") as socket_, \
            Raw(colony, f"/wstreams/{pid}/told?binary=true") as told:
        assert (socket_.status, told.status) == (101, 101)
        socket_.send(TEXT, b"there and back")
        assert socket_.text(14) == b"there and back"
        signal_it(colony, pid)
        assert told.receive() == (BINARY, b"told\n")
        colony.http("POST", f"/processes/{pid}/_stop")
        assert socket_.closed()[0] == 1000
        assert told.closed()[0] == 1000


def test_what_cannot_be_is_told(colony):
    pid = start(colony)
    assert error_of(colony.http("GET", f"/streams/{pid}/other")) == (404, "io_not_found")
    assert error_of(tell(colony, pid, "x", "other")) == (404, "not_found")
    assert error_of(tell(colony, 999999, "x")) == (404, "not_found")
    assert error_of(tell(colony, pid, "x", "stdin")) == (403, "forbidden_write")
    assert colony.http("GET", "/processes/web").json()["custom_streams"] == ["echo", "told"]
    assert colony.slot("web")["streams"] == "open"


def test_one_that_the_process_closes_ends_and_the_other_goes_on(colony):
    pid = start(colony)
    with Feed(colony, f"/streams/{pid}/told?feed=eventsource") as told, \
            Feed(colony, f"/streams/{pid}/.?feed=continuous") as both:
        tell(colony, pid, "close")
        assert told.event() is None
        assert error_of(colony.http("GET", f"/streams/{pid}/told")) == (409, "not_running")
        assert error_of(tell(colony, pid, "x", "told")) == (409, "not_running")
        tell(colony, pid, "still\n")
        assert both.chunk() == b"still\n"


def test_a_feed_ends_with_its_process_and_has_all_that_it_wrote(colony):
    pid = start(colony, {"restart": {"when": "never"}})
    with Feed(colony, f"/streams/{pid}/told?feed=continuous") as told, \
            Feed(colony, f"/streams/{pid}/echo?feed=eventsource") as echo:
        tell(colony, pid, "end")
        assert b"".join(told.rest()) == b"last " * 20000
        assert echo.event() is None
    eventually(lambda: error_of(tell(colony, pid, "x")) == (404, "not_found"))


def test_the_next_process_has_streams_of_its_own(colony):
    pid = start(colony)
    before = len(os.listdir(f"/proc/{colony.engine}/fd"))
    for _ in range(5):
        tell(colony, pid, "end")
        pid = eventually(lambda: (i := colony.slot("web")["id"]) != pid and i)
        with Feed(colony, f"/streams/{pid}/echo?feed=eventsource") as feed:
            tell(colony, pid, "anew\n")
            assert feed.event()["data"] == "anew\n"
    eventually(lambda: len(os.listdir(f"/proc/{colony.engine}/fd")) <= before)


def test_what_nobody_follows_is_dropped_and_counted(colony):
    flood = "import os, signal\nfor i in range(100): os.write(4, b'x' * 10000)\nsignal.pause()"
    start(colony, {"args": ["-c", flood]})
    eventually(lambda: colony.slot("web")["unread_bytes"] == 1000000)
    text = colony.http("GET", "/metrics").text
    assert 'colony_slot_streams_unread_bytes_total{template="web",slot="1"} 1000000\n' in text


def test_one_who_reads_slowly_holds_up_neither_the_process_nor_others(colony):
    flood = "import os, signal\nos.read(3, 9)\nfor i in range(3000): os.write(4, b'y' * 9999 + b'\\n')\n" \
            "os.write(3, b'done')\nsignal.pause()"
    pid = start(colony, {"args": ["-c", flood]})
    with Feed(colony, f"/streams/{pid}/told?feed=eventsource") as slow, \
            Feed(colony, f"/streams/{pid}/echo?feed=eventsource") as echo:
        tell(colony, pid, "go")
        assert echo.event()["data"] == "done"
        missed = told = 0
        colony.http("POST", f"/processes/{pid}/_stop")
        while event := slow.event():
            if event["event"] == "dropped":
                missed += json.loads(event["data"])["bytes"]
            else:
                told += len(event["data"])
    assert missed > 0 and missed + told == 30000000


def test_bodies_of_many_writers_never_mix(colony):
    keep = "import os\nwhile True:\n got = os.read(3, 65536)\n while got: got = got[os.write(1, got):]"
    pid = start(colony, {"args": ["-c", keep]})
    bodies = [bytes([65 + i]) * 30000 + b"\n" for i in range(10)]

    def write(body):
        for _ in range(5):
            while tell(colony, pid, body).status == 503:
                pass

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        list(pool.map(write, bodies))
    eventually(lambda: len(colony.output("web")) == 5 * sum(map(len, bodies)))
    assert sorted(colony.output("web").splitlines(keepends=True)) == sorted(bodies * 5)


def test_a_full_queue_is_503_and_an_end_is_told(colony):
    pid = start(colony, {"cmd": "sleep", "args": ["1000"]})
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        all_of_them = [pool.submit(tell, colony, pid, b"x" * 900000) for _ in range(3)]
        eventually(lambda: sum(one.done() for one in all_of_them) == 2)
        for one in all_of_them:
            if one.done():
                assert error_of(one.result()) == (503, "unavailable")
                assert one.result().headers["Retry-After"] == "1"
        [waiting] = [one for one in all_of_them if not one.done()]
        colony.http("POST", f"/processes/{pid}/_stop?wait=20")
        assert error_of(waiting.result(20)) == (409, "not_running")


def test_what_is_written_while_no_engine_runs_waits_for_who_comes_again(colony):
    pid = start(colony)
    greet(colony, pid)
    os_pid = colony.slot("web")["os_pid"]
    engine = colony.engine
    os.kill(engine, signal.SIGSTOP)  # it reads nothing more
    os.kill(os_pid, signal.SIGUSR1)
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.answers() and colony.engine != engine)
    with Feed(colony, f"/streams/{pid}/told?feed=eventsource") as told, \
            Feed(colony, f"/streams/{pid}/echo?feed=eventsource") as echo:
        assert told.event()["data"] == "told\n"
        tell(colony, pid, "after\n")
        assert echo.event()["data"] == "after\n"
    assert colony.slot("web")["os_pid"] == os_pid


def test_nobody_need_come_again_for_the_process_to_go_on(colony):
    flood = "import os, signal\nos.read(3, 9)\nfor i in range(100): os.write(4, b'x' * 10000)\nsignal.pause()"
    pid = start(colony, {"args": ["-c", flood]})
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.answers() and colony.engine != engine)
    tell(colony, pid, "go")
    eventually(lambda: colony.slot("web")["unread_bytes"] == 1000000)


def test_they_outlive_the_keeper(colony):
    pid = start(colony)
    keeper = colony.keeper
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: colony.answers() and colony.keeper != keeper)
    eventually(lambda: colony.slot("web")["id"] == pid)
    greet(colony, pid)
    assert colony.slot("web")["streams"] == "open"


def test_an_upgrade_keeps_them(colony):
    pid = start(colony)
    greet(colony, pid)
    for _ in range(3):
        engine = colony.engine
        colony.ctl("upgrade")
        eventually(lambda: colony.answers() and colony.engine != engine)
        greet(colony, pid)
    assert colony.slot("web")["streams"] == "open"
    assert colony.slot("web")["id"] == pid


@needs_root
@pytest.mark.parametrize("user", ["colony", "web"])
def test_another_user_has_them_too(colony, user):
    settings = {"processes": {"web": {**WEB, **({"uid": "nobody"} if user == "web" else {})}}}
    colony.folder.chmod(0o711)
    colony.start({**settings, **({"user": "nobody"} if user == "colony" else {})})
    greet(colony, colony.wait_state("web", "running")["id"])


def decided(colony):
    """All slots, once each runs or is known to have no room."""
    def look():
        slots = colony.slots()
        states = {slot["state"] for slot in slots}
        return states <= {"running", "backoff"} and "running" in states and slots
    return eventually(look)


def test_they_count_where_descriptors_are_few(colony):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    # Who has found no room does not try again: an upgrade needs some for its check.
    colony.start({"processes": {"web": {"cmd": "sleep", "args": ["1000"], "numprocesses": 20,
                                        "restart": {"delay": 60}, "custom_streams": list("abcde")}}},
                 preexec_fn=few)
    slots = decided(colony)
    running = [slot for slot in slots if slot["state"] == "running"]
    assert 1 <= len(running) < 20
    assert all("as many as descriptors allow" in slot["failure"] for slot in slots if slot not in running)
    os.kill(running[0]["os_pid"], signal.SIGKILL)
    eventually(lambda: sum(slot["state"] == "running" and slot["os_pid"] != running[0]["os_pid"]
                           for slot in colony.slots()) >= len(running))
    for end in (lambda: os.kill(colony.engine, signal.SIGKILL), lambda: colony.ctl("upgrade")):
        engine = colony.engine
        end()
        eventually(lambda: colony.answers() and colony.engine != engine)
        decided(colony)  # one that is being started has more for a moment than it will keep
    left = [slot for slot in colony.slots() if slot["state"] == "running"]
    assert len(left) >= len(running)  # what passes while some are made together is free again
    for slot in left:
        assert slot["streams"] == "open"
        assert tell(colony, slot["id"], "x", "e").json() == {"ok": True}
    assert "Too many open files" not in colony.log.read_text()


def test_one_that_ends_at_once_has_told_all_the_same(colony):
    start(colony, {"args": ["-c", "import os; os.write(4, b'x' * 100000)"],
                   "restart": {"when": "always", "delay": "0.01s", "factor": 1}})
    eventually(lambda: (n := colony.slot("web")["unread_bytes"]) >= 500000 and n % 100000 == 0)


def test_a_check_and_what_is_readied_by_a_descriptor_do_not_meet_them(colony):
    told = "import os\nos.write(5, b'ready\\n')\nos.read(3, 1)"
    colony.start({"processes": {
        "web": {"cmd": PYTHON, "args": ["-c", told], "ready": {"fd": 5}, **LABELS},
        "also": {"cmd": "sleep", "args": ["1000"], "ready": {"exec": "sh -c '! echo x >&3'"}, **LABELS}}})
    colony.wait_state("web", "ready")
    colony.wait_state("also", "ready")


def test_gaffers_ini_has_them(colony, tmp_path):
    ini = tmp_path / "gaffer.ini"
    ini.write_text("[process:web]\ncmd = sh -c 'read x <&3; echo got $$x >&4; sleep 1000'\n"
                   "custom_streams = in, out\n")
    colony.start({"include": [str(ini)]})
    pid = colony.wait_state("web", "running")["id"]
    with Feed(colony, f"/streams/{pid}/out?feed=eventsource") as out:
        tell(colony, pid, "it\n", "in")
        assert out.event()["data"] == "got it\n"


def test_when_both_are_killed_it_is_told_that_they_are_closed(colony):
    pid = start(colony, {"args": ["-c", "import time\ntime.sleep(1000)"]})
    os_pid = colony.slot("web")["os_pid"]
    colony.kill_both()
    colony.start(colony.config.read_text())
    assert colony.slot("web")["os_pid"] == os_pid and alive(os_pid)
    assert colony.slot("web")["streams"] == "lost"
    assert "custom streams: lost" in colony.ctl("ps").stdout
    assert "custom streams of web.1 are closed until it is restarted" in colony.log.read_text()
    assert error_of(colony.http("GET", f"/streams/{pid}/echo")) == (409, "not_running")
    assert error_of(tell(colony, pid, "x")) == (409, "not_running")
    colony.ctl("restart", "web", "--wait")
    assert colony.slot("web")["streams"] == "open"
    pid = colony.slot("web")["id"]
    with Feed(colony, f"/streams/{pid}/echo?feed=eventsource") as echo:
        assert echo.status == 200


def test_a_change_of_them_restarts_it(colony):
    pid = start(colony)
    settings = {"processes": {"web": {**WEB, "custom_streams": ["echo", "told", "more"]}}}
    colony.write(settings)
    assert "custom_streams" in colony.ctl("reload").stdout
    pid = eventually(lambda: (i := colony.slot("web")["id"]) != pid and i)
    with Feed(colony, f"/streams/{pid}/more?feed=eventsource") as feed:
        assert feed.status == 200


@pytest.mark.parametrize("settings, said", [
    ({"custom_streams": list("abcdef")}, "there may be 5, descriptors 3 to 7"),
    ({"custom_streams": ["a", "b", "a"]}, "two of them are called `a`"),
    ({"custom_streams": ["stdout"]}, "redirect_output"),
    ({"custom_streams": ["stdin"]}, "a label has"),
    ({"custom_streams": ["a/b"]}, "a label has"),
    ({"custom_streams": ["."]}, "a label has"),
    ({"custom_streams": ["a"], "redirect_output": ["a"]}, "`a` is in `redirect_output`, too"),
    ({"custom_streams": ["a", "b"], "ready": {"fd": 4}}, "descriptor 4 is that of `ready: {fd: 4}` and of `b`"),
    ({"custom_streams": ["a"], "detach": True}, "together with `detach`"),
])
def test_what_they_cannot_be_is_refused(colony, settings, said):
    colony.start()
    answer = colony.http("POST", "/processes", json.dumps({"name": "x", "cmd": "true", **settings}))
    assert error_of(answer) == (400, "invalid_process_info")
    assert said in answer.json()["reason"]


def test_five_are_there_beside_stdin_and_two_outputs(colony):
    labels = ["a", "b", "c", "d", "e"]
    every = "import os\nfor fd in range(3, 8): os.write(fd, b'%d' % fd)\n" \
            "for fd in range(3, 8): os.write(1, os.read(fd, 9))\nprint(os.listdir('/proc/self/fd'))\n" \
            "os.read(0, 9)"
    pid = start(colony, {"args": ["-u", "-c", "import os\nos.read(0, 9)\n" + every], "custom_streams": labels,
                         "redirect_input": True, "redirect_output": ["out", "err"], "ready": "notify",
                         "restart": {"when": "never"}})
    feeds = [Feed(colony, f"/streams/{pid}/{label}?feed=eventsource") for label in labels]
    tell(colony, pid, "go", "stdin")
    assert [feed.event()["data"] for feed in feeds] == ["3", "4", "5", "6", "7"]
    for label in labels:
        tell(colony, pid, label, label)
    eventually(lambda: colony.output("web").startswith(b"abcde"))
    eventually(lambda: b"['0', '1', '2', '3', '4', '5', '6', '7', '8']" in colony.output("web"))
    for feed in feeds:
        feed.__exit__()
