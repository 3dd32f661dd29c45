# SPDX-License-Identifier: Apache-2.0
"""Starts, stops, scales, kills and reloads 50 templates at random while engine, keeper or both are
killed, and checks after each step that what should run runs once, nothing else does, ids are stable
and each line of output is in its place. `make chaos T=600 SEED=7`; a seed takes the same steps."""

import collections
import contextlib
import itertools
import os
import pathlib
import random
import re
import signal
import threading
import time

import ordeal
from ordeal import conftest

SOON = {"restart": {"delay": 0.05, "max_delay": 0.5}, "graceful_timeout": 2}

Kind = collections.namedtuple("Kind", "count words settings lines pause_us",
                              defaults=([], {}, 0, 20000))
KINDS = {
    "steady": Kind(14),
    "loud": Kind(4, settings={"log": {"size": "32KiB", "count": 1000}}, pause_us=2000),
    "brief": Kind(6, lines=40, pause_us=1000),
    "instant": Kind(4, lines=1),
    "ignoring": Kind(4, ["ignore"], {"graceful_timeout": 0.3}),
    "straying": Kind(4, ["stray"]),
    "ready": Kind(6, ["notify"], {"ready": "notify"}),
    "added": Kind(8),  # over HTTP, not in the file
}
REST_EVERY = 25  # steps


class Template:
    """What is asked of one, and so what must be."""

    def __init__(self, kind, number, pace):
        self.name = f"{kind}{number}"
        self.kind = KINDS[kind]
        self.is_brief = self.kind.lines > 0
        self.words = [*self.kind.words, "lines", str(self.kind.lines), str(self.kind.pause_us * pace),
                      *(["end"] if self.is_brief else [])]
        self.is_added = kind == "added"
        self.exists = self.is_wanted = True
        self.scale = self.count = 1 + number % 3
        self.generation = 0  # another one needs another process
        self.grace = None
        self.more = {}

    def settings(self, worker):
        settings = {"cmd": worker, "args": self.words, "numprocesses": self.scale,
                    "env": {"GENERATION": str(self.generation)}, **SOON, **self.kind.settings, **self.more}
        return settings if self.grace is None else {**settings, "graceful_timeout": self.grace}

    def slots(self):
        return [(self.name, number) for number in range(1, self.count + 1)] if self.exists else []


class Log:
    """The output of one slot, read as it grows; lines of each process must follow each other."""

    def __init__(self, name, is_reused):
        self.name = name
        self.is_reused = is_reused
        self.offsets = {}  # by inode
        self.finished = set()  # inodes of rotated files
        self.rest = b""
        self.last = {}  # sequence by pid
        self.lines = 0

    def chain(self, path):
        """[(inode, number, file)], the newest first, back to one that was read to its end. While this
        walks, files only move away from it: it may meet one twice, but misses none."""
        found = []
        for number in itertools.count():
            try:
                file = open(f"{path}.{number}" if number else path, "rb")
            except FileNotFoundError:
                if number and not os.path.exists(f"{path}.{number + 1}"):
                    return found
                break  # in the middle of a rotation
            inode = os.fstat(file.fileno()).st_ino
            found.append((inode, number, file))
            if inode in self.finished:
                return found
        self.close(found)
        return None

    @staticmethod
    def close(chain):
        for _, _, file in chain:
            file.close()

    def follow(self, path):
        chain = conftest.eventually(lambda: self.chain(path), what=f"{path} as a whole")
        for inode, number, file in reversed(chain):
            if inode not in self.finished:
                file.seek(self.offsets.get(inode, 0))
                text = file.read()
                self.offsets[inode] = self.offsets.get(inode, 0) + len(text)
                self.check(text)
            if number > 0:
                self.finished.add(inode)
        self.close(chain)

    def check(self, text):
        lines = (self.rest + text).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            parts = line.split(b" ")
            assert len(parts) == 3 and len(parts[2]) == int(parts[1]) * 7 % 60, \
                f"{self.name} line {self.lines} is torn: {line!r}"
            pid, sequence = int(parts[0]), int(parts[1])
            if sequence == 0 and pid in self.last and self.is_reused(self.name, pid):
                del self.last[pid]
            assert sequence == self.last.get(pid, -1) + 1, \
                f"{self.name} line {self.lines}: {pid} jumps from {self.last.get(pid, -1)} to {sequence}"
            self.last[pid] = sequence
            self.lines += 1


class Told:
    """What colony's own log says of each process, read as it grows."""

    TOLD = re.compile(r"(\S+\.\d+) [^:\n]+: pid (\d+), id (\d+)")  # its start, or its end
    UNHEARD = re.compile(r"(\S+\.\d+) may have said that it is ready while nobody could hear it: "
                         r"pid (\d+);")

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.ids = collections.defaultdict(set)  # by slot and pid
        self.unheard = set()

    def look(self):
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            text = file.read()
        whole = text[:text.rfind(b"\n") + 1]
        self.offset += len(whole)
        whole = whole.decode(errors="replace")
        for name, pid, told in self.TOLD.findall(whole):
            self.ids[name, int(pid)].add(told)
        self.unheard.update((name, int(pid)) for name, pid in self.UNHEARD.findall(whole))
        return self


def expected_end(pid):
    return "was ended by SIGUSR1" if pid % 5 == 0 else f"ended with status {pid % 50}"


class Chaos(ordeal.Ordeal):
    slack_kib = 2048

    def __init__(self, folder, seed, keepers=True, copies=1):
        super().__init__(folder, seed)
        self.keepers = keepers
        self.templates = {template.name: template for kind in KINDS
                          for template in (Template(kind, i, copies) for i in range(KINDS[kind].count * copies))}
        self.step_count = 0
        self.before = {}    # (id, pid) by slot, of what goes on for ever
        self.touched = set()  # names and slots that a step may replace
        self.renewed = set()  # names that it must
        self.known = {}     # slot and pid by id
        self.killed = set()
        self.logs = {}
        self.told = Told(self.colony.log)
        self.baseline = None
        self.ends = self.unknown = 0

    def settings(self):
        return {"processes": {template.name: template.settings(self.worker)
                              for template in self.templates.values() if not template.is_added}}

    # What is asked for: each changes what must be, and returns what does it.

    def asked(self, method, path, body=None, done_before=()):
        """Until it is answered; @done_before: what one is told whose first question was not."""
        def do():
            deadline = time.monotonic() + conftest.DEADLINE * 2
            for attempt in itertools.count():
                answer = self.ask(method, path, body)
                if answer and (answer.status == 200 or attempt and answer.status in done_before):
                    return
                if answer and answer.status != 409:
                    self.faults.append(f"{method} {path}: {answer.status} {answer.text}")
                if answer or time.monotonic() > deadline:
                    self.faults.append(f"{method} {path}: {answer and answer.text}")
                    return
                time.sleep(0.01)
        return do

    def act(self, template, action):
        return self.asked("POST", f"/processes/{template.name}/_{action}")

    def start_it(self, template, _rand):
        if not template.is_wanted:
            self.touched.add(template.name)
        template.is_wanted = True
        return self.act(template, "start")

    def stop_it(self, template, _rand):
        self.touched.add(template.name)
        template.is_wanted = False
        return self.act(template, "stop")

    def restart_it(self, template, _rand):
        self.touched.add(template.name)
        self.renewed.add(template.name)
        template.is_wanted = True
        return self.act(template, "restart")

    def scale_to(self, template, count):
        self.touched |= {(template.name, n) for n in range(count + 1, template.count + 1)}
        template.count = count
        return self.act(template, f"scale/{count}")

    def scale_it(self, template, rand):
        return self.scale_to(template, rand.randrange(4))

    def kill_it(self, template, rand):
        number = rand.randrange(3) + 1
        self.touched.add((template.name, number))
        def do():
            for pid, leads in self.marked().get(f"{template.name}/{number}", {}).items():
                if leads:
                    self.killed.add(pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        return do

    def change_it(self, template, _rand):
        self.touched.add(template.name)
        template.generation += 1  # a scale by hand stays
        return self.asked("PUT", f"/processes/{template.name}", template.settings(self.worker))

    def delete_it(self, template, _rand):
        self.touched.add(template.name)
        template.exists = False
        return self.asked("DELETE", f"/processes/{template.name}", done_before=(404,))

    def add_it(self, template, _rand):
        template.exists = template.is_wanted = True
        template.count = template.scale
        self.touched.add(template.name)
        return self.asked("POST", "/processes", {"name": template.name, **template.settings(self.worker)},
                          done_before=(409,))

    def reload(self, templates, rand):
        for template in templates:
            if template.is_added:
                continue
            if rand.random() < 0.5:
                template.generation += 1
                self.touched.add(template.name)
            else:
                template.grace = rand.choice([0.2, 0.5, 1])  # no reason to restart it
        settings = self.settings()
        def do():
            new = self.colony.folder / "new.yaml"
            new.write_text(ordeal.json.dumps(settings))
            new.replace(self.colony.config)
            self.asked("POST", "/_reload", done_before=(409,))()
        return do

    def choose(self, template, rand):
        if not template.exists:
            return self.add_it(template, rand)
        weights = {self.start_it: 4, self.stop_it: 3, self.restart_it: 3, self.scale_it: 4,
                   self.kill_it: 6, **({self.change_it: 3, self.delete_it: 2} if template.is_added else {})}
        does = rand.choices(list(weights), weights.values())[0]
        self.counts[does.__name__.removesuffix("_it")] += 1
        return does(template, rand)

    def disturbances(self, rand):
        kinds = ["engine"] * 6 + ["freeze"] * 2 + \
            (["keeper", "both", "both apart", "upgrade", "both in upgrade"]
             if self.keepers else [])
        return [self.disturbance(what, rand.random() * 0.05)
                for what in rand.choices(kinds, k=rand.choice([0, 1, 1, 1, 2]))]

    def disturbance(self, what, gap):
        if what == "freeze":
            return lambda: self.freeze(gap * 4)
        if "upgrade" in what:
            return lambda: self.upgrade(gap if "both" in what else None)
        return lambda: self.kill(what.split()[0], gap if what == "both apart" else 0)

    def upgrade(self, gap):
        """@gap: seconds until keeper and engine are killed in it; None: they are not."""
        old = self.colony.engine
        self.asked("POST", "/_upgrade", done_before=(409,))()
        if gap is None:
            conftest.eventually(lambda: self.colony.engine != old, what="an upgrade")
        else:
            time.sleep(gap)
            self.kill("both")

    def plan(self, number):
        """(seconds to wait, what to do, whether beside) of one step: from the seed alone."""
        rand = random.Random(f"{self.seed}/{number}")
        chosen = rand.sample(sorted(self.templates), 12)
        wishes = [self.choose(self.templates[name], rand)
                  for name in chosen[:rand.choice([0, 1, 2, 4, 8])]]
        if rand.random() < 0.15:
            self.counts["reload"] += 1
            wishes.append(self.reload([self.templates[name] for name in chosen[8:]], rand))
        does = [(wish, True) for wish in wishes] + [(do, False) for do in self.disturbances(rand)]
        rand.shuffle(does)
        return [(rand.random() ** 2 * 0.1, *do) for do in does]

    def take(self, steps):
        """Wishes go beside, so that an engine dies over some of them."""
        threads = []
        for pause, do, is_beside in steps:
            time.sleep(pause)
            if is_beside:
                threads.append(threading.Thread(target=do, daemon=True))
                threads[-1].start()
            else:
                do()
        for thread in threads:
            thread.join(90)
            assert not thread.is_alive(), "somebody still waits for an answer"

    # What must hold.

    def check_slots(self):
        """All is as it should be by now; else AssertionError."""
        slots = {(s["name"], s["slot"]): s for s in self.colony.slots()}
        marked = self.marked()
        wanted = {key for template in self.templates.values() for key in template.slots()}
        assert set(slots) == wanted, f"slots there should or should not be: {set(slots) ^ wanted}"
        for template in self.templates.values():
            for key in template.slots():
                self.check_slot(template, slots[key], marked.pop(f"{key[0]}/{key[1]}", {}))
        assert not marked, f"alive, of no slot: {dict(marked)}"
        return {key: (slot["id"], slot["os_pid"]) for key, slot in slots.items()}

    def check_slot(self, template, slot, processes):
        what = f"{slot['name']}.{slot['slot']} is {slot['state']}, pid {slot['os_pid']}; alive: {processes}"
        if not template.is_wanted:
            assert slot["state"] == "stopped" and not processes, what
        elif template.is_brief:
            assert slot["state"] in ("starting", "running", "exited", "backoff"), what
            assert len(processes) <= 1, what
        else:
            assert slot["state"] == ("ready" if "ready" in template.kind.settings else "running") or \
                self.is_unheard(slot), what
            assert slot["os_pid"] in processes, what
            assert len(processes) == 1 or "stray" in template.kind.words, what

    def is_unheard(self, slot):
        """It said that it is ready just when whoever had its socket was killed; that is told."""
        return (f"{slot['name']}.{slot['slot']}", slot["os_pid"]) in self.told.look().unheard

    def check_ids(self, now):
        """What no step touched is what it was; no id is ever given twice."""
        for (name, number), before in self.before.items():
            if not {name, (name, number)} & self.touched:
                assert now[name, number] == before, f"{name}.{number}: {before} became {now[name, number]}"
            elif name in self.renewed and (name, number) in now:
                assert now[name, number][0] != before[0], f"{name}.{number} was to be restarted: {before}"
        for slot, (number, pid) in now.items():
            if number is not None and pid:
                assert self.known.setdefault(number, (slot, pid)) == (slot, pid), f"id {number} given twice"
        self.before = {key: value for key, value in now.items()
                       if self.templates[key[0]].is_wanted and not self.templates[key[0]].is_brief}
        self.touched, self.renewed = set(), set()

    def check_logs(self):
        for path in (self.colony.state / "log").glob("*.log"):
            name = path.name.removesuffix(".log")
            if self.is_followed(name):
                self.logs.setdefault(name, Log(name, self.is_reused)).follow(path)

    def is_followed(self, _name):
        return True

    def is_reused(self, name, pid):
        """The kernel has given the number of one that ended to a later one of the same slot."""
        try:  # what it writes may be there before colony has told that it runs
            conftest.eventually(lambda: len(self.told.look().ids[name, pid]) > 1)
        except AssertionError:
            return False
        return True

    def check(self):
        conftest.eventually(self.colony.answers, what="an answer")
        self.engine = self.colony.engine
        self.check_ids(conftest.eventually(self.check_slots, what="what should be"))
        assert not self.faults, self.faults
        assert self.colony.engine == self.engine, "the engine has ended by itself"
        self.check_logs()
        zombies = self.zombies()
        if zombies:
            conftest.eventually(lambda: not zombies & self.zombies(), what=f"the reaping of {zombies}")

    def rest(self):
        """As in the beginning, and quiet; what keeper and engine take then is what they took before."""
        again = []
        for template in self.templates.values():
            if not template.exists:
                self.add_it(template, None)()
            if template.count != template.scale:
                self.scale_to(template, template.scale)()
            if template.is_brief:
                again.append(template)
                self.stop_it(template, None)()
            elif not template.is_wanted:
                self.start_it(template, None)()
        self.check()
        sizes = self.sizes() if self.baseline is None else \
            self.check_sizes(self.baseline, 2, self.slack_kib)
        self.baseline = self.baseline or sizes
        self.check_log()
        for template in again:
            self.start_it(template, None)()
        return sizes

    # The way through it.

    def begin(self):
        self.start()
        for template in self.templates.values():
            if template.is_added:
                self.add_it(template, None)()
        self.check()
        self.rest()

    def step(self):
        assert self.colony.engine == self.engine, "the engine has ended by itself"
        self.step_count += 1
        self.note(f"step {self.step_count}")
        self.take(self.plan(self.step_count))
        self.check()

    def run(self, seconds, steps=0):
        self.begin()
        deadline = time.monotonic() + seconds
        while self.step_count < steps or time.monotonic() < deadline:
            self.step()
            if self.step_count % REST_EVERY == 0:
                self.rest()
        self.rest()
        self.finish()
        return f"{self.step_count} steps, {dict(self.counts)}, {self.lines} lines, {self.ends} ends " \
            f"({self.unknown} unknown): nothing lost, nothing doubled"

    def finish(self):
        self.colony.stop(30)
        left = dict(self.marked())
        assert not left, f"left running: {left}"
        self.check_logs()
        self.check_complete()
        self.check_exits()
        self.check_log()

    @property
    def lines(self):
        return sum(log.lines for log in self.logs.values())

    def check_complete(self):
        """Those that ended by themselves wrote all their lines."""
        told = collections.defaultdict(list)
        for name, how, pid, lost in re.findall(
                r"engine: (\S+\.\d+) (started|(?:was )?ended .*?): pid (\d+),|"
                r"output of (\S+\.\d+) may be lost", self.colony.log.read_text()):
            told[name or lost].append((how, pid and int(pid)))
        for name, log in self.logs.items():
            assert not log.rest, f"{name} ends within a line"
            template = self.templates[name.split(".")[0]]
            for at, (how, pid) in enumerate(told[name]):
                if ("started", pid) in told[name][at:]:
                    continue  # the number was given again: only the lines of the later one are known
                if template.is_brief and how == expected_end(pid or 0) and \
                        log.last.get(pid, -1) + 1 != template.kind.lines:
                    assert self.is_lost(told[name], at, log), \
                        f"{name} {pid} ended, its line {log.last.get(pid, -1) + 1} is lost"

    @staticmethod
    def is_lost(told, at, log):
        """What was in the pipe when the last of a slot ended while keeper and engine were both dead is
        gone with it, also of those before it; that is told. What came after is not in the log either."""
        ended = told[at][1]
        while at > 0 and (told[at - 1][1] == ended or not told[at - 1][0]):
            at -= 1  # its loss may be told before its end
        for how, pid in told[at:]:
            if not how:
                return True
            if pid != ended and pid in log.last:
                return False
        return False

    def check_exits(self):
        started, ended, told_twice = {}, {}, 0
        found = re.findall(r"engine: (\S+\.\d+) (started|(?:was )?ended.*?): pid (\d+), id (\d+)",
                           self.colony.log.read_text())
        for slot, how, pid, number in found:
            table = started if how == "started" else ended
            # An engine that is killed between telling an end and noting that it did tells it twice.
            assert ended.get(number, (slot, int(pid), how)) == (slot, int(pid), how), \
                f"id {number} {how} after its end: {ended[number]}"
            told_twice += number in ended
            table[number] = (slot, int(pid), how)
        for number, (slot, pid, how) in ended.items():
            assert number not in started or started[number][:2] == (slot, pid), \
                f"id {number} changed: {slot} {pid}"
            if "nobody can tell" in how:
                self.unknown += 1
            elif self.templates[slot.split(".")[0]].is_brief and how != "was ended by SIGTERM" \
                    and pid not in self.killed:
                assert how == expected_end(pid), f"{slot} {pid}: {how}, not {expected_end(pid)}"
        if not self.keepers:
            assert self.unknown == 0, "the keeper lived: every exit is known"
            assert set(started) <= set(ended), f"exits not told: {set(started) - set(ended)}"
        assert told_twice <= 2 + len(ended) // 50, f"{told_twice} ends told twice"
        self.ends = len(ended)


def main():
    parser = ordeal.arguments(__doc__)
    parser.add_argument("--steps", type=int, default=0, help="at least so many, however long it takes")
    parser.add_argument("--only-engine", action="store_true", help="kill no keeper")
    args = parser.parse_args()
    ordeal.run(lambda folder: Chaos(folder, args.seed, not args.only_engine), args)


if __name__ == "__main__":
    main()
