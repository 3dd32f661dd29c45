# SPDX-License-Identifier: Apache-2.0
"""Webhooks: what happens is posted to real servers, good ones, broken ones and none."""
import hashlib
import hmac
import os
import pathlib
import re
import shutil
import signal
import socket
import threading
import time

import pytest

import faulty
from conftest import assert_sleeps, eventually
from pki import Pki
from receiver import Receiver
from test_access import free_port
from test_metrics import Metrics

SECRET = "correct-horse-battery-staple-0123456789"
WEB = {"web": {"cmd": "sleep", "args": ["1000"]}}


def settings(hooks, processes=None):
    return {"webhooks": hooks, "processes": processes or WEB}


def write_secret(colony, text=SECRET, mode=0o600):
    path = colony.folder / "secret"
    path.write_text(text + "\n")
    path.chmod(mode)
    return str(path)


def flood(colony, count):
    """So many events, each a `restart` of web that changes nothing else for hooks of it."""
    for _ in range(count):
        assert colony.http("POST", "/processes/web/_restart").status == 200


def wait_idle(colony):
    """The figures once nothing waits to be posted; more may happen after."""
    def idle():
        metrics = Metrics(colony)
        return metrics.get("colony_webhook_queued_events") == 0 and metrics
    return eventually(idle)


def test_each_event_is_posted_as_watch_tells_it(colony):
    with Receiver() as receiver:
        colony.start(settings({".": receiver.url("/hook?a=b")}))
        post = receiver.next("spawn", name="web")
        assert post.path == "/hook?a=b"
        assert post.headers["Content-Type"] == "application/json"
        assert post.headers["User-Agent"].startswith("colony/")
        assert post.headers["X-Colony-Event"] == "spawn"
        assert "X-Colony-Signature" not in post.headers and "Expect" not in post.headers
        told = post.json()
        slot = colony.slot("web")
        assert (told["pid"], told["os_pid"], told["slot"]) == (slot["id"], slot["os_pid"], 1)
        os.kill(slot["os_pid"], signal.SIGKILL)
        gone = receiver.next("exit").json()
        assert (gone["term_signal"], gone["exit_status"], gone["pid"]) == (9, None, slot["id"])
        history = {row["seq"]: row for row in colony.http("GET", "/history").json()}
        assert history[gone["seq"]]["event"] == "exit"
        eventually(lambda: Metrics(colony).get("colony_webhook_sent_events_total", hook="1") ==
                   receiver.count)
        metrics = Metrics(colony)
        assert metrics.get("colony_webhook_failed_attempts_total",
                           url=f"http://localhost:{receiver.port}") == 0


def test_only_what_is_asked_for_is_posted_once(colony):
    with Receiver() as exits, Receiver() as web, Receiver() as both:
        colony.start(settings(
            [{"url": exits.url(), "events": "exit"},
             {"url": web.url(), "events": ["proc.web.b", "proc.web.b.exit"]},
             {"url": both.url(), "events": ["exit", "proc.web"]}],
            {"web": {"cmd": "true", "restart": "never"}, "web.b": {"cmd": "true", "restart": "never"}}))
        found = [exits.next().json(), exits.next().json()]
        assert {one["name"] for one in found} == {"web", "web.b"}
        assert {one["event"] for one in found} == {"exit"}
        web.next("exit")
        both.next("exit", name="web.b")
        colony.stop()
        assert all(post.json()["name"] == "web.b" for post in web.all())
        seqs = [post.json()["seq"] for post in both.all()]
        assert seqs == sorted(set(seqs))


def test_gaffers_ini_has_them(colony):
    with Receiver() as all_of_them, Receiver() as spawns:
        colony.config = colony.folder / "colony.ini"
        colony.start(f"[process:web]\ncmd = sleep 1000\n[webhooks]\n. = {all_of_them.url()}\n"
                     f"spawn = {spawns.url('/spawn')}\nproc.web.exit = {spawns.url('/exit')}\n")
        assert spawns.next("spawn").path == "/spawn"
        os.kill(colony.slot("web")["os_pid"], signal.SIGKILL)
        assert spawns.next("exit").path == "/exit"
        assert all_of_them.next("exit").json()["name"] == "web"


def test_it_is_signed_with_the_secret_of_a_file_and_that_is_shown_nowhere(colony):
    with Receiver() as receiver:
        colony.start(settings([{"url": receiver.url(), "secret_file": write_secret(colony),
                                "headers": {"Authorization": "Bearer abc", "X-Shop": "one: two"}}]))
        post = receiver.next("spawn")
        wanted = hmac.new(SECRET.encode(), post.body, hashlib.sha256).hexdigest()
        assert post.headers["X-Colony-Signature"] == f"sha256={wanted}"
        assert post.headers["Authorization"] == "Bearer abc"
        assert post.headers["X-Shop"] == "one: two"
        texts = [path.read_bytes() for path in colony.state.rglob("*") if path.is_file()]
        texts += [colony.log.read_bytes(), colony.http("GET", "/metrics").body,
                  colony.http("GET", "/history").body]
        assert not [text for text in texts if SECRET.encode() in text]


@pytest.mark.parametrize("mode,text,message", [
    (0o644, SECRET, "others can read or change it"),
    (0o600, "", "there is no secret in it"),
    (None, "", "No such file"),
])
def test_a_secret_that_is_none_keeps_colony_from_starting(colony, mode, text, message):
    path = str(colony.folder / "none") if mode is None else write_secret(colony, text, mode)
    colony.start(settings([{"url": "http://localhost:1/", "secret_file": path}]), wait=False)
    assert colony.process.wait(20) == 78
    assert message in colony.log.read_text()


def test_what_fails_is_tried_again_in_order_and_the_log_says_so_once(colony):
    def react(handler, post, n):
        handler.answer(500 if n in (1, 2) else 200)

    with Receiver(react) as receiver:
        colony.start(settings({"proc.web": receiver.url("/very/secret/path")}))
        flood(colony, 2)
        first = [receiver.next() for _ in range(3)]
        assert first[0].body == first[1].body == first[2].body
        assert 0.7 < first[1].at - first[0].at < 3 and 1.4 < first[2].at - first[1].at < 5
        metrics = wait_idle(colony)
        seqs = [first[2].json()["seq"]] + [post.json()["seq"] for post in receiver.all()]
        assert seqs == sorted(set(seqs)) and len(seqs) > 2
        assert metrics.get("colony_webhook_failed_attempts_total") == 2
        assert metrics.get("colony_webhook_failed_events_total") == 0
        log = colony.log.read_text()
        assert log.count("cannot post events to http://localhost:") == 1
        assert "it answers with status 500" in log and "given up" not in log
        assert re.search(r"webhook 1 posts events to http://localhost:\d+ again$", log, re.M)
        assert "secret" not in log


def test_a_server_that_is_down_gets_all_of_it_when_it_is_back(colony):
    port = free_port()
    colony.start(settings({"proc.web": f"http://127.0.0.1:{port}/"}))
    eventually(lambda: Metrics(colony).get("colony_webhook_failed_attempts_total") >= 1)
    flood(colony, 3)
    with Receiver(port=port) as receiver:
        receiver.next("restart", seconds=30)
        metrics = wait_idle(colony)
        eventually(lambda: Metrics(colony).get("colony_webhook_sent_events_total") ==
                   receiver.count)
        assert metrics.get("colony_webhook_dropped_events_total") == 0
    assert "cannot post events to http://127.0.0.1" in colony.log.read_text()


def test_what_is_refused_for_good_is_given_up_at_once_and_the_next_goes_on(colony):
    with Receiver(lambda handler, post, n: handler.answer(404)) as receiver:
        colony.start(settings({"proc.web": receiver.url()}))
        flood(colony, 3)
        seqs = [receiver.next().json()["seq"] for _ in range(3)]
        assert seqs == sorted(set(seqs))
        wait_idle(colony)
        eventually(lambda: Metrics(colony).get("colony_webhook_failed_events_total") ==
                   receiver.count)
        assert colony.log.read_text().count("it answers with status 404") == 1


def test_each_hook_is_told_apart_and_what_it_gives_up_is_told(colony):
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    colony.start(settings([{"url": url + "a", "events": "proc.web"},
                           {"url": url + "b", "events": "proc.web"}]))
    for number in (1, 2):
        eventually(lambda: f"webhook {number} cannot post events to http://127.0.0.1:{port}: "
                   in colony.log.read_text())
    answers = {"/a": 200, "/b": 404}
    with Receiver(lambda handler, post, n: handler.answer(answers[post.path]), port=port) as receiver:
        eventually(lambda: f"webhook 2 gives up events for http://127.0.0.1:{port}: "
                           "it answers with status 404" in colony.log.read_text(), 30)
        answers["/b"] = 200
        flood(colony, 1)
        eventually(lambda: re.search(rf"webhook 2 posts events to http://127.0.0.1:{port} again: "
                                     r"(1 was|\d+ were) given up$", colony.log.read_text(), re.M))
        eventually(lambda: re.search(rf"webhook 1 posts events to http://127.0.0.1:{port} again$",
                                     colony.log.read_text(), re.M))
    log = colony.log.read_text()
    assert log.count("webhook 1 ") == 2 and log.count("webhook 2 ") == 3


def test_the_beginning_a_reload_and_the_end_are_posted(colony):
    with Receiver() as receiver:
        def ini(*names):
            events = ("create", "start", "stop", "delete", "proc.a.start")
            return "[webhooks]\n" + "".join(f"{event} = {receiver.url()}\n" for event in events) + \
                "".join(f"[process:{name}]\ncmd = sleep 1000\n" for name in names)

        def posted(count):
            return sorted((post["event"], post["name"])
                          for post in (receiver.next().json() for _ in range(count)))

        colony.config = colony.folder / "g.ini"
        colony.start(ini("a"))
        assert posted(3) == [("create", "a"), ("start", "a"), ("start", "a")]
        colony.write(ini("a", "b"))
        colony.ctl("reload")
        assert posted(2) == [("create", "b"), ("start", "b")]
        colony.write(ini("b"))
        colony.ctl("reload")
        assert posted(2) == [("delete", "a"), ("stop", "a")]
        colony.wait_state("b", "running")
        os.kill(colony.engine, signal.SIGKILL)
        eventually(colony.answers)
        colony.ctl("shutdown")
        assert posted(1) == [("stop", "b")]


def test_redirects_are_not_followed(colony):
    with Receiver() as other:
        def react(handler, post, n):
            handler.answer(302 if n % 2 else 307, Location=other.url("/elsewhere"))

        with Receiver(react) as receiver:
            colony.start(settings({"proc.web": receiver.url()}))
            flood(colony, 2)
            receiver.next(), receiver.next()
            eventually(lambda: Metrics(colony).get("colony_webhook_failed_events_total") >= 2)
        assert other.count == 0 and not other.redirected.is_set()


def test_a_server_asks_for_time_and_gets_it(colony):
    def react(handler, post, n):
        handler.answer(503 if n == 1 else 200, **({"Retry-After": "3"} if n == 1 else {}))

    with Receiver(react) as receiver:
        colony.start(settings({"proc.web": receiver.url()}))
        first, second = receiver.next(), receiver.next()
        assert second.at - first.at > 2.8 and first.body == second.body


def hang(handler, post, n):
    if n == 1:
        time.sleep(5)
    handler.answer()


def close_half_way(handler, post, n):
    if n == 1:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        handler.close_connection = True
    else:
        handler.answer()


def say_nothing(handler, post, n):
    if n == 1:
        handler.close_connection = True
    else:
        handler.answer()


def talk_nonsense(handler, post, n):
    if n == 1:
        handler.wfile.write(b"\0\xff no HTTP at all\r\n\r\n")
        handler.close_connection = True
    else:
        handler.answer()


def drip(handler, post, n):
    if n == 1:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(60):
            handler.wfile.write(b".")
            handler.wfile.flush()
            time.sleep(0.05)
    else:
        handler.answer()


@pytest.mark.parametrize("react", [hang, close_half_way, say_nothing, talk_nonsense, drip])
def test_a_server_that_misbehaves_is_tried_again_and_holds_up_nobody(colony, react):
    with Receiver(react) as receiver, Receiver() as other:
        colony.start(settings([{"url": receiver.url(), "events": "proc.web", "timeout": "1s"},
                               {"url": other.url(), "events": "proc.web"}]))
        begin = time.monotonic()
        first = receiver.next()
        other.next("spawn", seconds=3)
        assert colony.http("GET", "/ping", timeout=2).status == 200
        again = receiver.next()
        assert again.body == first.body and again.at - begin < 6
        eventually(lambda: Metrics(colony).get("colony_webhook_queued_events", hook="1") == 0)
        metrics = Metrics(colony)
        assert metrics.get("colony_webhook_failed_attempts_total", hook="1") == 1
        assert metrics.get("colony_webhook_failed_attempts_total", hook="2") == 0


def test_an_answer_without_end_is_not_read_to_it(colony):
    def react(handler, post, n):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            handler.close_connection = True

    with Receiver(react) as receiver:
        colony.start(settings({"spawn": receiver.url()}))
        receiver.next("spawn")
        eventually(lambda: Metrics(colony).get("colony_webhook_sent_events_total") == 1, 5)


def test_what_waits_is_bounded_and_what_is_dropped_is_counted(colony):
    release = threading.Event()

    def react(handler, post, n):
        if n == 1:
            release.wait(30)
        handler.answer()

    with Receiver(react) as receiver:
        colony.start(settings([{"url": receiver.url(), "events": "restart", "max_events": 5,
                                "timeout": 60}]))
        flood(colony, 1)
        held = receiver.next("restart")
        flood(colony, 20)
        metrics = Metrics(colony)
        assert metrics.get("colony_webhook_queued_events") == 5
        assert metrics.get("colony_webhook_dropped_events_total") == 16
        release.set()
        eventually(lambda: Metrics(colony).get("colony_webhook_sent_events_total") == 5)
        came = [held.json()["seq"], *(post.json()["seq"] for post in receiver.all())]
        last = [row["seq"] for row in colony.http("GET", "/history?name=web&limit=1000").json()
                if row["event"] == "restart"][:4]
        assert came[1:] == sorted(last)  # the newest, in order


def test_events_given_up_after_the_last_attempt_are_counted(colony):
    with Receiver(lambda handler, post, n: handler.answer(502)) as receiver:
        colony.start(settings([{"url": receiver.url(), "events": "spawn", "retries": 1}]))
        assert receiver.next().body == receiver.next().body
        eventually(lambda: Metrics(colony).get("colony_webhook_failed_events_total") == 1)
        metrics = wait_idle(colony)
        assert metrics.get("colony_webhook_failed_attempts_total") == 2
        assert metrics.get("colony_webhook_queued_events") == 0


def test_the_last_events_are_posted_before_colony_ends(colony):
    with Receiver(lambda handler, post, n: (time.sleep(0.1), handler.answer())) as receiver:
        colony.start(settings({"proc.web": receiver.url()}))
        receiver.next("spawn")
        assert colony.stop() == 0
        names = [post.json()["event"] for post in receiver.all()]
        assert names[-1] == "state" and {"stop_pid", "exit"} <= set(names)


def test_a_server_that_hangs_holds_up_the_end_for_seconds_only(colony):
    with Receiver(lambda handler, post, n: time.sleep(30)) as receiver:
        colony.start(settings([{"url": receiver.url(), "timeout": 60}]))
        receiver.next()
        begin = time.monotonic()
        assert colony.stop() == 0
        assert time.monotonic() - begin < 8
        assert re.search(r"webhook 1 gives up (1 event|\d+ events) for http://localhost:\d+: "
                         r"(it|they) could not be posted",
                         colony.log.read_text())


def test_what_a_server_that_is_down_never_got_is_told_at_the_end(colony):
    colony.start(settings({"proc.web": f"http://127.0.0.1:{free_port()}/"}))
    flood(colony, 2)
    eventually(lambda: Metrics(colony).get("colony_webhook_failed_attempts_total") >= 1)
    begin = time.monotonic()
    assert colony.stop() == 0 and time.monotonic() - begin < 6
    assert re.search(r"gives up \d\d? events for http://127.0.0.1:", colony.log.read_text())


def test_a_reload_keeps_what_waits_where_the_hook_stays(colony):
    release = threading.Event()

    def react(handler, post, n):
        if n == 1:
            release.wait(30)
        handler.answer()

    with Receiver(react) as stays, Receiver() as comes:
        path = write_secret(colony)
        hook = {"url": stays.url(), "events": "restart", "timeout": 60, "secret_file": path}
        colony.start(settings([{"url": "http://127.0.0.1:1/gone"}, hook]))
        flood(colony, 3)
        held = stays.next("restart")
        write_secret(colony, "another-secret-of-ours")
        colony.write(settings([{"url": comes.url(), "events": "restart"}, {**hook, "max_events": 50}]))
        told = colony.ctl("reload").stdout
        assert "webhooks" in told and "restart" not in told.split()
        flood(colony, 1)
        comes.next("restart")
        release.set()
        rest = [stays.next("restart") for _ in range(3)]
        assert [post.json()["seq"] for post in (held, *rest)] == \
            sorted(post.json()["seq"] for post in (held, *rest))
        wanted = hmac.new(b"another-secret-of-ours", rest[-1].body, hashlib.sha256).hexdigest()
        assert rest[-1].headers["X-Colony-Signature"] == f"sha256={wanted}"
        sent = "colony_webhook_sent_events_total"  # counted once the answer has come
        eventually(lambda: [Metrics(colony).get(sent, hook=hook) for hook in "12"] == [1, 4])
        metrics = Metrics(colony)
        colony.write({"processes": WEB})
        colony.ctl("reload")
        flood(colony, 1)
        assert metrics.families["colony_webhook_queued_events"]
        assert Metrics(colony).families["colony_webhook_queued_events"][1] == {}
        assert not comes.all()


def test_a_reload_with_a_secret_that_cannot_be_used_changes_nothing(colony):
    with Receiver() as receiver:
        colony.start(settings([{"url": receiver.url(), "events": "restart"}]))
        colony.write(settings([{"url": receiver.url(), "secret_file": "/none"}]))
        told = colony.ctl("reload", check=False)
        assert told.returncode != 0 and "/none" in told.stderr
        flood(colony, 1)
        assert "X-Colony-Signature" not in receiver.next("restart").headers


def test_the_first_hook_may_come_by_a_reload_and_outlives_the_engine(colony):
    with Receiver() as receiver:
        colony.start({"processes": WEB})
        engine = colony.engine
        assert "libcurl" not in pathlib.Path(f"/proc/{engine}/maps").read_text()
        colony.write(settings({"restart": receiver.url()}))
        colony.ctl("reload")
        flood(colony, 1)
        receiver.next("restart")
        os.kill(engine, signal.SIGKILL)
        eventually(lambda: colony.engine != engine and colony.answers())
        flood(colony, 1)
        receiver.next("restart")


def waiting(colony):
    return [Metrics(colony).get("colony_webhook_queued_events", hook=number) for number in "12"]


@pytest.mark.parametrize("how", ["upgrade", "keeper killed"])
def test_what_waits_is_posted_by_the_next_engine(colony, how):
    """Each event once and in its order, whatever comes before it is posted; the server was down till then."""
    port = free_port()
    hook = {"url": f"http://127.0.0.1:{port}/", "events": ["restart", "stop"]}
    colony.start(settings([hook, {"url": hook["url"] + "2", "events": "restart"}]))
    flood(colony, 5)
    assert waiting(colony) == [5, 5]
    engine = colony.engine
    if how == "upgrade":
        colony.ctl("upgrade")
    else:
        os.kill(colony.keeper, signal.SIGKILL)
    eventually(lambda: colony.engine != engine and waiting(colony) == [5, 5])
    assert not (colony.state / "engine/webhooks").exists()
    flood(colony, 2)
    with Receiver(port=port) as receiver:
        eventually(lambda: receiver.count >= 14, seconds=40)
        eventually(lambda: waiting(colony) == [0, 0])
        posts = receiver.all()
    seqs = [row["seq"] for row in colony.http("GET", "/history").json() if row["event"] == "restart"]
    for path in ("/", "/2"):
        assert [post.json()["seq"] for post in posts if post.path == path] == sorted(seqs)
        assert {post.headers["X-Colony-Event"] for post in posts} == {"restart"}
    assert "gives up" not in colony.log.read_text()


def test_what_waits_is_not_lost_when_the_next_engine_lacks_a_descriptor_for_a_moment(colony):
    control, env = faulty.prepare(colony.folder)
    colony.start(settings({"restart": f"http://127.0.0.1:{free_port()}/"}), env={**os.environ, **env})
    flood(colony, 3)
    for first in range(2, 50):  # the first is the old engine's, which tells when it cannot keep them
        engine = colony.engine
        control.arm("engine", "open", "once", first)
        colony.ctl("upgrade", check=False)
        eventually(lambda: colony.engine != engine and colony.answers(), what="the next engine")
        eventually(lambda: Metrics(colony).get("colony_webhook_queued_events", hook="1") == 3, 5, "what waits")
        control.disarm()


def test_what_was_kept_for_a_webhook_that_is_no_more_is_counted(colony):
    (colony.state / "engine").mkdir(parents=True, mode=0o700)
    kept = colony.state / "engine/webhooks"
    kept.write_bytes(b"0123456789abcdef restart {}\n" b"\n" b"nonsense\n" b"0123456789abcdef nonsense {}\n"
                     b"0123456789abcdef \x00\xff\n" b"0123456789abcdef restart {}")
    colony.state.chmod(0o700)
    with Receiver() as receiver:
        colony.start(settings({"restart": receiver.url()}))
        assert "gives up 6 events for webhooks that are no more" in colony.log.read_text()
        assert not kept.exists()
        flood(colony, 1)
        receiver.next("restart")


def test_what_cannot_be_kept_is_told(colony):
    colony.start(settings({"restart": f"http://127.0.0.1:{free_port()}/"}))
    flood(colony, 3)
    (colony.state / "engine/webhooks.new").mkdir()
    engine = colony.engine
    colony.ctl("upgrade")
    eventually(lambda: colony.engine != engine and colony.answers())
    assert re.search(r"cannot keep 3 events for webhooks: .*: they are not posted", colony.log.read_text())


def test_nothing_wakes_the_engine_while_nothing_happens(colony):
    with Receiver() as receiver:
        colony.start(settings({".": receiver.url()}))
        receiver.next("spawn")
        assert_sleeps(colony.engine)


def test_it_is_one_connection_for_many_events(colony):
    with Receiver() as receiver:
        colony.start(settings({"restart": receiver.url()}))
        flood(colony, 10)
        assert len({receiver.next("restart").peer for _ in range(10)}) == 1


@pytest.fixture(scope="module", name="pki")
def pki_fixture(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("no openssl here")
    return Pki(tmp_path_factory.mktemp("pki"))


def test_https_with_the_authority_of_a_setting(colony, pki):
    with Receiver(cert=(pki.pem("server"), pki.key("server"))) as receiver:
        colony.start(settings([{"url": receiver.url(), "ca": pki.pem("ca"), "events": "restart"}]))
        flood(colony, 2)
        receiver.next("restart"), receiver.next("restart")
        assert Metrics(colony).get("colony_webhook_failed_attempts_total") == 0


@pytest.mark.parametrize("ca", [None, "other"])
def test_a_certificate_of_another_authority_is_not_trusted(colony, pki, ca):
    with Receiver(cert=(pki.pem("server"), pki.key("server"))) as receiver:
        hook = {"url": receiver.url(), "events": "restart"}
        colony.start(settings([{**hook, "ca": pki.pem(ca)} if ca else hook]))
        flood(colony, 1)
        eventually(lambda: Metrics(colony).get("colony_webhook_failed_attempts_total") >= 1)
        assert receiver.count == 0
        assert "certificate" in colony.log.read_text()


def test_a_name_that_is_nobodys_is_tried_again(colony):
    colony.start(settings({".": "http://none.invalid/"}))
    eventually(lambda: Metrics(colony).get("colony_webhook_failed_attempts_total") >= 1, 30)
    begin = time.monotonic()
    assert colony.stop() == 0 and time.monotonic() - begin < 8


@pytest.mark.parametrize("text,message", [
    ("webhooks: {exti: http://x/}", "cannot use the event `exti`: there is none, did you mean `exit`?"),
    ("webhooks: {.: ftp://x/}", "it must be http:// or https://"),
    ("webhooks: {.: 'http:///x'}", "it must be http:// or https://"),
    ("webhooks: {.: 'http://x/a b'}", "it must be http:// or https://"),
    ("webhooks: {.: 'file:///etc/passwd'}", "it must be http:// or https://"),
    ("webhooks: [{events: exit}]", "`url` is missing"),
    ("webhooks: [{url: http://x, secret: abc}]", "cannot use the key `secret`"),
    ("webhooks: [{url: http://x, retries: -1}]", "from 0 to 1000"),
    ("webhooks: [{url: http://x, headers: {'a b': c}}]", "no name of a header"),
    ("webhooks: [{url: http://x, headers: {Host: c}}]", "no name of a header"),
    ("webhooks: [{url: http://x, headers: {X-A: \"b\\r\\nX-B: c\"}}]", "one line of text"),
    ("webhooks: {exit: {url: http://x, events: spawn}}", "the key `exit` says which"),
    ("webhooks: 5", "it must be a map of events and URLs"),
])
def test_settings_that_cannot_be_used_are_refused_with_their_place(colony, text, message):
    colony.start(text, wait=False)
    assert colony.process.wait(20) == 78
    assert message in colony.log.read_text() and "colony.yaml:1:" in colony.log.read_text()


def test_those_who_have_none_do_not_open_libcurl(colony):
    colony.start({"processes": WEB})
    assert "libcurl" not in pathlib.Path(f"/proc/{colony.engine}/maps").read_text()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
    assert colony.http("GET", "/metrics").text.count("# TYPE colony_webhook_") == 5
