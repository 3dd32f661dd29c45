# SPDX-License-Identifier: Apache-2.0
"""Actions of colony ctl that explain: ps with what is used, why, history, env, reload."""
import json
import re

import pytest

from conftest import eventually
from test_ctl import http_answer, liar, run, run_on_terminal

SLEEP = {"cmd": "sleep", "args": ["1000"]}
CRASH = {"cmd": "sh", "args": ["-c", "exit 3"],
         "restart": {"delay": "1h", "max_delay": "1h"}}  # it stays in its second backoff


def fails(colony, *args, code, says=""):
    """The action exits with @code and tells why in one line."""
    out = colony.ctl(*args, check=False)
    assert (out.returncode, out.stdout) == (code, ""), out
    assert out.stderr.count("\n") == 1 and out.stderr.startswith("colony ctl: cannot ")
    assert says in out.stderr, out.stderr


def why(colony, *args):
    return colony.ctl("why", *args).stdout


# ps


def test_ps_tells_what_processes_use(colony):
    colony.start({"processes": {"busy": {"cmd": "sh", "args": ["-c", "while :; do :; done"]},
                                "idle": {**SLEEP, "start": False}}})
    def rows():
        lines = [line.split() for line in colony.ctl("ps").stdout.splitlines()]
        return {line[0]: dict(zip(lines[0], line)) for line in lines}
    def busy():
        row = rows()["busy"]
        return re.fullmatch(r"[1-9]\d*\.\d", row["CPU"]) and re.fullmatch(r"\d+(\.\d)?[KM]",
                                                                        row["MEM"])
    eventually(busy)
    assert rows()["idle"]["CPU"] == rows()["idle"]["MEM"] == "-"
    slot = next(s for s in json.loads(colony.ctl("ps", "--json").stdout) if s["name"] == "busy")
    assert slot["mem"] > 100000 and slot["cpu"] > 0


@pytest.mark.parametrize("size, text", [
    (0, "0B"), (999, "999B"), (1000, "1.0K"), (1024, "1.0K"), (10189, "10K"), (831488, "812K"),
    (4299161, "4.1M"), (134217728, "128M"), (1610612736, "1.5G"), (1e15, "909T"), (-1, "-"),
])
def test_sizes_are_short(tmp_path, size, text):
    slots = json.dumps([{"name": "web", "slot": 1, "id": 1, "state": "running", "mem": size}])
    with liar(tmp_path / "s", http_answer(slots)) as endpoint:
        lines = run("ctl", "--endpoint", endpoint, "ps").stdout.splitlines()
    assert dict(zip(lines[0].split(), lines[1].split()))["MEM"] == text


def test_ps_notes_what_a_process_waits_for(colony):
    colony.start({"processes": {"disk": {**SLEEP, "start": False},
                                "db": {**SLEEP, "depends_on": {"disk": "started"}}}})
    colony.wait_state("db", "waiting")
    line = next(line for line in colony.ctl("ps").stdout.splitlines() if line.startswith("db "))
    assert "waits for disk to be started" in line


def test_status_of_what_waits_is_not_stopped(colony):
    colony.start({"processes": {"crash": CRASH, "idle": {**SLEEP, "start": False}}})
    colony.wait_state("crash", "backoff")
    out = colony.ctl("status", "crash", "idle", check=False)
    assert out.returncode == 3 and "crash: not running, 0 of 1 process\n" in out.stdout
    assert "idle: stopped, 0 of 1 process\n" in out.stdout


# why


def test_why_counts_ends_in_a_row_and_tells_when_it_starts_again(colony):
    colony.start({"processes": {"crash": CRASH}})
    eventually(lambda: "in a row" in why(colony, "crash"))
    lines = why(colony, "crash").splitlines()
    assert re.fullmatch(r" +\d\.\d s ago  ended with status 3 \(2 times since \d\.\d s ago\)",
                        lines[-2]), lines
    assert re.fullmatch(r"crash\.1 is in backoff since \d\.\d s: ended with status 3 "
                        r"\(2 times in a row\); starts again in \w+", lines[-1]), lines


def test_why_tells_the_story_oldest_first(colony):
    colony.start({"processes": {"web": SLEEP}})
    colony.wait_state("web", "running")
    colony.ctl("stop", "web")
    lines = [line.split("ago  ")[-1] for line in why(colony, "web").splitlines()]
    assert lines[:3] == ["was added", "was asked to start", "started"]
    assert lines[3].startswith("was asked to stop: uid ")
    assert re.match(r"(was )?ended (by|with) ", lines[4]), lines
    assert lines[-1].startswith("web.1 is stopped since ")
    assert lines[-1].endswith("; `colony ctl start web` starts it")
    assert why(colony, "web", "-n", "1").splitlines()[0] == "  ..."
    assert why(colony, "web", "-n", "0").splitlines()[-1].startswith("web.1 is stopped")


def test_why_tells_all_that_is_waited_for(colony):
    colony.start({"processes": {
        "disk": {**SLEEP, "start": False}, "net": SLEEP,
        "db": {**SLEEP, "depends_on": {"disk": "started", "net": "completed"}}}})
    colony.wait_state("net", "running")
    last = why(colony, "db").splitlines()[-1]
    assert last.startswith("db.1 is waiting since ") and last.endswith("; starts as soon as that is so")
    assert "waits for disk to be started: it is stopped" in last
    assert "waits for net to complete: it is running" in last


def test_why_tells_what_cannot_be_started(colony):
    colony.start({"processes": {"broken": {"cmd": "/no/such/program", "restart": "never"}}})
    colony.wait_state("broken", "failed")
    last = why(colony, "broken").splitlines()[-1]
    assert "is given up since" in last and "/no/such/program: No such file or directory" in last
    assert last.endswith("; `colony ctl start broken` tries it again")


def test_why_of_a_process_that_is_not_ready_says_so(colony):
    colony.start({"processes": {"slow": {**SLEEP, "ready": {"delay": "1h"}}}})
    colony.wait_state("slow", "running")
    assert "is ready as soon as its `ready` setting" in why(colony, "slow")


def test_why_tells_of_every_slot_or_of_one(colony):
    colony.start({"processes": {"web": {**SLEEP, "numprocesses": 3}, "web.3": SLEEP}})
    for number in (1, 2, 3):
        colony.wait_state("web", "running", number)
    colony.wait_state("web.3", "running")
    ends = re.compile(r"^(web\S*) is running", re.M)
    assert ends.findall(why(colony, "web")) == ["web.1", "web.2", "web.3"]
    assert ends.findall(why(colony, "web.2")) == ["web.2"]
    assert ends.findall(why(colony, "web.3")) == ["web.3.1"]  # a name goes before a slot
    assert [s["slot"] for s in json.loads(why(colony, "web.2", "--json"))["slots"]] == [2]
    fails(colony, "why", "web.9", code=4, says="slot 9")
    fails(colony, "why", "wbe.2", code=4, says="did you mean web?")
    colony.ctl("scale", "web=0", "--wait")
    assert why(colony, "web") == "web has no processes; `colony ctl scale web=1` gives it one\n"


def test_what_an_answer_says_cannot_fool_the_terminal(tmp_path):
    answer = {"name": "w\x1b[2Jeb", "slots": [{"slot": 1, "state": "st\x07", "cause": "\x9bevil",
                                                "since": "never"}], "waits": ["\r"]}
    with liar(tmp_path / "s", http_answer(json.dumps(answer))) as endpoint:
        out = run("ctl", "--endpoint", endpoint, "why", "web")
    assert out.returncode == 0 and out.stdout == "w?[2Jeb.1 is st?: ??evil\n"


# history


def test_history_lists_what_happened_newest_last(colony):
    colony.start({"processes": {"web": SLEEP, "other": SLEEP}})
    colony.wait_state("web", "running")
    colony.ctl("restart", "web")
    def told():
        return [re.sub(r"^\S+ \S+  web(\.1)? +(\d+ +)?", "", row)
                for row in colony.ctl("history", "web").stdout.splitlines()]
    eventually(lambda: told()[-1].startswith("started: uid "))
    assert told()[1:4] == ["was added", "was asked to start", "started"]
    assert "was asked to restart: uid " in "\n".join(told())
    rows = colony.ctl("history", "web").stdout.splitlines()
    assert rows[0].split() == ["TIME", "NAME", "PID", "WHAT"]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  web", row) for row in rows[1:])
    assert len(colony.ctl("history", "-n", "2").stdout.splitlines()) == 3
    assert "other" in colony.ctl("history").stdout
    moves = colony.ctl("history", "web", "--all").stdout
    assert "is being stopped" in moves and "is being stopped" not in "\n".join(rows)


def test_history_as_json_is_the_answers_newest_first(colony):
    colony.start({"processes": {"web": {**SLEEP, "numprocesses": 5}}})
    colony.wait_state("web", "running", 5)
    def told(*args):
        return json.loads(colony.ctl("history", "web", "--json", *args).stdout)
    eventually(lambda: len(told("-n", "3")) == 3)  # of five starts at least
    seqs = [row["seq"] for row in told("-n", "3")]
    assert seqs == sorted(seqs, reverse=True)
    assert {row["slot"] for row in eventually(lambda: told("--slot", "2"))} == {2}


def test_history_asks_until_it_has_enough(tmp_path):
    """A server that always has the same page: its rows repeat, and their number is what was asked."""
    page = [{"seq": 900 - i, "time": "2026-11-22T10:00:00.000Z", "name": "web", "slot": 1,
             "event": "exit", "exit_status": 1} for i in range(200)]
    with liar(tmp_path / "s", http_answer(json.dumps(page))) as endpoint:
        out = run("ctl", "--endpoint", endpoint, "history", "-n", "150", env={"TZ": "UTC"})
    lines = out.stdout.splitlines()
    assert len(lines) == 151 and lines[1].startswith("2026-11-22 10:00:00  web.1")


def test_history_of_a_name_that_never_was_is_exit_4(colony):
    colony.start({"processes": {"web": SLEEP}})
    fails(colony, "history", "wbe", code=4, says="did you mean web?")


# env


def test_env_tells_values_and_where_they_are_from(colony):
    colony.start({"processes": {"web": {**SLEEP, "env": {"PORT": "80", "API_TOKEN": "hush"},
                                        "env_inherit": ["PATH"], "os_env": False}}})
    lines = colony.ctl("env", "web").stdout.splitlines()
    assert re.search(r"^PORT=80 +env$", "\n".join(lines), re.M)
    assert re.search(r"^PATH=.*  colony's environment$", "\n".join(lines), re.M)
    assert re.search(r"^API_TOKEN=\*\*\* +env$", "\n".join(lines), re.M)
    assert "hush" not in "".join(lines)
    told = {one["name"]: one for one in json.loads(colony.ctl("env", "web", "--json").stdout)}
    assert told["PORT"] == {"name": "PORT", "value": "80", "source": "env"}
    fails(colony, "env", "wbe", code=4, says="did you mean web?")


def test_env_is_cut_on_a_terminal_and_whole_in_a_pipe(colony):
    colony.start({"processes": {"web": {**SLEEP, "env": {"LONG": "x" * 300}, "os_env": False}}})
    assert "LONG=" + "x" * 300 + "  env\n" in colony.ctl("env", "web").stdout
    shown = run_on_terminal("ctl", "--state", str(colony.state), "env", "web", columns=80)
    assert re.search(r"^LONG=x+\.\.\. +env\r$", shown, re.M)
    assert max(len(line) for line in shown.splitlines()) <= 80


# reload


BEFORE = {"processes": {"same": SLEEP, "gone": SLEEP, "changed": SLEEP}}
AFTER = {"processes": {"same": SLEEP, "changed": {**SLEEP, "env": {"A": "1"}}, "new": SLEEP}}


def steps(text):
    return {tuple(line.split(None, 2)[:2]) for line in text.splitlines()[1:]}


def test_reload_shows_what_it_does_and_a_dry_run_does_nothing(colony):
    colony.start(BEFORE)
    assert colony.ctl("reload", "--dry-run").stdout == "nothing changes\n"
    colony.write(AFTER)
    want = {("start", "new"), ("stop", "gone"), ("restart", "changed")}
    dry = colony.ctl("reload", "--dry-run").stdout
    assert dry.splitlines()[0].split() == ["ACTION", "NAME", "WHY"] and steps(dry) == want
    assert "env" in next(line for line in dry.splitlines() if "changed" in line)
    assert colony.ctl("processes").stdout.split() == ["same", "gone", "changed"]
    assert steps(colony.ctl("reload").stdout) == want
    assert sorted(colony.ctl("processes").stdout.split()) == ["changed", "new", "same"]
    assert colony.ctl("reload").stdout == "nothing changes\n"
    told = json.loads(colony.ctl("reload", "--dry-run", "--json").stdout)
    assert told == {"ok": True, "dry_run": True, "steps": []}


def test_a_bad_file_changes_nothing_and_is_exit_78(colony):
    colony.start(BEFORE)
    colony.write("processes:\n  web:\n    cdm: sleep 1\n")
    for args in (("reload", "--dry-run"), ("reload",)):
        fails(colony, *args, code=78, says=f"{colony.config}:3:5: ")
    assert colony.ctl("processes").stdout.split() == ["same", "gone", "changed"]


# what colony does of its own accord


def test_why_and_history_tell_why_colony_itself_stopped_it(colony):
    colony.start({"processes": {"slow": {**SLEEP, "ready": {"exec": "false"},
                                         "start_timeout": 0.3,
                                         "restart": {"first_delay": "1m"}}}})
    colony.wait_state("slow", "backoff")
    reason = "was ended by SIGTERM: was not ready within 0.3 s"
    assert reason in why(colony, "slow")
    assert reason in colony.ctl("history", "slow").stdout
    colony.ctl("stop", "slow")


def test_a_stop_somebody_asked_for_is_not_told_twice(colony):
    colony.start({"processes": {"web": SLEEP}})
    colony.wait_state("web", "running")
    colony.ctl("stop", "web")
    assert colony.ctl("history", "web").stdout.splitlines()[-1].endswith("was ended by SIGTERM")


@pytest.mark.parametrize("action, says", [("stop", "db: stopped"), ("del_process", "db: removed")])
def test_what_stops_with_it_is_named(colony, action, says):
    colony.start({"processes": {"db": SLEEP, "web": {**SLEEP, "depends_on": "db"},
                                "api": {**SLEEP, "depends_on": "db", "start": False},
                                "job": {**SLEEP, "depends_on": {"db": {"when_down": "keep"}}}}})
    colony.wait_state("web", "running")
    colony.wait_state("job", "running")
    assert colony.ctl(action, "db").stdout == \
        f"{says}; stopped with it, and waiting for it: web\n"
    assert colony.ctl(action, "job").stdout == f"job: {says[4:]}\n"
    assert "was ended by SIGTERM: db, which it needs, is to be stopped" in why(colony, "web")


def test_what_stops_with_a_group_is_named_once(colony):
    colony.start({"processes": {"g:a": SLEEP, "g:b": {**SLEEP, "depends_on": "g:a"},
                                "web": {**SLEEP, "depends_on": ["g:a", "g:b"]}}})
    colony.wait_state("web", "running")
    assert colony.ctl("stop", "g:*").stdout == \
        "g:*: stopped; stopped with it, and waiting for it: web\n"


def test_the_history_tells_how_many_there_were(colony):
    colony.start({"processes": {"web": SLEEP}})
    colony.ctl("scale", "web=3")
    colony.ctl("sub", "web")
    history = colony.ctl("history", "web").stdout
    assert "got new settings: scaled from 1 to 3 by uid " in history
    assert "got new settings: scaled from 3 to 2 by uid " in history
