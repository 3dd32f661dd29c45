# SPDX-License-Identifier: Apache-2.0
"""Output that is followed and input that is written, by the id of a process."""

import concurrent.futures
import fcntl
import json
import os
import resource
import signal
import struct
import termios
import threading
import time

import pytest

from conftest import BINARY, eventually
from followed import Feed

BOTH = {"redirect_output": ["out", "err"], "redirect_input": True}
# Each line of stdin is a command to the shell.
SHELL = {"processes": {"web": {"cmd": "sh", **BOTH}}}


def late(gate):
    """Reads nothing before that file is there."""
    return {"processes": {"web": {"cmd": f"sh -c 'while [ ! -e {gate} ]; do sleep 0.02; done; exec cat'", **BOTH}}}


def wait_full(pid):
    """Until its stdin has as much as it takes: all of a larger body has come, and waits for it."""
    def is_full():
        reader = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
        try:
            told = fcntl.ioctl(reader, termios.FIONREAD, struct.pack("i", 0))
            return struct.unpack("i", told)[0] >= fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
        finally:
            os.close(reader)
    eventually(is_full, what="a full pipe")


def start(colony, settings):
    colony.start(settings)
    eventually(lambda: all(s["state"] == "running" for s in colony.slots()))
    return colony.http("GET", "/processes/web/_pids").json()["pids"]


def tell(colony, pid, text, path="stdin"):
    return colony.http("POST", f"/streams/{pid}/{path}", text)


def error_of(answer):
    return answer.status, answer.json()["error"]


def test_each_output_is_followed_by_its_label_and_both_by_a_dot(colony):
    [pid] = start(colony, SHELL)
    with Feed(colony, f"/streams/{pid}/out?feed=eventsource") as out, \
            Feed(colony, f"/streams/{pid}/err?feed=eventsource") as err, \
            Feed(colony, f"/streams/{pid}/.?feed=eventsource") as both, \
            Feed(colony, f"/streams/{pid}/?feed=continuous") as also:
        assert out.headers["content-type"] == "text/event-stream"
        assert tell(colony, pid, "echo one\n").json() == {"ok": True}
        assert both.event() == {"id": "1", "event": "out", "data": "one\n"}
        tell(colony, pid, "echo two >&2\n", "ttin")
        assert both.event() == {"id": "2", "event": "err", "data": "two\n"}
        assert [out.event()["data"], err.event()["data"]] == ["one\n", "two\n"]
        assert [also.chunk(), also.chunk()] == [b"one\n", b"two\n"]


def test_continuous_is_the_bytes_and_longpoll_the_first_of_them(colony):
    [pid] = start(colony, SHELL)
    with Feed(colony, f"/streams/{pid}/out?feed=continuous") as go_on, \
            Feed(colony, f"/streams/{pid}/out") as one:
        assert go_on.headers["content-type"] == "application/octet-stream"
        tell(colony, pid, "printf '\\000\\377\\r\\n'\n")
        assert go_on.chunk() == b"\0\xff\r\n"
        assert one.rest() == [b"\0\xff\r\n"]
        tell(colony, pid, "echo more\n")
        assert go_on.chunk() == b"more\n"


def test_an_event_source_is_utf_8_and_tears_no_character(colony):
    [pid] = start(colony, SHELL)
    with Feed(colony, f"/streams/{pid}/out?feed=eventsource") as feed:
        tell(colony, pid, "printf 'a\\303'\n")
        assert feed.event()["data"] == "a"
        tell(colony, pid, "printf '\\244b\\377\\000c\\nd'\n")
        assert feed.event()["data"] == "äb??c\nd"


def test_what_cannot_be_followed_or_written_is_an_error(colony):
    [pid] = start(colony, SHELL)
    colony.http("POST", "/processes", json.dumps({"name": "plain", "cmd": "sleep 100"}))
    plain = colony.wait_state("plain", "running")["id"]
    assert error_of(colony.http("GET", f"/streams/{plain}/stdout")) == (400, "io_not_redirected")
    assert error_of(colony.http("GET", f"/streams/{pid}/stdout")) == (404, "io_not_found")
    assert error_of(colony.http("GET", f"/streams/{pid}/" + "x" * 300)) == (404, "io_not_found")
    assert error_of(colony.http("GET", "/streams/999999/out")) == (404, "not_found")
    assert error_of(colony.http("GET", "/streams/web/out")) == (400, "bad_value")
    assert error_of(colony.http("GET", f"/streams/{pid}/out?feed=none")) == (400, "bad_value")
    assert error_of(tell(colony, plain, "x")) == (403, "forbidden_write")
    assert error_of(tell(colony, pid, "x", "out")) == (404, "not_found")
    assert error_of(tell(colony, 999999, "x")) == (404, "not_found")
    assert error_of(tell(colony, "web", "x")) == (400, "bad_value")


@pytest.mark.parametrize("labels", [["a", "b", "c"], [""], ["a b"], ["stdin"], ["."], ["x" * 65], {"a": "b"}])
def test_labels_that_cannot_be_are_refused(colony, labels):
    colony.start()
    answer = colony.http("POST", "/processes", json.dumps(
        {"name": "x", "cmd": "true", "redirect_output": labels}))
    assert error_of(answer) == (400, "invalid_process_info")


def test_a_feed_ends_with_its_process_and_has_all_that_it_wrote(colony):
    [pid] = start(colony, {"processes": {"web": {
        "cmd": "sh -c 'echo begin; read x; seq 100000 130000; exit 3'",
        "restart": {"when": "never"}, **BOTH}}})
    with Feed(colony, f"/streams/{pid}/out?feed=continuous") as feed, \
            Feed(colony, f"/streams/{pid}/err?feed=eventsource") as other:
        tell(colony, pid, "go\n")
        text = b"".join(feed.rest()).decode().split()
        assert other.event() is None
    assert text[-30001:] == [str(n) for n in range(100000, 130001)]
    assert text[:-30001] in ([], ["begin"])
    assert error_of(colony.http("GET", f"/streams/{pid}/out")) == (404, "not_found")


def test_the_next_process_of_a_slot_is_another_stream(colony):
    [pid] = start(colony, SHELL)
    with Feed(colony, f"/streams/{pid}/out?feed=eventsource") as feed:
        tell(colony, pid, "echo last; exit\n")
        assert feed.event()["data"] == "last\n"
        assert feed.event() is None
    again = eventually(lambda: colony.slot("web")["id"])
    assert again > pid
    with Feed(colony, f"/streams/{again}/out?feed=eventsource") as feed:
        tell(colony, again, "echo first\n")
        assert feed.event()["data"] == "first\n"


def test_two_labels_are_two_logs_and_one_label_is_one_in_order(colony):
    start(colony, {"processes": {
        "web": {"cmd": "sh -c 'echo o; echo e >&2; exec sleep 1000'", "redirect_output": ["a", "b"]},
        "one": {"cmd": "sh -c 'echo o; echo e >&2; exec sleep 1000'", "redirect_output": ["a", "a"]},
        "out": {"cmd": "sh -c 'echo o; echo e >&2; exec sleep 1000'", "redirect_output": "a"}}})
    logs = colony.state / "log"
    eventually(lambda: [(logs / name).read_text() for name in (
        "web.1.log", "web.1.err", "one.1.log", "out.1.log", "out.1.err")] ==
        ["o\n", "e\n", "o\ne\n", "o\n", "e\n"])
    assert colony.ctl("logs", "web").stdout == "o\ne\n"
    assert not (logs / "one.1.err").exists()


def test_a_thousand_follow_one_stream(colony):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("too few descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    [pid] = start(colony, SHELL)
    feeds = []
    try:
        for _ in range(1000):
            feeds.append(Feed(colony, f"/streams/{pid}/out?feed=eventsource"))
        for line in ("first", "second"):
            tell(colony, pid, f"echo {line}\n")
            assert all(feed.event()["data"] == line + "\n" for feed in feeds)
        tell(colony, pid, "exit\n")
        assert all(feed.event() is None for feed in feeds)
    finally:
        for feed in feeds:
            feed.__exit__()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def rss(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_followers_who_never_read_cost_little_and_are_told_what_they_missed(colony):
    [pid] = start(colony, SHELL)
    before = rss(colony.engine)
    slow = [Feed(colony, f"/streams/{pid}/out?feed=eventsource") for _ in range(20)]
    try:
        with Feed(colony, f"/streams/{pid}/err?feed=eventsource") as quick:
            tell(colony, pid, "seq 1 3000000; echo done >&2\n") # 23 MB
            assert quick.event()["data"] == "done\n"
        if "/asan/" not in BINARY:  # which keeps what was freed
            assert rss(colony.engine) - before < 20 << 20
        missed, told = 0, 0
        tell(colony, pid, "exit\n")
        while event := slow[0].event():
            if event["event"] == "dropped":
                missed += json.loads(event["data"])["bytes"]
            else:
                told += len(event["data"])
        assert missed > 0
        assert missed + told == 22888896
    finally:
        for feed in slow:
            feed.__exit__()


def test_nobody_who_follows_slows_the_log(colony):
    [pid] = start(colony, SHELL)
    with Feed(colony, f"/streams/{pid}/out?feed=continuous"):
        tell(colony, pid, "seq 1 300000\n")
        eventually(lambda: colony.output("web").endswith(b"\n300000\n"))
    assert colony.output("web").split() == [b"%d" % n for n in range(1, 300001)]


# Input


def test_bodies_of_many_writers_never_mix(colony):
    [pid] = start(colony, {"processes": {"web": {"cmd": "cat", **BOTH}}})
    bodies = [bytes([65 + i]) * 20000 + b"\n" for i in range(20)]

    def write(body):
        for _ in range(3):
            while True:
                answer = colony.http("POST", f"/streams/{pid}/stdin", body)
                if answer.status != 503:
                    break
                assert answer.headers["Retry-After"] == "1"
                time.sleep(0.01)
            assert answer.json() == {"ok": True}

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(write, bodies))
    eventually(lambda: len(colony.output("web")) == 3 * sum(map(len, bodies)))
    lines = colony.output("web").splitlines(keepends=True)
    assert sorted(lines) == sorted(bodies * 3)


def test_a_body_is_answered_once_it_is_in_the_pipe(colony):
    gate = colony.folder / "gate"
    [pid] = start(colony, late(gate))
    answered = threading.Event()
    body = b"x" * 300000 + b"\n"

    def write():
        answer = tell(colony, pid, body)
        assert answer.status == 200
        answered.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert not answered.wait(0.3) # the pipe is full and nobody reads
    gate.touch()
    thread.join(20)
    assert answered.is_set()
    eventually(lambda: colony.output("web") == body)


def test_a_full_queue_is_503_with_retry_after_and_an_end_is_told(colony):
    [pid] = start(colony, {"processes": {"web": {"cmd": "sleep 1000", **BOTH}}})
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        all_of_them = [pool.submit(tell, colony, pid, b"x" * 600000) for _ in range(3)]
        eventually(lambda: sum(one.done() for one in all_of_them) == 2)
        for one in all_of_them:
            if one.done():
                assert error_of(one.result()) == (503, "unavailable")
                assert one.result().headers["Retry-After"] == "1"
        [waiting] = [one for one in all_of_them if not one.done()]
        colony.http("POST", f"/processes/{pid}/_stop?wait=20")
        assert error_of(waiting.result(20)) == (409, "not_running")
    assert error_of(tell(colony, pid, "x")) == (404, "not_found")


def test_one_that_closed_its_stdin_is_409(colony):
    [pid] = start(colony, {"processes": {"web": {"cmd": "sh -c 'exec sleep 1000 <&-'", **BOTH}}})
    eventually(lambda: error_of(tell(colony, pid, "x")) == (409, "not_running"))


def test_an_empty_body_is_written_at_once(colony):
    [pid] = start(colony, SHELL)
    assert tell(colony, pid, "").json() == {"ok": True}


def test_a_writer_that_hangs_up_tears_nothing(colony):
    gate = colony.folder / "gate"
    [pid] = start(colony, late(gate))
    body = b"y" * 200000 + b"\n"
    head = f"POST /streams/{pid}/stdin HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with Feed(colony, "/ping") as client:
        client.file.read(2)
        client.sock.sendall(head.encode() + body)
        wait_full(colony.slot("web")["os_pid"])
    gate.touch()
    tell(colony, pid, "after\n")
    eventually(lambda: colony.output("web") == body + b"after\n")


@pytest.mark.parametrize("kill", ["engine", "keeper"])
def test_stdin_and_outputs_outlive_a_kill(colony, kill):
    [pid] = start(colony, SHELL)
    tell(colony, pid, "echo before; echo b >&2\n")
    eventually(lambda: colony.output("web") == b"before\n")
    killed = getattr(colony, kill)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: colony.answers() and killed not in (colony.keeper, colony.engine))
    eventually(lambda: colony.slot("web")["id"] == pid)
    with Feed(colony, f"/streams/{pid}/.?feed=eventsource") as feed:
        assert tell(colony, pid, "echo after; sleep 0.2; echo a >&2\n").json() == {"ok": True}
        assert [feed.event()["data"], feed.event()["data"]] == ["after\n", "a\n"]
    # Who follows may be told a moment before it is in the file.
    eventually(lambda: (colony.state / "log" / "web.1.err").read_text() == "b\na\n")


def test_a_body_that_comes_too_slowly_or_is_too_large_is_not_written(colony):
    colony.start({"http": {"request_timeout": 1, "max_body_bytes": 65536}, **SHELL})
    pid = colony.wait_state("web", "running")["id"]
    head = f"POST /streams/{pid}/stdin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n"
    with Feed(colony, "/ping") as client:
        client.file.read(2)
        client.sock.sendall(head.encode() + b"echo ")
        assert client.file.readline().startswith(b"HTTP/1.1 408")
    assert error_of(tell(colony, pid, b"x" * 65537)) == (413, "too_large")
    tell(colony, pid, "echo whole\n")
    eventually(lambda: colony.output("web") == b"whole\n")


def test_a_template_that_is_removed_ends_what_follows_it(colony):
    [pid] = start(colony, SHELL)
    with Feed(colony, f"/streams/{pid}/.?feed=eventsource") as feed:
        tell(colony, pid, "echo last\n")
        assert feed.event()["data"] == "last\n"
        assert colony.http("DELETE", "/processes/web").status == 200
        assert feed.event() is None


def test_follow_and_restart_while_it_writes_leaves_nothing_behind(colony):
    [pid] = start(colony, {"processes": {"web": {"cmd": "yes", "restart": {"delay": "0.01s", "factor": 1},
                                                 "log": {"size": "64KiB", "count": 1}, **BOTH}}})
    before = len(os.listdir(f"/proc/{colony.engine}/fd"))
    for _ in range(20):
        pid = eventually(lambda: colony.slot("web")["id"])
        feed = Feed(colony, f"/streams/{pid}/.?feed=continuous")
        if feed.status == 200:
            feed.chunk()
            colony.http("POST", f"/processes/{pid}/_signal/9")
            for _ in iter(feed.chunk, b""):
                pass
        feed.__exit__()
    eventually(lambda: len(os.listdir(f"/proc/{colony.engine}/fd")) <= before + 2)
