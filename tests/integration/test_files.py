# SPDX-License-Identifier: Apache-2.0
"""Control by the files of a configuration directory, as ncolony has it."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from conftest import BINARY, alive, assert_sleeps, eventually
from directories import Directories, is_root


@pytest.fixture
def files(colony):
    return Directories(colony)


def test_a_file_is_a_process_for_as_long_as_it_is_there(files):
    files.write("web", "sleep", "1000")
    files.start()
    first = files.running("web")
    files.write("other", "sleep", "1001")
    other = files.running("other")
    files.write("web", "sleep", "1002")
    second = files.another("web", first)
    assert not alive(first) and alive(other)
    # Its command line is there a moment after its program was begun.
    assert eventually(lambda: open(f"/proc/{second}/cmdline", "rb").read()) == b"sleep\x001002\0"
    (files.conf / "web").unlink()
    files.wait_names("other")
    eventually(lambda: not alive(second))


def test_the_environment_is_what_the_file_says_and_the_file_itself(files):
    extras = b'"extra":  [1.10, "\\u00e9 \xc3\xa9"],\n\t"x": {"y": null}'
    text = b'{"args": ["sleep", "1000"], ' + extras + b',\r\n "env": {"A": "$B", "HOME": "/x", ' \
           b'"NCOLONY_NAME": "no"}, "env_inherit": ["SHARED", "UNSET", "HOME", "NCOLONY_CONFIG"]}\n'
    files.write("web", text)
    files.start(env={**os.environ, "SHARED": "s h", "HOME": "/root", "OTHER": "o"})
    assert files.environment("web") == {
        b"A": b"$B", b"SHARED": b"s h", b"UNSET": b"", b"HOME": b"/root",
        b"NCOLONY_NAME": b"web", b"NCOLONY_CONFIG": text}


def test_what_is_meant_for_colony_alone_is_withheld_and_told(files):
    files.write("web", "sleep", "1000", env_inherit=["COLONY_COLOUR", "COLONY_TOKEN", "COLONY_IDS"])
    files.start(env={**os.environ, "COLONY_COLOUR": "red", "COLONY_IDS": "1", "COLONY_TOKEN": "s3cret"})
    environment = files.environment("web")
    assert (environment[b"COLONY_COLOUR"], environment[b"COLONY_IDS"]) == (b"red", b"1")
    assert b"COLONY_TOKEN" not in environment
    log = files.colony.log.read_text()
    assert "web:1:62: does not pass on COLONY_TOKEN, which is meant for colony alone" in log
    assert log.count("does not pass on") == 1 and "s3cret" not in log


def test_nothing_in_arguments_is_replaced_and_programs_are_found_without_a_path(files):
    files.write("web", "sh", "-c", 'printf "%s|" "$@"; pwd; exec sleep 1000', "x", "$HOME", "$$", "${A",
                "a b", "")
    files.start(cwd=files.colony.folder)
    files.running("web")
    expected = f"$HOME|$$|${{A|a b||{files.colony.folder}\n"
    eventually(lambda: files.colony.output("web").decode() == expected)


def test_only_what_has_changed_is_restarted(files):
    text = files.write("web", "sleep", "1000")
    files.start()
    pid = files.running("web")
    files.write("web", text)
    os.utime(files.conf / "web")
    files.write("mark", "sleep", "1000")
    files.running("mark")
    assert files.running("web") == pid
    files.write("web", text + b"\n")
    files.another("web", pid)


def test_what_writers_and_editors_leave_is_ignored(files):
    for name in ("a.new", ".web.swp", "web~", "#web#", ".#web"):
        (files.conf / name).write_text('{"args": ["sleep", "1000"]}')
    files.start()
    files.write("web", "sleep", "1000")
    files.running("web")
    (files.conf / "4913").touch()  # as vim tries whether it may write
    (files.conf / "4913").unlink()
    files.write("end", "sleep", "1000")
    files.running("end")
    assert sorted(files.names()) == ["end", "web"] and files.refusals() == []


def test_a_file_that_is_written_in_place_is_read_when_it_is_whole(files):
    files.start()
    whole = b'{"args": ["sleep", "1000"]}'
    with open(files.conf / "web", "wb", buffering=0) as file:
        file.write(whole[:9])
        files.write("other", "sleep", "1000")
        files.wait_names("other")  # one look has seen the half of it
        assert files.refusals() == []
        file.write(whole[9:])
    files.running("web")
    assert files.refusals() == []


def test_a_file_that_stays_broken_is_refused_and_its_process_goes_on(files):
    files.write("web", "sleep", "1000")
    files.start()
    pid = files.running("web")
    files.write("web", b'{"args":\n  ["sleep" 1]}')
    files.wait_refused("web", f"{files.conf}/web:2:", "cannot read this JSON")
    assert files.running("web") == pid
    files.colony.ctl("restart", "web")
    pid = files.another("web", pid)
    files.write("web", "sleep", "1001")
    files.another("web", pid)
    assert len(files.refusals()) == 1


def test_a_rename_between_names_stops_one_and_starts_the_other(files):
    files.write("web", "sleep", "1000")
    files.start()
    pid = files.running("web")
    (files.conf / "web").rename(files.conf / "shop")
    assert files.environment("shop")[b"NCOLONY_NAME"] == b"shop"
    files.wait_names("shop")
    eventually(lambda: not alive(pid))


def test_a_directory_that_is_gone_stops_nothing_and_counts_again_when_it_is_back(files):
    files.write("web", "sleep", "1000")
    files.write("old", "sleep", "1000")
    files.start("--frequency", "0.2")
    pid = files.running("web")
    files.conf.rename(files.colony.folder / "away")
    eventually(lambda: "cannot look into" in files.colony.log.read_text())
    assert alive(pid)
    shutil.copytree(files.colony.folder / "away", files.colony.folder / "back")
    (files.colony.folder / "back" / "old").unlink()
    (files.colony.folder / "back").rename(files.conf)
    files.wait_names("web")
    assert files.running("web") == pid
    files.write("new", "sleep", "1000")
    files.running("new")
    shutil.rmtree(files.conf)
    files.conf.mkdir()
    files.wait_names()


def test_a_regular_look_finds_what_nobody_told_of(files, tmp_path):
    """inotify is kept from telling: its watches are used up for this user."""
    files.start("--frequency", "0.1")
    limit = "/proc/sys/fs/inotify/max_user_watches"
    if not os.access(limit, os.W_OK):
        pytest.skip("cannot set the limit of watches here")
    files.write("web", "sleep", "1000")
    files.running("web")
    hidden = files.colony.folder / "hidden"
    hidden.mkdir()
    # Times set back and a size that stays: only the inode and its change show it.
    before = (files.conf / "web").stat()
    (hidden / "web").write_text((files.conf / "web").read_text().replace("1000", "2000"))
    os.utime(hidden / "web", ns=(before.st_atime_ns, before.st_mtime_ns - 10 ** 12))
    pid = files.running("web")
    (hidden / "web").rename(files.conf / "web")
    files.another("web", pid)


def test_a_reload_looks_at_the_directories_too(files):
    files.start()
    told = files.colony.ctl("reload").stdout
    assert "the directories are looked at again" in told
    looks = int(files.colony.http("GET", "/metrics").text.split("\ncolony_files_looks_total ")[1]
                .split()[0])
    os.kill(files.colony.keeper, signal.SIGHUP)
    eventually(lambda: f"\ncolony_files_looks_total {looks}\n" not in
               files.colony.http("GET", "/metrics").text)


def test_many_files_at_once(files):
    files.start()
    ready = files.colony.folder / "ready"
    ready.mkdir()
    for i in range(5000):
        (ready / f"p{i}").write_text('{"args": ["sleep", "1000"], "colony": {"start": false}}')
    for i in range(5000):
        (ready / f"p{i}").rename(files.conf / f"p{i}")
    eventually(lambda: len(files.names()) == 5000, seconds=60)
    for i in range(5000):
        (files.conf / f"p{i}").unlink()
    files.wait_names()


def test_the_restart_rule_is_that_of_ncolony(files):
    files.write("quick", "true")
    files.write("slow", "sleep", "0.4")
    files.start("-t", "0.2", "-m", "0.1", "-M", "0.4", "-k", "0.3")
    causes = eventually(lambda: [e["cause"] for e in files.colony.http(
        "GET", "/history?template=quick&limit=200").json() if "starts again after" in e["cause"]][:4]
        if files.colony.slot("quick")["restarts"] >= 4 else None)
    waits = [cause.rsplit("after ", 1)[1] for cause in reversed(causes)]
    assert waits[-1] == "0.4 s"
    eventually(lambda: files.colony.slot("slow")["restarts"] >= 2)
    slow = [e["cause"] for e in files.colony.http("GET", "/history?template=slow&limit=100").json()]
    assert any("starts again at once" in cause for cause in slow)
    assert not any("starts again after" in cause for cause in slow)


@pytest.mark.parametrize("args,wait", [(("-M", "0.2"), "0.2 s"), (("-m", "9", "-M", "0.3"), "0.3 s")])
def test_no_delay_is_above_the_longest(files, args, wait):
    files.write("quick", "true")
    files.start(*args)
    eventually(lambda: any(f"starts again after {wait}" in e["cause"] for e in files.colony.http(
        "GET", "/history?template=quick").json()))


def test_what_does_not_stop_is_killed_after_killtime(files):
    files.write("deaf", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    files.start("-k", "0.3")
    pid = files.running("deaf")
    eventually(lambda: b"sh" in open(f"/proc/{pid}/cmdline", "rb").read())
    (files.conf / "deaf").unlink()
    eventually(lambda: not alive(pid), seconds=10)


def test_settings_of_colony_are_taken_and_wrong_ones_refused(files):
    files.write("web", "sleep", "1000", colony={"numprocesses": 2, "cwd": "/", "nice": 3})
    files.start()
    assert os.readlink(f"/proc/{files.running('web', 2)}/cwd") == "/"
    files.write("a", "x", colony={"cmdd": 1})
    files.wait_refused("a", f"{files.conf}/a:1:", "did you mean `cmd`")
    files.write("b", "x", colony={"env": {}})
    files.wait_refused("b", "the file says it outside")
    files.write("c", "x", colony={"os_env": True})
    files.wait_refused("c", "the environment is what the file says")
    files.write("d", "x", colony=[1])
    files.wait_refused("d", "must be a map")


def test_a_file_may_say_when_it_is_run(files):
    files.write("job", "echo", "one", colony={"schedule": "0.1s"})
    files.start()
    eventually(lambda: files.colony.output("job").count(b"one\n") >= 2)
    assert files.refusals() == []


def test_files_may_depend_on_each_other_in_any_order(files):
    files.write("a", "sleep", "1000", colony={"depends_on": ["b"]})
    files.write("b", "sleep", "1000", colony={"depends_on": ["c"]})
    files.write("c", "sleep", "1000")
    files.start()
    files.running("a")
    assert files.refusals() == []
    files.write("ring1", "sleep", "1000", colony={"depends_on": ["ring2"]})
    files.write("ring2", "sleep", "1000", colony={"depends_on": ["ring3"]})
    files.write("ring3", "sleep", "1000", colony={"depends_on": ["ring1"]})
    files.wait_refused("ring2", "cannot order the starts: ring2 → ring3 → ring1 → ring2")
    files.write("ring3", "sleep", "1000")
    files.running("ring1")
    files.write("x", "sleep", "1000", colony={"depends_on": ["y"]})
    files.wait_refused("x", "y")
    files.write("y", "sleep", "1000")
    files.running("x")


def test_a_name_of_somebody_else_is_refused_until_it_is_free(files):
    files.start("--frequency", "0.1", settings={"processes": {"mine": {"cmd": "sleep 1000"}}})
    files.add("web", "sleep 1000")
    pid, mine = files.running("web"), files.running("mine")
    files.write("web", "sleep", "2000")
    files.write("mine", "sleep", "2000")
    files.wait_refused("web", "there is a process called so already")
    files.wait_refused("mine", "there is a process called so already")
    assert (files.running("web"), files.running("mine")) == (pid, mine)
    assert files.colony.http("DELETE", "/processes/web").status == 200
    files.another("web", pid)
    assert len(files.refusals()) == 2


def test_what_a_file_would_undo_is_refused_with_its_name(files):
    files.write("web", "sleep", "1000")
    files.start()
    pid = files.running("web")
    path = f"{files.conf}/web"
    for method, url, body in (("DELETE", "/processes/web", None),
                              ("PUT", "/processes/web", '{"name": "web", "cmd": "sleep 1"}'),
                              ("POST", "/processes/web/_add", ""),
                              ("POST", "/processes/web/_sub/1", ""),
                              ("POST", "/processes/web/_scale/3", "")):
        answer = files.colony.http(method, url, body)
        assert (answer.status, answer.json()["error"]) == (409, "conflict"), url
        assert path in answer.text
    answer = files.colony.http("POST", "/processes", '{"name": "web", "cmd": "sleep 1"}')
    assert answer.status == 409
    assert files.running("web") == pid
    told = files.colony.ctl("scale", "web=2", check=False)
    assert told.returncode == 5 and path in told.stderr
    files.colony.ctl("stop", "web")
    assert not alive(pid)
    files.write("other", "sleep", "1000")
    files.running("other")
    assert files.colony.slot("web")["state"] == "stopped"
    files.colony.ctl("start", "web")
    files.running("web")


def test_a_group_with_a_file_in_it_is_removed_as_a_whole_or_not_at_all(files):
    files.write("g:web", "sleep", "1000")
    files.start()
    files.running("g:web")
    files.add("g:a", "sleep 1000")
    answer = files.colony.http("DELETE", "/groups/g")
    assert answer.status == 409 and f"{files.conf}/g:web" in answer.text
    assert sorted(files.names()) == ["g:a", "g:web"]
    (files.conf / "g:web").unlink()
    files.wait_names("g:a")
    assert files.colony.http("DELETE", "/groups/g").status == 200


def test_a_file_of_the_settings_does_not_take_a_name_over(files):
    files.write("web", "sleep", "1000")
    files.start()
    pid = files.running("web")
    files.colony.write({"processes": {"web": {"cmd": "sleep 1"}}})
    told = files.colony.ctl("reload", check=False)
    assert told.returncode == 78 and str(files.conf / "web") in told.stderr
    assert files.running("web") == pid


def test_what_files_made_is_seen_as_such(files):
    files.write("web", "sleep", "1000")
    files.start(settings={"processes": {"mine": {"cmd": "sleep 1000"}}})
    files.running("web")
    files.add("asked", "sleep 1000")
    seen = {slot["name"]: slot["origin"] for slot in files.colony.slots()}
    assert seen == {"web": "file", "mine": "config", "asked": "http"}
    metrics = files.colony.http("GET", "/metrics").text
    assert "colony_files 1\n" in metrics or "colony_files " not in metrics
    assert "colony_files_refused_total 0\n" in metrics


@pytest.mark.parametrize("victim", ["engine", "both"])
def test_nothing_is_restarted_when_colony_is_killed(files, victim):
    for name in ("same", "changed", "gone", "stopped"):
        files.write(name, "sleep", "1000")
    files.start()
    pids = {name: files.running(name) for name in ("same", "changed", "gone", "stopped")}
    files.colony.ctl("stop", "stopped")
    if victim == "both":
        files.colony.kill_both()
    else:
        os.kill(files.colony.keeper, signal.SIGSTOP)
        os.kill(files.colony.engine, signal.SIGKILL)
    files.write("changed", "sleep", "2000")
    files.write("new", "sleep", "1000")
    (files.conf / "gone").unlink()
    if victim == "both":
        files.start()
    else:
        os.kill(files.colony.keeper, signal.SIGCONT)
    eventually(lambda: sorted(files.names()) == ["changed", "new", "same", "stopped"])
    files.running("new")
    files.another("changed", pids["changed"])
    assert files.running("same") == pids["same"]
    assert files.colony.slot("stopped")["state"] == "stopped"
    eventually(lambda: not alive(pids["gone"]))


def test_after_a_stop_nothing_starts_before_its_file_was_seen(files):
    files.write("gone", "sh", "-c", f"echo x >> {files.colony.folder}/ran; exec sleep 1000")
    files.write("web", "sleep", "1000")
    files.start()
    files.running("gone")
    eventually((files.colony.folder / "ran").exists)
    files.colony.stop()
    (files.conf / "gone").unlink()
    files.start()
    files.running("web")
    files.wait_names("web")
    assert (files.colony.folder / "ran").read_text() == "x\n"


def test_without_its_directories_nothing_of_them_runs(files):
    files.write("web", "sleep", "1000")
    files.start()
    pid = files.running("web")
    files.colony.stop()
    files.colony.start("")
    assert files.names() == [] and not alive(pid)


def test_a_bad_file_keeps_its_last_settings_over_a_restart(files):
    files.write("web", "sleep", "1000")
    files.start()
    files.running("web")
    files.colony.stop()
    files.write("web", b"{")
    files.start()
    files.running("web")
    files.wait_refused("web", "cannot read this JSON")


def test_pid_files_are_those_of_what_runs(files):
    pids = files.colony.folder / "pids"
    files.write("web", "sleep", "1000", colony={"numprocesses": 2})
    files.write("end", "sleep", "1000")
    pids.mkdir()
    files.start("--pid", str(pids))
    first, second = files.running("web"), files.running("web", 2)
    files.running("end")

    def written():
        return {path.name: path.read_text() for path in pids.iterdir()}

    eventually(lambda: written().keys() == {"web", "web.2", "end"})
    assert written()["web"] == f"{first}\n" and written()["web.2"] == f"{second}\n"
    (files.conf / "end").unlink()
    eventually(lambda: written().keys() == {"web", "web.2"})
    os.kill(files.colony.engine, signal.SIGKILL)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: written().get("web") == f"{files.colony.slot('web')['os_pid']}\n")
    files.colony.stop()
    assert written() == {}


def test_output_also_goes_to_the_log_in_the_foreground(files):
    files.write("web", "sh", "-c", "echo out; echo err >&2; exec sleep 1000")
    files.write("two", "sh", "-c", "echo out; exec sleep 1000", colony={"numprocesses": 2})
    files.start()
    for line in ("web: out", "web: err", "two.1: out", "two.2: out"):
        eventually(lambda text=f" {line}\n": text in files.colony.log.read_text())
    files.colony.stop()
    files.colony.log.unlink()
    files.start(settings={"files": {"config": str(files.conf), "messages": str(files.messages),
                                    "forward": "never"}})
    files.running("web")
    eventually(lambda: files.colony.output("web").count(b"out\n") == 2)
    assert "web: out" not in files.colony.log.read_text()


def test_a_file_says_for_itself_whether_its_output_goes_there(files):
    command = ("sh", "-c", "echo out; exec sleep 1000")
    files.write("loud", *command)
    files.write("quiet", *command, colony={"log": {"forward": False}})
    files.start()
    eventually(lambda: " loud: out\n" in files.colony.log.read_text())
    eventually(lambda: files.colony.output("quiet") == b"out\n")
    files.write("quiet", *command, colony={"log": {"forward": True}})
    eventually(lambda: files.colony.output("quiet") == b"out\nout\n")
    files.colony.stop()
    assert files.colony.log.read_text().count(" quiet: out\n") == 1


def test_settings_can_say_it_too(files):
    files.write("web", "sleep", "1000")
    files.colony.start({"files": {"config": str(files.conf), "messages": str(files.messages)}})
    files.running("web")
    files.send("000", type="RESTART", name="web")
    eventually(lambda: list(files.messages.iterdir()) == [])


# Only the directories


def serve(files, *args, **more):
    """As somebody who is not root has it: with a home, and without a state folder."""
    home = files.colony.folder / "home"
    home.mkdir(exist_ok=True)
    if is_root():
        for path in (files.colony.folder, files.conf, files.messages, home):
            os.chown(path, 65534, 65534)
        for path in files.conf.iterdir():
            os.chown(path, 65534, 65534)
        more.update(user=65534, group=65534, extra_groups=[])
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_STATE_HOME": str(home)}
    return subprocess.Popen([BINARY, *args], env=env, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **more)


def ask(files, *args):
    process = serve(files, *args)
    told = process.communicate(timeout=60)[0]
    return process.returncode, told


def test_with_its_directories_alone_it_has_a_place_of_its_own(files):
    files.write("web", "sleep", "1000")
    other = files.colony.folder / "other"
    other.mkdir(mode=0o777)
    (files.colony.folder / "link").symlink_to(files.conf)
    if is_root():
        os.chown(other, 65534, 65534)
    options = ["--messages", str(files.messages)]
    first = serve(files, "serve", "--config", str(files.conf), *options)
    second = serve(files, "serve", "--conf", str(other), "--messages", str(files.messages))
    try:
        conf = str(files.colony.folder / "link")
        eventually(lambda: "running" in ask(files, "ctl", "--conf", conf, "ps")[1])
        eventually(lambda: ask(files, "ctl", "--conf", str(other), "ps")[0] == 0)
        assert "web" not in ask(files, "ctl", "--conf", str(other), "ps")[1]
        folders = sorted((files.colony.folder / "home" / "colony" / "files").iterdir())
        assert len(folders) == 2
        for folder in folders:
            saved = json.loads((folder / "settings.json").read_text())["colony"]
            assert saved["files"]["config"] in (str(files.conf), str(other))
        code, told = ask(files, "serve", "--config", conf, *options)
        assert code == 5 and f"pid {first.pid}" in told
        assert "cannot use more than one" in ask(files, "ctl", "--conf", conf, "--state", "x", "ps")[1]
    finally:
        for one in (first, second):
            one.send_signal(signal.SIGTERM)
            one.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)


@pytest.mark.parametrize("args,why", [
    (["--conf", "{0}/none", "--messages", "{0}/messages"], "there is none (make it, or say --create)"),
    (["--conf", "{0}/conf", "--messages", "{0}/none"], "there is none (make it, or say --create)"),
    (["--conf", "{0}/conf"], "say --messages DIR"),
    (["--config", "{0}/conf"], "say --messages DIR"),
    (["--state", "{0}/state", "--messages", "{0}/conf"], "say --conf DIR"),
    (["--conf", "{0}/conf", "--messages", "{0}/conf"], "for both"),
    (["--conf", "{0}/conf", "--messages", "{0}/messages", "--pid", "{0}/none"], "pid files"),
    (["--conf", "{0}/file", "--messages", "{0}/messages"], "no directory"),
    (["--conf", "{0}/conf", "--config", "{0}/messages"], "each is a directory"),
])
def test_what_cannot_be_is_told_before_anything_runs(files, args, why):
    (files.colony.folder / "file").write_text("")
    code, told = ask(files, "serve", *[arg.format(files.colony.folder) for arg in args])
    assert code == 78, told
    assert why in told and told.count("\n") == 1


@pytest.mark.parametrize("args,why", [
    (["--frequency", "soon"], "--frequency: not a time such as 10, 500ms or 2m: soon"),
    (["--frequency", "0"], "cannot use --frequency: it must be at least 10ms"),
    (["-t", "-1"], "--threshold: not a time"),
    (["--killtime=x"], "--killtime: not a time"),
    (["-m", ""], "--minrestartdelay: not a time"),
    (["-M", "1w"], "--maxrestartdelay: not a time"),
    (["--log-level", "loud"], "cannot log at `loud`"),
    (["--log-format", "xml"], "cannot log as `xml`"),
    (["--keyfile", "x"], "without --certfile"),
])
def test_a_value_that_no_option_may_have_is_an_error_of_usage(files, args, why):
    code, told = ask(files, "serve", "--conf", str(files.conf), "--messages", str(files.messages),
                     *args)
    assert code == 2, told
    assert why in told and told.count("\n") == 1


def test_missing_directories_are_made_when_that_is_asked_for(files):
    files.conf.rmdir()
    files.messages.rmdir()
    pids = files.colony.folder / "pids"
    files.start("--create", "--pid", str(pids))
    assert [oct(path.stat().st_mode & 0o777) for path in (files.conf, files.messages, pids)] \
        == ["0o700"] * 3
    files.write("web", "sleep", "1000")
    files.running("web")


def test_an_idle_colony_sleeps(files):
    files.write("web", "sleep", "1000")
    files.start()
    files.running("web")

    assert_sleeps(files.colony.engine, most=2)  # after looks that follow on those of the beginning
