# SPDX-License-Identifier: Apache-2.0
"""gaffer's routes for templates, ids, groups and status, row by row, and what colony decided."""
import json
import os
import threading

import pytest

from conftest import UnixConnection, alive, eventually

PROCESSES = {
    "web": {"cmd": "sleep", "args": ["1000"], "numprocesses": 2},
    "g:one": {"cmd": "sleep 1001"},
    "g:two": {"cmd": "sleep 1002"},
    "h:one": {"cmd": "sleep 1003"},
}


@pytest.fixture
def served(colony):
    colony.start({"processes": PROCESSES})
    eventually(lambda: len(ids(colony)) == 5)
    return colony


def ids(colony, name=None):
    if name is None:
        return colony.http("GET", "/processes?running=true").json()
    return colony.http("GET", f"/processes/{name}/_pids").json()["pids"]


def names(colony):
    return colony.http("GET", "/processes").json()


def send(colony, method, path, body=None):
    """(status, JSON) of an answer."""
    answer = colony.http(method, path, json.dumps(body) if body is not None else None)
    return answer.status, answer.json()


def refused(colony, method, path, body=None):
    """(status, error word); each refusal has one line that says why."""
    status, answer = send(colony, method, path, body)
    assert set(answer) == {"error", "reason"}, answer
    assert answer["reason"] and "\n" not in answer["reason"]
    return status, answer["error"]


OK = (200, {"ok": True})


# /processes

def test_a_template_is_added_and_started(served):
    settings = {"name": "new", "cmd": "sleep", "args": ["5000"], "numprocesses": 2}
    assert send(served, "POST", "/processes", settings) == OK
    assert names(served)[-1] == "new"
    eventually(lambda: len(ids(served, "new")) == 2)
    for slot in served.slots("new"):
        with open(f"/proc/{slot['os_pid']}/cmdline", "rb") as file:
            assert file.read() == b"sleep\x005000\0"


def test_a_template_added_with_start_false_waits_to_be_started(served):
    assert send(served, "POST", "/processes",
                {"name": "new", "cmd": "sleep 5000", "start": False}) == OK
    assert served.slot("new")["state"] == "stopped"
    assert send(served, "POST", "/processes/new/_start?wait=20") == OK
    assert served.slot("new")["state"] == "running"


def test_unknown_settings_are_kept_and_given_back(served):
    settings = {"name": "new", "cmd": "sleep 5000", "colour": "blue", "deep": {"a": [1, None]}}
    assert send(served, "POST", "/processes", settings) == OK
    info = served.http("GET", "/processes/new").json()
    assert (info["colour"], info["deep"]) == ("blue", {"a": [1, None]})
    assert info["numprocesses"] == 1


@pytest.mark.parametrize("settings", [{"cmd": "sleep 1"}, {"cmd": 5}, {}])
def test_a_name_that_exists_is_a_conflict_whatever_the_settings(served, settings):
    before = served.http("GET", "/processes/web").json(), ids(served, "web")
    assert refused(served, "POST", "/processes", {"name": "web", **settings}) == (409, "conflict")
    assert (served.http("GET", "/processes/web").json(), ids(served, "web")) == before


@pytest.mark.parametrize("settings", [
    {"name": "new"}, {"cmd": "sleep 1"}, {"name": "", "cmd": "x"}, {"name": 5, "cmd": "x"},
    {"name": "8080", "cmd": "x"}, {"name": "a/b", "cmd": "x"}, {"name": "..", "cmd": "x"},
    {"name": "n" * 201, "cmd": "x"}, {"name": "a\nb", "cmd": "x"}, {"name": None, "cmd": "x"},
    {"name": "new", "cmd": ""}, {"name": "new", "cmd": ["sleep"]}, {"name": "new", "cmd": None},
    {"name": "new", "cmd": "x", "numprocesses": -1},
    {"name": "new", "cmd": "x", "numprocesses": 10001},
    {"name": "new", "cmd": "x", "numprocesses": 1e300},
    {"name": "new", "cmd": "x", "numprocesses": 1.5},
    {"name": "new", "cmd": "x", "numprocesses": "many"},
    {"name": "new", "cmd": "x", "args": ["$NOPE"]}, {"name": "new", "cmd": "x", "args": {"a": 1}},
    {"name": "new", "cmd": "x", "env": ["A"]}, {"name": "new", "cmd": "x", "uid": "no-such-user"},
    {"name": "new", "cmd": "x", "stop_signal": "SIGNOPE"}, [], "text", 5, None,
], ids=lambda value: json.dumps(value)[:60])
def test_settings_that_cannot_be_used_register_nothing(served, settings):
    body = json.dumps(settings)
    answer = served.http("POST", "/processes", body)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_process_info"), answer.text
    assert answer.json()["reason"].startswith("cannot ")
    assert names(served) == list(PROCESSES)


@pytest.mark.parametrize("body", [
    b"", b"{", b"nonsense", b'{"name": "new" "cmd": "x"}', b"[" * 1000, b'{"a":' * 500,
    b'{"name": "new", "cmd": "\xff"}', b'{"name": "new", "cmd": "a\x00b"}',
    b'{"name": "new\\u0000", "cmd": "x"}', b'{"name": "new", "name": "new", "cmd": "x"}',
    b'{"name": "new", "cmd": "x", "numprocesses": 01}', b'{"name": "new", "cmd": "x"} trailing',
    b'{"name": "new", "cmd": "x", "numprocesses": NaN}', b"\xef\xbb\xbf\xff",
], ids=lambda body: repr(body[:30]))
@pytest.mark.parametrize("method,path", [("POST", "/processes"), ("PUT", "/processes/web"),
                                         ("POST", "/processes/web")])
def test_a_body_that_is_no_json_is_told_so(served, method, path, body):
    before = ids(served, "web")
    answer = served.http(method, path, body)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_json"), answer.text
    assert names(served) == list(PROCESSES) and ids(served, "web") == before


def test_a_body_over_the_limit_is_refused(colony):
    colony.start({"http": {"max_body_bytes": "4KiB"}, "processes": PROCESSES})
    assert refused(colony, "POST", "/processes",
                   {"name": "new", "cmd": "x", "junk": "y" * 5000}) == (413, "too_large")


def test_a_program_that_cannot_be_run_is_registered_and_says_so(served):
    assert send(served, "POST", "/processes", {"name": "new", "cmd": "/no/such/program"}) == OK
    slot = eventually(lambda: (s := served.slot("new"))["failure"] and s)
    assert "No such file" in slot["failure"]
    assert served.http("GET", "/why/new").json()["slots"][0]["failure"] == slot["failure"]


def test_dependencies_that_make_a_circle_or_are_missing_are_refused(served):
    status, answer = send(served, "POST", "/processes",
                          {"name": "new", "cmd": "x", "depends_on": {"nope": "started"}})
    assert (status, answer["error"]) == (400, "invalid_process_info")
    assert "nope" in answer["reason"]
    assert send(served, "POST", "/processes",
                {"name": "new", "cmd": "sleep 5000", "depends_on": "web"}) == OK
    status, answer = send(served, "PUT", "/processes/web",
                          {"cmd": "sleep 1000", "depends_on": "new"})
    assert (status, answer["error"]) == (400, "invalid_process_info")
    assert "web" in answer["reason"] and "new" in answer["reason"]


# /processes/NAME

def test_head_tells_whether_a_template_exists(served):
    assert served.http("HEAD", "/processes/web").status == 200
    answer = served.http("HEAD", "/processes/nope")
    assert (answer.status, answer.body) == (404, b"")


def test_get_shows_the_settings_and_never_the_environment_of_colony(colony, monkeypatch):
    monkeypatch.setenv("COLONY_TEST_SECRET", "hunter2")
    colony.start({"processes": {"web": {"cmd": "sleep 1000", "env": {"A": "b"}}}})
    answer = colony.http("GET", "/processes/web")
    info = answer.json()
    assert (info["name"], info["cmd"], info["env"]) == ("web", "sleep 1000", {"A": "b"})
    assert "hunter2" not in answer.text and "PATH" not in answer.text


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_new_settings_stop_the_old_processes_and_start_new_ones(served, method):
    old = ids(served, "web")
    pids = [slot["os_pid"] for slot in served.slots("web")]
    assert send(served, method, "/processes/web",
                {"name": "web", "cmd": "sleep", "args": ["2000"], "numprocesses": 3}) == OK
    new = eventually(lambda: len(now := ids(served, "web")) == 3 and min(now) > max(old) and now)
    assert len(new) == 3
    eventually(lambda: not any(alive(pid) for pid in pids))
    info = served.http("GET", "/processes/web").json()
    assert (info["args"], info["numprocesses"]) == (["2000"], 3)
    for slot in served.slots("web"):
        with open(f"/proc/{slot['os_pid']}/cmdline", "rb") as file:
            assert file.read() == b"sleep\x002000\0"


def test_new_settings_may_leave_out_the_name_but_not_change_it(served):
    assert send(served, "PUT", "/processes/web", {"cmd": "sleep 2000"}) == OK
    assert refused(served, "PUT", "/processes/web", {"name": "other", "cmd": "sleep 1"}) == (
        400, "invalid_process_info")
    assert refused(served, "PUT", "/processes/web", {"name": "web"}) == (
        400, "invalid_process_info")
    assert served.http("GET", "/processes/web").json()["cmd"] == "sleep 2000"
    assert refused(served, "PUT", "/processes/nope", {"cmd": "sleep 1"}) == (404, "not_found")
    assert "other" not in names(served)


def test_new_settings_of_a_stopped_template_leave_it_stopped(served):
    assert send(served, "POST", "/processes/web/_stop?wait=20")[0] == 200
    assert send(served, "PUT", "/processes/web", {"cmd": "sleep 2000"}) == OK
    assert served.http("GET", "/status/web").json()["active"] is False
    assert send(served, "POST", "/processes/web/_start?wait=20") == OK
    with open(f"/proc/{served.slot('web')['os_pid']}/cmdline", "rb") as file:
        assert file.read() == b"sleep\x002000\0"


def test_delete_stops_and_removes(served):
    pids = [slot["os_pid"] for slot in served.slots("web")]
    assert send(served, "DELETE", "/processes/web") == OK
    assert refused(served, "GET", "/processes/web") == (404, "not_found")
    assert refused(served, "DELETE", "/processes/web") == (404, "not_found")
    assert "web" not in names(served)
    eventually(lambda: not any(alive(pid) for pid in pids))


def test_a_removed_name_can_be_added_again_at_once(served):
    for i in range(5):
        assert send(served, "DELETE", "/processes/web") == OK
        assert send(served, "POST", "/processes", {"name": "web", "cmd": f"sleep {3000 + i}"}) == OK
    eventually(lambda: len(ids(served, "web")) == 1)
    def runs():
        with open(f"/proc/{served.slot('web')['os_pid']}/cmdline", "rb") as file:
            return file.read() == b"sleep\x003004\0"
    eventually(runs)


@pytest.mark.parametrize("method,path", [("POST", "/processes"), ("PUT", "/processes/web")])
def test_an_empty_user_or_folder_is_none(served, method, path):
    settings = {"name": "web" if "web" in path else "new", "cmd": "sleep 1000",
                "uid": "", "gid": "", "cwd": ""}
    assert send(served, method, path, settings) == OK
    shown = served.http("GET", f"/processes/{settings['name']}").json()
    assert [shown.get(key) for key in ("uid", "gid", "cwd")] == [None, None, None]
    assert refused(served, method, path, {**settings, "name": "web" if "web" in path else "x",
                                          "cmd": ""}) == (400, "invalid_process_info")


# /processes/ID

def test_an_id_shows_the_settings_of_its_template(served):
    one = ids(served, "web")[0]
    assert served.http("HEAD", f"/processes/{one}").status == 200
    assert served.http("GET", f"/processes/{one}").json()["name"] == "web"
    assert served.http("HEAD", "/processes/99999").status == 404
    assert refused(served, "GET", "/processes/99999") == (404, "not_found")
    assert refused(served, "GET", "/processes/0") == (404, "not_found")


@pytest.mark.parametrize("method,action", [("DELETE", ""), ("POST", "/_stop")])
def test_one_process_is_stopped_by_its_id_and_another_takes_its_place(served, method, action):
    first, second = ids(served, "web")
    assert send(served, method, f"/processes/{first}{action}") == OK
    assert first not in ids(served, "web") and first not in ids(served)
    third = eventually(lambda: max(ids(served, "web")) > second and max(ids(served, "web")))
    assert sorted(ids(served, "web")) == [second, third]
    assert {s["restarts"] for s in served.slots("web")} == {0}
    assert refused(served, method, f"/processes/{first}{action}") == (404, "not_found")
    assert "web" in names(served)


@pytest.mark.parametrize("method,action", [("DELETE", ""), ("POST", "/_stop")])
def test_the_stop_of_one_process_waits_for_that_one(served, method, action):
    first = ids(served, "web")[0]
    os_pid = next(s["os_pid"] for s in served.slots("web") if s["id"] == first)
    answer = served.http(method, f"/processes/{first}{action}?wait=20")
    assert (answer.status, answer.json()["stopped"]) == (200, 1)
    assert not alive(os_pid)


@pytest.mark.parametrize("method,action", [("DELETE", ""), ("POST", "/_stop")])
def test_one_process_that_is_to_stay_stopped_is_not_replaced(served, method, action):
    first, second = ids(served, "web")
    assert send(served, method, f"/processes/{first}{action}?wait=20&stay_stopped=true")[0] == 200
    assert [(s["id"], s["state"]) for s in served.slots("web") if s["id"] != second] == \
        [(None, "stopped")]
    assert refused(served, method, f"/processes/{second}{action}?stay_stopped=x") == (400, "bad_value")


def test_one_process_that_would_not_start_again_by_itself_is_not_replaced(served):
    assert send(served, "POST", "/processes",
                {"name": "once", "cmd": "sleep 1000", "restart": "on-failure"}) == OK
    one = eventually(lambda: ids(served, "once"))[0]
    assert send(served, "POST", f"/processes/{one}/_stop?wait=20")[0] == 200
    assert served.slot("once")["state"] == "stopped"


def test_one_process_that_takes_its_time_to_end_is_no_longer_listed(served):
    cmd = "[ -e there ] && exec sleep 1000; trap 'read _ < done; exit' TERM; mkfifo done; " \
          "touch there; while :; do sleep 0.05; done"
    assert send(served, "POST", "/processes", {
        "name": "slow", "shell": True, "cmd": cmd, "cwd": str(served.folder)}) == OK
    eventually((served.folder / "there").exists)
    one = ids(served, "slow")[0]
    assert send(served, "POST", f"/processes/{one}/_stop") == OK
    assert ids(served, "slow") == [] and one not in ids(served)
    assert served.slot("slow")["state"] == "stopping"
    (served.folder / "done").write_text("\n")
    eventually(lambda: ids(served, "slow") not in ([], [one]))


def test_ids_are_never_given_twice(served):
    seen = set(ids(served))
    for _ in range(5):
        assert send(served, "POST", "/processes/web/_restart?wait=20")[0] == 200
        now = set(ids(served, "web"))
        assert len(now) == 2 and not now & seen
        seen |= now


@pytest.mark.parametrize("action", ["_start", "_restart", "_add", "_sub", "_scale/2"])
def test_what_is_asked_of_a_name_is_refused_for_an_id(served, action):
    one = ids(served, "web")[0]
    assert refused(served, "POST", f"/processes/{one}/{action}") == (404, "not_found")
    assert one in ids(served, "web")


# Actions.

def test_start_after_stop_runs_again(served):
    old = ids(served, "web")
    assert send(served, "POST", "/processes/web/_stop") == OK
    eventually(lambda: ids(served, "web") == [])
    assert send(served, "POST", "/processes/web/_start") == OK
    new = eventually(lambda: len(now := ids(served, "web")) == 2 and now)
    assert min(new) > max(old)


def test_restart_of_a_stopped_template_starts_it(served):
    assert send(served, "POST", "/processes/web/_stop?wait=20")[0] == 200
    assert send(served, "POST", "/processes/web/_restart") == OK
    eventually(lambda: len(ids(served, "web")) == 2)


def test_starting_and_stopping_twice_changes_nothing(served):
    before = ids(served, "web")
    assert send(served, "POST", "/processes/web/_start") == OK
    assert ids(served, "web") == before
    for _ in range(2):
        assert send(served, "POST", "/processes/web/_stop?wait=20")[0] == 200
        assert ids(served, "web") == []


@pytest.mark.parametrize("method,path", [
    ("POST", "/processes/web/_nope"), ("POST", "/groups/g/_nope"), ("GET", "/processes/web/_nope"),
    ("POST", "/processes/web/_add/1/2"),
])
def test_an_unknown_action_is_resource_not_found(served, method, path):
    assert refused(served, method, path) == (404, "resource_not_found")


@pytest.mark.parametrize("method,path,body", [
    ("GET", "/processes/nope", None), ("PUT", "/processes/nope", {"cmd": "x"}),
    ("DELETE", "/processes/nope", None), ("POST", "/processes/nope/_start", None),
    ("POST", "/processes/nope/_stop", None), ("POST", "/processes/nope/_restart", None),
    ("POST", "/processes/nope/_add", None), ("POST", "/processes/nope/_sub/2", None),
    ("POST", "/processes/nope/_scale/2", None), ("GET", "/processes/nope/_pids", None),
    ("POST", "/processes/nope/_signal/1", None), ("GET", "/status/nope", None),
    ("GET", "/groups/nope", None), ("POST", "/groups/nope/_start", None),
    ("POST", "/groups/nope/_stop", None), ("POST", "/groups/nope/_restart", None),
    ("DELETE", "/groups/nope", None), ("GET", "/why/nope", None), ("GET", "/env/nope", None),
    ("GET", "/groups/web", None), ("DELETE", "/processes/99999", None),
    ("POST", "/processes/99999/_stop", None), ("POST", "/processes/99999/_signal/9", None),
])
def test_what_does_not_exist_is_not_found(served, method, path, body):
    assert refused(served, method, path, body) == (404, "not_found")
    assert len(ids(served)) == 5


@pytest.mark.parametrize("path,allowed", [
    ("/processes", "GET, HEAD, POST, OPTIONS"),
    ("/processes/web", "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
    ("/processes/web/_start", "POST, OPTIONS"), ("/processes/web/_add/2", "POST, OPTIONS"),
    ("/groups", "GET, HEAD, OPTIONS"), ("/groups/g", "GET, HEAD, DELETE, OPTIONS"),
    ("/groups/g/_stop", "POST, OPTIONS"), ("/_reload", "POST, OPTIONS"),
    ("/readyz", "GET, HEAD, OPTIONS"), ("/env/web", "GET, HEAD, OPTIONS"),
])
def test_a_wrong_method_is_told_the_right_ones(served, path, allowed):
    answer = served.http("PATCH", path)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert answer.json()["error"] == "method_not_allowed"
    answer = served.http("OPTIONS", path)
    assert (answer.status, answer.headers["Allow"]) == (204, allowed)


@pytest.mark.parametrize("path", [
    "/", "/ping", "/processes", "/processes/web", "/processes/web/_pids", "/status/web", "/groups",
    "/groups/g", "/livez", "/readyz", "/why/web", "/env/web", "/slots",
])
def test_head_is_answered_wherever_get_is(served, path):
    get, head = served.http("GET", path), served.http("HEAD", path)
    assert (get.status, head.status, head.body) == (200, 200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_a_post_needs_no_content_length(served):
    connection = UnixConnection(served.socket)
    connection.putrequest("POST", "/processes/web/_restart")
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())) == OK
    connection.close()


def test_signals_are_named_by_number_and_name(colony):
    colony.start({"processes": {"it": {"cmd": "sh", "shell": False, "args": [
        "-c", "trap 'echo usr1' USR1; trap 'echo hup' HUP; echo up; "
              "while :; do sleep 0.05; done"]}}})
    eventually(lambda: b"up" in colony.output("it"))
    one = ids(colony, "it")[0]
    assert send(colony, "POST", "/processes/it/_signal/1") == OK
    eventually(lambda: colony.output("it").count(b"hup") == 1)
    assert send(colony, "POST", f"/processes/{one}/_signal/SIGUSR1") == OK
    eventually(lambda: colony.output("it").count(b"usr1") == 1)
    assert send(colony, "POST", "/processes/it/_signal/usr1") == OK
    eventually(lambda: colony.output("it").count(b"usr1") == 2)


@pytest.mark.parametrize("signal", ["0", "65", "-1", "99999999999", "SIGNOPE", "1.5", "%00x", "x"])
@pytest.mark.parametrize("by_id", [False, True])
def test_a_signal_that_does_not_exist_is_a_bad_value(served, signal, by_id):
    target = ids(served, "web")[0] if by_id else "web"
    status, word = refused(served, "POST", f"/processes/{target}/_signal/{signal}")
    assert (status, word) == (400, "bad_value")
    assert len(ids(served, "web")) == 2


def test_a_signal_to_what_does_not_run_is_told(served):
    assert send(served, "POST", "/processes/web/_stop?wait=20")[0] == 200
    assert refused(served, "POST", "/processes/web/_signal/TERM") == (409, "not_running")


# More and fewer.

def test_add_and_sub_change_how_many_there_are(served):
    assert send(served, "POST", "/processes/web/_add") == (200, {"ok": True, "numprocesses": 3})
    assert send(served, "POST", "/processes/web/_add/2") == (200, {"ok": True, "numprocesses": 5})
    eventually(lambda: len(ids(served, "web")) == 5)
    first = ids(served, "web")[0]
    assert send(served, "POST", "/processes/web/_sub") == (200, {"ok": True, "numprocesses": 4})
    assert send(served, "POST", "/processes/web/_sub/3") == (200, {"ok": True, "numprocesses": 1})
    eventually(lambda: ids(served, "web") == [first])
    eventually(lambda: [slot["slot"] for slot in served.slots("web")] == [1])


def test_sub_stops_at_none(served):
    assert send(served, "POST", "/processes/web/_sub/50") == (200, {"ok": True, "numprocesses": 0})
    eventually(lambda: ids(served, "web") == [])
    assert send(served, "POST", "/processes/web/_sub") == (200, {"ok": True, "numprocesses": 0})
    assert send(served, "POST", "/processes/web/_add") == (200, {"ok": True, "numprocesses": 1})
    eventually(lambda: len(ids(served, "web")) == 1)


def test_scale_sets_how_many_there_are(served):
    for count in (4, 1, 0, 3):
        assert send(served, "POST", f"/processes/web/_scale/{count}?wait=20") == (
            200, {"ok": True, "numprocesses": count})
        assert len(ids(served, "web")) == count
        status = served.http("GET", "/status/web").json()
        assert (status["running"], status["numprocesses"]) == (count, count)


NO_COUNTS = ["-1", "1e9", "1000000000", "99999999999999999999999", "10001", "1.5", "x", "%20", "+1",
             "0x1", "%C3%A9"]


@pytest.mark.parametrize("action,count", [("_add", "0"), ("_sub", "0"), *(
    (action, count) for action in ("_add", "_sub", "_scale") for count in NO_COUNTS)])
def test_a_count_that_is_none_is_a_bad_value(served, action, count):
    before = ids(served, "web")
    assert refused(served, "POST", f"/processes/web/{action}/{count}") == (400, "bad_value")
    assert ids(served, "web") == before


def test_more_than_a_template_may_have_is_a_bad_value(served):
    assert refused(served, "POST", "/processes/web/_add/9999") == (400, "bad_value")
    assert len(ids(served, "web")) == 2


def test_scaling_a_stopped_template_starts_nothing(served):
    assert send(served, "POST", "/processes/web/_stop?wait=20")[0] == 200
    assert send(served, "POST", "/processes/web/_scale/4?wait=20") == (
        200, {"ok": True, "numprocesses": 4})
    assert ids(served, "web") == []
    assert send(served, "POST", "/processes/web/_start?wait=20") == OK
    assert len(ids(served, "web")) == 4


# /status

def test_status_tells_whether_and_how_many_run(served):
    assert served.http("GET", "/status/web").json() == {
        "active": True, "running": 2, "numprocesses": 2, "max_processes": 2}
    served.http("POST", "/processes/web/_stop?wait=20")
    assert served.http("GET", "/status/web").json() == {
        "active": False, "running": 0, "numprocesses": 2, "max_processes": 2}
    served.http("POST", "/processes/web/_scale/0?wait=20")
    assert served.http("GET", "/status/web").json() == {
        "active": False, "running": 0, "numprocesses": 0, "max_processes": 0}


# /groups

def test_groups_are_what_names_with_a_colon_begin_with(served):
    assert served.http("GET", "/groups").json() == ["g", "h"]
    assert served.http("GET", "/groups/g").json() == ["g:one", "g:two"]
    assert send(served, "POST", "/processes", {"name": "a:b:c", "cmd": "sleep 1000"}) == OK
    assert served.http("GET", "/groups").json() == ["a", "g", "h"]
    assert served.http("GET", "/groups/a").json() == ["a:b:c"]


def test_without_groups_the_list_is_empty(colony):
    colony.start({"processes": {"web": {"cmd": "sleep 1000"}}})
    assert colony.http("GET", "/groups").json() == []


def test_a_group_is_stopped_started_and_restarted_as_a_whole(served):
    others = ids(served, "web") + ids(served, "h:one")
    assert send(served, "POST", "/groups/g/_stop") == OK
    eventually(lambda: ids(served) == others)
    assert send(served, "POST", "/groups/g/_start") == OK
    old = eventually(lambda: len(now := ids(served, "g:one") + ids(served, "g:two")) == 2 and now)
    assert send(served, "POST", "/groups/g/_restart") == OK
    eventually(lambda: len(now := ids(served, "g:one") + ids(served, "g:two")) == 2
               and min(now) > max(old))
    assert ids(served, "web") + ids(served, "h:one") == others


def test_deleting_a_group_removes_all_its_members_and_itself(served):
    assert send(served, "DELETE", "/groups/g") == OK
    assert names(served) == ["web", "h:one"]
    assert served.http("GET", "/groups").json() == ["h"]
    assert refused(served, "GET", "/groups/g") == (404, "not_found")
    eventually(lambda: len(ids(served)) == 3)


# Names on the wire.

@pytest.mark.parametrize("name", ["sp ace", "pér-cent%", "a?b#c&d", "tws.master", "日本"])
def test_names_are_percent_encoded_in_paths(served, name):
    assert send(served, "POST", "/processes", {"name": name, "cmd": "sleep 1000"}) == OK
    path = "/processes/" + "".join(f"%{byte:02X}" for byte in name.encode())
    assert served.http("GET", path).json()["name"] == name
    assert send(served, "POST", path + "/_stop?wait=20")[0] == 200
    assert send(served, "DELETE", path) == OK
    assert names(served) == list(PROCESSES)


@pytest.mark.parametrize("path", ["/processes/%00", "/processes/%ff", "/processes/%zz",
                                  "/processes/w%00eb/_stop", "/processes/%0a", "/groups/%fe",
                                  "/why/%00", "/env/%80", "/processes/web/_add/%00"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
def test_a_path_that_is_no_text_is_a_bad_value(served, method, path):
    assert refused(served, method, path) == (400, "bad_value")
    assert len(ids(served)) == 5


# Several at once.

def test_of_many_who_add_one_name_one_succeeds(served):
    results = []

    def add(number):
        results.append(send(served, "POST", "/processes",
                            {"name": "new", "cmd": f"sleep {4000 + number}"})[0])
    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [200] + [409] * 15
    eventually(lambda: len(ids(served, "new")) == 1)


def test_many_who_add_processes_are_all_counted(served):
    answers = []

    def add():
        answers.append(send(served, "POST", "/processes/web/_add")[1]["numprocesses"])
    threads = [threading.Thread(target=add) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == list(range(3, 13))
    eventually(lambda: len(ids(served, "web")) == 12)


def test_who_leaves_before_the_answer_has_still_changed_it(served):
    for number in range(20):
        connection = UnixConnection(served.socket)
        connection.request("POST", "/processes",
                           json.dumps({"name": f"new{number}", "cmd": "sleep 1000"}))
        connection.close()
    eventually(lambda: len(names(served)) == len(PROCESSES) + 20)
    connection = UnixConnection(served.socket)
    connection.request("DELETE", "/groups/g")
    connection.close()
    eventually(lambda: served.http("GET", "/groups").json() == ["h"])


def test_hundreds_of_templates_come_and_go(served):
    connection = UnixConnection(served.socket)
    for number in range(500):
        connection.request("POST", "/processes", json.dumps(
            {"name": f"many:{number}", "cmd": "sleep 1000", "start": False}))
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
    connection.close()
    assert len(served.http("GET", "/groups/many").json()) == 500
    assert send(served, "DELETE", "/groups/many") == OK
    assert names(served) == list(PROCESSES)


# What was answered is kept.

def test_what_was_answered_survives_the_end_of_colony(served):
    assert send(served, "POST", "/processes", {"name": "new", "cmd": "sleep 5000", "x": 1}) == OK
    assert send(served, "POST", "/processes/web/_scale/3")[0] == 200
    assert send(served, "POST", "/processes/g:one/_stop")[0] == 200
    assert send(served, "DELETE", "/processes/h:one") == OK
    os.kill(served.engine, 9)
    eventually(lambda: "new" in names(served))
    assert served.http("GET", "/processes/new").json()["x"] == 1
    assert served.http("GET", "/status/web").json()["numprocesses"] == 3
    eventually(lambda: not served.http("GET", "/status/g:one").json()["active"])  # it was asked to
    assert "h:one" not in names(served)
