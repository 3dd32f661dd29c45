# SPDX-License-Identifier: Apache-2.0
"""`user:`: an engine without privileges under a keeper that lends it little."""
import os
import pathlib
import pwd
import signal
import subprocess

import pytest

from conftest import BINARY, alive, eventually, needs_root

pytestmark = needs_root

REFUSED = ("prepare: the keeper may not do this for the engine's user "
           "(see `user:` in the settings)")


def sleeper(**settings):
    return {"cmd": "sleep", "args": ["1000"], **settings}


def start(colony, processes, user="nobody", **kwargs):
    """Starts colony with `user:` on a folder through which everybody may pass."""
    colony.folder.chmod(0o711)
    colony.start({"user": user, "processes": processes}, **kwargs)


def ids(pid):
    """(uids, gids, groups) of a process."""
    lines = dict(line.split(":", 1) for line in
                 pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return tuple([int(word) for word in lines[key].split()] for key in ("Uid", "Gid", "Groups"))


def whole(name):
    """All four ids of a user and his group."""
    entry = pwd.getpwnam(name)
    return [entry.pw_uid] * 4, [entry.pw_gid] * 4


def refuse(colony, settings, *args):
    """Runs serve with settings that must be refused; returns the line that says why."""
    colony.write(settings)
    result = subprocess.run([BINARY, "serve", "--config", colony.config, "--state", colony.state,
                             *args], capture_output=True, text=True, timeout=30)
    assert result.returncode == 78, result.stderr
    assert result.stderr.count("\n") == 1
    return result.stderr


# Who runs as whom.

def test_the_engine_runs_as_the_user_and_the_keeper_as_root(colony):
    start(colony, {"it": sleeper()})
    assert ids(colony.engine)[:2] == whole("nobody")
    assert ids(colony.keeper)[0] == [0] * 4


def test_the_engine_has_no_capability_left(colony):
    start(colony, {})
    status = pathlib.Path(f"/proc/{colony.engine}/status").read_text()
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert f"{kind}:\t0000000000000000" in status


def test_the_option_user_does_the_same(colony):
    colony.folder.chmod(0o711)
    colony.start({"processes": {"it": sleeper()}}, "--user", "nobody")
    assert ids(colony.engine)[:2] == whole("nobody")
    assert ids(colony.wait_state("it", "running")["os_pid"])[:2] == whole("nobody")


def test_processes_run_as_the_engines_user_by_default(colony):
    start(colony, {"it": sleeper()})
    pid = colony.wait_state("it", "running")["os_pid"]
    assert ids(pid) == ids(colony.engine)
    assert ids(pid)[:2] == whole("nobody")


def test_groups_of_root_reach_neither_engine_nor_process(colony):
    start(colony, {"it": sleeper()}, prefix=["setpriv", "--groups=4,24"])
    pid = colony.wait_state("it", "running")["os_pid"]
    for one in (colony.engine, pid):
        assert not {4, 24} & set(ids(one)[2])


def test_a_new_engine_runs_as_the_user_too(colony):
    start(colony, {"it": sleeper()})
    before = colony.wait_state("it", "running")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers(), what="a new engine")
    assert ids(colony.engine)[:2] == whole("nobody")
    assert colony.wait_state("it", "running")["os_pid"] == before["os_pid"]


# What the keeper lends.

def test_an_identity_of_run_as_is_allowed(colony):
    start(colony, {"it": sleeper(uid="daemon")}, {"name": "nobody", "run_as": ["daemon", "bin"]})
    assert ids(colony.wait_state("it", "running")["os_pid"])[:2] == whole("daemon")


def test_an_identity_of_run_as_is_allowed_with_its_groups(colony):
    start(colony, {"it": sleeper(uid="daemon", gid="bin", groups=["sys"])},
          {"name": "nobody", "run_as": [{"uid": "daemon", "gid": "bin", "groups": ["sys"]}]})
    assert ids(colony.wait_state("it", "running")["os_pid"]) == ([1] * 4, [2] * 4, [3])


@pytest.mark.parametrize("identity", [
    {"uid": "root"}, {"uid": "bin"}, {"uid": "daemon", "gid": "root"},
    {"uid": "daemon", "groups": ["sys"]}, {"uid": "nobody", "groups": ["root"]}])
def test_any_other_identity_is_refused(colony, identity):
    start(colony, {"it": sleeper(**identity), "other": sleeper()},
          {"name": "nobody", "run_as": ["daemon"]})
    eventually(lambda: colony.slot("it")["failure"] == REFUSED, what=f"'{REFUSED}'")
    eventually(lambda: f"cannot start it.1: {REFUSED}\n" in colony.log.read_text())
    assert colony.slot("it")["os_pid"] is None
    assert colony.wait_state("other", "running")


def test_a_negative_nice_is_refused_unless_granted(colony):
    start(colony, {"it": sleeper(nice=-5), "other": sleeper(nice=5)})
    eventually(lambda: colony.slot("it")["failure"] == REFUSED, what=f"'{REFUSED}'")
    pid = colony.wait_state("other", "running")["os_pid"]
    assert os.getpriority(os.PRIO_PROCESS, pid) == 5


def test_a_negative_nice_that_is_granted_is_applied(colony):
    start(colony, {"it": sleeper(nice=-5)}, {"name": "nobody", "allow": ["nice"]})
    pid = colony.wait_state("it", "running")["os_pid"]
    assert os.getpriority(os.PRIO_PROCESS, pid) == -5
    assert ids(pid)[:2] == whole("nobody")


def test_a_limit_above_the_keepers_is_refused_unless_granted(colony):
    start(colony, {"it": sleeper(rlimits={"core": {"soft": 0, "hard": 1 << 40}}),
                   "other": sleeper(rlimits={"core": 0})},
          prefix=["prlimit", "--core=0:1000"])
    eventually(lambda: colony.slot("it")["failure"] == REFUSED, what=f"'{REFUSED}'")
    colony.wait_state("other", "running")


# The settings.

def test_settings_that_root_does_not_own_are_refused(colony):
    colony.write({"user": "nobody", "processes": {}})
    os.chown(colony.config, pwd.getpwnam("nobody").pw_uid, -1)
    line = refuse(colony, {"user": "nobody", "processes": {}})
    assert f"{colony.config}:1:" in line and "must belong to root" in line


def test_settings_that_others_may_write_are_refused(colony):
    colony.write("")
    colony.config.chmod(0o666)
    assert "writable by nobody else" in refuse(colony, {"user": "nobody"})


def test_an_unknown_user_is_refused(colony):
    assert "no such user no-such-user" in refuse(colony, {"user": "no-such-user"})
    assert "no such user" in refuse(colony, {}, "--user", "no-such-user")


def test_only_root_can_run_the_engine_as_another(colony):
    colony.folder.chmod(0o755)
    colony.write({"processes": {}})
    state = colony.folder / "theirs"
    state.mkdir()
    os.chown(state, 1, 1)
    result = subprocess.run(["setpriv", "--reuid=1", "--regid=1", "--clear-groups", BINARY,
                             "serve", "--config", colony.config, "--state", state, "--user",
                             "nobody"], capture_output=True, text=True, timeout=30)
    assert result.returncode == 78
    assert "only root can" in result.stderr


# What must go on working.

def test_log_files_are_written(colony):
    start(colony, {"it": {"cmd": "sh", "args": ["-c", "echo hello; exec sleep 1000"]},
                   "other": {"cmd": "sh", "args": ["-c", "echo > /dev/stdout hi; exec sleep 1000"],
                             "uid": "daemon"}}, {"name": "nobody", "run_as": ["daemon"]})
    eventually(lambda: colony.output("it") == b"hello\n")
    eventually(lambda: colony.output("other") == b"hi\n")
    assert colony.ctl("logs", "it").stdout == "hello\n"
    for name in ("it", "other"):
        info = (colony.state / "log" / f"{name}.1.log").stat()
        assert (info.st_uid, info.st_mode & 0o777) == (pwd.getpwnam("nobody").pw_uid, 0o600)


def test_a_direct_log_is_written(colony):
    start(colony, {"it": {"cmd": "sh", "args": ["-c", "echo hello; exec sleep 1000"],
                          "log": {"direct": True}}})
    eventually(lambda: colony.output("it") == b"hello\n")


def test_root_may_control_it(colony):
    start(colony, {"it": sleeper()})
    colony.wait_state("it", "running")
    colony.ctl("stop", "it")
    assert colony.slot("it")["state"] == "stopped"
    colony.ctl("start", "it")
    colony.wait_state("it", "running")


@pytest.mark.parametrize("user", ["nobody", "daemon"])
def test_nobody_else_may_control_it(colony, user):
    """Not even the engine's user: a process of his would be as good as the engine's owner."""
    start(colony, {"it": sleeper()})
    entry = pwd.getpwnam(user)

    def drop():
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)

    result = subprocess.run([BINARY, "ctl", "--endpoint", f"unix:{colony.socket}", "ps"],
                            capture_output=True, text=True, preexec_fn=drop, cwd="/", timeout=30)
    assert result.returncode in (69, 77)
    assert "sleep" not in result.stdout


def test_the_engine_can_write_nothing_of_the_keepers(colony):
    start(colony, {})
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in [colony.state, *colony.state.iterdir()]:
        info = path.lstat()
        if path.name in ("log", "engine"):
            assert info.st_uid == nobody and info.st_mode & 0o777 == 0o700
        elif path.name == "hearts":
            assert info.st_uid == nobody and info.st_mode & 0o777 == 0o711
        else:
            assert info.st_uid == 0, path
            assert path.is_socket() or not info.st_mode & 0o022, path


def test_strays_are_gone_after_a_stop(colony):
    script = "setsid sh -c 'setsid sleep 1000 & echo $$!'; exec sleep 1000"
    start(colony, {"it": {"cmd": "sh", "args": ["-c", script], "graceful_timeout": 1}})
    stray = int(eventually(lambda: colony.output("it")))
    assert alive(stray)
    assert colony.http("POST", "/processes/it/_stop?wait=true").status == 200
    assert not alive(stray)
    assert colony.stop() == 0
