# SPDX-License-Identifier: Apache-2.0
"""A colony in which calls can be made to fail (tests/faults)."""

import os
import pathlib
import sys

import pytest

import conftest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "faults"))
import driver  # noqa: E402


def skip_under_sanitizers():
    if "/asan/" in conftest.BINARY or "/tsan/" in conftest.BINARY:
        pytest.skip("a sanitizer wants to be loaded first")


def prepare(folder):
    """(what arms faults, what a colony that is to have them must have in its environment)"""
    skip_under_sanitizers()
    place = folder / "faults"
    return driver.Control(place), {"LD_PRELOAD": driver.LIBRARY, "COLONY_FAULTS": str(place)}
