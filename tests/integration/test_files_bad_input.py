# SPDX-License-Identifier: Apache-2.0
"""What is wrong with one file of a configuration directory is told, and is nobody else's trouble."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import alive, eventually
from directories import Directories, is_root

needs_root = pytest.mark.skipif(not is_root(), reason="needs root")


@pytest.fixture
def files(colony):
    """One that a good process runs on, which must go on whatever comes."""
    made = Directories(colony)
    made.write("good", "sleep", "1000")
    made.start()
    pid = made.running("good")
    yield made
    assert made.running("good") == pid
    made.write("better", "sleep", "1000")
    made.running("better")


@pytest.mark.parametrize("text,why", [
    (b"", ":1:1: cannot read this JSON"),
    (b'{"args": ["x"], "args": ["y"]}', ":1:17: cannot use the key `args` twice: it is on line 1"),
    (b'{"args":\n [1]}', ":2:3: cannot use `args`: its members must be texts"),
    (b'{"args": "sleep 1"}', ":1:2: cannot use `args`: it must be a list"),
    (b'{"args": []}', ":1:2: cannot use `args`: it must be a list"),
    (b'{"args": [""]}', ":1:11: cannot use `args`: the program's name is empty"),
    (b'junk', ":1:1: cannot read this JSON: there should be a text in double quotes, a number, "),
    (b'{"args": ["x"]}\nmore', ":2:1: cannot read this JSON: it goes on after its end"),
    (b'{"args": ["x"], // why\n}', ":1:17: cannot read this JSON: JSON has no comments"),
    (b'{"cmd": "sleep"}', ":1:1: cannot use this file: `args` is missing"),
    (b'["x"]', ":1:1: cannot use this file: it must be a JSON object"),
    (b'{"args": ["x"], "env": ["A"]}', ":1:17: cannot use `env`"),
    (b'{"args": ["x"], "env": {"A=B": "c"}}', "is no name of a variable"),
    (b'{"args": ["x"], "env_inherit": "A"}', ":1:17: cannot use `env_inherit`"),
    (b'{"args": ["x"], "env_inherit": [1]}', ":1:33: cannot use `env_inherit`"),
    (b'{"args": ["x"], "group": "g"}', ":1:17: cannot use `group`"),
    (b'{"args": ["x"], "uid": "nobody at all"}', "no such user"),
    (b'{"args": ["x"], "uid": 1234567}', "1234567 is no known user, so give `gid` too"),
    (b'{"args": ["x"], "uid": -1}', ":1:17: cannot use"),
    (b'{"args": ["x\\u0000y"]}', "a NUL in a string"),
    (b'{"args": ["\xff"]}', ":1:12: cannot read this JSON: a byte that is not UTF-8"),
    (b"[" * 1000, "too many lists and maps in each other"),
    (b'{"args": ["x"], "y": "' + b"z" * 140000 + b'"}', "more than a variable"),
    (b"x" * (1 << 20) + b"y", "bytes, and 1048576 are the most"),
], ids=range(24))
def test_what_a_file_cannot_say_is_told_with_its_place(files, text, why):
    files.write("bad", text)
    cause = files.wait_refused("bad", why)
    assert str(files.conf / "bad") in cause
    assert "bad" not in files.names()


def test_a_file_of_100_mb_is_not_read(files):
    with open(files.conf / "huge", "wb") as file:
        file.truncate(100 << 20)
    files.wait_refused("huge", "it has 104857600 bytes")
    with open(f"/proc/{files.colony.engine}/status", encoding="utf-8") as file:
        peak = int(file.read().split("VmHWM:")[1].split()[0])
    assert peak < 60000


def test_what_is_no_file_is_not_opened(files):
    os.mkfifo(files.conf / "fifo")
    (files.conf / "link").symlink_to(files.conf / "good")
    (files.conf / "loop").symlink_to("loop")
    (files.conf / "folder").mkdir()
    files.wait_refused("fifo", "it is a fifo")
    files.wait_refused("link", "it is a symbolic link")
    files.wait_refused("loop", "it is a symbolic link")
    files.wait_refused("folder", "it is a directory")
    assert files.names() == ["good"]


@needs_root
def test_a_device_is_not_opened(files):
    try:
        os.mknod(files.conf / "device", 0o600 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("no devices here")
    files.wait_refused("device", "it is a device")


@needs_root
def test_files_of_others_are_refused_as_root(files):
    path = files.conf / "foreign.new"
    path.write_text('{"args": ["sleep", "1000"]}')
    os.chown(path, 65534, 65534)
    path.rename(files.conf / "foreign")
    files.wait_refused("foreign", "it belongs to uid 65534", "chown it to root")
    os.chown(files.conf / "foreign", 0, 0)
    files.running("foreign")


@pytest.mark.parametrize("name,why", [
    (b"a\nb", "cannot use the name `a\\x0ab`: it has a control byte"),
    (b"caf\xe9", "cannot use the name `caf\\xe9`: it is not UTF-8"),
    (b"x" * 201, f"cannot use the name `{'x' * 200}...`: it is longer than 200 bytes")])
def test_a_name_that_is_none_is_refused(files, name, why):
    with open(bytes(files.conf) + b"/" + name, "wb") as file:
        file.write(b'{"args": ["sleep", "1000"]}')
    assert str(files.conf) in files.wait_refused(None, why)


def test_dots_in_names_lead_nowhere(files):
    files.write("a..b", "sleep", "1000")
    files.running("a..b")
    files.write("..x", "sleep", "1000")
    files.write("last", "sleep", "1000")
    files.running("last")
    assert sorted(files.names()) == ["a..b", "good", "last"]
    for name in ("..x", "a..b", "last"):
        (files.conf / name).unlink()


def test_a_name_of_digits_is_reached_with_name(files):
    files.write("8080", "sleep", "1000")
    eventually(lambda: "8080" in files.names())
    assert files.colony.http("GET", "/processes/name:8080").json()["name"] == "8080"
    files.colony.ctl("stop", "name:8080")
    os.kill(files.colony.engine, signal.SIGKILL)
    eventually(lambda: "8080" in files.names())
    answer = files.colony.http("POST", "/processes", '{"name": "9090", "cmd": "sleep 1"}')
    assert answer.status == 400


@needs_root
def test_nobody_may_be_the_user(files):
    files.write("of_nobody", "sleep", "1000", uid=65534)
    status = f"/proc/{files.running('of_nobody')}/status"
    text = pathlib.Path(status).read_text(encoding="utf-8")
    assert "Uid:\t65534\t65534\t65534\t65534" in text and "Groups:\t \n" in text


def test_a_program_that_is_not_there_is_told_of_and_tried_again(files):
    files.write("none", "no-such-program")
    eventually(lambda: files.colony.slot("none")["state"] == "backoff")
    assert "No such file" in files.colony.slot("none")["failure"]


def test_a_clock_that_was_set_back_changes_nothing(files):
    """Times of files are compared with what they were, not with the clock."""
    for name, when in (("past", 0), ("future", time.time() + 10 ** 7)):
        path = files.conf / (name + ".new")
        path.write_text('{"args": ["sleep", "1000"]}')
        os.utime(path, (when, when))
        path.rename(files.conf / name)
        pid = files.running(name)
        path.write_text('{"args": ["sleep", "2000"]}')
        os.utime(path, (when, when))
        path.rename(files.conf / name)
        files.another(name, pid)


@pytest.mark.skipif(is_root(), reason="root may read everything")
def test_what_may_not_be_read_is_refused(files):
    files.write("closed", "sleep", "1000")
    pid = files.running("closed")
    (files.conf / "closed").chmod(0)
    files.wait_refused("closed", "Permission denied")
    files.conf.chmod(0)
    eventually(lambda: "cannot look into" in files.colony.log.read_text())
    assert alive(pid)
    files.conf.chmod(0o700)


@needs_root
def test_a_directory_that_hangs_stops_neither_control_nor_the_end(colony, tmp_path):
    """The folder itself answers; whoever looks at a file in it waits for ever."""
    program = tmp_path / "hung_fuse"
    source = pathlib.Path(__file__).with_name("hung_fuse.c")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-o", program, source], check=True, timeout=60)
    files = Directories(colony)
    mount = colony.folder / "mnt"
    mount.mkdir()
    with subprocess.Popen([program, "unread", mount], stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            if server.stdout.readline() != "mounted\n":
                pytest.skip("needs the right to mount a FUSE filesystem")
            files.write("good", "sleep", "1000")
            (colony.folder / "link").symlink_to(files.conf)
            files.start("--frequency", "0.2", prefix=["nsenter", f"--mount=/proc/{server.pid}/ns/mnt"])
            pid = files.running("good")
            files.conf.rename(colony.folder / "away")
            files.conf.symlink_to(mount / "dir")
            time.sleep(1)  # so that a look is on its way into it
            assert alive(pid)
            colony.ctl("restart", "good", timeout=10)
            pid = files.another("good", pid)
            assert colony.stop(15) == 0
            assert not alive(pid) and "which does not answer" in colony.log.read_text()
        finally:
            server.kill()
