# SPDX-License-Identifier: Apache-2.0
"""RPC over ZeroMQ: what a client of another language sees of it."""
import pathlib
import subprocess

from conftest import BINARY


def test_libzmq_is_opened_by_those_who_ask_for_it_only(colony):
    linked = subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True)
    assert "libzmq" not in linked.stdout and "libsodium" not in linked.stdout
    notes = subprocess.run(["readelf", "-p", ".note.dlopen", BINARY], capture_output=True, text=True,
                           check=True)
    assert '"soname":["libzmq.so.5"]' in notes.stdout
    colony.start({"processes": {}})
    for pid in (colony.keeper, colony.engine):
        assert "libzmq" not in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
