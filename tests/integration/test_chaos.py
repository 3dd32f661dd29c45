# SPDX-License-Identifier: Apache-2.0
"""Random operations under kill -9 of the engine, the keeper and both: see tests/chaos.py."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import chaos  # noqa: E402

SEED = int(os.environ.get("SEED", "1"))
STEPS = 6


@pytest.mark.parametrize("keepers", [False, True])
def test_kills_at_random_moments_lose_and_double_nothing(tmp_path, keepers):
    run = chaos.Chaos(tmp_path, SEED, keepers=keepers)
    try:
        run.run(0, STEPS)
    finally:
        run.colony.clear()
    assert run.step_count == STEPS and run.lines > 1000 and run.ends > 50


def test_a_seed_takes_the_same_steps(tmp_path):
    taken = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run = chaos.Chaos(tmp_path / name, SEED)
        steps = [run.plan(number) for number in range(1, 50)]
        taken.append(([[(pause, aside) for pause, _, aside in step] for step in steps],
                      {name: vars(template) for name, template in run.templates.items()}))
    assert taken[0] == taken[1]
