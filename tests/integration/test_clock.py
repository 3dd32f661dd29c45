# SPDX-License-Identifier: Apache-2.0
"""What a wall clock that is set back and forward by a year does to waits: nothing."""

import os
import pathlib
import shutil
import subprocess
import time

import pytest

from conftest import eventually

YEAR = 365 * 86400


@pytest.fixture
def clock(tmp_path):
    """A library that lets a test set the time of day of who loads it."""
    library = tmp_path / "clock.so"
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    subprocess.run([compiler, "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", str(library),
                    str(pathlib.Path(__file__).with_name("clock.c"))], check=True, timeout=60)
    return library


def needs_plain_build():
    if "/asan/" in os.environ.get("COLONY", "") or "/tsan/" in os.environ.get("COLONY", ""):
        pytest.skip("a sanitizer wants to be loaded first")


@pytest.mark.parametrize("shift", [YEAR, -YEAR], ids=["forward", "back"])
def test_a_clock_that_is_set_during_a_backoff_changes_no_wait(colony, clock, shift):
    needs_plain_build()
    setting = colony.folder / "clock"
    env = {**os.environ, "LD_PRELOAD": str(clock), "CLOCK_FILE": str(setting)}
    flapping = {"attempts": 1, "window": 1, "retry_in": 1.5, "max_retry": 50}
    colony.start({"processes": {
        "it": {"cmd": "/bin/false", "os_env": False, "flapping": flapping},
        "lives": {"cmd": "sleep 1000", "os_env": False, "max_age": 3600}}}, env=env)
    lives = colony.wait_state("lives", "running")
    colony.wait_state("it", "backoff")
    setting.write_text(str(shift), encoding="utf-8")
    before = colony.slot("it")
    began = time.monotonic()
    assert 0 <= before["retry_in"] <= 1.5
    eventually(lambda: colony.slot("it")["restarts"] > before["restarts"], what="the retry")
    assert time.monotonic() - began < 10  # not a year
    eventually(lambda: colony.slot("it")["since"][:4] != before["since"][:4], what="the new year")
    retry_in = colony.slot("it")["retry_in"]
    assert retry_in is None or retry_in <= 1.5
    after = colony.slot("lives")
    assert after["os_pid"] == lives["os_pid"] and 0 <= after["uptime"] < 60


def test_an_engine_that_takes_over_after_the_clock_was_set_keeps_the_wait(colony, clock):
    needs_plain_build()
    setting = colony.folder / "clock"
    env = {**os.environ, "LD_PRELOAD": str(clock), "CLOCK_FILE": str(setting)}
    flapping = {"attempts": 1, "window": 1, "retry_in": 100, "max_retry": 50}
    colony.start({"processes": {
        "it": {"cmd": "/bin/false", "os_env": False, "flapping": flapping}}}, env=env)
    before = colony.wait_state("it", "backoff")["retry_in"]
    setting.write_text(str(YEAR), encoding="utf-8")
    engine = colony.engine
    os.kill(engine, 9)
    eventually(lambda: colony.engine != engine and colony.answers())
    assert 50 < colony.wait_state("it", "backoff")["retry_in"] <= before
