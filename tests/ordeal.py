# SPDX-License-Identifier: Apache-2.0
"""What chaos, hammer, soak and failures share: a colony on a folder of its own that is asked, killed
and looked at from outside, and a worker that behaves as its arguments say."""

import argparse
import collections
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "integration"))
import conftest  # noqa: E402

WORKER = pathlib.Path(__file__).with_name("worker.c")

EXEC_S = 2  # what bears no mark after so long never will

Size = collections.namedtuple("Size", "fds kib")


def compiler():
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def pss_kib(pid, key="Pss"):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(key + ":"))


def size(pid):
    """Descriptors, and memory that is its own: what it shares with other programs is as large as
    these leave it, and cannot leak."""
    return Size(len(os.listdir(f"/proc/{pid}/fd")), pss_kib(pid, "Pss_Anon") + pss_kib(pid, "Pss_Shmem"))


class Ordeal:
    def __init__(self, folder, seed):
        self.seed = seed
        self.colony = conftest.Colony(folder)
        self.worker = str(pathlib.Path(folder) / "worker")
        self.counts = collections.Counter()
        self.done = collections.deque(maxlen=200)
        self.faults = []
        self.engine = None  # that should live
        self.popen = {}  # how it is started
        self.strangers = {}  # since when we know them
        subprocess.run([compiler(), "-O1", "-o", self.worker, WORKER], check=True)

    def settings(self):
        """Of a colony that has none yet."""
        raise NotImplementedError

    def start(self):
        config = self.colony.config
        settings = json.loads(config.read_text()) if config.exists() else self.settings()
        self.colony.start(settings, "--log-level", "info", **self.popen)
        self.engine = self.colony.engine

    def note(self, what):
        self.done.append(f"{time.strftime('%H:%M:%S')} {what}")

    def ask(self, method, path, body=None, timeout=15):
        """The answer; None when an engine died over it."""
        self.note(f"{method} {path}")
        try:
            answer = self.colony.http(method, path, json.dumps(body) if body is not None else None,
                                      timeout=timeout)
        except (OSError, http.client.HTTPException):
            self.counts["unanswered"] += 1
            return None
        self.counts[f"{answer.status}"] += 1
        if answer.status >= 500:
            self.faults.append(f"{method} {path}: {answer.status} {answer.text}")
        return answer

    def slots(self):
        return conftest.eventually(lambda: [self.colony.slots()], what="an answer")[0]

    # What happens to it.

    def kill(self, what, gap=0.0):
        """@gap: seconds from the keeper's end to the engine's, when both are killed."""
        self.counts[f"kill {what}"] += 1
        self.note(f"kill {what}")
        keeper, engine = self.colony.keeper, self.colony.engine  # waits for one to be there
        if what == "both" and gap == 0:
            self.colony.kill_both()
            self.start()
            return
        os.kill(engine if what == "engine" else keeper, signal.SIGKILL)
        if what == "engine":
            conftest.eventually(lambda: not conftest.alive(engine), what="the engine's end")
            return
        if what == "both":
            time.sleep(gap)
            os.kill(engine, signal.SIGKILL)  # by now it may be the keeper
            conftest.eventually(lambda: not conftest.alive(engine), what="the engine's end")
        conftest.eventually(lambda: not conftest.alive(keeper), what="the keeper's end")
        if self.colony.process and self.colony.process.pid == keeper:
            self.colony.process.wait(10)
        if what == "both":
            self.revive()
        else:  # its last thread may end, and its children leave it, after what looked like its end
            conftest.eventually(lambda: self.lock_holder() not in (None, str(keeper)), what="a new keeper")

    def lock_holder(self):
        """As text; None while it is written."""
        words = (self.colony.state / "lock").read_text().split()
        return words[0] if len(words) == 1 else None

    def revive(self):
        """Starts a colony if nobody carries on: keeper and engine hold the lock as long as one lives."""
        def carries_on():
            with open(self.colony.state / "lock", encoding="utf-8") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return "no"
                except BlockingIOError:
                    return "yes" if self.colony.answers() else None
        if conftest.eventually(carries_on, what="an end or a takeover") == "no":
            self.start()

    def freeze(self, seconds):
        """The engine is stopped for a while."""
        engine = self.colony.engine
        os.kill(engine, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(engine, signal.SIGCONT)

    # What is seen of it.

    def marked(self):
        """Processes that bear our mark, and whether they lead a session, by slot: NAME/NUMBER."""
        mark = b"COLONY_ID=" + (self.colony.state / "instance").read_bytes() + b"/"
        found, seen, now = collections.defaultdict(dict), {}, time.monotonic()
        for entry in os.scandir("/proc"):
            key = (entry.name, entry.inode())  # a pid that is used again has another inode
            since = self.strangers.get(key, now)
            if not entry.name.isdigit():
                continue
            if now - since > EXEC_S:
                seen[key] = since
                continue
            try:
                with open(f"/proc/{entry.name}/environ", "rb", buffering=0) as file:
                    environ = file.read()
                if mark not in environ:
                    seen[key] = since
                elif conftest.alive(entry.name):
                    one = next(e for e in environ.split(b"\0") if e.startswith(mark))
                    pid = int(entry.name)
                    found[one[len(mark):].decode()][pid] = os.getsid(pid) == pid
            except (OSError, StopIteration):
                continue
        self.strangers = seen
        return found

    def zombies(self):
        """Children of keeper and engine that ended and were not reaped."""
        found = set()
        for parent in (self.colony.keeper, self.engine):
            for pid in conftest.children(parent):
                try:
                    state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
                except OSError:
                    continue
                if state == "Z":
                    found.add(pid)
        return found

    def sizes(self):
        return {"keeper": size(self.colony.keeper), "engine": size(self.engine)}

    def check_sizes(self, baseline, slack_fds, slack_kib):
        """Descriptors close a moment after what they were for; memory is looked at once."""
        if "asan" in conftest.BINARY or "tsan" in conftest.BINARY:
            slack_kib *= 16
        def fds_are_back():
            sizes = self.sizes()
            too_many = {who: (baseline[who].fds, sizes[who].fds) for who in sizes
                        if sizes[who].fds > baseline[who].fds + slack_fds}
            assert not too_many, f"descriptors: {too_many}"
            return sizes
        sizes = conftest.eventually(fds_are_back, what="descriptors as before")
        for who, now in sizes.items():
            assert now.kib <= baseline[who].kib + slack_kib, \
                f"memory of the {who}: {baseline[who].kib} became {now.kib} KiB"
        return sizes

    def check_log(self):
        """No complaint of a sanitizer, and no order that the keeper would not take."""
        with open(self.colony.log, encoding="utf-8", errors="replace") as log:
            bad = [line for line in log if "Sanitizer" in line or "runtime error:" in line
                   or "refused message" in line]
        assert not bad, bad[:5]


def arguments(doc):
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--stay", action="store_true", help="leave what failed as it is, to be looked at")
    return parser


def run(make, args):
    """make(folder) is an Ordeal whose run(seconds) returns a line of what was seen. Exits with 1 when
    it fails, and then keeps the folder."""
    print(f"seed {args.seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="colony-ordeal-")
    ordeal = make(folder)
    try:
        print(ordeal.run(args.seconds))
    except BaseException:
        print(f"failed with seed {args.seed} after {dict(ordeal.counts)}; all of it is in {folder}; "
              "the last:\n" + "\n".join(list(ordeal.done)[-30:]), file=sys.stderr)
        if not args.stay:
            ordeal.colony.clear()
        raise
    shutil.rmtree(folder, ignore_errors=True)
