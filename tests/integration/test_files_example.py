# SPDX-License-Identifier: Apache-2.0
"""examples/ncolony: the walk through it, as its README has it, with a colony that watches."""

import os
import pathlib
import subprocess
import urllib.error
import urllib.request

import pytest

from conftest import BINARY, alive, eventually
from directories import Directories
from test_access import free_port

ADD = pathlib.Path(__file__).parents[2] / "examples" / "ncolony" / "add"


@pytest.fixture
def example(colony):
    files = Directories(colony)
    files.port = free_port()
    subprocess.run([ADD, colony.folder], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "COLONY": str(BINARY), "PORT": str(files.port)})
    return files.start()


def ctl(files, *args):
    return subprocess.run([BINARY, "ctl", "--messages", files.messages, "--config", files.conf, *args],
                          capture_output=True, text=True, check=True).stdout


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def test_what_it_adds_runs_is_restarted_changed_and_removed(example):
    web, echo = example.running("web"), example.running("echo")
    eventually(lambda: answers(example.port), what="an answer of web")
    eventually(lambda: b"hello\n" in example.colony.output("echo"), what="an echo")
    assert ctl(example, "list").split() == ["echo", "web"]
    ctl(example, "restart", "--name=echo")
    second = example.another("echo", echo)
    assert example.running("web") == web
    ctl(example, "restart-all")
    again, third = example.another("web", web), example.another("echo", second)
    port = free_port()
    ctl(example, "add", "--name=web", "--cmd=python3", "--arg=-m", "--arg=http.server",
        "--arg=--bind", "--arg=127.0.0.1", f"--arg={port}", "--env-inherit=PATH")
    example.another("web", again)
    eventually(lambda: answers(port), what="an answer on its new port")
    assert example.running("echo") == third
    ctl(example, "remove", "echo")
    eventually(lambda: not alive(third))
    example.wait_names("web")


def test_who_asks_whether_it_is_well_has_it_restarted(example):
    """httpcheck runs beside it as one more process; the web server is stopped, not ended."""
    web = example.running("web")
    eventually(lambda: answers(example.port), what="an answer of web")
    ctl(example, "add", "--name=web", "--cmd=python3", "--arg=-m", "--arg=http.server",
        "--arg=--bind", "--arg=127.0.0.1", f"--arg={example.port}", "--env-inherit=PATH",
        "--extras", f'{{"ncolony.httpcheck": {{"url": "http://127.0.0.1:{example.port}/", '
                    '"period": 0.5, "timeout": 4, "grace": 1, "maxBad": 1}}')
    web = example.another("web", web)
    eventually(lambda: answers(example.port), what="an answer of web")
    ctl(example, "add", "--name=check", f"--cmd={BINARY}", "--arg=httpcheck",
        f"--arg=--messages={example.messages}", f"--arg=--config={example.conf}")
    example.running("check")
    os.kill(web, 19)  # SIGSTOP
    example.another("web", web)
    eventually(lambda: answers(example.port), what="an answer of its successor")
