# SPDX-License-Identifier: Apache-2.0
"""The workspace of a session: its layout, its database and files, and what a kill leaves of them."""

import os
import pwd
import random
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import time

import pytest

from conftest import BINARY, eventually
from sessions import Session, session  # noqa: F401

SLEEP = "exec:///bin/sleep?600"
LAYOUT = {"bin", "db", "err", "etc", "fp", "out", "pid"}


def rows(session, columns="name, alias"):
    with sqlite3.connect(session.folder / "db/session.db", timeout=20) as db:
        return db.execute(f"SELECT {columns} FROM u_process ORDER BY name").fetchall()


def add(session, number, **options):
    """A process that nothing runs, by its file."""
    text = f"cmdline: [/bin/sleep, n={number}]\n"
    for key, value in options.items():
        text += f"{key}: {value}\n"
    (session.folder / f"etc/p{number}.yaml").write_text(text, encoding="utf-8")


# The layout


def test_init_makes_the_layout_of_the_seed_for_its_owner_alone(session):
    assert LAYOUT <= {path.name for path in session.folder.iterdir()}
    for path in session.folder.rglob("*"):
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
    text = session.read("etc/session.yaml")
    assert all(line.startswith("#") for line in text.splitlines())


def test_init_again_adds_what_is_missing_and_overwrites_nothing(session):
    (session.folder / "bin/env.sh").write_text("# mine\n", encoding="utf-8")
    (session.folder / "etc/session.yaml").write_text("period: 1s\n", encoding="utf-8")
    shutil.rmtree(session.folder / "pid")
    (session.folder / "bin/colony.fish").unlink()
    assert "2 folders and files" in session.run("init").stdout
    assert "nothing is missing" in session.run("init").stdout
    assert session.read("bin/env.sh") == "# mine\n"
    assert session.read("etc/session.yaml") == "period: 1s\n"
    assert (session.folder / "pid").is_dir()


@pytest.mark.parametrize("shell", ["sh", "dash"])
@pytest.mark.parametrize("folder", ["/", "elsewhere"])
def test_the_script_in_bin_sets_nothing_where_it_cannot_tell_where_it_lies(session, tmp_path, shell, folder):
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    (tmp_path / "elsewhere").mkdir()
    env = {key: value for key, value in os.environ.items() if key != "COLONY_SESSION"}
    command = f". '{session.folder}/bin/env.sh'; echo \"${{COLONY_SESSION-none}} $PATH\""
    told = subprocess.run([shell, "-c", command], cwd=tmp_path / folder, env=env, timeout=20,
                          capture_output=True, text=True, check=False)
    if os.path.realpath(shutil.which(shell)).endswith("bash"):
        pytest.skip("this sh tells")
    assert told.stdout == f"none {env['PATH']}\n"
    assert told.stderr.splitlines() == [
        "cannot tell where env.sh lies: cd to its workspace, then . bin/env.sh"]


@pytest.mark.parametrize("shell, command", [
    ("bash", ". bin/env.sh; complete -p colony"),
    ("zsh", ". bin/env.sh; echo $_comps[colony]"),
    ("fish", "source bin/env.fish; complete -c colony"),
    ("sh", ". bin/env.sh; echo colony"),
])
def test_the_script_in_bin_sets_up_a_shell(session, shell, command):
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    env = {**os.environ, "HOME": str(session.folder)}
    env.pop("COLONY_SESSION", None)
    told = subprocess.run([shell, "-c", f"{command}; echo S=$COLONY_SESSION; echo P=$PATH"], env=env,
                          cwd=session.folder, capture_output=True, text=True, timeout=60).stdout
    assert "colony" in told.splitlines()[0]
    assert f"S={session.folder}" in told.splitlines()
    assert re.search(rf"^P={re.escape(str(session.folder))}/bin[: ]", told, re.M), told


def test_the_session_script_works_from_anywhere(session):
    add(session, 1)
    told = subprocess.run([session.folder / "bin/session", "show"], cwd="/", text=True, timeout=60,
                          env={**os.environ, "COLONY": BINARY}, capture_output=True)
    assert "p1" in told.stdout, told.stderr


def test_the_workspace_is_found_from_below_and_by_the_environment(session, tmp_path_factory):
    env = {**os.environ}
    env.pop("COLONY_SESSION", None)

    def show(folder, env):
        return subprocess.run([BINARY, "session", "show"], cwd=folder, env=env, capture_output=True,
                              text=True, timeout=60)

    add(session, 1)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert "p1" in show(session.folder / "etc", env).stdout
    refused = show(elsewhere, env)
    assert refused.returncode == 4
    assert "colony session init" in refused.stderr and len(refused.stderr.splitlines()) == 1
    assert "p1" in show(elsewhere, {**env, "COLONY_SESSION": str(session.folder)}).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="that takes root")
def test_somebody_elses_workspace_is_refused_to_root(session):
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(session.folder, nobody, -1)
    assert f"it belongs to user {nobody}" in session.run("show", check=77).stderr
    os.chown(session.folder, 0, -1)


# Rows and files


def test_a_file_that_a_user_writes_is_a_process_at_once(session):
    add(session, 1, restart=1)
    told = session.run("show").stdout
    assert re.search(r" p1 +stopped +- +- +1 +0 ", told), told
    add(session, 1, shutdown=1)
    assert re.search(r" p1 +stopped +- +- +0 +1 ", session.run("show").stdout)


def test_a_file_that_is_lost_is_made_again_and_told_once(session):
    name, _ = session.start(SLEEP, "--alias", "nap", "--restart", "1")
    before = session.read("etc/nap.yaml")
    (session.folder / "etc/nap.yaml").unlink()
    told = session.run("show")
    assert re.fullmatch(r"colony session: .*/etc/nap.yaml was gone: made again from the database\n",
                        told.stderr)
    assert session.read("etc/nap.yaml") == before
    assert session.run("show").stderr == ""
    assert name in told.stdout


def test_a_database_that_is_lost_is_made_again_with_what_runs(session):
    name, pid = session.start(SLEEP, "--alias", "nap", "--restart", "1")
    (session.folder / "db/session.db").unlink()
    told = session.run("show")
    assert "was not there: made again from etc (1 processes)" in told.stderr
    assert re.search(rf"{name} +nap +running +{pid} ", told.stdout), told.stdout
    assert rows(session, "name, alias, uri, pid") == [(name, "nap", SLEEP, pid)]
    assert "runs already" in session.run("start", "--uri", SLEEP, check=5).stderr


@pytest.mark.parametrize("how", ["noise", "cut", "folder", "empty"])
def test_a_damaged_database_is_told_in_one_line_and_made_again(session, how):
    for number in range(30):
        add(session, number)
    session.run("show")
    database = session.folder / "db/session.db"
    if how == "noise":
        with open(database, "r+b") as file:
            file.seek(4096)
            file.write(random.Random(1).randbytes(8192))
    elif how == "cut":
        os.truncate(database, 5000)
    elif how == "folder":
        database.unlink()
        database.mkdir()
    else:
        os.truncate(database, 0)
    told = session.run("show")
    assert len(told.stderr.splitlines()) == 1, told.stderr
    assert "made again from etc (30 processes)" in told.stderr
    assert (session.folder / "db/session.db.damaged").exists() == (how != "empty")
    assert len(rows(session)) == 30
    assert session.run("show").stderr == ""


def test_of_a_file_that_is_nonsense_the_last_good_one_counts(session):
    add(session, 1)
    session.run("show")
    (session.folder / "etc/p1.yaml").write_text("cmdline: [/bin/true\nrestart: 1\n", encoding="utf-8")
    told = session.run("status", "p1", check=3)
    assert re.search(rf"{session.folder}/etc/p1.yaml:2:8: ", told.stderr), told.stderr
    assert "/bin/sleep n=1" in told.stdout
    (session.folder / "etc/p1.yaml").write_text("cmdline: [/bin/true]\nrestrat: 1\n", encoding="utf-8")
    assert "etc/p1.yaml:2:1: cannot use restrat: did you mean restart?" in \
        session.run("show").stderr


def test_what_cannot_be_used_is_told_with_its_file_and_what_to_do(session):
    (session.folder / "target").write_text("cmdline: [/bin/true]\n", encoding="utf-8")
    (session.folder / "etc/link.yaml").symlink_to(session.folder / "target")
    (session.folder / "etc/a:b.yaml").write_text("cmdline: [/bin/true]\n", encoding="utf-8")
    (session.folder / "etc/only.yaml").write_text("name: new-name\n", encoding="utf-8")
    told = session.run("show")
    lines = told.stderr.splitlines()
    assert len(lines) == 3, told.stderr
    assert "etc/a:b.yaml: cannot use the name `a:b`" in lines[0] and "(rename the file)" in lines[0]
    assert "etc/link.yaml: it is a link, and links are not followed" in lines[1]
    assert "etc/only.yaml:1:1: cannot use this: it has neither cmdline nor uri" in lines[2]
    assert "new-name" not in told.stdout
    shutil.rmtree(session.folder / "out")
    (session.folder / "out").symlink_to("/tmp")
    told = subprocess.run(
        [BINARY, "session", "-C", session.folder, "show"], capture_output=True, text=True, timeout=60)
    assert told.returncode != 0
    assert "/out: it is a link, and links are not followed" in told.stderr


def execute(session, sql):
    with sqlite3.connect(session.folder / "db/session.db", timeout=20) as db:
        db.execute(sql)


@pytest.mark.parametrize("column, value", [("name", "../../evil"), ("name", "evil"), ("alias", "a/b"), ("name", "a.b")])
def test_a_row_that_cannot_be_is_dropped_and_made_again_from_its_file(session, column, value):
    name, pid = session.start(SLEEP, "--alias", "nap")
    other, _ = session.start("exec:///bin/sleep?601", "--alias", "other")
    execute(session, f"UPDATE u_process SET {column} = '{value}' WHERE alias = 'nap'")
    told = session.run("show")
    assert len(told.stderr.splitlines()) == 1 and "dropped" in told.stderr, told.stderr
    assert "../" not in told.stderr
    assert re.search(rf"{name} +nap +running +{pid} ", told.stdout), told.stdout
    assert session.run("show").stderr == ""
    assert sorted(rows(session)) == sorted([(name, "nap"), (other, "other")])
    assert "runs already" in session.run("start", "nap", check=5).stderr


def test_a_row_under_a_wrong_name_is_dropped_also_where_it_lives(session):
    name, pid = session.start(SLEEP, "--alias", "nap")
    for table in ("u_process", "u_life", "u_etc"):
        execute(session, f"UPDATE {table} SET name = 'evil' WHERE name = '{name}'")
    told = session.run("show")
    assert len(told.stderr.splitlines()) == 1 and "dropped" in told.stderr, told.stderr
    assert re.search(rf"{name} +nap +running +{pid} ", told.stdout), told.stdout
    assert session.run("show").stderr == ""


def test_a_file_that_a_user_wrote_can_be_renamed_like_any_other(session):
    text = "# mine\ncmdline: [/bin/sleep, \"9001\"] # long\n"
    (session.folder / "etc/mine.yaml").write_text(text, encoding="utf-8")
    session.run("show")
    [(name, alias)] = rows(session)
    assert alias == "mine"
    assert session.read("etc/mine.yaml") in (text + f"name: {name}\n", f"name: {name}\n" + text)
    (session.folder / "etc/mine.yaml").rename(session.folder / "etc/yours.yaml")
    assert session.run("show").stderr == ""
    assert rows(session) == [(name, "yours")]
    assert not (session.folder / "etc/mine.yaml").exists()


@pytest.mark.parametrize("sql", ["UPDATE u_process SET pid = pid + 100000", "UPDATE u_process SET pid = 'abc'",
                                 "UPDATE u_process SET pid = 0", "DELETE FROM u_life", "DROP TABLE u_life",
                                 "DROP TABLE u_etc", "DROP TABLE u_process",
                                 "ALTER TABLE u_life RENAME COLUMN boot TO shoe",
                                 "ALTER TABLE u_process RENAME TO u_progress"])
@pytest.mark.parametrize("first", ["show", "start"])
def test_what_runs_is_known_whatever_the_database_says(session, sql, first):
    name, pid = session.start(SLEEP, "--alias", "nap")
    execute(session, sql)
    told = session.run(first, *(["nap"] if first == "start" else []), check=5 if first == "start" else 0)
    assert "db/session.db" in told.stderr, told.stderr
    assert len(told.stderr.splitlines()) == (2 if first == "start" else 1), told.stderr
    again = session.run("show")
    assert again.stderr == ""
    assert re.search(rf"{name} +nap +\w+ +{pid} ", again.stdout), again.stdout
    assert f"it runs already, as pid {pid}" in session.run("start", "nap", check=5).stderr
    assert list(session.marked()) == [pid]


def test_what_bears_its_mark_is_not_started_again(session):
    name, pid = session.start(SLEEP, "--alias", "nap")
    execute(session, "UPDATE u_process SET pid = pid + 100000")
    (session.folder / f"pid/{name}.pid").unlink()
    assert f"it runs already, as pid {pid}" in session.run("start", "nap", check=5).stderr
    assert re.search(rf"{name} +nap +running +{pid} ", session.run("show").stdout)
    assert list(session.marked()) == [pid]
    session.run("stop", "nap")
    assert session.marked() == {}
    session.run("start", "nap")


def test_two_files_for_one_process_are_an_error_that_names_both(session):
    name, pid = session.start(SLEEP, "--alias", "nap")
    text = session.read("etc/nap.yaml")
    (session.folder / "etc/copy.yaml").write_text(text, encoding="utf-8")
    told = session.run("show")
    assert "etc/copy.yaml and " in told.stderr and "etc/nap.yaml are both files of" in told.stderr
    assert re.search(rf"{name} +nap +\w+ +{pid} ", told.stdout)


def test_what_gutools_left_is_a_workspace(tmp_path):
    for folder in ("bin", "db", "err", "etc", "fp", "out", "pid"):
        (tmp_path / folder).mkdir()
    with sqlite3.connect(tmp_path / "db/session.db") as db:
        db.execute("CREATE TABLE u_process (name TEXT PRIMARY KEY, alias TEXT UNIQUE, uri TEXT, "
                   "state TEXT, pid INTEGER, date TEXT)")
        db.execute("INSERT INTO u_process VALUES ('questionable-dish', 'tws', 'exec:///bin/sleep?9', "
                   "'operative', 999999999, '2018-11-29')")
    (tmp_path / "etc/tws.yaml").write_text("cmdline: [/bin/sleep, '9']\nrestart: true\nfp: {a: 1}\n",
                                           encoding="utf-8")
    told = Session(tmp_path).run("show")
    assert told.stderr == ""
    assert re.search(r"questionable-dish +tws +stopped +- +- +1 +0 ", told.stdout)


# Two at once, and kills


def test_many_commands_at_once_lose_nothing(session):
    def start(number):
        return subprocess.Popen([BINARY, "session", "-C", session.folder, "start", "--uri",
                                 f"exec:///bin/sleep?{600 + number}", "--alias", f"p{number}"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    commands = [start(number) for number in range(12)]
    for number, command in enumerate(commands):
        assert command.wait(60) == 0, (number, command.stderr.read())
        command.stderr.close()
    assert sorted(alias for _, alias in rows(session)) == sorted(f"p{n}" for n in range(12))
    assert session.run("show").stderr == ""


def check_is_sound(session):
    """Rows and files say the same, and nothing is lost by half."""
    told = session.run("show", "--json")
    files = {path.stem for path in (session.folder / "etc").glob("*.yaml")} - {"session"}
    titles = {alias or name for name, alias in rows(session)}
    assert files == titles, told.stderr
    with sqlite3.connect(session.folder / "db/session.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM u_etc WHERE next_file IS NOT NULL").fetchone() == (0,)
    pids = {path.stem for path in (session.folder / "pid").glob("*.pid")}
    assert pids == {name for name, pid in rows(session, "name, pid") if pid}
    return told


def test_a_kill_at_any_moment_leaves_what_the_next_command_repairs(session):
    chance = random.Random(8)
    for number in range(8):
        add(session, number)
    session.run("show")
    commands = [
        lambda n: ["dependence", "add", "--parent", f"p{n % 8}:s{n}", "--child", f"p{(n + 1) % 8}"],
        lambda n: ["start", "--uri", f"exec:///bin/sleep?{600 + n % 5}", "--alias", f"q{n}"],
        lambda n: ["stop", "--all"],
        lambda n: ["detach", f"p{n % 8}"],
        lambda n: ["gc"],
        lambda n: ["init"],
    ]
    for number in range(90):
        command = commands[number % len(commands)](number)
        process = subprocess.Popen([BINARY, "session", "-C", session.folder, *command],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.random() ** 2 * 0.03)
        process.send_signal(signal.SIGKILL)
        process.wait()
        check_is_sound(session)
    session.run("gc")
    assert not list(session.folder.rglob("*.new~"))
    assert not [path for path in session.folder.rglob("*") if "damaged" in path.name]
    dependences = session.run("dependence", "list", "--json").stdout
    assert dependences.startswith("[")


def test_the_one_who_has_the_lock_is_told(session):
    holder = subprocess.Popen(["flock", session.folder / "db/lock", "sh", "-c",
                               f"echo $$ > {session.folder}/db/lock; echo ready; sleep 60"],
                              stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert holder.stdout.readline() == b"ready\n"
        pid = session.read("db/lock").strip()
        told = session.run("gc", check=5)
        assert f"pid {pid} is at it" in told.stderr
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()


def test_output_that_is_read_no_more_ends_a_log(session):
    name, _ = session.start("exec:///bin/sh?-c&while%20:;do%20echo%20x;sleep%200.05;done", "--alias", "talk")
    reader = subprocess.Popen([BINARY, "session", "-C", session.folder, "log", "-f", "talk"],
                              stdout=subprocess.PIPE)
    assert reader.stdout.readline() == b"x\n"
    reader.stdout.close()
    assert reader.wait(20) == 0
    eventually(lambda: session.read(f"out/{name}.out").count("x") > 3)
