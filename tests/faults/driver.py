# SPDX-License-Identifier: Apache-2.0
"""Makes the n-th call of a kind fail in keeper or engine while colony does one thing, for n = 1…

`make faults T=600 SEED=7 ONLY=start,alloc`. Whatever fails: keeper and engine go on, what was asked
for happens or is refused with a reason, processes live on, the next wish is granted, and neither
descriptors nor memory are lost."""

import argparse
import collections
import contextlib
import http.client
import json
import mmap
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))
import conftest  # noqa: E402
from ws_client import BINARY, CLOSE, TEXT, Raw  # noqa: E402

LIBRARY = os.environ.get("FAULTS", str(pathlib.Path(conftest.BINARY).parent / "faults.so"))
ROLES = ["keeper", "engine"]
# As in faults.h and preload.c.
KINDS = ["none", "alloc", "open", "fd", "write", "read", "send", "map", "watch", "spawn", "folder"]
MODES = ["once", "on", "often"]
BLOCK = struct.Struct(f"<IIQQQQII{len(KINDS)}Qq16sI4x24Q")
BLOCK_BYTES = 4096
REPEATS = 12  # with and without the fault, where one seems to lose memory


class Control:
    """The file that the library maps, too: arms faults and reads what was counted."""

    def __init__(self, path):
        path.write_bytes(bytes(2 * BLOCK_BYTES))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 2 * BLOCK_BYTES)

    def read(self, role):
        fields = BLOCK.unpack_from(self.map, ROLES.index(role) * BLOCK_BYTES)
        kinds = 8 + len(KINDS)
        depth = fields[kinds + 2]
        return {"kind": fields[0], "seen": fields[3], "failed": fields[4], "pid": fields[7],
                "counts": dict(zip(KINDS, fields[8:kinds])), "living": fields[kinds],
                "call": fields[kinds + 1].split(b"\0")[0].decode(),
                "trace": fields[kinds + 3:kinds + 3 + depth]}

    def counts(self, role):
        return self.read(role)["counts"]

    def arm(self, role, kind, mode, first, seed=0):
        at = ROLES.index(role) * BLOCK_BYTES
        self.disarm()
        struct.pack_into("<IQQQQI", self.map, at + 4, MODES.index(mode), first, 0, 0, seed, 16384)
        struct.pack_into("<I", self.map, at + 48 + 8 * len(KINDS) + 8 + 16, 0)
        struct.pack_into("<I", self.map, at, KINDS.index(kind))

    def disarm(self):
        for i in range(len(ROLES)):
            struct.pack_into("<I", self.map, i * BLOCK_BYTES, 0)


class Finding(Exception):
    """What must not happen has happened."""


class Refusal(Exception):
    """The answer was an error that says something."""


class Silence(Exception):
    """There was no answer."""


def may_be_silent(case, silence):
    """Without descriptors or memory for longer, nobody can be answered; what was begun, be it only
    its head, is cut off."""
    return case.mode != "once" or case.kind == "watch" or case.action == "engine" or \
        re.search(r"IncompleteRead|once it was open", str(silence))


Case = collections.namedtuple("Case", "action role kind mode first")


class Faults:
    def __init__(self, folder, seed=1, keep_going=False):
        self.folder = pathlib.Path(folder)
        self.seed = seed
        self.random = random.Random(seed)
        self.keep_going = keep_going
        self.findings = []
        self.ran = collections.Counter()
        self.deepest = collections.Counter()
        self.control = Control(self.folder / "faults")
        self.colony = None
        self.turn = 0
        self.patience = 8
        self.refusals = collections.Counter()
        self.maps = {}

    # A colony to try it on.

    def settings(self):
        restart = {"delay": 0.05, "max_delay": 0.2}

        def template(cmd="sleep 1000000", **more):
            return {"cmd": cmd, "os_env": False, "graceful_timeout": 1, "restart": restart,
                    **more}
        return {"processes": {
            "steady": template(numprocesses=2),
            "notified": template(watchdog=1000, start=True),
            "it": template(start=False, nice=self.turn % 2),
            "large": template(start=False, env={"LARGE": "x" * 6000}),
            "direct": template(start=False, log={"direct": True}),
            "waits": template("sh", args=["-c", "echo up; exec sleep 1000000"], start=False,
                              ready={"line": "up"}),
            "crash": template(),
            "echo": template("cat", redirect_output=["out"], redirect_input=True),
            "talk": template("sh", args=["-c", f"exec cat <>{self.fifo}"],
                             log={"size": "64KiB", "count": 2}),
        }}

    def start(self):
        self.stop()
        folder = pathlib.Path(tempfile.mkdtemp(prefix="c", dir=self.folder))
        self.fifo = folder / "fifo"
        os.mkfifo(self.fifo)
        self.colony = conftest.Colony(folder)
        self.colony.start(self.settings(), env={**os.environ, "LD_PRELOAD": LIBRARY,
                                                "COLONY_FAULTS": str(self.folder / "faults")})
        self.ids = {}
        self.keeper, self.engine = self.colony.keeper, self.colony.engine
        for role in ROLES:
            if self.control.read(role)["pid"] != getattr(self, role):
                raise RuntimeError(f"the library is not in the {role}")
        conftest.eventually(lambda: all(s["state"] in ("running", "ready") or s["name"] in (
            "it", "large", "direct", "waits") for s in self.colony.slots()), what="all up")
        self.post("/processes", json.dumps({"name": "kept", "cmd": "sleep 1000000", "os_env": False}))
        conftest.eventually(lambda: self.states("kept") == ["running"], what="what was added")
        self.pids = self.bystanders()
        for action in ACTIONS:  # what is made once and kept is no leak
            for _ in range(2):
                self.do(action)
                self.settle(action)
        self.baseline = self.descriptors()
        self.learn_maps()

    def stop(self):
        self.control.disarm()
        if self.colony:
            self.colony.clear()
        self.colony = None

    def learn_maps(self):
        for role in ROLES:
            with contextlib.suppress(OSError):
                self.maps[role] = pathlib.Path(f"/proc/{getattr(self, role)}/maps").read_text()

    # What is seen of it.

    def bystanders(self):
        return {(s["name"], s["slot"]): s["os_pid"] for s in self.colony.slots()
                if s["name"] in ("steady", "notified", "kept")}

    def descriptors(self):
        found = {}
        for role in ROLES:
            folder = f"/proc/{getattr(self, role)}/fd"
            links = []
            for fd in os.listdir(folder):
                with contextlib.suppress(OSError):
                    link = re.sub(r":\[\d+\]|\.\d+\.log.*|\(deleted\)", "",
                                  os.readlink(f"{folder}/{fd}"))
                    # libuv keeps one of /dev/null, and of / where it cannot have that
                    if not link.endswith("/log/echo"):  # open from its first line on
                        links.append("/dev/null" if link == "/" else link)
            found[role] = collections.Counter(links)
        return found

    def told(self):
        """The state of each slot, and the pipes of both, for who looks for one too many."""
        slots = [f"{s['name']}: {s['state']}, {s['os_pid']}" for s in self.colony.slots()]
        pipes = {role: sorted(link for link in map(self.link, pathlib.Path(f"/proc/{getattr(self, role)}/fd").iterdir())
                              if link.startswith("pipe:")) for role in ROLES}
        return f"{slots} and {pipes}"

    @staticmethod
    def link(path):
        with contextlib.suppress(OSError):
            return os.readlink(path)
        return ""

    def quiet(self, seconds=0.5):
        """Until neither makes a counted call any more."""
        deadline = time.monotonic() + seconds
        before = None
        while time.monotonic() < deadline:
            now = [self.control.counts(role) for role in ROLES]
            if now == before:
                return
            before = now
            time.sleep(0.006)

    def ask(self, method, path, body=None):
        """The answer of colony: what it says, or Refusal; anything else is a finding."""
        connection = conftest.UnixConnection(self.colony.socket, self.patience)
        try:
            with contextlib.closing(connection):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, path, body)  # it may have answered already
                response = connection.getresponse()
                answer = conftest.Answer(response, response.read())
        except TimeoutError as error:
            raise Silence(f"{method} {path} was not answered in time") from error
        except (http.client.HTTPException, OSError) as error:
            raise Silence(f"{method} {path} got no answer: {error!r}") from error
        if answer.status < 300:
            return answer
        try:
            said = answer.json()
            assert said["error"] and len(said["reason"]) > 5 and "\n" not in said["reason"], said
        except (ValueError, KeyError, AssertionError) as error:
            raise Finding(f"{method} {path} said {answer.status} {answer.body[:200]}") from error
        raise Refusal(f"{answer.status} {said['error']}: {said['reason']}")

    def do(self, action):
        prepare = getattr(self, f"prepare_{action}", None)
        if prepare:
            prepare()
        return getattr(self, f"do_{action}")()

    def settle(self, action):
        """Without faults: what was asked for is so, and all is as before."""
        check = getattr(self, f"check_{action}", None)
        if check:
            conftest.eventually(check, 15, f"{action}")
        undo = getattr(self, f"undo_{action}", None)
        if undo:
            undo()

    # What is done, each with what comes before, what must be so after, and what undoes it.

    def states(self, name):
        return [s["state"] for s in self.colony.slots(name)]

    def post(self, path, body=None):
        return self.ask("POST", path, body)

    def do_start(self):
        return self.post("/processes/it/_start?wait=3")

    def check_start(self):
        return self.states("it") == ["running"]

    def undo_start(self):
        self.post("/processes/it/_stop?wait=5")

    def do_large(self):
        return self.post("/processes/large/_start")

    def check_large(self):
        return self.states("large") == ["running"]

    def undo_large(self):
        self.post("/processes/large/_stop?wait=5")

    def do_direct(self):
        return self.post("/processes/direct/_start")

    def check_direct(self):
        return self.states("direct") == ["running"]

    def undo_direct(self):
        self.post("/processes/direct/_stop?wait=5")

    def do_waits(self):
        return self.post("/processes/waits/_start")

    def check_waits(self):
        return self.states("waits") == ["ready"]

    def undo_waits(self):
        self.post("/processes/waits/_stop?wait=5")

    def prepare_stop(self):
        self.post("/processes/it/_start?wait=5")

    def do_stop(self):
        return self.post("/processes/it/_stop")

    def check_stop(self):
        return self.states("it") == ["stopped"]

    def do_scale(self):
        return self.post("/processes/steady/_scale/4")

    def check_scale(self):
        return self.states("steady") == ["running"] * 4

    def undo_scale(self):
        self.post("/processes/steady/_scale/2?wait=5")

    def prepare_sub(self):
        self.post("/processes/steady/_scale/4?wait=5")

    def do_sub(self):
        return self.post("/processes/steady/_scale/2")

    def check_sub(self):
        return self.states("steady") == ["running"] * 2

    def prepare_restart(self):
        self.post("/processes/it/_start?wait=5")
        self.before = self.colony.slot("it")["os_pid"]

    def do_restart(self):
        return self.post("/processes/it/_restart")

    def check_restart(self):
        slot = self.colony.slot("it")
        return slot["state"] == "running" and slot["os_pid"] != self.before

    undo_restart = undo_start

    def prepare_reload(self):
        self.turn += 1
        self.colony.write(self.settings())

    def do_reload(self):
        return self.post("/_reload")

    def check_reload(self):
        return self.ask("GET", "/processes/it").json()["nice"] == self.turn % 2

    def do_logs(self):
        return self.ask("GET", "/logs/talk?lines=10")

    def prepare_websocket(self):
        self.before = self.colony.slot("echo")["id"]

    def do_websocket(self):
        """Says something and hears it again."""
        try:
            with Raw(self.colony, f"/wstreams/{self.before}", patience=self.patience) as raw:
                if raw.status != 101:
                    raise Refusal(f"{raw.status} {raw.body()}")
                return self.talk_by(raw)
        except (OSError, IndexError) as error:
            raise Silence(f"a WebSocket got no answer: {error!r}") from error

    @staticmethod
    def talk_by(raw):
        try:
            raw.send(BINARY, b"hello\n")
            opcode, payload = raw.receive()
            if opcode == CLOSE:
                raise Refusal(f"Close {payload}")
            assert opcode == TEXT and payload.endswith(b"\n"), payload
            raw.send(CLOSE, b"\x03\xe8")
            code, reason = raw.closed()
            if code != 1000:
                raise Refusal(f"Close {code} {reason}")
        except (OSError, TypeError) as error:
            raise Silence(f"a WebSocket was cut off once it was open: {error!r}") from error

    def do_ps(self):
        self.ask("GET", "/slots?stats=true")
        self.ask("GET", "/processes")
        self.ask("GET", "/env/it")
        return self.ask("GET", "/tree")

    def do_stats(self):
        return self.ask("GET", "/stats")

    def do_history(self):
        self.ask("GET", "/why/it")
        return self.ask("GET", "/history?limit=5")

    def do_add(self):
        return self.post("/processes", json.dumps({"name": "added", "cmd": "sleep 1000000",
                                                   "os_env": False, "graceful_timeout": 1}))

    def check_add(self):
        return self.states("added") == ["running"]

    def undo_add(self):
        self.ask("DELETE", "/processes/added")
        conftest.eventually(self.check_remove, 10, "the removal")

    def prepare_remove(self):
        self.do_add()
        conftest.eventually(self.check_add, 10, "the addition")

    def do_remove(self):
        return self.ask("DELETE", "/processes/added")

    def check_remove(self):
        return "added" not in self.colony.http("GET", "/processes").json() and \
            not [s for s in self.colony.slots() if s["name"] == "added"]

    def do_update(self):
        self.turn_nice = getattr(self, "turn_nice", 0) ^ 1
        return self.ask("PUT", "/processes/it", json.dumps(
            {**self.settings()["processes"]["it"], "nice": self.turn_nice}))

    def prepare_exit(self):
        self.before = self.colony.slot("crash")["os_pid"]

    def do_exit(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.before, signal.SIGKILL)
        conftest.eventually(lambda: not conftest.alive(self.before), 5, "its end")

    def check_exit(self):
        slot = self.colony.slot("crash")
        return slot["state"] == "running" and slot["os_pid"] not in (None, self.before)

    def say(self, data):
        with open(self.fifo, "r+b", buffering=0) as file:
            file.write(data)

    def do_rotate(self):
        self.turn_line = getattr(self, "turn_line", 0) + 1
        for _ in range(5):
            self.say(b"x" * 15000 + b"\n")

    def check_rotate(self):
        self.say(b"mark %d\n" % self.turn_line)
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            if b"mark %d\n" % self.turn_line in self.colony.output("talk")[-70000:]:
                return True
            time.sleep(0.005)
        return False

    def wanted(self):
        """Which slots there are, which of them are up, and a setting that is changed."""
        slots = {(s["name"], s["slot"]): s["state"] in ("running", "ready")
                 for s in self.colony.slots()}
        return slots | {"nice": self.colony.http("GET", "/processes/it").json()["nice"]}

    def prepare_engine(self):
        self.before = self.engine
        if "store" not in self.colony.http("GET", "/readyz").text:  # else it may lack some
            self.wanted_before = self.wanted()

    def do_engine(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.before, signal.SIGKILL)
        conftest.eventually(lambda: not conftest.alive(self.before), 5, "its end")
        deadline = time.monotonic() + 0.4
        with contextlib.suppress(OSError, http.client.HTTPException):
            while time.monotonic() < deadline and \
                    self.colony.http("GET", "/ping", timeout=0.4).status != 200:
                time.sleep(0.01)

    def check_engine(self):
        if not self.colony.answers():
            return False
        self.engine = self.colony.engine
        self.learn_maps()
        return self.engine != self.before

    def is_as_wanted(self):
        now, before = self.wanted(), self.wanted_before
        assert now == before, f"{dict(before.items() - now.items())} became " \
            f"{dict(now.items() - before.items())}"
        return True

    def undo_engine(self):
        """A slot that was stopped has kept its pipe, which the new engine let go of."""
        if "store" in self.colony.http("GET", "/readyz").text:  # it had failed: try another
            self.do("engine")
            conftest.eventually(self.check_engine, what="another engine")
        conftest.eventually(self.is_as_wanted, 15, "all that is wanted, and nothing else")
        for name in ("it", "large", "direct", "waits"):
            self.post(f"/processes/{name}/_start?wait=5")
            self.post(f"/processes/{name}/_stop?wait=5")
        self.do_rotate()
        conftest.eventually(self.check_rotate, 10, "the log")

    # One case.

    def place(self, role):
        """Where it failed, innermost first, in names of functions."""
        if not self.maps.get(role):
            return ""
        names = []
        regions = []
        for line in self.maps[role].splitlines():
            parts = line.split(maxsplit=5)
            if len(parts) == 6 and parts[5].startswith("/"):
                low, high = (int(part, 16) for part in parts[0].split("-"))
                regions.append((low, high, low - int(parts[2], 16), parts[5]))
        for address in self.control.read(role)["trace"]:
            for low, high, base, path in regions:
                if low <= address < high and "faults.so" not in path:
                    names.append(self.name(path, address - base - 1))
        return " < ".join(names[:12])

    @staticmethod
    def name(path, address):
        if "colony" not in path:
            return pathlib.Path(path).name.split(".so")[0]
        out = subprocess.run(["addr2line", "-f", "-s", "-e", path, hex(address)], text=True,
                             capture_output=True, check=False).stdout.split()
        return f"{out[0]}:{out[1].rsplit(':', 1)[-1]}" if len(out) >= 2 else hex(address)

    def check_both(self, case):
        """Keeper, engine and who was not asked about live on."""
        if self.colony.process.poll() is not None:
            raise Finding(f"the keeper ended with {self.colony.process.returncode}")
        if case.action != "engine" and not conftest.alive(self.engine):
            if (case.role, case.kind) != ("engine", "watch"):  # there libuv calls abort
                raise Finding("the engine ended")
            self.before = self.engine
            conftest.eventually(self.check_engine, what="a new engine")
            self.wanted_before = self.wanted()  # what was asked for may be done or not
            self.undo_engine()
        for who, pid in self.pids.items():
            if not conftest.alive(pid):
                raise Finding(f"{who[0]}.{who[1]} ended")

    def check_left(self, case):
        """Nothing is left of what was done."""
        self.check_both(case)

        def same():
            assert self.bystanders() == self.pids, f"{self.pids} became {self.bystanders()}"
            running = sum(bool(s["os_pid"]) for s in self.colony.slots())
            now = len(conftest.children(self.keeper)) - 1
            assert now == running, f"{now} processes for {running} slots"
            return True

        def closed():
            for role, links in self.descriptors().items():
                more = links - self.baseline[role]
                assert not more, f"{role} has {dict(more)} more, with {self.told()}"
            return True
        # A pipe is closed once its log is: a disk that others use as well may take seconds for that.
        conftest.eventually(same, 15, "all as before")
        conftest.eventually(closed, 15, "descriptors as before")

    def attempt(self, case):
        """Does it with the fault armed; returns how it was refused."""
        self.patience = 8 if case.mode == "once" else 1
        self.control.arm(case.role, case.kind, case.mode, case.first, self.seed)
        try:
            getattr(self, f"do_{case.action}")()
        except (Refusal, Silence) as said:
            return said
        finally:
            self.quiet(0.3 if case.mode == "once" else 0.12)
            self.control.disarm()
            self.patience = 8
        return None

    def try_case(self, case):
        """(was the fault reached, how many allocations more there are). Raises Finding."""
        action = case.action
        living = self.living()
        prepare = getattr(self, f"prepare_{action}", None)
        if prepare:
            prepare()
        self.quiet()
        refusal = self.attempt(case)
        failed = self.control.read(case.role)["failed"]
        self.check_both(case)
        if refusal and not failed:
            raise Finding(f"refused without a fault: {refusal}")
        if isinstance(refusal, Silence) and not may_be_silent(case, refusal):
            raise Finding(str(refusal))
        if refusal:
            self.refusals[re.sub("[0-9]+", "N", str(refusal))] += 1
            with contextlib.suppress(Refusal):  # it may have been done, but not recorded
                getattr(self, f"do_{action}")()
            conftest.eventually(self.is_recorded, what="recording it")
        self.settle(action)
        self.check_left(case)
        return failed > 0, self.living() - living

    def is_recorded(self):
        """An answer to any change is given once all changes before it are recorded."""
        with contextlib.suppress(Refusal):
            return self.post("/processes/notified/_start")
        return False

    def living(self):
        """Allocations of both that are not freed, once what waits to be recorded together is."""
        conftest.eventually(self.is_recorded, what="recording it")
        self.quiet()
        return sum(self.control.read(role)["living"] for role in ROLES)

    def try_for_leaks(self, case):
        """What grows with each of some repetitions, and less without the fault, is lost."""
        growths = []
        failed = False
        while len(growths) < 4:
            reached, growth = self.try_case(case)
            failed = failed or reached
            growths.append(growth)
            if not failed or growth <= 0 or case.action in ("engine", "exit"):
                return failed
            if "libwslay" in self.place(case.role):  # loses the little that it cannot queue
                return failed
        # The database's cache grows with what happened, fault or not, until it is full.
        never = case._replace(mode="once", first=1 << 60)
        more = [self.try_case(case)[1] - self.try_case(never)[1] for _ in range(REPEATS)]
        if sum(more) > REPEATS / 2:
            raise Finding(f"lost {growths} allocations, then {more} more than without the fault")
        return failed

    def run_case(self, case):
        try:
            failed = self.try_for_leaks(case)
        except (Finding, AssertionError, Refusal, Silence, OSError, http.client.HTTPException) as error:
            failed = True
            self.report(case, error)
            if not self.keep_going:
                raise Finding(self.findings[-1]) from error
            self.start()
        if failed:
            self.ran[case.action, case.role, case.kind, case.mode] += 1
            self.deepest[case.action, case.role, case.kind] = max(
                case.first, self.deepest[case.action, case.role, case.kind])
        return failed

    def report(self, case, error):
        call = self.control.read(case.role)
        where = self.place(case.role)
        log = self.colony.log.read_text(errors="replace").splitlines()[-5:]
        self.findings.append("\n    ".join([
            f"{case.action}: {case.mode} {case.first} of {case.kind} in the {case.role}: {error}",
            f"{call['call']} < {where}", *log]))
        print(self.findings[-1], flush=True)

    # All of them.

    def measure(self, actions):
        """How many calls of each kind each action makes, in keeper and engine."""
        counted = {}
        for action in actions:
            prepare = getattr(self, f"prepare_{action}", None)
            if prepare:
                prepare()
            self.quiet()
            before = {role: self.control.counts(role) for role in ROLES}
            getattr(self, f"do_{action}")()
            self.quiet()
            for role in ROLES:
                now = self.control.counts(role)
                for kind in KINDS[1:]:
                    counted[action, role, kind] = now[kind] - before[role][kind]
            self.settle(action)
        return counted

    def cases(self, only=()):
        chosen = [a for a in ACTIONS if not set(only) & set(ACTIONS) or a in only]
        for (action, role, kind), count in self.measure(chosen).items():
            if (set(only) & set(KINDS) and kind not in only) or \
                    (set(only) & set(ROLES) and role not in only):
                continue
            for first in range(1, count + 1):
                yield Case(action, role, kind, "once", first)
            if count:
                yield Case(action, role, kind, "on", 1)
                yield Case(action, role, kind, "often", 1)

    def shuffled(self, cases):
        """One of each kind in turn: the start of an engine allocates more often than all else calls."""
        self.random.shuffle(cases)
        turns = collections.Counter()
        turn_of = {}
        for case in cases:
            kind = case._replace(first=0)
            turn_of[case] = turns[kind]
            turns[kind] += 1
        return sorted(cases, key=turn_of.get)

    def run(self, seconds, only=()):
        self.start()
        cases = self.shuffled(list(self.cases(only)))
        deadline = time.monotonic() + seconds
        for i, case in enumerate(cases):
            if time.monotonic() > deadline:
                break
            self.run_case(case)
        return i + 1, len(cases)


ACTIONS = [name[3:] for name in vars(Faults) if name.startswith("do_")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="colony-faults-")
    run = Faults(folder, options.seed, keep_going=True)
    print(f"seed {options.seed}", flush=True)
    try:
        done, there = run.run(options.seconds, [w for w in options.only.split(",") if w])
    finally:
        run.stop()
    shutil.rmtree(folder, ignore_errors=True)
    for refusal, count in run.refusals.most_common():
        print(f"{count:6} {refusal}")
    print(f"{done} of {there} cases, {len(run.findings)} findings")
    return 1 if run.findings else 0


if __name__ == "__main__":
    sys.exit(main())
