# SPDX-License-Identifier: Apache-2.0
"""`log: {forward: true}`: a process's lines in colony's own log, beside its log file."""

import os
import signal

from conftest import eventually


def forwarded(colony, name):
    marker = f"engine: {name}: "
    return [line.split(marker, 1)[1] for line in colony.log.read_text().splitlines()
            if marker in line]


def test_lines_go_to_both_logs_in_order(colony):
    colony.start({"processes": {"count": {
        "cmd": "sh", "args": ["-c", "seq 1 500; sleep 1000"], "log": {"forward": True}}}})
    wanted = [str(i) for i in range(1, 501)]
    eventually(lambda: forwarded(colony, "count") == wanted)
    eventually(lambda: colony.output("count").decode().split() == wanted)  # it is forwarded before it is moved


def test_where_there_are_several_each_line_says_which(colony):
    colony.start({"processes": {"two": {
        "cmd": "sh", "args": ["-c", "echo $$; sleep 1000"], "log": {"forward": True},
        "numprocesses": 2}}})
    for number in (1, 2):
        eventually(lambda n=number: forwarded(colony, f"two.{n}") ==
                   colony.output("two", n).decode().split() != [])


def test_the_last_line_is_forwarded_without_its_newline_when_colony_ends(colony):
    colony.start({"processes": {"tail": {
        "cmd": "sh", "args": ["-c", "printf 'one\\ntwo'; sleep 1000"], "log": {"forward": True}}}})
    eventually(lambda: colony.output("tail") == b"one\ntwo")
    assert colony.stop() == 0
    assert forwarded(colony, "tail") == ["one", "two"]


def test_control_bytes_cannot_forge_a_line(colony):
    colony.start({"processes": {"rude": {
        "cmd": "printf", "args": ["a\\033[31mb\\rc\\n"], "log": {"forward": True}}}})
    eventually(lambda: "a?[31mb?c" in forwarded(colony, "rude"))


def test_forwarding_goes_on_after_a_kill_of_the_engine(colony):
    colony.start({"processes": {"tick": {
        "cmd": "sh", "args": ["-c", "while :; do echo tick; sleep 0.05; done"],
        "log": {"forward": True}}}})
    eventually(lambda: forwarded(colony, "tick"))
    os.kill(colony.engine, signal.SIGKILL)
    eventually(colony.answers)
    before = len(forwarded(colony, "tick"))
    eventually(lambda: len(forwarded(colony, "tick")) > before + 5)


def test_the_last_line_of_a_process_is_a_line_though_it_does_not_end(colony):
    colony.start({"processes": {"tail": {
        "cmd": "printf", "args": ["one\\ntwo"], "log": {"forward": True},
        "restart": {"when": "never"}}}})
    eventually(lambda: forwarded(colony, "tail") == ["one", "two"])
    colony.ctl("start", "tail")
    eventually(lambda: forwarded(colony, "tail") == ["one", "two"] * 2)
    eventually(lambda: colony.output("tail") == b"one\ntwo" * 2)  # its own log has what it wrote


def test_so_is_that_of_stderr_in_a_log_of_its_own(colony):
    colony.start({"processes": {"two": {
        "cmd": "sh", "args": ["-c", "printf out; printf err >&2"], "log": {"forward": True},
        "redirect_output": ["out", "err"], "restart": {"when": "never"}}}})
    eventually(lambda: sorted(forwarded(colony, "two")) == ["err", "out"])


def test_a_nul_does_not_cut_a_line(colony):
    colony.start({"processes": {"nul": {
        "cmd": "printf", "args": ["a\\000b\\n"], "log": {"forward": True}}}})
    eventually(lambda: "a?b" in forwarded(colony, "nul"))
