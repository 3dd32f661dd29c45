# SPDX-License-Identifier: Apache-2.0
"""What a program does with the engine in it: scenarios of calls.c and runs.c, which are such programs."""
import os
import pathlib
import subprocess

import pytest

from conftest import BINARY

SCENARIOS = {
    "calls": ["templates", "processes", "stats", "output", "input", "early", "ordered", "writers",
              "apart"],
    "runs": ["renewed", "gapless", "last_words", "reloaded", "asked", "unasked", "closed", "left",
             "again"],
}


def run(program, scenario, state, **env):
    done = subprocess.run([pathlib.Path(BINARY).parent / program, scenario, BINARY, state],
                          capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ, **env))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")  # the library itself prints nothing


@pytest.mark.parametrize("program, scenario", [(program, it) for program, names in SCENARIOS.items() for it in names])
def test_a_program(program, scenario, tmp_path):
    run(program, scenario, tmp_path / "state")


@pytest.mark.parametrize("program, scenario", [("calls", "templates"), ("calls", "stats"), ("runs", "reloaded")])
def test_a_program_with_an_allocator_of_its_own_for_cjson(program, scenario, tmp_path):
    run(program, scenario, tmp_path / "state", HOOKED="1")
