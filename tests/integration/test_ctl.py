# SPDX-License-Identifier: Apache-2.0
"""colony ctl, colony check and the table of commands, on the real binary."""
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

COLONY = os.environ.get("COLONY", "build/colony")

PROCESSES = {
    "processes": {
        "web": {"cmd": "sh", "args": ["-c", "echo hello from web; exec sleep 1000"]},
        "worker": {"cmd": "sleep", "args": ["1000"], "numprocesses": 2},
        "idle": {"cmd": "sleep", "args": ["1000"], "start": False},
    }
}


def run(*args, env=None, **kwargs):
    """The binary, with an environment in which no colony is found by chance."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("COLONY", "XDG_"))}
    return subprocess.run([COLONY, *args], env={**clean, **(env or {})}, text=True,
                          stdin=subprocess.DEVNULL, timeout=60,
                          **({"capture_output": True} | kwargs))


def run_on_terminal(*args, env=None, columns=0):
    """What the command prints on a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen([COLONY, *args], stdout=slave, stderr=slave,
                               env={**clean, "TERM": "xterm", **(env or {})})
    os.close(slave)
    text = b""
    with contextlib.suppress(OSError):  # EIO: the end
        while select.select([master], [], [], 20)[0]:
            piece = os.read(master, 65536)
            if not piece:
                break
            text += piece
    os.close(master)
    assert process.wait(timeout=20) == 0
    return text.decode()


def wait_for(what, seconds=20):
    """Asks @what until it is true, and gives its answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def state_of(colony, name):
    return {slot["state"] for slot in json.loads(colony.ctl("ps", name, "--json").stdout)}


def one_line(text):
    return text.endswith("\n") and text.count("\n") == 1


@contextlib.contextmanager
def liar(path, answer, hold=False):
    """A server that says @answer to whatever it is asked."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)
    held = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.recv(65536)
                with contextlib.suppress(OSError):  # it may hang up before the end
                    connection.sendall(answer)
                if hold:
                    held.append(connection)
                else:
                    connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"unix:{path}"
    finally:
        listener.close()
        for connection in held:
            connection.close()


def http_answer(body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


# The table of commands


def test_help_lists_the_commands_that_exist():
    out = run("--help")
    assert out.returncode == 0 and out.stderr == ""
    for name in ("serve", "ctl", "check", "help", "version"):
        assert f"\n  {name} " in out.stdout
    assert "keeper" not in out.stdout and "engine" not in out.stdout
    assert run("help").stdout == out.stdout


def test_version_is_that_of_the_file():
    version = (pathlib.Path(__file__).parents[2] / "VERSION").read_text().strip()
    assert run("--version").stdout == run("version").stdout == f"colony {version}\n"


def test_a_misspelt_command_gets_the_nearest():
    out = run("srve")
    assert out.returncode == 2 and one_line(out.stderr)
    assert "did you mean serve?" in out.stderr


@pytest.mark.parametrize("args, says", [
    (("ps",), "no such command: ps: did you mean colony ctl ps?"),
    (("ctl", "top"), "no such action: top: did you mean colony top?"),
    (("ctl", "show"), "no such action: show: see colony ctl --help"),
    (("run",), "no such command: run: see colony --help"),
])
def test_what_is_no_slip_of_the_pen_gets_no_wild_guess(args, says):
    assert says in run(*args, check=False).stderr


def test_no_command_is_a_usage_error():
    out = run()
    assert out.returncode == 2 and one_line(out.stderr) and "--help" in out.stderr


def test_a_symlink_is_its_command(tmp_path):
    link = tmp_path / "colony-ctl"
    link.symlink_to(pathlib.Path(COLONY).resolve())
    out = subprocess.run([link, "--help"], capture_output=True, text=True, timeout=20)
    assert out.returncode == 0 and out.stdout == run("ctl", "--help").stdout


def test_a_program_on_path_is_a_command(tmp_path):
    program = tmp_path / "colony-hello"
    program.write_text('#!/bin/sh\necho "hello $*"\n')
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert run("hello", "a", "b", env=env).stdout == "hello a b\n"
    assert run("help", "hello", env=env).stdout == "hello --help\n"


@pytest.mark.parametrize("args", [("serve",), ("check",), ("version",), ("help",), ("ctl",),
                                  ("ctl", "ps"), ("ctl", "kill"), ("ctl", "logs")])
def test_every_command_has_help(args):
    out = run(*args, "--help")
    assert out.returncode == 0 and out.stderr == ""
    assert out.stdout.startswith(f"usage: colony {' '.join(args)}") and "--help" in out.stdout
    if args != ("version",):
        assert "\nexamples:\n  colony " in out.stdout
    if args != ("help",):
        assert run("help", *args, env={"PATH": "/nonexistent"}).stdout == out.stdout  # no man(1)


def test_output_that_cannot_be_written_is_noticed():
    with open("/dev/full", "w") as full:
        out = run("--help", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert out.returncode == 1 and "cannot write to standard output" in out.stderr


@pytest.mark.parametrize("args", [("--help",), ("ctl", "--help"), ("completion", "bash")])
def test_who_has_read_enough_hears_no_complaint(args):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        out = run(*args, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert out.stderr == ""
    assert out.returncode == -signal.SIGPIPE  # as of any other program


# What is typed wrong


@pytest.mark.parametrize("args", [
    ("ctl",), ("ctl", "nonsense"), ("ctl", "start"), ("ctl", "stop"), ("ctl", "pids"),
    ("ctl", "kill"), ("ctl", "logs"), ("ctl", "why", "a", "b"), ("ctl", "groups", "x"),
    ("ctl", "logs", "-f", "a", "b"),
    ("ctl", "pids", "a", "b"), ("ctl", "ps", "--nonsense"), ("ctl", "ps", "--json=yes"),
    ("ctl", "logs", "-n", "many", "web"), ("ctl", "logs", "-n", "-3", "web"), ("ctl", "logs", "web", "-n"), ("ctl", "-x", "ps"),
    ("ctl", "stop", "web", "--timeout", "soon"), ("ctl", "--endpoint", "gopher://x", "ps"),
    ("ctl", "--endpoint", "http://h:99999", "ps"), ("check",),
    ("check", "--nonsense"), ("version", "x"),
])
def test_a_usage_error_is_one_line_and_exit_2(args):
    out = run(*args)
    assert out.returncode == 2, out
    assert out.stdout == "" and one_line(out.stderr) and out.stderr.startswith("colony ")


def test_a_misspelt_action_gets_the_nearest():
    assert "did you mean restart?" in run("ctl", "restrat", "web").stderr


def test_a_misspelt_option_gets_the_nearest():
    assert "did you mean --json?" in run("ctl", "ps", "--jsno").stderr


def test_a_beginning_stands_for_the_option_that_alone_has_it(tmp_path):
    (tmp_path / "a.yaml").write_text("processes: {a: {cmd: x}}")
    assert run("check", "--hel").stdout.startswith("usage: colony check")
    assert run("ctl", "--sta", str(tmp_path), "ps").returncode == 69
    assert run("ctl", f"--sta={tmp_path}", "ps").returncode == 69
    out = run("ctl", "ps", "--h")
    assert out.returncode == 0 and out.stdout.startswith("usage: colony ctl ps")
    out = run("ctl", "add_process", "web", "sleep 9", "--redirect=out")
    assert out.returncode == 2 and "--redirect-output or --redirect-input?" in out.stderr
    assert run("ctl", "ps", "--=x").returncode == run("ctl", "ps", "--jsonx").returncode == 2


def test_too_few_arguments_show_the_usage():
    assert "usage: colony ctl start [OPTION...] NAME|GROUP:*..." in run("ctl", "start").stderr


# Nobody there, or somebody else


def test_no_socket_is_exit_69_and_says_what_to_do(tmp_path):
    out = run("ctl", "--state", str(tmp_path), "ps")
    assert out.returncode == 69 and one_line(out.stderr)
    assert out.stderr == (f"colony ctl: cannot reach colony at unix:{tmp_path}/colony.sock: "
                          "No such file or directory: is `colony serve` running?\n")


def test_a_refused_connection_is_exit_69(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        out = run("ctl", "--endpoint", f"http://127.0.0.1:{port}", "ps")
    assert out.returncode == 69 and "Connection refused" in out.stderr


@pytest.mark.parametrize("answer", [
    b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\nContent-Le",
    b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[]",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 300000, http_answer("<html>"),
    http_answer("[" * 5000 + "]" * 5000),
], ids=["nothing", "ssh", "half a head", "half a body", "bad chunk", "upgrade", "long head",
        "html", "deep"])
def test_what_is_not_an_answer_of_colonys_is_exit_69(tmp_path, answer):
    with liar(tmp_path / "s", answer) as endpoint:
        for args in (("ps",), ("tree",), ("status", "web"), ("stop", "web")):
            out = run("ctl", "--endpoint", endpoint, *args)
            assert out.returncode == 69 and one_line(out.stderr)


@pytest.mark.parametrize("status, body, code", [
    ("400 Bad", '{"error":"bad_value"}', 2), ("409 C", '{"error":"not_running"}', 3),
    ("404 N", "{}", 4), ("409 C", '{"error":"conflict","reason":"it is there"}', 5),
    ("500 E", "", 1), ("403 F", '{"error":"forbidden","reason":"no"}', 77),
    ("408 T", '{"error":"timeout"}', 75), ("503 S", '{"error":"shutting_down"}', 3),
])
def test_an_error_becomes_its_exit_code(tmp_path, status, body, code):
    with liar(tmp_path / "s", http_answer(body, status)) as endpoint:
        out = run("ctl", "--endpoint", endpoint, "stop", "web")
    assert out.returncode == code and one_line(out.stderr)
    assert out.stderr.startswith("colony ctl: cannot stop web")


def test_control_bytes_never_reach_the_terminal(tmp_path):
    slots = json.dumps([{"name": "a\x1b[31mb", "state": "x\x07", "failure": "\x9bevil"}])
    with liar(tmp_path / "s", http_answer(slots)) as endpoint:
        out = run("ctl", "--endpoint", endpoint, "ps")
    assert out.returncode == 0 and "a?[31mb" in out.stdout
    assert not any(ord(c) < 32 and c != "\n" or 0x7F <= ord(c) < 0xA0 for c in out.stdout)


def test_columns_line_up_with_wide_letters(tmp_path):
    slots = json.dumps([{"name": "日本", "slot": 1, "state": "s"},
                        {"name": "wörk", "slot": 1, "state": "s"}], ensure_ascii=False)
    with liar(tmp_path / "s", b"HTTP/1.0 200 OK\r\n\r\n" + slots.encode()) as endpoint:
        lines = run("ctl", "--endpoint", endpoint, "ps").stdout.splitlines()
    assert lines[0].startswith("NAME  SLOT") and lines[1].startswith("日本  1")
    assert lines[2].startswith("wörk  1")


def test_the_endpoint_may_come_from_the_environment(tmp_path):
    with liar(tmp_path / "s", http_answer('["web"]')) as endpoint:
        assert run("ctl", "processes", env={"COLONY_ENDPOINT": endpoint}).stdout == "web\n"


def test_a_path_too_long_for_a_socket_address_is_reached(tmp_path):
    folder = tmp_path / ("d" * 150)
    folder.mkdir()
    with liar(tmp_path / "s", http_answer('["web"]')):
        (folder / "colony.sock").symlink_to(tmp_path / "s")
        assert run("ctl", "--state", str(folder), "processes").stdout == "web\n"


def test_a_wait_that_takes_too_long_is_exit_75(tmp_path):
    with liar(tmp_path / "s", http_answer('{"ok":true}'), hold=True) as endpoint:
        out = run("ctl", "--endpoint", endpoint, "shutdown", "--timeout", "200ms")
    assert out.returncode == 75 and one_line(out.stderr)


# check


def test_check_says_ok_and_how_many_templates(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(json.dumps(PROCESSES))  # JSON is YAML
    out = run("check", str(file))
    assert (out.returncode, out.stdout) == (0, f"{file}: ok (3 templates)\n")
    told = json.loads(run("check", "--json", str(file)).stdout)
    assert told == {"ok": True, "file": str(file), "templates": ["web", "worker", "idle"],
                    "files": [str(file)]}


def test_check_points_at_the_place_and_exits_78(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("processes:\n  web:\n    cdm: sleep 1\n")
    out = run("check", str(file))
    assert out.returncode == 78 and out.stdout == "" and one_line(out.stderr)
    assert out.stderr.startswith(f"{file}:") and "cmd" in out.stderr
    out = run("check", "--json", str(file))
    assert out.returncode == 78 and out.stderr == ""
    told = json.loads(out.stdout)
    assert told["ok"] is False and told["error"].startswith(f"{file}:")


def test_check_of_no_file_is_exit_78(tmp_path):
    out = run("check", str(tmp_path / "none.yaml"))
    assert out.returncode == 78 and one_line(out.stderr)
    assert "No such file or directory" in out.stderr


# A running colony


def test_ps_shows_every_slot(colony):
    colony.start(PROCESSES)
    wait_for(lambda: state_of(colony, "worker") == {"running"})
    lines = colony.ctl("ps").stdout.splitlines()
    assert lines[0].split()[:9] == ["NAME", "SLOT", "ID", "PID", "STATE", "UPTIME", "CPU", "MEM",
                                    "RESTARTS"]
    assert sorted(line.split()[0] for line in lines[1:]) == ["idle", "web", "worker", "worker"]
    only = colony.ctl("ps", "worker").stdout.splitlines()[1:]
    assert [line.split()[1] for line in only] == ["1", "2"]
    slots = json.loads(colony.ctl("ps", "--json", "worker").stdout)
    assert [slot["slot"] for slot in slots] == [1, 2]
    assert {"name", "id", "os_pid", "state", "uptime", "restarts", "last_exit"} <= set(slots[0])


def test_ps_is_coloured_on_a_terminal_only(colony):
    colony.start(PROCESSES)
    wait_for(lambda: state_of(colony, "web") == {"running"})
    where = ("ctl", "--state", str(colony.state), "ps", "web")
    assert "\033" not in run(*where).stdout
    assert "\033[32mrunning\033[0m" in run_on_terminal(*where)
    assert "\033" not in run_on_terminal(*where, env={"NO_COLOR": "1"})
    assert "\033" not in run_on_terminal(*where, env={"TERM": "dumb"})


def test_processes_lists_names(colony):
    colony.start(PROCESSES)
    assert colony.ctl("processes").stdout.split() == ["web", "worker", "idle"]
    assert json.loads(colony.ctl("processes", "--json").stdout) == ["web", "worker", "idle"]


def test_a_misspelt_name_gets_the_nearest_and_exit_4(colony):
    colony.start(PROCESSES)
    for args in (("ps", "wrker"), ("status", "wrker"), ("start", "wrker"), ("stop", "wrker"),
                 ("restart", "wrker"), ("pids", "wrker"), ("kill", "wrker"), ("logs", "wrker")):
        out = colony.ctl(*args, check=False)
        assert out.returncode == 4 and one_line(out.stderr), args
        assert "did you mean worker?" in out.stderr, args


def test_status_tells_and_is_3_when_not_running(colony):
    colony.start(PROCESSES)
    wait_for(lambda: state_of(colony, "worker") == {"running"})
    assert colony.ctl("status", "worker").stdout.startswith("worker: running, 2 of 2 processes\n")
    told = json.loads(colony.ctl("status", "worker", "--json").stdout)
    assert told["running"] == told["numprocesses"] == told["max_processes"] == 2
    out = colony.ctl("status", "idle", check=False)
    assert out.returncode == 3 and out.stdout.startswith("idle: stopped")
    everything = json.loads(colony.ctl("status", "--json").stdout)
    assert [one["name"] for one in everything] == ["web", "worker", "idle"]


def test_status_is_3_when_something_is_wrong(colony):
    colony.start({"processes": {
        "job": {"cmd": "true", "restart": "never"}, "nightly": {"cmd": "true", "schedule": {"cron": "@yearly"}},
        "idle": {"cmd": "sleep 1000", "start": False}, "none": {"cmd": "sleep 1000", "numprocesses": 0}}})
    wait_for(lambda: state_of(colony, "job") == {"completed"} and state_of(colony, "nightly") == {"waiting"})
    assert colony.ctl("status", "job").stdout.startswith("job: completed, 0 of 1 process\n")
    colony.ctl("status", "nightly", "job", "--json")
    everything = colony.ctl("status").stdout  # what was not to start is as it was to be
    assert "idle: stopped, 0 of 1 process\n" in everything
    colony.ctl("status", "--json")
    for name in ("idle", "none"):
        assert colony.ctl("status", name, check=False).returncode == 3
    crash = {"name": "crash", "cmd": "false", "restart": {"first_delay": 60, "delay": 60}}
    assert colony.http("POST", "/processes", json.dumps(crash)).status == 200
    wait_for(lambda: state_of(colony, "crash") == {"backoff"})
    for args in ((), ("--json",), ("crash",), ("job", "crash")):
        assert colony.ctl("status", *args, check=False).returncode == 3


def test_stop_waits_and_start_runs_again(colony):
    colony.start(PROCESSES)
    wait_for(lambda: state_of(colony, "web") == {"running"})
    assert colony.ctl("stop", "web").stdout == "web: stopped\n"
    assert colony.ctl("status", "web", check=False).returncode == 3
    assert colony.ctl("start", "web").stdout == "web: starting\n"
    wait_for(lambda: state_of(colony, "web") == {"running"})


def test_stop_tells_what_had_to_be_killed(colony):
    colony.start({"processes": {"stubborn": {
        "cmd": "sh", "args": ["-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"],
        "graceful_timeout": 0.3}}})
    wait_for(lambda: "up" in colony.ctl("logs", "stubborn").stdout)
    assert "had to be killed" in colony.ctl("stop", "stubborn").stdout


def test_stop_goes_on_after_a_name_that_does_not_exist(colony):
    colony.start(PROCESSES)
    wait_for(lambda: state_of(colony, "web") == {"running"})
    out = colony.ctl("stop", "nobody-at-all", "web", check=False)
    assert out.returncode == 4 and out.stdout == "web: stopped\n"


def test_restart_gives_new_processes(colony):
    colony.start(PROCESSES)
    wait_for(lambda: state_of(colony, "worker") == {"running"})
    before = set(colony.ctl("pids", "worker").stdout.split())
    assert colony.ctl("restart", "worker").stdout.startswith("worker: restarted")
    wait_for(lambda: state_of(colony, "worker") == {"running"})
    after = set(colony.ctl("pids", "worker").stdout.split())
    assert len(after) == 2 and not before & after


def test_pids_are_ids(colony):
    colony.start(PROCESSES)
    wait_for(lambda: state_of(colony, "worker") == {"running"})
    told = json.loads(colony.ctl("pids", "worker", "--json").stdout)
    assert told["ok"] is True and len(told["pids"]) == 2
    assert [str(pid) for pid in told["pids"]] == colony.ctl("pids", "worker").stdout.split()


@pytest.mark.parametrize("args", [("catch", "USR1"), ("USR1", "catch"), ("-s", "USR1", "catch"),
                                  ("-USR1", "catch"), ("-10", "catch"), ("catch", "SIGUSR1"),
                                  ("--signal=10", "catch")])
def test_kill_takes_every_form_of_a_signal(colony, args):
    colony.start({"processes": {"catch": {
        "cmd": "sh",
        "args": ["-c", "trap 'echo got it' USR1; echo up; while :; do sleep 0.05; done"]}}})
    wait_for(lambda: "up" in colony.ctl("logs", "catch").stdout)
    assert colony.ctl("kill", *args).stdout == "catch: sent SIGUSR1\n"
    wait_for(lambda: "got it" in colony.ctl("logs", "catch").stdout)


def test_kill_by_id_hits_that_one(colony):
    colony.start(PROCESSES)
    wait_for(lambda: state_of(colony, "worker") == {"running"})
    one, other = colony.ctl("pids", "worker").stdout.split()
    assert colony.ctl("kill", "-9", one).stdout == f"{one}: sent SIGKILL\n"
    wait_for(lambda: one not in colony.ctl("pids", "worker").stdout.split())
    assert other in colony.ctl("pids", "worker").stdout.split()


def test_kill_with_no_such_signal_is_exit_2(colony):
    colony.start(PROCESSES)
    out = colony.ctl("kill", "web", "SIGNONSENSE", check=False)
    assert out.returncode == 2 and one_line(out.stderr)


def test_logs_gives_the_last_lines(colony):
    colony.start({"processes": {"count": {
        "cmd": "sh", "args": ["-c", "seq 1 50; exec sleep 1000"]}}})
    wait_for(lambda: colony.ctl("logs", "count").stdout.endswith("50\n"))
    assert colony.ctl("logs", "-n", "3", "count").stdout == "48\n49\n50\n"
    assert colony.ctl("logs", "count", "--lines=2", "--slot", "1").stdout == "49\n50\n"
    assert len(colony.ctl("logs", "count", "-n", "all").stdout.splitlines()) == 50
    out = colony.ctl("logs", "count", "-n", "al", check=False)
    assert out.returncode == 2 and "--lines: neither a number nor all: al" in out.stderr


def heed_interrupts():
    """What a shell starts in the background does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_logs_follows_what_is_written(colony):
    colony.start({"processes": {"count": {
        "cmd": "sh", "args": ["-c", "i=0; while :; do i=$$((i+1)); echo $$i; sleep 0.1; done"]}}})
    wait_for(lambda: colony.ctl("logs", "count").stdout)
    follower = subprocess.Popen([COLONY, "ctl", "--state", str(colony.state), "logs", "-f",
                                 "count"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                preexec_fn=heed_interrupts)
    try:
        numbers = [int(follower.stdout.readline()) for _ in range(10)]
        assert numbers == list(range(numbers[0], numbers[0] + 10))
    finally:
        follower.send_signal(signal.SIGINT)
    assert follower.communicate(timeout=20)[1] == b""


def test_logs_ends_quietly_when_its_reader_has_gone(colony):
    colony.start(PROCESSES)
    wait_for(lambda: "hello" in colony.ctl("logs", "web").stdout)
    follower = subprocess.Popen([COLONY, "ctl", "--state", str(colony.state), "logs", "-f", "web"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert follower.stdout.readline() == b"hello from web\n"
    follower.stdout.close()  # and nothing more is ever written
    assert follower.wait(timeout=20) == 0
    assert follower.stderr.read() == b""
    follower.stderr.close()


def test_tree_shows_children_below_their_process(colony):
    colony.start({"processes": {"family": {
        "cmd": "sh", "args": ["-c", "sleep 1001 & echo up; wait"]}}})
    wait_for(lambda: "up" in colony.ctl("logs", "family").stdout)
    wait_for(lambda: "sleep 1001\n" in colony.ctl("tree").stdout)
    lines = colony.ctl("tree", env={"LC_ALL": "C"}).stdout.splitlines()
    assert lines[0] == "family" and lines[1] == "`- slot 1: running"
    assert lines[2].startswith("   `- ") and "sh -c" in lines[2]
    assert lines[3].startswith("      `- ") and lines[3].endswith("sleep 1001")
    tree = json.loads(colony.ctl("tree", "--json").stdout)
    process = tree[0]["slots"][0]["processes"][0]
    assert process["children"][0]["command"].endswith("sleep 1001")


def test_shutdown_returns_when_colony_is_gone(colony):
    colony.start(PROCESSES)
    wait_for(lambda: state_of(colony, "web") == {"running"})
    pids = [slot["os_pid"] for slot in json.loads(colony.ctl("ps", "--json").stdout)
            if slot["os_pid"]]
    assert "has shut down" in colony.ctl("shutdown").stdout
    assert colony.ctl("ps", check=False).returncode == 69
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def test_a_program_that_does_not_exist_is_told(colony):
    colony.start({"processes": {"broken": {"cmd": "/no/such/program"}}})
    wait_for(lambda: "/no/such/program" in colony.ctl("ps", "broken").stdout
             or "No such file" in colony.ctl("ps", "broken").stdout)
