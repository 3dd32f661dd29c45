# SPDX-License-Identifier: Apache-2.0
"""colony ctl --messages DIR --config DIR: ncolony's actions, with no colony that runs."""
import fcntl
import json
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import time

import pytest

from conftest import BINARY, eventually, needs_root


class Places:
    def __init__(self, folder):
        self.config = folder / "conf"
        self.messages = folder / "messages"
        self.config.mkdir()
        self.messages.mkdir()

    def run(self, *args, **run):
        return subprocess.run(
            [BINARY, "ctl", "--messages", str(self.messages), "--config", str(self.config),
             *map(str, args)], capture_output=True, text=True, timeout=20, **run)

    def ctl(self, *args, code=0, **run):
        result = self.run(*args, **run)
        assert result.returncode == code, result.stderr
        assert code == 0 or result.stderr.count("\n") == 1, "one line says what is wrong"
        return result.stderr if code else result.stdout

    def text(self, name):
        return (self.config / name).read_text()

    def sent(self):
        """The messages in the order in which they are read."""
        return [json.loads(path.read_text()) for path in sorted(self.messages.iterdir())
                if path.suffix != ".new"]  # that is still being written


@pytest.fixture
def places():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="colony-test-"))
    folder.chmod(0o755)
    yield Places(folder)
    shutil.rmtree(folder)


def test_the_files_of_the_seed_are_written_as_ncolony_writes_them(places):
    places.ctl("add", "--name=web", "--cmd=python", "--arg=-m", "--arg=twisted", "--arg=web")
    assert places.text("web") == '{"args": ["python", "-m", "twisted", "web"]}'
    places.ctl("add", "--name=echo", "--cmd=python", "--arg=-m", "--arg=twisted",
               "--arg=ncolony-scheduler", "--arg=--arg=echo", "--arg=--arg=hello",
               "--arg=--frequency=10", "--arg=--timeout=5", "--arg=--grace=10")
    assert json.loads(places.text("echo"))["args"] == [
        "python", "-m", "twisted", "ncolony-scheduler", "--arg=echo", "--arg=hello",
        "--frequency=10", "--timeout=5", "--grace=10"]
    assert places.ctl("list") == "echo\nweb\n"
    assert json.loads(places.ctl("list", "--json")) == ["echo", "web"]
    assert places.ctl("show", "web") == places.text("web") + "\n"
    assert places.sent() == []


def test_all_that_can_be_said_stands_in_the_file_in_its_order(places):
    extras = '{"group": ["a"], "n": 1.50, "ncolony.beatcheck": {"status": "/s"}, "ü": "\\u00fc\\n"}'
    places.ctl("add", "all", "--cmd", "/bin/x y", "--arg=", "--arg", "--z", "--env", "A=1",
               "--env=B=b=c", "--env=A=2", "--env-inherit", "HOME", "--env-inherit=TERM",
               "--uid=1000", "--gid", "100", "--extras", extras)
    assert places.text("all") == (
        '{"args": ["/bin/x y", "", "--z"], "env": {"A": "2", "B": "b=c"}, "uid": 1000, '
        '"gid": 100, "env_inherit": ["HOME", "TERM"], "group": ["a"], "n": 1.50, '
        '"ncolony.beatcheck": {"status": "/s"}, "ü": "ü\\n"}')


def test_extras_may_be_a_file(places, tmp_path):
    (tmp_path / "more.json").write_text('\n{"group": ["shop"]}\n')
    places.ctl("add", "web", "--cmd", "x", "--extras", tmp_path / "more.json")
    assert places.text("web") == '{"args": ["x"], "group": ["shop"]}'


def test_extras_may_be_a_pipe_of_the_shell(places):
    add = f"{BINARY} ctl --messages {places.messages} --config {places.config} add web --cmd x --extras"
    subprocess.run(["bash", "-c", add + """ <(echo '{"group": ["shop"]}')"""], check=True, timeout=20)
    assert json.loads(places.text("web"))["group"] == ["shop"]
    refused = subprocess.run(["bash", "-c", add + " <(echo nonsense)"], timeout=20)
    assert refused.returncode == 2


def test_the_same_again_touches_nothing_and_a_change_replaces(places):
    places.ctl("add", "web", "--cmd", "x")
    before = (places.config / "web").stat()
    places.ctl("add", "web", "--cmd", "x")
    after = (places.config / "web").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    places.ctl("add", "web", "--cmd", "y")
    assert places.text("web") == '{"args": ["y"]}'
    assert (places.config / "web").stat().st_ino != before.st_ino, "renamed over, never half"
    assert os.listdir(places.config) == ["web"]


def test_what_a_killed_writer_left_is_taken_away_and_nothing_else(places):
    """A name is that of a living writer as long as it has the lock."""
    (places.config / "web.colony-0.new").write_text("half of i")
    living = (places.config / "web.colony-1.new").open("w")
    fcntl.flock(living, fcntl.LOCK_EX)
    (places.config / "web.new").touch()  # whoever writes that knows nothing of locks
    (places.messages / "000Message.colony-0.new").write_text('{"type": "RES')
    with living:
        places.ctl("add", "web", "--cmd", "x")
        places.ctl("restart", "web")
        assert sorted(os.listdir(places.config)) == ["web", "web.colony-1.new", "web.new"]
        assert [name.split(".")[0] for name in os.listdir(places.messages)] == ["000Message"]
        assert places.sent() == [{"type": "RESTART", "name": "web"}]


def test_a_file_may_be_read_by_whom_the_umask_lets(places):
    places.ctl("add", "web", "--cmd", "x", umask=0o027)
    assert stat.S_IMODE((places.config / "web").stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o000])
def test_a_file_that_is_replaced_keeps_its_mode(places, mode):
    (places.config / "web").touch()
    (places.config / "web").chmod(mode)
    places.ctl("add", "web", "--cmd", "x", umask=0o022)
    assert stat.S_IMODE((places.config / "web").stat().st_mode) == mode


def test_a_dry_run_prints_and_writes_nothing(places):
    assert places.ctl("add", "web", "--cmd", "x", "--dry-run") == '{"args": ["x"]}\n'
    assert places.ctl("restart-all", "--dry-run") == '{"type": "RESTART-ALL"}\n'
    assert os.listdir(places.config) == os.listdir(places.messages) == []


def test_messages_are_those_of_ncolony(places):
    places.ctl("add", "web", "--cmd", "x")
    places.ctl("restart", "web")
    places.ctl("restart", "--name=web")
    places.ctl("restart-all")
    places.ctl("restart-group", 'a "group"')
    names = os.listdir(places.messages)
    assert all(re.fullmatch(r"000Message\.\d+\.\d+", name) for name in names), names
    assert sorted(map(str, places.sent())) == sorted(map(str, [
        {"type": "RESTART", "name": "web"}, {"type": "RESTART", "name": "web"},
        {"type": "RESTART-ALL"}, {"type": "RESTART-GROUP", "group": 'a "group"'}]))


def test_many_at_once_are_all_there(places):
    places.ctl("add", "web", "--cmd", "x")
    command = [BINARY, "ctl", "--messages", places.messages, "--config", places.config]
    running = [subprocess.Popen([*command, "restart", "web"]) for _ in range(40)]
    running += [subprocess.Popen([*command, "add", "many", "--cmd", "x" * i]) for i in range(1, 9)]
    assert all(process.wait(30) == 0 for process in running)
    assert len(places.sent()) == 40
    assert re.fullmatch(r'{"args": \["x{1,8}"\]}', places.text("many"))
    assert sorted(os.listdir(places.config)) == ["many", "web"]


def test_a_removed_file_is_gone(places):
    places.ctl("add", "web", "--cmd", "x")
    places.ctl("remove", "web")
    assert os.listdir(places.config) == []
    assert "no such file" in places.ctl("remove", "web", code=4)


def test_a_name_that_nobody_has_gets_the_nearest(places):
    places.ctl("add", "web", "--cmd", "x")
    for action in ("remove", "show"):
        assert "did you mean web?" in places.ctl(action, "wbe", code=4)


def test_a_restart_is_sent_before_there_is_such_a_file(places):
    told = places.run("restart", "web")
    assert told.returncode == 0 and f"no such file in {places.config}" in told.stderr
    assert places.ctl("restart", "web", "--dry-run") == '{"type": "RESTART", "name": "web"}\n'
    assert places.sent() == [{"type": "RESTART", "name": "web"}]


def test_extras_win_over_what_else_is_said(places):
    places.ctl("add", "web", "--cmd", "x", "--uid=0", "--env=A=1", "--extras",
               '{"n": 1, "env": {}, "args": ["y", "z"]}')
    assert places.text("web") == '{"args": ["y", "z"], "env": {}, "uid": 0, "n": 1}'


def test_a_user_that_is_none_here_may_be_one_elsewhere(places):
    told = places.run("add", "web", "--cmd", "x", "--arg", "y", "--uid", "1234567")
    assert told.returncode == 0 and "1234567 is no known user, so give `gid` too" in told.stderr
    assert places.text("web") == '{"args": ["x", "y"], "uid": 1234567}'


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../x", "", "web.new", ".hidden", "web~", "#web#", "x" * 201,
                                  "line\nfeed"])
def test_what_is_no_name_is_refused(places, name):
    for args in (["add", name, "--cmd", "x"], ["add", f"--name={name}", "--cmd=x"],
                 ["remove", name], ["restart", name], ["show", name]):
        assert "cannot use" in places.ctl(*args, code=2)
    assert os.listdir(places.config) == os.listdir(places.messages) == []


def test_a_path_is_no_name_whatever_it_begins_or_ends_with(places):
    for name in ("../x", ".x/y", "x/y.new", "x/y~"):
        assert "it has a `/`" in places.ctl("restart", name, code=2)


def test_digits_are_a_name_here(places):
    places.ctl("add", "8080", "--cmd", "x")
    assert places.ctl("list") == "8080\n"


@pytest.mark.parametrize("extras, fault", [
    ("[1]", "must be an object"), ('{"a": 1', "cannot read this JSON"),
    ('{"a": 1, "a": 2}', "`a`"),
    ("/no/such/file", "No such file"), ("{'a': 1}", "cannot read this JSON"),
    ('{"a": ' + "[" * 100 + "]" * 100 + "}", "in each other")])
def test_extras_that_cannot_be_are_refused(places, extras, fault):
    told = places.ctl("add", "web", "--cmd", "x", "--env", "A=1", "--extras", extras,
                      code=1 if extras[0] == "/" else 2)
    assert "extras" in told and fault in told
    assert os.listdir(places.config) == []


@pytest.mark.parametrize("args, fault", [
    (["--env-inherit", "A=B"], "`A=B`"), (["--env-inherit", ""], "``"),
    (["--uid", "1234567", "--env-inherit", ""], "``"),
    (["--extras", '{"uid": "5x"}'], "no such user"), (["--extras", '{"group": "g"}'], "`group`"),
    (["--extras", '{"colony": {"cwdd": 1}}'], "did you mean `cwd`"),
    (["--extras", '{"colony": {"schedule": "soon"}}'], "`schedule`"),
    (["--extras", '{"x": "' + "y" * 131050 + '"}'], "more than a variable")])
def test_what_colony_would_refuse_is_not_written(places, args, fault):
    for more in ((), ("--dry-run",)):
        told = places.ctl("add", "web", "--cmd", "x", *args, *more, code=2)
        assert fault in told and f"{places.config}/web" in told
    assert os.listdir(places.config) == []


@pytest.mark.parametrize("args, fault", [
    (["add", "web"], "--cmd"), (["add", "--cmd", "x"], "which?"), (["restart"], "which?"),
    (["add", "a", "--name=b", "--cmd", "x"], "two names"), (["restart-al"], "restart-all"),
    (["add", "web", "--cmd", "x", "--env", "A"], "KEY=VALUE"),
    (["add", "web", "--cmd", "x", "--uid", "root"], "not a number"),
    (["add", "web", "--cmd", "x", "--uid", "4294967295"], "too large"),
    (["add", "web", "--cmd", ""], "empty"), (["add", "web", "more", "--cmd", "x"], "too many"),
    (["add", "web", "--cmd", b"\xff".decode("utf-8", "surrogateescape")], "UTF-8"),
    (["ps"], "no such action")])
def test_wrong_usage_is_told(places, args, fault):
    assert fault in places.ctl(*args, code=2)
    assert os.listdir(places.config) == []


def test_one_folder_alone_is_wrong_usage(places):
    for option, path in (("--messages", places.messages), ("--config", places.config)):
        result = subprocess.run([BINARY, "ctl", option, path, "restart-all"], capture_output=True,
                                text=True, timeout=20)
        assert result.returncode == 2 and "without --" in result.stderr
    assert "--state" in places.ctl("--state", "/x", "list", code=2)


def test_folders_that_are_missing_are_named(places):
    os.rmdir(places.config)
    assert f"cannot open the folder {places.config}" in places.ctl("add", "web", "--cmd", "x",
                                                                   code=1)
    assert "cannot open the folder" in places.ctl("list", code=1)
    os.rmdir(places.messages)
    assert f"cannot open the folder {places.messages}" in places.ctl("restart-all", code=1)


@needs_root
def test_folders_that_cannot_be_written_are_named(places):
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    told = places.ctl("add", "web", "--cmd", "x", code=77, **nobody)
    assert f"cannot write {places.config}/web: Permission denied" in told
    told = places.ctl("restart-all", code=77, **nobody)
    assert f"cannot write a message into {places.messages}: Permission denied" in told


def test_what_is_no_file_is_neither_read_nor_waited_for(places, tmp_path):
    (tmp_path / "secret").write_text('{"args": ["x"]}')
    os.symlink(tmp_path / "secret", places.config / "link")
    os.mkfifo(places.config / "pipe")
    (places.config / "folder").mkdir()
    with open(places.config / "huge", "wb") as file:
        file.truncate(100 << 20)
    for name in ("link", "pipe", "folder"):
        assert "not a regular file" in places.ctl("show", name, code=2)
    assert "larger than 1 MiB" in places.ctl("show", "huge", code=1)
    assert places.ctl("list") == "huge\n"
    places.ctl("add", "link", "--cmd", "y")
    assert (tmp_path / "secret").read_text() == '{"args": ["x"]}', "what it led to is left alone"
    places.ctl("add", "pipe", "--cmd", "y")
    assert places.text("pipe") == places.text("link") == '{"args": ["y"]}'


def test_a_file_that_is_broken_is_told(places):
    (places.config / "web").write_text('{"args": ["x"')
    assert "cannot read this JSON" in places.ctl("show", "web", code=78)


def test_it_works_as_any_user_and_with_no_home(places):
    run = {"env": {}}
    if os.geteuid() == 0:
        for folder in (places.config, places.messages):
            os.chown(folder, 65534, 65534)
        run.update(user=65534, group=65534, extra_groups=[])
    places.ctl("add", "web", "--cmd", "x", **run)
    places.ctl("restart", "web", **run)
    assert len(places.sent()) == 1


def test_help_and_completion_know_both_kinds_of_actions(places):
    both = ["ctl", "--messages", str(places.messages), "--config", str(places.config)]
    text = subprocess.run([BINARY, *both, "help"], capture_output=True, text=True).stdout
    for action in ("add", "remove", "restart", "restart-all", "restart-group", "list", "show"):
        assert re.search(rf"^  {action}\b", text, re.M)
        told = subprocess.run([BINARY, *both, action, "--help"], capture_output=True, text=True)
        assert told.returncode == 0 and "examples:" in told.stdout
    for word in ("--help", "-h"):
        assert subprocess.run([BINARY, *both, word], capture_output=True, text=True).stdout == text
    assert "colony ctl --messages DIR --config DIR: too few arguments" in places.ctl(code=2)
    own = subprocess.run([BINARY, "ctl", "--help"], capture_output=True, text=True).stdout
    assert "--messages DIR" in own and "restart-group" in own

    def offered(*words):
        out = subprocess.run([BINARY, "complete", *both, *words], capture_output=True, text=True)
        return {line.split("\t")[0] for line in out.stdout.splitlines()}

    places.ctl("add", "web", "--cmd", "x")
    assert offered("restart-") == {"restart-all", "restart-group"}
    assert offered("restart", "") == {"web"}
    assert offered("restart", "--name=") == {"--name=web"}
    assert {"--cmd", "--extras", "--dry-run"} <= offered("add", "--")
    assert offered("add", "--cmd", "x", "--arg", "y", "--ex") == {"--extras"}


def test_the_example_writes_what_a_supervisor_and_the_checker_need(places):
    with socket.socket() as held:  # only who names its port is given it, too
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        try_the_example(places, held.getsockname()[1])


def try_the_example(places, port):
    root = pathlib.Path(__file__).parents[2]
    shutil.rmtree(places.config)
    shutil.rmtree(places.messages)
    made = subprocess.run([root / "examples/ncolony/add", places.config.parent], text=True,
                          capture_output=True, timeout=20,
                          env={**os.environ, "COLONY": BINARY, "PORT": str(port)})
    assert (made.returncode, made.stdout, made.stderr) == (0, "echo\nweb\n", "")
    web = json.loads(places.text("web"))
    assert web["args"] == ["python3", "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    assert json.loads(places.text("echo"))["args"] == [
        BINARY, "schedule", "--arg=echo", "--arg=hello", "--frequency=10", "--timeout=5",
        "--grace=10"]
    check = web["ncolony.httpcheck"]
    assert check["url"] == f"http://127.0.0.1:{port}/"
    check.update(period=0.5, timeout=0.5)  # as the example, ten and more times as fast
    (places.config / "web.new").write_text(json.dumps(web))
    (places.config / "web.new").rename(places.config / "web")
    with subprocess.Popen(web["args"], cwd=places.config, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as server:
        eventually(lambda: socket.create_connection(("127.0.0.1", port)).close() is None)
        with subprocess.Popen([BINARY, "httpcheck", "--messages", places.messages, "--config",
                               places.config, "--freq", "0.05"], stderr=subprocess.DEVNULL) as one:
            time.sleep(1)  # nothing is to happen
            assert places.sent() == []
            server.kill()
            eventually(lambda: places.sent()[0] == {"type": "RESTART", "name": "web"})
            one.terminate()
            assert one.wait(10) == 0
    places.ctl("restart", "--name=echo")
    places.ctl("restart-all")
    assert {"type": "RESTART", "name": "echo"} in places.sent()
    assert {"type": "RESTART-ALL"} in places.sent()
