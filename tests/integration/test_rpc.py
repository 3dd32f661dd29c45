# SPDX-License-Identifier: Apache-2.0
"""RPC over ZeroMQ: what a client of another language sees of colony itself."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import BINARY, DEADLINE, alive, assert_sleeps, eventually
from rpc_client import Client, entries, raises, served_fixture, zmq  # pylint: disable=unused-import

SLEEPER = {"name": "web", "cmd": "sleep 1000", "numprocesses": 2}
PROCESSES = {"processes": {"web": {"cmd": "sleep 1000", "numprocesses": 2}}}


def test_libzmq_is_opened_by_those_who_ask_for_it_only(colony):
    linked = subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True)
    assert "libzmq" not in linked.stdout and "libsodium" not in linked.stdout
    notes = subprocess.run(["readelf", "-p", ".note.dlopen", BINARY], capture_output=True, text=True,
                           check=True)
    assert '"soname":["libzmq.so.5"]' in notes.stdout
    colony.start({"processes": {}})
    for pid in (colony.keeper, colony.engine):
        assert "libzmq" not in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")


@pytest.mark.parametrize("ask", ["check", "serve"])
def test_where_libzmq_is_missing_settings_that_want_it_cannot_be_used(colony, ask):
    (colony.folder / "libzmq.so.5").write_text("no library")
    settings = colony.write("rpc: true")
    where = [settings] if ask == "check" else ["--config", settings, "--state", colony.state]
    told = subprocess.run([BINARY, ask, *where], capture_output=True, text=True, check=False, timeout=20,
                          env={**os.environ, "LD_LIBRARY_PATH": str(colony.folder)})
    assert told.returncode == 78
    assert "cannot use ZeroMQ: install the package libzmq5" in told.stderr


def test_attributes_methods_and_docs(served):
    with served.start(PROCESSES).client() as rpc:
        eventually(lambda: rpc.get("processes") == 2)
        assert rpc.get("running") is True
        assert rpc.get("templates") == 1 and rpc.get("slots") == 2 and rpc.get("failed") == 0
        assert 0 <= rpc.get("uptime") < 60
        assert rpc.get("pid") == served.colony.engine
        assert rpc.call("getattr", "start") == {
            "method": "start", "doc": "start(name): starts a template."}
        names = rpc.call("dir")
        assert {"list", "status", "start", "stop", "restart", "signal", "scale", "kill", "logs", "why",
                "events", "load", "remove", "reload", "shutdown"} <= set(names["methods"])
        assert {"running", "uptime", "processes"} <= set(names["attributes"])
        for name in names["methods"]:
            assert rpc.call("doc", name), name
        for name in names["attributes"]:
            assert rpc.call("doc", name), name
        assert rpc.call("doc").startswith("colony: ")
        with raises("AttributeError"):
            rpc.get("colour")
        with raises("AttributeError"):
            rpc.call("colour")
        with raises("PermissionError"):
            rpc.set("uptime", 1)
        with raises("TypeError"):
            rpc.call("start")
        with raises("TypeError"):
            rpc.call("start", "web", "more")
        with raises("TypeError"):
            rpc.call("start", nam="web")
        with raises("LookupError"):
            rpc.call("start", name="none")


def test_the_command_line_turns_it_on(served):
    served.colony.start({"name": "shop"}, "--rpc", "tcp://127.0.0.1:0",
                        env={**os.environ, "COLONY_RUNTIME_DIR": str(served.runtime)})
    entry = served.entry()
    assert entry["name"] == "shop" and entry["endpoint"] == f"tcp://127.0.0.1:{entry['port']}"
    with served.client() as rpc:
        assert rpc.get("name") == "shop"


def test_what_runs_is_seen_and_controlled(served):
    colony = served.colony
    with served.start(PROCESSES).client() as rpc:
        eventually(lambda: rpc.call("status", "web")["running"] == 2)
        assert rpc.call("list") == ["web"]
        assert rpc.call("status") == [
            {"name": "web", "active": True, "running": 2, "numprocesses": 2}]
        slots = rpc.call("ps", "web")
        assert [s["slot"] for s in slots] == [1, 2]
        assert all(alive(s["os_pid"]) for s in slots)
        assert rpc.call("pids", "web") == [s["id"] for s in slots]
        assert rpc.call("scale", "web", 3) == 3
        assert rpc.call("scale", "web", "-2") == 1
        assert rpc.call("scale", name="web", count="+1") == 2
        with raises("ValueError"):
            rpc.call("scale", "web", "more")
        assert rpc.call("kill", slots[0]["id"], "KILL") is True
        eventually(lambda: not alive(slots[0]["os_pid"]))
        eventually(lambda: rpc.call("status", "web")["running"] == 2)
        with raises("ValueError"):
            rpc.call("signal", "web", "NONSENSE")
        assert rpc.call("stop", "web") is True
        assert rpc.call("status", "web")["running"] == 0  # it waited for the end
        assert colony.slot("web")["cause"] == "rpc"
        assert rpc.call("start", "web") is True
        eventually(lambda: rpc.call("status", "web")["running"] == 2)
        assert rpc.call("restart", "web") is True
        events = [e["event"] for e in rpc.call("events", "web", 1000)]
        assert "spawn" in events and "exit" in events
        assert rpc.call("why", "web")["name"] == "web"
        assert rpc.call("get", "web")["cmd"] == "sleep 1000"
        assert {v["name"] for v in rpc.call("env", "web")} >= {"COLONY_ID"}
        eventually(lambda: [s for s in rpc.call("stats", "web") if s["mem"] > 0])


def test_the_tree_is_that_of_http(served):
    colony = served.colony
    family = {"cmd": "sh", "args": ["-c", "sleep 1000 & sleep 1001 & wait"]}
    with served.start({"processes": {"web": {"cmd": "sleep 1000"}, "family": family,
                                     "idle": {"cmd": "true", "start": False}}}).client() as rpc:
        def members():
            [slot] = next(t for t in rpc.call("tree") if t["name"] == "family")["slots"]
            return sorted(p["command"] for p in slot["processes"][0]["children"])
        eventually(lambda: members() == ["sleep 1000", "sleep 1001"])
        colony.wait_state("web", "running")
        assert rpc.call("tree") == colony.http("GET", "/tree").json()
        [idle] = rpc.call("tree", "idle")
        assert idle["slots"] == [{"slot": 1, "id": None, "os_pid": None, "state": "stopped",
                                  "processes": []}]
        with raises("LookupError"):
            rpc.call("tree", "none")


def test_templates_come_and_go(served):
    with served.start({}).client() as rpc:
        assert rpc.call("load", {"name": "job", "cmd": "sh", "redirect_input": True,
                                 "args": ["-c", "echo hello; while read x; do echo got $$x; done"]})
        eventually(lambda: "hello" in rpc.call("logs", "job"))
        with raises("RuntimeError"):
            rpc.call("load", {"name": "job", "cmd": "true"})
        with raises("ValueError"):
            rpc.call("load", {"name": "job2", "comd": "true"})
        assert rpc.call("write", rpc.call("pids", "job")[0], "you\n") is True
        eventually(lambda: rpc.call("logs", "job", 1) == "got you\n")
        assert rpc.call("update", {"name": "job", "cmd": "sleep 1000", "numprocesses": 2}) is True
        eventually(lambda: rpc.call("status", "job")["running"] == 2)
        assert rpc.call("remove", "job") is True
        assert rpc.call("list") == []
        assert rpc.call("reload", True) == []


def test_stop_without_a_name_ends_colony(served):
    with served.start(PROCESSES).client() as rpc:
        assert rpc.call("stop") is True
    assert served.colony.process.wait(20) == 0
    assert entries(served.runtime) == []


def test_an_upgrade_is_answered_and_keeps_what_runs(served):
    with served.start(PROCESSES).client() as rpc:
        eventually(lambda: rpc.get("processes") == 2)
        before, pids = served.colony.engine, [s["os_pid"] for s in rpc.call("ps")]
        monitor = rpc.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        assert rpc.call("upgrade") is True
        eventually(lambda: served.colony.engine != before)
        assert monitor.poll(DEADLINE * 1000)  # what is said before that is lost with the connection
        rpc.socket.disable_monitor()
        monitor.close()
        assert [s["os_pid"] for s in rpc.call("ps")] == pids  # the client connected anew by itself


def test_a_slow_call_holds_up_no_other(served):
    stubborn = {"cmd": "sh", "args": ["-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"],
                "graceful_timeout": 2}
    with served.start({"processes": {"slow": stubborn}}).client() as rpc:
        eventually(lambda: served.colony.output("slow") == b"up\n", what="its trap")
        rpc.say({"jsonrpc": "2.0", "id": "slow", "method": "stop", "params": ["slow"]})
        began = time.monotonic()
        for _ in range(10):
            assert rpc.get("running") is True
        assert time.monotonic() - began < 1
        assert json.loads(rpc.hear()) == {"jsonrpc": "2.0", "id": "slow", "result": True}
        assert time.monotonic() - began > 1.5


def test_req_clients_batches_and_notifications(served):
    with served.start(PROCESSES).client(zmq.REQ) as rpc:
        rpc.say([{"jsonrpc": "2.0", "id": 1, "method": "list"},
                 {"jsonrpc": "2.0", "method": "setattr", "params": ["note", 1]},
                 {"jsonrpc": "2.0", "id": "x", "method": "getattr", "params": {"name": "note"}}])
        assert json.loads(rpc.hear()) == [{"jsonrpc": "2.0", "id": 1, "result": ["web"]},
                                          {"jsonrpc": "2.0", "id": "x", "result": {"value": 1}}]
        rpc.say({"jsonrpc": "2.0", "method": "setattr", "params": ["note", 2]})
        assert rpc.hear() == b""
        assert rpc.get("note") == 2


def test_the_same_request_is_carried_out_once(served):
    served.start({"processes": {"web": {"cmd": "sleep 1000"}}})
    request = {"jsonrpc": "2.0", "id": 7, "method": "scale", "params": ["web", "+1"]}
    for _ in range(3):
        with served.client(name=b"me") as rpc:
            rpc.say(request)
            assert json.loads(rpc.hear())["result"] == 2
    with served.client(name=b"another") as rpc:
        rpc.say(request)
        assert json.loads(rpc.hear())["result"] == 3


def test_attributes_of_users_that_start_with_pst_outlive_colony(served):
    colony = served.colony
    pst = {"frequency": 0.1}
    value = {"list": [1, 2.50, None], "text": "ümlaut"}
    with served.start({}, pst=pst).client() as rpc:
        rpc.set("pst_counter", 41)
        rpc.set("pst_counter", 42)
        rpc.set("pst_value", value)
        rpc.set("note", "gone")
        eventually(lambda: "pst_value" in (colony.state / "engine" / "rpc.json").read_text())
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: not alive(engine))
    with served.client() as rpc:  # on the port it had, which the keeper holds
        assert rpc.get("pst_counter") == 42
        assert rpc.get("pst_value") == value
        with raises("AttributeError"):
            rpc.get("note")
    colony.kill_both()
    with served.start({}, pst={}).client() as rpc:
        assert rpc.get("pst_counter") == 42
        rpc.set("pst_counter", 43)
    colony.stop()  # saves, although the minute is not over
    assert json.loads((colony.state / "engine" / "rpc.json").read_text())["pst_counter"] == 43
    with served.start({}, pst={}).client() as rpc:
        assert rpc.get("pst_counter") == 43


@pytest.mark.parametrize("kind, name", [("PstFileStorage", "rpc.json"), ("sqlite", "rpc.db")])
def test_what_was_saved_and_is_damaged_is_moved_aside_and_told(served, kind, name):
    colony = served.colony
    with served.start({}, pst={"class_name": kind}).client() as rpc:
        rpc.set("pst_counter", 1)
    colony.stop()
    with served.start({}, pst={"class_name": kind}).client() as rpc:
        assert rpc.get("pst_counter") == 1
    colony.stop()
    saved = colony.state / "engine" / name
    saved.write_bytes(b'{"pst_counter": 1' * 100)
    with served.start({}, pst={"class_name": kind}).client() as rpc:
        with raises("AttributeError"):
            rpc.get("pst_counter")
        rpc.set("pst_counter", 2)
    colony.stop()
    aside = list(saved.parent.glob(name + ".damaged-*"))
    assert len(aside) == 1 and aside[0].read_bytes() == b'{"pst_counter": 1' * 100
    assert "are damaged: begins anew, they are in " + str(aside[0]) in colony.log.read_text()
    with served.start({}, pst={"class_name": kind}).client() as rpc:
        assert rpc.get("pst_counter") == 2


def test_an_idle_colony_with_rpc_is_not_woken(served):
    with served.start({}).client() as rpc:
        rpc.set("note", 1)
        assert_sleeps(served.colony.engine, seconds=2, most=2)


def test_metrics_tell_what_happened(served):
    with served.start({}).client() as rpc:
        for _ in range(5):
            rpc.get("running")
        rpc.say(b"nonsense")
        assert json.loads(rpc.hear())["error"]["code"] == -32700
        text = served.colony.http("GET", "/metrics").text
        assert "\ncolony_rpc_requests_total 5\n" in text
        assert "\ncolony_rpc_malformed_requests_total 1\n" in text
        assert "\ncolony_rpc_connections_total 1\n" in text
