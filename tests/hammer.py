# SPDX-License-Identifier: Apache-2.0
"""Asks colony for random things from several sides at once, kills it meanwhile, and checks at quiet
points that all it tells is true and that nothing hangs. `make hammer T=600 SEED=7`; the seed replays
the choices."""

import collections
import json
import pathlib
import random
import threading
import time

import ordeal
from ordeal import conftest

NAMES = [f"p{i}" for i in range(9)] + [f"g:p{i}" for i in range(9, 15)]
FILE_NAMES = [f"f{i}" for i in range(4)] + ["p0", "g:p9"]
THREADS = 4
GRACES = [0, 0.1, 0.3, 1]  # seconds
PASSING = ("starting", "stopping", "exited")
HANGS_S = 10 + 5  # the grace of what was removed, when its engine was killed and knows it no more
IN_TURN = 6  # as long as that, of what depends on each other


class Hammer(ordeal.Ordeal):
    def __init__(self, folder, seed, kills=True):
        super().__init__(folder, seed)
        self.random = random.Random(seed)
        self.kills = kills

    # What is asked for.

    def program(self, rand):
        """What it does, and settings that go with that."""
        ready = rand.choice([None] * 5 + ["notify", "line", "fd", "delay", "exec", "never"])
        settings, words = {}, []
        if rand.random() < 0.15:
            words += ["ignore"]
        if rand.random() < 0.15:
            words += ["stray"]
        if ready and rand.random() < 0.5:
            words += ["for", str(rand.choice([1, 30, 300]))]
        if ready in ("notify", "line", "fd"):
            words += [ready]
            settings["ready"] = {"notify": {"notify": True}, "line": {"line": "^u.$"},
                                 "fd": {"fd": 3}}[ready]
        elif ready == "delay":
            settings["ready"] = {"delay": rand.choice([0, 0.05, 0.5])}
        elif ready == "exec":
            command = rand.choice(["true", "true", "false", "sleep 1000", "/no/such/check"])
            settings["ready"] = {"exec": command, "interval": 0.05, "try": 0.2}
        elif ready == "never":
            settings["ready"] = {"notify": True}
        if ready:
            settings["start_timeout"] = rand.choice([0, 0.2, 1])
        if ready == "notify" or rand.random() < 0.05:
            settings["watchdog"] = rand.choice([0, 0.3, 1])
        if rand.random() < 0.4:
            words += ["for", str(rand.choice([0, 1, 20, 200])), "exit", rand.choice("001")]
        return {"cmd": self.worker, "args": words, **settings}

    def dependencies(self, rand, index):
        if rand.random() < 0.5:
            return {}
        low = NAMES[:index] if rand.random() < 0.9 else [*NAMES, "unknown"]
        if rand.random() < 0.2:
            low = [*low, *FILE_NAMES]
        found = {}
        for name in rand.sample(low, min(len(low), rand.choice([1, 1, 2]))):
            found[name] = {"condition": rand.choice(["started", "ready", "completed"])}
            if rand.random() < 0.3:
                found[name]["needed"] = False
            else:
                found[name]["when_down"] = rand.choice(["stop", "stop", "keep", "restart"])
        return {"depends_on": found}

    def template(self, rand, name):
        index = NAMES.index(name) if name in NAMES else 0
        settings = {**self.program(rand), **self.dependencies(rand, index),
                    "numprocesses": rand.choice([0, 1, 1, 1, 2, 3, 4]),
                    "graceful_timeout": rand.choice(GRACES)}
        more = rand.random()
        if more < 0.2:
            settings["flapping"] = {"attempts": 2, "window": 1, "retry_in": 0.3,
                                    "max_retry": rand.choice([0, 2])}
        elif more < 0.5:
            settings["restart"] = rand.choice([
                "never", "on-failure", {"when": "always", "delay": 0.05, "max_delay": 0.4},
                {"attempts": 3, "window": 2, "retry_in": 0.2, "max_retry": 2},
                {"attempts": 2, "window": 1}])
        else:
            settings["restart"] = {"delay": 0.02, "max_delay": 0.5, "reset": 0.1}
        for key, chance, values in (("log", 0.2, ["none", {"direct": True}]), ("max_age", 0.1, [1]),
                                    ("start", 0.1, [False]), ("priority", 0.1, [0, 5]),
                                    ("stop_group", 0.1, [True]), ("stop_signal", 0.1, ["INT"]),
                                    ("env", 0.2, [{"A": "1"}, {"A": "2"}]),
                                    ("restart_above", 0.1, [{"memory": "4KiB", "for": 0.3},
                                                            {"cpu": 100, "for": 1}])):
            if rand.random() < chance:
                settings[key] = rand.choice(values)
        if rand.random() < 0.05:  # what is forgotten ends by itself
            settings = {"cmd": self.worker, "args": ["for", "300", "exit", "0"], "detach": True,
                        "restart": "never", "graceful_timeout": rand.choice(GRACES)}
        return settings

    # Asking.

    def some_id(self, rand):
        answer = self.ask("GET", "/processes?running=true")
        ids = answer.json() if answer and answer.status == 200 else []
        return rand.choice(ids) if ids else 1

    def reload(self, rand):
        path = self.colony.folder / f"new.{threading.get_ident()}"
        path.write_text(json.dumps(self.file_settings(rand)))
        path.replace(self.colony.config)
        self.ask("POST", rand.choice(["/_reload", "/_reload?dry_run=true"]))

    def file_settings(self, rand):
        templates = {name: self.template(rand, name)
                     for name in rand.sample(FILE_NAMES, rand.randrange(len(FILE_NAMES)))}
        for name, settings in templates.items():
            wanted = {other: what for other, what in settings.get("depends_on", {}).items()
                      if other in templates or not what.get("needed", True)}
            settings["depends_on"] = {o: w for o, w in wanted.items() if o < name}
        return {"processes": templates}

    def step(self, rand):
        name = rand.choice(NAMES + FILE_NAMES)
        path = f"/processes/{name}"
        wait = rand.choice(["", "", "", "?wait=0.2"])
        number = rand.randrange(5)
        does = {
            "add": lambda: self.ask("POST", "/processes",
                                    {"name": name, **self.template(rand, name)}),
            "put": lambda: self.ask("PUT", path, self.template(rand, name)),
            "edit": lambda: self.edit(rand, path),
            "delete": lambda: self.ask("DELETE", path),
            "replace": lambda: (self.ask("DELETE", path), self.ask(
                "POST", "/processes", {"name": name, **self.template(rand, name)})),
            "scale": lambda: self.ask("POST", f"{path}/_scale/{number}{wait}"),
            "more": lambda: self.ask("POST", f"{path}/_add"),
            "less": lambda: self.ask("POST", f"{path}/_sub"),
            "act": lambda: self.ask("POST", f"{path}/_{rand.choice(['start', 'start', 'stop', 'restart'])}{wait}"),
            "again": lambda: (self.ask("POST", f"{path}/_stop"), self.ask("POST", f"{path}/_start")),
            "group": lambda: self.ask("POST", f"/groups/g/_{rand.choice(['start', 'stop', 'restart'])}"),
            "stop_id": lambda: self.ask("DELETE", f"/processes/{self.some_id(rand)}"),
            "signal": lambda: self.ask(
                "POST", f"/processes/{self.some_id(rand)}/_signal/{rand.choice(['KILL', 'TERM', 'STOP', 'CONT', 'HUP'])}"),
            "reload": lambda: self.reload(rand),
            "look": lambda: [self.ask("GET", look) for look in
                             (f"/why/{name}", "/slots?stats=true", "/stats", f"/env/{name}",
                              f"/status/{name}", "/groups", "/tree", "/history?limit=20",
                              "/readyz")[:rand.randrange(1, 9)] if look != "/readyz"],
        }
        weights = {"add": 8, "put": 3, "edit": 3, "delete": 3, "replace": 3, "scale": 3, "more": 2,
                   "less": 2, "act": 10, "again": 3, "group": 1, "stop_id": 4, "signal": 3,
                   "reload": 2, "look": 4}
        what = rand.choices(list(weights), weights.values())[0]
        self.counts[what] += 1
        does[what]()

    def edit(self, rand, path):
        """New settings that need no new process."""
        answer = self.ask("GET", path)
        if not answer or answer.status != 200:
            return
        settings = answer.json()
        settings["graceful_timeout"] = rand.choice(GRACES)
        settings["max_age"] = rand.choice([0, 0, 1, 1000])
        if rand.random() < 0.5:
            settings.pop("depends_on", None)
        self.ask("PUT", path, settings)

    def disturb(self, rand, until):
        try:
            while time.monotonic() < until and not self.faults:
                self.step(rand)
        except Exception as error:
            self.faults.append(repr(error))
            raise

    def kill_any(self):
        assert self.colony.engine == self.engine, f"the engine {self.engine} has ended by itself"
        what, old = self.random.choice(["engine"] * 5 + ["keeper", "both"]), self.engine
        self.kill(what)
        self.engine = conftest.eventually(lambda: self.new_engine(old), what="a new engine")

    def new_engine(self, old):
        engine = self.colony.engine
        return engine if engine != old and self.colony.answers() else None

    def settings(self):
        return self.file_settings(self.random)

    # What must hold.

    def may_stray(self, pid):
        """It may be one that another left behind, or has just ended."""
        try:
            return b"\0stray" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return True

    def check_processes(self):
        """What /slots tells lives, and what lives is told; both may change between two looks."""
        def compare():
            slots = {s["os_pid"]: f"{s['name']}/{s['slot']}" for s in self.slots() if s["os_pid"]}
            gone = {pid for pid in slots if not conftest.alive(pid)}
            leaders = collections.defaultdict(set)
            unknown = set()
            for slot, pids in self.marked().items():
                for pid, leads in pids.items():
                    if pid in slots:
                        leaders[slot].add(pid)
                        if slots[pid] != slot:
                            unknown.add((pid, slot))
                    elif leads and not slot.startswith("\x1f") and not self.may_stray(pid):
                        unknown.add((pid, slot))
            twice = {(s, *sorted(p)) for s, p in leaders.items() if len(p) > 1}
            return gone, unknown, twice
        wrong = compare()
        deadline = time.monotonic() + HANGS_S
        while any(wrong):
            time.sleep(0.3)
            wrong = tuple(a & b for a, b in zip(wrong, compare()))
            assert time.monotonic() < deadline and not wrong[2], \
                f"told but gone, alive but not told, two of one slot: {wrong}"

    def passes(self, slot):
        """Its state is one that no slot should stay in."""
        if slot["state"] in PASSING:
            return True
        if slot["state"] == "backoff":
            return slot["retry_in"] == 0
        return slot["state"] == "waiting" and not self.waits(slot["name"])

    def waits(self, name):
        answer = conftest.eventually(lambda: self.colony.http("GET", f"/why/{name}"))
        return answer.status != 200 or answer.json()["waits"]

    def check_no_hang(self, slots=None):
        """Whatever is passing goes on; what waits has something to wait for."""
        seen = {}
        deadline = time.monotonic() + HANGS_S * IN_TURN
        while True:
            now = time.monotonic()
            passing = {(s["name"], s["slot"], s["state"], s["id"], s["since"]): s
                       for s in self.slots() if self.passes(s)}
            seen = {key: seen.get(key, now) for key in passing}
            if not seen:
                return
            old = {key: since for key, since in seen.items() if now - since > HANGS_S}
            assert not old, f"hangs: {[passing[key] for key in old]}"
            if now > deadline or all(now - since < 0.5 for since in seen.values()) and \
                    now > deadline - HANGS_S * (IN_TURN - 1):
                return  # each of them moves on
            time.sleep(0.1)

    def names(self):
        return conftest.eventually(lambda: [self.colony.http("GET", "/processes").json()])[0]

    def check_stops(self):
        """Stopped, all of it is gone, strays too; what was detached ends by itself."""
        for name in self.names():
            self.ask("POST", f"/processes/{name}/_stop")
        def is_down():
            self.left = [s for s in self.slots() if s["state"] != "stopped"]
            return not self.left
        try:
            conftest.eventually(is_down, HANGS_S * IN_TURN, "a stop of all")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.left}") from None
        def is_gone():
            self.left = dict(self.marked())
            return not self.left
        try:
            conftest.eventually(is_gone, HANGS_S, "the end of all processes")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.left}") from None

    def check_quiet(self):
        assert not self.faults, self.faults
        conftest.eventually(self.colony.answers, what="an answer")
        assert self.colony.engine == self.engine, "the engine has ended by itself"
        self.check_log()
        self.check_no_hang()
        self.check_processes()

    def empty(self):
        """Without any template; what keeper and engine take then."""
        self.colony.write({"processes": {}})
        conftest.eventually(lambda: self.ask("POST", "/_reload").status == 200, what="a reload")
        for name in self.names():
            self.ask("DELETE", f"/processes/{name}")
        conftest.eventually(lambda: not self.marked(), HANGS_S * IN_TURN, "an end of all")
        return self.sizes()

    # The way through it.

    def round(self, seconds, kills):
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=self.disturb, daemon=True,
                                    args=(random.Random(self.random.random()), until))
                   for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        while kills and time.monotonic() < until - 0.3:
            time.sleep(self.random.random() * 0.7)
            self.kill_any()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "somebody still waits for an answer"
        self.check_quiet()

    def run(self, seconds, length=3):
        self.start()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.round(length, self.kills and self.random.random() < 0.7)
            if self.random.random() < 0.3:
                self.check_stops()
            if self.random.random() < 0.3:
                for name in self.names():
                    self.ask("POST", f"/processes/{name}/_start")
                self.check_quiet()
        self.check_size(length)
        self.round(1, False)
        self.check_stops()
        assert self.colony.stop(HANGS_S * 2) in (0, None), "the status of colony"
        assert not self.marked(), f"left running: {dict(self.marked())}"
        self.check_log()
        return f"{dict(self.counts)}: nothing hangs, nothing is left"

    def check_size(self, length):
        self.round(1, False)
        baseline = self.empty()
        self.round(length, False)
        self.empty()
        self.check_sizes(baseline, 4, 4096)


def main():
    parser = ordeal.arguments(__doc__)
    parser.add_argument("--no-kills", action="store_true")
    args = parser.parse_args()
    ordeal.run(lambda folder: Hammer(folder, args.seed, kills=not args.no_kills), args)


if __name__ == "__main__":
    main()
