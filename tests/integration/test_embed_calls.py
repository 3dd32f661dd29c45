# SPDX-License-Identifier: Apache-2.0
"""What a program does with the engine in it: scenarios of calls.c and runs.c, which are such programs."""
import pathlib
import subprocess

import pytest

from conftest import BINARY

SCENARIOS = {
    "calls": ["templates", "processes", "stats", "output", "input", "early", "ordered", "writers"],
    "runs": ["renewed", "gapless", "reloaded", "closed", "left", "again"],
}


@pytest.mark.parametrize("program, scenario", [(program, it) for program, names in SCENARIOS.items() for it in names])
def test_a_program(program, scenario, tmp_path):
    done = subprocess.run([pathlib.Path(BINARY).parent / program, scenario, BINARY, tmp_path / "state"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")  # the library itself prints nothing
