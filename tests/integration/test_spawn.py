# SPDX-License-Identifier: Apache-2.0
"""How a process comes to be: what it gets, what it must not get, and how a failed step is told."""
import contextlib
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

import pytest

from conftest import alive, eventually, needs_root

NOBODY = 65534
SLEEP = "import time; time.sleep(1000)"
PYTHON = "/usr/bin/python3"


def unprivileged(colony):
    """What to start colony with so that it is an ordinary user's; nothing when we are one."""
    if os.geteuid() != 0:
        return []
    os.chown(colony.folder, NOBODY, NOBODY)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def start(colony, template, **kwargs):
    colony.start({"processes": {"it": template}}, **kwargs)


def run(colony, template, **kwargs):
    """Starts colony with one template and returns the pid of its process."""
    start(colony, template, **kwargs)
    return colony.wait_state("it", "running")["os_pid"]


def sleeper(**settings):
    return {"cmd": "sleep", "args": ["1000"], **settings}


def shell(script, **settings):
    return {"cmd": "/bin/sh", "args": ["-c", script.replace("$", "$$")], **settings}


def proc(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()


def status(pid):
    """The lines of /proc/PID/status."""
    return {key: value.strip() for key, value in
            (line.split(":", 1) for line in proc(pid, "status").decode().splitlines())}


def strings(pid, name):
    """Arguments or environment; for a moment in the middle of exec there are none to see."""
    return eventually(lambda: proc(pid, name)).decode().rstrip("\0").split("\0")


def environ(pid):
    return dict(entry.split("=", 1) for entry in strings(pid, "environ"))


def limits(pid, name):
    """(soft, hard) as /proc/PID/limits spells them."""
    line = next(line for line in proc(pid, "limits").decode().splitlines()
                if line.startswith(name))
    return tuple(line[len(name):].split()[:2])


def assert_told(colony, failure):
    """The failed step is in GET /slots, in colony's log and in `ctl ps`."""
    eventually(lambda: colony.slot("it")["failure"] == failure,
               what=f"'{failure}' in /slots, not '{colony.slot('it')['failure']}'")
    eventually(lambda: f"cannot start it.1: {failure}\n" in colony.log.read_text(),
               what=f"'{failure}' in the log")
    eventually(lambda: failure in colony.ctl("ps").stdout, what=f"'{failure}' in ctl ps")


# What cannot be done is told by its step.

def test_a_missing_cwd_is_told_as_chdir(colony):
    start(colony, sleeper(cwd="/nope"))
    assert_told(colony, "chdir /nope: No such file or directory")


def test_a_cwd_that_is_a_file_is_told_as_chdir(colony):
    start(colony, sleeper(cwd="/etc/passwd"))
    assert_told(colony, "chdir /etc/passwd: Not a directory")


def test_a_user_that_cannot_be_is_told_as_setuid(colony):
    prefix = unprivileged(colony)
    gid = NOBODY if prefix else os.getgid()
    start(colony, sleeper(uid="root", gid=gid), prefix=prefix)
    assert_told(colony, "setuid root: Operation not permitted")


def test_a_group_that_cannot_be_is_told_as_setgid(colony):
    start(colony, sleeper(uid="root"), prefix=unprivileged(colony))
    assert_told(colony, "setgid root: Operation not permitted")


def test_groups_that_cannot_be_are_told_as_setgroups(colony):
    start(colony, sleeper(groups=["daemon"]), prefix=unprivileged(colony))
    assert_told(colony, "setgroups: Operation not permitted")


def test_a_priority_that_cannot_be_is_told_as_setpriority(colony):
    start(colony, sleeper(nice=-5), prefix=unprivileged(colony))
    assert_told(colony, "setpriority: Permission denied")


def test_a_limit_that_cannot_be_is_told_as_setrlimit(colony):
    def lower():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    start(colony, sleeper(rlimits={"core": 1 << 20}), prefix=unprivileged(colony),
          preexec_fn=lower)
    assert_told(colony, "setrlimit: Operation not permitted")


def test_a_program_that_is_not_executable_is_told_as_exec(colony):
    colony.folder.chmod(0o755)
    (colony.folder / "x").write_text("#!/bin/sh\n")
    start(colony, {"cmd": "./x", "cwd": str(colony.folder)})
    assert_told(colony, "exec ./x: Permission denied")


def test_a_program_in_no_folder_of_the_path_is_told_as_exec(colony):
    start(colony, {"cmd": "no-such-program --really", "env": {"PATH": "/usr/bin:/bin"}})
    assert_told(colony, "exec no-such-program: No such file or directory")


def test_a_program_at_a_path_that_is_not_there_is_told_as_exec(colony):
    start(colony, {"cmd": "/nope/program"})
    assert_told(colony, "exec /nope/program: No such file or directory")


def test_a_missing_interpreter_is_told_as_exec(colony):
    script = colony.folder / "script"
    script.write_text("#!/nope/interpreter\n")
    script.chmod(0o755)
    start(colony, {"cmd": str(script)})
    assert_told(colony, f"exec {script}: No such file or directory: not the program, but the "
                        "interpreter that its first line (#!) names, or its loader")


def test_a_file_of_no_known_format_is_told_as_exec(colony):
    program = colony.folder / "noise"
    program.write_bytes(b"\x01\x02\x03\x04")
    program.chmod(0o755)
    start(colony, {"cmd": str(program)})
    assert_told(colony, f"exec {program}: Exec format error")


def test_arguments_beyond_the_kernels_limit_are_told_as_exec(colony):
    # A quarter of the stack may be arguments.
    start(colony, {"cmd": "true", "args": ["x" * 120000] * 3,
                   "rlimits": {"stack": {"soft": "1MiB", "hard": "2MiB"}}})
    assert_told(colony, "exec true: Argument list too long")


def test_a_failed_start_is_tried_again_and_succeeds_once_its_cause_is_gone(colony):
    cwd = colony.folder / "later"
    start(colony, sleeper(cwd=str(cwd)))
    assert_told(colony, f"chdir {cwd}: No such file or directory")
    cwd.mkdir()
    slot = colony.wait_state("it", "running")
    assert slot["failure"] == ""
    assert os.readlink(f"/proc/{slot['os_pid']}/cwd") == str(cwd)


# Arguments and environment.

def test_an_argv_of_a_megabyte_reaches_the_child(colony):
    big = [chr(ord("a") + i) * 128000 for i in range(8)]
    pid = run(colony, {"cmd": PYTHON, "args": ["-c", SLEEP, *big]})
    assert strings(pid, "cmdline") == [PYTHON, "-c", SLEEP, *big]


def test_an_environment_of_a_megabyte_reaches_the_child(colony):
    big = {f"BIG_{i}": chr(ord("a") + i) * 128000 for i in range(8)}
    pid = run(colony, sleeper(env=big))
    assert {k: v for k, v in environ(pid).items() if k.startswith("BIG_")} == big


def test_the_environment_is_passed_on_unless_os_env_is_false(colony):
    colony.start({"processes": {"with": sleeper(), "without": sleeper(os_env=False)}},
                 env={**os.environ, "FROM_OUTSIDE": "yes"})
    having, lacking = (environ(colony.wait_state(name, "running")["os_pid"])
                       for name in ("with", "without"))
    assert having["FROM_OUTSIDE"] == "yes"
    assert set(lacking) == {"COLONY_ID"}


def test_env_inherit_passes_on_just_what_it_names(colony):
    pid = run(colony, sleeper(os_env=False, env_inherit=["ONE", "THREE"]),
              env={**os.environ, "ONE": "1", "TWO": "2"})
    assert {k: v for k, v in environ(pid).items() if k != "COLONY_ID"} == {"ONE": "1"}


def test_env_wins_over_the_environment_of_colony(colony):
    pid = run(colony, sleeper(env={"ONE": "mine"}), env={**os.environ, "ONE": "outside"})
    assert [text for text in strings(pid, "environ") if text.startswith("ONE=")] == ["ONE=mine"]


def test_what_is_meant_for_colony_never_reaches_a_child(colony):
    ours = {"NOTIFY_SOCKET": "/nope/notify", "LISTEN_FDS": "1", "LISTEN_PID": "1",
            "LISTEN_FDNAMES": "http", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1",
            "MAINPID": "1", "JOURNAL_STREAM": "8:1", "INVOCATION_ID": "0123",
            "COLONY_TOKEN": "secret"}
    templates = {"all": sleeper(os_env=True),
                 "named": sleeper(os_env=False, env_inherit=[*ours, "COLONY_ID"])}
    colony.start({"processes": templates}, env={**os.environ, **ours, "COLONY_ID": "not/ours/1"})
    for name in templates:
        env = environ(colony.wait_state(name, "running")["os_pid"])
        assert not set(env) & set(ours)
        assert env["COLONY_ID"].endswith(f"/{name}/1")
        assert "secret" not in env.values()


def test_the_path_of_the_child_finds_its_program(colony):
    folder = colony.folder / "bin"
    folder.mkdir()
    (folder / "mine").symlink_to("/bin/sleep")
    pid = run(colony, {"cmd": "mine", "args": ["1000"], "env": {"PATH": f"/nope:{folder}"}})
    assert strings(pid, "cmdline") == ["mine", "1000"]


# Identity and limits.

@needs_root
def test_uid_brings_the_users_own_group(colony):
    got = status(run(colony, sleeper(uid="daemon")))
    assert (got["Uid"].split(), got["Gid"].split()) == (["1"] * 4, ["1"] * 4)
    assert got["Groups"] == ""


@needs_root
def test_gid_and_groups_are_applied(colony):
    got = status(run(colony, sleeper(uid=NOBODY, gid="daemon", groups=["bin", 4711])))
    assert got["Uid"].split() == [str(NOBODY)] * 4
    assert got["Gid"].split() == ["1"] * 4
    assert sorted(got["Groups"].split(), key=int) == ["2", "4711"]


@needs_root
def test_supplementary_groups_of_colony_do_not_reach_a_child(colony):
    colony.start({"processes": {"same": sleeper(), "other": sleeper(uid="daemon")}},
                 prefix=["setpriv", "--groups=4,24,4711"])
    assert status(colony.keeper)["Groups"].split() == ["4", "24", "4711"]
    for name in ("same", "other"):
        assert status(colony.wait_state(name, "running")["os_pid"])["Groups"] == ""


def test_it_runs_where_nobody_may_change_his_groups(colony):
    """As root of a user namespace of one's own: a container without root."""
    command = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("needs user namespaces")
    colony.start({"processes": {"it": sleeper()}}, prefix=command)
    pid = colony.wait_state("it", "running")["os_pid"]
    assert status(pid)["Groups"] == status(colony.keeper)["Groups"]


@needs_root
def test_a_child_of_another_user_has_no_capability(colony):
    assert int(status(run(colony, sleeper(uid="daemon")))["CapEff"], 16) == 0


@needs_root
def test_a_child_of_another_user_may_open_dev_stdout(colony):
    run(colony, shell("echo out > /dev/stdout; echo err > /dev/stderr; exec sleep 1000",
                      uid="daemon"))
    eventually(lambda: colony.output("it") == b"out\nerr\n", what="both lines")


def test_umask_is_applied(colony):
    assert status(run(colony, sleeper(umask="0137")))["Umask"] == "0137"


def test_nice_is_applied(colony):
    pid = run(colony, sleeper(nice=7))
    assert os.getpriority(os.PRIO_PROCESS, pid) == 7


def test_rlimits_are_applied(colony):
    pid = run(colony, sleeper(rlimits={"nofile": {"soft": 50, "hard": 60}, "core": 0,
                                       "fsize": "1MiB"}))
    assert limits(pid, "Max open files") == ("50", "60")
    assert limits(pid, "Max core file size") == ("0", "0")
    assert limits(pid, "Max file size") == ("1048576", "1048576")


def test_cwd_is_applied(colony):
    assert os.readlink(f"/proc/{run(colony, sleeper(cwd='/usr'))}/cwd") == "/usr"


def test_shell_runs_the_command_by_sh(colony):
    run(colony, {"cmd": "echo one | tr a-z A-Z; exec sleep 1000", "shell": True})
    eventually(lambda: colony.output("it") == b"ONE\n", what="the pipeline's output")


def test_a_child_leads_a_session_of_its_own(colony):
    pid = run(colony, sleeper())
    assert os.getsid(pid) == os.getpgid(pid) == pid


def test_the_soft_limit_of_descriptors_is_the_original_one(colony):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 1000))

    pid = run(colony, sleeper(), preexec_fn=lower)
    assert limits(colony.keeper, "Max open files") == ("1000", "1000")
    assert limits(pid, "Max open files") == ("100", "1000")


def test_the_soft_limit_of_descriptors_outlives_a_takeover(colony):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 1000))

    first = run(colony, sleeper(), preexec_fn=lower)
    os.kill(colony.keeper, signal.SIGKILL)
    colony.process.wait()
    eventually(lambda: colony.answers() and alive(colony.keeper), what="a takeover")
    os.kill(first, signal.SIGKILL)
    again = eventually(lambda: colony.slot("it")["os_pid"] not in (None, first) and
                       colony.slot("it")["os_pid"], what="a restart")
    assert limits(again, "Max open files") == ("100", "1000")


# Descriptors and signals.

def assert_clean(pid):
    # The program opens and closes some of its own while it starts.
    eventually(lambda: set(os.listdir(f"/proc/{pid}/fd")) == {"0", "1", "2"},
               what="no descriptor more")
    fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)]
    assert fds[0] == "/dev/null"
    assert fds[1] == fds[2] and fds[1].startswith("pipe:")


def test_a_child_has_three_descriptors_and_no_more(colony):
    with contextlib.ExitStack() as stack:
        leaks = [stack.enter_context(socket.socket()).fileno() for _ in range(30)]
        assert_clean(run(colony, sleeper(), pass_fds=leaks))


def test_a_child_has_no_more_descriptors_after_engine_and_keeper_were_killed(colony):
    pid = run(colony, sleeper())
    for victim in ("engine", "keeper"):
        number = getattr(colony, victim)
        os.kill(number, signal.SIGKILL)
        if victim == "keeper":
            colony.process.wait()
        eventually(lambda: not alive(number) and colony.answers() and alive(colony.keeper),
                   what=f"a new {victim}")
        os.kill(pid, signal.SIGKILL)
        pid = eventually(lambda: colony.slot("it")["os_pid"] not in (None, pid) and
                         colony.slot("it")["os_pid"], what="a restart")
        assert_clean(pid)


def test_a_child_has_no_blocked_or_ignored_signals(colony):
    def mess_up():
        for signo in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGUSR1,
                      signal.SIGRTMIN + 5):
            signal.signal(signo, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2, signal.SIGCHLD})

    got = status(run(colony, sleeper(), preexec_fn=mess_up))
    assert int(got["SigBlk"], 16) == 0
    assert int(got["SigIgn"], 16) == 0


# A folder that never answers.

@pytest.fixture
def hung(colony, tmp_path):
    """Makes a function that mounts a hung FUSE filesystem and returns its server and a prefix."""
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("needs root and /dev/fuse")
    program = tmp_path / "hung_fuse"
    source = pathlib.Path(__file__).with_name("hung_fuse.c")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-Wall", "-O1", "-o", program, source], check=True)
    servers = []

    def mount(mode):
        folder = colony.folder / "mnt"
        folder.mkdir()
        server = subprocess.Popen([program, mode, folder], stdout=subprocess.PIPE, text=True)
        servers.append(server)
        if server.stdout.readline() != "mounted\n":
            pytest.skip("needs the right to mount a FUSE filesystem")
        return server, folder / "dir", ["nsenter", f"--mount=/proc/{server.pid}/ns/mnt"]

    yield mount
    for server in servers:
        server.kill()
        server.wait()


def restart_and_ask(colony, until):
    """Restarts `web` again and again until a time; returns how often, and how long the worst took."""
    count, worst = 0, 0
    while time.monotonic() < until:
        began = time.monotonic()
        assert colony.http("POST", "/processes/web/_restart?wait=5").status == 200
        assert colony.answers()
        count, worst = count + 1, max(worst, time.monotonic() - began)
    return count, worst


@pytest.mark.parametrize("mode", ["unread", "unanswered"])
def test_a_hung_cwd_ends_after_five_seconds_while_all_else_goes_on(colony, hung, mode):
    _, cwd, prefix = hung(mode)
    template = sleeper(cwd=str(cwd), start=False)
    colony.start({"processes": {"it": template, "web": sleeper()}}, prefix=prefix)
    colony.wait_state("web", "running")
    began = time.monotonic()
    colony.ctl("start", "it")
    count, worst = restart_and_ask(colony, began + 4)
    assert colony.slot("it")["state"] == "starting"
    assert count >= 4 and worst < 3
    failure = f"chdir {cwd}: Connection timed out"
    eventually(lambda: colony.slot("it")["failure"] == failure, 15, f"'{failure}'")
    assert 4.5 < time.monotonic() - began < 20
    assert_told(colony, failure)


@pytest.mark.parametrize("mode", ["unread", "unanswered"])
def test_a_hung_cwd_does_not_keep_colony_from_ending(colony, hung, mode):
    _, cwd, prefix = hung(mode)
    start(colony, sleeper(cwd=str(cwd)), prefix=prefix)
    colony.wait_state("it", "starting")
    began = time.monotonic()
    assert colony.stop() == 0
    assert time.monotonic() - began < 8


def test_a_child_that_cannot_be_killed_is_not_joined_by_another(colony, hung):
    server, cwd, prefix = hung("unanswered")
    start(colony, sleeper(cwd=str(cwd)), prefix=prefix)
    eventually(lambda: colony.slot("it")["failure"].startswith("chdir"), 10)
    eventually(lambda: colony.slot("it")["restarts"] >= 3)
    assert colony.log.read_text().count("where it cannot even be killed") == 1
    server.kill()  # the kernel lets go of the child, and the next start finds no folder
    eventually(lambda: "Transport endpoint" in colony.slot("it")["failure"])


def test_a_folder_that_answers_again_is_no_cause_to_fail(colony, hung):
    server, cwd, prefix = hung("unread")
    start(colony, sleeper(cwd=str(cwd)), prefix=prefix)
    colony.wait_state("it", "starting")
    server.kill()
    assert_told(colony, f"chdir {cwd}: Transport endpoint is not connected")
