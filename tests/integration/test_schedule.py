# SPDX-License-Identifier: Apache-2.0
"""`colony schedule`: a command that is run again and again."""

import contextlib
import datetime
import json
import os
import resource
import select
import signal
import subprocess
import time

import pytest

from conftest import BINARY, DEADLINE, alive, assert_sleeps, eventually


class Schedule:
    """One `colony schedule`, whose lines are read as they come."""

    def __init__(self, *args, **popen):
        popen.setdefault("stdout", subprocess.PIPE)
        self.process = subprocess.Popen([BINARY, "schedule", *args], stderr=subprocess.PIPE,
                                        **popen)
        self.buffer = b""

    def line(self, seconds=DEADLINE):
        deadline = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [],
                                        max(0, deadline - time.monotonic()))
            assert ready, "no line in time"
            got = os.read(self.process.stdout.fileno(), 65536)
            assert got, self.process.stderr.read().decode()
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def complaint(self):
        """The next line that it says of itself."""
        return self.process.stderr.readline().decode()

    def end(self, signo=signal.SIGTERM):
        """Its exit code, what it had not told yet and its complaints."""
        self.process.send_signal(signo)
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, (self.buffer + (out or b"")).decode(), err.decode()


@pytest.fixture
def schedule():
    made = []

    def make(*args, **popen):
        made.append(Schedule(*args, **popen))
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(Exception):
            one.process.kill()
            one.process.communicate(timeout=5)


def run(*args, **more):
    return subprocess.run([BINARY, "schedule", *args], capture_output=True, text=True,
                          timeout=60, **more)


def test_the_example_of_ncolony_at_a_tenth_of_its_times(schedule):
    began = time.monotonic()
    one = schedule("--arg=echo", "--arg=hello", "--frequency=1", "--timeout=0.5", "--grace=1")
    assert one.line(1) == "[1] hello"  # at once
    for beat in (1, 2):
        assert one.line() == "[1] hello"
        assert beat - 0.1 < time.monotonic() - began < beat + 5
    assert one.end() == (0, "", "")


def test_lines_bear_the_number_of_their_stream():
    done = run("--once", "--", "sh", "-c", "echo one; echo two >&2; printf three")
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == ["[1] one", "[1] three", "[2] two"]
    assert done.stderr == ""


def test_long_lines_are_cut_into_pieces():
    done = run("--once", "--", "sh", "-c", "head -c 20000 /dev/zero | tr '\\0' x; echo; echo end")
    lines = done.stdout.splitlines()
    assert [len(line) for line in lines] == [8196, 8196, 3620, 7]
    assert "".join(line[4:] for line in lines[:3]) == "x" * 20000


def test_much_output_with_a_slow_reader_is_all_there():
    command = f"{BINARY} schedule --once -- seq 1 100000 | (sleep 0.3; cat)"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stdout == "".join(f"[1] {n}\n" for n in range(1, 100001))


def test_a_last_line_without_an_end_waits_for_a_slow_reader_too():
    command = (f"{BINARY} schedule --once -- sh -c 'printf three; seq 1 30000 >&2' | "
               "(sleep 0.3; cat)")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert sorted(done.stdout.splitlines())[0] == "[1] three"
    assert done.stdout.count("\n") == 30001


def test_output_to_a_file_is_all_there(tmp_path):
    with open(tmp_path / "out", "w", encoding="utf-8") as out:
        subprocess.run([BINARY, "schedule", "--once", "--", "seq", "1", "20000"], stdout=out,
                       check=True, timeout=60)
    assert (tmp_path / "out").read_text() == "".join(f"[1] {n}\n" for n in range(1, 20001))


def test_a_file_that_cannot_be_written_is_told_once():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([BINARY, "schedule", "--once", "--", "seq", "3"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "colony schedule: cannot write to standard output: No space left on device: until it can "
        "be written, lines are left out", "colony schedule: 3 lines were left out"]


def test_a_file_is_written_again_as_soon_as_it_can_be(schedule, tmp_path):
    with open(tmp_path / "out", "wb") as out:
        one = schedule("--frequency=0.2", "--", "echo", "one line", stdout=out,
                       restore_signals=False, preexec_fn=lambda: resource.setrlimit(
                           resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY)))
    assert "cannot write to standard output: File too large" in one.complaint()
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    assert "standard output can be written again: " in one.complaint()
    code, _, err = one.end()
    assert (code, err) == (0, "")
    assert set((tmp_path / "out").read_text().splitlines()) == {"[1] one line"}


def test_a_run_that_takes_too_long_is_told_to_end(schedule):
    one = schedule("--frequency=30", "--timeout=1", "--grace=20", "--", "sh", "-c",
                   "exec 2>/dev/null; trap 'echo ends; exit 3' TERM; echo begins; "
                   "while :; do sleep 0.05; done")
    assert one.line() == "[1] begins"
    assert one.line() == "[1] ends"
    assert one.complaint() == "colony schedule: sh: exited with 3\n"


def test_what_ignores_sigterm_is_killed_after_the_grace_with_its_group(schedule):
    one = schedule("--frequency=30", "--timeout=1", "--grace=0.3", "--", "sh", "-c",
                   "trap '' TERM; sleep 1000 & echo $!; echo $$; wait; sleep 1000")
    pids = [int(one.line().split()[1]), int(one.line().split()[1])]
    eventually(lambda: not any(alive(pid) for pid in pids), what="their end")
    assert one.complaint() == "colony schedule: sh: was ended by SIGKILL\n"
    assert one.end() == (0, "", "")


def test_what_has_left_the_group_does_not_hold_up_the_next_run(schedule):
    one = schedule("--frequency=0.5", "--timeout=0.2", "--grace=0.1", "--overlap=queue", "--", "sh",
                   "-c", "setsid sleep 5 & echo $!")
    first = one.line()
    second = one.line()
    try:
        assert first.startswith("[1] ") and second.startswith("[1] ") and first != second
    finally:
        for line in (first, second):
            with contextlib.suppress(OSError):
                os.kill(int(line.split()[1]), signal.SIGKILL)


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_it_ends_what_runs(schedule, signo):
    one = schedule("--frequency=30", "--", "sh", "-c", "sleep 1000 & echo $!; wait")
    pid = int(one.line().split()[1])
    code, _, err = one.end(signo)
    assert (code, err) == (0, "")
    eventually(lambda: not alive(pid), what="the end of all of its group")


def test_told_twice_it_does_not_wait_for_the_grace(schedule):
    one = schedule("--frequency=30", "--grace=1000", "--", "sh", "-c",
                   "exec 2>/dev/null; trap 'echo no' TERM; echo $$; while :; do sleep 0.05; done")
    pid = int(one.line().split()[1])
    one.process.send_signal(signal.SIGTERM)
    assert one.line() == "[1] no"
    assert one.end()[0] == 0
    eventually(lambda: not alive(pid), what="the end of all of its group")


def test_told_to_end_it_ends_though_nobody_reads(schedule):
    one = schedule("--frequency=30", "--grace=0.1", "--", "yes")
    assert one.line() == "[1] y"
    time.sleep(0.3)  # until all that can hold something is full
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(DEADLINE) == 0


def test_killed_for_its_time_it_still_ends_though_nobody_reads(schedule):
    one = schedule("--frequency=30", "--timeout=1", "--grace=0.1", "--", "sh", "-c",
                   "trap '' TERM; echo $$; exec yes")
    pid = int(one.line().split()[1])
    eventually(lambda: not alive(pid) and not watches_a_process(one.process.pid))
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(DEADLINE) == 0


def test_a_reader_that_vanishes_with_output_waiting_ends_it(schedule):
    one = schedule("--once", "--", "yes")
    assert one.line() == "[1] y"
    time.sleep(0.3)  # until all that can hold something is full
    one.process.stdout.close()
    assert one.process.wait(DEADLINE) == 1
    assert one.process.stderr.read() == (
        b"colony schedule: cannot write to standard output: Broken pipe\n"
        b"colony schedule: yes: was ended by SIGTERM\n")


def test_the_options_of_the_command_are_its_own(schedule):
    one = schedule("--frequency=30", "--once", "sh", "-c", "echo $0 $1; exit 4", "--arg", "-f")
    assert one.line() == "[1] --arg -f"
    assert one.process.wait(DEADLINE) == 4


def test_without_a_reader_it_ends(schedule):
    one = schedule("--frequency=0.1", "--", "sh", "-c",
                   "echo $$; exec sleep 1000")
    pid = int(one.line().split()[1])
    one.process.stdout.close()
    os.kill(pid, signal.SIGTERM)  # the next one writes
    assert one.process.wait(DEADLINE) == 1
    assert b"cannot write to standard output" in one.process.stderr.read()


def test_what_is_due_while_it_runs_is_left_out(schedule):
    one = schedule("--frequency=0.3", "--", "sh", "-c", "echo begins; sleep 0.5; echo ends")
    assert [one.line() for _ in range(4)] == ["[1] begins", "[1] ends"] * 2
    _, _, err = one.end()
    assert "colony schedule: sh: still runs: what is due meanwhile is left out\n" in err


def test_what_is_due_while_it_runs_comes_after_it(schedule):
    one = schedule("--frequency=0.3", "--overlap=queue", "--", "sh", "-c",
                   "echo begins; sleep 0.5; echo ends")
    assert [one.line() for _ in range(6)] == ["[1] begins", "[1] ends"] * 3
    assert one.end()[2] == ""


def test_what_still_runs_is_ended_for_what_is_due(schedule):
    one = schedule("--frequency=0.5", "--overlap=kill", "--", "sh", "-c",
                   "echo $$; exec sleep 1000")
    first = int(one.line().split()[1])
    second = int(one.line().split()[1])
    assert first != second
    eventually(lambda: not alive(first))


def test_what_cannot_be_run_is_told_and_tried_again(schedule, tmp_path):
    program = tmp_path / "program"
    one = schedule("--frequency=0.3", "--arg", str(program))
    assert one.complaint() == (
        f"colony schedule: cannot run {program}: No such file or directory\n")
    new = tmp_path / "new"
    new.write_text("#!/bin/sh\necho here\n")
    new.chmod(0o755)
    new.rename(program)
    assert one.line() == "[1] here"


def test_once_exits_as_the_command_does():
    assert run("--once", "--", "sh", "-c", "exit 7").returncode == 7
    assert run("--once", "--", "sh", "-c", "kill -9 $$").returncode == 137
    assert run("--once", "--frequency=100", "--", "true").returncode == 0
    done = run("--once", "--", "/nonexistent")
    assert (done.returncode, done.stderr) == (
        127, "colony schedule: cannot run /nonexistent: No such file or directory\n")


def test_without_a_path_commands_are_found_where_they_usually_are():
    env = {"HOME": "/"}
    done = subprocess.run([BINARY, "schedule", "--once", "--", "env"], env=env,
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[1] HOME=/\n")


def test_next_prints_times():
    done = run("--cron=30 2 * * *", "--timezone=Europe/Berlin", "--next=400")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 400
    times = [datetime.datetime.strptime(line, "%Y-%m-%d %H:%M:%S %z") for line in lines]
    assert times == sorted(set(times))
    assert {line[11:19] for line in lines} == {"02:30:00", "03:00:00"}  # one day has no 2:30
    assert sum(line[11:16] == "03:00" for line in lines) in (1, 2)


@pytest.mark.parametrize("args,reason", [
    ([], "which command?"),
    (["--arg=true"], "when? --frequency SECONDS or --cron EXPR"),
    (["--arg=true", "--frequency=0"], "--frequency must be more than 0"),
    (["--arg=true", "--frequency=-1"], "--frequency: not a time such as 10, 500ms or 2m: -1"),
    (["--arg=true", "--frequency=1", "--cron=@daily"], "either --frequency or --cron"),
    (["--arg=true", "--frequency=1", "--jitter=1"], "--jitter must be less than --frequency"),
    (["--arg=true", "--frequency=1", "--timezone=UTC"], "--timezone means nothing"),
    (["--arg=true", "--frequency=1", "--overlap=wait"], "not one of skip, queue and kill"),
    (["--arg=true", "--frequency=1", "--", "true"], "not both"),
    (["--arg=", "--frequency=1"], "the command is empty"),
    (["--arg=true", "--cron=61 * * * *"], "the minute `61` of `61 * * * *`"),
    (["--arg=true", "--cron=* * * *"], "4 fields instead of five"),
    (["--arg=true", "--cron=0 0 30 2 *"], "it never comes"),
    (["--arg=true", "--cron=@daily", "--timezone=Europe/Atlantis"], "none of that name"),
    (["--arg=true", "--cron=@daily", "--timezone=../UTC"], "it is a name such as Europe/Berlin"),
    (["--cron=@daily", "--next=0"], "--next takes a number"),
])
def test_what_cannot_be_meant_is_told(args, reason):
    done = run(*args)
    assert done.returncode == 2
    assert done.stderr.startswith("colony schedule: ") and reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_costs_nothing_while_it_waits(schedule):
    one = schedule("--frequency=1000", "--", "echo", "hello")
    assert one.line() == "[1] hello"
    eventually(lambda: not (children_of(one.process.pid)))
    assert_sleeps(one.process.pid, seconds=0.5)


def watches_a_process(pid):
    folder = f"/proc/{pid}/fd"
    return any("pidfd" in os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder))


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return file.read().split()


def test_it_beats_for_ncolonys_beatcheck(schedule, tmp_path):
    status = tmp_path / "status"
    config = {"ncolony.beatcheck": {"period": 0.3, "grace": 1, "status": str(status)}}
    one = schedule("--arg", "true", "--frequency", "1000",
                   env={**os.environ, "NCOLONY_CONFIG": json.dumps(config), "NCOLONY_NAME": "it"})
    first = eventually(lambda: status.exists() and status.stat().st_mtime_ns)
    eventually(lambda: status.stat().st_mtime_ns > first)
    assert one.end() == (0, "", "")


def test_a_heart_that_cannot_be_is_told_and_it_goes_on(schedule):
    one = schedule("--arg", "echo", "--arg", "here", "--frequency", "1000",
                   env={**os.environ, "NCOLONY_CONFIG": "{"})
    assert "here" in one.line()
    code, _, err = one.end()
    assert code == 0 and "NCOLONY_CONFIG" in err
