# SPDX-License-Identifier: Apache-2.0
"""`colony rpc serve` when halves of it die, and with programs that do not do as they should."""

import json
import os
import pathlib
import signal
import threading
import time

from conftest import alive, eventually
from rpc_fake import rpc
from rpc_served import STIR, daemon  # noqa: F401 (a fixture)


# Taking over


def test_calls_go_on_when_the_engine_was_killed(daemon):
    daemon.start(STIR + "hello()\ngo()")
    program = daemon.call("pid")
    assert daemon.call("stir", "4") == "4 to the left"
    engine = daemon.engine
    os.kill(engine, signal.SIGKILL)
    while daemon.engine == engine:  # it is there all the time
        assert daemon.ask("get", "uptime").returncode == 0
    assert daemon.call("pid") == program
    assert daemon.get("pst_turns") == 4
    assert daemon.ask("stop").returncode == 0


def test_calls_go_on_when_the_keeper_was_killed(daemon):
    daemon.start(STIR + "hello()\ngo()")
    program = daemon.call("pid")
    keeper = daemon.keeper
    os.kill(keeper, signal.SIGKILL)
    daemon.process.wait(10)
    eventually(lambda: daemon.keeper != keeper and alive(daemon.keeper), what="another keeper")
    assert daemon.call("pid") == program
    eventually(lambda: daemon.engine != daemon.keeper, what="another engine")
    found = [one for one in json.loads(rpc("ls", "--json", runtime=daemon.runtime).stdout) if one["name"] == "Pot"]
    assert len(found) == 1, found
    assert pathlib.Path(f"/proc/{daemon.keeper}/cmdline").read_bytes().rstrip(b"\0") == b"colony: Pot"


# Programs that do not do as they should


def test_junk_is_told_and_does_no_harm(daemon):
    daemon.start(STIR + """
for junk in ["no json", "[]", "42", "{}", '{"id": 9, "result": 1}', '{"id": 1, "method": "explode"}',
             "\\x1b[2J\\x07", "{" * 70000, '"' + "x" * 100, '{"id": 1e999, "result": 0}', ""]:
    print(junk, flush=True)
sys.stdout.buffer.write(b"\\xff\\xfe\\x00\\n"); sys.stdout.buffer.flush()
hello()
go()
""")
    assert daemon.call("stir") == "1 to the left"
    told = [line for line in daemon.said().splitlines() if "cannot be used" in line]
    assert 1 <= len(told) <= 3 and "`no json`" in told[0]
    assert "\x1b" not in daemon.said()


def test_a_line_without_end_takes_no_more_than_its_limit(daemon):
    daemon.start(STIR + """
def flood():
    for _ in range(64):
        sys.stdout.write("x" * (1 << 20))
    sys.stdout.write("\\n")
    sys.stdout.flush()
    return "flooded"
methods["flood"] = flood
hello()
go()
""")
    before = memory(daemon.engine)
    assert daemon.call("flood") == "flooded"
    assert daemon.call("stir") == "1 to the left"
    assert memory(daemon.engine) - before < 24 << 10
    assert "it is too long" in daemon.said()


def memory(pid):
    """KB that are its own at the most so far."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1])


def test_one_that_never_says_hello_is_told_of_and_asked_in_vain(daemon):
    daemon.start("time.sleep(1000)", wait=False)
    eventually(daemon.entry, what="its entry")
    start = time.monotonic()
    told = daemon.ask("call", "stir")
    assert told.returncode == 69 and "has not said hello" in told.stderr, told
    assert time.monotonic() - start < 12
    assert "has not said hello in 10 seconds" in daemon.said()
    assert daemon.ask("get", "uptime").returncode == 0
    assert daemon.ask("stop").returncode == 0


def test_a_bad_hello_is_refused_with_the_reason(daemon):
    daemon.start(STIR + """
for bad in [{"methods": 5}, {"methods": ["_hidden"]}, {"methods": ["getattr"]}, [], {"attributes": {"a": 1}}]:
    say(id=1, method="hello", params=bad)
    answer = json.loads(sys.stdin.readline())
    assert answer["error"]["code"] == -32602, answer
    values[f"reason{len(values)}"] = answer["error"]["message"]
hello()
go()
""")
    reasons = [daemon.get(f"reason{number}") for number in range(2, 7)]
    assert "cannot use `methods`" in reasons[0] and "_hidden" in reasons[1]
    assert "colony's own" in reasons[2] and "must be an object" in reasons[3]


def test_one_that_closes_its_output_is_answered_for(daemon):
    daemon.start(STIR + """
def close():
    os.close(0); os.close(1); time.sleep(1000)
methods["close"] = close
hello()
go()
""")
    told = daemon.ask("call", "close")
    assert told.returncode == 3 and told.stderr.count("\n") == 1, told
    assert daemon.ask("call", "stir").returncode == 3
    assert daemon.ask("stop").returncode == 0


def test_one_that_does_not_read_fills_no_memory(daemon):
    daemon.start(STIR + """
def sleep(): time.sleep(1000)
methods["sleep"] = sleep
hello()
go()
""")
    threads = [threading.Thread(target=lambda: rpc("call", "Pot", "stir", "x" * 100_000, "--timeout", "3",
                                                   runtime=daemon.runtime)) for _ in range(24)]
    assert daemon.ask("call", "sleep", "--timeout", "0.5").returncode == 75
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = daemon.ask("call", "stir", "x" * 100_000, "--timeout", "3")
    assert told.returncode in (69, 75)
    assert daemon.ask("get", "uptime").returncode == 0
    assert daemon.ask("stop").returncode == 0


def test_a_program_that_ignores_sigterm_is_killed(daemon):
    daemon.start(STIR + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nhello()\ngo()")
    program = daemon.call("pid")
    start = time.monotonic()
    assert daemon.ask("stop", timeout=40).returncode == 0
    assert 9 < time.monotonic() - start < 14 and not alive(program)
