# SPDX-License-Identifier: Apache-2.0
"""A real colony for each test, on a state folder of its own, ended with all it started."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

BINARY = os.environ.get("COLONY", str(pathlib.Path(__file__).parents[2] / "build" / "colony"))
DEADLINE = float(os.environ.get("COLONY_TEST_DEADLINE", "20"))

# A shell's background jobs ignore these, and so would all that is started here, for ever.
for signum in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(signum) == signal.SIG_IGN:
        signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT
                      else signal.SIG_DFL)


def eventually(look, seconds=None, what="it"):
    """Waits until look() is true and returns what it said; looks again when it raises."""
    deadline = time.monotonic() + (seconds or DEADLINE)
    while True:
        last = None
        try:
            result = look()
            if result:
                return result
        except (AssertionError, OSError, http.client.HTTPException, LookupError, TypeError,
                ValueError, StopIteration) as error:  # ValueError: half of a number, or of JSON
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in time: {last}")
        time.sleep(0.01)


def alive(pid):
    """True while the process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def assert_sleeps(pid, seconds=1, most=0):
    """Once it is through with what it had to do nothing wakes it, and that not for a moment only."""
    def switches():
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)

    def is_quiet():
        before = switches()
        time.sleep(seconds)
        return switches() - before <= most

    eventually(is_quiet, what="sleep")
    assert is_quiet(), "it was woken"


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=DEADLINE):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Colony:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.state = self.folder / "state"
        self.socket = self.state / "colony.sock"
        self.log = self.folder / "colony.log"
        self.config = self.folder / "colony.yaml"
        self.binary = BINARY
        self.process = None

    def write(self, settings):
        text = settings if isinstance(settings, str) else json.dumps(settings)
        self.config.write_text(text, encoding="utf-8")
        return self.config

    def start(self, settings="", *args, wait=True, prefix=(), front="serve", **popen):
        """colony serve --config … --state …, and waits until it answers."""
        self.write(settings)
        command = [*prefix, self.binary, front, "--config", str(self.config), "--state",
                   str(self.state), *args]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, **popen)
        if wait:
            eventually(lambda: self.process.poll() is not None or self.answers(), what="serving")
            assert self.process.poll() is None, self.log.read_text()
        return self

    def answers(self):
        return self.http("GET", "/ping").status == 200

    def http(self, method, path, body=None, headers=None, timeout=DEADLINE):
        connection = UnixConnection(self.socket, timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response, response.read())

    def ctl(self, *args, check=True, env=None, **run):
        run.setdefault("timeout", 60)
        result = subprocess.run([self.binary, "ctl", "--state", str(self.state), *map(str, args)],
                                capture_output=True, text=True, env=env, **run)
        if check:
            assert result.returncode == 0, result.stderr + self.log.read_text()
        return result

    def slots(self, name=None):
        return self.http("GET", "/slots" + (f"?name={name}" if name else "")).json()

    def slot(self, name, number=1):
        return next(s for s in self.slots(name) if s["slot"] == number)

    def wait_state(self, name, state, number=1, seconds=None):
        """The slot as it was when it was in that state; by now it may be in another."""
        def look():
            slot = self.slot(name, number)
            return slot["state"] == state and slot
        return eventually(look, seconds, f"{name}.{number} {state}")

    def output(self, name, number=1):
        """All that was logged, rotated files first."""
        folder = self.state / "log"
        current = folder / f"{name}.{number}.log"
        rotated = sorted(folder.glob(f"{name}.{number}.log.*"),
                         key=lambda p: -int(p.name.rsplit(".", 1)[1]))
        return b"".join(p.read_bytes() for p in [*rotated, current] if p.exists())

    @property
    def keeper(self):
        return int((self.state / "lock").read_text())

    @property
    def engine(self):
        """The keeper's child that is colony itself."""
        def find():
            for pid in children(self.keeper):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if file.read().startswith(b"colony\0engine\0"):
                        return pid
            return None
        return eventually(find, what="an engine")

    def kill_both(self):
        """kill -9 of engine and keeper, with no time for either to notice the other's end."""
        keeper, engine = self.keeper, self.engine
        os.kill(keeper, signal.SIGSTOP)
        os.kill(engine, signal.SIGKILL)
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: not alive(keeper) and not alive(engine), what="the end of both")
        if self.process and self.process.pid == keeper:
            self.process.wait(10)

    def stop(self, seconds=None):
        """SIGTERM to the keeper, whoever that is by now; returns the exit status if it was ours."""
        with contextlib.suppress(OSError, ValueError):
            keeper = self.keeper
            if keeper == 1:
                raise ValueError("of another pid namespace: that is not our PID 1")
            os.kill(keeper, signal.SIGTERM)
            if self.process and self.process.pid == keeper:
                return self.process.wait(seconds or DEADLINE)
            eventually(lambda: not alive(keeper), seconds)
        return None

    def complaints(self):
        """What a sanitizer found, if the binary was built with one."""
        if not self.log.exists():
            return []
        text = self.log.read_text(errors="replace")
        return [text] if "Sanitizer" in text or "runtime error:" in text else []

    def clear(self):
        """Whatever a test left, by the mark that all of this instance bear."""
        with contextlib.suppress(Exception):
            self.stop(5)
        with contextlib.suppress(OSError):
            instance = (self.state / "instance").read_bytes()
            mark = b"ID=" + instance + b"/" if len(instance) == 16 else b"\0no mark\0"
            for pid in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    if mark in pathlib.Path(f"/proc/{pid}/environ").read_bytes():
                        os.kill(int(pid), signal.SIGKILL)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"--state=" + str(self.state).encode() in line:
                    os.kill(int(pid), signal.SIGKILL)
        if self.process:
            with contextlib.suppress(Exception):
                self.process.kill()
                self.process.wait(5)
        with contextlib.suppress(OSError):
            place = pathlib.Path((self.state / "cgroup").read_text())
            for _ in range(50):
                for leaf in place.iterdir():
                    if leaf.is_dir():
                        with contextlib.suppress(OSError):
                            leaf.rmdir()
                with contextlib.suppress(OSError):
                    place.rmdir()
                if not place.exists():
                    break
                time.sleep(0.02)


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text()
            found += [int(child) for child in text.split()]
    return found


@pytest.fixture
def short_path():
    """A folder for sockets, whose paths may have 107 bytes: tmp_path is long where tests run side by side."""
    with tempfile.TemporaryDirectory(prefix="colony-test-", ignore_cleanup_errors=True) as folder:
        yield pathlib.Path(folder)


@pytest.fixture
def make_colony():
    """Makes colonies on folders of their own; a short path, for sockets."""
    made = []

    def make(kind=Colony):
        folder = tempfile.mkdtemp(prefix="colony-test-")
        made.append(kind(folder))
        return made[-1]

    yield make
    complaints = []
    for one in made:
        one.clear()
        complaints += one.complaints()
        shutil.rmtree(one.folder, ignore_errors=True)
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def colony(make_colony):
    return make_colony()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
