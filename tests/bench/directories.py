# SPDX-License-Identifier: Apache-2.0
"""Control by files: many at once, one alone beside inotify itself, a look at what has not changed."""

import json
import os
import pathlib
import re
import time

import look
from contestants import Colony, Contestant


class Files(Colony):
    """A colony on two directories; `ready` is where files wait to be renamed from."""

    frequency = "1000"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.conf, self.messages, self.ready = (self.folder / name
                                                for name in ("conf", "messages", "ready"))
        for folder in (self.conf, self.messages, self.ready):
            folder.mkdir()

    def open(self, count=0, now=True):
        began = self.run([self.tools.binary, "serve", "--conf", self.conf, "--messages", self.messages,
                          "--state", self.state, "--frequency", self.frequency])
        self.wait(lambda: self.ask("GET", "/readyz") == b"OK")
        return began

    def prepare(self, count, **keys):
        text = json.dumps({"args": self.program, **keys})
        for i in range(count):
            (self.ready / f"p{i:04}").write_text(text)

    def drop(self, folder):
        """All that is ready, by one rename each; when the first of them was."""
        began = look.now_ns()
        for name in sorted(os.listdir(self.ready)):
            os.rename(self.ready / name, folder / name)
        return began

    def stop(self):
        began = look.now_ns()
        self.end_all()
        return (look.now_ns() - began) / 1e9

    def looks(self):
        return int(re.search(rb"^colony_files_looks_total (\d+)$", self.ask("GET", "/metrics"),
                             re.M)[1])


class Often(Files):
    frequency = "0.2"


class Watcher(Contestant):
    """What does nothing but that."""

    name = "limit"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.conf, self.ready = self.folder / "conf", self.folder / "ready"
        self.conf.mkdir()
        self.ready.mkdir()

    def open(self):
        self.run([self.tools.program("watcher"), self.conf, *self.program])
        self.wait(lambda: (self.folder / "output").read_text() == "watches\n")


def start_many(bench):
    many = bench.scale.many
    with Files(bench.tools) as colony:
        colony.open()
        colony.prepare(many)
        began = colony.drop(colony.conf)
        colony.records.wait(many)
        last = max(when for when, _ in colony.records.read(0, many))
        bench.add("files-start", Colony, (last - began) / 1e6)


def latency(bench, kind):
    times = []
    with kind(bench.tools) as contestant:
        contestant.open()
        text = json.dumps({"args": contestant.program})
        for i in range(bench.scale.restarts):
            new = contestant.ready / f"p{i:04}"
            new.write_text(text)
            time.sleep(0.02)
            began = look.now_ns()
            os.rename(new, contestant.conf / new.name)
            contestant.records.wait(i + 1)
            times.append((contestant.records.read(i, i + 1)[0][0] - began) / 1e3)
    bench.add("files-latency", Colony if kind is Files else "limit", look.median(times))


def cpu_ns(pid):
    return sum(int((task / "schedstat").read_text().split()[0])
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


def rescan(bench):
    """The engine alone, with what else it does in that time, which is nothing."""
    with Often(bench.tools) as colony:
        colony.prepare(bench.scale.files, colony={"start": False})
        colony.drop(colony.conf)
        colony.open()
        look.wait_until(lambda: len(json.loads(colony.ask("GET", "/processes"))) == bench.scale.files,
                        what="all files")
        time.sleep(bench.scale.settle_seconds)
        engine = colony.pids()[1]
        looks, before = colony.looks(), cpu_ns(engine)
        time.sleep(bench.scale.settle_seconds)
        spent = cpu_ns(engine) - before
        bench.add("files-rescan", Colony, spent / 1e6 / max(1, colony.looks() - looks))


def messages(bench):
    with Files(bench.tools) as colony:
        colony.prepare(1)
        colony.open()
        colony.drop(colony.conf)
        colony.records.wait(1)
        text = json.dumps({"type": "RESTART", "name": "p0000"})
        for i in range(bench.scale.messages):
            (colony.ready / f"{i:06}").write_text(text)
        began = colony.drop(colony.messages)
        look.wait_until(lambda: not os.listdir(colony.messages), what="an empty directory")
        bench.add("files-messages", Colony, bench.scale.messages / ((look.now_ns() - began) / 1e9))


def files(bench):
    start_many(bench)
    latency(bench, Files)
    latency(bench, Watcher)
    rescan(bench)
    messages(bench)
