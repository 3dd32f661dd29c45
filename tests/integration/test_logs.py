# SPDX-License-Identifier: Apache-2.0
"""Where output goes: captured and rotated without losing a byte, direct, or nowhere."""
import os
import re
import signal
import stat

import pytest

from conftest import eventually

PYTHON = "/usr/bin/python3"

# Lines of all lengths from 1 to WIDTH, in writes that do not end where lines do.
LINES = """
import os, sys, time
count, width, size = map(int, sys.argv[1:4])
data = b"".join(b"%06d " % i + b"x" * (i * 7919 % width) + b"\\n" for i in range(count))
for at in range(0, len(data), size):
    os.write(1, data[at:at + size])
time.sleep(1000)
"""

BOTH = """
import os, time
for i in range(2000):
    os.write(1 + i % 2, b"%06d\\n" % i)
time.sleep(1000)
"""


def lines(count, width):
    return b"".join(b"%06d " % i + b"x" * (i * 7919 % width) + b"\n" for i in range(count))


def writer(count, size=1000, width=100, log=None):
    return {"cmd": PYTHON, "args": ["-c", LINES, str(count), str(width), str(size)],
            "log": log or {}}


def shell(script, **settings):
    return {"cmd": "sh", "args": ["-c", script], **settings}


def files(colony, name="it"):
    """The files of slot 1, the oldest first."""
    folder = colony.state / "log"
    found = [path for path in folder.iterdir()
             if re.fullmatch(re.escape(name) + r"\.1\.log(\.\d+)?", path.name)]
    return sorted(found, key=lambda path: -int(path.suffix[1:] if path.suffix != ".log" else 0))


def wait_for(colony, expected, name="it"):
    """Waits until all files together are just that; while they are rotated they cannot be read."""
    eventually(lambda: colony.output(name) == expected, what=f"{len(expected)} bytes of output")


# Rotation.

@pytest.mark.parametrize("size", [1, 997, 4096, 65536])
def test_rotation_keeps_every_byte(colony, size):
    count = 300 if size == 1 else 6000
    colony.start({"processes": {"it": writer(count, size, log={"size": 4096, "count": 1000})}})
    expected = lines(count, 100)
    wait_for(colony, expected)
    assert len(files(colony)) > len(expected) // 8192


def test_rotated_files_end_with_whole_lines_near_the_size(colony):
    colony.start({"processes": {"it": writer(6000, log={"size": 8192, "count": 1000})}})
    wait_for(colony, lines(6000, 100))
    for path in files(colony)[:-1]:
        data = path.read_bytes()
        assert data.endswith(b"\n") and re.match(rb"\d{6} ", data)
        assert 8192 <= len(data) < 8192 + 110


def test_lines_longer_than_the_size_are_whole(colony):
    colony.start({"processes": {"it": writer(40, width=20000, log={"size": 4096,
                                                                  "count": 1000})}})
    wait_for(colony, lines(40, 20000))
    for path in files(colony)[:-1]:
        assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_no_more_old_files_are_kept_than_count(colony, count):
    colony.start({"processes": {"it": writer(6000, log={"size": 4096, "count": count})}})
    expected = lines(6000, 100)
    last = expected[-max(count * 4096, 200):]
    eventually(lambda: colony.output("it").endswith(last), what="the last lines")
    assert expected.endswith(colony.output("it"))
    assert len(files(colony)) == count + 1


def test_rotation_goes_on_over_an_engine_kill(colony):
    script = LINES.replace("os.write(1", "time.sleep(0.0005); os.write(1")
    colony.start({"processes": {"it": {"cmd": PYTHON, "args": ["-c", script, "6000", "100", "500"],
                                       "log": {"size": 4096, "count": 1000}}}})
    expected = lines(6000, 100)
    for share in (0.2, 0.5, 0.8):
        eventually(lambda share=share: len(colony.output("it")) > share * len(expected))
        os.kill(colony.engine, signal.SIGKILL)
    wait_for(colony, expected)
    for path in files(colony)[:-1]:
        assert path.read_bytes().endswith(b"\n")


# Order and restarts.

def test_stdout_and_stderr_keep_their_order(colony):
    colony.start({"processes": {"it": {"cmd": PYTHON, "args": ["-c", BOTH]}}})
    wait_for(colony, b"".join(b"%06d\n" % i for i in range(2000)))


def test_the_log_goes_on_over_restarts(colony):
    colony.start({"processes": {"it": shell("echo one; exec sleep 1000")}})
    wait_for(colony, b"one\n")
    for count in (2, 3, 4):
        assert colony.http("POST", "/processes/it/_restart?wait=5").status == 200
        wait_for(colony, b"one\n" * count)
    assert colony.stop() == 0
    colony.start({"processes": {"it": shell("echo two; exec sleep 1000")}})
    wait_for(colony, b"one\n" * 4 + b"two\n")


def test_what_a_process_wrote_last_is_logged_before_colony_ends(colony):
    script = "trap 'head -c 60000 /dev/zero; echo last; exit' TERM; echo ready; " \
             "while :; do sleep 0.02; done"
    colony.start({"processes": {"it": shell(script)}})
    wait_for(colony, b"ready\n")
    assert colony.stop() == 0
    assert colony.output("it") == b"ready\n" + b"\0" * 60000 + b"last\n"


def test_each_slot_has_a_log_of_its_own(colony):
    colony.start({"processes": {"it": shell("echo $COLONY_ID; exec sleep 1000".replace("$", "$$"),
                                            numprocesses=3)}})
    for number in (1, 2, 3):
        eventually(lambda number=number: colony.output("it", number).endswith(b"/it/%d\n" % number))


# Direct and none.

def test_a_direct_log_is_the_childs_own_stdout(colony):
    colony.start({"processes": {"it": shell("echo out; echo err >&2; exec sleep 1000",
                                            log={"direct": True})}})
    path = colony.state / "log" / "it.1.log"
    eventually(lambda: path.read_bytes() == b"out\nerr\n")
    pid = colony.wait_state("it", "running")["os_pid"]
    assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (1, 2)] == [str(path)] * 2
    assert colony.slot("it")["output"] == "direct"


def test_a_direct_log_is_appended_to_and_not_rotated(colony):
    settings = {"processes": {"it": shell("head -c 10000 /dev/zero; echo; exec sleep 1000",
                                          log={"direct": True, "size": 4096})}}
    colony.start(settings)
    wait_for(colony, b"\0" * 10000 + b"\n")
    assert colony.http("POST", "/processes/it/_restart?wait=5").status == 200
    wait_for(colony, (b"\0" * 10000 + b"\n") * 2)
    assert len(files(colony)) == 1


def test_without_a_log_output_goes_to_dev_null(colony):
    colony.start({"processes": {"it": shell("echo nothing; exec sleep 1000", log="none")}})
    pid = colony.wait_state("it", "running")["os_pid"]
    assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (1, 2)] == ["/dev/null"] * 2
    assert files(colony) == []
    assert colony.slot("it")["output"] == "none"


# Who may read them, and who may not lead them astray.

@pytest.mark.parametrize("log", [{}, {"direct": True}, {"size": 4096, "count": 3}])
def test_log_files_are_for_their_owner_alone(colony, log):
    old = os.umask(0)
    try:
        colony.start({"processes": {"it": writer(400, log=log)}})
    finally:
        os.umask(old)
    eventually(lambda: colony.output("it").endswith(lines(400, 100)[-50:]))
    assert files(colony)
    for path in files(colony):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((colony.state / "log").stat().st_mode) == 0o700


@pytest.mark.parametrize("log", [{}, {"direct": True}])
def test_a_log_that_is_a_link_is_not_followed(colony, log):
    victim = colony.folder / "victim"
    victim.write_text("precious\n")
    colony.start({"processes": {}})
    assert colony.stop() == 0
    (colony.state / "log" / "it.1.log").symlink_to(victim)
    colony.start({"processes": {"it": shell("echo gotcha; exec sleep 1000", log=log)}})
    if log:
        eventually(lambda: "it.1.log" in colony.slot("it")["failure"])
    else:
        eventually(lambda: colony.slot("it")["dropped_bytes"] == 7)
    assert victim.read_text() == "precious\n"


def test_a_log_file_that_was_removed_is_made_again(colony):
    colony.start({"processes": {"it": shell("echo one; while :; do echo more; sleep 0.02; done")}})
    eventually(lambda: colony.output("it").startswith(b"one\n"))
    path = colony.state / "log" / "it.1.log"
    path.unlink()
    eventually(lambda: path.read_bytes().startswith(b"more\n"))
