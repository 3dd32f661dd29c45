# SPDX-License-Identifier: Apache-2.0
"""/metrics: every byte of it in the text format 0.0.4, and what it says is so."""
import math
import os
import re
import shutil
import signal
import subprocess

import pytest

from conftest import assert_sleeps, eventually

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
VALUE = re.compile(r"[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf)|NaN")
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}


def unescape(text):
    return re.sub(r'\\(.)', lambda m: {"n": "\n"}.get(m[1], m[1]), text)


def parse(text):
    """{family: (type, {(name, ((label, value), …)): number})}, or an AssertionError."""
    assert text.endswith("\n") and "\r" not in text
    families, lines, current = {}, text[:-1].split("\n"), None
    at = 0
    while at < len(lines):
        line = lines[at]
        told = re.fullmatch(rf"# HELP ({NAME}) (\S.*)", line)
        if told:
            current = told[1]
            assert current not in families, f"{current} is told twice"
            kind = re.fullmatch(rf"# TYPE ({NAME}) (\w+)", lines[at + 1])
            assert kind and kind[1] == current and kind[2] in TYPES, lines[at + 1]
            assert not re.search(r"\\(?![\\n])", told[2])
            families[current] = (kind[2], {})
            at += 2
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, f"no line of the format: {line!r}"
        name, labels, value = sample.groups()
        kind, samples = families[current]
        suffixes = ["_bucket", "_sum", "_count"] if kind == "histogram" else [""]
        assert name in [current + suffix for suffix in suffixes], f"{name} stands under {current}"
        assert VALUE.fullmatch(value), value
        pairs = re.findall(LABEL, labels or "")
        pairs = tuple((p.split("=", 1)[0], unescape(p.split("=", 1)[1][1:-1])) for p in pairs)
        assert len(dict(pairs)) == len(pairs), f"a label twice: {line}"
        assert (name, pairs) not in samples, f"twice: {line}"
        samples[name, pairs] = float(value)
        at += 1
    for family, (kind, samples) in families.items():
        check_family(family, kind, samples)
    return families


def check_family(family, kind, samples):
    if kind == "counter":
        assert family.endswith("_total"), family
        assert all(value >= 0 for value in samples.values())
    else:
        assert not family.endswith("_total"), family
    assert not re.search(r"_(ms|us|ns|kb|mb|percent)(_|$)", family), f"not a base unit: {family}"
    if kind != "histogram":
        return
    buckets = [(float(dict(labels)["le"].replace("+Inf", "inf")), value)
               for (name, labels), value in samples.items() if name.endswith("_bucket")]
    assert buckets == sorted(buckets) and buckets[-1][0] == math.inf
    assert [count for _, count in buckets] == sorted(count for _, count in buckets)
    assert samples[f"{family}_count", ()] == buckets[-1][1]
    assert samples[f"{family}_sum", ()] >= 0


class Metrics:
    def __init__(self, colony):
        self.answer = colony.http("GET", "/metrics")
        assert self.answer.status == 200
        assert self.answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.families = parse(self.answer.text)

    def get(self, name, **labels):
        """The one value with these labels, whatever others it has; None: there is none."""
        _, samples = self.families[re.sub(r"_(bucket|sum|count)$", "", name)
                                   if name not in self.families else name]
        found = [value for (sample, pairs), value in samples.items()
                 if sample == name and labels.items() <= dict(pairs).items()]
        assert len(found) <= 1, found
        return found[0] if found else None


ODD = 'o"d\\d {x="1"} ünï'
SETTINGS = {"processes": {
    "web": {"cmd": "sleep", "args": ["1000"], "numprocesses": 2},
    ODD: {"cmd": "exit 3", "shell": True, "restart": "never"},
    "busy": {"cmd": "exec 3</dev/null 4</dev/null; while :; do :; done", "shell": True},
}}


def test_all_of_it_is_in_the_format_and_names_are_escaped(colony):
    colony.start(SETTINGS)
    eventually(lambda: Metrics(colony).get("colony_slots", template=ODD, state="failed") == 1)
    metrics = Metrics(colony)
    for name, (_, samples) in metrics.families.items():
        if not name.startswith(("colony_slot", "colony_process_")):
            continue
        for _, labels in samples:
            assert set(dict(labels)) - {"id", "state"} in ({"template", "slot"}, {"template"})
            assert ("id" in dict(labels)) == name.startswith("colony_process_")
    assert metrics.get("colony_slots", template=ODD, state="failed") == 1
    assert metrics.get("colony_slot_last_exit_status", template=ODD) == 3
    assert metrics.get("colony_slot_last_exit_signal", template=ODD) == 0


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here")
def test_promtool_finds_no_fault(colony):
    colony.start(SETTINGS)
    text = Metrics(colony).answer.text
    told = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, timeout=60,
                          capture_output=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_what_it_says_of_processes_is_so(colony):
    colony.start(SETTINGS)
    colony.wait_state("web", "running", 2)
    slot = colony.wait_state("busy", "running")
    pid, number = slot["os_pid"], str(slot["id"])
    eventually(lambda: Metrics(colony).get("colony_process_cpu_seconds_total", id=number) > 0.3)
    metrics = Metrics(colony)
    assert metrics.get("colony_process_open_fds", template="busy") == \
        len(os.listdir(f"/proc/{pid}/fd"))
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        size, resident = (int(field) * os.sysconf("SC_PAGESIZE") for field in file.read().split()[:2])
    assert metrics.get("colony_process_virtual_memory_bytes", id=number) == size
    assert abs(metrics.get("colony_process_memory_bytes", id=number) - resident) < 1 << 20
    assert abs(metrics.get("colony_process_start_time_seconds", id=number) - slot["started"]) < 0.01
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        ticks = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
    assert -0.1 < ticks / os.sysconf("SC_CLK_TCK") - \
        metrics.get("colony_process_cpu_seconds_total", id=number) < 5
    assert metrics.get("colony_slots", template="web", state="running") == 2
    assert metrics.get("colony_slots", template="web", state="stopped") == 0


def test_ends_and_restarts_are_counted(colony):
    colony.start(SETTINGS)
    pid = colony.wait_state("web", "running")["os_pid"]
    assert Metrics(colony).get("colony_slot_last_exit_signal", template="web", slot="1") is None
    os.kill(pid, signal.SIGUSR1)
    eventually(lambda: colony.wait_state("web", "running")["os_pid"] != pid)
    metrics = Metrics(colony)
    assert metrics.get("colony_slot_restarts_total", template="web", slot="1") == 1
    assert metrics.get("colony_slot_restarts_total", template="web", slot="2") == 0
    assert metrics.get("colony_slot_last_exit_signal", template="web", slot="1") == signal.SIGUSR1
    assert metrics.get("colony_slot_last_exit_status", template="web", slot="1") is None
    colony.ctl("stop", "web")
    metrics = Metrics(colony)
    assert metrics.get("colony_process_memory_bytes", template="web") is None
    assert metrics.get("colony_slots", template="web", state="stopped") == 2


def test_requests_and_turns_of_the_loop_are_counted(colony):
    colony.start(SETTINGS)
    before = Metrics(colony)
    for _ in range(5):
        assert colony.http("GET", "/ping").status == 200
    for _ in range(3):
        assert colony.http("GET", "/none").status == 404
    after = Metrics(colony)
    name = "colony_http_requests_total"
    assert after.get(name, code="2xx") - before.get(name, code="2xx") == 6  # and one of ours
    assert after.get(name, code="4xx") - before.get(name, code="4xx") == 3
    assert after.get(name, code="5xx") == 0
    assert after.get("colony_http_connections") >= 1
    assert after.get("colony_loop_turn_seconds_count") > before.get("colony_loop_turn_seconds_count")
    assert after.get("process_open_fds") > 5
    assert after.get("process_resident_memory_bytes") > 1 << 20
    assert after.get("process_cpu_seconds_total") > 0
    assert after.get("colony_history_dropped_events_total") == 0
    assert after.get("colony_build_info") == 1


def test_it_changes_nothing_and_wakes_nobody(colony):
    colony.start({"processes": {"web": {"cmd": "sleep", "args": ["1000"]}}})
    colony.wait_state("web", "running")
    assert colony.http("POST", "/metrics").status == 405
    assert colony.http("HEAD", "/metrics").status == 200

    Metrics(colony)
    assert_sleeps(colony.engine)


def test_nothing_runs_and_it_is_whole(colony):
    colony.start("")
    metrics = Metrics(colony)
    assert metrics.families["colony_slots"][1] == {}
    assert metrics.get("colony_build_info") == 1
