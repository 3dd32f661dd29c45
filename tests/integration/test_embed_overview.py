# SPDX-License-Identifier: Apache-2.0
"""examples/embed/overview.c: gaffer's overview, in C, does what the overview says."""
import contextlib
import pathlib
import re
import subprocess
import threading

from conftest import BINARY, UnixConnection, alive, eventually

PROGRAM = pathlib.Path(BINARY).parent / "embed/overview"


def ask(path, what):
    """What the HTTP controller answers, asked again until it is there."""
    def look():
        with contextlib.closing(UnixConnection(path, 5)) as connection:
            connection.request("GET", what)
            return connection.getresponse().read()
    return eventually(look, what=f"an answer of {path}")


def run(*args):
    return subprocess.run([PROGRAM, BINARY, *args], capture_output=True, text=True, timeout=60, check=False)


def test_each_step_is_done(tmp_path):
    done = run(tmp_path / "state")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["my controller starts", "my controller restarts"]
    assert lines[-2:] == ["stop", "my controller stops"]
    spawned = re.fullmatch(r"proc\.greeter\.spawn: greeter is process (\d+), os pid (\d+)", lines[2])
    assert spawned and not alive(int(spawned[2]))
    sample = next(line for line in lines if line.startswith("STATS: "))
    assert re.fullmatch(r"STATS: [1-9]\d* bytes, /bin/sh -c while read line; do .*; done", sample)


def test_each_line_is_heard_by_its_label_and_by_all(tmp_path):
    heard = run(tmp_path / "state").stdout
    for name in ("World", "Grace", "Ada"):
        assert heard.count(f"Hello, {name}\n") == 2, heard  # of "stdout" and of "."
        assert heard.count(f"greeted {name}\n") == 1, heard
    assert heard.index("Hello, World") < heard.index("Hello, Grace") < heard.index("Hello, Ada")


def test_the_http_controller_answers_meanwhile(tmp_path):
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(tmp_path / "state/colony.sock", "/ping")))
    asking.start()
    while asking.is_alive():  # who asks may be held up for as long as the program runs
        assert run(tmp_path / "state").returncode == 0
    assert answers == [b"OK"]


def test_without_a_state_folder_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert run().returncode == 0
    eventually(lambda: not list(tmp_path.iterdir()), what="the end of its folder")


def test_a_keeper_that_is_not_there_is_told(tmp_path):
    done = subprocess.run([PROGRAM, tmp_path / "none"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"overview: cannot run {tmp_path}/none as keeper: No such file or directory\n"
