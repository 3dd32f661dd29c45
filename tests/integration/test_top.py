# SPDX-License-Identifier: Apache-2.0
"""colony top, on a real terminal (pyte shows what a person would see)."""

import os
import re
import signal
import subprocess

import pytest
from conftest import BINARY, eventually
from terminal import Terminal

pyte = pytest.importorskip("pyte")

DOWN, END = "\x1b[B", "\x1b[4~"  # of TERM=linux, which is what pyte understands
SLEEP = {"cmd": "sleep", "args": ["1000"]}
PROCESSES = {
    "web": {"cmd": "sh", "args": ["-c", "echo hello from web; exec sleep 1000"], "numprocesses": 2},
    "busy": {"cmd": "sh", "args": ["-c", "while :; do :; done"], "nice": 10},
    "fails": {"cmd": "false"},
    "idle": {**SLEEP, "start": False},
}


class Screen(pyte.Screen):
    """Of any size, down to nothing; remembers which colours were used."""

    def __init__(self, lines, columns):
        super().__init__(columns, lines)
        self.colours = set()

    def select_graphic_rendition(self, *attributes, **kwargs):
        self.colours.update(a for a in attributes if 30 <= a <= 49)
        super().select_graphic_rendition(*attributes, **kwargs)


def top(colony, *args, lines=24, columns=80, env=None):
    screen = Screen(lines, columns)
    return Terminal("top", "--state", colony.state, *args, lines=lines, columns=columns,
                    screen=(screen, pyte.ByteStream(screen)),
                    env={"TERM": "linux", **(env or {})})


def row(terminal, name):
    """The words of its row, or None."""
    for line in terminal.screen.display:
        words = line.split()
        if words and words[0] == name:
            return words
    return None


def cells(terminal, name):
    """The words of its row, which may not be drawn yet."""
    return row(terminal, name) or [""] * 10


def names(terminal):
    """Of the rows, as they are shown."""
    lines = terminal.screen.display[2:]
    end = next((i for i, line in enumerate(lines) if line.startswith("output of")), len(lines) - 1)
    return [line.split()[0] for line in lines[:end] if line.strip()]


@pytest.fixture
def served(colony):
    colony.start({"processes": PROCESSES})
    for name, number in (("web", 1), ("web", 2), ("busy", 1)):
        colony.wait_state(name, "running", number)
    return colony


def quit_top(terminal):
    terminal.type("q")
    assert terminal.end() == 0
    assert terminal.is_restored()


def test_it_shows_what_runs_and_what_that_uses(served):
    with top(served) as terminal:
        terminal.wait(lambda: names(terminal)[:1] == ["busy"] and
                      re.search(r"^busy +\S+ +\S+ +([2-9]|\d\d)", terminal.shown(), re.M))
        # Each waits: what is read may end in the middle of a screen that is being drawn.
        terminal.wait(lambda: re.match(
            r"colony top  \d\d:\d\d:\d\d  4 templates  3 of 5 up  cpu [\d.]+%  mem ",
            terminal.shown()))
        terminal.wait(lambda: re.search(r"^web +2/2 +running +[\d.]+ +[\d.]+[KM] ",
                                        terminal.shown(), re.M))
        terminal.wait(lambda: re.search("^idle +0/1 +stopped +- +- ", terminal.shown(), re.M))
        terminal.wait(lambda: re.search(r"^fails +0/1 +\S+ +\S+ +\S+ +([2-9]|\d\d)",
                                        terminal.shown(), re.M))
        terminal.wait(lambda: re.search("[▂-█]{2}", terminal.shown()))  # cpu over time
        assert all(len(line) <= 80 for line in terminal.screen.display)
        assert terminal.screen.colours
        quit_top(terminal)


def test_the_selected_ones_output_is_shown_as_it_comes(colony):
    count = {"cmd": "sh", "args": [
        "-c", "i=0; while :; do i=$$((i+1)); echo number $$i; sleep 0.05; done"]}
    colony.start({"processes": {"a": SLEEP, "b": count}})
    with top(colony, "--sort", "name") as terminal:
        terminal.wait("output of a")
        terminal.type(DOWN)
        terminal.wait("output of b")
        seen = int(re.search(r"number (\d+)", terminal.wait(
            lambda: re.search(r"number \d+", terminal.shown())).group()).group(1))
        terminal.wait(f"number {seen + 20}")
        terminal.type("o")
        terminal.wait(lambda: "output of" not in terminal.shown())
        quit_top(terminal)


def test_rows_are_sorted_and_filtered(served):
    with top(served) as terminal:
        terminal.type("n")
        terminal.wait(lambda: names(terminal) == ["busy", "fails", "idle", "web"])
        terminal.type("n")
        terminal.wait(lambda: names(terminal) == ["web", "idle", "fails", "busy"])
        terminal.type("t")
        terminal.wait(lambda: names(terminal)[:1] == ["fails"])
        terminal.type("n")
        terminal.type("/")
        terminal.wait("names with: ")
        terminal.type("b")
        terminal.wait(lambda: names(terminal) == ["busy", "web"])
        terminal.type("x\x7fu\n")
        terminal.wait(lambda: names(terminal) == ["busy"])
        terminal.type("/")
        terminal.type("\x1b")
        terminal.wait(lambda: len(names(terminal)) == 4)
        quit_top(terminal)


def test_keys_change_what_runs_once_they_are_confirmed(served):
    with top(served, "--sort", "name") as terminal:
        terminal.wait("output of busy")
        terminal.type(END)
        terminal.wait("output of web")
        terminal.type("x")
        terminal.wait("stop web? y/n")
        terminal.type("n")
        terminal.wait(lambda: "stop web?" not in terminal.shown())
        assert [slot["state"] for slot in served.slots("web")] == ["running"] * 2
        terminal.type("x")
        terminal.type("y")
        terminal.wait("web: stopping")
        terminal.wait(lambda: cells(terminal, "web")[1:3] == ["0/2", "stopped"])
        terminal.type("sy")
        terminal.wait(lambda: cells(terminal, "web")[1:3] == ["2/2", "running"])
        terminal.type("+y")
        terminal.wait(lambda: cells(terminal, "web")[1] == "3/3")
        terminal.type("-y")
        terminal.wait(lambda: cells(terminal, "web")[1] == "2/2")
        terminal.type("=4\n")
        terminal.wait("scale web to 4? y/n")
        terminal.type("n")
        terminal.wait(lambda: "scale web" not in terminal.shown())
        assert len(served.slots("web")) == 2
        terminal.type("=4\ny")
        terminal.wait("web: scaled to 4")
        terminal.wait(lambda: cells(terminal, "web")[1] == "4/4")
        first = served.slot("web")["id"]
        terminal.type("ry")
        eventually(lambda: served.slot("web")["id"] not in (None, first))
        quit_top(terminal)


def test_a_signal_is_asked_for_and_sent(colony):
    colony.start({"processes": {"web": {"cmd": "sh", "args": [
        "-c", "trap 'echo got USR1' USR1; echo up; while :; do sleep 0.05; done"]}}})
    with top(colony) as terminal:
        terminal.wait("\nup")
        terminal.type("kUSR1\n")
        terminal.wait("send web SIGUSR1? y/n")
        terminal.type("n")
        terminal.wait(lambda: "send web" not in terminal.shown())
        assert "got USR1" not in terminal.shown()
        terminal.type("kUSR1\ny")
        terminal.wait("web: sent SIGUSR1")
        terminal.wait("got USR1")
        terminal.type("knonsense\n")
        terminal.wait("cannot send nonsense: no such signal")
        quit_top(terminal)


def test_what_is_refused_is_told(served):
    with top(served, "--sort", "name") as terminal:
        terminal.wait("output of busy")
        terminal.type("=99999\n")
        terminal.wait("cannot scale to 99999")
        served.ctl("stop", "busy")
        terminal.wait(lambda: cells(terminal, "busy")[2] == "stopped")
        terminal.type("kHUP\ny")
        terminal.wait("cannot")
        quit_top(terminal)


def test_help_is_shown_and_goes_away(served):
    with top(served) as terminal:
        terminal.type("h")
        terminal.wait("select a template")
        terminal.type("h")
        terminal.wait(lambda: "select a template" not in terminal.shown() and row(terminal, "web"))
        quit_top(terminal)


def test_help_fits_60_columns(served):
    with top(served, columns=60) as terminal:
        terminal.type("h")
        terminal.wait("since each was started")
        assert not any("..." in line for line in terminal.screen.display[1:-1])
        quit_top(terminal)


def test_a_long_name_leaves_room_for_why_something_fails(colony):
    name = "a-template-whose-name-takes-more-than-a-third-of-the-screen"
    colony.start({"processes": {name: {"cmd": "false"}}})
    with top(colony, columns=100) as terminal:
        terminal.wait(lambda: "NOTE" in terminal.screen.display[1] and
                      re.search(r"^a-template-whose\S*\.\.\. .*starts again", terminal.screen.display[2]))
        assert "CPU BEFORE" not in terminal.screen.display[1]
        quit_top(terminal)


def test_it_follows_the_size_of_the_terminal(served):
    with top(served) as terminal:
        terminal.wait("output of")
        for lines, columns in ((40, 132), (10, 60), (24, 80), (3, 20), (2, 10), (1, 1), (50, 200)):
            terminal.resize(lines, columns)
            terminal.wait(lambda: terminal.screen.display[0].startswith("colony top"[:max(1, columns - 3)]))
        terminal.wait("output of")
        terminal.wait(lambda: row(terminal, "web"))
        assert len(terminal.screen.display) == 50
        quit_top(terminal)


@pytest.mark.parametrize("lines, columns", [(1, 1), (2, 5), (3, 30), (5, 12), (4, 300)])
def test_a_tiny_terminal_is_no_reason_to_fail(served, lines, columns):
    with top(served, lines=lines, columns=columns) as terminal:
        terminal.wait(lambda: terminal.text.count(b"\x1b") > 4 and not terminal.echoes())
        terminal.type("n" + DOWN + "h")
        terminal.type("h/web\n")
        terminal.read(0.5)
        assert terminal.process.poll() is None
        quit_top(terminal)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "vt100"}])
def test_it_does_without_colour(served, env):
    with top(served, env=env) as terminal:
        terminal.wait(lambda: row(terminal, "web"))
        terminal.wait("output of")
        assert not terminal.screen.colours
        quit_top(terminal)


def test_it_does_without_utf8(served):
    with top(served, env={"LC_ALL": "C", "LANG": "C"}) as terminal:
        terminal.wait(lambda: re.search("[-=+*#]{2,} *$", terminal.shown(), re.M))
        quit_top(terminal)
    assert not any(byte >= 0x80 for byte in terminal.text)


def test_it_goes_on_when_the_engine_is_replaced(served):
    with top(served, "-d", "0.1") as terminal:
        terminal.wait(lambda: row(terminal, "web"))
        for _ in range(3):
            engine = served.engine
            os.kill(engine, signal.SIGKILL)
            eventually(lambda: served.engine != engine and served.answers())
        count = len(served.slots("web"))
        served.ctl("scale", f"web={count + 1}")
        terminal.wait(lambda: cells(terminal, "web")[1] == f"{count + 1}/{count + 1}")
        quit_top(terminal)


def test_it_says_that_nobody_answers_and_comes_back(served):
    with top(served, "-d", "0.2") as terminal:
        terminal.wait(lambda: row(terminal, "web"))
        served.kill_both()
        terminal.wait("colony does not answer")
        terminal.wait(lambda: row(terminal, "web"))  # the last figures stay
        served.start({"processes": PROCESSES})
        terminal.wait(lambda: "does not answer" not in terminal.shown() and row(terminal, "web"))
        quit_top(terminal)


def test_it_costs_little_when_nothing_happens(colony):
    colony.start({"processes": {"web": SLEEP}})
    with top(colony) as terminal:
        terminal.wait(lambda: row(terminal, "web"))
        with open(f"/proc/{terminal.process.pid}/stat", encoding="utf-8") as file:
            before = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
        terminal.read(2)
        terminal.read(2)
        with open(f"/proc/{terminal.process.pid}/stat", encoding="utf-8") as file:
            after = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
        assert after - before <= 10, "ticks of 10 ms in some seconds"
        quit_top(terminal)


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_terminal_is_given_back_when_a_signal_ends_it(served, signo):
    with top(served) as terminal:
        terminal.wait(lambda: row(terminal, "web"))
        terminal.process.send_signal(signo)
        assert terminal.end() == -signo
        assert terminal.is_restored()


def test_batch_prints_one_table(served):
    out = subprocess.run([BINARY, "top", "-b", "--state", str(served.state), "--sort", "name"],
                         capture_output=True, text=True, timeout=30, check=True)
    lines = out.stdout.splitlines()
    assert lines[0].split() == ["NAME", "UP", "STATE", "CPU", "MEM", "RESTARTS", "UPTIME", "NOTE"]
    assert [line.split()[0] for line in lines[1:]] == ["busy", "fails", "idle", "web"]
    assert float(lines[1].split()[3]) > 1 and "\x1b" not in out.stdout


def test_what_is_wrong_is_one_line(colony, tmp_path):
    def fails(*args, code, says, env=None):
        out = subprocess.run([BINARY, "top", *args], capture_output=True, text=True, timeout=30,
                             stdin=subprocess.DEVNULL, env=env, check=False)
        assert out.returncode == code and says in out.stderr and out.stderr.count("\n") == 1
        assert out.stderr.startswith("colony top: ")

    colony.start({"processes": {"web": SLEEP}})
    here = ("--state", str(colony.state))
    fails(*here, code=2, says="this is no terminal (colony top -b prints one table)")
    fails(*here, "--sort", "cup", code=2, says="did you mean cpu?")
    fails("--state", str(tmp_path), code=69, says="is `colony serve` running?")
    for term in ("nonsense", "dumb"):
        with top(colony, env={"TERM": term}) as terminal:
            assert terminal.end() == 1
            assert f"cannot use this terminal: TERM is {term}" in terminal.text.decode()
            assert terminal.is_restored()


def test_ncurses_is_opened_only_by_top(served):
    linked = subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True)
    assert "ncurses" not in linked.stdout and "tinfo" not in linked.stdout
    notes = subprocess.run(["readelf", "-p", ".note.dlopen", BINARY], capture_output=True, text=True,
                           check=True)
    assert '"soname":["libncursesw.so.6"]' in notes.stdout
    for pid in (served.keeper, served.engine):
        with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            assert "ncurses" not in file.read()
