# SPDX-License-Identifier: Apache-2.0
"""colony session show, status, dependence, log and gc, with no supervisor."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from conftest import BINARY, alive, eventually
from sessions import session  # noqa: F401

SLEEP = "exec:///bin/sleep?600"


def add(session, name, text="cmdline: [/bin/sleep, '9']\n"):
    (session.folder / f"etc/{name}.yaml").write_text(text, encoding="utf-8")


def one(session, word):
    return next(p for p in json.loads(session.run("show", "--json").stdout)
                if word in (p["name"], p["alias"]))


# show and status


def test_show_has_a_row_for_each_process(session):
    name, pid = session.start(SLEEP, "--alias", "nap", "--restart", "1")
    add(session, "web")
    session.run("dependence", "add", "--parent", "nap:ready", "--child", "web")
    lines = session.run("show").stdout.splitlines()
    assert lines[0].split()[:8] == ["NAME", "ALIAS", "STATE", "PID", "UPTIME", "RESTART", "SHUTDOWN",
                                    "PARENTS"]
    assert any(re.match(rf"{name} +nap +starting +{pid} +\d+s +1 +0 ", line) for line in lines)
    assert any(re.search(r" web +stopped +- +- +0 +0 +nap:ready", line) for line in lines)
    assert one(session, "nap")["pid"] == pid
    assert one(session, "web") == {
        "name": one(session, "web")["name"], "alias": "web", "uri": "exec://localhost/bin/sleep?9",
        "state": "stopped", "pid": None, "uptime": None, "restart": False, "shutdown": False,
        "parents": [{"parent": "nap", "state": "ready", "on_loss": "keep", "met": False}],
        "score": None, "cmdline": ["/bin/sleep", "9"]}


def test_a_pid_that_is_anothers_by_now_is_not_shown_as_running(session):
    name, pid = session.start(SLEEP, "--alias", "nap")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    assert one(session, "nap")["state"] == "stopped"
    subprocess.run(["sqlite3", session.folder / "db/session.db",
                    f"UPDATE u_process SET pid = {os.getpid()}"], check=True)
    assert one(session, "nap")["state"] == "stopped"
    assert session.run("status", "nap", check=3).stdout.startswith(f"nap ({name}): stopped\n")


def test_secrets_are_masked_and_in_files_of_their_owner_alone(session):
    session.start("exec:///bin/sh?-c&sleep%20600&password=geheim&api_key=geheim&user=me", "--alias", "a")
    for args in (["show"], ["show", "--json"], ["status", "a"], ["status", "--json"], ["show", "--dot"]):
        assert "geheim" not in session.run(*args).stdout, args
    assert "user=me" in session.run("status", "a").stdout
    assert "geheim" in session.read("etc/a.yaml")


def test_status_tells_whether_it_runs_by_its_exit_code(session):
    _, pid = session.start(SLEEP, "--alias", "nap", "--restart", "1")
    assert session.run("status", "nap").stdout.splitlines()[0].startswith("nap (")
    assert session.run("status").returncode == 0
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    session.run("status", "nap", check=3)
    session.run("status", check=3)
    assert "did you mean nap?" in session.run("status", "napp", check=4).stderr


def test_status_tells_what_a_process_waits_for(session):
    session.start(SLEEP, "--alias", "nap")
    add(session, "web")
    add(session, "db")
    session.run("dependence", "add", "--parent", "nap:ready,db", "--child", "web")
    told = session.run("status", "web", check=3).stdout
    assert "waits for  nap to be in state ready: it is starting" in told
    assert "waits for  db to run: it is stopped" in told


def test_the_graph_is_a_tree_and_a_digraph(session):
    for name in ("a", "b", "c"):
        add(session, name, f"cmdline: [/bin/sleep, {name}=1]\n")
    session.run("dependence", "add", "--parent", "a:up", "--child", "b,c")
    session.run("dependence", "add", "--parent", "b", "--child", "c")
    env = {**os.environ, "LC_ALL": "C"}
    assert session.run("show", "--graph", env=env).stdout.splitlines() == [
        "a: stopped", "|- b: stopped, when a is up", "|  `- c: stopped, when b runs",
        "`- c: stopped, when a is up"]
    names = {p["alias"]: p["name"] for p in json.loads(session.run("show", "--json").stdout)}
    dot = session.run("show", "--dot").stdout
    assert f'"{names["a"]}" [label="a:stopped"];' in dot
    assert f'"{names["a"]}" -> "{names["b"]}" [label="up"];' in dot
    assert f'"{names["b"]}" -> "{names["c"]}";' in dot


# dependence


@pytest.fixture
def three(session):
    for name in ("master.tws", "master.trader", "slave.trader"):
        add(session, name, f"cmdline: [/bin/sleep, {name}=1]\n")
    return session


def listed(session):
    return [(d["parent"], d["state"], d["child"], d["on_loss"])
            for d in json.loads(session.run("dependence", "list", "--json").stdout)]


def test_dependences_are_added_and_removed_as_the_seed_types_them(three):
    three.run("dependence", "add", "--parent", "master.tws:operative", "--child", "master.trader")
    assert listed(three) == [("master.tws", "operative", "master.trader", "keep")]
    assert "so already" in three.run("dependence", "add", "--parent", "master.tws:operative",
                                     "--child", "master.trader").stdout
    three.run("dependence", "remove", "--parent", "master.tws", "--child", "master.trader:operative")
    assert listed(three) == []
    assert "does not wait for" in three.run("dependence", "remove", "--parent", "master.tws",
                                            "--child", "master.trader", check=4).stderr


def test_a_parent_without_a_state_removes_all_of_its_states(three):
    three.run("dependence", "add", "--parent", "master.tws:a,master.tws:b,master.tws", "--child",
              "master.trader,slave.trader", "--on-loss", "restart")
    assert len(listed(three)) == 6
    three.run("dependence", "remove", "--parent", "master.tws:a", "--child", "master.trader")
    assert len(listed(three)) == 5
    three.run("dependence", "remove", "--parent", "master.tws", "--child", "slave.trader")
    assert listed(three) == [("master.tws", "b", "master.trader", "restart"),
                             ("master.tws", None, "master.trader", "restart")]
    three.run("dependence", "add", "--parent", "master.tws:b", "--child", "master.trader", "--on-loss",
              "stop")
    assert listed(three)[0][3] == "stop"


def test_a_circle_is_refused_and_shown(three):
    three.run("dependence", "add", "--parent", "master.tws:up", "--child", "master.trader")
    three.run("dependence", "add", "--parent", "master.trader", "--child", "slave.trader")
    before = three.read("etc/session.yaml")
    told = three.run("dependence", "add", "--parent", "slave.trader", "--child", "master.tws", check=2)
    assert ": slave.trader → master.trader → master.tws → slave.trader\n" in told.stderr
    assert three.read("etc/session.yaml") == before


def test_comments_of_the_user_stay(three):
    path = three.folder / "etc/session.yaml"
    path.write_text("period: 1s # often\n# who waits\ndependences:\n  # the master\n"
                    "  master.trader: [\"master.tws:up\"]\n# the end\n", encoding="utf-8")
    three.run("dependence", "add", "--parent", "master.tws", "--child", "slave.trader")
    assert path.read_text(encoding="utf-8") == (
        "period: 1s # often\n# who waits\ndependences:\n  # the master\n"
        "  master.trader: [\"master.tws:up\"]\n  slave.trader: [\"master.tws\"]\n# the end\n")


@pytest.mark.parametrize("args, code, why", [
    (["--parent", "master.tsw", "--child", "master.trader"], 4, "did you mean master.tws?"),
    (["--parent", "master.tws:", "--child", "master.trader"], 2, "no state follows its `:`"),
    (["--parent", "../x", "--child", "master.trader"], 2, "it has a `/`"),
    (["--parent", "master.tws", "--child", "master.tws"], 2, "master.tws → master.tws"),
    (["--parent", "master.tws", "--child", "master.trader", "--on-loss", "explode"], 2,
     "it is keep, stop or restart"),
    (["--parent", "master.tws"], 2, "give --parent NAME:STATE and --child NAME"),
])
def test_a_dependence_that_cannot_be_is_refused(three, args, code, why):
    told = three.run("dependence", "add", *args, check=code)
    assert why in told.stderr and len(told.stderr.splitlines()) == 1
    assert listed(three) == []


def test_a_session_file_that_is_nonsense_is_told_with_its_place(three):
    (three.folder / "etc/session.yaml").write_text("period: 5s\ndependences: {a\n", encoding="utf-8")
    told = three.run("dependence", "list")
    assert re.search(r"etc/session\.yaml:3:1: ", told.stderr)
    assert "master.tws" in three.run("show").stdout
    three.run("dependence", "add", "--parent", "master.tws", "--child", "master.trader", check=78)
    assert three.read("etc/session.yaml") == "period: 5s\ndependences: {a\n"


# log


def test_log_prints_the_last_lines_and_follows(session):
    name, _ = session.start(
        "exec:///bin/sh?-c&i%3D0;while%20:;do%20i%3D%24((i%2B1));echo%20%24i;echo%20e%24i%20%3E%262;sleep%200.05;done",
        "--alias", "count")
    eventually(lambda: session.read(f"err/{name}.out").count("\n") >= 5)
    lines = session.run("log", "count", "-n", "2").stdout.splitlines()
    assert len(lines) == 2 and int(lines[1]) == int(lines[0]) + 1
    assert session.run("log", "count", "--err", "-n", "1").stdout.startswith("e")
    reader = subprocess.Popen([BINARY, "session", "-C", session.folder, "log", "-f", "count", "-n", "1000"],
                              stdout=subprocess.PIPE, text=True)
    try:
        assert [int(reader.stdout.readline()) for _ in range(30)] == list(range(1, 31))
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()


def test_log_follows_what_is_not_there_yet_and_what_is_cut_short(session):
    add(session, "a", "name: yellow-panda\ncmdline: [/bin/true]\n")
    add(session, "b", "name: questionable-dish\ncmdline: [/bin/true]\n")
    session.run("show")
    file = session.folder / "out/yellow-panda.out"
    reader = subprocess.Popen([BINARY, "session", "-C", session.folder, "log", "-f"],
                              stdout=subprocess.PIPE, text=True)
    try:
        file.write_text("one\n", encoding="utf-8")
        assert [reader.stdout.readline() for _ in range(2)] == ["==> a <==\n", "one\n"]
        (session.folder / "out/questionable-dish.out").write_text("two\n", encoding="utf-8")
        assert [reader.stdout.readline() for _ in range(3)] == ["\n", "==> b <==\n", "two\n"]
        file.write_text("3\n", encoding="utf-8")
        assert [reader.stdout.readline() for _ in range(3)] == ["\n", "==> a <==\n", "3\n"]
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()


# gc


def test_gc_removes_what_is_obsolete_and_nothing_else(session):
    name, pid = session.start(SLEEP, "--alias", "nap")
    dead, dead_pid = session.start("exec:///bin/sleep?601", "--alias", "dead")
    os.kill(dead_pid, signal.SIGKILL)
    eventually(lambda: not alive(dead_pid))
    for path in ("fp/gone-long.yaml", "fp/gone-long.ready.yaml", f"fp/{name}.ready.yaml",
                 "pid/gone-long.pid", "etc/x.yaml.new~", f"out/{dead}.out"):
        (session.folder / path).write_text("{}\n", encoding="utf-8")
    expected = {f"pid/{dead}.pid", "fp/gone-long.yaml", "fp/gone-long.ready.yaml", "pid/gone-long.pid",
                "etc/x.yaml.new~"}
    told = session.run("gc", "--dry-run").stdout.splitlines()
    assert {line.split()[2].rstrip(":") for line in told} == expected
    assert all((session.folder / path).exists() for path in expected)
    told = session.run("gc").stdout.splitlines()
    assert {line.split()[1].rstrip(":") for line in told} == expected
    assert not any((session.folder / path).exists() for path in expected)
    assert session.run("gc").stdout == "there is nothing to remove\n"
    assert (session.folder / f"fp/{name}.ready.yaml").exists()
    assert session.read(f"pid/{name}.pid").strip() == str(pid)
    assert (session.folder / f"out/{dead}.out").exists()


def test_a_secret_after_its_option_is_not_shown(session):
    session.start("exec:///bin/sh?-c&sleep%20600&x&--password&hunter2&--port&80", "--alias", "one")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "--password", "hunter2"])
    try:
        eventually(lambda: b"hunter2" in open(f"/proc/{child.pid}/cmdline", "rb").read())
        session.run("attach", "--pid", child.pid, "--alias", "two")
        session.run("attach", "--alias", "one", "--state", "up")
        for args in (["show", "--json"], ["status", "one"], ["status", "two"], ["fingerprint", "one"],
                     ["fingerprint", "one", "--json"], ["fingerprint", "two"], ["fingerprint", "two", "--json"]):
            told = session.run(*args).stdout
            assert "--password" in told and "***" in told and "hunter2" not in told, args
        assert "80" in session.run("status", "one").stdout
    finally:
        child.kill()
        child.wait()
