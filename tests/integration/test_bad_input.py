# SPDX-License-Identifier: Apache-2.0
"""What bad input and bad surroundings get: one clear line, and nothing lost."""
import contextlib
import os
import pathlib
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import time

import pytest

from conftest import BINARY, alive, eventually

NOBODY = 65534


def sleeper(**settings):
    return {"cmd": "sleep", "args": ["1000"], **settings}


def serve(colony, *args, prefix=(), state=None, **run):
    """colony serve, run to its end; for what ends by itself."""
    return subprocess.run([*prefix, BINARY, "serve", "--config", colony.config, "--state",
                           state or colony.state, *args], capture_output=True, text=True,
                          timeout=30, **run)


def the_line(result, code):
    """The one line on stderr of a command that ended with a code."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert result.stderr.endswith("\n") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr.removeprefix("colony serve: ").rstrip("\n")


def refuse(colony, text):
    """Has serve and check refuse settings; returns what both say after the file's name."""
    if isinstance(text, bytes):
        colony.config.write_bytes(text)
    else:
        colony.write(text)
    line = the_line(serve(colony), 78)
    check = subprocess.run([BINARY, "check", colony.config], capture_output=True, text=True,
                           timeout=30)
    assert the_line(check, 78) == line
    assert not colony.state.exists()
    return line.removeprefix(str(colony.config))


def template(settings):
    return f"processes:\n  it:\n    cmd: sleep 1\n    {settings}\n"


# Settings.

@pytest.mark.parametrize("text, place, says", [
    (template("numproceses: 2"), "4:5", "did you mean `numprocesses`"),
    (template("log: {siz: 1MiB}"), "4:11", "did you mean `size`"),
    (template("rlimits: {nofiles: 10}"), "4:15", "did you mean `nofile`"),
    ("proceses: {}", "1:1", "did you mean `processes`"),
    ("http: {bnd: none}", "1:8", "did you mean `bind`"),
    ("http: {prot: 5000}", "1:8", "did you mean `bind`"),
    (template("enviroment: {A: b}"), "4:5", "did you mean `env`"),
    (template("user: web"), "4:5", "did you mean `uid`"),
    (template("xyzzy: 2"), "4:5", "xyzzy"),
], ids=lambda value: value.split()[-1] if "\n" in value else None)
def test_an_unknown_setting_is_named_with_its_place_and_the_nearest_one(colony, text, place, says):
    line = refuse(colony, text)
    assert line.startswith(f":{place}: ") and says in line


@pytest.mark.parametrize("setting, says", [
    ("numprocesses: many", "`numprocesses`"), ("numprocesses: 1.5", "`numprocesses`"),
    ("numprocesses: [1]", "`numprocesses`"), ("env: [A, B]", "`env`"), ("shell: maybe", "`shell`"),
    ("graceful_timeout: soon", "`graceful_timeout`"), ("graceful_timeout: -1", "`graceful_timeout`"),
    ("stop_signal: SIGNOPE", "`stop_signal`"), ("umask: '999'", "`umask`"), ("nice: 20", "`nice`"),
    ("rlimits: 5", "`rlimits`"), ("rlimits: {nofile: {soft: 5, hard: 4}}", "`nofile`"),
    ("log: some", "`log`"), ("log: {size: 1}", "`size`"), ("cwd: [/]", "`cwd`"),
    ("args: {a: b}", "`args`"), ("args: ['$NOPE']", "`args`"),
])
def test_a_value_of_the_wrong_type_is_named_with_its_place(colony, setting, says):
    line = refuse(colony, template(setting))
    assert re.match(r":4:\d+: cannot use ", line) and says in line


@pytest.mark.parametrize("count", [-1, 10001, "99999999999999999999"])
def test_numprocesses_out_of_range_is_refused(colony, count):
    line = refuse(colony, template(f"numprocesses: {count}"))
    assert line.startswith(":4:5: ") and "`numprocesses`" in line


@pytest.mark.parametrize("name, why", [
    ("a/b", "has a `/`"), ("../x", "has a `/`"), ("/", "has a `/`"), ("..", "means a folder"),
    (".", "means a folder"), ("a\\nb", "control byte"), ("a\\x1b[31m", "control byte"),
    ("a\\x7f", "control byte"), ("123", "only digits"), ("", "empty"), ("n" * 201, "200 bytes"),
])
def test_a_bad_name_is_refused(colony, name, why):
    line = refuse(colony, f'processes:\n  "{name}": {{cmd: sleep 1}}\n')
    assert re.match(r":2:\d+: ", line) and why in line
    assert not re.search(r"[\x00-\x1f\x7f]", line)


def test_a_name_twice_is_refused(colony):
    line = refuse(colony, "processes:\n  - {name: it, cmd: a}\n  - {name: it, cmd: b}\n")
    assert line.startswith(":3:") and "line 2" in line


def test_a_missing_cmd_is_refused(colony):
    line = refuse(colony, "processes:\n  it: {args: [1]}\n")
    assert line.startswith(":2:") and "`cmd`" in line


@pytest.mark.parametrize("data", [b"name: \xff\n", b"processes:\n  it:\n    cmd: \xc3(\n",
                                  b"processes: {\xed\xa0\x80: {cmd: x}}\n", b"a: \x00\n"])
def test_what_is_not_utf_8_is_refused_with_its_place(colony, data):
    assert re.match(r":\d+:\d+: ", refuse(colony, data))


@pytest.mark.parametrize("text", ["[" * 100000, "{a: " * 100000, "- " * 100000,
                                  "[" * 100000 + "]" * 100000,
                                  "".join(" " * i + "a:\n" for i in range(3000))],
                         ids=["lists", "maps", "dashes", "closed", "indented"])
def test_deep_yaml_is_refused(colony, text):
    assert re.match(r":\d+:\d+: ", refuse(colony, text))


def test_aliases_that_multiply_are_refused(colony):
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for i in range(1, 12):
        text += f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n"
    assert re.match(r":\d+:\d+: ", refuse(colony, text))


@pytest.mark.parametrize("text", ["a: b: c\n", "a: [1, 2\n", "\t- x\n", "a: 'open\n", "%YAML 9\n"])
def test_broken_yaml_is_refused_with_its_place(colony, text):
    assert re.match(r":\d+:\d+: ", refuse(colony, text))


def test_missing_settings_are_refused(colony):
    line = the_line(serve(colony), 78)
    assert line == f"cannot open {colony.config}: No such file or directory"


@pytest.mark.parametrize("key", ["uid", "gid"])
def test_an_unknown_user_or_group_is_refused(colony, key):
    line = refuse(colony, template(f"{key}: no-such-name"))
    assert line.startswith(":4:5: ") and "no-such-name" in line


def test_bad_settings_change_nothing_for_processes_that_live(colony):
    colony.start({"processes": {"it": sleeper(numprocesses=2)}})
    before = living(colony)
    kill_both(colony)
    colony.start("processes: {it: {cdm: sleep}}")
    assert f"{colony.config}:1:" in colony.log.read_text() and "cdm" in colony.log.read_text()
    assert living(colony) == before == marked(colony)


# Programs and folders.

def test_a_missing_program_keeps_nothing_else_from_running(colony):
    colony.start({"processes": {"bad": {"cmd": "/nope"}, "good": sleeper()}})
    colony.wait_state("good", "running")
    eventually(lambda: colony.slot("bad")["failure"] == "exec /nope: No such file or directory")


def test_a_cwd_that_goes_later_is_told_and_comes_back(colony):
    cwd = colony.folder / "cwd"
    cwd.mkdir()
    colony.start({"processes": {"it": sleeper(cwd=str(cwd))}})
    first = colony.wait_state("it", "running")["os_pid"]
    cwd.rmdir()
    assert alive(first)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: colony.slot("it")["failure"] == f"chdir {cwd}: No such file or directory")
    cwd.mkdir()
    colony.wait_state("it", "running")


def test_a_port_in_use_is_refused(colony):
    colony.write({"processes": {"it": sleeper()}})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        line = the_line(serve(colony, "--bind", where), 5)
    assert line.startswith(f"cannot listen on {where}: Address already in use")


# The state folder.

def unprivileged(colony):
    """What to start colony with so that it is an ordinary user's; nothing when we are one."""
    if os.geteuid() != 0:
        return []
    os.chown(colony.folder, NOBODY, NOBODY)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def test_a_state_folder_that_cannot_be_written_is_refused(colony):
    colony.write({"processes": {"it": sleeper()}})
    prefix = unprivileged(colony)
    colony.state.mkdir()
    if prefix:
        os.chown(colony.state, NOBODY, NOBODY)
    colony.state.chmod(0o500)
    line = the_line(serve(colony, prefix=prefix), 77)
    assert str(colony.state) in line and line.endswith("Permission denied")


def test_a_state_folder_that_cannot_be_made_is_refused(colony):
    colony.write({"processes": {"it": sleeper()}})
    prefix = unprivileged(colony)
    colony.folder.chmod(0o555)
    try:
        line = the_line(serve(colony, prefix=prefix), 77)
    finally:
        colony.folder.chmod(0o700)
    assert str(colony.state) in line and line.endswith("Permission denied")


def test_a_state_folder_of_another_is_refused(colony):
    colony.write({"processes": {"it": sleeper()}})
    state = "/usr"
    if os.geteuid() == 0:
        colony.state.mkdir()
        os.chown(colony.state, NOBODY, NOBODY)
        state = str(colony.state)
    line = the_line(serve(colony, state=state), 77)
    assert state in line and "must belong to you" in line


def test_a_state_folder_that_others_may_write_is_refused(colony):
    colony.write({"processes": {"it": sleeper()}})
    colony.state.mkdir()
    colony.state.chmod(0o777)
    line = the_line(serve(colony), 77)
    assert str(colony.state) in line and "writable by nobody else" in line


def test_a_state_folder_that_is_a_file_is_refused(colony):
    colony.write({"processes": {"it": sleeper()}})
    colony.state.write_text("")
    assert str(colony.state) in the_line(serve(colony), 1)


def test_a_second_colony_is_told_the_pid_of_the_first(colony):
    colony.start({"processes": {"it": sleeper()}})
    pid = colony.wait_state("it", "running")["os_pid"]
    line = the_line(serve(colony), 5)
    assert f"pid {colony.process.pid} " in line and str(colony.state) in line
    assert colony.answers() and colony.wait_state("it", "running")["os_pid"] == pid


def test_a_relative_state_folder_is_where_colony_was_started(colony):
    absolute, colony.state = colony.state, pathlib.Path("state")
    colony.start({"processes": {"it": sleeper(cwd="/")}}, cwd=colony.folder)
    colony.state = absolute
    before = colony.wait_state("it", "running")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers(), what="a new engine")
    assert colony.wait_state("it", "running")["os_pid"] == before["os_pid"]
    shown = subprocess.run([BINARY, "ctl", "--state", "state", "processes"], cwd=colony.folder,
                           capture_output=True, text=True, check=True, timeout=30)
    assert "it" in shown.stdout


def test_a_very_long_state_folder_has_a_socket_that_works(colony):
    colony.state = colony.folder / ("x" * 150) / ("y" * 150)
    colony.state.parent.mkdir()
    colony.start({"processes": {"it": sleeper()}}, wait=False)
    eventually(lambda: colony.ctl("ps", check=False).returncode == 0, what="an answer")
    folder = os.open(colony.state, os.O_PATH)
    colony.socket = pathlib.Path(f"/proc/self/fd/{folder}/colony.sock")
    try:
        before = colony.wait_state("it", "running")
        engine = colony.engine
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: colony.engine != engine and colony.answers(), what="a new engine")
        assert colony.wait_state("it", "running")["os_pid"] == before["os_pid"]
        assert f"{before['os_pid']}" in colony.ctl("ps").stdout
        assert colony.stop() == 0
        assert not colony.socket.exists()
    finally:
        os.close(folder)


# What was damaged.

def kill_both(colony):
    """Keeper and engine end at the same time, as far as anybody can tell."""
    engine = colony.engine
    fd = os.pidfd_open(engine)
    os.kill(engine, signal.SIGSTOP)
    os.kill(colony.keeper, signal.SIGKILL)
    colony.process.wait()
    os.kill(engine, signal.SIGKILL)
    assert select.select([fd], [], [], 20)[0]
    os.close(fd)


def living(colony):
    """The pids of all slots, once they all run."""
    slots = eventually(lambda: (lambda slots: all(slot["state"] == "running" for slot in slots)
                                and slots)(colony.slots()), what="all running")
    return {slot["os_pid"] for slot in slots}


def marked(colony):
    """The pids of all processes that bear this colony's mark."""
    mark = b"COLONY_ID=" + (colony.state / "instance").read_bytes() + b"/"
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if pathlib.Path(f"/proc/{pid}/environ").read_bytes().find(mark) >= 0 \
                    and alive(int(pid)):
                found.add(int(pid))
    return found


HEADER = 4096  # bytes of the table's header; the record's size is at 12


def flip(data, at, bit=0):
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


def record_of(data, name):
    """(offset of the record, offset of its pid) of a template's first slot."""
    size, = struct.unpack_from("<I", data, 12)
    start = next(at for at in range(HEADER, len(data), size)
                 if data.find(name.encode() + b"\0", at, at + size) >= 0)
    return start, size


def start_ticks(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])


def in_record(find):
    """A damage at the place that @find tells of in the record of `one`."""
    def damage(data, pid):
        start, size = record_of(data, "one")
        return flip(data, start + find(data[start:start + size], pid))

    return damage


DAMAGES = {"file": {
    "empty": lambda data, pid: b"",
    "short": lambda data, pid: data[:100],
    "half a record": lambda data, pid: data[:HEADER + 100],
    "longer": lambda data, pid: data + b"x" * 1000,
    "noise": lambda data, pid: os.urandom(len(data)),
    "zeros": lambda data, pid: bytes(len(data)),
    "noise in the records": lambda data, pid: data[:HEADER] + os.urandom(8192) +
                                              data[HEADER + 8192:],
    "magic": lambda data, pid: flip(data, 0),
    "instance": lambda data, pid: flip(data, 24),
}, "record": {
    "id": in_record(lambda record, pid: 0),
    "name": in_record(lambda record, pid: record.index(b"one\0")),
    "pid": in_record(lambda record, pid: record.rindex(struct.pack("<i", pid))),
    "start": in_record(lambda record, pid: record.index(struct.pack("<Q", start_ticks(pid)))),
}}


@pytest.mark.parametrize("part", ["file", "record"])
def test_a_damaged_table_doubles_and_loses_nothing(colony, part):
    settings = {"processes": {"one": sleeper(), "two": sleeper(numprocesses=2)}}
    colony.start(settings)
    before = living(colony)
    pid = colony.slot("one")["os_pid"]
    table = colony.state / "table"
    for name, damage in DAMAGES[part].items():
        kill_both(colony)
        table.write_bytes(damage(table.read_bytes(), pid))
        colony.start(settings)
        assert living(colony) == before == marked(colony), name
    assert colony.stop() == 0
    assert marked(colony) == set()


def test_a_removed_table_doubles_and_loses_nothing(colony):
    settings = {"processes": {"one": sleeper(), "two": sleeper(numprocesses=2)}}
    colony.start(settings)
    before = living(colony)
    kill_both(colony)
    (colony.state / "table").unlink()
    colony.start(settings)
    assert living(colony) == before == marked(colony)


def test_output_goes_on_after_the_table_was_damaged(colony):
    script = "i=0; while :; do echo $i; i=$((i + 1)); sleep 0.01; done".replace("$", "$$")
    settings = {"processes": {"it": {"cmd": "sh", "args": ["-c", script]}}}
    colony.start(settings)
    eventually(lambda: colony.output("it").count(b"\n") > 10)
    kill_both(colony)
    (colony.state / "table").write_bytes(b"")
    colony.start(settings)
    count = colony.output("it").count(b"\n")
    eventually(lambda: colony.output("it").count(b"\n") > count + 10)
    numbers = [int(line) for line in colony.output("it").splitlines()[:count]]
    assert numbers == list(range(count))


def test_a_stray_is_not_taken_for_its_leader_when_the_table_was_damaged(colony):
    script = "setsid setsid sleep 1000 & echo $!; exec sleep 1000".replace("$", "$$")
    settings = {"processes": {"it": {"cmd": "sh", "args": ["-c", script]}}}
    colony.start(settings)
    before = living(colony)
    forker = int(eventually(lambda: colony.output("it")))  # of the two setsid, one forks and ends
    eventually(lambda: not alive(forker) and len(marked(colony)) == 2, what="leader and stray")
    kill_both(colony)
    (colony.state / "table").write_bytes(b"")
    colony.start(settings)
    assert living(colony) == before
    assert colony.http("POST", "/processes/it/_stop?wait=true").status == 200
    assert marked(colony) == set()


def test_a_damaged_instance_doubles_and_loses_nothing(colony):
    script = "setsid sleep 1000 & echo $!; exec sleep 1000".replace("$", "$$")
    settings = {"processes": {"it": {"cmd": "sh", "args": ["-c", script],
                                     "graceful_timeout": 1}}}
    colony.start(settings)
    before = living(colony)
    stray = int(eventually(lambda: colony.output("it")))
    # While a program is begun, it has no environment for a moment.
    family = eventually(lambda: len(both := marked(colony)) == 2 and both, what="leader and stray")
    path = colony.state / "instance"
    good = path.read_bytes()
    for bad in (b"", b"garbage", b"\xff" * 16, b"0123456789abcdef", good + b"x", None):
        kill_both(colony)
        path.unlink()
        if bad is not None:
            path.write_bytes(bad)
        colony.start(settings)
        assert living(colony) == before, bad
        assert path.read_bytes()[:16] == good, bad
    assert marked(colony) == family and stray in family
    assert colony.http("POST", "/processes/it/_stop?wait=true").status == 200
    assert marked(colony) == set()


# What has run out.

@pytest.fixture
def small_disk(colony):
    """A state folder on a file system of its own; makes functions that fill and free it."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small tmpfs")
    colony.state.mkdir(mode=0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "colony-test",
                       colony.state], check=False).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    ballast = colony.state / "ballast"

    class Disk:
        @staticmethod
        def fill():
            with open(ballast, "ab", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

        @staticmethod
        def free():
            ballast.unlink()

    yield Disk
    with contextlib.suppress(Exception):
        colony.stop(5)
    subprocess.run(["umount", "-l", colony.state], check=True)


COUNTING = """
import os, sys, time
for i in range(int(sys.argv[1])):
    os.write(1, b"%06d\\n" % i)
    time.sleep(0.001)
os.write(1, b"end\\n")
time.sleep(1000)
"""


def counter(count, **log):
    return {"cmd": "/usr/bin/python3", "args": ["-c", COUNTING, str(count)], "log": log}


def test_on_a_full_disk_what_lives_on_is_taken_over_with_the_settings_applied_last(colony, small_disk):
    sleeper = {"processes": {"it": {"cmd": "sleep", "args": ["1000"]}}}
    colony.start(sleeper)
    colony.wait_state("it", "running")
    before = colony.slot("it")["os_pid"]
    colony.kill_both()
    small_disk.fill()
    sleeper["processes"]["more"] = {"cmd": "sleep", "args": ["2000"]}
    colony.start(sleeper)
    assert [(slot["name"], slot["os_pid"]) for slot in colony.slots()] == [("it", before)]
    told = colony.log.read_text()
    assert "No space left on device: goes on with the settings applied last" in told
    small_disk.free()
    colony.ctl("reload")
    colony.wait_state("more", "running")
    assert colony.slot("it")["os_pid"] == before


def test_on_a_full_disk_processes_go_on_and_what_is_dropped_is_counted(colony, small_disk):
    colony.start({"processes": {"it": counter(1500)}})
    eventually(lambda: colony.output("it").count(b"\n") > 200)
    pid = colony.slot("it")["os_pid"]
    small_disk.fill()
    eventually(lambda: colony.slot("it")["output"] == "dropping", what="dropping")
    eventually(lambda: colony.slot("it")["dropped_lines"] > 100)
    size = len(colony.output("it"))
    began = time.monotonic()
    small_disk.free()
    eventually(lambda: len(colony.output("it")) > size, what="writing again")
    assert time.monotonic() - began < 5
    eventually(lambda: colony.output("it").endswith(b"end\n"))
    slot = colony.slot("it")
    assert (slot["os_pid"], slot["output"]) == (pid, "captured")
    assert len(colony.output("it")) + slot["dropped_bytes"] == 1500 * 7 + 4
    assert colony.output("it").count(b"\n") + slot["dropped_lines"] == 1501
    assert re.search(r"dropped [\d.]+[BKMG] of output", colony.ctl("ps").stdout)  # --json has it to the byte


def test_on_a_full_disk_a_process_waits_and_loses_nothing_if_it_shall(colony, small_disk):
    colony.start({"processes": {"it": counter(1500, on_full="block")}})
    eventually(lambda: colony.output("it").count(b"\n") > 200)
    small_disk.fill()
    eventually(lambda: colony.slot("it")["output"] == "blocked", what="blocked")
    size = len(colony.output("it"))
    began = time.monotonic()
    small_disk.free()
    eventually(lambda: len(colony.output("it")) > size, what="writing again")
    assert time.monotonic() - began < 5
    eventually(lambda: colony.output("it").endswith(b"end\n"))
    assert colony.output("it") == b"".join(b"%06d\n" % i for i in range(1500)) + b"end\n"
    assert colony.slot("it")["dropped_bytes"] == 0


def test_on_a_full_disk_processes_are_started_and_stopped(colony, small_disk):
    colony.start({"processes": {"it": sleeper(), "later": sleeper(start=False)}})
    first = colony.wait_state("it", "running")["os_pid"]
    small_disk.fill()
    os.kill(first, signal.SIGKILL)
    eventually(lambda: colony.slot("it")["os_pid"] not in (None, first), what="a restart")
    started = colony.ctl("start", "later", check=False)
    assert started.returncode == 1 and "the disk is full: free some space" in started.stderr
    colony.wait_state("later", "running")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers(), what="a new engine")
    pids = living(colony)
    assert colony.stop() == 0
    assert not any(map(alive, pids))


def test_a_disk_that_is_full_from_the_start_is_told(colony, small_disk):
    small_disk.fill()
    colony.write({"processes": {"it": sleeper()}})
    line = the_line(serve(colony), 1)
    assert "No space left on device" in line


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def test_more_processes_than_descriptors_allow_are_refused_with_the_number(colony):
    colony.start({"processes": {"many": sleeper(numprocesses=40)}}, preexec_fn=few_descriptors)
    slots = eventually(lambda: (lambda slots: any(s["state"] == "running" for s in slots) and
                                all(s["state"] in ("running", "backoff") for s in slots) and
                                slots)(colony.slots()), what="all decided")
    count = sum(slot["state"] == "running" for slot in slots)
    assert 1 <= count < 40
    for slot in slots:
        if slot["state"] != "running":
            assert f"{count} processes run, as many as descriptors allow" in slot["failure"]
    assert f"{count} processes run" in colony.log.read_text()


def test_with_few_descriptors_everything_else_works(colony):
    colony.start({"processes": {"many": sleeper(numprocesses=40)}}, preexec_fn=few_descriptors)
    eventually(lambda: all(s["state"] in ("running", "backoff") for s in colony.slots()))
    running = [slot for slot in colony.slots() if slot["state"] == "running"]
    first = running[0]
    os.kill(first["os_pid"], signal.SIGKILL)
    eventually(lambda: not alive(first["os_pid"]) and
               sum(slot["state"] == "running" for slot in colony.slots()) == len(running) and
               first["os_pid"] not in {slot["os_pid"] for slot in colony.slots()},
               what="another in its place")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers(), what="a new engine")
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(0)
            with contextlib.suppress(OSError):
                client.connect(str(colony.socket))
        pids = {slot["os_pid"] for slot in running[1:]}
        assert all(map(alive, pids))
    eventually(colony.answers, what="an answer")
    assert colony.ctl("stop", "many").returncode == 0
    eventually(lambda: all(slot["state"] == "stopped" for slot in colony.slots()))
    assert not any(map(alive, pids))


def test_a_place_that_is_given_up_is_taken_by_another(colony):
    colony.start({"processes": {"many": sleeper(numprocesses=40), "one": sleeper(start=False)}},
                 preexec_fn=few_descriptors)
    eventually(lambda: any(slot["state"] == "running" for slot in colony.slots()))
    colony.ctl("start", "one")
    eventually(lambda: "as many as descriptors allow" in colony.slot("one")["failure"])
    assert colony.http("POST", "/processes/many/_stop?wait=true").status == 200
    colony.ctl("start", "one")
    colony.wait_state("one", "running")
