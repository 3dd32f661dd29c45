# SPDX-License-Identifier: Apache-2.0
"""`colony rpc serve`: a program becomes a daemon."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from conftest import BINARY, alive, eventually
from rpc_fake import rpc
from rpc_served import STIR, daemon  # noqa: F401 (a fixture)

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "rpc" / "message_daemon.py"


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
            (("set", "nothing", "1"), 4, "AttributeError: cannot find nothing"),
            (("set", "haet", "1"), 4, "AttributeError: cannot find haet: there is no such attribute; did you mean heat?"),
            (("get", "_heat"), 4, "AttributeError: cannot find `_heat`: a name is a letter"),
            (("call", "two words"), 4, "AttributeError: cannot find `two words`: a name is a letter"),
            (("get", "\u00e4" * 100), 4, "AttributeError: cannot find `" + "\u00e4" * 32 + "`: a name"),
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
    asked = daemon.folder / "asked"
    daemon.start(f"""
methods.update(slow=None, quick=None, end=None)
hello()
for text in sys.stdin:
    line = json.loads(text)
    if line.get("method") == "slow":
        slow = line["id"]
        open({str(asked)!r}, "w").close()
    elif "method" in line:
        say(id=line["id"], result="at once")
        if line["method"] == "end":
            say(id=slow, result="at last")
""")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(daemon.call("slow")))
    thread.start()
    eventually(asked.exists, what="the slow one's question")
    assert daemon.call("quick") == "at once" and answers == []
    assert daemon.call("end") == "at once"
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
    eventually(lambda: json.loads((daemon.folder / "saved.json").read_text())["pst_turns"] == 2)  # not 60 seconds
    pids = [daemon.keeper, daemon.engine, daemon.program]
    os.kill(pids[0], signal.SIGSTOP)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGKILL)
    daemon.process.wait(10)
    eventually(lambda: not any(map(alive, pids)), what="the end of all")
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
        assert told.stderr.startswith("colony rpc: --pst") and pst.split("=")[-1] in told.stderr, told


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
    daemon.start(STIR + "def nap(): time.sleep(2)\nmethods['nap'] = nap\nhello()\ngo()")
    d = proxy.get("MessageDaemon")
    nap = d.nap  # a question of its own
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        nap(timeout=0.3)
    assert 0.3 <= time.monotonic() - start < 1.9
    with pytest.raises(ValueError, match="too hot"):
        d.fail()
    with pytest.raises(TypeError):
        d.stir(1, way="left")
    assert d.stir(way="up", times=2) == "2 to the up"
    proxy.stop("MessageDaemon")
    assert daemon.process.wait(15) == 0
    with pytest.raises(LookupError):
        proxy.get("MessageDaemon")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "a\0b", "\ud800"])
def test_the_proxy_tells_of_what_cannot_be_said(daemon, proxy, value):
    daemon.start(STIR + "hello()\ngo()")
    d = proxy.get("Pot")
    with pytest.raises(ValueError):
        d.stir(way=value, timeout=10)
    assert d.stir(2) == "2 to the left"


def test_the_proxy_tells_of_what_is_too_deep(daemon, proxy):
    daemon.start(STIR + "hello()\ngo()")
    deep = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValueError):
        proxy.get("Pot").stir(way=deep, timeout=10)


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


def test_the_proxy_finds_the_keys_of_keygen_and_knows_what_is_too_large(daemon, keys, proxy, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(daemon.folder / "config"))
    monkeypatch.setenv("HOME", str(daemon.folder / "nowhere"))
    daemon.start(STIR + "hello()\ngo()", "--bind", "127.0.0.1", "--keys", str(daemon.folder / "daemon.key"),
                 "--allow", str(daemon.folder / "allow"))
    found = json.loads(rpc("lookup", "--json", "Pot", runtime=daemon.runtime).stdout)
    assert found["key"] == ("/etc/colony/rpc.key" if os.geteuid() == 0
                            else str(daemon.folder / "config/colony/rpc.key"))
    found["key"] = str(daemon.folder / "control.key")
    d = proxy.Proxy(found, None)
    assert d.stir(2) == "2 to the left"
    with pytest.raises(ValueError, match="1048576 are taken"):
        d.stir(way="x" * (1 << 20))


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
