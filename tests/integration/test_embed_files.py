# SPDX-License-Identifier: Apache-2.0
"""examples/embed/files.c: control files written by a program, and what a colony makes of them."""
import json
import pathlib
import subprocess

from conftest import BINARY, eventually
from directories import Directories

PROGRAM = pathlib.Path(BINARY).parent / "embed/files"


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=20, check=False)


def test_a_program_writes_what_ctl_would(tmp_path):
    conf, messages = tmp_path / "conf", tmp_path / "messages"
    conf.mkdir()
    messages.mkdir()
    done = run(conf, messages)
    assert (done.returncode, done.stdout, done.stderr) == (0, "echo\nweb\n", "")
    assert json.loads((conf / "web").read_text()) == {
        "args": ["python3", "-m", "http.server", "8000"], "env_inherit": ["PATH"], "group": ["shop"]}
    assert [json.loads(path.read_text())["type"] for path in sorted(messages.iterdir())] == [
        "RESTART", "RESTART-GROUP", "RESTART-ALL"]
    ctl = subprocess.run([BINARY, "ctl", "--messages", messages, "--config", conf, "list"], capture_output=True,
                         text=True, timeout=20, check=True)
    assert ctl.stdout == done.stdout


def test_a_colony_runs_what_the_program_has_written(colony):
    files = Directories(colony)
    files.start()
    assert run(files.conf, files.messages).returncode == 0
    files.wait_names("echo", "web")
    eventually(lambda: not list(files.messages.glob("0*")), what="messages are handled")


def test_a_folder_that_is_missing_is_told_and_nothing_is_made(tmp_path):
    done = run(tmp_path / "conf", tmp_path / "messages")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot open the folder {tmp_path}/messages: there is none" in done.stderr
    assert list(tmp_path.iterdir()) == []
