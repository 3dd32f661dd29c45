# SPDX-License-Identifier: Apache-2.0
"""A session with its supervisor: the seed's example, and what must hold when things die."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

import faulty
from conftest import BINARY, DEADLINE, Colony, alive, eventually

# Opens its port only after a delay, as TWS does; then it serves until it is told to end.
TWS = """
import os, signal, socket, sys, time
assert sys.argv[1:] == ["username=myuser", "password=mypassword"], sys.argv
time.sleep(float(os.environ.get("TWS_DELAY", "0.5")))
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(os.environ["TWS_PORT"])))
listener.listen()
while True:
    listener.accept()[0].close()
"""

# Fails unless its parent listens.
TRADER = """
import os, socket, sys, time
with open(os.environ["TRADER_LOG"], "a") as log:
    try:
        socket.create_connection(("127.0.0.1", int(os.environ["TWS_PORT"])), 2).close()
    except OSError:
        print("too early", file=log, flush=True)
        sys.exit(1)
    print("connected", *sys.argv[1:], file=log, flush=True)
while True:
    time.sleep(60)
"""


# Listens; without its port and its connections from SIGUSR1 until SIGUSR2.
PARENT = """
import os, selectors, signal, socket, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2})
while True:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(os.environ["TWS_PORT"])))
    listener.listen()
    listener.settimeout(0.05)
    connections = []
    while signal.SIGUSR1 not in signal.sigpending():
        try:
            connections.append(listener.accept()[0])
        except TimeoutError:
            pass
    signal.sigwait({signal.SIGUSR1})
    for one in [listener, *connections]:
        one.close()
    signal.sigwait({signal.SIGUSR2})
"""

# Fails unless its parent listens, and ends with its connection.
CLIENT = """
import os, socket, sys
log = open(os.environ["TRADER_LOG"], "a")
try:
    connection = socket.create_connection(("127.0.0.1", int(os.environ["TWS_PORT"])), 2)
except OSError:
    print("too early", file=log, flush=True)
    sys.exit(1)
print("connected", file=log, flush=True)
connection.settimeout(None)
try:
    connection.recv(1)
finally:
    sys.exit(1)
"""


class Workspace(Colony):
    """A workspace, and its supervisor as a Colony of the state folder .colony."""

    def __init__(self, folder):
        super().__init__(folder)
        self.work = self.folder / "w"
        self.work.mkdir()
        self.state = self.work / ".colony"
        self.socket = self.state / "colony.sock"
        self.log = self.state / "colony.log"
        self.port = socket.socket()  # held, so that only who names it is given it, too
        self.port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port.bind(("127.0.0.1", 0))
        self.env = {**os.environ, "TWS_PORT": str(self.port.getsockname()[1]),
                    "TRADER_LOG": str(self.folder / "trader.log"), "TWS_DELAY": "0.3"}
        self.env.pop("COLONY_SESSION", None)

    def session(self, *args, check=True, **run):
        run.setdefault("timeout", 60)
        result = subprocess.run([BINARY, "session", *map(str, args)], cwd=self.work, env=self.env,
                                capture_output=True, text=True, **run)
        if check:
            log = self.log.read_text() if self.log.exists() else ""
            assert result.returncode == 0, f"{args}: {result.stdout}{result.stderr}{log}"
        return result

    def program(self, name, text):
        """A program in Python of that name."""
        path = self.folder / name
        path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
        path.chmod(0o755)
        return path

    def settings(self, text):
        (self.work / "etc" / "session.yaml").write_text(text, encoding="utf-8")

    def rows(self):
        """What the database says, by alias or name."""
        import sqlite3
        with contextlib.closing(sqlite3.connect(self.work / "db" / "session.db")) as db:
            db.row_factory = sqlite3.Row
            return {row["alias"] or row["name"]: dict(row)
                    for row in db.execute("SELECT * FROM u_process")}

    def pid(self, title):
        pid = self.rows()[title]["pid"]
        return pid if pid and alive(pid) else None

    def wait_pid(self, title, other_than=None):
        def look():
            pid = self.pid(title)
            return pid if pid != other_than else None
        return eventually(look, what=f"{title} running")

    def wait_row(self, title, state):
        eventually(lambda: self.rows()[title]["state"] == state, what=f"{title} {state}")

    def etc(self, title):
        return self.work / "etc" / f"{title}.yaml"

    def set(self, title, key, value):
        lines = self.etc(title).read_text().splitlines()
        assert any(line.startswith(key + ":") for line in lines)
        lines = [f"{key}: {value}" if line.startswith(key + ":") else line for line in lines]
        self.etc(title).write_text("\n".join(lines) + "\n")

    def trader_log(self):
        path = pathlib.Path(self.env["TRADER_LOG"])
        return path.read_text().splitlines() if path.exists() else []

    def clear(self):
        super().clear()
        self.port.close()
        with contextlib.suppress(Exception):
            for row in self.rows().values():
                if row["pid"]:
                    os.kill(row["pid"], signal.SIGKILL)


@pytest.fixture
def make_workspace():
    made = []

    def make():
        made.append(Workspace(tempfile.mkdtemp(prefix="colony-test-")))
        made[-1].session("init")
        made[-1].settings("period: 200ms\nstop: {wait: 500ms}\n")
        return made[-1]

    yield make
    complaints = []
    for one in made:
        one.clear()
        complaints += one.complaints()
        shutil.rmtree(one.folder, ignore_errors=True)
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def workspace(make_workspace):
    return make_workspace()


def start_sleep(workspace, alias, *options, seconds=1000):
    """A process of its own command line; its pid."""
    workspace.session("start", "--uri", f"exec://localhost{shutil.which('sleep')}?{seconds}",
                      "--alias", alias, *options)
    return workspace.wait_pid(alias)


def boots_of(workspace):
    return {title: row["pid"] for title, row in workspace.rows().items()}


# --- the seed's example ---------------------------------------------------------------------------


@pytest.fixture
def atlas(workspace):
    """The seed's Atlas example, as it is typed there, up to the dependence."""
    tws = workspace.program("tws", TWS)
    service = workspace.program("ib-service", TRADER)
    workspace.settings(f'period: 200ms\nstop: {{wait: 500ms}}\n'
                       f'schemes: {{ib: ["{service}", "{{path}}", "--account={{account}}"]}}\n')
    workspace.session("start", "--uri",
                      f"exec://localhost{tws}?username=myuser&password=mypassword",
                      "--alias", "master.tws", "--restart", "1", "--shutdown", "1")
    workspace.session("wait", "--alias", "master.tws", "--condition", "len(fp['listen'])>0",
                      "--timeout", "60")
    workspace.session("attach", "--alias", "master.tws", "--state", "operative")
    workspace.session("start", "--uri", "ib://localhost/sync?uid=master&account=0&tws=master.tws",
                      "--alias", "master.trader", "--restart", "1", "--shutdown", "1")
    workspace.session("dependence", "add", "--parent", "master.tws:operative", "--child",
                      "master.trader")
    eventually(lambda: workspace.trader_log() == ["connected /sync --account=0"])
    return workspace


def test_the_seeds_session_is_taken_over_stopped_and_brought_back(atlas):
    pids = {name: atlas.wait_pid(name) for name in ("master.tws", "master.trader")}
    said = atlas.session("activate").stdout
    assert f"runs already: master.tws (pid {pids['master.tws']})" in said
    assert f"runs already: master.trader (pid {pids['master.trader']})" in said
    atlas.wait_row("master.tws", "operative")
    assert {name: atlas.pid(name) for name in pids} == pids
    atlas.session("deactivate")
    assert not any(alive(pid) for pid in pids.values())
    assert not atlas.socket.exists() or "cannot reach" in atlas.ctl("ps", check=False).stderr
    atlas.session("activate")
    again = {name: atlas.wait_pid(name, pids[name]) for name in pids}
    eventually(lambda: len(atlas.trader_log()) == 2)
    assert atlas.trader_log() == ["connected /sync --account=0"] * 2, "never too early"
    atlas.wait_row("master.tws", "operative")
    assert {name: atlas.pid(name) for name in again} == again


def has_open(pid, path):
    with contextlib.suppress(FileNotFoundError):  # what is closed meanwhile
        return any(link.readlink() == path for link in pathlib.Path(f"/proc/{pid}/fd").iterdir())
    return False


def test_what_somebody_else_begins_while_it_activates_runs_already(workspace):
    """Not by the times of their starts, which are told in ticks."""
    pid = start_sleep(workspace, "one", seconds=1003)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    held = os.open(workspace.work / "db/lock", os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    activate = subprocess.Popen([BINARY, "session", "-C", workspace.work, "activate"], stdout=subprocess.PIPE, text=True)
    eventually(lambda: has_open(activate.pid, workspace.work / "db/lock"), what="it waits for the lock")
    other = subprocess.Popen([shutil.which("sleep"), "1003"], cwd=workspace.work)
    os.close(held)
    try:
        said, _ = activate.communicate(timeout=DEADLINE)
        assert f"runs already: one (pid {other.pid})" in said
    finally:
        other.kill()
        other.wait()


def test_a_machine_that_lost_everything_comes_back(atlas):
    atlas.session("activate")
    for name in ("master.tws", "master.trader"):
        atlas.wait_pid(name)
    pids = boots_of(atlas)
    atlas.kill_both()
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(alive(pid) for pid in pids.values()))
    shutil.rmtree(atlas.state)
    atlas.session("init")
    for file in (atlas.work / "pid").iterdir():
        file.unlink()
    said = atlas.session("activate").stdout
    assert "runs already" not in said
    for name, pid in pids.items():
        atlas.wait_pid(name, pid)
    assert "too early" not in atlas.trader_log()


def test_a_child_waits_until_a_parent_that_crashed_is_in_its_state_again(atlas):
    atlas.session("dependence", "add", "--parent", "master.tws:operative", "--child",
                  "master.trader", "--on-loss", "stop")
    atlas.env["TWS_DELAY"] = "1"
    atlas.session("activate")
    atlas.wait_row("master.tws", "operative")
    tws, trader = atlas.pid("master.tws"), atlas.pid("master.trader")
    os.kill(tws, signal.SIGKILL)
    atlas.wait_pid("master.tws", tws)
    atlas.wait_pid("master.trader", trader)
    assert not alive(trader)
    assert "too early" not in atlas.trader_log()


def test_what_does_not_run_is_told_with_its_reason(workspace):
    shell = shutil.which("sh")
    workspace.session("activate")
    told = workspace.session("start", "--uri", f"exec://{shell}?-c&exit%203", "--alias", "gone").stdout
    assert re.match(r"started gone \(\S+\): (pid \d+\n|it runs no more: ended with status 3 )", told)
    workspace.session("start", "--uri", f"exec://{shell}?-c&exit%204", "--alias", "again", "--restart", "1")
    eventually(lambda: re.search(r"again +stopped .* ended with status 4: starts again after .*\n",
                                 workspace.session("show").stdout))
    eventually(lambda: re.match(r"again \(\S+\): stopped: ended with status 4: starts again",
                                workspace.session("status", "again", check=False).stdout))
    rows = json.loads(workspace.session("show", "--json").stdout)
    notes = {row["alias"]: row.get("note") for row in rows}  # what runs has none
    assert notes["gone"] == "ended with status 3"
    workspace.etc("kid").write_text(f"name: tidy-kid\ncmdline: [{shutil.which('sleep')}, '1003']\n")
    workspace.session("dependence", "add", "--parent", "gone", "--child", "kid")
    assert workspace.session("start", "kid").stdout == \
        "will start kid (tidy-kid): it waits for others (colony session show)\n"
    assert re.search(r"kid +stopped .*gone", workspace.session("show").stdout)


@pytest.mark.parametrize("on_loss", ["keep", "stop", "restart"])
def test_what_a_child_does_when_its_parent_is_lost(workspace, on_loss):
    mum = start_sleep(workspace, "mum", "--restart", "1", seconds=1001)
    kid = start_sleep(workspace, "kid", "--restart", "1", seconds=1002)
    workspace.session("dependence", "add", "--parent", "mum", "--child", "kid", "--on-loss",
                      on_loss)
    workspace.session("activate")
    workspace.wait_row("mum", "running")
    workspace.wait_row("kid", "running")
    os.kill(mum, signal.SIGKILL)
    workspace.wait_pid("mum", mum)
    if on_loss == "keep":
        workspace.wait_row("mum", "running")
        assert workspace.pid("kid") == kid
    else:
        workspace.wait_pid("kid", kid)
        assert not alive(kid)


@pytest.fixture
def family(workspace):
    """A parent of ours, which we do not reap, in its state `up`; a client of it; both supervised."""
    workspace.settings("period: 5s\nstop: {wait: 500ms}\n")
    with subprocess.Popen([workspace.program("parent", PARENT)], env=workspace.env) as parent:
        workspace.session("attach", "--pid", parent.pid, "--alias", "mum", "--restart", "1")
        workspace.session("wait", "mum", "--condition", "len(fp['listen'])>0", "--timeout", "60")
        workspace.session("attach", "--alias", "mum", "--state", "up")
        workspace.session("start", "--uri", f"exec://{workspace.program('client', CLIENT)}", "--alias", "kid",
                          "--restart", "1")
        workspace.session("dependence", "add", "--parent", "mum:up", "--child", "kid")
        workspace.session("activate")
        workspace.wait_row("mum", "up")
        eventually(lambda: workspace.trader_log() == ["connected"])
        yield workspace
        workspace.session("deactivate")
        for title in ("kid", "mum"):
            with contextlib.suppress(Exception):
                os.kill(workspace.pid(title), signal.SIGKILL)
        parent.kill()


def test_the_end_of_a_parent_counts_at_once_also_if_nobody_reaps_it(family):
    os.kill(family.pid("mum"), signal.SIGKILL)
    eventually(lambda: family.trader_log().count("connected") == 2)
    assert family.trader_log().count("too early") <= 1, "only if its own end was told first"


def test_a_parent_that_left_its_state_is_looked_at_when_its_child_ends(family):
    os.kill(family.pid("mum"), signal.SIGUSR1)
    eventually(lambda: family.rows()["mum"]["state"] == "running", 3, what="another state before the period is over")
    assert family.trader_log().count("too early") <= 2
    os.kill(family.pid("mum"), signal.SIGUSR2)
    eventually(lambda: family.trader_log().count("connected") == 2)
    assert family.trader_log().count("too early") <= 2


# --- what dies, and what does not ------------------------------------------------------------------


@pytest.fixture
def pair(workspace):
    """Two that run, of which one is restarted, and a supervisor."""
    start_sleep(workspace, "one", "--restart", "1", "--shutdown", "1", seconds=1001)
    start_sleep(workspace, "two", seconds=1002)
    workspace.session("activate")
    return workspace


@pytest.mark.parametrize("who", ["keeper", "engine", "both"])
def test_a_kill_of_the_supervisor_kills_nobody_else(pair, who):
    pids = boots_of(pair)
    old = pair.keeper, pair.engine
    if who == "both":
        pair.kill_both()
        pair.session("activate")
    else:
        os.kill(getattr(pair, who), signal.SIGKILL)
    eventually(lambda: pair.answers() and (pair.keeper, pair.engine) != old)
    eventually(lambda: {s["os_pid"] for s in pair.slots()} == set(pids.values()))
    assert boots_of(pair) == pids
    os.kill(pids["one"], signal.SIGKILL)
    pair.wait_pid("one", pids["one"])
    assert alive(pids["two"])


def test_the_end_of_the_supervisor_leaves_all_and_the_next_takes_them_over(pair):
    pids = boots_of(pair)
    keeper = pair.keeper
    os.kill(keeper, signal.SIGTERM)
    eventually(lambda: not alive(keeper))
    assert all(alive(pid) for pid in pids.values())
    said = pair.session("activate").stdout
    assert said.count("runs already") == 2
    assert boots_of(pair) == pids


def test_what_ends_is_noted_and_only_what_is_to_be_restarted_is(pair):
    pids = boots_of(pair)
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    pair.wait_pid("one", pids["one"])
    eventually(lambda: pair.rows()["two"]["pid"] in (0, None))
    assert pair.rows()["two"]["state"] == "stopped"
    assert not (pair.work / "pid" / f"{pair.rows()['two']['name']}.pid").exists()


def test_what_ended_while_nobody_looked_is_noted_by_the_next(pair):
    pids = boots_of(pair)
    pair.kill_both()
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(alive(pid) for pid in pids.values()))
    assert pair.rows()["two"]["pid"] == pids["two"]
    pair.session("activate")
    pair.wait_pid("one", pids["one"])
    eventually(lambda: pair.rows()["two"]["pid"] in (0, None))
    assert pair.rows()["two"]["state"] == "stopped"


def test_activating_twice_says_so(pair):
    keeper = pair.keeper
    assert "active already" in pair.session("activate").stdout
    assert pair.keeper == keeper


def test_many_activate_at_once_and_one_supervisor_begins(pair):
    pair.session("deactivate")
    command = [BINARY, "session", "activate"]
    many = [subprocess.Popen(command, cwd=pair.work, env=pair.env, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True) for _ in range(5)]
    told = [one.communicate(timeout=30)[0].splitlines()[0] for one in many]
    assert [one.returncode for one in many] == [0] * 5, told
    assert {line.rpartition(" ")[2] for line in told} == {str(pair.keeper)}
    assert sorted("already" in line for line in told) == [False] + [True] * 4


@pytest.mark.parametrize("delay", (0, 0.02, 0.05, 0.1, 0.2))
def test_a_deactivate_meanwhile_hangs_neither(pair, delay):
    pair.session("deactivate")
    began = time.monotonic()
    activate = subprocess.Popen([BINARY, "session", "activate"], cwd=pair.work, env=pair.env,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(delay)
    pair.session("deactivate")
    told = activate.communicate(timeout=30)[0]
    assert time.monotonic() - began < 15, told
    assert activate.returncode == 0 or "active no more" in told, told
    pair.session("deactivate")


def test_what_was_started_is_shown_at_once(pair):
    for _ in range(4):
        pair.session("stop", "one")
        pair.session("start", "one")
        assert pair.session("status", "one", check=False).returncode == 0
        assert pair.session("fingerprint", "one").returncode == 0
    pair.session("deactivate")
    pair.session("activate")
    pair.wait_pid("one")  # which is begun then, and may not run yet
    line = next(x for x in pair.session("show").stdout.splitlines() if " one " in x)
    assert int(line.split()[3]) == pair.pid("one"), line


def test_an_edit_of_restart_counts_at_once(pair):
    pids = boots_of(pair)
    pair.set("one", "restart", 0)
    pair.set("two", "restart", 1)
    name = pair.rows()["one"]["name"]
    eventually(lambda: pair.http("GET", f"/processes/{name}").json()["restart"] == "never")
    assert boots_of(pair) == pids, "an edit of restart restarts nobody"
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    pair.wait_pid("two", pids["two"])
    pair.wait_row("one", "stopped")
    pair.set("one", "restart", 1)
    pair.wait_pid("one", pids["one"])


def test_an_edit_to_nonsense_is_told_with_its_place_and_changes_nothing(pair):
    pids = boots_of(pair)
    good = pair.etc("one").read_text()
    pair.etc("one").write_text("cmdline: [\n")
    eventually(lambda: "etc/one.yaml:" in pair.log.read_text())
    os.kill(pids["one"], signal.SIGKILL)
    again = pair.wait_pid("one", pids["one"])
    pair.etc("one").write_text(good)
    pair.session("activate")
    assert pair.pid("one") == again


@pytest.mark.parametrize("is_active", [True, False])
def test_what_was_good_is_started_while_its_file_is_nonsense(pair, is_active):
    pair.session("stop", "two")
    if not is_active:
        pair.session("deactivate")
    good = pair.etc("two").read_text()
    pair.etc("two").write_text("[")
    told = pair.session("start", "two")
    assert "started two" in told.stdout and "etc/two.yaml:2:1: " in told.stderr
    assert pair.pid("two")
    assert pair.etc("two").read_text() == "["
    assert pair.session("start", "two", "--restart", "1", check=False).returncode != 0
    pair.etc("two").write_text(good)


def test_a_reload_that_cannot_be_is_told_with_its_reason(pair):
    (pair.work / "etc" / "session.yaml").write_text("[")
    try:
        for args in (["start", "two"], ["detach", "two"]):
            told = pair.session(*args, check=False)
            assert told.returncode != 0 and "status" not in told.stderr, told.stderr
    finally:
        pair.settings("period: 200ms\n")


def test_a_stop_and_a_start_at_once_are_told_with_their_reason(pair):
    for _ in range(6):
        many = [subprocess.Popen([BINARY, "session", verb, "two"], cwd=pair.work, env=pair.env,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                for verb in ("stop", "start", "stop", "start")]
        told = [one.communicate(timeout=30)[1] for one in many]
        assert not any("answers with status" in line for line in told), told


def test_what_is_started_while_it_is_active_is_the_supervisors(pair):
    pid = start_sleep(pair, "three", "--restart", "1", seconds=1003)
    assert pid in {s["os_pid"] for s in pair.slots()}
    os.kill(pid, signal.SIGKILL)
    again = pair.wait_pid("three", pid)
    pair.session("stop", "three")
    assert not alive(again)
    pair.wait_row("three", "stopped")


def test_what_is_attached_while_it_is_active_is_taken_over_and_restarted(pair):
    mine = subprocess.Popen(["sleep", "1004"])
    try:
        pair.session("attach", "--pid", mine.pid, "--alias", "mine", "--restart", "1")
        eventually(lambda: mine.pid in {s["os_pid"] for s in pair.slots()})
    finally:
        mine.kill()
        mine.wait()
    pair.wait_pid("mine", mine.pid)


def test_restart_is_changed_by_attach_while_it_is_active(pair):
    pids = boots_of(pair)
    pair.session("attach", "--alias", "one", "--restart", "0")
    told = pair.session("attach", "--pid", pids["two"], "--alias", "second", "--restart", "0", "--state", "up").stdout
    assert told.startswith("changed second (")
    assert {s["os_pid"] for s in pair.slots()} == set(pids.values())
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    pair.wait_row("one", "stopped")
    pair.wait_row("second", "stopped")
    pair.session("activate")
    assert not [s for s in pair.slots() if s["os_pid"]]
    pair.session("start", "one")
    first = pair.wait_pid("one", pids["one"])
    pair.session("attach", "--pid", first, "--restart", "1")
    os.kill(first, signal.SIGKILL)
    pair.wait_pid("one", first)


def test_what_is_detached_runs_on_and_is_let_go(pair):
    pid = pair.pid("two")
    pair.session("detach", "two")
    assert "two" not in pair.rows()
    assert pid not in {s["os_pid"] for s in pair.slots()}
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_what_runs_without_its_pid_noted_is_found_by_its_fingerprint(pair):
    pids = boots_of(pair)
    eventually(lambda: all((pair.work / "fp" / f"{row['name']}.yaml").exists()
                           for row in pair.rows().values()))
    keeper = pair.keeper
    os.kill(keeper, signal.SIGTERM)
    eventually(lambda: not alive(keeper))
    (pair.state / "table").unlink()
    for file in [*(pair.work / "db").glob("session.db*"), *(pair.work / "pid").iterdir()]:
        file.unlink()
    pair.session("activate")
    eventually(lambda: {s["os_pid"] for s in pair.slots()} == set(pids.values()))


def test_a_change_of_state_is_an_event(pair):
    name = pair.rows()["one"]["name"]
    pair.wait_row("one", "running")
    os.kill(pair.pid("one"), signal.SIGKILL)
    pair.wait_row("one", "running")

    def told():
        rows = pair.http("GET", f"/history?template={name}&limit=100").json()
        return [r["data"] for r in reversed(rows) if r["event"] == f"session.{name}.state"]

    eventually(lambda: [d["state"] for d in told()][-3:] == ["stopped", "starting", "running"])
    assert told()[-1] == {"name": name, "alias": "one", "state": "running", "previous": "starting"}
    assert len(pair.http("GET", "/watch/session?since=0&feed=longpoll").text) > 0
    lines = subprocess.run([BINARY, "ctl", "--state", pair.state, "events", name], check=True,
                           capture_output=True, text=True).stdout
    assert "(one) is in state running, was starting" in lines


def test_who_was_stopped_by_hand_stays_down_over_a_kill_and_until_the_next_activate(pair):
    pids = boots_of(pair)
    engine = pair.engine
    pair.session("stop", "one")
    pair.wait_row("one", "stopped")
    eventually(lambda: (pair.state / "held").read_text().splitlines() == [pair.rows()["one"]["name"]])
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: pair.answers() and pair.engine != engine)
    eventually(lambda: len(pair.slots()) == 2)
    pair.http("POST", "/_reload")
    assert pair.pid("one") is None and pair.pid("two") == pids["two"]
    pair.session("deactivate")
    pair.session("activate")
    pair.wait_pid("one", pids["one"])


def test_a_workspace_of_nobody_is_refused(make_colony):
    colony = make_colony()
    result = subprocess.run([BINARY, "serve", "--session", str(colony.folder)],
                            capture_output=True, text=True, timeout=20)
    assert result.returncode != 0 and "no workspace of a session" in result.stderr


def test_a_session_in_a_settings_file_has_its_state_in_the_workspace(workspace):
    pid = start_sleep(workspace, "one", "--restart", "1")
    config = workspace.write({"session": str(workspace.work)})
    result = subprocess.run([BINARY, "serve", "--config", config, "--state",
                             workspace.folder / "state"], capture_output=True, text=True, timeout=20)
    assert result.returncode != 0 and "belongs into" in result.stderr
    subprocess.run([BINARY, "serve", "--config", config, "--daemon"], check=True, timeout=20)
    assert "active already" in workspace.session("activate").stdout
    eventually(lambda: [s["os_pid"] for s in workspace.slots()] == [pid])


def test_nonsense_in_the_sessions_settings_keeps_it_from_being_activated(workspace):
    workspace.settings("period: [\n")
    result = workspace.session("activate", check=False)
    assert result.returncode == 78 and "etc/session.yaml:" in result.stderr
    assert not workspace.socket.exists()


def test_an_engine_that_cannot_look_at_its_session_for_a_moment_goes_on_with_it(workspace):
    """Whatever of it cannot be opened: nobody is let go of, and nobody held is started."""
    control, env = faulty.prepare(workspace.folder)
    one = start_sleep(workspace, "one", "--restart", "1", seconds=1001)
    start_sleep(workspace, "two", "--restart", "1", seconds=1002)
    workspace.env.update(env)
    workspace.session("activate")
    workspace.session("stop", "two")
    names = {alias: row["name"] for alias, row in workspace.rows().items()}
    as_it_was = {names["one"]: one, names["two"]: None}

    def replace_engine():
        old = workspace.engine
        os.kill(old, signal.SIGKILL)
        eventually(lambda: workspace.engine != old, what="another engine")
        eventually(lambda: {slot["name"]: slot["os_pid"] for slot in workspace.slots()} == as_it_was,
                   what="one runs as it did, and two is stopped")

    for first in range(28, 60):
        control.arm("engine", "open", "once", first)
        replace_engine()
        control.disarm()
