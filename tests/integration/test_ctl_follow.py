# SPDX-License-Identifier: Apache-2.0
"""What `colony ctl` follows: events, logs and figures, also from one engine to the next."""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import threading
import time

import pytest
from conftest import BINARY, DEADLINE, eventually
from terminal import Terminal

SLEEP = {"cmd": "sleep", "args": ["1000"]}
COUNT = {"cmd": "sh", "args": [
    "-c", "i=0; while :; do i=$$((i+1)); echo $$i; sleep 0.02; done"]}


class Follower:
    """A `colony ctl` that goes on, and its lines as they come."""

    def __init__(self, colony, *args):
        self.process = subprocess.Popen(
            [BINARY, "ctl", "--state", str(colony.state), *args], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        with contextlib.suppress(ValueError):
            for line in self.process.stdout:
                self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def line(self, seconds=DEADLINE):
        """The next line; None at the end."""
        return self.lines.get(timeout=seconds)

    def begin(self, colony, name):
        """Until events of restarts of @name come, spawns among them; all of them have come then."""
        eventually(lambda: colony.ctl("restart", name) and not self.lines.empty())
        last = colony.slot(name)["id"]
        while (event := json.loads(self.line()))["event"] != "spawn" or event["pid"] != last:
            pass

    def wait(self, pattern):
        """The first line from here on in which it is found."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            line = self.line()
            assert line is not None, self.process.stderr.read()
            if re.search(pattern, line):
                return line
        raise AssertionError(f"{pattern} did not come")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)
        self.process.stderr.close()


def replace_engine(colony, how):
    """Another engine, that answers."""
    before = colony.engine
    if how == "killed":
        os.kill(before, signal.SIGKILL)
    else:
        colony.ctl("upgrade")
    eventually(lambda: colony.engine != before and colony.answers(), what="another engine")


# watch


def test_watch_tells_what_happens_as_lines(colony):
    colony.start({"processes": {"web": SLEEP, "other": SLEEP}})
    colony.wait_state("web", "running")
    with Follower(colony, "watch", "web") as watch:
        eventually(lambda: colony.ctl("restart", "other") and colony.ctl("restart", "web")
                   and not watch.lines.empty())
        line = watch.wait("started")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  web\.1  \d+  started: uid .*", line)
        while not watch.lines.empty():
            assert "other" not in watch.line()


def test_watch_as_json_is_one_object_a_line(colony):
    colony.start({"processes": {"web": SLEEP, "other": SLEEP}})
    with Follower(colony, "watch", "exit", "spawn", "web", "--json") as watch:
        watch.begin(colony, "web")
        colony.ctl("restart", "web", "other")
        events = [json.loads(watch.line()), json.loads(watch.line())]
    assert [event["event"] for event in events] == ["exit", "spawn"]
    assert events[0]["name"] == events[1]["name"] == "web"
    assert events[0]["term_signal"] == signal.SIGTERM and events[1]["seq"] > events[0]["seq"]


@pytest.mark.parametrize("how", ["killed", "upgraded"])
def test_who_watches_misses_nothing_when_the_engine_is_replaced(colony, how):
    colony.start({"processes": {"web": SLEEP}})
    with Follower(colony, "watch", "spawn", "--json") as watch:
        eventually(lambda: colony.ctl("restart", "web") and not watch.lines.empty())
        seen = []
        for _ in range(3):
            colony.ctl("restart", "web")
            replace_engine(colony, how)
            colony.ctl("restart", "web")
        last = colony.slot("web")["id"]
        while not seen or seen[-1] != last:
            seen.append(json.loads(watch.line())["pid"])
    spawned = [event["id"] for event in colony.http("GET", "/history?name=web&limit=1000").json()
               if event["event"] == "spawn"]
    assert seen == [pid for pid in sorted(spawned) if pid >= seen[0]] and len(seen) > 6, "each once, in order"


def test_watch_says_that_a_name_is_not_there_and_waits_for_it(colony):
    colony.start({"processes": {"web": SLEEP}})
    with Follower(colony, "watch", "late") as watch:
        assert watch.process.stderr.readline().startswith(
            "colony ctl: there is no template late now")
        eventually(lambda: colony.ctl("add_process", "late", "--", "sleep", "1000", check=False)
                   and colony.ctl("restart", "late") and not watch.lines.empty())
        assert "  late" in watch.line()


@pytest.mark.parametrize("pattern", ["proc.web.exit", "proc.web", "proc", "."])
def test_watch_takes_gaffers_patterns(colony, pattern):
    colony.start({"processes": {"web": SLEEP, "web.other": SLEEP, "other": SLEEP}})
    with Follower(colony, "watch", pattern, "--json") as watch:
        eventually(lambda: colony.ctl("restart", "other", "web.other", "web")
                   and not watch.lines.empty())
        colony.ctl("restart", "other", "web.other", "web")
        ends = 0
        while ends < 2:
            event = json.loads(watch.line())
            if pattern.startswith("proc.web"):
                assert event["name"] == "web"
            if pattern == "proc.web.exit":
                assert event["event"] == "exit"
            ends += (event["name"], event["event"]) == ("web", "exit")
    shown = colony.ctl("events", pattern, "--since", "1h", "--json").stdout.splitlines()
    events = {(e.get("name"), e["event"]) for e in map(json.loads, shown)}
    assert ("web", "exit") in events
    assert (("other", "exit") in events) == (pattern in ("proc", "."))
    assert (("web", "spawn") in events) == (pattern != "proc.web.exit")
    assert (("web", "state") in events) == (pattern != "proc.web.exit")


def test_patterns_add_to_what_names_and_events_ask_for(colony):
    colony.start({"processes": {"web": SLEEP, "other": SLEEP}})
    colony.ctl("restart", "web", "other")
    shown = colony.ctl("events", "proc.web.exit", "other", "spawn", "--json").stdout.splitlines()
    events = {(e["name"], e["event"]) for e in map(json.loads, shown)}
    assert events == {("web", "exit"), ("other", "spawn")}


@pytest.mark.parametrize("action", ["watch", "events"])
@pytest.mark.parametrize("typed, name, meant", [
    ("exti", "exti", "exit"), ("tik", "tik", "tick"), ("proc.tik.exit", "tik", "tick"),
    ("proc.tik", "tik", "tick"), ("proc.tick.exti", "tick.exti", "proc.tick.exit"),
    ("proc.a.c.exit", "a.c", "a.b"), ("proc.a.b.exti", "a.b.exti", "proc.a.b.exit")])
def test_what_is_misspelt_is_told_with_the_nearest(colony, action, typed, name, meant):
    colony.start({"processes": {"tick": SLEEP, "a.b": SLEEP}})
    with Follower(colony, action, typed) as watch:
        assert watch.process.stderr.readline() == (
            f"colony ctl: there is no template {name} now: did you mean {meant}?\n")


def test_nothing_is_said_of_a_pattern_whose_template_is_there(colony):
    colony.start({"processes": {"tick": SLEEP, "a.exit": SLEEP}})
    for pattern in (".", "proc", "proc.tick", "proc.tick.exit", "proc.a.exit", "proc.a.exit.spawn",
                    "exit"):
        assert colony.ctl("events", pattern).stderr == "", pattern


def test_watch_ends_when_colony_is_gone(colony):
    colony.start({"processes": {"web": SLEEP}})
    with Follower(colony, "watch") as watch:
        eventually(lambda: colony.ctl("restart", "web") and not watch.lines.empty())
        colony.ctl("shutdown")
        assert watch.process.wait(30) == 69
        assert "is `colony serve` running?" in watch.process.stderr.read()


def test_watch_ends_quietly_when_its_reader_has_gone(colony):
    colony.start({"processes": {"web": SLEEP}})
    watch = subprocess.Popen([BINARY, "ctl", "--state", str(colony.state), "watch"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watch.stdout.close()
    assert watch.wait(20) == 0
    assert watch.stderr.read() == b""
    watch.stderr.close()


def test_watch_without_a_colony_is_exit_69(colony):
    assert colony.ctl("watch", check=False).returncode == 69


# events


def test_events_are_the_history_as_lines_oldest_first(colony):
    colony.start({"processes": {"web": SLEEP, "other": SLEEP}})
    colony.wait_state("web", "running")
    colony.wait_state("other", "running")
    colony.ctl("restart", "web")
    lines = colony.ctl("events", "web").stdout.splitlines()
    assert "was added" in lines[0] and "started" in lines[2] and "was ended by SIGTERM" in "\n".join(lines)
    assert lines[-1].split("  ")[1] == "web.1" and "started: uid" in lines[-1]
    assert colony.ctl("events", "web", "-n", "1").stdout.splitlines() == lines[-1:]
    assert "other" not in "\n".join(lines) and "other.1" in colony.ctl("events").stdout


def test_events_as_json_have_the_keys_of_watch(colony):
    colony.start({"processes": {"web": SLEEP}})
    colony.wait_state("web", "running")
    colony.ctl("restart", "web")
    events = [json.loads(line) for line in
              colony.ctl("events", "web", "exit", "--json").stdout.splitlines()]
    assert len(events) == 1 and events[0]["term_signal"] == signal.SIGTERM
    answer = colony.http("GET", f"/watch/exit?since={events[0]['seq'] - 1}")
    assert answer.json().items() <= (events[0] | {"exit_status": None}).items()


def test_events_since_a_time(colony):
    colony.start({"processes": {"web": SLEEP}})
    colony.wait_state("web", "running")
    colony.ctl("restart", "web")
    first = colony.ctl("events", "web", "exit", "--json").stdout
    when = json.loads(first)["time"]
    assert colony.ctl("events", "exit", "--since", when, "--json").stdout == first
    assert colony.ctl("events", "exit", "--since", "1h", "--json").stdout == first
    assert colony.ctl("events", "--since", "2999-01-01").stdout == ""
    assert colony.ctl("history", "--since", "2999-01-01T00:00:00Z", "--json").stdout == "[]\n"
    wrong = colony.ctl("events", "--since", "yesterday", check=False)
    assert wrong.returncode == 2 and "--since: not a time such as" in wrong.stderr


def test_the_history_can_be_asked_for_since_an_event_or_a_time(colony):
    colony.start({"processes": {"web": SLEEP, "other": SLEEP}})
    colony.wait_state("web", "running")
    colony.wait_state("other", "running")
    colony.ctl("restart", "web")
    rows = colony.http("GET", "/history?template=web").json()
    assert {row["name"] for row in rows} == {"web"}
    seq, when = rows[1]["seq"], rows[1]["time"]
    assert colony.http("GET", f"/history?template=web&since={seq}").json() == rows[:1]
    late = colony.http("GET", f"/history?template=web&since={when}").json()
    assert late == [row for row in rows if row["time"] >= when] and len(late) >= 2
    assert colony.http("GET", "/history?since=2999-01-01T00:00:00Z").json() == []
    for wrong in ("yesterday", "-1", "2026-11-22", "2026-11-22T16:12:41"):
        answer = colony.http("GET", f"/history?since={wrong}")
        assert answer.status == 400 and "the seq of an event" in answer.json()["reason"]


def test_events_can_be_followed(colony):
    colony.start({"processes": {"web": SLEEP}})
    colony.wait_state("web", "running")
    colony.ctl("restart", "web")
    with Follower(colony, "events", "spawn", "-f", "--json") as events:
        before = [json.loads(events.line())["pid"] for _ in range(2)]
        replace_engine(colony, "killed")
        colony.ctl("restart", "web")
        assert json.loads(events.line())["pid"] == before[-1] + 1


# logs -f


@pytest.mark.parametrize("how", ["killed", "upgraded"])
def test_logs_are_followed_over_the_end_of_engines_byte_for_byte(colony, how):
    colony.start({"processes": {"count": COUNT}})
    with Follower(colony, "logs", "-f", "count") as logs:
        numbers = [int(logs.line())]
        for _ in range(3):
            replace_engine(colony, how)
            numbers += [int(logs.line()) for _ in range(20)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_logs_of_several_slots_are_followed_over_the_end_of_engines(colony):
    count = {**COUNT, "redirect_output": ["out", "err"],
             "args": ["-c", "i=0; while :; do i=$$((i+1)); echo $$i; echo $$i >&2; sleep 0.02; done"]}
    colony.start({"processes": {"count": {**count, "numprocesses": 2}}})
    seen = {1: [], 2: []}
    with Follower(colony, "logs", "-f", "-n", "0", "count") as logs:
        def read():
            prefix, number = logs.line().split(": ")
            seen[int(prefix.split(".")[1])].append(int(number))

        def read_both(pick):
            """Until each slot has one by both of its logs, each of which is in order."""
            while not all(numbers and numbers.count(pick(numbers)) == 2 for numbers in seen.values()):
                read()

        read_both(lambda numbers: max(numbers, key=numbers.count))
        first = {slot: max(numbers, key=numbers.count) for slot, numbers in seen.items()}
        for _ in range(3):
            for _ in range(80):
                read()
            replace_engine(colony, "killed")
        for _ in range(80):
            read()
        last = {slot: max(numbers) for slot, numbers in seen.items()}
        while not all(seen[slot].count(last[slot]) == 2 for slot in seen):
            read()
    for slot, numbers in seen.items():
        assert last[slot] - first[slot] > 20
        for number in range(first[slot], last[slot] + 1):
            assert numbers.count(number) == 2, "once by each of the two logs"


def test_logs_are_followed_over_restarts_of_the_process_and_rotations(colony):
    fast = {"cmd": "sh", "args": [
        "-c", "i=0; while :; do i=$$((i+1)); echo $$i; [ $$((i % 50)) != 0 ] || sleep 0.1; done"]}
    colony.start({"processes": {"count": {**fast, "log": {"size": 4096, "count": 50}}}})
    with Follower(colony, "logs", "-f", "count") as logs:
        logs.wait("^300$")
        colony.ctl("restart", "count")
        logs.wait("^1$")
        for turn in range(3):
            replace_engine(colony, "killed")
            numbers = [int(logs.line()) for _ in range(700)]
            assert numbers == list(range(2 + 700 * turn, 702 + 700 * turn))
    assert len(list((colony.state / "log").glob("count.1.log.*"))) >= 2


def test_places_that_are_none_are_refused(colony):
    colony.start({"processes": {"web": SLEEP}})
    answer = colony.http("GET", "/logs/web?follow=true&places=true&from=nonsense")
    assert answer.status == 400 and "from= is no list of places" in answer.json()["reason"]


# what runit's users type


def test_up_and_down_are_start_and_stop(colony):
    colony.start({"processes": {"web": SLEEP}})
    assert colony.ctl("down", "web").stdout == "web: stopped\n"
    assert colony.slot("web")["state"] == "stopped"
    assert colony.ctl("up", "web", "--wait").stdout == "web: started\n"
    assert colony.slot("web")["state"] == "running"


def test_pause_and_cont_stop_and_continue(colony):
    colony.start({"processes": {"a:web": SLEEP, "a:other": SLEEP}})
    pids = [colony.wait_state(name, "running")["os_pid"] for name in ("a:web", "a:other")]

    def states():
        return {open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] for pid in pids}

    assert colony.ctl("pause", "a:*").stdout == "a:web: sent SIGSTOP\na:other: sent SIGSTOP\n"
    eventually(lambda: states() == {"T"})
    assert [slot["paused"] for slot in colony.slots()] == [True, True]
    assert colony.ctl("ps").stdout.count("paused until") == 2
    colony.ctl("cont", "a:web", "a:other")
    eventually(lambda: states() == {"S"})
    assert [slot["paused"] for slot in colony.slots()] == [False, False]


@pytest.mark.parametrize("verb, name", [("hup", "HUP"), ("term", "TERM"), ("interrupt", "INT"),
                                        ("alarm", "ALRM"), ("quit", "QUIT")])
def test_other_verbs_send_their_signal(colony, verb, name):
    colony.start({"processes": {"web": {"cmd": "sh", "args": [
        "-c", f"trap 'echo got {name}; exit' {name}; echo up; while :; do sleep 0.01; done"]}}})
    eventually(lambda: "up" in colony.ctl("logs", "web").stdout)
    assert colony.ctl(verb, "web").stdout == f"web: sent SIG{name}\n"
    eventually(lambda: f"got {name}" in colony.ctl("logs", "web").stdout)


def test_a_signal_to_nobody_is_exit_4_and_to_what_is_stopped_exit_3(colony):
    colony.start({"processes": {"web": {**SLEEP, "start": False}}})
    assert colony.ctl("hup", "nope", check=False).returncode == 4
    assert colony.ctl("hup", "web", check=False).returncode == 3


# once


ENDS = {"cmd": "sh", "args": ["-c", "echo run; read -r line </dev/null; sleep 0.2; exit $$CODE"]}


@pytest.mark.parametrize("code, state", [(0, "completed"), (3, "failed")])
def test_once_is_not_started_again(colony, code, state):
    job = {**ENDS, "env": {"CODE": str(code)}, "start": False, "redirect_input": True}
    colony.start({"processes": {"job": job}})
    assert colony.ctl("once", "job").stdout == "job: starting, for once\n"
    colony.wait_state("job", state)
    eventually(lambda: colony.ctl("logs", "job").stdout == "run\n")  # written by another thread than told its end
    colony.ctl("start", "job")  # and from now on it is, again
    eventually(lambda: colony.ctl("logs", "job").stdout.count("run") > 3)


def test_once_holds_when_the_engine_is_replaced(colony):
    colony.start({"processes": {"g:job": {**SLEEP, "start": False}}})
    colony.ctl("once", "g:*", "--wait")
    replace_engine(colony, "killed")
    os.kill(colony.slot("g:job")["os_pid"], signal.SIGKILL)
    colony.wait_state("g:job", "failed")
    colony.ctl("once", "g:job", "--wait")
    colony.ctl("restart", "g:job")  # which is for good
    first = colony.slot("g:job")["os_pid"]
    os.kill(first, signal.SIGKILL)
    eventually(lambda: colony.slot("g:job")["os_pid"] not in (None, first))


def test_what_runs_is_not_started_again_after_once(colony):
    colony.start({"processes": {"web": SLEEP}})
    pid = colony.wait_state("web", "running")["os_pid"]
    colony.ctl("once", "web", "--wait")
    assert colony.slot("web")["os_pid"] == pid
    colony.ctl("term", "web")
    colony.wait_state("web", "failed")


# stats


def test_stats_are_a_table_or_lines_or_json(colony):
    colony.start({"processes": {"web": SLEEP, "idle": {**SLEEP, "start": False}}})
    colony.wait_state("web", "running")
    lines = colony.ctl("stats").stdout.splitlines()
    assert lines[0].split() == ["NAME", "ID", "PID", "USER", "CPU", "MEM", "VIRT", "TIME", "COMMAND"]
    assert len(lines) == 2 and lines[1].startswith("web") and lines[1].endswith("sleep 1000")
    answer = json.loads(colony.ctl("stats", "web", "--json").stdout)
    assert answer[0]["name"] == "web" and answer[0]["stats"][0]["mem_info1"] > 0
    assert colony.ctl("stats", "nope", check=False).returncode == 4
    with Follower(colony, "stats", "web", "-f", "-d", "0.1") as stats:
        for _ in range(3):
            assert re.match(r"\d\d:\d\d:\d\d  web  id 1  pid \d+  cpu [\d.]+  mem ", stats.line())
        replace_engine(colony, "killed")
        while not stats.lines.empty():
            stats.line()
        assert stats.line() is not None
    with Follower(colony, "stats", "-f", "-d", "0.1", "--json") as stats:
        assert [json.loads(stats.line())[0]["name"] for _ in range(3)] == ["web"] * 3


def test_stats_are_redrawn_on_a_terminal(colony):
    colony.start({"processes": {"web": SLEEP}})
    colony.wait_state("web", "running")
    with Terminal("ctl", "--state", colony.state, "stats", "-f", "-d", "0.1") as terminal:
        terminal.wait(lambda: terminal.text.count(b"\x1b[H\x1b[2JNAME") > 2)
        terminal.type("\x03")
        assert terminal.end() == -signal.SIGINT
