# SPDX-License-Identifier: Apache-2.0
"""`ctl ps`: what it makes of an answer, also of one that is none of colony's."""
import json
import socket
import subprocess
import threading

import pytest

from conftest import BINARY

SLOT = {"name": "w\u00e4b", "slot": 1, "id": 7, "os_pid": 4711, "state": "running", "uptime": 61.5,
        "restarts": 2, "retry_in": None, "last_exit": {"known": True, "status": 0, "signal": "SIGKILL"},
        "failure": "", "cause": "", "status": "", "output": "captured", "dropped_bytes": 0,
        "cpu": 12.34, "mem": 4300000}


@pytest.fixture
def answering(tmp_path):
    """Runs `ctl ps ARGS` against somebody who answers each request with the next of @bodies."""
    path = tmp_path / "sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve(bodies):
        for body in bodies:
            client, _ = listener.accept()
            with client:
                while b"\r\n\r\n" not in client.recv(65536):
                    pass
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def run(bodies, *args, **options):
        server = threading.Thread(target=serve, args=(bodies,), daemon=True)
        server.start()
        result = subprocess.run([BINARY, "ctl", "--endpoint", f"unix:{path}", "ps", *args],
                                capture_output=True, timeout=30, check=False, **options)
        server.join(30)
        return result
    yield run
    listener.close()


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[", b"[1", b"[,]", b"[{}", b"[{},]", b"[{}{}]", b"[{}[{}]",
                                  b"[{\"name\":}]", b"x[]"])
def test_what_is_no_list_is_told(answering, body):
    result = answering([body])
    assert result.returncode == 69
    assert b"cannot understand the answer of unix:" in result.stderr
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize("body", [b"[]", b" [ \r\n\t] "])
def test_an_empty_list_is_a_table_without_rows(answering, body):
    result = answering([body])
    assert (result.returncode, result.stdout.count(b"\n")) == (0, 1)
    assert json.loads(answering([body], "--json").stdout) == []


def test_a_slot_is_a_row(answering):
    body = json.dumps([SLOT], ensure_ascii=False).encode()
    header, row = answering([body]).stdout.decode().splitlines()
    assert header.split("  ")[0] == "NAME"
    assert row.split() == ["w\u00e4b", "1", "7", "4711", "running", "1m01s", "12.3", "4.1M", "2",
                           "SIGKILL"]
    assert header.index("SLOT") == row.index("1")  # a character beyond ASCII is one column wide


def test_members_may_come_in_any_order(answering):
    slots = [dict(reversed(SLOT.items())), SLOT, {"unknown": [1, {}], **SLOT}]
    rows = answering([json.dumps(slots).encode()]).stdout.splitlines()[1:]
    assert len(rows) == 3 and len(set(rows)) == 1


def test_members_that_are_missing_or_odd_are_dashes(answering):
    odd = {key: [] for key in SLOT}
    result = answering([json.dumps([{}, odd, 1, None]).encode()])
    assert result.returncode == 0
    assert [set(row.split()) for row in result.stdout.decode().splitlines()[1:]] == [{"-"}] * 4


@pytest.mark.parametrize("size, text", [
    (0, "0B"), (999, "999B"), (1000, "1.0K"), (10 * 1024 - 1, "10K"), (9 * 1024, "9.0K"),
    (812 * 1024, "812K"), (1024 ** 2, "1.0M"), (128 * 1024 ** 2, "128M"), (1.5 * 1024 ** 3, "1.5G")])
def test_memory_has_a_unit(answering, size, text):
    row = answering([json.dumps([{**SLOT, "mem": size}]).encode()]).stdout.decode().splitlines()[1]
    assert row.split()[7] == text


def test_json_of_several_names_is_one_list(answering):
    bodies = [b'[{"name": "a"}]', b"[]", b'[{"name":"b","x":1.50},2]']
    result = answering(bodies, "--json", "a", "none", "b")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == b'[{"name": "a"},{"name":"b","x":1.50},2]\n'
