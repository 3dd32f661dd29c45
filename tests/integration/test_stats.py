# SPDX-License-Identifier: Apache-2.0
"""What processes use: GET /stats and its kin, and cpu and memory in GET /slots."""
import contextlib
import os
import pathlib
import pwd
import signal
import socket
import threading

import pytest

from conftest import eventually

PROCESS_KEYS = {"mem_info1", "mem_info2", "cpu", "mem", "ctime", "pid", "username", "nice",
                "cmdline", "children"}
TEMPLATE_KEYS = {"name", "stats", "mem", "max_mem", "min_mem", "cpu", "max_cpu", "min_cpu"}
PROCESSES = {
    "burn": {"cmd": "sh", "args": ["-c", "while :; do :; done"]},
    "idle": {"cmd": "sleep", "args": ["1000"], "numprocesses": 3},
    "tree": {"cmd": "sh", "args": ["-c", "sleep 1001 & sh -c 'sleep 1002; :' & echo ready; wait"]},
    "off": {"cmd": "sleep", "args": ["1000"], "start": False},
}


def start(colony, processes=None):
    colony.start({"processes": processes or PROCESSES})
    for name, settings in (processes or PROCESSES).items():
        if settings.get("start", True):
            for number in range(settings.get("numprocesses", 1)):
                colony.wait_state(name, "running", number + 1)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def settled_descriptors(pid):
    """Once what was asked before is closed on its side, too: the same in twenty looks in a row."""
    looks = []

    def is_settled():
        looks.append(descriptors(pid))
        return len(set(looks[-20:])) == 1 and len(looks) >= 20

    eventually(is_settled, what="quiet")
    return looks[-1]


def error_of(answer):
    return answer.status, answer.json()["error"]


def test_a_process_has_gaffers_keys_and_true_numbers(colony):
    start(colony)
    slot = colony.slot("idle", 2)

    def told():
        """What is so of one that has begun with what it is to do, which takes more memory meanwhile."""
        stats = colony.http("GET", f"/stats/idle/{slot['id']}").json()
        pages = pathlib.Path(f"/proc/{slot['os_pid']}/statm").read_text().split()[:2]
        return [stats["mem_info2"], stats["mem_info1"]] == \
            [int(n) * os.sysconf("SC_PAGESIZE") for n in pages] and stats
    stats = eventually(told)
    assert set(stats) == PROCESS_KEYS | {"id"}
    assert (stats["id"], stats["pid"]) == (slot["id"], slot["os_pid"])
    assert stats["cmdline"] == "sleep 1000"
    assert stats["username"] == pwd.getpwuid(os.geteuid()).pw_name
    assert stats["children"] == []
    assert stats["cpu"] < 5
    assert stats["nice"] == os.getpriority(os.PRIO_PROCESS, slot["os_pid"])
    for key in ("mem_info1", "mem_info2", "ctime", "pid", "nice"):
        assert isinstance(stats[key], int)


def test_cpu_is_that_of_the_moment(colony):
    start(colony)
    eventually(lambda: colony.http("GET", "/stats/burn").json()["cpu"] > 5)
    os.kill(colony.slot("burn")["os_pid"], signal.SIGSTOP)
    eventually(lambda: colony.http("GET", "/stats/burn").json()["cpu"] < 1)
    burned = colony.http("GET", "/stats/burn").json()["cpu"]
    assert burned == round(burned, 2)


def test_a_template_sums_up_its_processes(colony):
    start(colony)
    stats = colony.http("GET", "/stats/idle").json()
    assert set(stats) == TEMPLATE_KEYS
    assert stats["name"] == "idle"
    assert [one["id"] for one in stats["stats"]] == [s["id"] for s in colony.slots("idle")]
    for key in ("cpu", "mem"):
        figures = [one[key] for one in stats["stats"]]
        assert stats[key] == pytest.approx(sum(figures), abs=0.02)
        assert stats["max_" + key] == max(figures)
        assert stats["min_" + key] == min(figures)


def test_children_are_nested(colony):
    start(colony)

    def find():
        """Once each is what it is to be: before that it has the command line of who forked it."""
        shell, = colony.http("GET", "/stats/tree").json()["stats"]
        first, second = sorted(shell["children"], key=lambda c: c["cmdline"], reverse=True)
        return first["cmdline"] == "sleep 1001" and \
            [c["cmdline"] for c in second["children"]] == ["sleep 1002"] and first
    assert set(eventually(find)) == PROCESS_KEYS


def test_without_processes_numbers_are_zero(colony):
    start(colony)
    expected = {key: 0 for key in TEMPLATE_KEYS} | {"name": "off", "stats": []}
    assert colony.http("GET", "/stats/off").json() == expected


def test_all_templates_are_told_in_order(colony):
    start(colony)
    everything = colony.http("GET", "/stats").json()
    assert [one["name"] for one in everything] == list(PROCESSES)
    assert [len(one["stats"]) for one in everything] == [1, 3, 1, 0]


def test_arguments_are_told_whatever_they_hold(colony):
    colony.start({"processes": {"odd": {
        "cmd": "sh", "args": ["-c", "sleep 1000; :", "\u00e4\n\"", "b c", ""]}}})
    colony.wait_state("odd", "running")
    stats, = colony.http("GET", "/stats/odd").json()["stats"]
    assert stats["cmdline"] == "sh -c sleep 1000; : \u00e4?\" b c"


@pytest.mark.parametrize("path,expected", [
    ("/stats/nope", (404, "not_found")),
    ("/stats/1", (404, "not_found")),
    ("/stats/off/1", (404, "not_found")),
    ("/stats/idle/0", (404, "not_found")),
    ("/stats/idle/x", (400, "bad_value")),
    ("/stats/idle/-1", (404, "not_found")),
    ("/stats/idle/99999999999999999999999", (404, "not_found")),
    ("/stats/nope/1", (404, "not_found")),
    ("/stats/idle/1/2", (404, "not_found")),
    ("/stats?feed=continuous", (400, "bad_value")),
    ("/stats/idle?feed=none", (400, "bad_value")),
    ("/stats/idle?feed", (400, "bad_value")),
    ("/slots?stats=maybe", (400, "bad_value")),
])
def test_what_cannot_be_told_is_an_error(colony, path, expected):
    start(colony)
    answer = colony.http("GET", path)
    assert error_of(answer) == expected
    assert "cannot" in answer.json()["reason"]


def test_the_id_of_another_template_is_not_found(colony):
    start(colony)
    other = colony.slot("burn")["id"]
    assert error_of(colony.http("GET", f"/stats/idle/{other}")) == (404, "not_found")


def test_a_changing_request_is_refused(colony):
    start(colony)
    assert error_of(colony.http("POST", "/stats")) == (405, "method_not_allowed")
    assert colony.http("HEAD", "/stats").status == 200


def test_one_that_ends_meanwhile_is_left_out(colony):
    start(colony, {"brief": {"cmd": "sh", "args": ["-c", "exec sleep 0.05"], "numprocesses": 5}})
    for _ in range(10):
        for one in colony.http("GET", "/stats/brief").json()["stats"]:
            assert set(one) == PROCESS_KEYS | {"id"}


def test_requests_at_the_same_time_are_all_answered(colony):
    start(colony)
    answers = []

    def ask():
        answers.append(colony.http("GET", "/stats").json())
    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 30
    assert all([one["name"] for one in answer] == list(PROCESSES) for answer in answers)


def test_nothing_is_kept_once_it_is_answered(colony):
    start(colony)
    engine = colony.engine
    before = settled_descriptors(engine)
    for _ in range(5):
        assert colony.http("GET", "/stats").status == 200
    eventually(lambda: descriptors(engine) == before)


def test_clients_that_go_away_leave_nothing_behind(colony):
    start(colony)
    engine = colony.engine
    before = settled_descriptors(engine)
    for _ in range(20):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
            client.connect(str(colony.socket))
            client.sendall(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    eventually(lambda: descriptors(engine) == before)
    assert colony.engine == engine
    assert len(colony.http("GET", "/stats").json()) == len(PROCESSES)


def test_colony_may_end_while_it_measures(colony):
    start(colony)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        client.connect(str(colony.socket))
        client.sendall(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n")
        assert colony.stop() == 0


def test_slots_tell_cpu_and_memory_when_asked(colony):
    start(colony)
    assert "cpu" not in colony.slot("idle")
    eventually(lambda: next(s for s in colony.http("GET", "/slots?name=burn&stats=true").json())
               ["cpu"] > 5)
    slots = colony.http("GET", "/slots?stats=true").json()
    for slot in slots:
        if slot["name"] == "off":
            assert (slot["cpu"], slot["mem"]) == (None, None)
        else:
            assert slot["cpu"] >= 0
            assert slot["mem"] > 0
