# SPDX-License-Identifier: Apache-2.0
"""What signals do to colony, as a child, as PID 1 and in the background."""
import contextlib
import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import BINARY, alive, children, eventually, needs_root

STUBBORN = {"cmd": "sh", "args": ["-c", "trap '' TERM; echo ready; exec sleep 1000"]}
POLITE = {"cmd": "sh", "args": ["-c", "trap 'sleep 0.2; echo bye; exit 0' TERM; echo ready; "
                                      "while :; do sleep 0.02; done"]}


def sleeper(**settings):
    return {"cmd": "sleep", "args": ["1000"], **settings}


def ready(colony, *names):
    """The pids of processes that have said that they are ready."""
    for name in names:
        eventually(lambda name=name: colony.output(name).startswith(b"ready\n"), what=f"{name} ready")
    return [colony.slot(name)["os_pid"] for name in names]


def serve(colony, *args, **run):
    """colony serve, run to its end; for what ends by itself."""
    return subprocess.run([BINARY, "serve", "--config", colony.config, "--state", colony.state,
                           *args], capture_output=True, text=True, timeout=30, **run)


# SIGTERM, SIGINT and SIGQUIT.

@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_stops_the_processes_first_and_ends_colony(colony, signo):
    pidfile = colony.folder / "colony.pid"
    colony.start({"processes": {"polite": POLITE,
                                "stubborn": {**STUBBORN, "graceful_timeout": 1.5}}},
                 "--pidfile", str(pidfile))
    pids = ready(colony, "polite", "stubborn")
    assert pidfile.read_text() == f"{colony.process.pid}\n"
    began = time.monotonic()
    colony.process.send_signal(signo)
    eventually(lambda: colony.slot("stubborn")["state"] == "stopping", what="a stop")
    assert all(map(alive, pids)) or time.monotonic() - began > 0.2
    assert colony.process.wait(20) == 0
    assert 1.5 <= time.monotonic() - began < 8  # not the 10 s that others have
    assert not any(map(alive, pids))
    assert colony.output("polite") == b"ready\nbye\n"
    assert not colony.socket.exists()
    assert not pidfile.exists()


def test_the_stop_signal_is_the_one_of_the_settings(colony):
    script = "trap 'echo got it; exit 0' USR1; echo ready; while :; do sleep 0.02; done"
    colony.start({"processes": {"it": {"cmd": "sh", "args": ["-c", script],
                                       "stop_signal": "SIGUSR1"}}})
    ready(colony, "it")
    assert colony.stop() == 0
    assert colony.output("it") == b"ready\ngot it\n"


def test_colony_ends_with_the_last_process_and_not_before(colony):
    colony.start({"processes": {"it": {**STUBBORN, "graceful_timeout": 1}}})
    pid, = ready(colony, "it")
    colony.process.terminate()
    while colony.process.poll() is None:
        time.sleep(0.01)
    assert not alive(pid)


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_gives_no_more_grace(colony, signo):
    colony.start({"processes": {"it": {**STUBBORN, "graceful_timeout": 60}}})
    pid, = ready(colony, "it")
    colony.process.send_signal(signo)
    eventually(lambda: colony.slot("it")["state"] == "stopping", what="a stop")
    assert alive(pid)
    began = time.monotonic()
    colony.process.send_signal(signo)
    assert colony.process.wait(20) == 0
    assert time.monotonic() - began < 20
    assert not alive(pid)


def test_ctrl_c_reaches_colony_alone(colony):
    """The terminal signals the whole foreground group; processes must get their stop signal."""
    script = "trap 'echo interrupted' INT; trap 'echo asked; exit' TERM; echo ready; " \
             "while :; do sleep 0.02; done"
    colony.start({"processes": {"it": {"cmd": "sh", "args": ["-c", script]}}},
                 start_new_session=True)
    ready(colony, "it")
    os.killpg(colony.process.pid, signal.SIGINT)
    assert colony.process.wait(20) == 0
    assert colony.output("it") == b"ready\nasked\n"


def test_a_stop_asked_for_outlives_an_engine_kill(colony):
    colony.start({"processes": {"it": {**STUBBORN, "graceful_timeout": 2}}})
    pid, = ready(colony, "it")
    engine = colony.engine
    colony.process.terminate()
    eventually(lambda: colony.slot("it")["state"] == "stopping", what="a stop")
    os.kill(engine, signal.SIGKILL)
    assert colony.process.wait(20) == 0
    assert not alive(pid)


def test_sighup_does_not_end_colony(colony):
    colony.start({"processes": {"it": sleeper()}})
    before = colony.wait_state("it", "running")
    engine = colony.engine
    colony.process.send_signal(signal.SIGHUP)
    eventually(lambda: "SIGHUP" in colony.log.read_text(), what="SIGHUP in the log")
    assert colony.answers() and colony.engine == engine
    assert colony.slot("it")["os_pid"] == before["os_pid"]


# What the user has stopped.

def test_stopped_templates_stay_stopped_over_an_engine_kill(colony):
    colony.start({"processes": {"stopped": sleeper(), "never": sleeper(start=False),
                                "failing": {"cmd": "/nope"}, "running": sleeper()}})
    running = colony.wait_state("running", "running")["os_pid"]
    colony.wait_state("stopped", "running")
    for name in ("stopped", "failing"):
        colony.ctl("stop", name)
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers(), what="a new engine")
    assert colony.wait_state("running", "running")["os_pid"] == running
    assert {name: colony.slot(name)["state"] for name in ("stopped", "never", "failing")} == \
        {"stopped": "stopped", "never": "stopped", "failing": "stopped"}
    own = set(children(colony.keeper)) - {colony.engine}
    assert own == {running}


def test_a_stopped_template_can_be_started_after_an_engine_kill(colony):
    colony.start({"processes": {"it": sleeper()}})
    colony.wait_state("it", "running")
    colony.ctl("stop", "it")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers(), what="a new engine")
    colony.ctl("start", "it")
    colony.wait_state("it", "running")


# In the background.

@pytest.fixture
def daemon(colony):
    """Makes a function that starts colony in the background; its end is the fixture's."""
    pidfile = colony.folder / "colony.pid"

    def start(settings, *args, **run):
        colony.write(settings)
        return serve(colony, "--daemon", "--pidfile", pidfile, *args, **run)

    start.pidfile = pidfile
    yield start
    with contextlib.suppress(OSError, ValueError):
        pid = int(pidfile.read_text())
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not alive(pid))


def test_daemon_returns_once_it_serves(colony, daemon):
    result = daemon({"processes": {"it": sleeper()}})
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert colony.answers()
    pid = int(daemon.pidfile.read_text())
    assert pid == colony.keeper
    assert os.getsid(pid) == pid
    assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1)} == {"/dev/null"}
    assert os.readlink(f"/proc/{pid}/fd/2") == str(colony.state / "colony.log")


def test_a_signal_to_the_pid_of_the_pidfile_ends_the_daemon(colony, daemon):
    daemon({"processes": {"it": sleeper()}})
    child = colony.wait_state("it", "running")["os_pid"]
    pid = int(daemon.pidfile.read_text())
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not alive(pid))
    assert not alive(child)
    assert not daemon.pidfile.exists() and not colony.socket.exists()


def test_a_relative_pidfile_is_where_colony_was_started(colony):
    colony.write({"processes": {}})
    result = serve(colony, "--daemon", "--pidfile", "here.pid", cwd=colony.folder)
    assert result.returncode == 0, result.stderr
    assert int((colony.folder / "here.pid").read_text()) == colony.keeper
    colony.stop()
    assert not (colony.folder / "here.pid").exists()


def one_line(text):
    return text.endswith("\n") and text.count("\n") == 1


def test_daemon_reports_bad_settings_by_the_exit_code(daemon):
    result = daemon({"processes": {"it": {"cdm": "sleep 1"}}})
    assert result.returncode == 78
    assert one_line(result.stderr) and "cdm" in result.stderr


def test_daemon_reports_a_second_instance_by_the_exit_code(colony, daemon):
    colony.start({"processes": {}})
    result = daemon({"processes": {}})
    assert result.returncode == 5
    assert one_line(result.stderr) and str(colony.process.pid) in result.stderr


def test_daemon_reports_what_fails_in_the_background_by_the_exit_code(colony):
    colony.write({"processes": {"it": sleeper()}})
    result = serve(colony, "--daemon", "--pidfile", colony.folder / "nope" / "colony.pid")
    assert result.returncode not in (0, 3, 4)
    assert one_line(result.stderr)
    eventually(lambda: not alive(colony.keeper), what="its end")
    assert "pid file" in result.stderr + (colony.state / "colony.log").read_text()
    assert not colony.socket.exists()


# As PID 1.

@contextlib.contextmanager
def as_pid_1(colony, settings, *args):
    """Starts colony as PID 1 of a pid namespace; gives its pid as it is out here."""
    try:
        # `lock` says 1 in there: nobody may take that for a pid of ours.
        colony.start(settings, *args, prefix=["unshare", "--pid", "--fork", "--mount-proc"])
        yield next(pid for pid in children(colony.process.pid))
    finally:
        (colony.state / "lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for pid in children(colony.process.pid):
                os.kill(pid, signal.SIGKILL)
        colony.process.wait(20)


@needs_root
@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_as_pid_1_a_signal_stops_the_processes_and_ends_colony(colony, signo):
    processes = {"polite": POLITE, "stubborn": {**STUBBORN, "graceful_timeout": 0.5}}
    with as_pid_1(colony, {"processes": processes}) as pid:
        assert pathlib.Path(f"/proc/{pid}/status").read_text().count("NSpid:\t") == 1
        assert (colony.state / "lock").read_text() == "1\n"
        eventually(lambda: all(colony.output(name).startswith(b"ready\n") for name in processes))
        os.kill(pid, signo)
        assert colony.process.wait(20) == 0
        assert colony.output("polite") == b"ready\nbye\n"
        assert not colony.socket.exists()


@needs_root
def test_as_pid_1_a_second_sigint_gives_no_more_grace(colony):
    with as_pid_1(colony, {"processes": {"it": {**STUBBORN, "graceful_timeout": 60}}}) as pid:
        eventually(lambda: colony.output("it") == b"ready\n")
        os.kill(pid, signal.SIGINT)
        eventually(lambda: colony.slot("it")["state"] == "stopping", what="a stop")
        os.kill(pid, signal.SIGINT)
        assert colony.process.wait(20) == 0


@needs_root
def test_as_pid_1_zombies_of_orphans_are_reaped(colony):
    # Each round leaves three orphans that end: theirs is nobody but PID 1.
    script = "for i in 1 2 3; do (sh -c 'sleep 0.05' &); done; echo ready; exec sleep 1000"
    with as_pid_1(colony, {"processes": {"it": {"cmd": "sh", "args": ["-c", script]}}}) as pid:
        for _ in range(3):
            eventually(lambda: colony.output("it").startswith(b"ready\n"))
            assert colony.http("POST", "/processes/it/_restart?wait=20").status == 200
        eventually(lambda: len(children(pid)) == 2, what="engine and process as the only children")


@needs_root
def test_as_pid_1_an_engine_kill_loses_nothing(colony):
    with as_pid_1(colony, {"processes": {"it": sleeper()}}) as pid:
        before = colony.wait_state("it", "running")
        engine = next(child for child in children(pid) if b"engine" in
                      pathlib.Path(f"/proc/{child}/cmdline").read_bytes())
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: not alive(engine) and colony.answers(), what="a new engine")
        after = colony.wait_state("it", "running")
        assert (before["id"], before["os_pid"]) == (after["id"], after["os_pid"])
