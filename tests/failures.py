# SPDX-License-Identifier: Apache-2.0
"""Lets each fault happen to a real colony and tells what became of processes, output, exits and
control. `make failures` writes that into docs/reliability.md; it fails when a promise is broken."""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import chaos
import ordeal
from ordeal import conftest

DOCUMENT = pathlib.Path(__file__).parents[1] / "docs" / "reliability.md"
CLOCK = pathlib.Path(__file__).parent / "integration" / "clock.c"
BEGIN, END = "<!-- made by `make failures` -->", "<!-- end -->"
NAMES = ["steady0", "steady1", "steady2", "steady3", "loud0", "brief0", "brief1", "instant0",
         "straying0", "ready0", "ready1", "added0"]
COLUMNS = ["fault", "processes", "output", "exits", "control"]
STOPPED = "steady3"
YEAR_S = 365 * 86400
SKIPPED = 77  # exit status


class Scene(chaos.Chaos):
    """A small colony that a fault happens to. @times: how often, where that makes sense."""

    def __init__(self, folder, times):
        super().__init__(folder, seed=1)
        self.templates = {name: self.templates[name] for name in NAMES}
        self.times = times
        self.waits = []
        self.refused = 0

    def begin(self):
        super().begin()
        self.stop_it(self.templates[STOPPED], None)()
        self.check()

    def recover(self, act):
        """Milliseconds from the fault until a question is answered."""
        began = time.monotonic()
        act()
        while time.monotonic() < began + conftest.DEADLINE:
            try:
                if self.colony.http("GET", "/ping", timeout=conftest.DEADLINE).status == 200:
                    self.waits.append((time.monotonic() - began) * 1000)
                    return
            except (ConnectionRefusedError, FileNotFoundError):
                self.refused += 1
            except (OSError, conftest.http.client.HTTPException):
                pass  # hung up on: an answer of who died
            time.sleep(0.001)
        raise AssertionError("nobody answers")

    def waited(self):
        most = f" (at most {max(self.waits):.0f})" if len(self.waits) > 1 else ""
        return f"{statistics.median(self.waits):.0f} ms{most}"

    def kill_processes(self, look=None):
        """Three of them; milliseconds until others are in their place, as look() tells."""
        began = time.monotonic()
        for name in ("steady0", "loud0", "ready0"):
            self.touched.add((name, 1))
            os.kill(self.before[name, 1][1], signal.SIGKILL)
        self.renewed |= {"steady0", "loud0", "ready0"}
        conftest.eventually(lambda: all(
            slot["os_pid"] and slot["os_pid"] != self.before[slot["name"], 1][1]
            for slot in (look or self.slots)() if slot["name"] in self.renewed and slot["slot"] == 1),
            what="restarts")
        return (time.monotonic() - began) * 1000

    def engine_is_the_same(self):
        assert self.colony.engine == self.engine, "the engine has ended"

    def cells(self):
        self.finish()
        lost = self.colony.log.read_text().count("may be lost: pid")
        return {
            "processes": f"all {len(self.before)} live on, with their pids and ids",
            "output": f"{self.lines:,} lines, in order; {lost} losses, all of them told",
            "exits": f"all {self.ends:,} told, {self.unknown} as `unknown`",
        }


def limit(pid, what, soft):
    """Returns how to lift it again."""
    old = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (soft, old[1]))
    return lambda: resource.prlimit(pid, what, old)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# The faults: each returns the cells of its row that are its own.

def engine_killed(scene):
    for _ in range(scene.times):
        scene.recover(lambda: scene.kill("engine"))
        scene.check()
    assert scene.refused == 0, "connections were refused"
    return {"fault": f"engine killed, {scene.times} times",
            "control": f"connections wait {scene.waited()}, none is refused"}


def engine_stopped(scene):
    engine = scene.colony.engine
    os.kill(engine, signal.SIGSTOP)
    victim = scene.before["steady0", 1][1]
    scene.touched.add(("steady0", 1))
    os.kill(victim, signal.SIGKILL)
    conftest.eventually(lambda: not conftest.alive(victim), what="its end")
    time.sleep(3)
    os.kill(engine, signal.SIGCONT)
    scene.recover(lambda: None)
    scene.check()
    scene.engine_is_the_same()
    return {"fault": "engine stopped (SIGSTOP) for 3 s", "control": "waits as long"}


def keeper_killed(scene):
    for _ in range(scene.times):
        scene.recover(lambda: scene.kill("keeper"))
        scene.check()
    assert scene.refused == 0, "connections were refused"
    return {"fault": f"keeper killed, {scene.times} times",
            "control": f"the engine takes its place: connections wait {scene.waited()}, none is refused"}


def both_killed(scene):
    for _ in range(scene.times):
        scene.recover(lambda: scene.kill("both"))
        scene.check()
    return {"fault": f"keeper and engine killed at once, {scene.times} times",
            "control": f"gone until `colony serve` is started again, then back in {scene.waited()}"}


def disk_full(scene):
    """The state folder is a small disk of its own, with all logs on it."""
    full = scene.colony.state / "full"
    def fill():
        with open(full, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
    fill()
    conftest.eventually(lambda: fill() or next(
        s for s in scene.slots() if s["name"] == DROPPING)["dropped_lines"] > 100, what="lost lines")
    change = "/processes/steady1/_scale/3"
    refusal = scene.colony.http("POST", change, timeout=60)
    assert refusal.status == 500 and refusal.json()["error"] == "not_recorded", refusal.text
    scene.templates["steady1"].count = 3
    restarted = scene.kill_processes()
    full.unlink()
    began = time.monotonic()
    size = lambda: (scene.colony.state / "log" / "steady0.1.log").stat().st_size
    before = size()
    conftest.eventually(lambda: size() > before, what="more output")
    resumed = time.monotonic() - began
    assert conftest.eventually(lambda: scene.colony.http("POST", change).status == 200, what="a record")
    scene.stop_it(scene.templates[DROPPING], None)()
    scene.check()
    told = next(s for s in scene.slots() if s["name"] == DROPPING)
    missing = missing_of(scene.colony.output(DROPPING))
    assert missing == (told["dropped_bytes"], told["dropped_lines"]), \
        f"{missing} are missing, {told['dropped_bytes'], told['dropped_lines']} are told"
    scene.engine_is_the_same()
    return {"fault": "disk full",
            "output": f"`on_full: block`: the process waits, nothing is lost, it goes on {resumed * 1000:.0f} ms after "
                      f"there is room. `drop`: it goes on, and all {missing[1]:,} lines that are missing "
                      "are counted",
            "processes": f"live on, and are restarted ({restarted:.0f} ms)",
            "control": "answers; a change is done and answered 500 `not_recorded`, until there is room"}


DROPPING = "dropping"


def missing_of(text):
    """(bytes, lines) of the stream of one process that are not in its log."""
    pid = int(text.split(b" ", 1)[0])
    lines = text.split(b"\n")
    last = int(lines[-2].split(b" ")[1])
    length = lambda i: len(f"{pid} {i} ") + i * 7 % 60 + 1
    whole = sum(length(i) for i in range(last + 1))
    return whole - len(text), last + 2 - len(lines)


def disk_full_setup(scene):
    scene.colony.state.mkdir()
    mount("-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", scene.colony.state)
    for template in scene.templates.values():
        template.more = {"log": {**template.kind.settings.get("log", {}), "on_full": "block"}}
    dropping = chaos.Template("loud", 0, 1)
    dropping.name = DROPPING
    scene.templates[DROPPING] = dropping
    follow = scene.is_followed
    scene.is_followed = lambda name: follow(name) and not name.startswith(DROPPING)


def slots_over(connection):
    connection.request("GET", "/slots")
    return json.loads(connection.getresponse().read())


def outcome(scene):
    """What one more client is told."""
    try:
        answer = scene.colony.http("GET", "/ping")
    except (OSError, conftest.http.client.HTTPException):
        return "hung up on"
    return "answered too" if answer.status == 200 else f"told so ({answer.status})"


def descriptors_out(scene):
    """First the engine, with many clients; then the keeper, with more processes asked for."""
    engine = scene.engine
    lift = limit(engine, resource.RLIMIT_NOFILE, 10 + max(map(int, os.listdir(f"/proc/{engine}/fd"))))
    clients = [conftest.UnixConnection(scene.colony.socket, 10) for _ in range(60)]
    for client in clients:
        client.connect()
    used = cpu_seconds(engine)
    time.sleep(2)
    used = cpu_seconds(engine) - used
    assert used < 0.5, f"the engine spins: {used} s of 2"
    began = time.monotonic()
    assert slots_over(clients[0])
    waits = (time.monotonic() - began) * 1000
    newest = outcome(scene)
    restarted = scene.kill_processes(lambda: slots_over(clients[0]))
    for client in clients:
        client.close()
    scene.engine_is_the_same()
    lift()
    scene.check()
    keeper = scene.colony.keeper
    lift = limit(keeper, resource.RLIMIT_NOFILE, 1 + max(map(int, os.listdir(f"/proc/{keeper}/fd"))))
    scene.scale_to(scene.templates["steady0"], 40)()
    told = conftest.eventually(lambda: next(s["failure"] for s in scene.colony.slots("steady0") if s["failure"]),
                               what="a failure")
    lift()
    scene.check()
    scene.scale_to(scene.templates["steady0"], 1)()
    scene.check()
    scene.engine_is_the_same()
    return {"fault": "descriptors out, of the engine (60 idle clients) and of the keeper",
            "processes": f"all live on, and are restarted ({restarted:.0f} ms); new ones that have no room fail "
                         f"(`{told}`) and start once there is some",
            "control": f"those connected are answered (in {waits:.0f} ms), one more is {newest}"}


def memory_out(scene):
    """RLIMIT_AS, first of the engine and then of the keeper."""
    engine = scene.engine
    def address_space(pid):
        return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    lift = limit(engine, resource.RLIMIT_AS, address_space(engine) + (1 << 20))
    refused = 0
    for number in range(100):
        body = json.dumps({"name": f"large{number}", "cmd": "true", "start": False,
                           "env": {f"A{i}": "x" * 1000 for i in range(500)}})
        answer = scene.colony.http("POST", "/processes", body)
        assert answer.status in (200, 503), answer.text
        refused += answer.status == 503
        if refused == 20:
            break
    assert refused, "there was memory enough"
    assert "memory" in answer.json()["reason"], answer.text
    restarted = scene.kill_processes()
    scene.engine_is_the_same()
    lift()
    for name in scene.colony.http("GET", "/processes").json():
        if name.startswith("large"):
            assert scene.colony.http("DELETE", f"/processes/{name}").status == 200
    scene.check()
    keeper = scene.colony.keeper
    lift = limit(keeper, resource.RLIMIT_AS, address_space(keeper))
    scene.kill_processes()
    lift()
    scene.check()
    scene.engine_is_the_same()
    return {"fault": "memory out (no more address space), of the engine and of the keeper",
            "processes": f"all live on, and are restarted ({restarted:.0f} ms)",
            "control": f"answers; {refused} of {refused} requests that need more than there is are refused "
                       "with 503 and change nothing"}


def clock_jump(scene):
    for shift in (YEAR_S, -YEAR_S, 0):
        scene.clock.write_text(str(shift))
        scene.kill_processes()
        scene.check()
        scene.recover(lambda: scene.kill("engine"))
        scene.check()
    return {"fault": "clock set a year forward, a year back, and right again; the engine killed each time",
            "control": "answers, before and after the engine is killed"}


def clock_setup(scene):
    library = scene.colony.folder / "clock.so"
    subprocess.run([ordeal.compiler(), "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", library, CLOCK],
                   check=True)
    scene.clock = scene.colony.folder / "clock"
    scene.popen = {"env": {**os.environ, "LD_PRELOAD": str(library), "CLOCK_FILE": str(scene.clock)}}
    for template in scene.templates.values():
        template.more = {"os_env": False}


def die(scene, meanwhile):
    """Both killed, @meanwhile, and `colony serve` started again."""
    scene.colony.kill_both()
    meanwhile()
    scene.start()


def table_damaged(scene):
    table = scene.colony.state / "table"
    def garbage():
        with open(table, "r+b") as file:
            file.write(os.urandom(table.stat().st_size))
    for damage in (garbage, lambda: os.truncate(table, 100), table.unlink):
        pids = {key: pid for key, (_, pid) in scene.before.items()}
        scene.touched |= set(scene.templates)
        scene.recover(lambda: die(scene, damage))
        scene.check()
        assert {key: pid for key, (_, pid) in scene.before.items()} == pids, "not the same processes"
    return {"fault": "table damaged, cut off and removed, with keeper and engine killed",
            "processes": f"all {len(pids)} live on and are found by their marks, with new ids",
            "control": f"back {scene.waited()} after `colony serve`"}


def database_damaged(scene):
    database = scene.colony.state / "engine" / "colony.db"
    def garbage():
        for path in database.parent.glob("colony.db*"):
            path.write_bytes(os.urandom(path.stat().st_size))
    added = scene.templates["added0"]  # only the database knew its settings
    scene.recover(lambda: die(scene, garbage))
    assert "added0.1 is left alone" in scene.colony.log.read_text(), "nobody was told"
    scene.add_it(added, None)()
    scene.touched.discard("added0")  # it lived on, and is what it was
    scene.check()
    aside = list(database.parent.glob("colony.db.damaged-*"))
    assert aside, "it was not put aside"
    return {"fault": "database damaged, with keeper and engine killed",
            "processes": f"all {len(scene.before)} live on; one that was added while colony ran is left alone, "
                         "and supervised again once its template is added again",
            "control": f"back {scene.waited()} after `colony serve`; the database is put aside and a new "
                       "one begun"}


def settings_damaged(scene):
    good = scene.colony.config.read_text()
    def bad(path):
        path.write_bytes(os.urandom(1000))
    bad(scene.colony.config)
    answer = scene.colony.http("POST", "/_reload")
    assert answer.status == 400 and answer.json()["error"] == "bad_config", answer.text
    scene.check()
    scene.colony.kill_both()
    scene.colony.start(scene.colony.config.read_bytes().decode("latin-1"), "--log-level", "info")
    scene.engine = scene.colony.engine
    scene.check()
    scene.colony.config.write_text(good)
    bad(scene.colony.state / "settings.json")
    scene.recover(lambda: scene.kill("engine"))
    scene.check()
    return {"fault": "settings damaged: the file, and the copy that the engine starts from",
            "control": "a reload is refused and changes nothing; `colony serve` goes on with those "
                       "applied last, an engine without its copy with the file"}


def rebooted(scene):
    """Nothing runs any more, and the kernel tells another boot id; the pids are others'."""
    old = dict(scene.before)
    scene.colony.kill_both()
    for processes in scene.marked().values():
        for pid in processes:
            os.kill(pid, signal.SIGKILL)
    conftest.eventually(lambda: not scene.marked(), what="the end of all")
    boot_id = scene.colony.folder / "boot_id"
    boot_id.write_text("01234567-89ab-cdef-0123-456789abcdef\n")
    mount("--bind", boot_id, "/proc/sys/kernel/random/boot_id")
    scene.touched |= set(scene.templates)
    scene.recover(scene.start)
    scene.check()
    ids = {number for number, _ in scene.before.values()}
    assert not ids & {number for number, _ in old.values()}, "an id was given twice"
    return {"fault": "machine rebooted (all processes killed, another boot id)",
            "processes": f"all {len(scene.before)} are started again, with new ids; what was stopped stays stopped",
            "exits": "those of the boot before are not told, all others are",
            "control": f"back {scene.waited()} after `colony serve`"}


Fault = collections.namedtuple("Fault", "run setup needs_mounts", defaults=(None, False))
FAULTS = {
    "engine": Fault(engine_killed),
    "stopped": Fault(engine_stopped),
    "keeper": Fault(keeper_killed),
    "both": Fault(both_killed),
    "disk": Fault(disk_full, disk_full_setup, True),
    "descriptors": Fault(descriptors_out),
    "memory": Fault(memory_out),
    "clock": Fault(clock_jump, clock_setup),
    "table": Fault(table_damaged),
    "database": Fault(database_damaged),
    "settings": Fault(settings_damaged),
    "reboot": Fault(rebooted, None, True),
}


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def own_mounts():
    """Runs on with mounts that nobody else sees; False: this user may not."""
    if os.environ.get("COLONY_OWN_MOUNTS"):
        return True
    command = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], stderr=subprocess.DEVNULL,
                                                     check=False).returncode:
        return False
    os.environ["COLONY_OWN_MOUNTS"] = "1"
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def try_fault(name, times):
    """The row of a fault."""
    fault = FAULTS[name]
    folder = tempfile.mkdtemp(prefix="colony-failures-")
    scene = Scene(folder, times)
    try:
        if fault.setup:
            fault.setup(scene)
        scene.begin()
        own = fault.run(scene)
        row = {**scene.cells(), **own}
    except BaseException:
        print(f"{name}: all of it is in {folder}; the last:\n" + "\n".join(list(scene.done)[-20:]),
              file=sys.stderr)
        raise
    finally:
        scene.colony.clear()
    shutil.rmtree(folder, ignore_errors=True)
    return [row[column] for column in COLUMNS]


def write(rows):
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    text = DOCUMENT.read_text()
    head, rest = text.split(BEGIN)
    DOCUMENT.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=FAULTS, action="append", help="not all of them")
    parser.add_argument("--times", type=int, default=20, help="how often what is quick is tried")
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    args = parser.parse_args()
    names = args.only or list(FAULTS)
    if any(FAULTS[name].needs_mounts for name in names) and not own_mounts():
        print("cannot try a full disk: this user may have no mounts of its own", file=sys.stderr)
        sys.exit(SKIPPED)
    rows = []
    for name in names:
        rows.append(try_fault(name, args.times))
        print("\n  ".join(f"{column}: {cell}" for column, cell in zip(COLUMNS, rows[-1])), flush=True)
    if args.write:
        write(rows)


if __name__ == "__main__":
    main()
