# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the engine, the keeper and both, at random moments: see tests/chaos.py."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import chaos  # noqa: E402

SEED = int(os.environ.get("SEED", "1"))


@pytest.mark.parametrize("kills, keepers", [(120, False), (120, True)])
def test_kills_at_random_moments_lose_nothing(tmp_path, kills, keepers):
    run = chaos.Chaos(tmp_path, SEED, keepers=keepers)
    try:
        run.run(kills, 0)
    finally:
        run.colony.clear()
    assert sum(run.kills.values()) >= kills
    assert run.lines > 1000 and run.ends > 50
