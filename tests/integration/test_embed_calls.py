# SPDX-License-Identifier: Apache-2.0
"""What a program does with the engine in it: each scenario of calls.c, which is such a program."""
import pathlib
import subprocess

import pytest

from conftest import BINARY

PROGRAM = pathlib.Path(BINARY).parent / "calls"


@pytest.mark.parametrize("scenario", ["templates", "processes", "stats", "output", "input", "writers", "renewed", "gapless",
                                      "left", "again", "reloaded", "early"])
def test_a_program(scenario, tmp_path):
    done = subprocess.run([PROGRAM, scenario, BINARY, tmp_path / "state"], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")  # the library itself prints nothing
