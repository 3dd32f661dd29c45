# SPDX-License-Identifier: Apache-2.0
"""Kills colony at random moments while processes start, crash, stop and write, and checks every
byte, every exit and every process. `make chaos T=600 SEED=7`; the seed replays the choices."""

import argparse
import collections
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "integration"))
import conftest  # noqa: E402

WORKER = pathlib.Path(__file__).with_name("chaos_worker.c")


def expected_end(pid):
    return "was ended by SIGUSR1" if pid % 5 == 0 else f"ended with status {pid % 50}"


class Chaos:
    def __init__(self, folder, seed, keepers=True):
        self.random = random.Random(seed)
        self.colony = conftest.Colony(folder)
        self.keepers = keepers
        self.kills = collections.Counter()
        self.last = "none"
        self.worker = pathlib.Path(folder) / "worker"
        subprocess.run(["cc", "-O1", "-o", self.worker, WORKER], check=True)

    def settings(self):
        def template(lines, pause, count, **more):
            return {"cmd": str(self.worker), "args": [str(lines), str(pause)],
                    "numprocesses": count, "graceful_timeout": 2, **more}
        return {"processes": {
            "steady": template(0, 2000, 3),
            "loud": template(0, 50, 1, log={"size": "1MiB", "count": 1000}),
            "brief": template(40, 1000, 6),
            "instant": template(1, 0, 4),
            "toggled": template(0, 3000, 2),
        }}

    def start(self):
        self.colony.start(self.settings(), "--log-level", "info")

    def snapshot(self):
        return {(s["name"], s["slot"]): (s["id"], s["os_pid"]) for s in self.colony.slots()
                if s["name"] in ("steady", "loud")}

    def leaders(self):
        """Session leaders that bear our mark, by slot."""
        mark = b"COLONY_ID=" + (self.colony.state / "instance").read_bytes() + b"/"
        found = collections.defaultdict(list)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                environ = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                if mark in environ and os.getsid(int(pid)) == int(pid) and conftest.alive(pid):
                    entry = next(e for e in environ.split(b"\0") if e.startswith(mark))
                    found[entry[len(mark):].decode()].append(int(pid))
            except (OSError, StopIteration):
                continue
        return found

    def check_no_doubles(self):
        """Two looks: a process between its end and its reaping may be seen beside its successor."""
        doubles = {slot: pids for slot, pids in self.leaders().items() if len(pids) > 1}
        if doubles:
            again = self.leaders()
            for slot, pids in doubles.items():
                assert not (set(pids) <= set(again.get(slot, []))), f"two of {slot}: {pids}"

    def disturb(self):
        """One thing a user might do; an engine that dies under it may not answer."""
        name = self.random.choice(["brief", "instant", "toggled", "toggled"])
        action = self.random.choice(["_restart", "_restart", "_stop", "_start"])
        try:
            self.colony.http("POST", f"/processes/{name}/{action}", timeout=2)
        except OSError:
            pass
        except Exception as error:  # http.client's own
            if "http.client" not in type(error).__module__:
                raise

    def kill(self, what):
        self.kills[what] += 1
        self.last = f"{what} at {time.strftime('%H:%M:%S')}"
        keeper, engine = self.colony.keeper, self.colony.engine  # waits for one to be there
        if what == "both":
            self.colony.kill_both()
            self.start()
            return
        os.kill(engine if what == "engine" else keeper, signal.SIGKILL)
        if what == "keeper":
            conftest.eventually(lambda: not conftest.alive(keeper), what="the keeper's end")
            if self.colony.process and self.colony.process.pid == keeper:
                self.colony.process.wait(10)

    def step(self):
        if self.random.random() < 0.6:
            self.disturb()
        time.sleep(self.random.random() ** 2 * 0.1)
        kinds = ["engine"] * 6 + (["keeper", "both"] if self.keepers else [])
        what = self.random.choice(kinds)
        before = None
        if self.random.random() < 0.7:
            before = conftest.eventually(self.snapshot, what="an answer")
        self.kill(what)
        if before is not None:
            # One that is about to become the keeper may still answer, and hang up.
            after = conftest.eventually(self.snapshot, what=f"an answer after {what}")
            assert after == before, f"{what}: {before} became {after}"
        if self.random.random() < 0.3:
            self.check_no_doubles()

    def run(self, kills, seconds):
        self.start()
        conftest.eventually(lambda: all(v[1] for v in self.snapshot().values()), what="running")
        deadline = time.monotonic() + seconds
        while sum(self.kills.values()) < kills or time.monotonic() < deadline:
            self.step()
            if kills and sum(self.kills.values()) >= kills:
                break
        conftest.eventually(self.colony.answers, what="an answer at the end")
        self.check_no_doubles()
        self.colony.stop(30)
        self.check_output()
        self.check_exits()
        left = self.leaders()
        assert not left, f"left running: {dict(left)}"

    def check_output(self):
        lines = 0
        for log in sorted((self.colony.state / "log").glob("*.1.log")):
            name = log.name.removesuffix(".1.log")
            for slot in range(1, 7):
                if not (self.colony.state / "log" / f"{name}.{slot}.log").exists():
                    continue
                last = {}
                text = self.colony.output(name, slot)
                assert not text or text.endswith(b"\n"), f"{name}.{slot} ends within a line"
                for number, line in enumerate(text.split(b"\n")[:-1]):
                    parts = line.split(b" ")
                    assert len(parts) == 3 and len(parts[2]) == int(parts[1]) * 7 % 60, \
                        f"{name}.{slot} line {number} is torn: {line!r}"
                    pid, sequence = int(parts[0]), int(parts[1])
                    if sequence == 0 and pid in last and self.is_reused(name, slot, pid):
                        last.pop(pid, None)
                    assert sequence == last.get(pid, -1) + 1, \
                        f"{name}.{slot} line {number}: {pid} jumps from {last.get(pid, -1)} to {sequence}"
                    last[pid] = sequence
                    lines += 1
                if name in ("brief", "instant"):
                    self.check_complete(name, slot, last)
        self.lines = lines

    def is_reused(self, name, slot, pid):
        """The kernel has given the number of one that ended to a later one of the same slot."""
        started = f"{name}.{slot} started: pid {pid},"
        return self.colony.log.read_text().count(started) > 1

    def check_complete(self, name, slot, last):
        """Those that ended by themselves wrote all their lines."""
        wanted = 39 if name == "brief" else 0
        text = self.colony.log.read_text()
        for pid, sequence in last.items():
            if re.search(rf"output of {name}\.{slot} may be lost: pid {pid}$", text, re.M):
                continue  # it ended when keeper and engine were both dead; that is told
            if re.search(rf"{name}\.{slot} {expected_end(pid)}: pid {pid},", text):
                assert sequence == wanted, f"{name}.{slot} {pid} ended, its line {sequence + 1} is lost"

    def check_exits(self):
        started, ended = {}, {}
        self.twice = 0
        unknown = 0
        for line in self.colony.log.read_text().splitlines():
            match = re.search(r"engine: (\w+\.\d+) (started|ended.*|was ended by \w+): pid (\d+), id (\d+)",
                              line)
            if not match:
                continue
            slot, how, pid, number = match.groups()
            table = started if how == "started" else ended
            # An engine that is killed between telling an end and noting that it did tells it twice.
            assert ended.get(number, (slot, int(pid), how)) == (slot, int(pid), how), \
                f"id {number} {how} after its end: {line}"
            self.twice += number in ended
            table[number] = (slot, int(pid), how)
        for number, (slot, pid, how) in ended.items():
            if number in started:
                assert started[number][:2] == (slot, pid), f"id {number} changed: {slot} {pid}"
            if "nobody can tell" in how:
                unknown += 1
                continue
            if slot.split(".")[0] in ("brief", "instant") and how != "was ended by SIGTERM":
                assert how == expected_end(pid), f"{slot} {pid}: {how}, not {expected_end(pid)}"
        if not self.keepers:
            assert unknown == 0, "the keeper lived: every exit is known"
            assert set(started) <= set(ended), f"exits not told: {set(started) - set(ended)}"
        assert self.twice <= 2 + len(ended) // 50, f"{self.twice} ends told twice"
        self.ends = len(ended)
        self.unknown = unknown


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only-engine", action="store_true")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="colony-chaos-")
    chaos = Chaos(folder, args.seed, keepers=not args.only_engine)
    try:
        chaos.run(args.kills, args.seconds)
    except BaseException:
        print(f"failed with seed {args.seed} after {dict(chaos.kills)}, the last of {chaos.last}; "
              f"all of it is in {folder}", file=sys.stderr)
        chaos.colony.clear()
        raise
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{sum(chaos.kills.values())} kills ({dict(chaos.kills)}), {chaos.lines} lines, "
          f"{chaos.ends} ends ({chaos.unknown} unknown): nothing lost, nothing doubled")


if __name__ == "__main__":
    main()
