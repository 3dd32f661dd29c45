# SPDX-License-Identifier: Apache-2.0
"""What etc/session.yaml said when it was good, while it says what cannot be or is gone."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import BINARY, alive
from sessions import Session, session  # noqa: F401

GOOD = "# ours\nperiod: 1s\nschemes: {nap: [/bin/sleep, '{path}']}\ndependences: {b: [a]}\n"


@pytest.fixture
def two(session):
    """b waits for a; both run."""
    session.start("exec:///bin/sleep?600", "--alias", "a")
    session.start("exec:///bin/sleep?601", "--alias", "b")
    (session.folder / "etc/session.yaml").write_text(GOOD, encoding="utf-8")
    session.run("show")
    return session


def break_it(session):
    (session.folder / "etc/session.yaml").write_text(GOOD + "x: [\n", encoding="utf-8")


def test_a_session_file_made_nonsense_goes_on_as_it_was_for_who_only_reads_it(two):
    break_it(two)
    for args in (["show"], ["show", "--graph"], ["dependence", "list"], ["fingerprint", "a"],
                 ["attach", "--alias", "a", "--state", "up"], ["status", "a"],
                 ["wait", "a", "--condition", "alive"], ["stop", "b"]):
        told = two.run(*args)
        assert re.search(r"/etc/session\.yaml:6:1: .* \(meanwhile what it said when it was good counts\)",
                         told.stderr), (args, told.stderr)
        assert len(told.stderr.splitlines()) == 1, (args, told.stderr)
    assert re.search(r" b .* a ", two.run("show").stdout)
    assert two.run("dependence", "list").stdout == "b waits for a\n"
    two.run("stop", "a")
    told = two.run("start", "b", check=5)
    assert "waits for a" in told.stderr
    assert two.read("etc/session.yaml") == GOOD + "x: [\n"


def test_a_session_file_made_nonsense_is_not_written_and_not_activated(two):
    break_it(two)
    for args in (["dependence", "add", "--parent", "a", "--child", "b"],
                 ["dependence", "remove", "--parent", "a", "--child", "b"], ["activate"]):
        assert "/etc/session.yaml:6:1: " in two.run(*args, check=78).stderr
    assert two.read("etc/session.yaml") == GOOD + "x: [\n"


def test_a_session_file_that_never_was_good_is_bad_configuration(tmp_path):
    folder = tmp_path / "w"
    session = Session(folder)
    session.run("init")
    (folder / "db/session.db").unlink()
    (folder / "etc/session.yaml").write_text("period: soon\n", encoding="utf-8")
    assert "/etc/session.yaml:1:1: " in session.run("dependence", "list", check=78).stderr
    session.run("start", "--uri", "exec:///bin/sleep?600", check=78)
    (folder / "etc/session.yaml").write_text("period: 1s\n", encoding="utf-8")
    assert session.run("dependence", "list").stderr == ""


@pytest.mark.parametrize("args", [["show"], ["init"], ["dependence", "list"], ["stop", "b"],
                                  ["dependence", "add", "--parent", "a", "--child", "b"]])
def test_a_session_file_that_is_gone_is_made_again(two, args):
    (two.folder / "etc/session.yaml").unlink()
    told = two.run(*args).stderr.splitlines()
    assert len(told) == 1 and "/etc/session.yaml was gone: made again from the database" in told[0]
    assert two.read("etc/session.yaml") == GOOD
    assert two.run("show").stderr == ""


def test_a_child_does_not_start_without_its_parent_when_the_file_is_gone(two):
    two.run("stop", "--all")
    (two.folder / "etc/session.yaml").unlink()
    assert "waits for a" in two.run("start", "b", check=5).stderr
    assert two.read("etc/session.yaml") == GOOD


def test_what_the_command_wrote_is_made_again_too(two):
    _, pid = two.start("exec:///bin/sleep?602", "--alias", "c")
    two.run("dependence", "add", "--parent", "b", "--child", "c")
    (two.folder / "etc/session.yaml").unlink()
    two.run("show")
    assert "c waits for b" in two.run("dependence", "list").stdout
    assert alive(pid)


@pytest.mark.parametrize("gone", [["db"], ["etc"], ["fp", "pid", "err"], ["out", "db"]])
def test_folders_that_are_gone_are_made_again_and_told(two, gone):
    for name in gone:
        shutil.rmtree(two.folder / name)
    env = {key: value for key, value in os.environ.items() if key != "COLONY_SESSION"}
    (two.folder / "bin/below").mkdir()
    told = subprocess.run([BINARY, "session", "show"], cwd=two.folder / "bin/below", env=env,
                          capture_output=True, text=True, timeout=20, check=False)
    assert told.returncode == 0, told.stderr
    assert re.search(r" b .* a ", told.stdout)
    assert "folders of the workspace were gone and are made again: " + ", ".join(sorted(gone)) in told.stderr
    assert two.read("etc/session.yaml") == GOOD
    assert two.run("show").stderr == ""


@pytest.mark.parametrize("folders", [["bin", "db", "err", "etc", "fp", "out", "pid"],
                                     [".colony", "bin", "out", "etc"], [".colony", "db"]])
def test_an_ordinary_folder_is_no_workspace(tmp_path, folders):
    for name in folders:
        (tmp_path / name).mkdir()
    told = Session(tmp_path).run("show", check=4)
    assert "is no workspace of a session" in told.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(folders)
