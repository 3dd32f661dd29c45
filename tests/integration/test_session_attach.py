# SPDX-License-Identifier: Apache-2.0
"""colony session attach, wait and fingerprint, with no supervisor."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from conftest import BINARY, alive, eventually
from sessions import Session, session  # noqa: F401

# Opens a port after a while, and a file with it.
SERVER = """
import socket, sys, time
time.sleep(float(sys.argv[1]))
listener = socket.socket()
listener.bind(("127.0.0.1", int(sys.argv[2])))
kept = open(__file__)
listener.listen()
time.sleep(600)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sleeps(pid):
    """True once its loader has done with it: it has its arguments, and waits for what it was started for."""
    stat = open(f"/proc/{pid}/stat", encoding="utf-8").read()
    return open(f"/proc/{pid}/cmdline", "rb").read() and stat.rpartition(")")[2].split()[0] == "S"


@pytest.fixture
def started(tmp_path):
    """Programs that somebody starts by hand and that sleep by now, ended with the test."""
    children = []

    def start(*args, **more):
        children.append(subprocess.Popen([*map(str, args)], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more))
        eventually(lambda: sleeps(children[-1].pid), what=f"the start of {args}")
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.wait()


@pytest.fixture
def server(started, tmp_path):
    """A server that listens after @delay seconds."""
    program = tmp_path / "server.py"
    program.write_text(SERVER, encoding="utf-8")
    port = free_port()

    def start(delay=0):
        child = started(sys.executable, program, delay, port)
        eventually(lambda: b"server.py" in open(f"/proc/{child.pid}/cmdline", "rb").read())
        child.port = port
        return child

    return start


def listens(pid, port):
    """True when something listens there."""
    with socket.socket() as probe:
        return alive(pid) and probe.connect_ex(("127.0.0.1", port)) == 0


def read_yaml_list(text, key):
    """The items below `key:`, plain or in quotes."""
    lines = text.splitlines()
    begin = lines.index(f"{key}:") + 1
    items = []
    for line in lines[begin:]:
        if not line.lstrip().startswith("- "):
            break
        items.append(line.lstrip()[2:].strip("'\""))
    return items


# attach


def test_attach_takes_a_process_that_somebody_else_started(session, started):
    child = started("sleep", "601", cwd="/usr", env={"PATH": os.environ["PATH"], "WORD": "a b", "NOTIFY_SOCKET": "x"})
    told = session.run("attach", "--pid", child.pid, "--alias", "one", "--restart", "1").stdout
    assert f"pid {child.pid}" in told and told.startswith("attached one (")
    name = told.split("(")[1].split(")")[0]
    etc = session.read("etc/one.yaml")
    assert read_yaml_list(etc, "cmdline") == ["sleep", "601"]
    assert "restart: 1" in etc and "/usr" in etc and "a b" in etc and "NOTIFY_SOCKET" not in etc
    assert session.read(f"pid/{name}.pid").strip() == str(child.pid)
    assert read_yaml_list(session.read(f"fp/{name}.yaml"), "cmdline") == ["sleep", "601"]
    assert "attached://sleep 601" in etc


def test_what_was_attached_can_be_started_again(session, started):
    child = started("sleep", "602", cwd="/usr", env={"PATH": os.environ["PATH"], "WORD": "a b"})
    session.run("attach", "--pid", child.pid, "--alias", "one")
    child.kill()
    child.wait()
    session.run("start", "one")
    (pid,) = eventually(session.marked)  # it has an environment a moment after it was begun
    assert os.readlink(f"/proc/{pid}/cwd") == "/usr"
    assert b"WORD=a b" in open(f"/proc/{pid}/environ", "rb").read()
    assert open(f"/proc/{pid}/cmdline", "rb").read() == b"sleep\x00602\x00"


def test_the_lines_of_the_seed_one_after_the_other(session, started):
    children = [started("sleep", str(610 + i)) for i in range(4)]
    session.run("attach", "--pid", children[0].pid)
    session.run("attach", "--pid", children[1].pid, "--alias", "a.tws")
    session.run("attach", "--pid", children[2].pid, "--alias", "b.tws", "--restart", 1)
    told = session.run("attach", "--pid", children[3].pid, "--alias", "c.tws", "--restart", 1,
                       "--state", "operative").stdout
    assert told.endswith("operative\n")
    assert len(list((session.folder / "fp").glob("*.operative.yaml"))) == 1


def test_one_that_has_run_for_long_is_running(session, started):
    (session.folder / "etc/session.yaml").write_text("period: 100ms\n", encoding="utf-8")
    child = started("sleep", "600")
    start = int(open(f"/proc/{child.pid}/stat").read().rpartition(")")[2].split()[19])
    eventually(lambda: float(open("/proc/uptime").read().split()[0]) > start / os.sysconf("SC_CLK_TCK") + 0.2)
    assert session.run("attach", "--pid", child.pid).stdout.endswith(", running\n")


def test_a_program_under_another_name_is_started_by_its_file(session, started):
    child = started("/bin/bash", "-c", "exec -a login sleep 603")
    eventually(lambda: open(f"/proc/{child.pid}/cmdline", "rb").read().startswith(b"login"))
    session.run("attach", "--pid", child.pid, "--alias", "one")
    assert read_yaml_list(session.read("etc/one.yaml"), "cmdline") == [
        os.readlink(f"/proc/{child.pid}/exe"), "603"]


def test_the_lines_of_the_seed_for_one_process(session, started):
    child = started("sleep", "604")
    name = session.run("attach", "--pid", child.pid).stdout.split()[1].rstrip(":")
    told = session.run("attach", "--pid", child.pid, "--alias", "one").stdout
    assert told.startswith(f"changed one ({name}): pid {child.pid}, ")
    session.run("attach", "--pid", child.pid, "--alias", "one", "--restart", 1)
    told = session.run("attach", "--pid", child.pid, "--alias", "one", "--restart", 1, "--state", "operative").stdout
    assert told == f"changed one ({name}): pid {child.pid}, operative\n"
    assert sorted(path.name for path in (session.folder / "etc").iterdir()) == ["one.yaml", "session.yaml"]
    assert "restart: 1" in session.read("etc/one.yaml")
    assert (session.folder / f"fp/{name}.operative.yaml").exists()
    assert session.run("attach", "--pid", child.pid).stdout.startswith(f"attached already: one ({name}): ")
    (row,) = json.loads(session.run("show", "--json").stdout)
    assert (row["name"], row["alias"], row["pid"], row["state"]) == (name, "one", child.pid, "operative")


def test_an_alias_of_another_is_not_given_to_one_that_is_there(session, started):
    first, second = started("sleep", "622"), started("sleep", "623")
    session.run("attach", "--pid", first.pid, "--alias", "one")
    session.run("attach", "--pid", second.pid, "--alias", "two")
    session.run("attach", "--pid", second.pid, "--alias", "one", "--restart", 1, check=5)
    assert "restart: 0" in session.read("etc/two.yaml") and "restart: 0" in session.read("etc/one.yaml")


def test_dependences_go_with_an_alias(session, started):
    first, second = started("sleep", "625"), started("sleep", "626")
    session.run("attach", "--pid", first.pid, "--alias", "one")
    session.run("attach", "--pid", second.pid, "--alias", "two")
    session.run("dependence", "add", "--parent", "one:up", "--child", "two")
    session.run("attach", "--pid", first.pid, "--alias", "uno")
    session.run("attach", "--pid", second.pid, "--alias", "due")
    assert session.run("dependence", "list").stdout == "due waits for uno:up\n"


def test_flags_are_changed_by_alias_also_of_one_that_is_down(session, started):
    child = started("sleep", "624")
    session.run("attach", "--pid", child.pid, "--alias", "one", "--restart", 1)
    told = session.run("attach", "--alias", "one", "--restart", 0, "--shutdown", 1).stdout
    assert told.startswith("changed one (") and f"pid {child.pid}" in told
    assert "restart: 0\nshutdown: 1\n" in session.read("etc/one.yaml")
    assert "attach --alias one" in session.run("start", "one", "--restart", 1, check=5).stderr
    child.kill()
    child.wait()
    assert session.run("attach", "--alias", "one", "--restart", 1).stdout.endswith("): stopped\n")
    assert "restart: 1\nshutdown: 1\n" in session.read("etc/one.yaml")


def test_an_alias_of_one_that_runs_is_taken(session, started):
    first, second = started("sleep", "605"), started("sleep", "606")
    session.run("attach", "--pid", first.pid, "--alias", "one")
    assert "that runs as pid" in session.run("attach", "--pid", second.pid, "--alias", "one", check=5).stderr
    first.kill()
    first.wait()
    told = session.run("attach", "--pid", second.pid, "--alias", "one", check=5).stderr
    assert "which runs something else" in told


def test_one_that_was_started_again_by_hand_is_the_same_process(session, started):
    first = started("sleep", "607")
    before = session.run("attach", "--pid", first.pid, "--alias", "one", "--restart", 1).stdout
    first.kill()
    first.wait()
    second = started("sleep", "607")
    after = session.run("attach", "--pid", second.pid).stdout
    assert after.split(":")[0] == before.split(":")[0]
    assert "restart: 1" in session.read("etc/one.yaml")


def test_two_of_one_command_line_are_two_processes(session, started):
    first, second = started("sleep", "608"), started("sleep", "608")
    names = {session.run("attach", "--pid", child.pid).stdout.split(":")[0] for child in (first, second)}
    assert len(names) == 2


@pytest.mark.parametrize("args,code,message", [
    (["--pid", "2147483647"], 3, "there is no such process"),
    (["--pid", "99999999999"], 2, "so high a number"),
    (["--pid", "x"], 2, "--pid"),
    (["--pid", "0"], 2, "give --pid PID"),
    ([], 2, "give --pid PID"),
    (["--alias", "one"], 2, "give --pid PID"),
    (["--alias", "nobody", "--state", "up"], 4, "nobody"),
    (["--pid", "1", "--state", "a:b"], 2, "cannot call a state `a:b`"),
    (["--pid", "1", "--state", "../x"], 2, "../x"),
    (["--pid", "1", "--state", "running"], 2, "choose another word"),
    (["--pid", "1", "--restart", "maybe"], 2, "0 (no) or 1 (yes)"),
])
def test_what_cannot_be_attached_is_told(session, args, code, message):
    assert message in session.run("attach", *args, check=code).stderr
    assert not list((session.folder / "pid").iterdir())


def test_an_alias_that_is_a_path_leaves_nothing(session, started):
    child = started("sleep", "609")
    session.run("attach", "--pid", child.pid, "--alias", "../one", check=2)
    for folder in ("pid", "fp"):
        assert not list((session.folder / folder).iterdir()), folder
    assert [path.name for path in (session.folder / "etc").iterdir()] == ["session.yaml"]


def test_a_thread_is_no_process(session):
    program = "import threading, time; t = threading.Thread(target=time.sleep, args=(60,)); t.start(); print(t.native_id, flush=True)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        try:
            thread = child.stdout.readline().strip()
            assert f"its process, {child.pid}" in session.run("attach", "--pid", thread, check=2).stderr
        finally:
            child.kill()


def test_a_process_that_has_ended_and_is_not_reaped_is_gone(session):
    with subprocess.Popen(["true"]) as child:
        eventually(lambda: open(f"/proc/{child.pid}/stat").read().split()[2] == "Z")
        assert "no such process" in session.run("attach", "--pid", child.pid, check=3).stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_a_process_of_somebody_else_is_refused(short_path, started):
    child = started("sleep", "620")
    os.chown(short_path, 65534, 65534)
    theirs = Session(short_path)
    theirs.run("init", user=65534, group=65534, extra_groups=[])
    told = theirs.run("attach", "--pid", child.pid, check=77, user=65534, group=65534, extra_groups=[]).stderr
    assert f"cannot attach process {child.pid}: it is not ours but of user 0" in told


WITHOUT_TRACE = ["setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
@pytest.mark.parametrize("is_init", [True, False])
def test_a_file_of_proc_that_cannot_be_read_is_named(session, started, is_init):
    program = ("import ctypes, time; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); "  # PR_SET_DUMPABLE
               "print('closed', flush=True); time.sleep(600)")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "closed\n"
            pid = 1 if is_init else child.pid
            if not subprocess.run([*WITHOUT_TRACE, "cat", f"/proc/{pid}/environ"], capture_output=True).returncode:
                pytest.skip("it can be read here")
            blind = subprocess.run([*WITHOUT_TRACE, BINARY, "session", "-C", session.folder, "attach", "--pid",
                                    str(pid)], capture_output=True, text=True, timeout=60)
        finally:
            child.kill()
    assert blind.returncode == 77
    assert f"cannot attach process {pid}: cannot read /proc/{pid}/environ: Permission denied (" in blind.stderr


def owner_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    return lines["Uid"], lines["Gid"], lines["Groups"].split()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
@pytest.mark.parametrize("is_supervised", [False, True])
def test_what_root_attaches_of_somebody_else_is_started_as_them(session, started, is_supervised):
    child = started("sleep", "621", user=65534, group=65533, extra_groups=[65532, 65531])
    owner = owner_of(child.pid)
    assert owner[0].split() == ["65534"] * 4
    session.run("attach", "--pid", child.pid, "--alias", "theirs", "--restart", 1)
    if is_supervised:
        session.run("activate")
    child.kill()
    child.wait()

    def pid():
        line = next(x for x in session.run("show").stdout.splitlines() if " theirs " in x).split()
        return int(line[3]) if line[3].isdigit() and int(line[3]) != child.pid else None

    try:
        if not is_supervised:
            session.run("start", "theirs")
        again = eventually(pid, what="theirs, started again")
        eventually(lambda: b"621" in open(f"/proc/{again}/cmdline", "rb").read())
        assert owner_of(again) == owner
    finally:
        session.run("stop", "theirs")
        session.run("deactivate")


def test_a_pid_that_is_another_process_by_now_is_not_the_one(session, started):
    import sqlite3

    child = started("sleep", "621")
    session.run("attach", "--pid", child.pid, "--alias", "one")
    with sqlite3.connect(session.folder / "db/session.db") as db:
        db.execute("UPDATE u_life SET start_ticks = start_ticks - 1")
    assert "it is not running" in session.run("attach", "--alias", "one", "--state", "up", check=3).stderr
    session.run("fingerprint", "one", check=3)
    assert alive(child.pid)


# wait


def test_the_seed_from_start_to_operative(session, server):
    child = server(delay=1)
    session.run("attach", "--pid", child.pid, "--alias", "master.tws")
    session.run("wait", "--alias", "master.tws", "--condition", "len(fp['listen'])>0", "--timeout", "60")
    assert listens(child.pid, child.port)
    told = session.run("attach", "--alias", "master.tws", "--state", "operative").stdout
    assert told.startswith("named the state of master.tws (")
    session.run("wait", "master.tws", "--state", "operative", "--timeout", "0")


def test_a_state_is_known_again_after_a_restart(session, server):
    child = server()
    session.run("attach", "--pid", child.pid, "--alias", "tws")
    session.run("wait", "tws", "--condition", "len(fp['listen'])>0 and len(fp['files'])>0", "--timeout", 60)
    session.run("attach", "--alias", "tws", "--state", "operative")
    child.kill()
    child.wait()
    session.run("start", "tws")  # with its output in files of the session, which do not count
    session.run("wait", "tws", "--state", "operative", "--timeout", 60)


@pytest.mark.parametrize("ending", ["yaml", "fp"])
def test_a_saved_state_that_cannot_be_read_takes_no_other_away(session, started, ending):
    child = started("sleep", "629")
    name = session.run("attach", "--pid", child.pid, "--alias", "p").stdout.partition("(")[2].partition(")")[0]
    session.run("attach", "--alias", "p", "--state", "up")
    session.start("exec:///bin/sleep?628", "--alias", "c")
    session.run("stop", "c")
    session.run("dependence", "add", "--parent", "p:up", "--child", "c")
    broken = session.folder / f"fp/{name}.other.{ending}"
    broken.write_text("x[", encoding="utf-8")
    told = session.run("fingerprint", "p", "--compare")
    assert f"/fp/{name}.other.{ending}:1:" in told.stderr
    assert "up" in told.stdout
    session.run("fingerprint", "p", "--save", "--state", "also")
    session.run("wait", "p", "--condition", "len(fp['cmdline']) == 2", "--timeout", 5)
    session.run("wait", "p", "--state", "also", "--timeout", 5)
    session.run("wait", "p:also", "--timeout", 5)
    session.run("wait", "p:none", "--timeout", 0, check=75)
    session.run("wait", "p:", "--timeout", 0, check=2)
    session.run("wait", "p:also", "--state", "also", "--timeout", 0, check=4)
    (session.folder / f"fp/{name}.also.yaml").unlink()
    session.run("start", "c")
    session.run("attach", "--alias", "p", "--state", "other")
    assert session.run("fingerprint", "p", "--compare").stderr == ""


def test_a_parents_state_that_cannot_be_read_is_told_when_it_is_waited_for(session, started):
    child = started("sleep", "627")
    name = session.run("attach", "--pid", child.pid, "--alias", "p").stdout.partition("(")[2].partition(")")[0]
    session.run("attach", "--alias", "p", "--state", "up")
    session.start("exec:///bin/sleep?626", "--alias", "c")
    session.run("stop", "c")
    session.run("dependence", "add", "--parent", "p:up", "--child", "c")
    (session.folder / f"fp/{name}.up.yaml").write_text("x[", encoding="utf-8")
    assert f"/fp/{name}.up.yaml:1:" in session.run("start", "c", check=5).stderr


def test_one_that_calls_itself_otherwise_is_known_without_the_database(session, started):
    child = started("/bin/bash", "-c", "exec -a 'nap: master' sleep 625")
    eventually(lambda: b"nap" in open(f"/proc/{child.pid}/cmdline", "rb").read().split(b"\0")[0])
    session.run("attach", "--pid", child.pid, "--alias", "nap")
    (session.folder / "db/session.db").unlink()
    assert str(child.pid) in session.run("show").stdout
    assert f"runs already, as pid {child.pid}" in session.run("start", "nap", check=5).stderr


def test_a_wait_that_is_not_met_ends_in_time(session, started):
    child = started("sleep", "630")
    session.run("attach", "--pid", child.pid, "--alias", "one")
    before = time.monotonic()
    told = session.run("wait", "--alias", "one", "--condition", "len(fp['listen'])>0", "--timeout", "0.5", check=75).stderr
    assert 0.4 < time.monotonic() - before < 10
    assert "not so after 0.5 seconds" in told


@pytest.mark.parametrize("condition,column", [
    ("len(fp['listen')>0", 16), ("fp['listne']", 4), ("state = 'x'", 7), ("1 / 0", 3), ("state < 3", 7), ("", 1),
    ("(" * 100, 51), ("import os", 1), ("__import__('os')", 1), ("fp.__class__", 3),
])
def test_a_bad_condition_is_told_with_its_column(session, started, condition, column):
    child = started("sleep", "631")
    session.run("attach", "--pid", child.pid, "--alias", "one")
    told = session.run("wait", "--alias", "one", "--condition", condition, "--timeout", 5, check=2).stderr
    assert f"column {column}: " in told


def test_the_end_of_the_process_ends_a_wait_at_once(session, started):
    child = started("sleep", "632")
    session.run("attach", "--pid", child.pid, "--alias", "one")
    waiting = subprocess.Popen([BINARY, "session", "-C", session.folder, "wait", "one", "--condition",
                                "len(fp['listen'])>0", "--timeout", "60"], stderr=subprocess.PIPE, text=True)
    time.sleep(0.3)
    before = time.monotonic()
    child.kill()
    assert "it has ended, and nobody starts it again" in waiting.communicate(timeout=30)[1]
    assert waiting.returncode == 3
    assert time.monotonic() - before < 5


def test_a_wait_for_its_end_is_met_by_its_end(session, started):
    child = started("sleep", "633")
    session.run("attach", "--pid", child.pid, "--alias", "one")
    waiting = subprocess.Popen([BINARY, "session", "-C", session.folder, "wait", "one", "--condition", "not alive"])
    time.sleep(0.2)
    assert waiting.poll() is None
    child.kill()
    child.wait()
    assert waiting.wait(timeout=30) == 0
    session.run("wait", "one", "--state", "stopped", "--timeout", 0)
    session.run("wait", "one", "--condition", "len(fp['listen'])>0", check=3)
    session.run("wait", "one", "--condition", "len(fp['listen'])==0")


def test_a_wait_for_a_state_goes_on_in_the_next_life(session):
    session.start("exec:///bin/sleep?634", "--alias", "one")
    session.run("stop", "one")
    waiting = subprocess.Popen([BINARY, "session", "-C", session.folder, "wait", "one", "--condition",
                                "alive and uptime >= 0 and mem > 0 and cpu >= 0 and pid > 1", "--timeout", "60"])
    time.sleep(0.3)
    assert waiting.poll() is None
    session.run("start", "one")
    assert waiting.wait(timeout=30) == 0


def test_a_process_is_running_once_it_has_not_changed_for_a_period(session):
    (session.folder / "etc/session.yaml").write_text("period: 3s\n", encoding="utf-8")
    before = time.monotonic()
    session.start("exec:///bin/sleep?635", "--alias", "one")
    session.run("wait", "one", "--state", "starting", "--timeout", 1)
    session.run("wait", "one", "--state", "running", "--timeout", 30)
    assert time.monotonic() - before > 2.9
    session.run("wait", "one", "--state", "running", "--timeout", 0)  # the next command knows


def test_a_wait_costs_next_to_nothing(session, started):
    child = started("sleep", "636")
    session.run("attach", "--pid", child.pid, "--alias", "one")
    with subprocess.Popen([BINARY, "session", "-C", session.folder, "wait", "one", "--condition",
                           "len(fp['listen'])>0", "--timeout", "3"], stderr=subprocess.DEVNULL) as waiting:
        _, status, usage = os.wait4(waiting.pid, 0)
        waiting.returncode = os.waitstatus_to_exitcode(status)
    assert waiting.returncode == 75
    assert usage.ru_nvcsw < 60  # looks: 20 ms at first, then each second
    assert usage.ru_utime + usage.ru_stime < 1


@pytest.mark.parametrize("args", [
    [], ["one"], ["--alias", "one", "one", "--state", "x"], ["one", "--state", "x", "--condition", "1"],
    ["one", "--state", "a/b"], ["one", "--condition", "1", "--timeout", "soon"],
])
def test_a_wait_that_is_said_wrong_is_told(session, started, args):
    child = started("sleep", "637")
    session.run("attach", "--pid", child.pid, "--alias", "one")
    assert session.run("wait", *args, check=2).stderr.startswith("colony session")


def test_a_wait_for_nobody_is_told(session):
    assert "nobody" in session.run("wait", "--alias", "nobody", "--condition", "1", check=4).stderr


def test_with_a_supervisor_a_wait_goes_on_in_the_next_life(session, started):
    (session.folder / "etc/session.yaml").write_text("period: 1s\n", encoding="utf-8")
    child = started("sleep", "638")
    session.run("activate")
    try:
        session.run("attach", "--pid", child.pid, "--alias", "one", "--restart", 1, "--shutdown", 1)
        session.run("attach", "--alias", "one", "--state", "up")
        with subprocess.Popen([BINARY, "session", "-C", session.folder, "wait", "one", "--timeout", "60", "--condition",
                               f"len(fp['cmdline']) == 2 and uptime >= 0 and pid not in [0, {child.pid}]"]) as waiting:
            child.kill()
            assert waiting.wait(timeout=60) == 0
        session.run("wait", "one", "--state", "up", "--timeout", 60)
        assert json.loads(session.run("fingerprint", "one", "--json").stdout)["pid"] in session.marked()
    finally:
        session.run("deactivate")


# fingerprint


def test_fingerprint_shows_saves_and_compares(session, server):
    child = server()
    eventually(lambda: listens(child.pid, child.port))
    name = session.run("attach", "--pid", child.pid, "--alias", "tws").stdout.split("(")[1].split(")")[0]
    text = session.run("fingerprint", "tws").stdout
    assert read_yaml_list(text, "listen") == [f"127.0.0.1:{child.port}"]
    assert read_yaml_list(text, "cmdline")[1].endswith("server.py")
    assert "no state of tws was saved" in session.run("fingerprint", "tws", "--compare").stdout
    session.run("fingerprint", "tws", "--save", "--state", "up")
    assert (session.folder / f"fp/{name}.up.yaml").exists()
    rows = session.run("fingerprint", "tws", "--compare").stdout.splitlines()
    assert rows[0].split()[:2] == ["STATE", "SCORE"] and rows[1].split()[:2] == ["up", "1.00"]
    told = json.loads(session.run("fingerprint", "tws", "--json").stdout)
    assert (told["name"], told["alias"], told["pid"], told["state"]) == (name, "tws", child.pid, "up")
    assert told["fingerprint"]["listen"] == [f"127.0.0.1:{child.port}"]
    assert told["states"]["up"]["score"] == 1
    child.kill()
    child.wait()
    session.run("fingerprint", "tws", check=3)
    assert session.run("fingerprint", "tws", "--state", "up").stdout == text
    told = json.loads(session.run("fingerprint", "tws", "--json").stdout)
    assert (told["pid"], told["fingerprint"], told["state"]) == (None, None, "stopped")
    assert "down" in session.run("fingerprint", "tws", "--state", "down", check=4).stderr


def test_passwords_of_a_command_line_are_not_shown(session, started):
    ready = session.folder / "ready"  # what it opens to begin with is closed by then
    child = started(sys.executable, "-c", f"import time; open({str(ready)!r}, 'w').close(); time.sleep(600)",
                    "password=hidden", "--token=hidden")
    eventually(ready.exists)
    session.run("attach", "--pid", child.pid, "--alias", "one", "--state", "up")
    for args in ([], ["--json"], ["--state", "up"], ["--compare"]):
        assert "hidden" not in session.run("fingerprint", "one", *args).stdout
    assert session.run("fingerprint", "one", "--compare").stdout.splitlines()[1].split()[1] == "1.00"


def test_a_fingerprint_that_was_edited_to_nonsense_is_told_with_its_place(session, started):
    child = started("sleep", "641")
    name = session.run("attach", "--pid", child.pid, "--state", "up").stdout.split()[1].rstrip(":")
    (session.folder / f"fp/{name}.up.yaml").write_text("cmdline: [sleep]\nlisten: 80\n", encoding="utf-8")
    for check, args in ((0, ["fingerprint", name]), (75, ["wait", name, "--state", "up", "--timeout", 0])):
        assert f"fp/{name}.up.yaml:2:1: cannot use listen" in session.run(*args, check=check).stderr


def test_an_old_fingerprint_of_gutools_is_taken_over(session, started):
    child = started("sleep", "642")
    name = session.run("attach", "--pid", child.pid).stdout.split()[1].rstrip(":")
    (session.folder / f"fp/{name}.up.fp").write_text("{'cmdline': ['sleep', '642'], 'files': [], 'listen': []}",
                                                     encoding="utf-8")
    session.run("wait", name, "--state", "up", "--timeout", 0)
    assert not (session.folder / f"fp/{name}.up.fp").exists()
    assert read_yaml_list(session.read(f"fp/{name}.up.yaml"), "cmdline") == ["sleep", "642"]
    os.kill(child.pid, signal.SIGTERM)
