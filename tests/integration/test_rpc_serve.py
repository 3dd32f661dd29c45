# SPDX-License-Identifier: Apache-2.0
"""`colony rpc serve`: a program becomes a daemon, whatever it does."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import pytest

from conftest import BINARY, alive, children, eventually
from rpc_fake import rpc

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "rpc" / "message_daemon.py"

# Says hello, then answers by a table of functions. What a test wants else is put before `go()`.
PROGRAM = """
import json, os, signal, sys, time
values, methods = {}, {}
def say(**line):
    sys.stdout.write(json.dumps(line) + "\\n"); sys.stdout.flush()
def hello(**more):
    say(id="h", method="hello", params={"methods": sorted(methods), "attributes": sorted(values), **more})
def go():
    for text in sys.stdin:
        line = json.loads(text)
        if "method" not in line:
            continue
        name, given = line["method"], line["params"]
        try:
            if name == "getattr":
                result = values[given[0]]
            elif name == "setattr":
                result = values.__setitem__(*given)
            else:
                result = methods[name](**given) if isinstance(given, dict) else methods[name](*given)
            if result is not Ellipsis:
                say(id=line["id"], result=result)
        except Exception as error:
            say(id=line["id"], error={"message": str(error), "data": {"type": type(error).__name__}})
"""


class Daemon:
    def __init__(self, folder, runtime):
        self.folder = pathlib.Path(folder)
        self.runtime = runtime
        self.state = self.folder / "state"
        self.log = self.folder / "log"
        self.name = "Pot"
        self.process = None

    def write(self, text):
        path = self.folder / "program.py"
        path.write_text(PROGRAM + textwrap.dedent(text))
        return [sys.executable, str(path)]

    def start(self, program, *args, wait=True, **popen):
        command = program if isinstance(program, list) else self.write(program)
        env = {**os.environ, "COLONY_RUNTIME_DIR": str(self.runtime), "POT": "of tea"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "rpc", "serve", "--name", self.name, "--state", str(self.state), *args, "--",
                 *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, **popen)
        if wait:
            eventually(lambda: self.process.poll() is not None or self.entry(), what="serving")
            assert self.process.poll() is None, self.log.read_text()
        return self

    def entry(self):
        found = json.loads(rpc("ls", "--json", runtime=self.runtime).stdout)
        return next((entry for entry in found if entry["name"] == self.name), None)

    def ask(self, action, *args, **more):
        return rpc(action, "--timeout", "15", self.name, *args, runtime=self.runtime, **more)

    def get(self, attribute):
        told = self.ask("get", attribute, "--json")
        assert told.returncode == 0, told.stderr + self.log.read_text()
        return json.loads(told.stdout)

    def call(self, method, *args):
        told = self.ask("call", method, "--json", *args)
        assert told.returncode == 0, told.stderr + self.log.read_text()
        return json.loads(told.stdout)

    def ctl(self, *args):
        return subprocess.run([BINARY, "ctl", "--state", str(self.state), *args], capture_output=True,
                              text=True, timeout=60)

    @property
    def program(self):
        return json.loads(self.ctl("ps", "--json").stdout)[0]["os_pid"]

    @property
    def engine(self):
        return self.entry()["pid"]

    @property
    def keeper(self):
        return int((self.state / "lock").read_text())

    def said(self):
        return self.log.read_text(errors="replace")

    def clear(self):
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.keeper, signal.SIGTERM)
            eventually(lambda: not alive(self.keeper), 15)
        with contextlib.suppress(Exception):
            self.process.kill()
            self.process.wait(10)
        with contextlib.suppress(OSError, AssertionError):
            mark = b"ID=" + (self.state / "instance").read_bytes() + b"/"
            for pid in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    if mark in pathlib.Path(f"/proc/{pid}/environ").read_bytes():
                        os.kill(int(pid), signal.SIGKILL)


@pytest.fixture
def daemon():
    folder = tempfile.mkdtemp(prefix="colony-rpc-")
    one = Daemon(folder, pathlib.Path(folder) / "run")
    yield one
    one.clear()
    text = one.said() if one.log.exists() else ""
    shutil.rmtree(folder, ignore_errors=True)
    assert "Sanitizer" not in text and "runtime error:" not in text, text


STIR = """
values.update(heat=20, pst_turns=0)
def stir(times=1, *, way="left"):
    values["pst_turns"] += times
    return f"{times} to the {way}"
def fail(): raise ValueError("too hot")
def where(): return [os.getcwd(), os.environ.get("POT"), sys.argv[1:]]
def pid(): return os.getpid()
methods.update(stir=stir, fail=fail, where=where, pid=pid)
"""


# What it serves


def test_methods_and_attributes_of_a_program_are_those_of_the_daemon(daemon):
    daemon.start(STIR + """
hello(doc="a pot", methods={"stir": "turns it", "fail": None, "where": "", "pid": ""})
go()
""")
    assert daemon.call("stir", "2") == "2 to the left"
    assert json.loads(daemon.ask("call", "stir", "-p", "times=3", "-p", "way=right", "--json").stdout) == \
        "3 to the right"
    assert daemon.get("pst_turns") == 5
    assert daemon.ask("set", "heat", '{"of": [1, null]}').returncode == 0
    assert daemon.get("heat") == {"of": [1, None]}
    assert daemon.ask("doc").stdout == "a pot\n" and daemon.ask("doc", "stir").stdout == "turns it\n"
    names = json.loads(daemon.ask("dir", "--json").stdout)
    assert names["attributes"] == ["heat", "pst_turns", "running", "uptime"]
    assert {"stir", "fail", "stop", "getattr"} <= set(names["methods"])
    assert daemon.get("running") is True and 0 < daemon.get("uptime") < 60
    assert daemon.call("where") == [os.getcwd(), "of tea", []]


def test_errors_are_told_with_their_types(daemon):
    daemon.start(STIR + "hello()\ngo()")
    for args, exit_code, text in [
            (("call", "fail"), 1, "ValueError: too hot"),
            (("call", "stir", "1", "2", "3"), 1, "TypeError: "),
            (("call", "nothing"), 4, "AttributeError: cannot find nothing"),
            (("get", "nothing"), 4, "AttributeError: cannot find nothing"),
            (("set", "nothing", "1"), 4, "AttributeError: "),
            (("set", "stir", "1"), 77, "PermissionError: "),
            (("set", "running", "1"), 77, "PermissionError: "),
            (("call", "heat"), 2, "TypeError: ")]:
        told = daemon.ask(*args)
        assert told.returncode == exit_code and told.stderr.startswith(f"colony rpc: {text}"), (args, told)


def test_what_a_program_is_given_is_as_it_was_written(daemon):
    daemon.name = "an odd $NAME"
    daemon.start(daemon.write(STIR + "hello()\ngo()") + ["$HOME", "$$", "a b", "", "--daemon"])
    assert daemon.call("where")[2] == ["$HOME", "$$", "a b", "", "--daemon"]


def test_in_the_background_it_can_be_asked_at_once(daemon):
    program = daemon.write(STIR + "time.sleep(0.5)\nhello()\ngo()")
    told = subprocess.run([BINARY, "rpc", "serve", "--name", "Pot", "--daemon", "--state", daemon.state, "--",
                           *program], env={**os.environ, "COLONY_RUNTIME_DIR": str(daemon.runtime)},
                          capture_output=True, text=True, timeout=30)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    assert daemon.call("stir") == "1 to the left"
    assert daemon.ask("stop").returncode == 0
    assert "serves" in (daemon.state / "colony.log").read_text()


def test_ps_shows_its_name(daemon):
    daemon.start(STIR + "hello()\ngo()", "--pidfile", str(daemon.folder / "pid"))
    line = pathlib.Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes()
    assert line.rstrip(b"\0") == b"colony: Pot"
    eventually(lambda: (daemon.folder / "pid").read_text().strip() == str(daemon.process.pid))


def test_a_slow_method_holds_up_no_other(daemon):
    daemon.start("""
waiting = []
import threading
def slow(): threading.Timer(1.5, say, kwargs={"id": current[0], "result": "at last"}).start(); return ...
current = []
def quick(): return "at once"
methods.update(slow=slow, quick=quick)
hello()
for text in sys.stdin:
    line = json.loads(text)
    if "method" in line:
        current[:] = [line["id"]]
        if line["method"] == "slow": slow()
        else: say(id=line["id"], result=quick())
""")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(daemon.call("slow")))
    thread.start()
    start = time.monotonic()
    assert daemon.call("quick") == "at once" and time.monotonic() - start < 1
    thread.join()
    assert answers == ["at last"]


# Its end


def test_stop_ends_it_and_it_is_gone_from_the_registry(daemon):
    daemon.start(STIR + "hello()\ngo()")
    program = daemon.call("pid")
    told = daemon.ask("stop")
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    assert not alive(program) and daemon.entry() is None
    assert daemon.process.wait(10) == 0


def test_sigterm_ends_it_too(daemon):
    daemon.start(STIR + "hello()\ngo()")
    program = daemon.call("pid")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(10) == 0 and not alive(program) and daemon.entry() is None


def test_a_program_that_dies_is_started_again_and_calls_meanwhile_fail(daemon):
    daemon.start(STIR + """
def die(): os._exit(3)
methods["die"] = die
hello()
go()
""")
    first = daemon.call("pid")
    told = daemon.ask("call", "die")
    assert told.returncode == 3 and "it has ended" in told.stderr
    eventually(lambda: daemon.ask("call", "pid").returncode == 0, what="a new one")
    assert daemon.call("pid") != first


def test_calls_wait_for_a_hello_that_takes_its_time(daemon):
    daemon.start(STIR + "time.sleep(1.5)\nhello()\ngo()")
    assert daemon.call("stir") == "1 to the left"


def test_a_program_that_cannot_be_run_is_told_before_anything_is_made(daemon):
    told = rpc("serve", "--state", daemon.state, "--", "./nothing-here", runtime=daemon.runtime)
    assert told.returncode == 1 and told.stderr == "colony rpc: cannot run ./nothing-here: No such file " \
                                                   "or directory\n"
    assert not daemon.state.exists()


def test_a_name_that_cannot_be_used_is_refused(daemon):
    for name in ("a:b", "../x", "42", ""):
        told = rpc("serve", "--name", name, "--state", daemon.state, "--", "true", runtime=daemon.runtime)
        assert told.returncode == 2 and told.stderr.count("\n") == 1, name


def test_beyond_this_machine_it_takes_keys(daemon):
    told = rpc("serve", "--bind", "0.0.0.0", "--state", daemon.state, "--", "cat", runtime=daemon.runtime)
    assert told.returncode == 77 and told.stderr.count("\n") == 1, told


# What is saved


COUNT = """
values.update(pst_turns=0, pst_note={"é": [1.50, None]}, heat=1)
def turn(): values["pst_turns"] += 1; return values["pst_turns"]
methods["turn"] = turn
"""


def test_pst_attributes_are_there_again_after_a_stop(daemon):
    daemon.start(COUNT + "hello()\ngo()")
    for _ in range(3):
        daemon.call("turn")
    assert daemon.ask("set", "heat", "99").returncode == 0
    assert daemon.ask("stop").returncode == 0 and daemon.process.wait(10) == 0
    daemon.start(COUNT + "hello()\ngo()")
    assert daemon.get("pst_turns") == 3 and daemon.get("heat") == 1
    assert daemon.get("pst_note") == {"é": [1.5, None]}
    daemon.process.send_signal(signal.SIGTERM)  # what has changed since the last look is saved as well
    assert daemon.process.wait(10) == 0
    daemon.start(COUNT + "hello()\ngo()")
    assert daemon.call("turn") == 4


def test_saved_values_are_set_before_the_hello_is_answered(daemon):
    program = COUNT + """
told = []
def order(): return told
methods["order"] = order
hello()
while True:
    line = json.loads(sys.stdin.readline())
    told.append(line.get("method", "answered"))
    if "method" not in line:
        break
    values.__setitem__(*line["params"])
    say(id=line["id"], result=None)
go()
"""
    daemon.start(program)
    assert daemon.call("order") == ["answered"]
    assert daemon.ask("set", "pst_turns", "7").returncode == 0
    assert daemon.ask("stop").returncode == 0 and daemon.process.wait(10) == 0
    daemon.start(program)
    assert daemon.call("order") == ["setattr", "setattr", "answered"]
    assert daemon.get("pst_turns") == 7


def test_a_program_that_is_started_again_has_them_again(daemon):
    daemon.start(COUNT + "def die(): os._exit(1)\nmethods['die'] = die\nhello()\ngo()")
    assert daemon.ask("set", "pst_turns", "5").returncode == 0
    daemon.ask("call", "die")
    eventually(lambda: daemon.get("pst_turns") == 5, what="the saved value")


def test_after_a_kill_of_all_they_are_no_older_than_the_frequency(daemon):
    daemon.start(COUNT + "hello()\ngo()", "--pst", "frequency=0.5", "--pst", "class_name=PstFileStorage",
                 "--pst", f"file_path={daemon.folder}/saved.json")
    assert daemon.call("turn") == 1 and daemon.call("turn") == 2
    eventually(lambda: json.loads((daemon.folder / "saved.json").read_text())["pst_turns"] == 2, 1.5)
    pids = [daemon.keeper, daemon.engine, daemon.program]
    os.kill(pids[0], signal.SIGSTOP)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGKILL)
    daemon.process.wait(10)
    daemon.start(COUNT + "hello()\ngo()", "--pst", f"file_path={daemon.folder}/saved.json")
    assert daemon.get("pst_turns") == 2


def test_one_that_does_not_tell_before_its_end_is_ended_all_the_same(daemon):
    daemon.start(COUNT + """
hello()
for text in sys.stdin:
    line = json.loads(text)
    if line.get("method") == "turn":
        say(id=line["id"], result=turn())
""")
    assert daemon.call("turn") == 1
    start = time.monotonic()
    assert daemon.ask("stop").returncode == 0
    assert 1.8 < time.monotonic() - start < 5
    assert "does not tell its attributes before it ends" in daemon.said()


def test_words_of_pst_that_mean_nothing_are_refused(daemon):
    for pst in ("nothing", "class_name=cloud", "colour=red"):
        told = rpc("serve", "--pst", pst, "--state", daemon.state, "--", "cat", runtime=daemon.runtime)
        assert told.returncode == 2 and told.stderr.count("\n") == 1, told


# Taking over


def test_calls_go_on_when_the_engine_was_killed(daemon):
    daemon.start(STIR + "hello()\ngo()")
    program = daemon.call("pid")
    assert daemon.call("stir", "4") == "4 to the left"
    engine = daemon.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: daemon.entry() and daemon.engine != engine, what="another engine")
    assert daemon.call("pid") == program
    assert daemon.get("pst_turns") == 4
    assert daemon.ask("stop").returncode == 0


def test_calls_go_on_when_the_keeper_was_killed(daemon):
    daemon.start(STIR + "hello()\ngo()")
    program = daemon.call("pid")
    keeper = daemon.keeper
    os.kill(keeper, signal.SIGKILL)
    daemon.process.wait(10)
    eventually(lambda: daemon.keeper != keeper and alive(daemon.keeper), what="another keeper")
    assert daemon.call("pid") == program
    assert pathlib.Path(f"/proc/{daemon.keeper}/cmdline").read_bytes().rstrip(b"\0") == b"colony: Pot"


# Programs that do not do as they should


def test_junk_is_told_and_does_no_harm(daemon):
    daemon.start(STIR + """
for junk in ["no json", "[]", "42", "{}", '{"id": 9, "result": 1}', '{"id": 1, "method": "explode"}',
             "\\x1b[2J\\x07", "{" * 70000, '"' + "x" * 100, '{"id": 1e999, "result": 0}', ""]:
    print(junk, flush=True)
sys.stdout.buffer.write(b"\\xff\\xfe\\x00\\n"); sys.stdout.buffer.flush()
hello()
go()
""")
    assert daemon.call("stir") == "1 to the left"
    told = [line for line in daemon.said().splitlines() if "cannot be used" in line]
    assert 1 <= len(told) <= 3 and "`no json`" in told[0]
    assert "\x1b" not in daemon.said()


def test_a_line_without_end_takes_no_more_than_its_limit(daemon):
    daemon.start(STIR + """
def flood():
    for _ in range(64):
        sys.stdout.write("x" * (1 << 20))
    sys.stdout.write("\\n")
    sys.stdout.flush()
    return "flooded"
methods["flood"] = flood
hello()
go()
""")
    before = memory(daemon.engine)
    assert daemon.call("flood") == "flooded"
    assert daemon.call("stir") == "1 to the left"
    assert memory(daemon.engine) - before < 24 << 10
    assert "it is too long" in daemon.said()


def memory(pid):
    """KB that are its own at the most so far."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1])


def test_one_that_never_says_hello_is_told_of_and_asked_in_vain(daemon):
    daemon.start("time.sleep(1000)", wait=False)
    eventually(daemon.entry, what="its entry")
    start = time.monotonic()
    told = daemon.ask("call", "stir")
    assert told.returncode == 69 and "has not said hello" in told.stderr, told
    assert time.monotonic() - start < 12
    assert "has not said hello in 10 seconds" in daemon.said()
    assert daemon.ask("get", "uptime").returncode == 0
    assert daemon.ask("stop").returncode == 0


def test_a_bad_hello_is_refused_with_the_reason(daemon):
    daemon.start(STIR + """
for bad in [{"methods": 5}, {"methods": ["_hidden"]}, {"methods": ["getattr"]}, [], {"attributes": {"a": 1}}]:
    say(id=1, method="hello", params=bad)
    answer = json.loads(sys.stdin.readline())
    assert answer["error"]["code"] == -32602, answer
    values[f"reason{len(values)}"] = answer["error"]["message"]
hello()
go()
""")
    reasons = [daemon.get(f"reason{number}") for number in range(2, 7)]
    assert "cannot use `methods`" in reasons[0] and "_hidden" in reasons[1]
    assert "colony's own" in reasons[2] and "must be an object" in reasons[3]


def test_one_that_closes_its_output_is_answered_for(daemon):
    daemon.start(STIR + """
def close():
    os.close(0); os.close(1); time.sleep(1000)
methods["close"] = close
hello()
go()
""")
    told = daemon.ask("call", "close")
    assert told.returncode == 3 and told.stderr.count("\n") == 1, told
    assert daemon.ask("call", "stir").returncode == 3
    assert daemon.ask("stop").returncode == 0


def test_one_that_does_not_read_fills_no_memory(daemon):
    daemon.start(STIR + """
def sleep(): time.sleep(1000)
methods["sleep"] = sleep
hello()
go()
""")
    threads = [threading.Thread(target=lambda: rpc("call", "Pot", "stir", "x" * 100_000, "--timeout", "3",
                                                   runtime=daemon.runtime)) for _ in range(24)]
    assert daemon.ask("call", "sleep", "--timeout", "0.5").returncode == 75
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = daemon.ask("call", "stir", "x" * 100_000, "--timeout", "3")
    assert told.returncode in (69, 75)
    assert daemon.ask("get", "uptime").returncode == 0
    assert daemon.ask("stop").returncode == 0


def test_a_program_that_ignores_sigterm_is_killed(daemon):
    daemon.start(STIR + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nhello()\ngo()")
    program = daemon.call("pid")
    start = time.monotonic()
    assert daemon.ask("stop", timeout=40).returncode == 0
    assert 9 < time.monotonic() - start < 14 and not alive(program)


# The examples


def session(daemon, proxy_of):
    """A session of malacoda with nothing but its import changed."""
    d = proxy_of("MessageDaemon")
    assert d.insert_message("hello world") == "Message received!"
    assert d.pst_counter == 1
    d.pst_counter = 0
    assert d.pst_counter == 0
    assert d.insert_message("hello world", timeout=2) == "Message received!"
    assert d.insert_message.__doc__ == "Prints a message, and counts it."
    with pytest.raises(AttributeError):
        d.nothing
    with pytest.raises(AttributeError):
        d.nothing = 1
    d.stop()
    assert daemon.process.wait(15) == 0
    assert "Found a new message: hello world" in daemon.said()


@pytest.fixture
def proxy(monkeypatch, daemon):
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "python"))
    monkeypatch.setenv("COLONY", BINARY)
    monkeypatch.setenv("COLONY_RUNTIME_DIR", str(daemon.runtime))
    import colony_rpc
    return colony_rpc


def test_malacodas_session_in_python(daemon, proxy):
    daemon.name = "MessageDaemon"
    daemon.start([sys.executable, str(EXAMPLE)])
    session(daemon, proxy.get)


def test_malacodas_session_against_the_example_in_c(daemon, proxy, tmp_path):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libcjson"], capture_output=True, text=True,
                           check=True).stdout.split()
    program = tmp_path / "message_daemon"
    subprocess.run([os.environ.get("CC", "cc"), "-Wall", "-Wextra", "-Werror", "-o", program,
                    EXAMPLE.with_suffix(".c"), *flags], check=True)
    daemon.name = "MessageDaemon"
    daemon.start([str(program)])
    session(daemon, proxy.get)


def test_the_proxy_has_timeouts_and_stop(daemon, proxy):
    daemon.name = "MessageDaemon"
    daemon.start(STIR + "def nap(): time.sleep(1)\nmethods['nap'] = nap\nhello()\ngo()")
    d = proxy.get("MessageDaemon")
    nap = d.nap  # a question of its own
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        nap(timeout=0.3)
    assert 0.3 <= time.monotonic() - start < 0.5
    with pytest.raises(ValueError, match="too hot"):
        d.fail()
    with pytest.raises(TypeError):
        d.stir(1, way="left")
    assert d.stir(way="up", times=2) == "2 to the up"
    proxy.stop("MessageDaemon")
    assert daemon.process.wait(15) == 0
    with pytest.raises(LookupError):
        proxy.get("MessageDaemon")


def test_the_proxy_is_short():
    assert len((ROOT / "examples/python/colony_rpc.py").read_text().splitlines()) < 80


# Keys


@pytest.fixture
def keys(daemon):
    """Files of keys: the daemon's, one that may control, one that may read, one that may nothing."""
    made = {name: rpc("keygen", daemon.folder / f"{name}.key").stdout.strip()
            for name in ("daemon", "control", "read", "stranger")}
    allow = daemon.folder / "allow"
    allow.write_text(f"me control {made['control']}\nyou read {made['read']}\n")
    allow.chmod(0o600)
    return made


def test_with_keys_only_those_come_in_who_may(daemon, keys):
    daemon.start(STIR + "hello()\ngo()", "--keys", str(daemon.folder / "daemon.key"), "--allow",
                 str(daemon.folder / "allow"))
    entry = daemon.entry()
    assert entry["endpoint"].startswith("tcp://0.0.0.0:") and entry["public_key"] == keys["daemon"]
    key = {name: f"--key={daemon.folder}/{name}.key" for name in keys}
    assert json.loads(daemon.ask("call", "stir", "--json", key["control"]).stdout) == "1 to the left"
    assert daemon.ask("get", "pst_turns", key["read"]).stdout == "1\n"
    told = daemon.ask("call", "stir", key["read"])
    assert told.returncode == 77 and "PermissionError" in told.stderr
    assert daemon.ask("set", "heat", "1", key["read"]).returncode == 77
    for stranger in (daemon.ask("get", "heat", key["stranger"]),
                     rpc("get", f"127.0.0.1:{entry['port']}", "heat", key["control"], "--server-key",
                         keys["stranger"], "--timeout", "5")):
        assert stranger.returncode == 77 and stranger.stderr.count("\n") == 1, stranger
    direct = rpc("get", f"127.0.0.1:{entry['port']}", "pst_turns", key["control"], "--server-key",
                 entry["public_key"], "--timeout", "15")
    assert (direct.returncode, direct.stdout) == (0, "1\n")
    none = daemon.ask("get", "heat", f"--key={daemon.folder}/nothing.key")
    assert none.returncode == 77 and "colony rpc keygen" in none.stderr
    assert daemon.ask("stop", key["control"]).returncode == 0


def test_the_proxy_uses_keys(daemon, keys, proxy):
    daemon.start(STIR + "hello()\ngo()", "--bind", "127.0.0.1", "--keys", str(daemon.folder / "daemon.key"),
                 "--allow", str(daemon.folder / "allow"))
    d = proxy.get("Pot", key=str(daemon.folder / "control.key"))
    assert d.stir(2) == "2 to the left" and d.pst_turns == 2
    with pytest.raises(PermissionError):
        proxy.get("Pot", key=str(daemon.folder / "read.key")).stir()
    with pytest.raises(TimeoutError):
        proxy.get("Pot", key=str(daemon.folder / "stranger.key"))._ask("dir", [], timeout=1)


# An upgrade


def test_an_upgrade_keeps_the_program_and_its_name(daemon):
    daemon.start(STIR + "hello()\ngo()")
    program = daemon.call("pid")
    engine = daemon.engine
    told = daemon.ctl("upgrade")
    assert told.returncode == 0, told.stderr
    eventually(lambda: daemon.entry() and daemon.engine != engine, what="another engine")
    assert daemon.call("pid") == program
    assert pathlib.Path(f"/proc/{daemon.keeper}/cmdline").read_bytes().rstrip(b"\0") == b"colony: Pot"
