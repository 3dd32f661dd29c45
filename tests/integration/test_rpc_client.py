# SPDX-License-Identifier: Apache-2.0
"""`colony rpc`: what its actions ask, print and exit with, and how they find whom they ask."""

import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

from conftest import BINARY, eventually
from rpc_fake import fake, register, rpc

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def runtime(tmp_path):
    return tmp_path / "run"


def error(code, message="it failed", kind="RuntimeError"):
    return {"error": {"code": code, "message": message, "data": {"type": kind}}}


# What is asked and printed


@pytest.mark.parametrize("value,printed,as_json", [
    ("a text", "a text\n", '"a text"\n'),
    (None, "", "null\n"),
    (True, "true\n", "true\n"),
    (9007199254740993, "9007199254740993\n", "9007199254740993\n"),
    ([1, {"a": "b"}], '[1,{"a":"b"}]\n', '[1,{"a":"b"}]\n'),
])
def test_get_prints_a_value(value, printed, as_json):
    with fake({"getattr": {"value": value}}) as daemon:
        told = rpc("get", daemon.place, "heat")
        assert (told.returncode, told.stdout, told.stderr) == (0, printed, "")
        assert rpc("get", daemon.place, "heat", "--json").stdout == as_json
        assert daemon.asked[0]["method"] == "getattr" and daemon.asked[0]["params"] == ["heat"]
        assert daemon.asked[0]["jsonrpc"] == "2.0"


def test_get_of_a_method_says_how_to_call_it():
    with fake({"getattr": {"method": "stir", "doc": "turns it"}}) as daemon:
        told = rpc("get", daemon.place, "stir")
        assert told.returncode == 2
        assert told.stderr == f"colony rpc: stir is a method: colony rpc call {daemon.place} stir\n"
        assert json.loads(rpc("get", daemon.place, "stir", "--json").stdout)["doc"] == "turns it"


def test_arguments_are_json_or_words():
    with fake({"stir": "done", "setattr": True}) as daemon:
        assert rpc("call", daemon.place, "stir", "1", "two", '{"a": [null]}', '"3"', "1x", "--",
                   "-5").stdout == "done\n"
        assert daemon.asked[-1]["params"] == [1, "two", {"a": [None]}, "3", "1x", -5]
        assert rpc("call", daemon.place, "stir", "-5", "-1.5e3", "-.5", "--timeout", "5").returncode == 0
        assert daemon.asked[-1]["params"] == [-5, -1500, "-.5"]
        assert rpc("set", daemon.place, "heat", "-5").returncode == 0
        assert daemon.asked[-1]["params"] == ["heat", -5]
        assert rpc("call", daemon.place, "stir", "-5x").returncode == 2
        assert rpc("call", daemon.place, "stir", "-p", "speed=2", "--param", "way=left=right",
                   "-p", "x=").returncode == 0
        assert daemon.asked[-1]["params"] == {"speed": 2, "way": "left=right", "x": ""}
        told = rpc("set", daemon.place, "heat", "12.50")
        assert (told.returncode, told.stdout) == (0, "")
        assert daemon.asked[-1]["method"] == "setattr" and daemon.asked[-1]["params"] == ["heat", 12.5]
        assert rpc("call", daemon.place, "stir", "1", "-p", "a=b").returncode == 2


def test_dir_and_doc():
    names = {"attributes": ["heat"], "methods": ["stir", "stop"]}
    with fake({"dir": names, "doc": lambda params: " ".join(["doc of", *params])}) as daemon:
        assert rpc("dir", daemon.place).stdout == "heat\nstir()\nstop()\n"
        assert json.loads(rpc("dir", daemon.place, "--json").stdout) == names
        assert rpc("doc", daemon.place).stdout == "doc of\n"
        assert rpc("doc", daemon.place, "stir").stdout == "doc of stir\n"


@pytest.mark.parametrize("code,exit_code", [
    (-32601, 4), (-32602, 2), (-32001, 4), (-32002, 3), (-32003, 5), (-32004, 77), (-32005, 75),
    (-32006, 69), (-32603, 1), (-1, 1)])
def test_each_kind_of_error_has_its_exit_code(code, exit_code):
    with fake({"stir": error(code, "no\nway \x1b[2J", "OddError")}) as daemon:
        told = rpc("call", daemon.place, "stir")
        assert told.returncode == exit_code
        assert told.stderr == "colony rpc: OddError: no?way ?[2J\n" and told.stdout == ""


def test_output_that_a_terminal_would_obey_is_cleaned_only_there():
    with fake({"getattr": {"value": "a\x1b[2Jb"}}) as daemon:
        assert rpc("get", daemon.place, "x").stdout == "a\x1b[2Jb\n"
        master, slave = os.openpty()
        with os.fdopen(master, "rb", buffering=0) as screen, os.fdopen(slave, "wb") as terminal:
            subprocess.run([BINARY, "rpc", "get", daemon.place, "x"], stdout=terminal, check=True,
                           timeout=30)
            assert screen.read(100) == b"a?[2Jb\r\n"


# What goes wrong on the way


@pytest.mark.parametrize("seconds", ["0.3", "700ms"])
def test_a_timeout_is_exact_and_has_its_exit_code(seconds):
    wanted = 0.3 if seconds == "0.3" else 0.7
    with fake({"stir": lambda params: None}) as daemon:
        start = time.monotonic()
        told = rpc("call", daemon.place, "stir", "--timeout", seconds)
        took = time.monotonic() - start
    assert told.returncode == 75
    assert told.stderr == f"colony rpc: cannot wait any longer for {daemon.place}: no answer in " \
                          f"{wanted} seconds\n"
    assert wanted <= took < wanted + 0.6  # a whole second would be more


def test_a_host_that_swallows_all_is_a_timeout_too():
    with socket.create_server(("127.0.0.1", 0), backlog=1) as hole:
        start = time.monotonic()
        told = rpc("call", f"127.0.0.1:{hole.getsockname()[1]}", "stir", "--timeout", "0.4")
        assert told.returncode == 75 and 0.4 <= time.monotonic() - start < 0.95


@pytest.mark.parametrize("key", ["xx", "x" * 41, "x" * 39 + " ", "x" * 39 + "\""])
def test_a_key_that_is_none_is_told_as_such(key):
    told = rpc("get", "127.0.0.1:1", "heat", "--server-key", key)
    assert told.returncode == 2 and told.stderr.startswith("colony rpc: --server-key: a key is 40 characters"), told


def test_where_nothing_listens_is_told_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        told = rpc("get", f"127.0.0.1:{port}", "heat")
    assert told.returncode == 69
    assert told.stderr == f"colony rpc: cannot reach 127.0.0.1:{port}: nothing listens there\n"


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe\x00", b"[]", b"42", b'{"id": 1}', b"{" * 100000,
                                  b'{"jsonrpc": "2.0", "id": 1, "result": 1', b"x" * 3_000_000],
                         ids=lambda junk: repr(junk[:10]))
def test_an_answer_that_is_none_is_told(junk):
    with fake(raw=junk) as daemon:
        told = rpc("get", daemon.place, "heat", "--timeout", "10")
    assert told.returncode == 69, told
    assert told.stderr.startswith(f"colony rpc: cannot read the answer of {daemon.place}: it is no "
                                  "JSON-RPC") and told.stderr.count("\n") == 1


def test_a_server_that_is_no_daemon_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:
        def speak():
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 4)
                peer.recv(1000)
        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        place = f"127.0.0.1:{server.getsockname()[1]}"
        told = rpc("get", place, "heat", "--timeout", "10")
        thread.join(10)
    assert told.returncode == 69 and "or is no colony" in told.stderr


@pytest.mark.parametrize("args", [("get", "x"), ("set", "x", "y"), ("call", "x"), ("dir",), ("stop",),
                                  ("doc", "a", "b", "c"), ("nothing",), ("get", "a", "b", "--timeout", "x"),
                                  ("get", "a:b:c", "x"), ("get", "../a", "x"), ("get", ":1", "x"),
                                  ("get", "x:-oProxyCommand=touch /tmp/x", "y"),
                                  ("call", "127.0.0.1:1", "x", "-p", "a"), ("call", "127.0.0.1:1", "x", "-p", "=a"),
                                  ("get", "x:host", "y", "--ssh-option", "ProxyCommand")])
def test_wrong_usage_is_2_and_one_line(args):
    told = rpc(*args)
    assert told.returncode == 2 and told.stderr.count("\n") == 1 and told.stdout == ""


# Finding whom to ask


def test_a_name_is_found_in_the_registry(runtime):
    with fake({"getattr": {"value": 7}}) as daemon:
        register(runtime, "Pot", daemon.port)
        assert rpc("get", "Pot", "heat", runtime=runtime).stdout == "7\n"
        assert rpc("get", f"Pot:{daemon.port}", "heat", runtime=runtime).stdout == "7\n"
        assert rpc("get", f"Pot:127.0.0.1:{daemon.port}", "heat", runtime=runtime).stdout == "7\n"
        assert rpc("get", f"localhost:{daemon.port}", "heat", runtime=runtime).stdout == "7\n"
        table = rpc("ls", runtime=runtime).stdout.splitlines()
        assert table[0].split() == ["NAME", "PID", "ENDPOINT"]
        assert table[1].split() == ["Pot", str(os.getpid()), f"tcp://127.0.0.1:{daemon.port}"]
        assert json.loads(rpc("ls", "--json", runtime=runtime).stdout) == [
            {"name": "Pot", "pid": os.getpid(), "endpoint": f"tcp://127.0.0.1:{daemon.port}",
             "port": daemon.port, "public_key": None}]
        assert rpc("lookup", "Pot", runtime=runtime).stdout == f"tcp://127.0.0.1:{daemon.port}\n"


@pytest.fixture
def asked(runtime):
    """`colony rpc call Pot stir` that waits for a daemon which then ends; its place as it was."""
    with fake({"stir": None}) as daemon:
        entry = register(runtime, "Pot", daemon.port)
        with subprocess.Popen([BINARY, "rpc", "call", "Pot", "stir"], text=True,
                              env={**os.environ, "COLONY_RUNTIME_DIR": str(runtime)},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as call:
            eventually(lambda: daemon.asked, what="the question")
            entry.unlink()
            call.lost_at = time.monotonic()
            daemon.close()
            call.port = daemon.port
            try:
                yield call
            finally:
                call.kill()
        daemon.close = lambda: None


def test_a_lost_question_goes_to_the_daemon_not_to_its_port(asked, runtime):
    with fake({"stir": "wrong"}, port=asked.port) as other, fake({"stir": "stirred"}) as again:
        register(runtime, "Kettle", other.port)
        register(runtime, "Pot", again.port)
        assert asked.communicate(timeout=15) == ("stirred\n", "")
        assert not other.asked


def test_a_daemon_that_does_not_come_back_is_told(asked):
    out, told = asked.communicate(timeout=25)
    assert (asked.returncode, out) == (4, "") and "none runs here" in told
    assert 10 <= time.monotonic() - asked.lost_at < 20


def test_one_that_listens_everywhere_is_reached_here(runtime):
    with fake({"getattr": {"value": 7}}) as daemon:
        register(runtime, "Pot", daemon.port, host="0.0.0.0")
        assert rpc("get", "Pot", "heat", runtime=runtime).stdout == "7\n"


def test_no_such_name_is_4_with_the_nearest(runtime):
    register(runtime, "MessageDaemon", 51000)
    told = rpc("get", "MesageDaemon", "heat", runtime=runtime)
    assert told.returncode == 4 and "MessageDaemon" in told.stderr
    assert rpc("lookup", "Pan", runtime=runtime).returncode == 4
    assert rpc("ls", runtime=runtime.parent / "nowhere").stdout == ""
    assert rpc("ls", "--json", runtime=runtime.parent / "nowhere").stdout == "[]\n"


# Another host, by ssh


@pytest.fixture
def remote(tmp_path):
    """A script in ssh's place, which runs the command here with the registry of the other host."""
    there = tmp_path / "there"
    script = tmp_path / "ssh"
    (tmp_path / "bin").mkdir()
    os.symlink(BINARY, tmp_path / "bin" / "colony")
    script.write_text(f"""#!/bin/sh
printf '%s\\n' "$@" > {tmp_path}/asked
while [ $# -gt 2 ]; do shift; done
case "$1" in
  slow*) exec sleep 30 ;;
  broken*) echo 'ssh: connect to host broken port 22: Connection refused' >&2; exit 255 ;;
  bare*) exit 127 ;;
  liar*) echo '{{"port": 0}}'; exit 0 ;;
  loud*) yes; exit 0 ;;
esac
PATH={tmp_path}/bin:/usr/bin:/bin COLONY_RUNTIME_DIR={there} exec sh -c "$2"
""")
    script.chmod(0o755)
    return tmp_path, there, script


def test_a_daemon_of_another_host_is_found_by_ssh(remote, runtime):
    folder, there, script = remote
    with fake({"getattr": {"value": 7}}) as daemon:
        register(there, "Pot o' tea", daemon.port)
        env = {"COLONY_SSH": str(script)}
        told = rpc("get", "Pot o' tea:me@127.0.0.1", "heat", "--ssh-option", "Port=2222",
                   "--ssh-option=User=cook", runtime=runtime, env=env)
        assert (told.returncode, told.stdout) == (0, "7\n"), told.stderr
        assert (folder / "asked").read_text().splitlines() == [
            "-o", "Port=2222", "-o", "User=cook", "me@127.0.0.1",
            "colony rpc lookup --json -- 'Pot o'\\'' tea'"]
        found = json.loads(rpc("lookup", "Pot o' tea:127.0.0.1", "--json", runtime=runtime, env=env).stdout)
        assert found["endpoint"] == f"tcp://127.0.0.1:{daemon.port}" and found["port"] == daemon.port


def test_what_ssh_says_is_not_believed(remote, runtime):
    _, _, script = remote
    env = {"COLONY_SSH": str(script)}
    for host, exit_code, text in [
            ("there", 4, ""), ("broken", 69, "ssh failed (status 255)"),
            ("bare", 69, "colony is not installed there"), ("liar", 69, "is no entry of a registry"),
            ("loud", 69, "cannot read what ssh says")]:
        told = rpc("get", f"Pot:{host}", "heat", runtime=runtime, env=env)
        assert told.returncode == exit_code and text in told.stderr, (host, told)
    told = rpc("get", "Pot:x", "heat", runtime=runtime, env={"COLONY_SSH": "/nowhere/ssh"})
    assert told.returncode == 69 and "cannot run /nowhere/ssh" in told.stderr


def test_ssh_takes_no_longer_than_the_timeout(remote, runtime):
    _, _, script = remote
    start = time.monotonic()
    told = rpc("get", "Pot:slow", "heat", "--timeout", "0.5", runtime=runtime,
               env={"COLONY_SSH": str(script)})
    assert told.returncode == 75 and 0.5 <= time.monotonic() - start < 0.95


def test_one_that_says_it_is_private_is_told_so(remote, runtime):
    _, there, script = remote
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        register(there, "Pot", taken.getsockname()[1])
        told = rpc("get", "Pot:127.0.0.1", "heat", runtime=runtime, env={"COLONY_SSH": str(script)})
    assert told.returncode == 69 and "only its own machine reaches it" in told.stderr


# Keys


def test_keygen_makes_a_file_of_our_own_and_replaces_none(tmp_path):
    path = tmp_path / "k" / "own.key"
    path.parent.mkdir()
    told = rpc("keygen", path)
    assert told.returncode == 0 and len(told.stdout) == 41
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"public {told.stdout.strip()}" in path.read_text()
    again = rpc("keygen", path)
    assert again.returncode == 5 and again.stdout == ""


# With the real ssh


@pytest.fixture
def sshd(tmp_path):
    """A server on a port of its own, with keys of its own, for whoever runs this test."""
    if not os.path.exists("/usr/sbin/sshd") or not shutil.which("ssh-keygen"):
        pytest.skip("no sshd here")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    there = tmp_path / "there"
    (tmp_path / "bin").mkdir()
    os.symlink(BINARY, tmp_path / "bin" / "colony")
    (tmp_path / "config").write_text(f"""
Port {port}
ListenAddress 127.0.0.1
HostKey {tmp_path}/host
AuthorizedKeysFile {tmp_path}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
SetEnv PATH={tmp_path}/bin:/usr/bin:/bin COLONY_RUNTIME_DIR={there}
""")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # it has no other place for those it confines
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", tmp_path / "config"],
                              stderr=subprocess.PIPE)
    options = [f"--ssh-option={option}" for option in (
        f"Port={port}", f"IdentityFile={tmp_path}/user", "StrictHostKeyChecking=no",
        f"UserKnownHostsFile={tmp_path}/known", "BatchMode=yes", "LogLevel=ERROR", "IdentitiesOnly=yes")]
    eventually(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, what="sshd")
    yield there, options
    server.terminate()
    server.communicate(timeout=10)


def test_a_daemon_is_found_by_the_real_ssh(sshd, runtime):
    there, options = sshd
    with fake({"getattr": {"value": 7}}) as daemon:
        register(there, "Pot o' tea", daemon.port)
        told = rpc("get", "Pot o' tea:127.0.0.1", "heat", *options, runtime=runtime)
        assert (told.returncode, told.stdout) == (0, "7\n"), told.stderr
        told = rpc("get", "Pan:127.0.0.1", "heat", *options, runtime=runtime)
        assert told.returncode == 4 and "Pan" in told.stderr
    told = rpc("get", "Pot:127.0.0.1", "heat", *options, "--ssh-option=User=nobody-of-this-name",
               "--timeout", "10", runtime=runtime)
    assert told.returncode == 69 and "ssh failed (status 255)" in told.stderr, told
