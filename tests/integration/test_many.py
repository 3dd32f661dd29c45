# SPDX-License-Identifier: Apache-2.0
"""Many templates at once."""

import http.client
import json
import socket

from conftest import eventually

MANY = 10000


def test_ten_thousand_templates_are_loaded_seen_and_reloaded(colony):
    colony.start({"processes": {f"p{i}": {"cmd": "sleep 1000", "start": False}
                                for i in range(MANY)}})
    assert len(colony.http("GET", "/processes").json()) == MANY
    assert len(colony.slots()) == MANY
    colony.write({"processes": {f"p{i}": {"cmd": "sleep 1000", "start": False,
                                          **({"nice": 1} if i == 7 else {})}
                                for i in range(MANY)}})
    steps = colony.http("POST", "/_reload", timeout=60).json()["steps"]
    assert [(s["action"], s["name"]) for s in steps] == [("restart", "p7")]


def test_a_thousand_templates_are_added_and_deleted_over_one_connection(colony):
    colony.start({"processes": {}})
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(colony.socket))
    for i in range(1000):
        connection.request("POST", "/processes", json.dumps(
            {"name": f"group:p{i}", "cmd": "sleep 1000", "start": False}))
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
    connection.request("DELETE", "/groups/group")
    assert connection.getresponse().read() == b'{"ok":true}'
    eventually(lambda: colony.slots() == [])


def test_ten_thousand_slots_of_one_template(colony):
    colony.start({"processes": {"it": {"cmd": "sleep 1000", "start": False}}})
    assert colony.http("POST", f"/processes/it/_scale/{MANY}").json()["numprocesses"] == MANY
    assert len(colony.slots("it")) == MANY
    assert colony.http("POST", f"/processes/it/_scale/{MANY + 1}").status == 400
    assert colony.http("POST", "/processes/it/_scale/0").json()["numprocesses"] == 0
    eventually(lambda: colony.slots("it") == [])
