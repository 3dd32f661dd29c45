# SPDX-License-Identifier: Apache-2.0
"""Engines in a program (tests/integration/embedded.c): its keeper, who dies, what is left."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import BINARY, alive, eventually
from receiver import Receiver
from test_access import free_port

PROGRAM = pathlib.Path(BINARY).parent / "embed/embedded"


class Embedded:
    def __init__(self, *args, log=False, tmp=None):
        env = dict(os.environ, TMPDIR=str(tmp or tempfile.gettempdir()))
        env.update({"EMBEDDED_LOG": "1"} if log else {})
        self.process = subprocess.Popen([PROGRAM, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=env)
        self.lines = []

    def wait(self, *beginnings):
        """Reads on until there was a line for each."""
        missing = [text for text in beginnings if not any(line.startswith(text) for line in self.lines)]
        while missing:
            line = self.process.stdout.readline()
            assert line, f"{missing} missing after {self.lines}: {self.process.stderr.read()}"
            self.lines.append(line.rstrip("\n"))
            missing = [text for text in missing if not self.lines[-1].startswith(text)]

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def finish(self):
        """Stops all; what it has said, sorted."""
        self.say("stop")
        out, err = self.process.communicate("end\n", timeout=20)
        assert (self.process.returncode, err) == (0, "")
        return sorted(self.lines + out.splitlines())


@pytest.fixture(name="embedded")
def embedded_fixture():
    with contextlib.ExitStack() as stack:
        def start(*args, **options):
            program = Embedded(*args, **options)
            stack.callback(program.process.wait)
            stack.callback(program.process.kill)
            return program
        yield start


def settings(*commands):
    return "text=" + json.dumps({"processes": [
        {"name": f"p{i}", "cmd": command, "redirect_input": True, "graceful_timeout": 1}
        for i, command in enumerate(commands)]})



def keeper_of(state):
    """The pid that the lock names, once it lives."""
    pid = int((state / "lock").read_text())
    return pid if alive(pid) else 0


def children(pid):
    return sorted(int(child) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children")
                  for child in path.read_text().split())


def running(state, count=1):
    """The pids of what the keeper has started."""
    keeper = eventually(lambda: keeper_of(state))
    return eventually(lambda: len(children(keeper)) == count and children(keeper), what="processes")


def living(state):
    """The pids that its control endpoint tells; nothing while that does not answer."""
    said = subprocess.run([BINARY, "ctl", "--state", state, "ps", "--json"], capture_output=True, text=True,
                          timeout=20, check=False).stdout
    return sorted(slot["os_pid"] or 0 for slot in json.loads(said or "[]"))


@pytest.mark.parametrize("mode", ["own", "shared"])
def test_several_engines_run_in_one_program(embedded, tmp_path, mode):
    states = [tmp_path / "a", tmp_path / "b"]
    program = embedded(mode, f"program={BINARY}", f"state={states[0]}", settings("sleep 1000"),
                       "--", f"program={BINARY}", f"state={states[1]}", settings("sleep 1001", "sleep 1002"))
    program.wait("ready 0", "ready 1")
    pids = running(states[0]) + running(states[1], 2)
    assert not children(program.process.pid), "a keeper is nobody's child"
    said = program.finish()
    assert "SIGCHLD" not in said and "children 0" in said
    assert {"stopped 0 0 ", "stopped 1 0 "} <= set(said)
    assert not [pid for pid in pids if alive(pid)]
    if mode == "shared":
        assert {"freed 0", "freed 1", "loop 0"} <= set(said)


def test_it_says_nothing_by_itself(embedded, tmp_path):
    program = embedded("own", f"program={BINARY}", f"state={tmp_path / 's'}", settings("sleep 1000"))
    program.wait("ready 0")
    assert program.finish() == ["children 0", "ran 0 0 ", "ready 0", "stopped 0 0 "]


def test_the_logger_has_what_engine_and_keeper_say(embedded, tmp_path):
    state = tmp_path / "s"
    program = embedded("own", f"program={BINARY}", f"state={state}", settings("sleep 1000"), log=True)
    program.wait("ready 0")
    running(state)
    os.kill(keeper_of(state), signal.SIGKILL)
    program.wait("log 0 the keeper is gone", "log 2 took over 1 running process")
    program.finish()


def test_a_state_folder_of_its_own_is_gone_at_the_end(embedded, tmp_path):
    program = embedded("own", f"program={BINARY}", settings("sleep 1000"), tmp=tmp_path)
    program.wait("ready 0")
    assert len(list(tmp_path.glob("colony-*"))) == 1
    program.finish()
    assert not list(tmp_path.iterdir())


def test_settings_come_from_a_file(embedded, tmp_path):
    file = tmp_path / "colony.yaml"
    file.write_text("processes: [{name: one, cmd: sleep 1000}]\n")
    program = embedded("own", f"program={BINARY}", f"state={tmp_path / 's'}", f"load={file}")
    program.wait("ready 0")
    running(tmp_path / "s")
    program.finish()


@pytest.mark.parametrize("wrong, reason", [
    ("text=processes: [{name: a}]", "settings:1:"),
    ("load=/nowhere/colony.yaml", "/nowhere/colony.yaml"),
    ("program=/nowhere/colony", "cannot run /nowhere/colony as keeper: No such file or directory"),
    ("leaves=yes", "what is left running needs a state folder"),
    ("text=http: {bind: 127.0.0.1:0}", "add colony_http_controller()"),
])
def test_what_is_wrong_is_told_before_anything_runs(embedded, wrong, reason):
    program = embedded("shared", f"program={BINARY}", wrong)
    program.wait("failed 0")
    assert reason in program.lines[-1]
    assert "ready 0" not in program.finish()


def test_a_program_that_is_no_colony_is_told(embedded, tmp_path):
    program = embedded("own", "program=/bin/true", f"state={tmp_path / 's'}")
    program.wait("ran 0 -71 cannot work with /bin/true as keeper")
    program.finish()


def test_a_state_folder_of_its_own_is_removed_by_who_is_left(embedded, tmp_path):
    program = embedded("own", "program=/bin/true", tmp=tmp_path)
    program.wait("ran 0 -71 ")
    program.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_state_folder_that_is_held_is_told_with_its_holder(embedded, tmp_path):
    state = tmp_path / "s"
    first = embedded("own", f"program={BINARY}", f"state={state}")
    first.wait("ready 0")
    second = embedded("shared", f"program={BINARY}", f"state={state}")
    second.wait("failed 0 -16")
    assert f"pid {keeper_of(state)}" in second.lines[-1]
    second.finish()
    first.finish()


def test_a_killed_keeper_is_replaced_and_the_processes_go_on(embedded, tmp_path):
    state = tmp_path / "s"
    program = embedded("own", f"program={BINARY}", f"state={state}", "http=1", settings("sleep 1000", "cat"))
    program.wait("ready 0")
    pids = running(state, 2)
    keeper = keeper_of(state)
    eventually(lambda: living(state) == pids, what="the engine has their pipes")
    for _ in range(3):
        os.kill(keeper, signal.SIGKILL)
        keeper = eventually(lambda old=keeper: keeper_of(state) not in (0, old) and keeper_of(state))
        eventually(lambda: living(state) == pids, what="all that lives is told again")
    assert all(alive(pid) for pid in pids), "cat did not even see the end of its input"
    said = program.finish()
    assert said.count("ready 0") == 1 and "SIGCHLD" not in said
    assert not [pid for pid in pids if alive(pid)]


def test_nothing_is_left_of_a_program_that_was_killed(embedded, tmp_path):
    program = embedded("own", f"program={BINARY}", settings("sleep 1000", "sh -c 'trap \"\" TERM; sleep 1000'"),
                       tmp=tmp_path)
    program.wait("ready 0")
    state = next(tmp_path.glob("colony-*"))
    keeper = keeper_of(state)
    pids = running(state, 2)
    program.process.kill()
    eventually(lambda: not alive(keeper) and not [pid for pid in pids if alive(pid)], seconds=20)
    assert not list(tmp_path.iterdir())


def test_what_leaves_outlives_its_program_and_is_taken_over(embedded, tmp_path):
    state = tmp_path / "s"
    args = ("own", f"program={BINARY}", f"state={state}", "leaves=yes", settings("sleep 1000"))
    first = embedded(*args)
    first.wait("ready 0")
    pids = running(state)
    keeper = keeper_of(state)
    first.process.kill()
    eventually(lambda: not alive(keeper), what="the end of the keeper")
    second = embedded(*args, log=True)
    second.wait("log 2 took over 1 running process", "ready 0")
    second.finish()
    assert all(alive(pid) for pid in pids)
    last = embedded(*args[:3], settings("sleep 1000"))
    last.wait("ready 0")
    last.finish()
    assert not [pid for pid in pids if alive(pid)]


def test_what_leaves_is_taken_over_at_once_by_a_program_that_is_started_again(embedded, tmp_path):
    args = ("own", f"program={BINARY}", f"state={tmp_path / 's'}", "leaves=yes", settings("sleep 1000"))
    for _ in range(10):
        program = embedded(*args)
        program.wait("ready 0")
        eventually(lambda: keeper_of(tmp_path / "s"))
        program.process.kill()
        program.process.wait()
    last = embedded(*args[:3], settings("sleep 1000"))
    last.wait("ready 0")
    last.finish()


@pytest.mark.parametrize("mode, place", [
    ("own", "ready"), ("own", "event"), ("own", "post"), ("own", "stopped"),
    ("shared", "start"), ("shared", "ready"), ("shared", "event"), ("shared", "post"), ("shared", "stopped")])
def test_an_engine_is_freed_in_any_callback_and_then_calls_no_other(embedded, tmp_path, mode, place):
    program = embedded(mode, f"program={BINARY}", f"state={tmp_path / 's'}", settings("sleep 1000"), f"free={place}")
    if place == "stopped":
        program.wait("ready 0")
        program.say("stop")
    program.wait("freed 0", {"own": "ran 0 0 ", "shared": "loop 0"}[mode])
    said = program.finish()
    assert [line for line in said if line.startswith("stopped")] == (["stopped 0 0 "] if place == "stopped" else [])
    assert said.count("freed 0") == 1 and (place != "start" or "ready 0" not in said)
    keeper = int((tmp_path / "s" / "lock").read_text())
    eventually(lambda: not alive(keeper), what="the keeper's end")  # it has let go of all it had


def test_what_waits_to_be_posted_is_posted_after_the_keeper_was_killed(embedded, tmp_path):
    state, port = tmp_path / "s", free_port()
    text = json.dumps({"processes": [{"name": "web", "cmd": "sleep 1000"}],
                       "webhooks": {"spawn": f"http://127.0.0.1:{port}/"}})
    program = embedded("own", f"program={BINARY}", f"state={state}", "text=" + text, "webhooks=yes", log=True)
    program.wait("ready 0", "log 1 webhook 1 cannot post")
    os.kill(keeper_of(state), signal.SIGKILL)
    program.wait("log 2 took over 1 running process", "log 2 serves")
    with Receiver(port=port) as receiver:
        assert receiver.next("spawn", seconds=20).json()["name"] == "web"
        assert not any("gives up" in line for line in program.lines)
        program.finish()


@pytest.mark.parametrize("how", ["program", "essential"])
def test_an_end_goes_on_when_the_keeper_is_killed_in_it(embedded, tmp_path, how):
    """... with the grace of those who are still to end: it was asked for once."""
    state, traps, asked, left = (tmp_path / name for name in ("s", "traps", "asked", "left"))
    script = (f"trap 'touch {asked}; sleep 2; touch {left}; exit' TERM; touch {traps}; "
              "while :; do sleep 0.1; done")
    text = json.dumps({"processes": [{"name": "slow", "cmd": "sh", "args": ["-c", script], "graceful_timeout": 10},
                                     {"name": "quick", "cmd": "sleep 1000", "restart": "never", "essential": True,
                                      "depends_on": ["slow"]}]})
    program = embedded("own", f"program={BINARY}", f"state={state}", "text=" + text, log=True)
    program.wait("ready 0")
    pids = running(state, 2)
    eventually(traps.exists)
    if how == "program":
        program.say("stop")
    else:
        quick = next(pid for pid in pids if b"sleep" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        os.kill(quick, signal.SIGKILL)
    eventually(asked.exists, what="the stop")
    os.kill(keeper_of(state), signal.SIGKILL)
    program.wait("log 0 the keeper is gone", "stopped 0 0")
    assert left.exists()
    assert not [pid for pid in pids if alive(pid)]
    program.finish()


def test_a_stop_while_there_is_no_keeper_ends_at_once_and_tells_what_lives_on(embedded, tmp_path):
    state, link = tmp_path / "s", tmp_path / "colony"
    link.symlink_to(BINARY)
    program = embedded("own", f"program={link}", f"state={state}", settings("sleep 1000"), log=True)
    program.wait("ready 0")
    pids = running(state)
    link.unlink()
    os.kill(keeper_of(state), signal.SIGKILL)
    program.wait(f"log 0 cannot run {link} as keeper: No such file or directory: is tried again in 1600 ms")
    begin = time.monotonic()
    program.say("stop")
    program.wait(f"stopped 0 -2 cannot stop what runs, which lives on: cannot run {link} as keeper")
    assert time.monotonic() - begin < 1
    program.finish()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_a_keeper_has_none_of_the_programs_descriptors(embedded, tmp_path):
    (tmp_path / "secret").write_text("x")
    reading = os.open(tmp_path / "secret", os.O_RDONLY)
    os.set_inheritable(reading, True)
    process = subprocess.Popen([PROGRAM, "own", f"program={BINARY}", f"state={tmp_path / 's'}"], pass_fds=[reading],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready 0\n"
        keeper = keeper_of(tmp_path / "s")
        links = [os.readlink(path) for path in pathlib.Path(f"/proc/{keeper}/fd").iterdir()]
        assert str(tmp_path / "secret") not in links
        assert str(tmp_path / "s" / "lock") in links
    finally:
        process.communicate("stop\nend\n", timeout=20)
        os.close(reading)
