# SPDX-License-Identifier: Apache-2.0
"""`colony app start` and `run`: an application of a Procfile, in the foreground."""

import contextlib
import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import time

import pytest

from conftest import BINARY, DEADLINE, alive, children, eventually

LINE = re.compile(r"^(\d\d:\d\d:\d\d) (\S+) +\| (.*)$")
TRAP = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"


class App:
    """A folder with a Procfile, and what runs of it."""

    def __init__(self, folder):
        self.folder = folder / "shop"
        self.folder.mkdir()
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.env = {**os.environ, "TMPDIR": str(self.temporary)}
        self.env.pop("PORT", None)
        self.env.pop("NO_COLOR", None)
        self.running = []

    def write(self, procfile, **files):
        (self.folder / "Procfile").write_text(procfile)
        for name, text in files.items():
            (self.folder / name).write_text(text)
        return self

    def run(self, *words, seconds=DEADLINE * 2, **more):
        more = {"cwd": self.folder, "env": self.env, **more}
        return subprocess.run([BINARY, "app", *map(str, words)], capture_output=True, text=True,
                              timeout=seconds, **more)

    def start(self, *words, **more):
        more = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "cwd": self.folder,
                "env": self.env, **more}
        process = subprocess.Popen([BINARY, "app", "start", *map(str, words)],
                                   stdin=subprocess.DEVNULL, **more)
        self.running.append(process)
        return process

    def left(self):
        """Folders, and processes of them."""
        return os.listdir(self.temporary)

    def clear(self):
        for process in self.running:
            with contextlib.suppress(OSError):
                process.send_signal(signal.SIGCONT)
                process.terminate()
                process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(DEADLINE)
            process.kill()


@pytest.fixture
def app(tmp_path):
    made = App(tmp_path)
    yield made
    made.clear()


def until(process, pattern, seconds=DEADLINE):
    """Output up to where @pattern is found in it."""
    text, deadline = "", time.monotonic() + seconds
    os.set_blocking(process.stdout.fileno(), False)
    while not re.search(pattern, text, re.M):
        left = deadline - time.monotonic()
        assert left > 0, f"no {pattern} in {text}"
        ready, _, _ = select.select([process.stdout], [], [], left)
        piece = process.stdout.read() if ready else None
        assert piece != b"", f"it ended: no {pattern} in {text}"
        text += (piece or b"").decode()
    return text


def rest(process, seconds=DEADLINE):
    """What is still to come, and the exit code."""
    os.set_blocking(process.stdout.fileno(), True)
    text = process.communicate(timeout=seconds)[0].decode()
    return text, process.returncode


def parse(text):
    """(NAME, LINE) of each line, which must all be well-formed and aligned."""
    lines = [LINE.match(line) for line in text.splitlines()]
    assert all(lines), text
    assert len({match.start(3) for match in lines}) <= 1, text
    return [(match[2], match[3]) for match in lines]


def said(text, name):
    return [line for label, line in parse(text) if label == name]


# What is shown


def test_each_line_has_a_time_and_an_aligned_name(app):
    app.write("web: echo one; echo two >&2; sleep 60\nlong-worker: echo three; sleep 60\n")
    process = app.start("-c", "long-worker=2")
    text = until(process, r"(?s)(?=.*two)(?=.*worker.1 \| three)(?=.*worker.2 \| three)")
    process.send_signal(signal.SIGINT)
    text += rest(process)[0]
    assert [line for line in said(text, "web.1") if line in ("one", "two")] == ["one", "two"]
    assert "three" in said(text, "long-worker.1") and "three" in said(text, "long-worker.2")
    assert re.match(r"started with pid \d+$", said(text, "web.1")[0])
    assert "\x1b" not in text


def on_terminal(app, *words, env=None):
    ours, theirs = pty.openpty()
    process = app.start(*words, stdout=theirs, stderr=theirs, env={**app.env, "TERM": "xterm",
                                                                   **(env or {})})
    os.close(theirs)
    return process, ours


def read_terminal(terminal, pattern):
    text, deadline = "", time.monotonic() + DEADLINE
    while not re.search(pattern, text):
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"no {pattern} in {text}"
        try:
            text += os.read(terminal, 65536).decode()
        except OSError: # EIO: nobody has it open any more
            break
    return text


@pytest.mark.parametrize("env,is_coloured", [({}, True), ({"NO_COLOR": "1"}, False),
                                             ({"TERM": "dumb"}, False)])
def test_names_are_coloured_on_a_terminal_that_shows_colours(app, env, is_coloured):
    app.write("a: echo first; sleep 60\nb: echo second; sleep 60\n")
    process, terminal = on_terminal(app, env=env)
    text = read_terminal(terminal, r"(?s)(?=.*first)(?=.*second)")
    process.send_signal(signal.SIGINT)
    text += read_terminal(terminal, "never")
    assert process.wait(DEADLINE) == 0
    os.close(terminal)
    colours = [re.search(rf"\x1b\[(\d+)m[\d:]+ {name}.1 +\|\x1b\[0m", text) for name in "ab"]
    assert all(colours) == is_coloured
    assert not is_coloured or colours[0][1] != colours[1][1]
    assert ("\x1b" in text) == is_coloured


def test_a_line_without_an_end_is_shown_when_its_process_ends(app):
    app.write("web: printf 'no newline'; exit 3\n")
    done = app.run("start", "--abort-on-failure")
    assert said(done.stdout, "web.1")[1:3] == ["no newline", "ended with status 3"]


def test_all_lines_of_a_flood_are_shown_once_and_in_order(app):
    app.write("flood: seq 1 200000; exit 1\n")
    done = app.run("start", "--abort-on-failure")
    numbers = [line for line in said(done.stdout, "flood.1") if line.isdigit()]
    assert numbers == [str(n) for n in range(1, 200001)]


def test_a_long_line_is_shown_in_parts(app):
    app.write("long: head -c 100000 /dev/zero | tr '\\0' x; echo; exit 1\n")
    done = app.run("start", "--abort-on-failure")
    assert "".join(line for line in said(done.stdout, "long.1") if line[:1] == "x") == "x" * 100000


# How it ends


def test_ctrl_c_stops_all_and_shows_what_they_say_then(app):
    app.write(f"a: {TRAP}\nb: {TRAP}\n")
    process = app.start()
    text = until(process, r"(?s)(?=.*a.1 +\| up)(?=.*b.1 +\| up)")
    pids = [int(pid) for pid in re.findall(r"pid (\d+)", text)]
    process.send_signal(signal.SIGINT)
    more, code = rest(process)
    assert code == 0
    assert "bye" in said(text + more, "a.1") and "bye" in said(text + more, "b.1")
    assert len(pids) == 2 and not any(map(alive, pids))
    assert app.left() == []


def test_ctrl_c_on_a_terminal_reaches_only_us(app):
    app.write(f"a: trap 'echo interrupted' INT; {TRAP}\n")
    ours, theirs = pty.openpty()
    process = app.start(stdout=theirs, stderr=theirs, start_new_session=True,
                        preexec_fn=lambda: os.login_tty(os.dup(theirs))
                        if hasattr(os, "login_tty") else None)
    os.close(theirs)
    text = read_terminal(ours, r"up\r")
    if hasattr(os, "login_tty"):
        os.write(ours, b"\x03")
    else:
        process.send_signal(signal.SIGINT)
    text += read_terminal(ours, "never")
    assert process.wait(DEADLINE) == 0
    os.close(ours)
    assert "bye" in text and "interrupted" not in text


def test_a_second_ctrl_c_kills_what_does_not_stop(app):
    app.write("deaf: trap '' TERM; echo up; while :; do sleep 0.05; done\n")
    process = app.start()
    text = until(process, r"\| up")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    text += until(process, "Ctrl-C again kills them")
    process.send_signal(signal.SIGINT)
    text += rest(process)[0]
    assert time.monotonic() - began < 8 # graceful_timeout is 10 s
    assert process.returncode == 0
    assert not alive(int(re.search(r"pid (\d+)", text)[1]))
    assert app.left() == []


def test_a_port_that_is_taken_is_told(app):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = app.write("web: exit 0\n").run("start", "--abort-on-failure", "-p", str(port))
    assert done.returncode == 0
    assert said(done.stdout, "colony")[0].startswith(f"port {port}, the PORT of web.1, is taken")


def test_abort_on_failure_ends_all_with_the_code_of_the_first(app):
    app.write(f"fine: exit 0\nother: {TRAP.replace('echo up', 'touch up')}\n"
              "bad: until [ -e up ]; do sleep 0.05; done; exit 7\n")
    done = app.run("start", "--abort-on-failure")
    assert done.returncode == 7
    assert "ended with status 7" in said(done.stdout, "bad.1")
    told = said(done.stdout, "colony")
    assert told.index("bad.1 ended with status 7") < told.index("stops all; Ctrl-C kills them")
    assert len([line for line in said(done.stdout, "fine.1") if "started" in line]) == 1
    assert "bye" in said(done.stdout, "other.1")
    assert app.left() == []


def test_abort_on_failure_tells_a_signal_as_a_shell_does(app):
    done = app.write("web: kill -KILL $$\n").run("start", "--abort-on-failure")
    assert done.returncode == 128 + 9


def test_abort_on_failure_ends_when_all_have_completed(app):
    done = app.write("a: echo A\nb: sleep 0.2; echo B\n").run("start", "--abort-on-failure")
    assert done.returncode == 0
    assert "A" in said(done.stdout, "a.1") and "B" in said(done.stdout, "b.1")
    assert said(done.stdout, "colony") == ["all have completed"]


def test_what_ends_is_started_again(app):
    app.write("web: echo up; sleep 0.1\n")
    process = app.start()
    text = until(process, r"(?s)(started.*){3}")
    process.terminate()
    assert rest(process)[1] == 0
    assert len(set(re.findall(r"pid (\d+)", text))) >= 3


def test_nothing_is_left_when_it_is_killed_and_the_next_cleans_up(app):
    app.write(f"a: {TRAP}\n")
    process = app.start()
    pid = int(re.search(r"pid (\d+)", until(process, r"\| up"))[1])
    (keeper,) = children(process.pid)
    process.kill()
    eventually(lambda: not alive(pid) and not alive(keeper), what="the end of all")
    (folder,) = app.left()
    done = app.write("a: exit 5\n").run("start", "--abort-on-failure")
    assert done.returncode == 5 and app.left() == [], folder


def test_the_folder_of_another_one_that_runs_is_left_alone(app):
    app.write(f"a: {TRAP}\n")
    process = app.start()
    until(process, r"\| up")
    folders = app.left()
    (app.folder / "Other").write_text("a: exit 5\n")
    assert app.run("start", "--abort-on-failure", "-f", "Other").returncode == 5
    assert app.left() == folders
    process.terminate()
    assert rest(process)[1] == 0


def test_the_end_of_its_colony_is_told_and_stops_all(app):
    app.write(f"a: {TRAP}\n")
    process = app.start()
    pid = int(re.search(r"pid (\d+)", until(process, r"\| up"))[1])
    os.kill(children(process.pid)[0], signal.SIGKILL)
    text, code = rest(process)
    assert code == 1
    assert "colony app: cannot go on: colony was ended by SIGKILL: all is stopped" in text
    eventually(lambda: not alive(pid))
    assert app.left() == []


def test_an_engine_that_is_replaced_changes_nothing(app):
    app.write("a: echo up; sleep 60\n")
    process = app.start()
    text = until(process, r"\| up")
    (keeper,) = children(process.pid)
    (engine,) = [pid for pid in children(keeper)
                 if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"colony\0engine")]
    os.kill(engine, signal.SIGKILL)
    os.kill(int(re.search(r"pid (\d+)", text)[1]), signal.SIGKILL)
    text = until(process, r"(?s)(?=.*ended by SIGKILL)(?=.*started with)(?=.*\| up)")
    process.terminate()
    assert rest(process)[1] == 0


def test_it_stops_all_when_nobody_reads_it_any_more(app):
    app.write("a: while echo tick; do sleep 0.05; done\n")
    process = app.start()
    pid = int(re.search(r"pid (\d+)", until(process, "tick"))[1])
    process.stdout.close()
    assert process.wait(DEADLINE) == 0
    assert not alive(pid) and app.left() == []


def test_who_does_not_read_it_holds_up_neither_processes_nor_signals(app):
    app.write("a: i=0; while [ $i -lt 100000 ]; do echo 12345678 $i; i=$((i+1)); done; "
              "echo done > done; sleep 60\n")
    process = app.start()
    eventually((app.folder / "done").exists, what="the end of its output")
    process.terminate()
    eventually(lambda: not children(process.pid), what="the end of its colony")
    process.terminate() # it waits for us to read the rest
    assert process.wait(DEADLINE) == 0
    assert app.left() == []


# Its environment


def test_ports_count_by_a_hundred_a_type_and_by_one_a_process(app):
    app.write("a: echo port $PORT; sleep 60\nb: echo port $PORT; sleep 60\n"
              "c: echo port $PORT; sleep 60\n")
    process = app.start("-c", "all=2", "-c", "a=0,c=1")
    text = until(process, r"(?s)(port.*){3}")
    process.terminate()
    text += rest(process)[0]
    ports = {name: line for name, line in parse(text) if line.startswith("port")}
    assert ports == {"b.1": "port 5100", "b.2": "port 5101", "c.1": "port 5200"}


@pytest.mark.parametrize("words,dot_env,inherited,port", [
    (["-p", "6000"], "PORT=7000\n", "8000", "6100"), ([], "PORT=7000\n", "8000", "7100"),
    ([], "", "8000", "8100"), ([], "", None, "5100")])
def test_where_the_first_port_comes_from(app, words, dot_env, inherited, port):
    app.write("a: x\nb: echo $PORT\n", **{".env": dot_env})
    env = {**app.env, **({"PORT": inherited} if inherited else {})}
    assert app.run("run", *words, "b", env=env).stdout == port + "\n"


def test_env_files_have_quotes_comments_and_export(app):
    app.write('web: echo "$A|$B|$C|$D|$E"; exit 1\n', **{
        ".env": "A=ignored\n", "one": "# a comment\nexport A='x  y' # why\nB=\"q\\\"t\"\n",
        "two": "C=a#b\nD=\nB=\"won $x\"\n"})
    done = app.run("start", "--abort-on-failure", "-e", "one", "-e", "two", env={**app.env, "E": "e"})
    assert "x  y|won $x|a#b||e" in said(done.stdout, "web.1")


def test_dot_env_is_read_unless_others_are_named(app):
    app.write("web: echo $A\n", **{".env": "A=dot\n", "other": "B=1\n"})
    assert app.run("run", "web").stdout == "dot\n"
    assert app.run("run", "-e", "other", "web").stdout == "\n"


def test_it_runs_in_its_folder_wherever_it_is_called(app, tmp_path):
    app.write("web: pwd; exit 1\n")
    for words in (["-d", app.folder], ["-f", app.folder / "Procfile"]):
        done = app.run("start", *words, "--abort-on-failure", cwd=tmp_path)
        assert str(app.folder) in said(done.stdout, "web.1"), done.stderr


def test_only_the_types_that_are_named_are_started(app):
    app.write("a: exit 1\nb: exit 2\n")
    done = app.run("start", "--abort-on-failure", "b")
    assert done.returncode == 2 and said(done.stdout, "a.1") == []


# What is wrong


@pytest.mark.parametrize("text,told", [
    ("web\n", "Procfile:1:4: cannot use this line: write TYPE: COMMAND"),
    ("a: b\nweb:\n", "Procfile:2:5: cannot use this line: the command is missing"),
    ("a: b\n a: c\n", "Procfile:2:2: cannot use the type `a` twice: it is on line 1 already"),
    ("80: a\n", "Procfile:1:1: cannot use this line: a type of digits alone"),
    ("", "Procfile:1:1: cannot use it: it has no line TYPE: COMMAND")])
def test_a_bad_procfile_is_told_with_its_place(app, text, told):
    app.write(text)
    for action in (["start"], ["run", "x"], ["export"]):
        done = app.run(*action)
        assert (done.returncode, done.stdout) == (78, "")
        assert done.stderr.startswith(told) and len(done.stderr.splitlines()) == 1


def test_what_is_missing_is_told(app):
    assert app.run("start").stderr == \
        "colony app: cannot open Procfile: No such file or directory\n"
    done = app.run("start", "-d", "nowhere")
    assert (done.returncode, done.stderr) == (
        78, "colony app: cannot use the folder nowhere: No such file or directory\n")
    app.write("web: true\n", bad="1x=y\n")
    assert app.run("run", "-e", "bad", "web").stderr.startswith("bad:1: cannot use this line")
    assert "cannot open none" in app.run("run", "-e", "none", "web").stderr


@pytest.mark.parametrize("words,told", [
    (["start", "-c", "wbe=2"], "cannot count wbe: the Procfile has no such type: did you mean web?"),
    (["start", "-c", "web"], "cannot use --concurrency web: write TYPE=N,TYPE=N"),
    (["start", "-c", "web=1,=2"], "cannot use --concurrency =2: write TYPE=N,TYPE=N"),
    (["start", "-c", "web=99999"], "a type has 0 to 10000 processes"),
    (["start", "-p", "0"], "cannot use --port: a port is 1 to 65535"),
    (["start", "wbe"], "cannot start wbe: the Procfile has no such type: did you mean web?"),
    (["run", "web", "x"], "cannot run web with arguments: it is a type of the Procfile"),
    (["strat"], "no such action: strat: did you mean start?")])
def test_a_slip_on_the_command_line_is_told(app, words, told):
    done = app.write("web: sleep 60\n").run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr and len(done.stderr.splitlines()) == 1


# run


def test_run_takes_a_type_a_line_or_a_command(app):
    app.write("web: echo web $PORT\nworker: echo worker $PORT\n")
    assert app.run("run", "worker").stdout == "worker 5100\n"
    assert app.run("run", "echo $PORT | tr 0 x; exit 3").stdout == "5xxx\n"
    done = app.run("run", "--", "printf", "%s|", "a b", "-c")
    assert (done.stdout, done.returncode) == ("a b|-c|", 0)


def test_options_may_stand_before_the_action_as_in_gaffer(app):
    app.write("web: echo $A $PORT\n", env="A=b\n")
    assert app.run("-e", "env", "-p", "7000", "run", "web").stdout == "b 7000\n"
    assert app.run("run", "--directory", ".", "--env", "env", "web").stdout == "b 5000\n"
    done = app.run("-c", "web=2", "--directory", app.folder, "start", "--abort-on-failure",
                   cwd="/")
    assert done.returncode == 0 and "web.2" in done.stdout, done.stderr
    assert "--directory" not in app.run("--help").stdout


def test_run_ends_as_its_command_does(app):
    app.write("web: exit 9\n")
    assert app.run("run", "web").returncode == 9
    assert app.run("run", "kill -TERM $$").returncode == -signal.SIGTERM
    done = app.run("run", "no-such-program", "x")
    assert done.returncode == 127
    assert done.stderr == "colony app: cannot run no-such-program: No such file or directory\n"
    done = app.run("run", str(app.folder), "x")
    assert done.returncode == 126
