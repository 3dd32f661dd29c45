# SPDX-License-Identifier: Apache-2.0
"""`colony rpc serve` with programs whose answers are of no use, or do not come."""

import contextlib
import json
import time

import pytest
import zmq

from conftest import eventually
from rpc_served import STIR, daemon  # noqa: F401 (a fixture)

USELESS = STIR + """
def deep():
    value = 1
    for _ in range(40):
        value = [value]
    return value
def raw(text):
    sys.stdout.write(text + "\\n"); sys.stdout.flush()
    return Ellipsis
methods.update(nan=lambda: float("nan"), nul=lambda: "a\\0b", lone=lambda: "\\udcff", deep=deep,
               big=lambda size: "x" * size, raw=raw, silent=lambda: Ellipsis)
hello()
go()
"""


@pytest.mark.parametrize("args, reason", [
    (["nan"], "it is no JSON"), (["nul"], "it is no JSON"), (["lone"], "it is no JSON"),
    (["deep"], "lists and maps in each other"), (["big", "5000000"], "it is too long, more than 4 MiB"),
])
def test_an_answer_of_no_use_is_an_error_for_who_has_asked(daemon, args, reason):
    daemon.start(USELESS)
    told = daemon.ask("call", *args)
    assert told.returncode == 1 and reason in told.stderr and told.stderr.count("\n") == 1, told
    assert daemon.call("stir") == "1 to the left"
    assert '`{"id": ' in daemon.said(), "the log quotes how it begins"


@pytest.mark.parametrize("text, reason", [
    ('{"id": "1", "result": 1}', "it has no id"), ('{"id": null, "error": "unreadable"}', "it has no id"),
    ('{"result": NaN}', "it is no JSON"),
])
def test_one_without_an_id_counts_for_the_oldest_question(daemon, text, reason):
    daemon.start(USELESS)
    told = daemon.ask("call", "raw", json.dumps(text))
    assert told.returncode == 1 and reason in told.stderr, told


def test_one_with_neither_result_nor_error_is_an_error(daemon):
    daemon.start(USELESS.replace("hello()", """
say_all = say
def say(**line):
    say_all(**{key: value for key, value in line.items() if value != "void"})
methods["void"] = lambda: "void"
hello()""", 1))
    told = daemon.ask("call", "void")
    assert told.returncode == 1 and "neither result nor error" in told.stderr, told


@pytest.mark.parametrize("text", ["a stray print", '{"level": "info", "text": "a line of a log"}', "{NaN}", "{}"])
def test_what_is_no_answer_answers_nothing(daemon, text):
    daemon.start(USELESS)
    assert daemon.ask("call", "raw", json.dumps(text), "--timeout", "1").returncode == 75
    assert daemon.call("stir") == "1 to the left"


@contextlib.contextmanager
def askers(daemon, count, method="silent"):
    """So many clients, each with all that one may have under way."""
    with zmq.Context() as context, contextlib.ExitStack() as stack:
        place = daemon.entry()["endpoint"]
        for _ in range(count):
            socket = stack.enter_context(context.socket(zmq.DEALER))
            socket.linger = 1000
            socket.connect(place)
            for number in range(64):
                socket.send_json({"jsonrpc": "2.0", "id": number, "method": method})
        yield
        context.destroy(linger=1000)


def refuses(daemon):
    return "too many requests are under way" in daemon.ask("get", "uptime").stderr


def test_what_clients_asked_that_are_gone_makes_room(daemon):
    daemon.start(USELESS)
    with askers(daemon, 17):
        eventually(lambda: refuses(daemon), what="so many calls under way")
    eventually(lambda: not refuses(daemon), what="room again")
    assert daemon.call("stir") == "1 to the left"


def test_stop_gets_through_whatever_is_under_way(daemon):
    daemon.start(USELESS)
    with askers(daemon, 17):
        eventually(lambda: refuses(daemon), what="so many calls under way")
        start = time.monotonic()
        told = daemon.ask("stop")
        assert told.returncode == 0, told
        assert time.monotonic() - start < 8
