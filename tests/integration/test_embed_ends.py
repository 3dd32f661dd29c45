# SPDX-License-Identifier: Apache-2.0
"""How an engine in a program ends where its keeper does not do its part, or descriptors are short."""

import os
import pathlib
import signal
import subprocess

import pytest

from conftest import BINARY, alive, eventually
from test_embed import embedded_fixture, keeper_of, running, settings  # noqa: F401 (a fixture)


@pytest.fixture(name="script")
def script_fixture(tmp_path):
    """A program to be run as keeper, which notes its pid and is killed at last."""
    path = tmp_path / "keeper"

    def write(commands):
        path.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\n{commands}\n")
        path.chmod(0o755)
        return path
    yield write
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def run(scenario, keeper, state):
    done = subprocess.run([pathlib.Path(BINARY).parent / "ends", scenario, keeper, state],
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("scenario", ["scarce", "graceful", "added"])
def test_a_program(scenario, tmp_path):
    run(scenario, BINARY, tmp_path / "state")


def test_who_frees_an_engine_does_not_wait_for_a_keeper_that_says_nothing(script, tmp_path):
    run("mute", script("exec sleep 1000"), tmp_path / "state")


def test_a_keeper_that_says_nothing_is_told(embedded, script, tmp_path):
    program = embedded("own", f"program={script('exec sleep 1000')}", f"state={tmp_path / 's'}")
    program.wait(f"stopped 0 -71 cannot work with {tmp_path}/keeper as keeper: it says nothing")
    program.finish()


def test_a_keeper_that_does_not_end_is_told(embedded, script, tmp_path):
    keeper = script(f"{BINARY} \"$@\"\nexec sleep 1000")
    program = embedded("own", f"program={keeper}", f"state={tmp_path / 's'}", settings("sleep 1000"))
    program.wait("ready 0")
    pids = running(tmp_path / "s")
    program.say("stop")
    program.wait(f"stopped 0 -110 cannot wait for the end of {keeper} as keeper")
    assert not [pid for pid in pids if alive(pid)]
    program.finish()


def test_a_stopped_keeper_is_given_up_after_a_second_stop_and_ends_what_runs_when_it_goes_on(embedded, tmp_path):
    states = [tmp_path / str(i) for i in range(6)]  # some of the keepers are stopped while they start a process
    groups = [["--", f"program={BINARY}", f"state={state}", settings("sleep 1000")] for state in states]
    program = embedded("own", *sum(groups, [])[1:])
    keepers, pids = [], []
    try:
        for state in states:
            eventually((state / "lock").read_text)
            pids += running(state)
            keepers.append(keeper_of(state))
            os.kill(keepers[-1], signal.SIGSTOP)
        program.wait(*(f"ready {i}" for i in range(len(states))))
        program.say("stop")
        program.say("stop")
        program.wait(*(f"stopped {i} -110 cannot wait for what " for i in range(len(states))))
    finally:
        for keeper in keepers:
            os.kill(keeper, signal.SIGCONT)
    eventually(lambda: not [pid for pid in keepers + pids if alive(pid)], seconds=20)
    program.finish()
