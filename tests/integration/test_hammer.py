# SPDX-License-Identifier: Apache-2.0
"""Random wishes from all sides, and colony killed meanwhile: see tests/hammer.py."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import hammer  # noqa: E402

SEED = int(os.environ.get("SEED", "1"))


@pytest.mark.parametrize("kills", [False, True])
def test_nothing_hangs_or_is_left_whatever_is_asked_for(tmp_path, kills):
    run = hammer.Hammer(tmp_path, SEED, kills=kills)
    try:
        run.run(5, length=1.5)
    finally:
        run.colony.clear()
    assert run.counts["200"] > 100
