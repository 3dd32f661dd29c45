# SPDX-License-Identifier: Apache-2.0
"""A colony whose engine does what a session asks for, by build/driven (driven.c)."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess

from conftest import BINARY, DEADLINE, Colony

DRIVEN = str(pathlib.Path(BINARY).with_name("driven"))


def start_ticks(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return int(text.rsplit(")", 1)[1].split()[19])


class Driven(Colony):
    """One that leaves its processes when it ends, as a session's does, unless told otherwise."""

    def __init__(self, folder, leaves=True):
        super().__init__(folder)
        self.binary = DRIVEN
        self.environment = {**os.environ, **({"DRIVEN_LEAVES": "1"} if leaves else {})}
        self.strangers = []

    def start(self, settings="", *args, **more):
        return super().start(settings, *args, env=self.environment, **more)

    def ask(self, *words):
        """(result, message) of a call."""
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
            sock.bind("")
            sock.settimeout(DEADLINE)
            sock.sendto(" ".join(map(str, words)).encode(), str(self.state / "engine" / "driven"))
            result, message = sock.recv(4096).decode().split(" ", 1)
        return int(result), message

    def do(self, *words):
        result, message = self.ask(*words)
        assert result == 0, message

    def put(self, name, cmd="sleep 1000", **more):
        self.do("put", json.dumps({"name": name, "cmd": cmd, "log": "none", **more}))

    def stranger(self, *command, **popen):
        """A process that this colony has not started."""
        process = subprocess.Popen(command or ["sleep", "1000"], stdin=subprocess.DEVNULL, **popen)
        self.strangers.append(process)
        return process

    def adopt(self, name, pid, slot=1):
        return self.ask("adopt", name, slot, pid, start_ticks(pid))

    def clear(self):
        super().clear()
        for process in self.strangers:
            process.kill()
            process.wait()
