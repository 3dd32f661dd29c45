# SPDX-License-Identifier: Apache-2.0
"""Stop means gone: the grace, the stop signal, what is left behind, and what is left alone."""
import contextlib
import os
import pathlib
import select
import signal
import time

import pytest

from conftest import alive, eventually

PYTHON = "/usr/bin/python3"
SLACK = 2  # of the promised 0.1 s, on a loaded machine; the figure is printed

# Makes a process for each word, of `stray` (double-forked), `child` (still the leader's),
# `ignore` (SIGTERM) and `clean` (its environment), each in a session of its own; says their pids.
FAMILY = """
import os, signal, sys, time

def make(kind):
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if "stray" in kind and os.fork() != 0:
            os._exit(0)
        if "ignore" in kind:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(1, f"{kind} {os.getpid()}\\n".encode())
        os.execve("/bin/sleep", ["sleep", "1000"], {} if "clean" in kind else os.environ)
    os.close(write)
    os.read(read, 1)  # ends when all have exec'd
    if "stray" in kind:
        os.wait()

for kind in sys.argv[2:]:
    make(kind)
if "ignore" in sys.argv[1]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, f"leader {os.getpid()}\\n".encode())
if "exit" in sys.argv[1]:
    sys.exit(1)
time.sleep(1000)
"""

# Waits for its child, in the same process group, whatever the signal.
PARENT = """
import signal, subprocess
signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
child = subprocess.Popen(["sleep", "1000"])
print("ready", flush=True)
child.wait()
"""

NO_CGROUPS = ["unshare", "--mount", "sh", "-c", 'umount -l -a -t cgroup2; exec "$@"', "sh"]


def family(leader, *kinds, **settings):
    return {"cmd": PYTHON, "args": ["-c", FAMILY, leader, *kinds], "graceful_timeout": 0.5,
            **settings}


def stubborn(grace):
    return {"cmd": "sh", "args": ["-c", "trap '' TERM; echo ready; exec sleep 1000"],
            "graceful_timeout": grace}


def sleeper(**settings):
    return {"cmd": "sleep", "args": ["1000"], **settings}


def members(colony, name="it", at_least=1):
    """The pids of a family by their kinds, once its leader is ready."""
    def find():
        pairs = [line.split() for line in colony.output(name).decode().splitlines()]
        return pairs if sum(kind == "leader" for kind, _ in pairs) >= at_least else None

    pairs = eventually(find, what=f"a family of {name}")
    return [int(pid) for kind, pid in pairs if kind != "leader"]


def stop(colony, name="it"):
    """Stops a template and returns the answer, that comes when it is gone."""
    answer = colony.http("POST", f"/processes/{name}/_stop?wait=true", timeout=60)
    assert answer.status == 200, answer.text
    return answer.json()


@contextlib.contextmanager
def watch(*pids):
    """Makes a function that waits for the ends of processes."""
    fds = [os.pidfd_open(pid) for pid in pids]

    def wait(seconds=20):
        deadline = time.monotonic() + seconds
        for fd in fds:
            left = max(0, deadline - time.monotonic())
            assert select.select([fd], [], [], left)[0], "a process lives on"

    yield wait
    for fd in fds:
        os.close(fd)


@pytest.fixture(params=["cgroups", "no cgroups"])
def run(request, colony):
    """Makes a function that starts colony where it has cgroups, and where it has none."""
    def start(processes):
        wants = request.param == "cgroups"
        prefix = NO_CGROUPS if not wants and os.geteuid() == 0 else []
        colony.start({"processes": processes}, prefix=prefix)
        has = "works without cgroups" not in colony.log.read_text()
        if wants != has:
            pytest.skip(f"needs a place with {request.param}")

    return start


@pytest.fixture
def run_without_cgroups(colony):
    def start(processes):
        colony.start({"processes": processes}, prefix=NO_CGROUPS if os.geteuid() == 0 else [])
        if "works without cgroups" not in colony.log.read_text():
            pytest.skip("needs a place without cgroups")

    return start


# The signal and the grace.

def test_a_child_that_ignores_sigterm_is_dead_when_its_grace_is_over(run, colony):
    run({"it": stubborn(0.5)})
    eventually(lambda: colony.output("it") == b"ready\n")
    with watch(colony.slot("it")["os_pid"]) as wait:
        began = time.monotonic()
        assert colony.http("POST", "/processes/it/_stop").status == 200
        wait()
        took = time.monotonic() - began
    print(f"dead {took - 0.5:.3f} s after its grace")
    assert 0.5 <= took <= 0.5 + SLACK
    assert colony.wait_state("it", "stopped")["last_exit"]["signal"] == "SIGKILL"


def test_strays_that_ignore_sigterm_are_dead_when_the_grace_is_over(run, colony):
    run({"it": family("leader", "stray-ignore", "stray-ignore")})
    pids = members(colony)
    with watch(*pids) as wait:
        began = time.monotonic()
        assert colony.http("POST", "/processes/it/_stop").status == 200
        wait()
        took = time.monotonic() - began
    print(f"dead {took - 0.5:.3f} s after their grace")
    assert 0.5 <= took <= 0.5 + SLACK


def test_a_grace_of_zero_kills_at_once(colony):
    colony.start({"processes": {"it": stubborn(0)}})
    eventually(lambda: colony.output("it") == b"ready\n")
    began = time.monotonic()
    assert stop(colony)["killed"] == 1
    assert time.monotonic() - began < SLACK


@pytest.mark.parametrize("spelling", ["SIGUSR1", "usr1", 10])
def test_the_stop_signal_is_the_one_of_the_settings(colony, spelling):
    script = "trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.02; done"
    colony.start({"processes": {"it": {"cmd": "sh", "args": ["-c", script],
                                       "stop_signal": spelling}}})
    eventually(lambda: colony.output("it") == b"ready\n")
    assert stop(colony)["killed"] == 0
    assert colony.slot("it")["last_exit"] == {"known": True, "status": 3, "signal": None}
    eventually(lambda: colony.output("it") == b"ready\ngot it\n")


def test_stop_group_asks_the_whole_process_group(colony):
    colony.start({"processes": {"it": {"cmd": PYTHON, "args": ["-c", PARENT],
                                       "stop_group": True}}})
    eventually(lambda: colony.output("it") == b"ready\n")
    assert stop(colony)["killed"] == 0
    assert colony.slot("it")["last_exit"] == {"known": True, "status": 0, "signal": None}


def test_without_stop_group_only_the_leader_is_asked(colony):
    colony.start({"processes": {"it": {"cmd": PYTHON, "args": ["-c", PARENT],
                                       "graceful_timeout": 0.5}}})
    eventually(lambda: colony.output("it") == b"ready\n")
    assert stop(colony)["killed"] == 2
    assert colony.slot("it")["last_exit"]["signal"] == "SIGKILL"
    eventually(lambda: colony.output("it") == b"ready\nasked\n")


# What it leaves behind.

def test_double_forked_grandchildren_of_other_sessions_are_gone(run, colony):
    run({"it": family("leader", "stray", "stray", "child")})
    pids = members(colony)
    assert all(map(alive, pids))
    stop(colony)
    assert not any(map(alive, pids))


def test_strays_of_several_templates_are_told_apart(run, colony):
    names = ["one", "two", "three"]
    run({name: family("leader", "stray", "stray") for name in names})
    pids = {name: members(colony, name) for name in names}
    stop(colony, "two")
    assert not any(map(alive, pids["two"]))
    assert all(map(alive, pids["one"] + pids["three"]))
    assert all(colony.slot(name)["state"] == "running" for name in ("one", "three"))
    stop(colony, "one")
    assert not any(map(alive, pids["one"]))
    assert all(map(alive, pids["three"]))


def test_several_templates_with_strays_can_be_stopped_at_once(run, colony):
    names = ["one", "two", "three"]
    run({name: family("leader", "stray-ignore") for name in [*names, "other"]})
    pids = [pid for name in names for pid in members(colony, name)]
    others = members(colony, "other")
    for name in names:
        assert colony.http("POST", f"/processes/{name}/_stop").status == 200
    for name in names:
        colony.wait_state(name, "stopped")
    assert not any(map(alive, pids))
    assert all(map(alive, others))


def test_strays_of_processes_that_ended_before_are_gone_too(run, colony):
    run({"it": family("exit", "stray")})
    pids = members(colony, at_least=3)
    assert len(pids) >= 3 and all(map(alive, pids))
    stop(colony)
    assert not any(map(alive, members(colony, at_least=3)))


def test_a_stray_with_a_clean_environment_that_was_a_descendant_is_gone(run, colony):
    run({"it": family("leader", "child-clean")})
    pids = members(colony)
    assert stop(colony)["unclaimed"] == 0
    assert not any(map(alive, pids))


def test_a_stray_without_any_mark_is_reported_and_left_alone(run_without_cgroups, colony):
    run_without_cgroups({"it": family("leader", "stray-clean", "stray")})
    nameless, marked = members(colony)
    try:
        assert stop(colony)["unclaimed"] == 1
        assert alive(nameless) and not alive(marked)
    finally:
        os.kill(nameless, signal.SIGKILL)


def test_strays_are_gone_after_a_shutdown(run, colony):
    run({"it": family("leader", "stray", "child", "stray-ignore")})
    pids = members(colony)
    assert colony.stop() == 0
    assert not any(map(alive, pids))


# The answer.

def test_the_answer_counts_nothing_when_all_went_by_itself(run, colony):
    run({"it": family("leader", "stray", "child")})
    members(colony)
    assert stop(colony) == {"ok": True, "stopped": 1, "killed": 0, "unclaimed": 0,
                            "partial": False}


@pytest.mark.parametrize("kinds", [["stray-ignore"], ["stray-ignore", "stray-ignore", "child"],
                                   ["stray-ignore", "child-ignore"]])
def test_the_answer_counts_what_had_to_be_killed(run, colony, kinds):
    run({"it": family("leader-ignore", *kinds)})
    members(colony)
    # `child` is not asked while its leader lives, and killed with it.
    assert stop(colony) == {"ok": True, "stopped": 1, "killed": 1 + len(kinds), "unclaimed": 0,
                            "partial": False}


def test_the_answer_is_about_all_slots(run, colony):
    run({"it": {**stubborn(0.3), "numprocesses": 3}})
    for number in (1, 2, 3):
        eventually(lambda number=number: colony.output("it", number) == b"ready\n")
    answer = stop(colony)
    assert (answer["stopped"], answer["killed"]) == (3, 3)


def test_the_stop_of_an_adopted_process_without_cgroup_is_partial(run_without_cgroups, colony):
    run_without_cgroups({"it": family("leader", "stray")})
    pids = [*members(colony), colony.slot("it")["os_pid"]]
    keeper = colony.keeper
    os.kill(keeper, signal.SIGKILL)
    colony.process.wait()
    eventually(lambda: colony.keeper != keeper and colony.answers(), what="a takeover")
    assert stop(colony)["partial"] is True
    assert not any(map(alive, pids))


def test_the_stop_of_an_adopted_process_with_a_cgroup_is_whole(colony):
    colony.start({"processes": {"it": family("leader", "stray-clean")}})
    if "works without cgroups" in colony.log.read_text():
        pytest.skip("needs a place with cgroups")
    pids = [*members(colony), colony.slot("it")["os_pid"]]
    keeper = colony.keeper
    os.kill(keeper, signal.SIGKILL)
    colony.process.wait()
    eventually(lambda: colony.keeper != keeper and colony.answers(), what="a takeover")
    assert stop(colony)["partial"] is False
    assert not any(map(alive, pids))


# Detached.

def detached(colony):
    """Starts colony with one detached template and returns its pid."""
    colony.start({"processes": {"it": sleeper(detach=True), "other": sleeper()}})
    colony.wait_state("other", "running")
    return colony.wait_state("it", "completed")["os_pid"]


def pids_of(colony):
    """All that bear the mark of a detached process of this colony, as root or its user sees it."""
    mark = b"COLONY_DETACHED_ID=" + (colony.state / "instance").read_bytes() + b"/it/1"
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if mark in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(int(pid))
    return found


def test_a_detached_process_writes_to_dev_null(colony):
    pid = detached(colony)
    # Its loader may still be at work.
    eventually(lambda: set(os.listdir(f"/proc/{pid}/fd")) == {"0", "1", "2"},
               what="no descriptor more")
    assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}


def test_a_detached_process_outlives_colony(run, colony):
    run({"it": sleeper(detach=True)})
    pid = colony.wait_state("it", "completed")["os_pid"]
    assert colony.stop() == 0
    assert alive(pid)


def test_a_detached_process_is_not_started_twice_after_an_engine_kill(colony):
    pid = detached(colony)
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers(), what="a new engine")
    assert colony.wait_state("it", "completed")["os_pid"] == pid
    assert pids_of(colony) == [pid]


def test_a_detached_process_is_not_started_twice_by_the_next_colony(colony):
    pid = detached(colony)
    assert colony.stop() == 0
    assert detached(colony) == pid
    assert pids_of(colony) == [pid]


def test_a_detached_process_that_ended_is_not_started_again(colony):
    pid = detached(colony)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: colony.slot("it")["os_pid"] is None)
    assert colony.slot("it")["state"] == "completed"
    assert pids_of(colony) == []


def test_a_detached_process_is_left_out_of_stops(colony):
    pid = detached(colony)
    assert stop(colony)["killed"] == 0
    assert colony.slot("it")["state"] == "stopped"
    assert alive(pid)


@pytest.mark.parametrize("ask", ["_start", "_restart"])
def test_a_detached_process_that_lives_is_not_started_twice_on_request(colony, ask):
    pid = detached(colony)
    for _ in range(2):
        assert colony.http("POST", f"/processes/it/{ask}").status == 200
        assert colony.wait_state("it", "completed")["os_pid"] == pid
    stop(colony)
    assert colony.http("POST", f"/processes/it/{ask}").status == 200
    assert colony.wait_state("it", "completed")["os_pid"] == pid
    assert pids_of(colony) == [pid]


def test_a_detached_process_whose_template_is_gone_lives_on(colony):
    pid = detached(colony)
    assert colony.stop() == 0
    colony.start({"processes": {"other": sleeper()}})
    colony.wait_state("other", "running")
    assert colony.stop() == 0
    assert alive(pid)


def test_a_process_whose_template_is_gone_is_stopped_by_the_next_colony(colony):
    colony.start({"processes": {"it": sleeper(), "other": sleeper()}})
    pid = colony.wait_state("it", "running")["os_pid"]
    kill_both(colony)
    colony.start({"processes": {"other": sleeper()}})
    eventually(lambda: not alive(pid))
    eventually(lambda: colony.http("GET", "/processes").json() == ["other"])


def test_the_end_of_an_adopted_process_is_noticed_also_when_another_just_ended(colony):
    settings = {"processes": {"one": sleeper(), "two": sleeper()}}
    colony.start(settings)
    pids = {name: colony.wait_state(name, "running")["os_pid"] for name in ("one", "two")}
    kill_both(colony)
    colony.start(settings)
    for name, pid in pids.items():
        os.kill(pid, signal.SIGKILL)
        eventually(lambda name=name, pid=pid: colony.slot(name)["os_pid"] not in (None, pid), 5,
                   f"a restart of {name}")


def kill_both(colony):
    """Keeper and engine end at the same time, as far as anybody can tell."""
    engine = colony.engine
    with watch(engine) as wait:
        os.kill(engine, signal.SIGSTOP)
        os.kill(colony.keeper, signal.SIGKILL)
        colony.process.wait()
        os.kill(engine, signal.SIGKILL)
        wait()


# Asking twice.

def test_restarting_a_stopped_template_starts_it(colony):
    colony.start({"processes": {"it": sleeper(start=False)}})
    assert colony.slot("it")["state"] == "stopped"
    assert colony.http("POST", "/processes/it/_restart?wait=true").status == 200
    assert colony.slot("it")["state"] == "running"
    stop(colony)
    assert colony.http("POST", "/processes/it/_restart?wait=true").status == 200
    assert colony.slot("it")["state"] == "running"


def test_starting_what_runs_changes_nothing(colony):
    colony.start({"processes": {"it": sleeper()}})
    before = colony.wait_state("it", "running")
    assert colony.http("POST", "/processes/it/_start").status == 200
    after = colony.slot("it")
    assert (after["state"], after["id"], after["os_pid"]) == \
        ("running", before["id"], before["os_pid"])


def test_stopping_what_is_stopped_changes_nothing(colony):
    colony.start({"processes": {"it": sleeper()}})
    colony.wait_state("it", "running")
    assert stop(colony)["stopped"] == 1
    before = colony.slot("it")
    assert stop(colony) == {"ok": True, "stopped": 0, "killed": 0, "unclaimed": 0,
                            "partial": False}
    assert colony.slot("it") == before


def test_a_start_during_a_stop_starts_it_when_it_is_gone(colony):
    script = f"cd {colony.folder}; [ -e ran ] || trap '' TERM; touch ran; echo ready; exec sleep 1000"
    colony.start({"processes": {"it": {"cmd": "sh", "args": ["-c", script], "graceful_timeout": 1000}}})
    eventually(lambda: colony.output("it") == b"ready\n")
    pid = colony.slot("it")["os_pid"]
    assert colony.http("POST", "/processes/it/_stop").status == 200
    assert colony.slot("it")["state"] == "stopping"
    assert colony.http("POST", "/processes/it/_start").status == 200
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: colony.slot("it")["os_pid"] not in (None, pid))
    assert not alive(pid)


def test_a_stop_during_the_wait_for_a_restart_ends_the_wait(colony):
    colony.start({"processes": {"it": {"cmd": "false"}}})
    eventually(lambda: colony.slot("it")["state"] == "backoff")
    stop(colony)
    assert colony.slot("it")["state"] == "stopped"
    assert colony.slot("it")["retry_in"] is None
