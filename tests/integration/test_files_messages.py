# SPDX-License-Identifier: Apache-2.0
"""Messages that are left in a directory, as ncolony has them."""

import json
import os
import signal

import pytest

from conftest import alive, eventually
from directories import Directories, is_root


@pytest.fixture
def files(colony):
    return Directories(colony)


def wait_done(files):
    eventually(lambda: [p.name for p in files.messages.iterdir() if p.name != ".invalid"] == [],
               what="an empty directory of messages")


def test_a_restart_touches_the_named_one_only(files):
    files.write("web", "sleep", "1000")
    files.write("other", "sleep", "1000")
    files.start("-t", "0")
    web, other = files.running("web"), files.running("other")
    files.send("000Message.1", type="RESTART", name="web")
    files.another("web", web)
    wait_done(files)
    assert files.running("other") == other and not alive(web)


def test_all_and_groups_are_restarted(files):
    files.write("a", "sleep", "1000", group=["one", "two"])
    files.write("b", "sleep", "1000", group=["two"])
    files.write("c", "sleep", "1000")
    files.start("-t", "0", settings={"processes": {"mine": {"cmd": "sleep 1000"}}})
    names = ("a", "b", "c", "mine")
    first = {name: files.running(name) for name in names}
    files.send("1", type="RESTART-GROUP", group="two")
    second = {"a": files.another("a", first["a"]), "b": files.another("b", first["b"])}
    assert files.running("c") == first["c"]
    wait_done(files)
    files.send("2", type="RESTART-ALL")
    for name, pid in (("a", second["a"]), ("b", second["b"]), ("c", first["c"])):
        files.another(name, pid)
    assert files.running("mine") == first["mine"]


def test_a_restart_within_the_threshold_is_an_end_that_was_too_soon(files):
    files.write("web", "sleep", "1000")
    files.start("-t", "1000", "-m", "0.3")
    pid = files.running("web")
    files.send("1", type="RESTART", name="web")
    files.another("web", pid)
    causes = [e["cause"] for e in files.colony.http("GET", "/history?template=web").json()]
    assert any("message 1: starts again after 0.3 s" in cause for cause in causes)


def test_what_was_stopped_is_started_by_a_restart(files):
    files.write("web", "sleep", "1000")
    files.start()
    files.running("web")
    files.colony.ctl("stop", "web")
    files.send("1", type="RESTART", name="web")
    files.running("web")


def test_a_file_and_then_a_message_about_it_are_understood(files):
    files.start("-t", "0")
    for i in range(20):
        files.write(f"p{i}", "sleep", "1000")
        files.send(f"m{i}", type="RESTART", name=f"p{i}")
    wait_done(files)
    assert files.refusals() == []


@pytest.mark.parametrize("text,why", [
    ("{", "cannot read this JSON"),
    ("[]", "must be a JSON object"),
    ("{}", "`type` must be there"),
    ('{"type": 1}', "`type` must be there"),
    ('{"type": "STOP", "name": "web"}', "RESTART-GROUP"),
    ('{"type": "RESTART"}', "`name` must be there"),
    ('{"type": "RESTART", "name": 1}', "`name` must be there"),
    ('{"type": "RESTART", "name": "../web"}', "it has a `/`"),
    ('{"type": "RESTART", "name": "none"}', "there is no file of that name"),
    ('{"type": "RESTART-GROUP", "group": "none"}', "there is no group of that name"),
    ('{"type": "RESTART", "type": "RESTART-ALL"}', "the key `type` twice"),
    ("", "cannot read this JSON"),
    ("x" * (1 << 20) + "y", "are the most"),
], ids=range(13))
def test_what_is_no_message_is_set_aside_with_the_reason(files, text, why):
    files.write("web", "sleep", "1000")
    (files.messages / "1").write_text(text)
    files.send("2", type="RESTART", name="web")
    files.start("-t", "0")
    wait_done(files)
    assert (files.invalid / "1").read_text() == text
    assert why in (files.invalid / "1.reason").read_text()
    assert why in files.wait_refused(None, why)
    assert not (files.invalid / "2").exists()
    assert oct(files.invalid.stat().st_mode & 0o777) == "0o700"


def test_a_restart_of_what_was_refused_says_why_it_does_not_run(files):
    files.write("web", "sleep", "1000")
    files.write("bad", b'{"args": "text"}')
    files.start()
    files.wait_refused("bad", "cannot use `args`")
    files.send("1", type="RESTART", name="bad")
    files.wait_refused(None, "cannot restart bad: its file is not used: ", "cannot use `args`")


@pytest.mark.parametrize("name", ["000Message.7", "long" + "g" * 245])
def test_refused_messages_of_one_name_are_kept_up_to_nine(files, name):
    files.start()
    for i in range(11):
        files.send(name, type=f"WISH{i}")
        wait_done(files)
    kept = {p.name: p.read_text() for p in files.invalid.iterdir() if p.name[:4] == name[:4]}
    texts = sorted(text for text in kept.values() if "WISH" in text)
    assert len(kept) == 18 and texts == [f'{{"type": "WISH{i}"}}' for i in range(9)]
    assert kept[name] == '{"type": "WISH0"}'
    eventually(lambda: "\ncolony_files_dropped_total 2\n" in
               files.colony.http("GET", "/metrics").text)
    assert "has deleted refused messages (1)" in files.colony.log.read_text()
    assert len(files.refusals()) == 11


def test_nothing_is_followed_or_opened_that_is_no_file(files):
    files.write("web", "sleep", "1000")
    outside = files.colony.folder / "outside"
    outside.write_text('{"type": "RESTART-ALL"}')
    files.start("-t", "0")
    pid = files.running("web")
    (files.messages / "link").symlink_to(outside)
    os.mkfifo(files.messages / "fifo")
    (files.messages / "folder").mkdir()
    wait_done(files)
    assert files.running("web") == pid and outside.exists()
    reasons = {path.name: path.read_text() for path in files.invalid.glob("*.reason")}
    assert "a symbolic link" in reasons["link.reason"]
    assert "a fifo" in reasons["fifo.reason"] and "a directory" in reasons["folder.reason"]


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_messages_of_others_are_refused_as_root(files):
    files.write("web", "sleep", "1000")
    files.start()
    pid = files.running("web")
    (files.messages / "1.new").write_text('{"type": "RESTART-ALL"}')
    os.chown(files.messages / "1.new", 65534, 65534)
    (files.messages / "1.new").rename(files.messages / "1")
    wait_done(files)
    assert "it belongs to uid 65534" in (files.invalid / "1.reason").read_text()
    assert files.running("web") == pid


def test_a_message_that_is_written_in_place_is_read_when_it_is_whole(files):
    files.write("web", "sleep", "1000")
    files.start("-t", "0")
    pid = files.running("web")
    with open(files.messages / "1", "wb", buffering=0) as file:
        file.write(b'{"type": "RES')
        files.send("2", type="RESTART", name="web")
        eventually(lambda: not (files.messages / "2").exists())
        file.write(b'TART-ALL"}')  # soon: what stays as it is is refused
    files.another("web", pid)
    wait_done(files)
    assert files.refusals() == []


def test_a_message_that_was_not_acted_on_waits_for_the_next_engine(files):
    files.write("web", "sleep", "1000")
    files.start("-t", "0")
    pid = files.running("web")
    os.kill(files.colony.keeper, signal.SIGSTOP)
    os.kill(files.colony.engine, signal.SIGKILL)
    files.send("1", type="RESTART", name="web")
    os.kill(files.colony.keeper, signal.SIGCONT)
    files.another("web", pid)
    wait_done(files)


def test_messages_are_handled_in_the_order_of_their_names(files):
    for name in ("a", "b", "c"):
        files.write(name, "sleep", "1000")
    for number, name in (("3", "a"), ("1", "b"), ("2", "c")):
        files.send(number, type="RESTART", name=name)
    files.start("-t", "0")
    wait_done(files)
    events = files.colony.http("GET", "/history?limit=1000").json()
    asked = [e["name"] for e in sorted(events, key=lambda e: e["seq"]) if e["event"] == "restart"]
    assert asked == ["b", "c", "a"]


def test_very_many_messages(files):
    files.write("web", "sleep", "1000")
    for i in range(3000):
        (files.messages / f"{i:06}").write_text(json.dumps({"type": "RESTART", "name": "web"}))
    files.start("-t", "0")
    wait_done(files)
    metrics = files.colony.http("GET", "/metrics").text
    assert "colony_files_messages_total 3000\n" in metrics


@pytest.mark.skipif(not is_root(), reason="needs root")
def test_a_message_that_cannot_be_deleted_is_acted_on_once(files):
    """Where root may not delete either: by a flag of the file system, if it has that."""
    files.write("web", "sleep", "1000")
    files.start("-t", "0", "--frequency", "0.1")
    pid = files.running("web")
    (files.messages / "1.new").write_text('{"type": "RESTART", "name": "web"}')
    if os.system(f"chattr +a {files.messages} 2>/dev/null") != 0:
        pytest.skip("no such flag here")
    try:
        (files.messages / "1").write_text('{"type": "RESTART", "name": "web"}')
        pid = files.another("web", pid)
        eventually(lambda: "remove it yourself" in files.colony.log.read_text())
        files.write("end", "sleep", "1000")
        files.running("end")
        assert files.running("web") == pid
    finally:
        os.system(f"chattr -a {files.messages}")
