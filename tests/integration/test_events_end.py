# SPDX-License-Identifier: Apache-2.0
"""What becomes of events that wait for a command when colony ends."""
import signal
import time

from conftest import alive, eventually
from test_event_handlers import handlers, lines, send, start, write_script


def test_commands_for_what_waits_are_run_before_colony_ends(colony):
    out = colony.folder / "out"
    script = write_script(colony, f"until grep -q 'stops all processes' {colony.log}; do sleep 0.02; done\n"
                                  f"cat >> {out}; echo >> {out}\n")
    port = start(colony, handlers({"exec": script}))
    for i in range(5):
        send(port, i)
    assert colony.stop() == 0
    assert lines(out) == ["0", "1", "2", "3", "4"]
    assert "gives up" not in colony.log.read_text()


def test_for_three_seconds_and_no_longer(colony):
    out = colony.folder / "out"
    script = write_script(colony, f"read line; echo $line $$ >> {out}; exec sleep 100\n")
    port = start(colony, handlers({"exec": script, "timeout": "100s"}))
    for i in range(3):
        send(port, i)
    eventually(lambda: len(lines(out)) == 1)
    begun = time.monotonic()
    assert colony.stop() == 0
    assert 2.5 < time.monotonic() - begun < 8
    number, pid = lines(out)[-1].split()
    assert number == "0" and not alive(int(pid)) and len(lines(out)) == 1
    assert "gives up 3 events" in colony.log.read_text()


def test_a_second_signal_ends_them_at_once(colony):
    out = colony.folder / "out"
    script = write_script(colony, f"trap '' TERM; echo $$ >> {out}; while :; do sleep 1; done\n")
    port = start(colony, handlers({"exec": script, "timeout": "100s"}))
    send(port, 1)
    eventually(lambda: len(lines(out)) == 1)
    begun = time.monotonic()
    colony.process.send_signal(signal.SIGTERM)
    eventually(lambda: "stops all processes" in colony.log.read_text())
    colony.process.send_signal(signal.SIGTERM)
    assert colony.process.wait(10) == 0
    assert time.monotonic() - begun < 2.5
    assert not alive(int(lines(out)[0]))
