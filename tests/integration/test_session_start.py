# SPDX-License-Identifier: Apache-2.0
"""colony session start, stop, detach and deactivate, with no supervisor."""

import os
import random
import signal
import sqlite3
import stat
import subprocess
import time

import pytest

from conftest import BINARY, alive, eventually
from sessions import Session, session  # noqa: F401

SLEEP = "exec:///bin/sleep?600"


def write_program(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_start_runs_a_program_with_the_arguments_of_its_uri(session):
    program = write_program(session.folder, "tws", '#!/bin/sh\necho "$@"\necho no >&2\nexec sleep 600\n')
    name, pid = session.start(f"exec://localhost{program}?username=myuser&password=my%20password",
                              "--alias", "master.tws", "--restart", "1", "--shutdown", "1")
    assert alive(pid)
    eventually(lambda: session.read(f"out/{name}.out") == "username=myuser password=my password\n")
    eventually(lambda: session.read(f"err/{name}.out") == "no\n")
    assert session.read(f"pid/{name}.pid").strip() == str(pid)
    for path in (f"out/{name}.out", f"err/{name}.out", "etc/master.tws.yaml", "db/session.db"):
        assert stat.S_IMODE((session.folder / path).stat().st_mode) == 0o600, path
    assert os.readlink(f"/proc/{pid}/cwd") == str(session.folder)
    assert os.getsid(pid) == pid


def test_the_name_of_an_uri_is_the_same_in_each_workspace(session, tmp_path_factory):
    other = Session(tmp_path_factory.mktemp("other"))
    other.run("init")
    try:
        assert session.start(SLEEP)[0] == other.start(SLEEP)[0]
    finally:
        other.end()


@pytest.mark.parametrize("parameters,arguments", [
    ("0.01&0.02&0.01", ["0.01", "0.02", "0.01"]),
    ("-n&x&-n&y", ["-n", "x", "-n", "y"]),
    ("=v&=w", ["=v", "=w"]),
    ("a=1&a=2", ["a=1", "a=2"]),
    ("a%3Db=1&a=2", ["a=b=1", "a=2"]),
    ("%3C%3C=1&~&null&1&%0A&-", ["<<=1", "~", "null", "1", "\n", "-"]),
    ("x" * 2000, ["x" * 2000]),
])
def test_any_parameters_can_be_started_again(session, parameters, arguments):
    program = write_program(session.folder, "say", '#!/bin/sh\nprintf "%s\\0" "$@"\n')
    session.run("start", "--uri", f"exec://{program}?{parameters}", "--alias", "a")
    eventually(lambda: session.run("status", "a", check=3))
    assert session.run("start", "a").stderr == ""
    (out,) = (session.folder / "out").iterdir()
    eventually(lambda: out.read_text().split("\0")[:-1] == arguments * 2)


def test_of_a_parameter_that_stands_twice_the_last_is_a_keyword(session):
    session.start("exec:///bin/sh?-c&sleep%20600&a=1&a=2&b=3", "--alias", "a")
    etc = session.read("etc/a.yaml")
    assert "\n  a: 2\n" in etc.replace('"', "").replace("'", "") and etc.count("a=1") == 2


def test_one_that_runs_already_is_a_conflict(session):
    session.start(SLEEP, "--alias", "a")
    for args in (["--uri", SLEEP], ["a"], ["--uri", SLEEP, "--alias", "b"]):
        assert "runs already" in session.run("start", *args, check=5).stderr
    assert not (session.folder / "etc/b.yaml").exists()


def test_what_was_stopped_is_started_again_by_alias_or_name(session):
    name, first = session.start(SLEEP, "--alias", "a")
    assert "stopped 1 process" in session.run("stop", "a").stdout
    assert not alive(first)
    session.run("start", "a")
    session.run("stop", name)
    session.run("start", name)
    session.run("stop", "--all")
    assert not session.marked()
    assert "nothing was running" in session.run("stop", "a").stdout


def test_what_a_user_wrote_in_etc_is_what_starts(session):
    session.start(SLEEP, "--alias", "a")
    session.run("stop", "a")
    (session.folder / "etc/a.yaml").write_text(
        f"name: {session.start(SLEEP)[0]}\ncmdline: [/bin/sh, -c, 'echo $X; exec sleep 600']\n"
        "env: {X: mine}\n", encoding="utf-8")
    session.run("stop", "a")
    session.run("start", "a")
    eventually(lambda: any(file.read_text() == "mine\n"
                           for file in (session.folder / "out").iterdir()))


@pytest.mark.parametrize("uri,code,why", [
    ("exec://localhost", 2, "no path"),
    ("exec://localhost/", 2, "no path"),
    ("exec://elsewhere.invalid/bin/true", 2, "elsewhere.invalid"),
    ("exec:///bin/true%00", 2, "NUL"),
    ("exec:///bin/true?a=%0", 2, "column 20"),
    ("/bin/true", 2, "exec:///PROGRAM"),
    ("ftp://localhost/x", 4, "etc/session.yaml"),
    ("exec:///" + "a" * 70000, 2, "65536"),
    ("exec:///nowhere/at-all", 1, "exec /nowhere/at-all: No such file"),
    ("exec:///etc/passwd", 1, "exec /etc/passwd: Permission denied"),
    ("attached://sleep 1", 2, "attached"),
])
def test_an_uri_that_cannot_be_started_leaves_nothing_behind(session, uri, code, why):
    told = session.run("start", "--uri", uri, "--alias", "a", check=code).stderr
    assert why in told and told.count("\n") == 1
    assert [file.name for file in (session.folder / "etc").iterdir()] == ["session.yaml"]
    assert list((session.folder / "pid").iterdir()) == []
    session.start(SLEEP, "--alias", "a") # the alias is free


@pytest.mark.parametrize("alias", ["../x", "a/b", "", ".", "a:b", "a,b", ".hidden", "session", "x" * 201,
                                   "a\nb"])
def test_an_alias_that_is_no_name_is_refused(session, alias):
    told = session.run("start", "--uri", SLEEP, "--alias", alias, check=2).stderr
    assert told.count("\n") == 1
    assert not session.marked()


def test_an_alias_that_is_taken_is_a_conflict(session):
    session.start(SLEEP, "--alias", "a")
    told = session.run("start", "--uri", "exec:///bin/sleep?601", "--alias", "a", check=5).stderr
    assert "a" in told
    assert len(session.marked()) == 1


@pytest.mark.parametrize("args", [[], ["a", "--uri", SLEEP], ["--uri", SLEEP, "--restart", "yes"],
                                  ["a", "b"]])
def test_start_says_how_it_is_used(session, args):
    assert session.run("start", *args, check=2).stderr.count("\n") == 1


def test_a_misspelt_name_gets_the_nearest(session):
    session.start(SLEEP, "--alias", "master.tws")
    for action in ("start", "stop", "detach"):
        assert "master.tws?" in session.run(action, "master.tvs", check=4).stderr


def test_the_seeds_lines_of_a_scheme_run_as_typed(session):
    program = write_program(session.folder, "ib-service", '#!/bin/sh\necho "$@"\nexec sleep 600\n')
    (session.folder / "etc/session.yaml").write_text(
        f'schemes: {{ib: ["{program}", "{{path}}", "--account={{account}}"]}}\n', encoding="utf-8")
    script = '''set -e
        app() { "$COLONY" "$@"; }
        app session start --uri "ib://localhost:9090/master-trader?account=0&tws=master.tws" --alias master.trader
        app session start --uri "ib://localhost/sync?uid=master&account=0&tws=master.tws" --alias sync --restart 1 --shutdown 1
    '''
    subprocess.run(["bash", "-c", script], check=True, cwd=session.folder, timeout=60,
                   env={**os.environ, "COLONY": BINARY})
    eventually(lambda: sorted(file.read_text() for file in (session.folder / "out").iterdir())
               == ["/master-trader --account=0\n", "/sync --account=0\n"])
    told = session.run("start", "--uri", "ib://localhost/x", check=2).stderr
    assert "account" in told


def test_who_waits_for_others_is_stopped_first(session):
    program = write_program(session.folder, "logged", "#!/bin/sh\n"
                            "trap 'echo $1 >> order; exit' QUIT\necho up\nwhile :; do sleep 0.05; done\n")
    names = [session.start(f"exec://{program}?{name}", "--alias", name, "--shutdown", "1")[0]
             for name in ("db", "app", "web")]
    eventually(lambda: all(session.read(f"out/{name}.out") for name in names))
    (session.folder / "etc/session.yaml").write_text(
        "dependences: {app: [db], web: [app]}\nstop: {wait: 10s}\n", encoding="utf-8")
    session.run("deactivate")
    assert session.read("order").split() == ["web", "app", "db"]


def test_who_waits_for_another_is_not_started_before_it(session):
    session.start(SLEEP, "--alias", "db")
    session.start("exec:///bin/sleep?601", "--alias", "app")
    session.run("stop", "--all")
    (session.folder / "etc/session.yaml").write_text(
        "period: 300ms\ndependences: {app: [db]}\n", encoding="utf-8")
    assert "waits for db, which is stopped" in session.run("start", "app", check=5).stderr
    session.run("start", "db")
    assert eventually(lambda: session.run("start", "app"), what="db is running")


def test_deactivate_stops_those_with_shutdown_and_leaves_the_others(session):
    _, stays = session.start(SLEEP, "--alias", "stays")
    _, goes = session.start("exec:///bin/sleep?601", "--alias", "goes", "--shutdown", "1")
    told = session.run("deactivate").stdout
    assert "stopped 1 process\n" in told and "left 1 process running\n" in told
    assert alive(stays) and not alive(goes)
    assert "nothing was running" in session.run("deactivate").stdout


def test_a_stop_is_as_fast_as_its_slowest(session):
    program = write_program(session.folder, "deaf", "#!/bin/sh\ntrap '' QUIT TERM\necho up\n"
                            "while :; do sleep 600; done\n")
    (session.folder / "etc/session.yaml").write_text("stop: {wait: 200ms}\n", encoding="utf-8")
    names = [session.start(f"exec://{program}?{i}")[0] for i in range(8)]
    eventually(lambda: all(session.read(f"out/{name}.out") for name in names))
    began = time.monotonic()
    told = session.run("stop", "--all").stdout
    assert time.monotonic() - began < 4
    assert "stopped 8 processes\n" in told and "had to be killed" in told
    assert not session.marked()


def test_detach_forgets_a_process_and_leaves_it_running(session):
    name, pid = session.start(SLEEP, "--alias", "a")
    session.start("exec:///bin/sleep?601", "--alias", "b")
    (session.folder / "etc/session.yaml").write_text("dependences: {b: [a]}\n", encoding="utf-8")
    told = session.run("detach", "a").stdout
    assert f"pid {pid}" in told and "1 dependence is gone" in told
    assert alive(pid)
    session.run("start", "a", check=4)
    assert not (session.folder / f"pid/{name}.pid").exists()
    assert not (session.folder / "etc/a.yaml").exists()
    session.run("stop", "--all")
    assert alive(pid) # nobody's any more


def test_a_kill_of_start_at_any_moment_leaves_nothing_unnoted(session):
    for turn in range(40):
        starting = subprocess.Popen([BINARY, "session", "-C", str(session.folder), "start", "--uri",
                                     f"exec:///bin/sleep?{600 + turn}"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 0.04))
        starting.send_signal(signal.SIGKILL)
        starting.wait(timeout=20)
    def noted():
        with sqlite3.connect(session.folder / "db/session.db") as db:
            return {f"{session.instance()}/{name}/1": pid
                    for name, pid in db.execute("select name, pid from u_process")}
    session.run("stop", "--all", "--help") # the workspace is in order
    marked = eventually(lambda: all(mark in noted() and noted()[mark] == pid
                                    for pid, mark in session.marked().items()) and
                        (session.marked() or [None]), what="all that runs is noted")
    assert marked
    session.run("stop", "--all")
    eventually(lambda: not session.marked(), what="nothing is left")


def test_a_process_outlives_the_shell_that_started_it(session):
    shell = subprocess.Popen(["sh", "-c", f'"{BINARY}" session -C "{session.folder}" start '
                              f'--uri "{SLEEP}"; echo done; cat'], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, start_new_session=True)
    while shell.stdout.readline() != b"done\n":
        pass
    (pid,) = session.marked()
    os.killpg(shell.pid, signal.SIGKILL)
    shell.wait(timeout=20)
    assert alive(pid)
    assert shell.stdout.read() == b"" # it does not hold the pipe


def test_completion_offers_actions_and_processes(session):
    session.start(SLEEP, "--alias", "master.tws")
    def complete(*words):
        return subprocess.run([BINARY, "complete", *words], capture_output=True, text=True,
                              check=True, timeout=20).stdout
    assert "deactivate\t" in complete("session", "de")
    assert "--uri\t" in complete("session", "start", "--u")
    place = ["session", "-C", str(session.folder)]
    assert complete(*place, "stop", "ma").startswith("master.tws\t")
    assert complete(*place, "detach", "x", "ma").startswith("master.tws\t")
    assert complete(*place, "wait", "--alias", "ma").startswith("master.tws\t")
    assert complete(*place, "dependence", "add", "--parent=ma").startswith("--parent=master.tws\t")
    assert complete("session", "stop", "-C", str(session.folder), "").startswith("master.tws\t")
