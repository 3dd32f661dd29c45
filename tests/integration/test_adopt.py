# SPDX-License-Identifier: Apache-2.0
"""A slot takes a process that somebody else started, and lets go of one that goes on."""

import errno
import os
import signal
import subprocess

import pytest

from conftest import alive, eventually, needs_root
from driven import Driven, start_ticks


@pytest.fixture
def colony(make_colony):
    return make_colony(Driven).start()


def refused(answer, code, text):
    assert answer[0] == -code and text in answer[1], answer


def wait_failure(colony, name, text):
    return eventually(lambda: text in colony.slot(name)["failure"] and colony.slot(name),
                      what=f"failure of {name}")


def adopted(colony, name="guest", **settings):
    guest = colony.stranger()
    colony.put(name, start=False, **settings)
    assert colony.adopt(name, guest.pid) == (0, "")
    slot = colony.wait_state(name, "running")
    assert slot["os_pid"] == guest.pid
    return guest


def test_an_adopted_process_runs_as_one_of_colonys_own(colony):
    guest = colony.stranger()
    eventually(lambda: start_ticks(guest.pid) + 20 < start_ticks(subprocess.Popen(["true"]).pid))
    colony.put("guest", start=False)
    assert colony.adopt("guest", guest.pid) == (0, "")
    slot = colony.wait_state("guest", "running")
    assert slot["os_pid"] == guest.pid and slot["origin"] == "session"
    assert slot["uptime"] > 0.2
    assert slot["cause"] == "test" and slot["output"] == "none"


def test_its_end_is_an_exit_and_its_policy_follows(colony):
    guest = adopted(colony)
    guest.kill()
    guest.wait()
    again = eventually(lambda: colony.slot("guest")["state"] == "running" and
                       colony.slot("guest")["os_pid"] != guest.pid and colony.slot("guest"))
    assert again["restarts"] == 1
    why = colony.http("GET", "/why/guest").text
    assert "SIGKILL" in why or "nobody can tell how" in why


def test_one_that_is_not_to_be_restarted_stays_ended(colony):
    guest = adopted(colony, restart="never")
    guest.terminate()
    guest.wait()
    eventually(lambda: colony.slot("guest")["state"] in ("failed", "completed"))


def test_it_is_stopped_as_any_other(colony):
    guest = adopted(colony)
    colony.ctl("stop", "guest")
    assert guest.wait(20) == -signal.SIGTERM
    colony.wait_state("guest", "stopped")


def test_what_it_leaves_behind_is_stopped_with_it(colony):
    child = "sleep 1000 & echo $!; wait"
    guest = colony.stranger("sh", "-c", child, stdout=subprocess.PIPE, text=True)
    left = int(guest.stdout.readline())
    colony.put("guest", start=False)
    assert colony.adopt("guest", guest.pid) == (0, "")
    colony.wait_state("guest", "running")
    colony.ctl("stop", "guest")
    guest.wait(20)
    eventually(lambda: not alive(left), what="the end of its child")


def test_a_pid_that_has_ended_is_started_anew_by_the_policy(colony):
    guest = colony.stranger("true")
    colony.put("guest", start=False)
    ticks = start_ticks(guest.pid)
    guest.wait()
    assert colony.ask("adopt", "guest", 1, guest.pid, ticks) == (0, "")
    assert colony.wait_state("guest", "running")["os_pid"] != guest.pid


def test_a_pid_that_has_ended_and_is_not_to_be_restarted_says_so(colony):
    guest = colony.stranger("true")
    colony.put("guest", start=False, restart="never")
    ticks = start_ticks(guest.pid)
    guest.wait()
    assert colony.ask("adopt", "guest", 1, guest.pid, ticks) == (0, "")
    colony.wait_state("guest", "failed")
    wait_failure(colony, "guest", f"cannot take pid {guest.pid}: it has ended")


def test_a_pid_that_is_another_process_by_now_is_never_touched(colony):
    guest = colony.stranger()
    colony.put("guest", start=False, restart="never")
    assert colony.ask("adopt", "guest", 1, guest.pid, start_ticks(guest.pid) - 1) == (0, "")
    wait_failure(colony, "guest", "it has ended")
    assert guest.poll() is None


def test_what_colony_has_already_is_not_taken_twice(colony):
    guest = adopted(colony)
    colony.put("other", start=False)
    assert colony.adopt("other", guest.pid) == (0, "")
    slot = wait_failure(colony, "other", "it is a process of colony's already")
    colony.wait_state("other", "stopped")
    assert not slot["os_pid"] and colony.slot("guest")["os_pid"] == guest.pid
    assert colony.adopt("other", colony.keeper) == (0, "")
    wait_failure(colony, "other", "it is not colony's to take")


def test_a_slot_that_runs_takes_no_other(colony):
    guest = adopted(colony)
    refused(colony.adopt("guest", colony.stranger().pid), errno.EBUSY, "that runs already")
    refused(colony.adopt("nobody", guest.pid), errno.ENOENT, "no such process: nobody")
    refused(colony.adopt("guest", guest.pid, slot=2), errno.ENOENT, "no such process: guest.2")


def test_settings_that_take_a_start_of_our_own_are_refused(colony):
    guest = colony.stranger()
    colony.put("a", start=False, ready="notify")
    refused(colony.adopt("a", guest.pid), errno.EINVAL, "`ready` takes a process that colony")
    colony.put("b", start=False, watchdog=5)
    refused(colony.adopt("b", guest.pid), errno.EINVAL, "`watchdog`")
    assert colony.slot("a")["state"] == "stopped"


def test_what_a_stranger_writes_is_not_captured_and_that_is_shown(colony):
    guest = adopted(colony, log={})
    assert colony.slot("guest")["output"] == "lost"
    guest.kill()
    guest.wait()
    eventually(lambda: colony.slot("guest")["output"] == "captured")


@needs_root
def test_under_user_nobody_elses_process_is_taken(make_colony):
    colony = make_colony(Driven)
    os.chmod(colony.folder, 0o755)
    guest = colony.stranger()
    own = colony.stranger(user="nobody")
    colony.start("user: nobody\n")
    colony.put("guest", start=False)
    assert colony.adopt("guest", guest.pid) == (0, "")
    wait_failure(colony, "guest", "it runs as somebody else")
    colony.wait_state("guest", "stopped")
    assert guest.poll() is None
    assert colony.adopt("guest", own.pid) == (0, "")
    assert colony.wait_state("guest", "running")["os_pid"] == own.pid


@pytest.mark.parametrize("kill", ["engine", "keeper", "both"])
def test_it_outlives_kills_and_is_taken_over(colony, kill):
    guest = adopted(colony)
    before = colony.slot("guest")
    if kill == "both":
        colony.kill_both()
        colony.start()
    else:
        victim = getattr(colony, kill)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: not alive(victim) and getattr(colony, kill) != victim)
    eventually(colony.answers)
    colony.put("guest", start=False)
    after = colony.wait_state("guest", "running")
    assert (after["os_pid"], after["id"]) == (guest.pid, before["id"])
    guest.kill()
    guest.wait()
    eventually(lambda: colony.slot("guest")["os_pid"] not in (None, 0, guest.pid))


def test_it_outlives_an_upgrade(colony):
    guest = adopted(colony)
    engine = colony.engine
    colony.ctl("upgrade")
    eventually(lambda: colony.engine != engine)
    eventually(colony.answers)
    colony.put("guest", start=False)
    assert colony.wait_state("guest", "running")["os_pid"] == guest.pid
    guest.kill()
    guest.wait()
    eventually(lambda: colony.slot("guest")["os_pid"] not in (None, 0, guest.pid))


def test_a_kill_around_an_adoption_leaves_it_taken_or_not_at_all(colony):
    for turn in range(8):
        name = f"guest{turn}"
        guest = colony.stranger()
        colony.put(name, start=False)
        engine = colony.engine
        keeper = colony.keeper
        os.kill(keeper, signal.SIGSTOP)  # the order waits for it, and then comes or is lost
        assert colony.adopt(name, guest.pid) == (0, "")
        os.kill(engine if turn % 2 else keeper, signal.SIGKILL)
        os.kill(keeper, signal.SIGCONT)
        eventually(lambda: not alive(engine if turn % 2 else keeper))
        eventually(colony.answers)
        eventually(lambda: colony.ask("state", name))
        colony.put(name, start=False)
        slot = colony.slot(name)
        if not slot["os_pid"]:
            assert colony.adopt(name, guest.pid)[0] == 0
        slot = colony.wait_state(name, "running")
        assert slot["os_pid"] == guest.pid and guest.poll() is None


def test_a_process_that_is_let_go_runs_on_and_may_be_taken_again(colony):
    guest = adopted(colony)
    colony.do("let-go", "guest")
    assert colony.http("GET", "/processes/guest").status == 404
    colony.put("guest", start=False)
    assert colony.slot("guest")["state"] == "stopped" and guest.poll() is None
    assert colony.adopt("guest", guest.pid) == (0, "")
    assert colony.wait_state("guest", "running")["os_pid"] == guest.pid


def test_one_of_colonys_own_may_be_let_go_and_a_later_one_of_its_name_leaves_it_alone(colony):
    colony.put("web")
    first = colony.wait_state("web", "running")["os_pid"]
    colony.do("let-go", "web")
    colony.put("web")
    second = colony.wait_state("web", "running")["os_pid"]
    assert second != first
    colony.ctl("stop", "web")
    colony.wait_state("web", "stopped")
    assert alive(first)
    os.kill(first, signal.SIGKILL)


def test_what_depends_on_what_is_let_go_runs_on(colony):
    colony.put("db")
    colony.put("web", depends_on={"db": "started"})
    web = colony.wait_state("web", "running")["os_pid"]
    db = colony.slot("db")["os_pid"]
    colony.do("let-go", "db")
    colony.put("other")
    colony.wait_state("other", "running")
    assert colony.slot("web")["os_pid"] == web
    os.kill(db, signal.SIGKILL)


def test_what_writes_through_colony_is_not_let_go(colony):
    colony.put("web", log={})
    colony.wait_state("web", "running")
    refused(colony.ask("let-go", "web"), errno.EBUSY, "`log: {direct: true}`")
    refused(colony.ask("let-go", "nobody"), errno.ENOENT, "no such process")
    assert colony.slot("web")["state"] == "running"


def test_one_that_does_not_run_is_let_go_and_is_gone(colony):
    colony.put("web", start=False)
    colony.do("let-go", "web")
    assert colony.http("GET", "/processes/web").status == 404
