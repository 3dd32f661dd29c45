# SPDX-License-Identifier: Apache-2.0
"""events.durable: what was answered is handled at least once, whoever is killed meanwhile."""
import json
import os
import random
import signal
import sqlite3
import threading
import time

import daemons
from conftest import alive, eventually
from test_event_handlers import handlers, lines, start, write_script


def durable(script, **more):
    return handlers({"exec": script, **more}, durable=True)


def record(colony):
    """A handler that notes the number and the event of each run."""
    out = colony.folder / "out"
    return out, write_script(colony, f'read event; echo "$COLONY_EVENT_ID $event" >> {out}\n')


def waiting(gate, then):
    """A handler that hangs until it is started again with the gate open; `GATE.shut.PID` is there then."""
    return f"[ -e {gate} ] || {{ touch {gate}.shut.$$; exec sleep 1000; }}; {then}\n"


def hangs(gate, count=1):
    return len(list(gate.parent.glob("gate.shut.*"))) == count


def spooled(colony):
    with sqlite3.connect(f"file:{colony.state}/engine/colony.db?mode=ro", uri=True) as db:
        return db.execute("SELECT id, json FROM spool ORDER BY id").fetchall()


def test_an_event_is_in_the_store_until_it_is_handled(colony):
    gate = colony.folder / "gate"
    os.mkfifo(gate)
    port = start(colony, durable(write_script(colony, f"cat {gate}\n")))
    assert daemons.send(port, '{"a": 1}').status == 200
    rows = spooled(colony)
    assert [json.loads(row[1]) for row in rows] == [{"a": 1}]
    with open(gate, "w", encoding="utf-8") as file:
        file.write("go\n")
    eventually(lambda: not spooled(colony))
    assert daemons.status(port)["events_queue"] == 0


def test_what_was_answered_is_handled_after_a_kill_with_its_number(colony):
    out, script = record(colony)
    gate = colony.folder / "gate"
    slow = write_script(colony, waiting(gate, f"exec {script}"), "slow")
    port = start(colony, durable(slow, timeout="100s"))
    for i in range(5):
        assert daemons.send(port, str(i)).status == 200
    rows = spooled(colony)
    assert [row[1] for row in rows] == ["0", "1", "2", "3", "4"]
    old = colony.engine
    eventually(lambda: hangs(gate))
    gate.touch()
    os.kill(old, signal.SIGKILL)
    eventually(lambda: len(lines(out)) == 5)
    assert lines(out) == [f"{number} {text}" for number, text in rows]
    eventually(lambda: not spooled(colony))
    assert "handles 5 events that colony had accepted before" in colony.log.read_text()
    assert colony.engine != old


def test_what_was_answered_is_handled_after_both_were_killed(colony):
    out, script = record(colony)
    gate = colony.folder / "gate"
    slow = write_script(colony, waiting(gate, f"exec {script}"), "slow")
    settings = durable(slow, timeout="100s", concurrency=2)
    port = start(colony, settings)
    for i in range(4):
        assert daemons.send(port, str(i)).status == 200
    rows = spooled(colony)
    eventually(lambda: hangs(gate, 2))  # else the other one sees the gate open
    colony.kill_both()
    gate.touch()
    start(colony, settings)
    eventually(lambda: len(lines(out)) == 4)
    assert sorted(lines(out)) == sorted(f"{number} {text}" for number, text in rows)


def test_what_waits_when_colony_ends_waits_for_the_next_start(colony):
    out, script = record(colony)
    gate = colony.folder / "gate"
    slow = write_script(colony, waiting(gate, f"exec {script}"), "slow")
    settings = durable(slow, timeout="100s")
    port = start(colony, settings)
    for i in range(3):
        assert daemons.send(port, str(i)).status == 200
    assert colony.stop() == 0
    assert len(spooled(colony)) == 3
    gate.touch()
    start(colony, settings)
    eventually(lambda: [line.split()[1] for line in lines(out)] == ["0", "1", "2"])
    eventually(lambda: not spooled(colony))


def test_random_kills_lose_no_event_that_was_answered(colony):
    out, script = record(colony)
    port = start(colony, durable(script, concurrency=4))
    answered = []
    done = threading.Event()

    def client(name):
        n = 0
        while not done.is_set():
            n += 1
            try:
                if daemons.send(port, f'"{name}-{n}"').status == 200:
                    answered.append(f'"{name}-{n}"')
            except OSError:
                pass
            except Exception: # an answer that was cut
                pass

    threads = [threading.Thread(target=client, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for _ in range(4):
        before = len(answered)
        eventually(lambda: len(answered) > before + 4, what="answers before a kill")
        time.sleep(random.uniform(0.1, 0.5))
        engine = colony.engine
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: not alive(engine))
        eventually(colony.answers)
    before = len(answered)
    eventually(lambda: len(answered) > before, what="answers after the last kill")
    done.set()
    for thread in threads:
        thread.join()
    assert len(answered) > 20
    eventually(lambda: not spooled(colony))
    handled = {}
    for line in lines(out):
        number, event = line.split(" ", 1)
        handled.setdefault(event, set()).add(number)
    assert not [event for event in answered if event not in handled]
    twice = [event for event, numbers in handled.items() if len(numbers) != 1]
    assert not twice # if it was handled twice, it was with one number


def test_datagrams_are_kept_too(colony):
    gate = colony.folder / "gate"
    port = start(colony, durable(write_script(
        colony, waiting(gate, ":")), timeout="100s"))
    daemons.datagram(port, b"[1, 2]")
    eventually(lambda: [row[1] for row in spooled(colony)] == ["[1,2]"])


def test_an_event_that_cannot_be_kept_is_refused(colony):
    port = start(colony, handlers("log", durable=True))
    assert daemons.send(port, "1").status == 200
    eventually(lambda: not spooled(colony))
    holder = sqlite3.connect(colony.state / "engine" / "colony.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE") # nobody else can write now
    answer = daemons.send(port, "2")
    assert answer.status >= 500 and answer.json()["result"] is False
    holder.execute("ROLLBACK")
    holder.close()
    eventually(lambda: daemons.send(port, "3").status == 200)
    counts = daemons.counts(port)
    assert counts["dropped"] >= 1
    assert counts["received"] == 2  # 1 and the 3 that was taken
    eventually(lambda: not spooled(colony))
    assert ": 2\n" not in colony.log.read_text()
