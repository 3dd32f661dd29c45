# SPDX-License-Identifier: Apache-2.0
"""Which directories `colony serve` takes for control by files, and what it says of others."""

import os
import subprocess

import pytest

from conftest import BINARY, eventually
from directories import Directories


@pytest.fixture
def files(colony):
    made = Directories(colony)
    made.write("web", "sleep", "1000")
    return made


def refused(files, *args, code=78):
    """The line that says why it does not start; {0} in @args is the folder of both directories."""
    result = subprocess.run([BINARY, "serve", *(arg.format(files.colony.folder) for arg in args)],
                            capture_output=True, text=True, timeout=20, cwd=files.colony.folder)
    assert (result.returncode, result.stderr.count("\n")) == (code, 1), result.stderr
    return result.stderr


BOTH = ("--conf", "{0}/conf", "--messages", "{0}/messages")
STATE = ("--state", "{0}/state")


@pytest.mark.parametrize("args, why", [
    ((*BOTH, *STATE, "--pid", "{0}/conf"), "conf for both processes and pid files"),
    ((*BOTH, *STATE, "--pid", "{0}/messages"), "messages for both messages and pid files"),
    ((*BOTH, "--state", "conf"), "conf for both processes and colony's state"),
    ((*BOTH, "--state", "{0}/messages/"), "messages for both messages and colony's state"),
    ((*BOTH, *STATE, "--pid", "{0}/link"), "conf for both processes and pid files"),
    ((*BOTH, "--pid", "{0}/pids", "--state", "{0}/pids"), "for both pid files and colony's state"),
    ((*BOTH, *STATE, "--pid", "{0}/messages/pids"), "it is in the directory of messages"),
    ((*BOTH, "--state", "messages/a/b"), "it is in the directory of messages"),
    ((*BOTH, "--state", "{0}/link/a"), "it is in the directory of processes"),
    (("--conf", "{0}/messages/pids", "--messages", "{0}/messages", *STATE),
     "it is in the directory of messages"),
])
def test_a_directory_has_one_use(files, args, why):
    (files.colony.folder / "link").symlink_to("conf")
    (files.colony.folder / "pids").mkdir()
    (files.messages / "pids").mkdir()
    text = (files.conf / "web").read_text()
    assert why in refused(files, *args)
    assert os.listdir(files.conf) == ["web"] and (files.conf / "web").read_text() == text
    assert os.listdir(files.messages) == ["pids"], "nothing was made and nothing moved"
    assert os.listdir(files.colony.folder / "pids") == []


def test_one_below_a_hidden_name_is_not_read_and_may_be_there(files):
    (files.conf / ".pids").mkdir()
    files.start("--pid", str(files.conf / ".pids"))
    pid = files.running("web")
    eventually(lambda: (files.conf / ".pids" / "web").read_text() == f"{pid}\n")
    assert files.refusals() == []


@pytest.mark.parametrize("more", [STATE, ()])
def test_a_config_that_is_missing_is_a_directory_where_messages_are_given(files, more):
    args = ("--config", "{0}/none", "--messages", "{0}/messages", *more)
    assert "cannot use the directory of processes" in refused(files, *args)
    assert "none: there is none (make it, or say --create)" in refused(files, *args)
    assert "No such file" in refused(files, "--config", "{0}/none", "--conf", "{0}/conf",
                                     "--messages", "{0}/messages", *more)


def test_a_config_that_is_missing_is_made_when_that_is_asked_for(files):
    new = files.colony.folder / "new"
    files.colony.start("", "--config", str(new), "--messages", str(files.messages), "--create")
    files.write("one", "sleep", "1000", folder=new)
    files.running("one")


def test_a_config_that_is_neither_a_directory_nor_a_file_is_refused(files):
    os.mkfifo(files.colony.folder / "fifo")
    for path in ("/dev/null", "{0}/fifo"):
        assert "neither a directory of processes nor a file of settings" in refused(
            files, "--config", path, "--messages", "{0}/messages", *STATE)


@pytest.mark.parametrize("option", [
    ("--pid", "{0}/messages"), ("--frequency", "3"), ("-t", "3"), ("-k", "3"), ("-m", "3"),
    ("-M", "3"), ("--create",)])
def test_what_is_said_of_directories_without_any_is_refused(files, option):
    assert "without directories: give --config DIR and --messages DIR" in refused(
        files, *option, *STATE)
    assert not files.colony.state.exists()
