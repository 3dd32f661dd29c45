# SPDX-License-Identifier: Apache-2.0
"""Output that a process writes itself, into files that its settings name."""

import json
import os
import stat
import subprocess
import threading

import pytest

from conftest import BINARY, eventually, needs_root

TALKS = "echo to out; echo to err >&2; exec sleep 1000"


def settings(colony, **log):
    log = {key: str(colony.folder / path) for key, path in log.items()}
    return {"processes": {"it": {"shell": True, "cmd": TALKS, "log": {"direct": True, **log}}}}


def start(colony, **log):
    colony.start(settings(colony, **log))
    return colony.wait_state("it", "running")


def read(colony, name):
    path = colony.folder / name
    return path.read_text() if path.exists() else ""


def test_stdout_and_stderr_have_files_of_their_own(colony):
    slot = start(colony, out="it.out", err="it.err")
    eventually(lambda: read(colony, "it.out") == "to out\n" and read(colony, "it.err") == "to err\n")
    assert slot["output"] == "direct"
    for name in ("it.out", "it.err"):
        assert stat.S_IMODE((colony.folder / name).stat().st_mode) == 0o600
    assert not (colony.state / "log" / "it.1.log").exists()


def test_stderr_goes_along_unless_it_is_given_one(colony):
    start(colony, out="it.out")
    eventually(lambda: sorted(read(colony, "it.out").splitlines()) == ["to err", "to out"])


def test_the_same_file_twice_is_one(colony):
    start(colony, out="it.out", err="it.out")
    eventually(lambda: sorted(read(colony, "it.out").splitlines()) == ["to err", "to out"])
    assert colony.ctl("logs", "it").stdout.count("to out") == 1


def test_stderr_alone_may_be_put_elsewhere(colony):
    start(colony, err="it.err")
    eventually(lambda: read(colony, "it.err") == "to err\n" and colony.output("it") == b"to out\n")


def test_they_are_appended_to(colony):
    (colony.folder / "it.out").write_text("before\n")
    start(colony, out="it.out", err="it.err")
    eventually(lambda: read(colony, "it.out") == "before\nto out\n")
    colony.ctl("restart", "it")
    eventually(lambda: read(colony, "it.out") == "before\nto out\nto out\n")


def test_logs_shows_and_follows_both(colony):
    for folder in ("out", "err"):
        (colony.folder / folder).mkdir()
    start(colony, out="out/it.out", err="err/it.out")
    eventually(lambda: read(colony, "err/it.out"))
    eventually(lambda: sorted(colony.ctl("logs", "it").stdout.splitlines()) == ["to err", "to out"])
    lines = []
    follower = subprocess.Popen([BINARY, "ctl", "--state", str(colony.state), "logs", "-f", "it"],
                                stdout=subprocess.PIPE, text=True)
    reader = threading.Thread(target=lambda: lines.extend(follower.stdout), daemon=True)
    reader.start()
    try:
        eventually(lambda: len(lines) == 2)
        for name in ("out/it.out", "err/it.out"):
            with open(colony.folder / name, "a", encoding="utf-8") as file:
                file.write(f"more {name}\n")
            eventually(lambda name=name: f"more {name}\n" in lines)
    finally:
        follower.kill()
        follower.wait()


def test_all_of_a_template_write_to_the_same_file(colony):
    more = settings(colony, out="it.out", err="it.err")
    more["processes"]["it"]["numprocesses"] = 3
    colony.start(more)
    eventually(lambda: read(colony, "it.out") == "to out\n" * 3)
    assert colony.http("GET", "/logs/it").text.count("to out") == 3


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "no folder"])
def test_what_is_no_file_is_refused_and_blocks_nobody(colony, kind):
    path = colony.folder / "it.out"
    if kind == "link":
        path.symlink_to("/dev/null")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    colony.start(settings(colony, out="no/it.out" if kind == "no folder" else "it.out"))
    slot = eventually(lambda: colony.slot("it")["failure"] and colony.slot("it"))
    assert "it.out" in slot["failure"] and not slot["os_pid"]
    assert colony.http("GET", "/ping").status == 200


@needs_root
def test_a_file_of_somebody_else_is_refused_to_root(colony):
    path = colony.folder / "it.out"
    path.touch()
    os.chown(path, 65534, 65534)
    colony.start(settings(colony, out="it.out"))
    slot = eventually(lambda: colony.slot("it")["failure"] and colony.slot("it"))
    assert "belongs to somebody else (uid 65534)" in slot["failure"]
    assert path.read_bytes() == b""


def test_they_are_shown_as_they_were_given(colony):
    start(colony, out="it.out", err="it.err")
    log = colony.http("GET", "/processes/it").json()["log"]
    assert (log["out"], log["err"]) == (str(colony.folder / "it.out"), str(colony.folder / "it.err"))


def test_what_writes_its_own_files_is_let_go_of_by_a_kill_of_all(colony):
    slot = start(colony, out="it.out", err="it.err")
    colony.kill_both()
    colony.start(settings(colony, out="it.out", err="it.err"))
    assert colony.wait_state("it", "running")["os_pid"] == slot["os_pid"]
    assert colony.slot("it")["output"] == "direct"


@pytest.mark.parametrize("log, text", [
    ({"out": "/tmp/x"}, "add direct: true"),
    ({"direct": True, "out": "x"}, "`out`: it must be a path of a file, from / on"),
    ({"direct": True, "err": "/tmp/"}, "`err`: it must be a path of a file, from / on"),
])
def test_paths_that_are_none_are_refused(colony, log, text):
    colony.start()
    answer = colony.http("POST", "/processes", json.dumps({"name": "it", "cmd": "x", "log": log}))
    assert answer.status == 400 and text in answer.text, answer.text
