# SPDX-License-Identifier: Apache-2.0
"""Configuration files of all kinds: what colony check and colony serve make of them."""

import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest

from conftest import BINARY, alive, eventually, needs_root


def check(*args, **run):
    return subprocess.run([BINARY, "check", *map(str, args)], capture_output=True, text=True,
                          timeout=60, **run)


def command_line(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")


def applied(colony):
    return json.loads((colony.state / "settings.json").read_text(encoding="utf-8"))["colony"]


# colony check


def test_check_lists_the_files_it_read(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.yaml").write_text("processes: {b: {cmd: x}, c: {cmd: x}}")
    (tmp_path / "more" / "a.ini").write_text("[process:a]\ncmd = x\n")
    (tmp_path / "main.yaml").write_text("include: more")
    out = check("main.yaml", cwd=tmp_path)
    assert (out.returncode, out.stderr) == (0, "")
    assert out.stdout == ("main.yaml: ok (3 templates in 3 files)\n"
                          "  main.yaml: 0 templates\n"
                          "  more/a.ini: 1 template\n"
                          "  more/b.yaml: 2 templates\n")
    told = json.loads(check("--json", "main.yaml", cwd=tmp_path).stdout)
    assert told == {"ok": True, "file": "main.yaml", "templates": ["a", "b", "c"],
                    "files": ["main.yaml", "more/a.ini", "more/b.yaml"]}


def test_check_takes_many_files_and_tells_of_each(tmp_path):
    (tmp_path / "a.yaml").write_text("processes: {a: {cmd: x}}")
    (tmp_path / "b.ini").write_text("[process:b]\n")
    (tmp_path / "c.yml").write_text("")
    out = check("a.yaml", "b.ini", "c.yml", cwd=tmp_path)
    assert out.returncode == 78
    assert out.stdout == "a.yaml: ok (1 template)\nc.yml: ok (0 templates)\n"
    assert out.stderr == "b.ini:1:1: cannot use `b`: `cmd` is missing\n"
    lines = check("--json", "a.yaml", "b.ini", cwd=tmp_path).stdout.splitlines()
    assert [json.loads(line)["ok"] for line in lines] == [True, False]


def test_check_of_a_folder_says_what_to_do(tmp_path):
    out = check(tmp_path)
    assert out.returncode == 78
    assert "it is a folder; give a file" in out.stderr


@pytest.mark.parametrize("name,text,message", [
    ("a.yaml", b"include: a.yaml", "a.yaml:1:1: cannot include a.yaml: a.yaml \u2192 a.yaml"),
    ("a.yaml", b"include: none.yaml", "a.yaml:1:1: cannot open none.yaml: No such file"),
    ("a.yaml", b"processes: {a: {cmd: \xff}}", "a.yaml:1:22: cannot read this YAML"),
    ("a.yaml", b"exit_with: wbe\nprocesses: {web: {cmd: x}}", "did you mean `web`?"),
    ("a.yaml", b"processes: {web: {cmd: x, port: 65535, numprocesses: 2}}",
     "cannot use `port`: that of slot 2 would be above 65535"),
    ("a.yaml", b"processes: {web: {cmd: x, log: {size: 1}}}",
     "cannot use `size`: it must be from 4KiB to 1024TiB, as a number of bytes or as such a text"),
    ("a.yaml", b"http: {bind: '0.0.0.0:5001'}", "a.yaml: cannot listen on 0.0.0.0:5001: an endpoint"),
    ("a.yaml", b"http: {endpoints: [{bind: '[::]:5001'}]}", "a.yaml: cannot listen on [::]:5001"),
    ("a.ini", b"[process:a]\ncmd = \xff\n", "a.ini:2:7: cannot read this INI: it is not UTF-8"),
    ("a.ini", b"[proces:a]\ncmd = x\n", "did you mean [process:NAME]?"),
    ("a.ini", b"[webhooks]\n. = ftp://x/\n", "a.ini:2:1: cannot use `url`: it must be http://"),
    ("a.ini", b"[webhooks]\nexti = http://x/\n", "did you mean `exit`?"),
    ("a.ini", b"[process:a]\ncmd = x\nnumprocesses = -1\n", "a.ini:3:1: cannot use"),
])
def test_what_is_wrong_is_told_with_its_place(tmp_path, name, text, message):
    (tmp_path / name).write_bytes(text)
    out = check(name, cwd=tmp_path)
    assert (out.returncode, out.stdout) == (78, "")
    assert message in out.stderr and out.stderr.count("\n") == 1


@pytest.mark.parametrize("name,text", [
    ("a.yaml", b"\xef\xbb\xbfprocesses:\r\n  a: {cmd: x}\r\n"),
    ("a.ini", b"\xef\xbb\xbf[process:a]\r\ncmd = x\r\n"),
])
def test_byte_order_marks_and_crlf_are_accepted(tmp_path, name, text):
    (tmp_path / name).write_bytes(text)
    assert check(name, cwd=tmp_path).stdout == f"{name}: ok (1 template)\n"


def test_gaffers_files_may_be_called_anything(tmp_path):
    (tmp_path / "g.conf").write_text("; mine\n\n[gaffer]\ninclude = x.more, y.yaml\n[process:a]\ncmd = x\n")
    (tmp_path / "x.more").write_text("# more\n[DEFAULT]\nnumprocesses = 3\n[process:b]\ncmd = x\n")
    (tmp_path / "y.yaml").write_text("processes: {c: {cmd: x}}\n")
    assert "ok (3 templates in 3 files)" in check("g.conf", cwd=tmp_path).stdout
    (tmp_path / "x.more").write_text("nonsense\n")
    assert "x.more:1:1: cannot read this INI" in check("g.conf", cwd=tmp_path).stderr
    (tmp_path / "z.yaml").write_text("[process:a]\ncmd = x\n")
    assert check("z.yaml", cwd=tmp_path).returncode == 78


def test_ten_thousand_templates_are_checked(tmp_path):
    file = tmp_path / "many.yaml"
    file.write_text("processes:\n" + "".join(f"  t{i}: {{cmd: sleep 5}}\n" for i in range(10000)))
    assert check(file).stdout == f"{file}: ok (10000 templates)\n"


# colony serve


def test_serve_runs_gaffers_ini(colony):
    colony.config = colony.folder / "gaffer.ini"
    colony.start("[gaffer]\nhttp_endpoints = sock\n"
                 f"[endpoint:sock]\nbind = unix:{colony.folder}/own.sock\n"
                 "[process:echo]\ncmd = sh -c 'echo $WHO; exec sleep 1000'\nmine = 1.50\n"
                 "[env:echo]\nwho = me\n"
                 "[process:group:two]\ncmd = sleep 1000\nnumprocesses = 2\n")
    colony.wait_state("echo", "running")
    colony.wait_state("group:two", "running", 2)
    eventually(lambda: colony.output("echo") == b"me\n")
    assert (colony.folder / "own.sock").is_socket()
    assert colony.http("GET", "/processes/echo").json()["mine"] == 1.5
    # What was kept of it is read again by the next engine.
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers())
    assert colony.http("GET", "/processes/echo").json()["mine"] == 1.5


def test_keeper_and_engine_know_the_configuration_over_a_takeover(colony):
    colony.write({"processes": {"a": {"cmd": "sleep 1000"}}})
    with open(colony.log, "ab") as log:
        colony.process = subprocess.Popen(
            [BINARY, "serve", "--config", "colony.yaml", "--state", "state"], stdout=log,
            stderr=log, stdin=subprocess.DEVNULL, cwd=colony.folder)
    eventually(colony.answers)
    wanted = f"--config={colony.config}"
    keeper, engine = colony.keeper, colony.engine
    assert wanted in command_line(keeper) and wanted in command_line(engine)
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: not alive(keeper))
    colony.process.wait(10)
    eventually(lambda: colony.keeper != keeper and colony.answers())
    assert wanted in command_line(colony.keeper) and wanted in command_line(colony.engine)


def test_exit_with_is_kept_for_the_engine(colony):
    colony.start({"processes": {"a": {"cmd": "sleep 1000"}, "b": {"cmd": "sleep 1000"}},
                  "exit_with": "a"}, "--exit-with", "b")
    assert applied(colony)["exit_with"] == "b"
    assert len(applied(colony)["load"]["id"]) == 16


def test_exit_with_must_name_a_process(colony):
    colony.start({"processes": {"web": {"cmd": "sleep 1000"}}}, "--exit-with", "wbe", wait=False)
    assert colony.process.wait(20) == 78
    assert "cannot end with `wbe`: there is no such process, did you mean `web`?" in \
        colony.log.read_text()


def test_the_engine_has_a_folder_and_serve_forgets_what_a_reload_left(colony):
    colony.start({"name": "first"})
    folder = colony.state / "engine"
    assert folder.stat().st_mode & 0o7777 == 0o700
    colony.stop()
    shutil.copy(colony.state / "settings.json", folder / "settings.json")
    colony.start({"name": "second"})
    assert not (folder / "settings.json").exists()
    assert applied(colony)["name"] == "second"


def test_a_new_engine_runs_on_what_the_last_reload_applied(colony):
    colony.start({"processes": {"a": {"cmd": "sleep 1000"}}})
    settings = json.loads((colony.state / "settings.json").read_text())
    settings["colony"]["processes"].append({"name": "b", "cmd": "sleep 1000"})
    reloaded = colony.state / "engine" / "settings.json"
    reloaded.write_text(json.dumps(settings))
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers())
    assert colony.http("GET", "/processes").json() == ["a", "b"]
    # One that is not sound is passed over.
    reloaded.write_text("{")
    engine = colony.engine
    os.kill(engine, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and colony.answers())
    eventually(lambda: colony.http("GET", "/processes").json() == ["a"], what="the end of b")
    assert "passes over the settings of the last reload" in colony.log.read_text()


def test_a_fault_in_an_included_file_keeps_it_from_starting(colony):
    (colony.folder / "more.yaml").write_text("processes: {a: {cdm: x}}")
    colony.start("include: more.yaml", wait=False)
    assert colony.process.wait(20) == 78
    assert f"{colony.folder}/more.yaml:1:17: cannot use the key `cdm`" in colony.log.read_text()
    assert not colony.state.exists()


# The system's own files: seen by a colony that has its own /etc, /run and /var/lib.


SYSTEM = r"""
mount --bind "$1/etc" /etc && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib || exit 99
"$2" serve --daemon --bind none && "$2" ctl processes; tr '\0' '\n' < /proc/$(cat /var/lib/colony/lock)/cmdline | grep ^--config=
"$2" ctl shutdown > /dev/null
"$2" serve --bind none --state "$1/state" --daemon && "$2" ctl --state "$1/state" processes
"$2" ctl --state "$1/state" shutdown > /dev/null
"""


@needs_root
def test_serve_reads_the_systems_files_only_when_nothing_is_given(tmp_path):
    etc = tmp_path / "etc"
    (etc / "colony" / "conf.d").mkdir(parents=True)
    for name in ("passwd", "group", "nsswitch.conf"):
        if os.path.exists(f"/etc/{name}"):
            shutil.copy(f"/etc/{name}", etc)
    (etc / "colony" / "colony.yaml").write_text("processes: {main: {cmd: sleep 1000}}")
    (etc / "colony" / "conf.d" / "b.ini").write_text("[process:b]\ncmd = sleep 1000\n")
    (etc / "colony" / "conf.d" / "a.yaml").write_text("processes: {a: {cmd: sleep 1000}}")
    out = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
                          "sh", "-c", SYSTEM, "sh", tmp_path, BINARY],
                         capture_output=True, text=True, timeout=60, check=False)
    if out.returncode == 99 or "unshare" in out.stderr:
        pytest.skip("cannot make namespaces here")
    assert sorted(out.stdout.split()) == ["--config=/etc/colony/colony.yaml", "a", "b", "main"], \
        out.stderr


def test_serve_tells_what_and_where_it_serves(colony):
    with socket.socket() as client:
        client.bind(("127.0.0.1", 0))
        port = client.getsockname()[1]
    colony.start({"processes": {"a": {"cmd": "sleep 1000"}, "b": {"cmd": "sleep 1000"}}},
                 "--bind", str(port))  # of 127.0.0.1
    assert f"serves 2 templates (settings: {colony.config}) on unix:{colony.socket}, " \
           f"127.0.0.1:{port}\n" in colony.log.read_text()


def test_serve_without_settings_says_so(tmp_path):
    process = subprocess.Popen([BINARY, "serve", "--state", tmp_path / "state"], text=True,
                               stderr=subprocess.PIPE)
    try:
        assert "serves 0 templates (no settings file) on unix:" in process.stderr.readline()
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_a_log_of_json_has_times_with_their_zone(colony):
    colony.start({"log": {"format": "json"}, "processes": {}}, env={**os.environ, "TZ": "America/Lima"})
    lines = [json.loads(line) for line in colony.log.read_text().splitlines()]
    assert lines
    for line in lines:
        when = datetime.datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
        assert abs(when - datetime.datetime.utcnow()) < datetime.timedelta(hours=1)
