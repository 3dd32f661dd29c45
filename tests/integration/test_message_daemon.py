# SPDX-License-Identifier: Apache-2.0
"""examples/embed/message_daemon.c: the seed's MessageDaemon with libcolony, asked from all sides."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import BINARY, eventually
from rpc_client import Client, entries, raises, zmq
from rpc_fake import rpc
from s3_server import KEY, REGION, S3, SECRET

PROGRAM = pathlib.Path(BINARY).parent / "embed" / "message_daemon"


class MessageDaemon:
    def __init__(self, folder):
        self.folder = folder
        self.runtime = folder / "run"
        self.saved = folder / "state" / "colony" / "rpc" / "MessageDaemon.json"
        self.output = folder / "output"
        self.process = None
        self.env = {**os.environ, "COLONY_RUNTIME_DIR": str(self.runtime), "HOME": str(folder),
                    "XDG_STATE_HOME": str(folder / "state")}
        (folder / "run").mkdir()

    def start(self, settings=None):
        if not settings:  # root's state folder is the machine's
            self.saved.parent.mkdir(parents=True, exist_ok=True)
            settings = f"pst: {{class_name: PstFileStorage, file_path: {self.saved}, frequency: 100ms}}"
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen([PROGRAM, settings], stdout=output, stderr=output,
                                            stdin=subprocess.DEVNULL, env=self.env)
        eventually(lambda: self.process.poll() is not None or self.entry(), what="serving")
        assert self.process.poll() is None, self.output.read_text()
        return self

    def entry(self):
        return next((e for e in entries(self.runtime) if e["pid"] == self.process.pid), None)

    def rpc(self, action, *args, **more):
        return rpc(action, "--timeout", "15", "MessageDaemon", *args, runtime=self.runtime, **more)

    def insert(self, *args):
        """By a proxy of the library's."""
        return subprocess.run([PROGRAM, "insert", *args], capture_output=True, text=True,
                              timeout=60, env=self.env)

    def count(self):
        return json.loads(self.rpc("get", "pst_counter").stdout)

    def saved_count(self):
        return json.loads(self.saved.read_text())["pst_counter"]

    def wait(self):
        assert self.process.wait(20) == 0, self.output.read_text()


@pytest.fixture(name="daemon")
def daemon_fixture(tmp_path):
    daemon = MessageDaemon(tmp_path)
    yield daemon
    if daemon.process and daemon.process.poll() is None:
        daemon.process.kill()
        daemon.process.wait()


def test_the_readme_of_malacoda_step_by_step(daemon):
    daemon.start()
    assert daemon.rpc("call", "insert_message", "hello world").stdout == "Message received!\n"
    assert daemon.rpc("get", "pst_counter").stdout == "1\n"
    assert daemon.rpc("set", "pst_counter", "0").returncode == 0
    assert daemon.count() == 0
    assert daemon.rpc("stop").returncode == 0
    daemon.wait()
    assert "Found 1 new messages\nhello world\n" in daemon.output.read_text()
    assert not entries(daemon.runtime)


def test_a_proxy_of_the_library_asks_it_by_name_and_by_address(daemon):
    daemon.start()
    assert daemon.insert("one").stdout == "Message received!\n1\n"
    assert daemon.insert("two", daemon.entry()["endpoint"].removeprefix("tcp://")).stdout == \
        "Message received!\n2\n"
    assert daemon.insert("three", f"MessageDaemon:{daemon.entry()['port']}").stdout == \
        "Message received!\n3\n"
    told = daemon.insert("four", "MessageDamon")
    assert told.returncode == 1
    assert told.stderr == ("message_daemon: cannot find a daemon named MessageDamon: none runs here "
                           "(did you mean MessageDaemon?)\n")


def test_any_client_of_zeromq_asks_it(daemon):
    daemon.start()
    for kind in (zmq.REQ, zmq.DEALER):
        with Client(daemon.entry()["endpoint"], kind) as client:
            before = client.get("pst_counter")
            assert client.call("insert_message", "hello") == "Message received!"
            assert client.call("insert_message", msg="again") == "Message received!"
            assert client.get("pst_counter") == before + 2
            client.set("pst_counter", 40)
            assert client.get("running") is True and client.get("uptime") >= 0
            assert client.call("dir")["attributes"] == ["pst_counter", "running", "uptime"]
            assert "insert_message" in client.call("dir")["methods"]
            assert client.call("doc", "insert_message").startswith("insert_message(msg): ")
            with raises("TypeError"):
                client.call("insert_message", 3)
            with raises("TypeError"):
                client.call("insert_message")
            with raises("ValueError"):
                client.set("pst_counter", "many")
            with raises("AttributeError"):
                client.set("pst_countr", 1)
            with raises("PermissionError"):
                client.set("running", False)
            with raises("AttributeError"):
                client.call("_run")


def test_a_restart_keeps_what_is_to_be_kept(daemon):
    daemon.start()
    daemon.insert("one")
    daemon.insert("two")
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait()
    assert daemon.saved_count() == 2
    daemon.start()
    assert daemon.insert("three").stdout == "Message received!\n3\n"
    daemon.process.send_signal(signal.SIGINT)
    daemon.wait()
    assert daemon.saved_count() == 3


def test_a_kill_keeps_what_was_saved(daemon):
    daemon.start()
    daemon.insert("one")
    eventually(lambda: daemon.saved_count() == 1, what="saving")
    daemon.process.kill()
    daemon.process.wait()
    assert daemon.insert("lost").returncode == 1  # its entry is stale, and removed
    assert not entries(daemon.runtime)
    daemon.start()
    assert daemon.count() == 1


def test_s3_keeps_it(daemon):
    with S3() as s3:
        credentials = daemon.folder / "credentials"
        credentials.write_text(f"{KEY} {SECRET}\n")
        credentials.chmod(0o600)
        settings = (f"pst: {{class_name: s3, url: {s3.url}/bucket/daemon.json, region: {REGION}, "
                    f"credentials: {credentials}}}")
        daemon.start(settings)
        daemon.insert("one")
        assert daemon.rpc("stop").returncode == 0
        daemon.wait()
        assert json.loads(s3.objects["/bucket/daemon.json"]) == {"pst_counter": 1}
        daemon.start(settings)
        assert daemon.count() == 1


def test_keys_open_it(daemon):
    for name in ("own", "reader", "guest", "stranger"):
        key = daemon.folder / f"{name}.key"
        public = subprocess.run([BINARY, "rpc", "keygen", key], capture_output=True, text=True,
                                check=True).stdout.strip()
        if name in ("reader", "guest"):
            with open(daemon.folder / "allow", "a", encoding="utf-8") as allow:
                allow.write(f"{name} {'read' if name == 'reader' else 'control'} {public}\n")
    (daemon.folder / "allow").chmod(0o600)
    daemon.start(f"keys: {daemon.folder}/own.key\nallow: {daemon.folder}/allow\n"
                 f"pst: {{class_name: none}}")
    assert daemon.entry()["endpoint"].startswith("tcp://0.0.0.0:51")
    for name, answer in [("guest", "Message received!\n1\n"), ("reader", "PermissionError"),
                         ("stranger", "does not take our key")]:
        told = daemon.insert("hello", "MessageDaemon", str(daemon.folder / f"{name}.key"))
        assert answer in told.stdout + told.stderr, (name, told)


@pytest.mark.parametrize("kind", ["sqlite", "none"])
def test_settings_say_where_it_is_kept(daemon, kind):
    path = daemon.folder / "saved"
    settings = f"pst: {{class_name: {kind}, file_path: {path}, frequency: 100ms}}"
    daemon.start(settings)
    daemon.insert("one")
    assert daemon.rpc("stop").returncode == 0
    daemon.wait()
    daemon.start(settings)
    assert daemon.count() == (1 if kind == "sqlite" else 0)


def test_two_of_them_do_not_save_over_each_other(daemon):
    daemon.start()
    other = subprocess.run(
        [PROGRAM, f"pst: {{file_path: {daemon.saved}}}"], capture_output=True, text=True, timeout=60,
        env=daemon.env)
    assert other.returncode == 1
    assert other.stderr == (f"message_daemon: cannot keep attributes in {daemon.saved}: another "
                            "daemon keeps its own there\n")


def test_it_costs_nothing_while_nobody_asks(daemon):
    """Its only timer is the one that looks at pst_counter, which a function of the program's tells."""
    daemon.start(f"pst: {{file_path: {daemon.folder / 'saved'}}}")
    daemon.insert("one")

    def switches():
        tasks = pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir()
        return sum(int(line.split()[1]) for task in tasks
                   for line in (task / "status").read_text().splitlines() if "ctxt_switches" in line)

    def rests():
        before = switches()
        time.sleep(0.5)
        return switches() == before

    eventually(rests, what="a rest")
    before = switches()
    time.sleep(2)
    assert switches() - before <= 4  # the run function wakes each 5 seconds


def test_another_host_is_asked_by_ssh(daemon, tmp_path):
    """A script in ssh's place, which runs the command here."""
    daemon.start()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "colony").symlink_to(BINARY)
    script = tmp_path / "ssh"
    script.write_text(f"""#!/bin/sh
[ "$1 $2" = "-o BatchMode=yes" ] || exit 1
[ "$3" = 127.0.0.1 ] || {{ echo 'no such host' >&2; exit 255; }}
PATH={tmp_path}/bin:/usr/bin:/bin exec sh -c "$4"
""")
    script.chmod(0o755)
    daemon.env["COLONY_SSH"] = str(script)
    assert daemon.insert("one", "MessageDaemon:127.0.0.1").stdout == "Message received!\n1\n"
    for place, why in [("MessageDaemon:nowhere", "ssh failed (status 255)"),
                       ("Nobody:127.0.0.1", "no daemon of that name runs there")]:
        told = daemon.insert("two", place)
        assert told.stderr.count("\n") == 1 and why in told.stderr, told  # ssh's own words are not seen


PART = """
#include <colony.h>
#include <unistd.h>
int main(void)
{
    struct colony_rpc_daemon *daemon;
    if (colony_rpc_open(&daemon, "Part", NULL, NULL) < 0 || colony_rpc_run(daemon, NULL) < 0)
        return 1;
    colony_rpc_close(daemon);
    pause();
}
"""


@pytest.mark.skipif("/asan/" in BINARY or "/tsan/" in BINARY, reason="what is made here has no sanitizer")
def test_stop_waits_for_the_daemon_not_for_the_program_that_it_is_a_part_of(tmp_path):
    (tmp_path / "part.c").write_text(PART)
    root = pathlib.Path(__file__).parents[2]
    build = pathlib.Path(BINARY).parent
    subprocess.run(["cc", "-I", root / "include", "-o", tmp_path / "part", tmp_path / "part.c", f"-L{build}",
                    "-lcolony", f"-Wl,-rpath,{build}"], check=True)
    env = {**os.environ, "COLONY_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen([tmp_path / "part"], env=env) as program:
        try:
            eventually(lambda: entries(tmp_path), what="serving")
            told = rpc("stop", "Part", "--timeout", "15", runtime=tmp_path)
            assert told.returncode == 0, told
            assert program.poll() is None and not entries(tmp_path)
        finally:
            program.kill()
