# SPDX-License-Identifier: Apache-2.0
"""Who may use RPC, and what those who mean no good can do."""
import json
import os
import random
import resource
import socket
import subprocess
import sys
import time

from conftest import BINARY, DEADLINE, eventually, needs_root
from rpc_fake import rpc as command
from rpc_client import Client, raises, served_fixture, zmq  # pylint: disable=unused-import

# A sanitizer keeps what was freed for a while.
SLACK = 512 << 20 if "asan" in BINARY or "tsan" in BINARY else 0


def fails(settings, folder, code=1):
    path = folder / "bad.json.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    result = subprocess.run([BINARY, "serve", "--config", str(path), "--state", str(folder / "s")],
                            capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == code, result.stderr
    return result.stderr


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(file.read().split("VmRSS:")[1].split()[0]) * 1024


def port_of(served):
    return served.entry()["port"]


def is_well(served):
    with served.client() as rpc:
        return rpc.get("running") is True


def write_keys(served, *lines):
    public, secret = zmq.curve_keypair()
    keys, allow = served.colony.folder / "keys", served.colony.folder / "allow"
    keys.write_text(f"public {public.decode()}\nsecret {secret.decode()}\n", encoding="utf-8")
    allow.write_text("".join(f"{name} {scope} {key.decode()}\n" for name, scope, key in lines),
                     encoding="utf-8")
    keys.chmod(0o600)
    allow.chmod(0o600)
    return public, {"keys": str(keys), "allow": str(allow)}


def test_other_machines_need_keys(tmp_path):
    assert "needs keys" in fails({"rpc": {"bind": "0.0.0.0:0"}}, tmp_path, 77)
    assert "neither HOST:PORT nor" in fails({"rpc": {"bind": "here:there:0"}}, tmp_path, 2)
    assert "`allow` is missing" in fails({"rpc": {"keys": "x"}}, tmp_path, 78)
    assert "did you mean `insecure`" in fails({"rpc": {"insecur": True}}, tmp_path, 78)
    assert "cannot" in fails({"rpc": {"keys": "/nonexistent", "allow": "/nonexistent"}}, tmp_path, 78)


def test_keys_open_what_their_scope_says(served):
    ann, bob, eve = (zmq.curve_keypair() for _ in range(3))
    public, rpc = write_keys(served, ("ann", "read", ann[0]), ("bob", "control", bob[0]))
    served.start({"processes": {"web": {"cmd": "sleep 1000"}}}, **rpc, bind="0.0.0.0:0")
    entry = served.entry()
    assert entry["public_key"] == public.decode()
    endpoint = f"tcp://127.0.0.1:{entry['port']}"
    with Client(endpoint, keys=(public, *ann)) as reader:
        assert reader.call("list") == ["web"]
        for method, params in (("stop", []), ("stop", ["web"]), ("setattr", ["x", 1])):
            with raises("PermissionError"):
                reader.call(method, *params)
    for keys in (None, (public, *eve), (eve[0], *bob)):
        with Client(endpoint, keys=keys) as stranger:
            stranger.say({"jsonrpc": "2.0", "id": 1, "method": "stop"})
            assert stranger.hear(0.5) is None
    with Client(endpoint, keys=(public, *bob)) as controller:
        assert controller.call("stop", "web") is True
        assert served.colony.slot("web")["cause"] == "rpc key bob"
        assert controller.call("stop") is True
    assert served.colony.process.wait(20) == 0


@needs_root
def test_other_users_of_this_machine_are_closed_unread(served):
    served.start({})
    script = ("import os, sys\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
              "import socket\ns = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
              "s.settimeout(10)\n"
              "try: got = s.recv(1)\nexcept ConnectionResetError: got = b''\n"
              "sys.exit(0 if got == b'' else 1)")
    assert subprocess.run([sys.executable, "-c", script, str(port_of(served))], check=False,
                          timeout=20).returncode == 0
    assert is_well(served)
    assert "\ncolony_rpc_rejected_connections_total 1\n" in served.colony.http("GET", "/metrics").text


def test_bytes_that_mean_nothing_change_nothing(served):
    served.start({})
    draw = random.Random(7)
    before = memory(served.colony.engine)
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", port_of(served)), timeout=20) as stream:
            start = draw.choice([b"", b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)])
            try:
                stream.sendall(start + draw.randbytes(draw.randrange(1, 5000)))
            except OSError:
                pass
    assert is_well(served)
    assert memory(served.colony.engine) - before < (50 << 20) + SLACK


def test_json_that_is_too_deep_too_large_or_none_is_refused(served):
    with served.start({}).client() as rpc:
        for text in (b"[" * 100000, b'{"a":' * 50000, b"\xff\xfe", b'"' + b"x" * 900000, b"{}" * 9):
            rpc.say(text)
            assert json.loads(rpc.hear())["error"]["code"] == -32700
        rpc.say(b"[" + b"{}," * 99 + b"{}]")
        assert len(json.loads(rpc.hear())) == 100
        rpc.say(b"[" + b"{}," * 100 + b"{}]")
        assert json.loads(rpc.hear())["error"]["code"] == -32600
        for params in ([1], {"name": {}}, ["x" * 100000], ["a\u0000b"[:1]]):
            assert "error" in rpc.ask("status", params)
    assert is_well(served)


def test_a_message_that_is_too_large_ends_its_connection_only(served):
    served.start({}, max_message_bytes=65536)
    with served.client() as rpc, served.client() as other:
        assert rpc.get("running") is True
        monitor = rpc.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        rpc.say(b"x" * 65537)
        assert monitor.poll(DEADLINE * 1000), "it was not hung up on"
        rpc.socket.disable_monitor()
        monitor.close()
        assert rpc.hear(0) is None
        assert other.get("running") is True
        assert rpc.get("running") is True  # it has connected anew by itself
    assert "\ncolony_rpc_too_large_messages_total 1\n" in served.colony.http("GET", "/metrics").text
    told = [line for line in served.colony.log.read_text().splitlines() if "hangs up on a client of RPC" in line]
    assert len(told) == 1 and "65537 bytes" in told[0] and "65536" in told[0]


def test_a_client_tells_of_a_message_that_is_too_large(served):
    served.start({}, max_message_bytes=65536)
    begun = time.monotonic()
    told = command("call", f"127.0.0.1:{port_of(served)}", "status", "x" * 70000)
    assert told.returncode == 1 and told.stderr.count("\n") == 1, told
    assert "hangs up on a request of 70" in told.stderr and "max_message_bytes" in told.stderr
    assert time.monotonic() - begun < 5


def test_several_parts_are_refused(served):
    with served.start({}).client() as rpc:
        for parts in ([b"a", b"b"], [b"", b"a", b"b"], [b""], [b"x"] * 200, [b"", b""]):
            rpc.socket.send_multipart(parts)
            while True:
                heard = rpc.hear()
                if heard:
                    break
            assert json.loads(heard)["error"]["code"] in (-32600, -32700)
        assert rpc.get("running") is True


def test_a_client_that_never_reads_holds_up_nobody(served):
    served.start({})
    before = memory(served.colony.engine)
    with served.client() as lazy, served.client() as rpc:
        lazy.socket.rcvhwm = 1
        rpc.set("large", "x" * 200000)
        for i in range(1000):
            lazy.say({"jsonrpc": "2.0", "id": i, "method": "getattr", "params": ["large"]})
        eventually(lambda: "colony_rpc_dropped_answers_total 0\n"
                   not in served.colony.http("GET", "/metrics").text)
        assert rpc.get("running") is True
        assert memory(served.colony.engine) - before < (150 << 20) + SLACK


def test_ten_thousand_clients_come_and_go(served):
    served.start({})
    port = port_of(served)
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)
    for _ in range(1000):
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    eventually(lambda: is_well(served))
    before = memory(served.colony.engine)
    for i in range(10000):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
            if i % 2:
                stream.sendall(greeting)
    eventually(lambda: is_well(served))
    assert memory(served.colony.engine) - before < (16 << 20) + SLACK
    eventually(lambda: len(os.listdir(f"/proc/{served.colony.engine}/fd")) < 100)


def test_there_are_so_many_connections_and_no_more(served):
    served.start({})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    streams = []
    try:
        for _ in range(1100):
            streams.append(socket.create_connection(("127.0.0.1", port_of(served)), timeout=20))
        eventually(lambda: "colony_rpc_rejected_connections_total 100\n"
                   in served.colony.http("GET", "/metrics").text)
        told = command("get", f"127.0.0.1:{port_of(served)}", "running")
        assert told.returncode == 69 and "has no room for one more client" in told.stderr, told
        assert "1000 are connected, and there is room for no more" in served.colony.log.read_text()
    finally:
        for stream in streams:
            stream.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    eventually(lambda: is_well(served))
