# SPDX-License-Identifier: Apache-2.0
"""The state folder: others may pass through it, to sockets of theirs; they can neither list nor read it."""

import os
import stat
import subprocess

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


def start(colony):
    colony.start({"processes": {"it": {"cmd": "sh", "args": ["-c", "echo secret; exec sleep 60"]}}})
    colony.wait_state("it", "running")


def test_the_folder_can_be_passed_and_nothing_in_it_is_anothers(colony):
    start(colony)
    assert stat.S_IMODE(colony.state.stat().st_mode) == 0o711
    modes = {path.name: path.lstat().st_mode for path in colony.state.iterdir()}
    assert {"lock", "table", "instance", "settings.json", "log"} <= set(modes)
    open_to_others = {
        name: oct(mode) for name, mode in modes.items()
        if mode & 0o077 and name not in ("colony.sock", "notify", "hearts")
    }
    assert not open_to_others
    assert modes["hearts"] & 0o777 == 0o711, "processes touch what is in it"
    assert stat.S_IMODE(modes["colony.sock"]) == 0o660


def test_a_folder_that_was_closed_is_opened_for_passing(colony):
    colony.state.mkdir(mode=0o700)
    start(colony)
    assert stat.S_IMODE(colony.state.stat().st_mode) == 0o711


@needs_root
def test_another_user_sees_nothing_of_it(colony):
    start(colony)
    names = [str(path) for path in colony.state.rglob("*")]
    for path in [colony.state, *colony.state.parents]:  # the way there is the test's own affair
        if path.stat().st_uid == 0 and str(path) not in ("/", str(colony.state)):
            path.chmod(path.stat().st_mode | 0o011)
    script = 'ls "$1" >/dev/null 2>&1 && echo listed; shift; ' \
             'for f; do cat "$f" >/dev/null 2>&1 && echo "$f"; done; test -e "$1" && echo passed'
    seen = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
         "sh", "-c", script, "sh", str(colony.state), str(colony.state / "lock"), *names],
        check=False, capture_output=True, text=True, timeout=30).stdout.split()
    assert seen == ["passed"]
