# SPDX-License-Identifier: Apache-2.0
"""Actions of colony ctl that change templates: add, load, update, remove, scale, groups, waits."""
import json
import subprocess

import pytest

from conftest import BINARY, eventually

PROCESSES = {"processes": {
    "web": {"cmd": "sleep", "args": ["1000"]},
    "worker": {"cmd": "sleep", "args": ["1000"], "numprocesses": 2},
    "idle": {"cmd": "sleep", "args": ["1000"], "start": False},
    "shop:front": {"cmd": "sleep", "args": ["1000"]},
    "shop:back": {"cmd": "sleep", "args": ["1000"]},
}}


def fails(colony, *args, code, says=""):
    """The action exits with @code and tells why in one line."""
    out = colony.ctl(*args, check=False)
    assert (out.returncode, out.stdout) == (code, ""), out
    assert out.stderr.count("\n") == 1 and out.stderr.startswith("colony ctl")
    assert says in out.stderr, out.stderr
    return out.stderr


def load(colony, text, *args):
    return subprocess.run([BINARY, "ctl", "--state", str(colony.state), "load_process", *args, "-"],
                          input=text, capture_output=True, text=True, timeout=60)


def settings(colony, name):
    return json.loads(colony.ctl("get_process", name, "--json").stdout)


def live(colony, name):
    """Ids of what runs of @name."""
    return colony.ctl("pids", name).stdout.split()


# Adding, changing, removing


@pytest.mark.parametrize("action", ["add_process", "add-process"])
def test_add_process_adds_and_starts(colony, action):
    colony.start(PROCESSES)
    assert colony.ctl(action, "new", "sleep 1000").stdout == "new: added\n"
    eventually(lambda: len(live(colony, "new")) == 1)
    assert settings(colony, "new")["cmd"] == "sleep 1000"


def test_add_process_takes_a_command_and_its_arguments(colony):
    colony.start(PROCESSES)
    colony.ctl("add_process", "new", "--env", "A=x=y", "--env", "B=", "--", "sh", "-c",
               'echo "[$A][$B]$*"; exec sleep 1000', "sh", "two words")
    eventually(lambda: colony.ctl("logs", "new").stdout == "[x=y][]two words\n")


def test_add_process_takes_every_option_of_gafferctl(colony, tmp_path):
    colony.start(PROCESSES)
    colony.ctl("add_process", "new", "sleep", "--args", "1000 '2 3'", "--env", "K=V", "--no-os-env",
               "--uid", "0", "--gid", "root", "--cwd", tmp_path, "--shell", "--detach",
               "--numprocesses", "3", "--no-start")
    found = settings(colony, "new")
    want = {"cmd": "sleep", "args": "1000 '2 3'", "env": {"K": "V"}, "os_env": False, "uid": 0,
            "gid": "root", "cwd": str(tmp_path), "shell": True, "detach": True, "numprocesses": 3,
            "start": False}
    assert {key: found[key] for key in want} == want
    assert live(colony, "new") == []


@pytest.mark.parametrize("args, code, says", [
    (("web", "sleep 1"), 5, "update_process"),
    (("17", "sleep 1"), 2, "digits"),
    (("a/b", "sleep 1"), 2, "`/`"),
    (("new", "sleep 1", "--env", "NOVALUE"), 2, "NAME=VALUE"),
    (("new", "sleep 1", "--env", "=x"), 2, "NAME=VALUE"),
    (("new", "sleep", "--args", "1", "2"), 2, "--args"),
    (("new", "sleep 1", "--start", "--no-start"), 2, "--no-start"),
    (("new", "sleep 1", "--os-env", "--no-os-env"), 2, "--no-os-env"),
    (("new", "sleep 1", "--numprocesses", "-1"), 2, "not a number"),
    (("new", "sleep 1", "--numprocesses", "1000000000"), 2, "numprocesses"),
    (("new", "sleep 1", "--uid", "nobody-at-all"), 2, "nobody-at-all"),
    (("new", "sleep $NOPE", "--args", "$NOPE"), 2, "NOPE"),
    (("new", "sh", "-c", "x"), 2, "unknown option -c: write -- before a command with options"),
    (("new", "sh", "--posix"), 2, "unknown option --posix: write -- before a command with options"),
    (("new",), 2, "too few arguments"),
])
def test_what_cannot_be_added_is_told(colony, args, code, says):
    colony.start(PROCESSES)
    fails(colony, "add_process", *args, code=code, says=says)
    assert "new" not in colony.ctl("processes").stdout.split()


def test_load_process_takes_one_a_list_or_a_map_of_them(colony, tmp_path):
    colony.start(PROCESSES)
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"name": "one", "cmd": "sleep 1000", "start": False}))
    assert colony.ctl("load_process", file).stdout == "one: added\n"
    assert live(colony, "one") == []
    out = load(colony, json.dumps([{"name": "two", "cmd": "sleep 1000", "start": False},
                                   {"name": "three", "cmd": "sleep 1000"}]), "--start")
    assert (out.returncode, out.stdout) == (0, "two: added\nthree: added\n"), out.stderr
    eventually(lambda: live(colony, "two") and live(colony, "three"))
    out = load(colony, json.dumps({"processes": [{"name": "four", "cmd": "sleep 1000"}]}),
               "--no-start")
    assert out.stdout == "four: added\n" and live(colony, "four") == []


def test_load_process_goes_on_after_a_name_that_exists(colony):
    colony.start(PROCESSES)
    out = load(colony, json.dumps([{"name": "web", "cmd": "x"}, {"name": "n", "cmd": "sleep 9"}]))
    assert (out.returncode, out.stdout) == (5, "n: added\n")
    assert out.stderr.count("\n") == 1 and "web" in out.stderr


@pytest.mark.parametrize("text, says", [
    ("", "cannot read this JSON"), ("{", "at byte 2"), ("[]", "no templates"), ("[1]", "template 1"),
    ('{"cmd": "x"}', "`name` is missing"), ('[{"name": "n", "cmd": "x"}, {"name": 1}]', "template 2"),
    ('{"name": "n"}', "cmd"), ('{"name": "n", "cmd": 7}', "cmd"), ("\x00", "cannot read"),
    ('{"name": "n", "cmd": "x", "cmd": "y"}', "twice"), ("cmd: x", "at byte 1"),
    ('{"name": "n", "cmd": "x", "numprocesses": "many"}', "numprocesses"),
])
def test_a_file_that_cannot_be_loaded_is_exit_78(colony, text, says):
    colony.start(PROCESSES)
    out = load(colony, text)
    assert out.returncode == 78 and out.stdout == "" and out.stderr.count("\n") == 1
    assert says in out.stderr and "n" not in colony.ctl("processes").stdout.split()


def test_a_file_that_cannot_be_read_is_exit_78(colony, tmp_path):
    colony.start(PROCESSES)
    fails(colony, "load_process", tmp_path / "none", code=78, says="No such file or directory")
    fails(colony, "load_process", tmp_path, code=78, says="Is a directory")


def test_update_process_replaces_all_settings(colony):
    colony.start(PROCESSES)
    eventually(lambda: len(live(colony, "worker")) == 2)
    before = set(live(colony, "worker"))
    assert colony.ctl("update_process", "worker", "sleep", "1001").stdout == "worker: updated\n"
    eventually(lambda: live(colony, "worker") and not before & set(live(colony, "worker")))
    found = settings(colony, "worker")
    assert found["args"] == ["1001"] and found["numprocesses"] == 1
    fails(colony, "update_process", "wrker", "sleep 1", code=4, says="did you mean worker?")


def test_del_process_stops_waits_and_removes(colony):
    colony.start(PROCESSES)
    eventually(lambda: live(colony, "web"))
    pid = colony.slot("web")["os_pid"]
    assert colony.ctl("del_process", "web").stdout == "web: removed\n"
    with pytest.raises(OSError):
        open(f"/proc/{pid}/stat", encoding="utf-8").close()
    fails(colony, "get_process", "web", code=4)
    assert "web" not in colony.ctl("processes").stdout.split()


def test_get_process_prints_json_that_can_be_loaded_again(colony):
    colony.start(PROCESSES)
    told = colony.ctl("get_process", "idle").stdout
    assert json.loads(told)["name"] == "idle" and told.count("\n") > 3
    colony.ctl("del_process", "idle")
    out = load(colony, told)
    assert (out.returncode, out.stdout) == (0, "idle: added\n"), out.stderr


# Scaling


def test_scale_changes_several_at_once(colony):
    colony.start(PROCESSES)
    out = colony.ctl("scale", "web=3", "worker+1", "shop:front-1", "idle=1")
    assert out.stdout == ("web: 3 processes (1 before)\nworker: 3 processes (2 before)\n"
                          "shop:front: 0 processes (1 before)\nidle: 1 process\n")
    eventually(lambda: len(live(colony, "web")) == 3 and live(colony, "shop:front") == [])
    assert colony.ctl("numprocesses", "worker").stdout == "3\n"


@pytest.mark.parametrize("operand, code, says", [
    ("web", 2, "NAME=N"), ("web=", 2, "NAME=N"), ("=3", 2, "NAME=N"), ("3", 2, "NAME=N"),
    ("web=x", 2, "NAME=N"), ("web=-1", 2, "0 to 10000"), ("web=1000000000", 2, "0 to 10000"),
    ("web=1e9", 2, "NAME=N"), ("web+0", 2, "changes nothing"), ("web+10000", 2, "10000 is the most"),
    ("wbe=2", 4, "did you mean web?"), ("web=99999999999999999999", 2, "0 to 10000"),
])
def test_scale_sends_nothing_unless_all_of_it_is_right(colony, operand, code, says):
    colony.start(PROCESSES)
    fails(colony, "scale", "worker=5", operand, code=code, says=says)
    assert colony.ctl("numprocesses", "worker").stdout == "2\n"


def test_scale_takes_names_with_signs_in_them(colony):
    colony.start({"processes": {"a-1": {"cmd": "sleep", "args": ["1000"], "start": False}}})
    assert colony.ctl("scale", "a-1=2").stdout == "a-1: 2 processes (1 before)\n"
    assert colony.ctl("scale", "a-1-1").stdout == "a-1: 1 process (2 before)\n"


def test_add_and_sub_are_gafferctls(colony):
    colony.start(PROCESSES)
    assert colony.ctl("add", "web").stdout == "web: 2 processes (1 before)\n"
    assert colony.ctl("add", "web", "3").stdout == "web: 5 processes (2 before)\n"
    assert colony.ctl("sub", "web", "2").stdout == "web: 3 processes (5 before)\n"
    assert colony.ctl("sub", "web", "100").stdout == "web: 0 processes (3 before)\n"
    for count in ("0", "x", "10001", "1.5"):
        fails(colony, "add", "web", count, code=2, says="1 to 10000")
    fails(colony, "add", "wbe", code=4, says="did you mean web?")


def test_numprocesses_and_running_print_numbers(colony):
    colony.start(PROCESSES)
    eventually(lambda: colony.ctl("running", "worker").stdout == "2\n")
    assert colony.ctl("numprocesses", "idle").stdout == "1\n"
    assert colony.ctl("running", "idle").stdout == "0\n"
    fails(colony, "running", "wrker", code=4, says="did you mean worker?")


def test_an_id_is_no_name(colony):
    colony.start(PROCESSES)
    number = eventually(lambda: live(colony, "web"))[0]
    for action in ("start", "restart", "status", "pids", "env", "why"):
        fails(colony, action, number, code=4, says="asked of a name")
    fails(colony, "scale", f"{number}=2", code=4, says="asked of a name")
    fails(colony, "stop", "4294967295", code=4, says="no such id")
    assert colony.ctl("stop", number).stdout == f"{number}: stopped\n"


# Groups


def test_an_action_of_a_group_is_one_of_all_its_members(colony):
    colony.start(PROCESSES)
    members = ("shop:front", "shop:back")
    eventually(lambda: all(live(colony, name) for name in (*members, "web")))
    assert colony.ctl("stop", "shop:*").stdout == "shop:*: stopped\n"
    assert not any(live(colony, name) for name in members) and live(colony, "web")
    assert colony.ctl("start", "shop:*", "--wait").stdout == "shop:*: started\n"
    before = [live(colony, name) for name in members]
    assert all(before)
    assert colony.ctl("restart", "shop:*").stdout == "shop:*: restarted\n"
    assert not any(live(colony, name) == old for name, old in zip(members, before))
    assert colony.ctl("del_process", "shop:*").stdout == "shop:*: removed\n"
    assert colony.ctl("processes").stdout.split() == ["web", "worker", "idle"]
    fails(colony, "start", "shop:*", code=4, says="no such group")


def test_ps_and_status_of_a_group_show_its_members(colony):
    colony.start(PROCESSES)
    eventually(lambda: live(colony, "shop:front") and live(colony, "shop:back"))
    lines = colony.ctl("ps", "shop:*", "web").stdout.splitlines()
    assert sorted(line.split()[0] for line in lines[1:]) == ["shop:back", "shop:front", "web"]
    assert {one["name"] for one in json.loads(colony.ctl("status", "shop:*", "--json").stdout)} == \
        {"shop:front", "shop:back"}


def test_a_star_is_all_there_are(colony):
    colony.start(PROCESSES)
    names = colony.ctl("processes").stdout.split()
    assert [one["name"] for one in json.loads(colony.ctl("status", "*", "--json", check=False).stdout)] == names
    assert colony.ctl("stop", "*").stdout.splitlines() == [f"{name}: stopped" for name in names]
    assert all(slot["state"] == "stopped" for slot in colony.slots())


def test_tree_and_logs_of_some(colony):
    colony.start({"processes": {name: {"cmd": "sh", "args": ["-c", f"echo {name}; exec sleep 1000"]}
                                for name in ("shop:front", "shop:back", "web")}})
    for name in ("shop:front", "shop:back", "web"):
        eventually(lambda: colony.output(name))
    assert [one["name"] for one in json.loads(colony.ctl("tree", "web", "shop:*", "--json").stdout)] == \
        ["web", "shop:front", "shop:back"]
    assert "shop" not in colony.ctl("tree", "web").stdout
    fails(colony, "tree", "wbe", code=4, says="did you mean web?")
    assert colony.ctl("logs", "web", "shop:*").stdout == \
        "==> web <==\nweb\n\n==> shop:front <==\nshop:front\n\n==> shop:back <==\nshop:back\n"
    fails(colony, "logs", "-f", "web", "shop:*", code=2, says="more than one")


def test_groups_lists_them_with_their_members(colony):
    colony.start(PROCESSES)
    lines = colony.ctl("groups").stdout.splitlines()
    assert lines[0].split() == ["GROUP", "TEMPLATE"] and lines[1].split()[0] == "shop"
    assert sorted(line.split()[-1] for line in lines[1:]) == ["shop:back", "shop:front"]
    told = json.loads(colony.ctl("groups", "--json").stdout)
    assert {group: sorted(names) for group, names in told.items()} == \
        {"shop": ["shop:back", "shop:front"]}


@pytest.mark.parametrize("action", ["start", "stop", "restart", "del_process", "ps", "status"])
def test_a_misspelt_group_gets_the_nearest(colony, action):
    colony.start(PROCESSES)
    fails(colony, action, "shp:*", code=4, says="no such group: did you mean shop:*?")


# Waiting


def test_start_returns_when_it_is_up_only_if_told_to(colony):
    colony.start(PROCESSES)
    assert colony.ctl("start", "idle", "--wait").stdout == "idle: started\n"
    assert len(live(colony, "idle")) == 1
    assert colony.ctl("start", "web").stdout == "web: starting\n"


def test_a_start_that_fails_for_good_is_exit_1_with_the_reason(colony):
    colony.start({"processes": {"broken": {"cmd": "/no/such/program", "start": False,
                                           "restart": "never"}}})
    fails(colony, "start", "broken", "--wait", code=1, says="/no/such/program")
    assert colony.ctl("status", "broken", check=False).returncode == 3


@pytest.mark.parametrize("args", [("start", "late"), ("restart", "late"), ("scale", "late=2")])
def test_a_wait_that_is_too_long_is_exit_75_and_says_for_what(colony, args):
    colony.start({"processes": {
        "early": {"cmd": "sleep", "args": ["1000"], "start": False},
        "late": {"cmd": "sleep", "args": ["1000"], "depends_on": {"early": "started"}},
    }})
    fails(colony, *args, "--timeout", "300ms", code=75, says="early")


def test_wait_and_no_wait_are_not_for_one_command(colony):
    colony.start(PROCESSES)
    for args in (("start", "web"), ("stop", "web"), ("scale", "web=1")):
        fails(colony, *args, "--wait", "--no-wait", code=2, says="--no-wait")
    assert colony.ctl("stop", "web", "--no-wait").stdout == "web: stopping\n"
