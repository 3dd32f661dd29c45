# SPDX-License-Identifier: Apache-2.0
"""colony ctl attach: a terminal, or a pipe, at the stdin and the output of one process."""

import os
import signal
import subprocess

import pytest
from conftest import BINARY, eventually
from terminal import Terminal

SHELL = {"cmd": "sh", "redirect_input": True}
UPPER = {"cmd": "sh", "args": ["-c", "while read -r line; do echo \"got <$$line>\"; done"],
         "redirect_input": True}


def attach(colony, *args, **options):
    return Terminal("ctl", "--state", colony.state, "attach", *args, **options)


def piped(colony, text, *args):
    return subprocess.run([BINARY, "ctl", "--state", str(colony.state), "attach", *args],
                          input=text, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def upper(colony):
    colony.start({"processes": {"upper": UPPER, "two": {**UPPER, "numprocesses": 2},
                                "deaf": {"cmd": "sleep", "args": ["1000"]}}})
    for name, number in (("upper", 1), ("two", 1), ("two", 2), ("deaf", 1)):
        colony.wait_state(name, "running", number)
    return colony


def test_lines_that_are_typed_reach_the_process_and_its_answers_are_shown(upper):
    with attach(upper, "upper") as terminal:
        terminal.type("hello\n")
        terminal.wait("got <hello>")
        terminal.type("a wrong\x7f\x7f\x7f\x7f\x7fright one\n")  # the terminal edits the line
        terminal.wait("got <a right one>")
        terminal.type("not sent\x1d")
        assert terminal.end() == 0
        assert terminal.is_restored()
    assert "not sent" not in upper.ctl("logs", "upper").stdout
    assert upper.slot("upper")["state"] == "running"


def test_raw_sends_each_key_at_once_and_shows_none(colony):
    colony.start({"processes": {"keys": {
        "cmd": "python3", "args": ["-uc", "import os\nwhile True: print(os.read(0, 100))"],
        "redirect_input": True}}})
    colony.wait_state("keys", "running")
    with attach(colony, "keys", "--raw") as terminal:
        eventually(lambda: not terminal.is_restored())
        terminal.type("k")
        terminal.wait("b'k'")
        terminal.type("\x03")
        terminal.wait(r"b'\x03'")
        terminal.type("\r")
        terminal.wait(r"b'\n'")
        terminal.type("\x1d")
        assert terminal.end() == 0 and terminal.is_restored()


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_given_back_also_when_a_signal_ends_it(upper, signo):
    with attach(upper, "upper") as terminal:
        eventually(lambda: not terminal.is_restored())
        terminal.process.send_signal(signo)
        assert terminal.end() == -signo
        assert terminal.is_restored()


def test_the_end_of_the_process_ends_it_and_is_told(colony):
    colony.start({"processes": {"shell": SHELL}})
    colony.wait_state("shell", "running")
    with attach(colony, "shell") as terminal:
        terminal.type("echo so $((6*7)); exit 3\n")
        assert terminal.end() == 0
        assert terminal.is_restored()
    text = terminal.text.decode()
    assert "so 42" in text and "colony ctl: shell.1 ended with status 3" in text


@pytest.mark.parametrize("how", ["killed", "upgraded"])
def test_it_goes_on_when_the_engine_is_replaced(upper, how):
    with attach(upper, "upper") as terminal:
        terminal.type("before\n")
        terminal.wait("got <before>")
        engine = upper.engine
        if how == "killed":
            os.kill(engine, signal.SIGKILL)
        else:
            upper.ctl("upgrade")
        eventually(lambda: upper.engine != engine and upper.answers())
        terminal.type("after\n")
        terminal.wait("got <after>")
        assert terminal.text.count(b"got <before>") == 1
        os.kill(upper.slot("upper")["os_pid"], signal.SIGKILL)
        assert terminal.end() == 0 and b"upper.1 was ended by SIGKILL" in terminal.text


def test_a_pipe_is_written_whole_and_what_comes_of_it_is_shown(upper):
    text = "".join(f"line {i}\n" for i in range(20000))
    out = piped(upper, text, "upper")
    assert out.returncode == 0 and out.stderr == ""
    assert out.stdout == "".join(f"got <line {i}>\n" for i in range(20000))


def test_a_byte_that_leaves_on_a_terminal_is_data_in_a_pipe(upper):
    assert piped(upper, "a\x1db\n", "upper").stdout == "got <a\x1db>\n"


def test_one_of_several_slots_must_be_chosen(upper):
    assert piped(upper, "second\n", "two.2").stdout == "got <second>\n"
    assert "got" not in upper.ctl("logs", "two", "--slot", "1").stdout
    out = piped(upper, "", "two")
    assert out.returncode == 2
    assert out.stderr == "colony ctl: cannot attach to two: it has 2 slots: say which, as two.1\n"
    assert piped(upper, "", "two.3").returncode == 4


def test_what_cannot_be_attached_to_says_why(upper):
    out = piped(upper, "x\n", "deaf")
    assert out.returncode == 77 and "set redirect_input: true" in out.stderr
    assert piped(upper, "", "nope").returncode == 4
    upper.ctl("stop", "upper")
    out = piped(upper, "", "upper")
    assert out.returncode == 3
    assert out.stderr == "colony ctl: cannot attach to upper.1: it is stopped\n"


def test_a_process_that_closes_its_stdin_is_told(colony):
    colony.start({"processes": {"shut": {
        "cmd": "sh", "args": ["-c", "exec 0<&-; echo up; exec sleep 1000"],
        "redirect_input": True}}})
    eventually(lambda: "up" in colony.ctl("logs", "shut").stdout)
    out = piped(colony, "x\n", "shut")
    assert out.returncode == 0 and "shut.1 has closed its stdin" in out.stderr


def test_a_process_that_does_not_read_does_not_keep_one_from_leaving(colony):
    colony.start({"processes": {"deaf": {"cmd": "sleep", "args": ["1000"],
                                         "redirect_input": True}}})
    colony.wait_state("deaf", "running")
    with attach(colony, "deaf", "--raw") as terminal:
        eventually(lambda: not terminal.is_restored())
        for _ in range(100):
            terminal.type("x" * 1000)
            terminal.read(0)
        terminal.type("\x1d")
        assert terminal.end() == 0 and terminal.is_restored()
