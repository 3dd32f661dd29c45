# SPDX-License-Identifier: Apache-2.0
"""colony and the bare loop, as what can be opened, started, stopped and closed.

Each supervises COUNT processes of one program, in a folder of its own. `open` returns when it began;
with `now` the processes are started with it, else it waits for `start`. `start` returns when it was
asked, `stop` how long it took in seconds until all are gone, `pids` who the supervisors are.
"""

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

import look

# Whatever the bench is started from, all have the same.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "HOME": "/root", "LANG": "C.UTF-8"}
GROUP = "g"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Contestant:
    name = ""
    starts_with_open = False

    def __init__(self, tools, program="probe", *arguments):
        self.tools = tools
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="colony-bench-", dir=tools.folder))
        self.records = look.Records(tempfile.mkdtemp(dir=tools.memory))
        self.program = [str(tools.program(program)), str(self.records.path), *map(str, arguments)]
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Not left half done: whoever wants to end the bench waits for it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self.close()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def run(self, command, **popen):
        """Starts the supervisor; what it says goes to a file."""
        began = look.now_ns()
        with open(self.folder / "output", "ab") as output:
            popen.setdefault("stdin", subprocess.DEVNULL)
            popen.setdefault("stdout", output)
            popen.setdefault("env", ENVIRONMENT)
            self.process = subprocess.Popen(list(map(str, command)), stderr=output, **popen)
        return began

    def wait(self, answers):
        """Until the supervisor does."""
        def look_again():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: " + (self.folder / "output").read_text())
            return answers()
        look.wait_until(look_again, what=f"an answer of {self.name}")

    def pids(self):
        return [self.process.pid]

    def end_all(self):
        """Ends the supervisor in its gentle way; waits until it and all processes are gone."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def stop(self):
        began = look.now_ns()
        self.end_all()
        mine = {pid for _, pid in self.records.read()}
        look.wait_until(lambda: not any(map(look.is_alive, mine)), what="the end of all")
        return (look.now_ns() - began) / 1e9

    def close(self):
        if self.process and self.process.poll() is None:
            try:
                self.end_all()
            except (subprocess.TimeoutExpired, OSError, TimeoutError):
                self.kill_all()
        for _, pid in self.records.read():
            # Only who is still what was started here: numbers are given again.
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/exe") == self.program[0]:
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill_all(self):
        """The supervisor first, that it starts nothing any more."""
        supervisors = [self.process.pid]
        with contextlib.suppress(OSError, ValueError):
            supervisors = sorted(self.pids(), key=lambda pid: pid != self.process.pid)
        for pid in supervisors:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=120):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        folder = os.open(self.path.parent, os.O_PATH)  # an address has room for 107 bytes only
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{self.path.name}")
        finally:
            os.close(folder)


class Colony(Contestant):
    """As by default: output captured, changes and history stored, HTTP on its socket and on TCP."""

    name = "colony"
    options = ()  # more of `colony serve`

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.state = self.folder / "state"
        self.port = free_port()
        self.connection = None

    def open(self, count, now=False):
        template = {"cmd": self.program[0], "args": self.program[1:]}
        if not now:
            template["start"] = False
        config = self.folder / "colony.yaml"
        config.write_text(json.dumps(
            {"processes": {f"{GROUP}:p{i:04}": template for i in range(count)}}))
        began = self.run([self.tools.binary, "serve", "--config", config, "--state", self.state,
                          "--bind", f"127.0.0.1:{self.port}", *self.options])
        if not now:
            self.wait(lambda: self.ask("GET", "/readyz") == b"OK")
        return began

    def ask(self, method, path):
        if not self.connection:
            self.connection = UnixConnection(self.state / "colony.sock")
        try:
            self.connection.request(method, path)
            response = self.connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.connection = None
            raise OSError(f"cannot ask colony {path}: {error}") from error
        if response.status != 200:
            raise OSError(f"cannot {method} {path}: {response.status} {body.decode()}")
        return body

    def start(self):
        began = look.now_ns()
        self.ask("POST", f"/groups/{GROUP}/_start")
        return began

    def stop(self):
        began = look.now_ns()
        self.ask("POST", f"/groups/{GROUP}/_stop?wait=true")
        return (look.now_ns() - began) / 1e9

    def pids(self):
        """Keeper and engine."""
        keeper = int((self.state / "lock").read_text())
        for pid in look.children(keeper):
            if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"colony\0engine\0"):
                return [keeper, pid]
        raise OSError("cannot find the engine")

    def ctl(self, *arguments):
        return [str(self.tools.binary), "ctl", "--state", str(self.state), *arguments]


class Loop(Contestant):
    """The bare loop (loop.c)."""

    name = "limit"
    options = ()

    def open(self, count, now=False):
        environment = ENVIRONMENT | {"COLONY_ID": f"0123456789abcdef/{GROUP}:p0000/1"}
        began = self.run([self.tools.program("loop"), *self.options, count, *self.program],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        if now:
            self.order(b"start\n")
        return began

    def order(self, line):
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def start(self):
        began = look.now_ns()
        self.order(b"start\n")
        return began

    def stop(self):
        began = look.now_ns()
        self.order(b"stop\n")
        for line in self.process.stdout:
            if line == b"stop\n":
                return (look.now_ns() - began) / 1e9
        raise OSError("the loop has ended: " + (self.folder / "output").read_text())

    def end_all(self):
        self.process.stdin.close()
        self.process.wait(60)


class DelayingLoop(Loop):
    """With colony's delays, for programs that end at once."""

    options = ("-d",)


class GroupedLoop(Loop):
    """The same with a cgroup for each process, where there is cgroup2 and we may."""

    name = "limit+cgroups"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cgroup = self.mount() / f"colony-bench-{os.getpid()}"
        self.cgroup.mkdir(exist_ok=True)
        self.options = ("-g", str(self.cgroup))

    @staticmethod
    def mount():
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            if " - cgroup2 " in line:
                own = pathlib.Path("/proc/self/cgroup").read_text().split("0::/", 1)[1]
                return pathlib.Path(line.split()[4]) / own.split("\n")[0]
        return None

    @classmethod
    def is_possible(cls):
        try:
            folder = cls.mount() / f"colony-bench-try-{os.getpid()}"
            folder.mkdir()
            folder.rmdir()
            return True
        except (OSError, TypeError, IndexError):
            return False

    def close(self):
        super().close()
        with contextlib.suppress(OSError):
            self.cgroup.rmdir()
