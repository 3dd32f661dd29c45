# SPDX-License-Identifier: Apache-2.0
"""`colony http`, `colony events` and `colony files`: one front-end alone, whatever settings say."""
import http.client
import json
import socket
import subprocess

import pytest

from conftest import BINARY, eventually
from daemons import ask, free_port


def accepts(port):
    with socket.socket(socket.AF_INET6) as one:
        return one.connect_ex(("::ffff:127.0.0.1", port)) == 0


def reads_files(colony):
    """A message is done, and gone."""
    message = colony.folder / "messages" / "one"
    message.write_text(json.dumps({"type": "RESTART-ALL"}))
    try:
        eventually(lambda: not message.exists(), 3)
    except AssertionError:
        return False
    return True


@pytest.fixture(name="ports")
def fixture_ports():
    return {"http": free_port(), "events": free_port(), "rpc": free_port()}


@pytest.fixture(name="settings")
def fixture_settings(colony, ports):
    """All of them at once."""
    for name in ("conf", "messages"):
        (colony.folder / name).mkdir()
    return {"http": {"bind": [f"127.0.0.1:{ports['http']}"]},
            "master": {"host": "127.0.0.1", "port": ports["events"]},
            "rpc": {"bind": f"127.0.0.1:{ports['rpc']}"},
            "files": {"config": str(colony.folder / "conf"),
                      "messages": str(colony.folder / "messages"), "frequency": 0.1},
            "processes": {"web": {"cmd": "sleep 1000"}}}


@pytest.mark.parametrize("front, served", [("serve", {"http", "events", "rpc", "files"}),
                                           ("http", {"http"}), ("events", {"events"}),
                                           ("files", {"files"})])
def test_only_what_was_asked_for_is_served(colony, ports, settings, front, served):
    colony.start(settings, front=front)
    assert colony.wait_state("web", "running")["os_pid"] > 0
    assert {name for name, port in ports.items() if accepts(port)} == served - {"files"}
    assert reads_files(colony) == ("files" in served)


def test_operands_say_where(colony, ports, settings):
    del settings["http"], settings["master"], settings["rpc"], settings["files"]
    colony.start(settings, f"127.0.0.1:{ports['http']}", front="http")
    connection = http.client.HTTPConnection("127.0.0.1", ports["http"], timeout=10)
    connection.request("GET", "/processes")
    assert json.loads(connection.getresponse().read()) == ["web"]
    connection.close()
    assert colony.stop() == 0
    colony.start(settings, f"127.0.0.1:{ports['events']}", front="events")
    assert ask(ports["events"], "GET", "/ping", host="127.0.0.1").status == 200
    assert colony.stop() == 0
    colony.start(settings, str(colony.folder / "conf"), str(colony.folder / "messages"),
                 front="files")
    assert reads_files(colony)


def test_a_reload_and_a_new_engine_do_not_bring_the_others(colony, ports, settings):
    colony.start(settings, front="http")
    settings["processes"]["more"] = {"cmd": "sleep 1000"}
    colony.write(settings)
    assert colony.http("POST", "/_reload").status == 200
    colony.wait_state("more", "running")
    subprocess.run(["kill", "-9", str(colony.engine)], check=True)
    eventually(colony.answers)
    assert {name for name, port in ports.items() if accepts(port)} == {"http"}


@pytest.mark.parametrize("words, code, said", [
    (["http", "--rpc", "127.0.0.1:1"], 2, "cannot use --rpc here: this serves one front-end alone"),
    (["http", "--conf", "x"], 2, "cannot use --conf here"),
    (["events", "--bind", "127.0.0.1:1"], 2, "cannot use --bind here"),
    (["events", "--events", "1", "2"], 2, "cannot use both --events 1 and 2"),
    (["events", "a", "b"], 2, "too many arguments"),
    (["events", "nonsense:foo"], 78, "cannot take events on `nonsense:foo`"),
    (["files", "x"], 2, "cannot use x alone: give CONFIG and MESSAGES"),
    (["files", "--conf", "a", "b", "c"], 2, "cannot use b: --conf was given too"),
    (["files"], 78, "cannot serve files: give two directories"),
    (["files", "/nowhere", "/nowhere/too"], 78, "/nowhere"),
])
def test_what_does_not_go_together(tmp_path, words, code, said):
    result = subprocess.run([BINARY, *words, "--state", str(tmp_path / "state")], text=True,
                            capture_output=True, timeout=20)
    assert result.returncode == code, result.stderr
    assert said in result.stderr and result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"colony {words[0]}: ")
